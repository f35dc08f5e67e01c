//! Where Google is and who we are to it. All of it can be changed, for tests and for the simulator.

use std::time::Duration;

use calsync_core::secret::Secret;
use url::Url;

use crate::address;
use crate::budget::Limits;

/// Queries that Google allows a project in a minute (google.md §9).
pub const PROJECT_PER_MINUTE: u32 = 10_000;

/// Google, as this process knows it.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// Id of our OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Where people are sent to give their consent.
    pub auth_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Where grants are given back.
    pub revoke_url: Url,
    /// Who the person is.
    pub userinfo_url: Url,
    /// The Calendar API, up to and including its version.
    pub api_base: Url,
    /// Events asked for per page; at most 2500 (google.md §4). Part of a cursor's parameters: changing it costs each
    /// calendar one full listing.
    pub page_size: u16,
    /// The longest time one HTTP exchange may take.
    pub timeout: Duration,
    /// The largest answer taken, in bytes.
    pub body_limit: usize,
    /// How fast we may call.
    pub limits: Limits,
}

impl GoogleConfig {
    /// Google itself, with its published limits (google.md §1 and §9).
    pub fn new(client_id: impl Into<String>, client_secret: Secret) -> GoogleConfig {
        GoogleConfig {
            client_id: client_id.into(),
            client_secret,
            auth_url: fixed("https://accounts.google.com/o/oauth2/v2/auth"),
            token_url: fixed("https://oauth2.googleapis.com/token"),
            revoke_url: fixed("https://oauth2.googleapis.com/revoke"),
            userinfo_url: fixed("https://openidconnect.googleapis.com/v1/userinfo"),
            api_base: fixed("https://www.googleapis.com/calendar/v3/"),
            // Google would give 2,500; of meetings with long lists of guests those may be more than `body_limit`.
            page_size: 500,
            timeout: Duration::from_secs(30),
            body_limit: 32 * 1024 * 1024,
            limits: Limits {
                per_user: 600,
                per_project: PROJECT_PER_MINUTE,
                // Google publishes no number (google.md §9, "operational"). Four a second lets a backfill of a
                // quarter's blocks through in minutes and is what other clients report as safe.
                per_calendar_writes: 240,
                concurrent: 4,
                max_wait: Duration::from_secs(4),
            },
        }
    }

    /// A method of the Calendar API. Each part is one path segment: calendar ids carry `@` and `#`, and `primary` is
    /// an alias (google.md §1). `None` for a part that no id can be.
    pub(super) fn api(&self, parts: &[&str]) -> Option<Url> {
        let mut url = address::below(&self.api_base, parts)?;
        url.query_pairs_mut().append_pair("prettyPrint", "false");
        Some(url)
    }
}

fn fixed(url: &str) -> Url {
    Url::parse(url).expect("a constant of this file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_one_segment() {
        let config = GoogleConfig::new("id", Secret::new("hunter2"));
        let url = |id: &str| config.api(&["calendars", id, "events"]).map(|u| u.to_string());
        let table = [
            ("primary", "primary"),
            ("ann@example.com", "ann%40example.com"),
            (
                "en.austrian#holiday@group.v.calendar.google.com",
                "en.austrian%23holiday%40group.v.calendar.google.com",
            ),
            ("a/../b?c%2F", "a%2F..%2Fb%3Fc%252F"),
            ("ü", "%C3%BC"),
        ];
        for (id, part) in table {
            let expected =
                format!("https://www.googleapis.com/calendar/v3/calendars/{part}/events?prettyPrint=false");
            assert_eq!(url(id), Some(expected), "{id}");
        }
        for id in ["", ".", ".."] {
            assert_eq!(url(id), None, "{id:?}");
        }
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
