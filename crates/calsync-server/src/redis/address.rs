//! Where Redis is: `redis.url`, understood. The URL may hold a password, so it is a secret: only scheme, host, port and
//! database are ever shown.

use std::fmt;

use calsync_core::secret::Secret;
use url::Url;

/// The port where none is given.
const PORT: u16 = 6379;

/// A URL of Redis that was understood. Prints without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Secret,
    shown: String,
}

impl Address {
    /// What is allowed, for the documentation and for errors.
    pub const ALLOWED: &str = "a URL such as `redis://:PASSWORD@127.0.0.1:6379/0`, or `rediss://…` for TLS, with special \
                               characters of user and password percent-encoded";

    /// Understands it. `None` is for a text that is no URL of Redis, or that asks for more than we do: certificates
    /// that are not checked (`#insecure`), another protocol (`?protocol=…`), a cluster.
    pub fn parse(text: &str) -> Option<Address> {
        let url = Url::parse(text).ok()?;
        let database = url.path().trim_start_matches('/');
        let plain = matches!(url.scheme(), "redis" | "rediss")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
            && url.fragment().is_none()
            && (database.is_empty() || database.parse::<u16>().is_ok());
        // The client's own reading comes last: it also decodes user and password.
        if !plain || ::redis::Client::open(text).is_err() {
            return None;
        }
        let shown = format!(
            "{}://{}:{}/{database}",
            url.scheme(),
            url.host_str().unwrap_or_default(),
            url.port().unwrap_or(PORT)
        );
        Some(Address { url: Secret::new(text), shown: shown.trim_end_matches('/').to_owned() })
    }

    /// A client of it, which has connected to nothing yet.
    pub(super) fn client(&self) -> ::redis::Client {
        ::redis::Client::open(self.url.expose())
            .expect("an address holds a URL that the client has understood")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_user_and_password() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://localhost:7000/3", "redis://localhost:7000/3"),
            ("redis://:hunter2@[::1]:7000/", "redis://[::1]:7000"),
            ("rediss://ada:hunter2@redis.example.com", "rediss://redis.example.com:6379"),
            ("rediss://ada:hunter2%2F%40@redis.example.com/0", "rediss://redis.example.com:6379/0"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(
                (address.to_string().as_str(), format!("{address:?}").as_str()),
                (shown, shown),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_redis_or_asks_for_less_than_safety_is_refused() {
        for url in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1:6379",
            "redis:127.0.0.1",
            "redis://",
            "redis:///0",
            "redis://0.0.0.0",
            "redis://host:99999",
            "redis://host/abc",
            "redis://host/-1",
            "redis://host/0/1",
            "redis://host?protocol=resp3",
            "rediss://host#insecure",
            "redis://:%ff@host",
            "unix:///run/redis.sock",
            "redis-cluster://host",
        ] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
