//! The cookies of ours: only this program reads them, no other site's request that changes anything brings them, and by https
//! they bear the prefix under which no other host, and nobody in between, can set them. What is in one is
//! treated as a secret.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use calsync_core::secret::Secret;
use jiff::SignedDuration;

use super::origin::Origin;

/// Which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cookie {
    /// Of a browser that has signed in.
    Session,
    /// Of one that is away at the organisation's own sign-in.
    SignIn,
    /// What the next page says first.
    Notice,
    /// What the next page shows once.
    Once,
}

impl Cookie {
    fn name(self, origin: &Origin) -> &'static str {
        match (self, origin) {
            (Cookie::Session, Origin::Secure(_)) => "__Host-session",
            (Cookie::Session, Origin::Loopback(_)) => "session",
            (Cookie::SignIn, Origin::Secure(_)) => "__Host-sign-in",
            (Cookie::SignIn, Origin::Loopback(_)) => "sign-in",
            (Cookie::Notice, Origin::Secure(_)) => "__Host-notice",
            (Cookie::Notice, Origin::Loopback(_)) => "notice",
            (Cookie::Once, Origin::Secure(_)) => "__Host-once",
            (Cookie::Once, Origin::Loopback(_)) => "once",
        }
    }

    /// What a browser that is there shows.
    pub(super) fn of(self, headers: &HeaderMap, origin: &Origin) -> Option<Secret> {
        find(headers, self.name(origin))
    }

    /// The browser keeps this, so long.
    pub(super) fn set(self, response: &mut Response, origin: &Origin, value: &str, life: SignedDuration) {
        let secure = if matches!(origin, Origin::Secure(_)) { "; Secure" } else { "" };
        let (name, seconds) = (self.name(origin), life.as_secs());
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(mut value) = HeaderValue::try_from(text) {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }

    /// The browser forgets it.
    pub(super) fn forget(self, response: &mut Response, origin: &Origin) {
        self.set(response, origin, "", SignedDuration::ZERO);
    }
}

fn find(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| Secret::new(value))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xsession=2;session=abc ; b"));
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-session=def"));
        let found = |name: &str| find(&headers, name).map(|token| token.expose().to_owned());
        assert_eq!(found("session").as_deref(), Some("abc"));
        assert_eq!(found("__Host-session").as_deref(), Some("def"));
        assert_eq!(found("c"), None);
    }

    #[test]
    fn a_cookie_goes_to_nobody_else() {
        let mut response = ().into_response();
        Cookie::SignIn.set(
            &mut response,
            &Origin::Secure("sync.example.com".to_owned()),
            "x",
            SignedDuration::from_mins(15),
        );
        Cookie::Session.forget(&mut response, &Origin::Loopback("localhost:8080".to_owned()));
        let set: Vec<&str> =
            response.headers().get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(
            set,
            [
                "__Host-sign-in=x; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure",
                "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
            ]
        );
    }
}
