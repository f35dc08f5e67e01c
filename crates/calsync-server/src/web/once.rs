//! What is shown once and never again, such as a token that was just made. It goes from the answer to a form to the page after it in
//! a cookie of the person's own browser: sealed, for that person alone, and forgotten as soon as a page has shown it. So a reload
//! makes nothing anew, and neither an address nor the store ever holds it.

use axum::http::HeaderMap;
use axum::response::Response;
use calsync_core::ids::UserId;
use calsync_core::time::Ts;
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::answer::{self, Answer};
use super::cookie::Cookie;
use super::origin::Origin;
use super::session::Signed;
use crate::secrets::{Keyring, Place};
use crate::service::Service;
use crate::system::SystemRandom;

/// A browser that never opens the page that was to show it forgets it.
const LIFE: SignedDuration = SignedDuration::from_mins(1);

/// What is shown once. It prints as nothing: it is a secret.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Once {
    /// An access token.
    Token(String),
    /// The path of a link to choose a password, and whom it is for.
    Invitation {
        /// Whom for.
        email: String,
        /// The path.
        path: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Kept {
    user: UserId,
    until: Ts,
    once: Once,
}

/// On to the page that shows it.
pub(super) fn on_to(
    path: &str,
    once: Once,
    (service, origin): (&Service, &Origin),
    signed: &Signed,
) -> Answer {
    let mut response = answer::on_to(path);
    let value =
        seal(&service.ring, Kept { user: signed.user.id, until: service.clock.now().plus(LIFE), once });
    Cookie::Once.set(&mut response, origin, &value, LIFE);
    Ok(response)
}

/// What this browser was sent here to show to whoever is signed in.
pub(super) fn of(
    headers: &HeaderMap,
    (service, origin): (&Service, &Origin),
    signed: &Signed,
) -> Option<Once> {
    let value = Cookie::Once.of(headers, origin)?;
    open(&service.ring, value.expose(), signed.user.id, service.clock.now())
}

/// It is shown: the browser forgets it.
pub(super) fn shown(mut response: Response, origin: &Origin) -> Response {
    Cookie::Once.forget(&mut response, origin);
    response
}

fn seal(ring: &Keyring, kept: Kept) -> String {
    let plain = serde_json::to_vec(&kept).unwrap_or_default();
    BASE64URL_NOPAD.encode(&ring.seal(&place(), &plain, &SystemRandom))
}

fn open(ring: &Keyring, value: &str, user: UserId, now: Ts) -> Option<Once> {
    let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
    let plain = ring.open(&place(), &sealed).ok()?;
    let kept: Kept = serde_json::from_slice(&plain).ok()?;
    (kept.user == user && now < kept.until).then_some(kept.once)
}

fn place() -> Place {
    Place { table: "cookie", column: "once", row: "shown".to_owned() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secrets::SealingKey;

    #[test]
    fn it_is_for_one_person_for_a_while_and_says_nothing_by_itself() {
        let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
        let (ada, eve, now) =
            (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)), Ts::from_secs(1_000_000));
        let kept = || Kept { user: ada, until: now.plus(LIFE), once: Once::Token("a-token".to_owned()) };
        let value = seal(&ring, kept());
        assert!(!value.contains("token") && value.len() < 4_000);
        assert!(open(&ring, &value, ada, now) == Some(Once::Token("a-token".to_owned())));
        assert!(open(&ring, &value, eve, now).is_none(), "somebody else's");
        assert!(open(&ring, &value, ada, now.plus(LIFE)).is_none(), "too late");
        let other = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
        assert!(open(&other, &value, ada, now).is_none() && open(&ring, "x", ada, now).is_none());
    }
}
