//! Where Microsoft is and who we are to it. All of it can be changed: national clouds have other hosts, and so have tests and
//! the simulator.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use calsync_core::secret::Secret;
use url::Url;

use crate::address;
use crate::budget::Limits;

/// Longest tenant taken: a domain name's limit.
const TENANT_MAX: usize = 253;

/// Whose accounts may sign in (microsoft.md §1, `{tenant}`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Tenant {
    /// Work, school and personal accounts.
    #[default]
    Common,
    /// Work and school accounts of any organisation.
    Organizations,
    /// Personal accounts.
    Consumers,
    /// Accounts of one organisation, by its id or domain, guests included.
    One(String),
}

impl Tenant {
    /// Its place in addresses.
    pub fn as_str(&self) -> &str {
        match self {
            Tenant::Common => "common",
            Tenant::Organizations => "organizations",
            Tenant::Consumers => "consumers",
            Tenant::One(name) => name,
        }
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no tenant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a tenant is `common`, `organizations`, `consumers`, or the id or domain of one organisation")]
pub struct NotATenant;

impl FromStr for Tenant {
    type Err = NotATenant;
    fn from_str(text: &str) -> Result<Tenant, NotATenant> {
        let name = text.trim();
        match name.to_ascii_lowercase().as_str() {
            "common" => return Ok(Tenant::Common),
            "organizations" => return Ok(Tenant::Organizations),
            "consumers" => return Ok(Tenant::Consumers),
            _ => {}
        }
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        let edges = name.starts_with(['.', '-']) || name.ends_with(['.', '-']);
        let one = !name.is_empty() && name.len() <= TENANT_MAX && letters && !edges;
        one.then(|| Tenant::One(name.to_owned())).ok_or(NotATenant)
    }
}

/// Microsoft, as this process knows it.
#[derive(Clone, Debug)]
pub struct MicrosoftConfig {
    /// Id of our app registration ("Application (client) ID").
    pub client_id: String,
    /// Its secret: the value, not the id that Entra shows beside it.
    pub client_secret: Secret,
    /// Whose accounts may sign in.
    pub tenant: Tenant,
    /// Where people sign in, up to and without the tenant.
    pub authority: Url,
    /// Microsoft Graph, up to and including its version.
    pub graph_base: Url,
    /// Events asked for per page of a listing (`odata.maxpagesize`); the service may send fewer.
    pub page_size: u16,
    /// The longest time one HTTP exchange may take.
    pub timeout: Duration,
    /// The largest answer taken, in bytes.
    pub body_limit: usize,
    /// How fast we may call.
    pub limits: Limits,
}

impl MicrosoftConfig {
    /// The worldwide cloud, with its published limits (microsoft.md §1 and §9).
    pub fn new(client_id: impl Into<String>, client_secret: Secret) -> MicrosoftConfig {
        MicrosoftConfig {
            client_id: client_id.into(),
            client_secret,
            tenant: Tenant::default(),
            authority: fixed("https://login.microsoftonline.com/"),
            graph_base: fixed("https://graph.microsoft.com/v1.0/"),
            page_size: 100,
            timeout: Duration::from_secs(30),
            body_limit: 32 * 1024 * 1024,
            limits: Limits {
                // 10,000 in ten minutes per app and mailbox.
                per_user: 900,
                // 2,000 a second over all tenants.
                per_project: 100_000,
                // No number of its own is published; what is said of Google's holds here too: nobody's calendar needs
                // more than four new blocks a second, and a mailbox takes four calls at once.
                per_calendar_writes: 240,
                concurrent: 4,
                // With four at once, waiting in line is normal here.
                max_wait: Duration::from_secs(10),
            },
        }
    }

    /// A thing of the signed-in person's in Graph. `None` for a part that no id can be.
    pub(super) fn graph(&self, parts: &[&str]) -> Option<Url> {
        address::below(&self.graph_base, parts)
    }

    /// `authorize` or `token` of the v2.0 endpoint.
    pub(super) fn oauth(&self, what: &str) -> Url {
        // The tenant was checked when it was read, so its address is one.
        let parts = [self.tenant.as_str(), "oauth2", "v2.0", what];
        address::below(&self.authority, &parts).unwrap_or_else(|| self.authority.clone())
    }

    /// Whether a link from an answer leads to Graph as configured. A token is sent nowhere else (microsoft.md §2).
    pub(super) fn is_ours(&self, link: &Url) -> bool {
        let base = &self.graph_base;
        let path = base.path().trim_end_matches('/');
        let below = link.path().strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        link.origin() == base.origin() && link.username().is_empty() && link.password().is_none() && below
    }
}

fn fixed(url: &str) -> Url {
    Url::parse(url).expect("a constant of this file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MicrosoftConfig {
        MicrosoftConfig::new("id", Secret::new("hunter2"))
    }

    #[test]
    fn tenants() {
        let table = [
            ("common", Some(Tenant::Common)),
            (" Organizations ", Some(Tenant::Organizations)),
            ("consumers", Some(Tenant::Consumers)),
            ("contoso.example.com", Some(Tenant::One("contoso.example.com".into()))),
            (
                "11111111-2222-3333-4444-555555555555",
                Some(Tenant::One("11111111-2222-3333-4444-555555555555".into())),
            ),
            ("", None),
            ("..", None),
            ("a/b", None),
            ("a?b", None),
            ("x y", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Tenant>().ok(), expected, "{text}");
        }
        let one = MicrosoftConfig { tenant: "contoso.example.com".parse().unwrap(), ..config() };
        assert_eq!(
            one.oauth("token").as_str(),
            "https://login.microsoftonline.com/contoso.example.com/oauth2/v2.0/token"
        );
    }

    #[test]
    fn ids_stay_one_segment_and_keep_their_case() {
        let url = config().graph(&["me", "events", "AAMk/b+c=", "instances"]).unwrap();
        assert_eq!(url.as_str(), "https://graph.microsoft.com/v1.0/me/events/AAMk%2Fb%2Bc%3D/instances");
        assert_eq!(config().graph(&["me", "events", ".."]), None);
        assert!(!format!("{:?}", config()).contains("hunter2"));
    }

    #[test]
    fn links_that_lead_elsewhere_are_not_followed() {
        let table = [
            ("https://graph.microsoft.com/v1.0/me/calendars('A')/calendarView/delta?$skiptoken=x", true),
            ("https://graph.microsoft.com/v1.0", false),
            ("https://graph.microsoft.com/beta/me/events", false),
            ("https://graph.microsoft.com/v1.0evil/me", false),
            ("http://graph.microsoft.com/v1.0/me", false),
            ("https://graph.microsoft.com:8443/v1.0/me", false),
            ("https://graph.microsoft.com.example.com/v1.0/me", false),
            ("https://graph.microsoft.com@example.com/v1.0/me", false),
            ("https://user@graph.microsoft.com/v1.0/me", false),
            ("https://example.com/v1.0/me", false),
        ];
        for (link, expected) in table {
            assert_eq!(config().is_ours(&link.parse().unwrap()), expected, "{link}");
        }
    }
}
