//! Where the browser believes to be, as far as it can be trusted with a password: by https at our public address or behind a
//! trusted proxy, or on the machine itself. Pure but for reading headers.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use url::Url;

use crate::http::{ApiError, Scheme};

/// A place that a session may live at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// By https, at this host and port.
    Secure(String),
    /// By plain HTTP, over the machine's own network alone, at this host and port: also through a tunnel.
    Loopback(String),
}

impl Origin {
    /// Of a request to `host` by this scheme.
    pub(super) fn of(scheme: Scheme, host: &str) -> Option<Origin> {
        let url = Url::parse(&format!("http://{host}/")).ok()?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.path() != "/"
            || url.query().is_some()
        {
            return None;
        }
        let is_loopback = match url.host()? {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        match scheme {
            Scheme::Https => Some(Origin::Secure(host.to_owned())),
            Scheme::Http if is_loopback => Some(Origin::Loopback(host.to_owned())),
            Scheme::Http => None,
        }
    }

    /// The address of a path here.
    pub(super) fn url(&self, path: &str) -> String {
        match self {
            Origin::Secure(host) => format!("https://{host}{path}"),
            Origin::Loopback(host) => format!("http://{host}{path}"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Origin, ApiError> {
        let scheme = parts.extensions.get::<Scheme>().copied().unwrap_or(Scheme::Http);
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let refused = "passwords do not cross a network in clear: open this page by https (behind a proxy that is named in \
            server.trusted_proxies), or on the machine itself, for example through ssh -L 8080:localhost:8080";
        Origin::of(scheme, host)
            .ok_or_else(|| ApiError::new(StatusCode::FORBIDDEN, "https_required", refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_by_https_or_on_the_machine_itself() {
        let table = [
            (Scheme::Https, "calendars.example.com", Some("https://calendars.example.com/x")),
            (Scheme::Http, "calendars.example.com", None),
            (Scheme::Http, "localhost:8080", Some("http://localhost:8080/x")),
            (Scheme::Http, "127.0.0.1:8080", Some("http://127.0.0.1:8080/x")),
            (Scheme::Http, "[::1]:8080", Some("http://[::1]:8080/x")),
            (Scheme::Http, "192.0.2.7:8080", None),
            (Scheme::Http, "localhost.example.com", None),
            (Scheme::Http, "me@localhost", None),
            (Scheme::Http, "localhost/evil", None),
            (Scheme::Https, "", None),
        ];
        for (scheme, host, url) in table {
            assert_eq!(Origin::of(scheme, host).map(|origin| origin.url("/x")).as_deref(), url, "{host}");
        }
    }
}
