//! Signing in at the organisation's own provider: there and back, and who is let in. What comes back counts for the browser
//! that was sent, once, and within a quarter of an hour. Nobody is added by it: whoever is not known here is told whom to ask.
//! Passwords go on working beside it, also while the provider is away.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use calsync_core::calendar::User;
use calsync_core::secret::Secret;
use calsync_core::sign_in::elsewhere::{Begun, Entry, Identity, Unknown};
use calsync_core::sign_in::{CONSENT_LIFE, NotOurs};
use calsync_pages::Notice;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::answer::{self, Answer};
use super::cookie::Cookie;
use super::origin::Origin;
use super::session::{self, Signed};
use super::sign_in::ours;
use crate::email;
use crate::http::{ApiError, ClientAddr, Params, Subject, Verdict};
use crate::oidc::{self, Oidc, Trouble};
use crate::secrets::Place;
use crate::service::Service;
use crate::system::SystemRandom;

/// Where the provider sends people back to: to be registered there, to the letter.
pub(crate) const CALLBACK: &str = "/oauth/sign-in/callback";
/// Longest path that is gone on to: it rides in a cookie, and browsers keep none that is longer than 4 KiB.
const NEXT_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// `GET /sign-in/elsewhere`: on to the provider's page.
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Option<Signed>,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let oidc = service.oidc.as_ref().ok_or_else(ApiError::not_found)?;
    let next = ours(wanted.next.as_deref().filter(|next| next.len() <= NEXT_MAX));
    if signed.is_some() {
        return Ok(answer::on_to(&next));
    }
    match oidc.begin(&origin.url(CALLBACK), next.clone(), &SystemRandom, &*service.clock).await {
        Ok((url, begun)) => {
            let mut response = answer::on_to(url.as_str());
            let plain = serde_json::to_vec(&begun).unwrap_or_default();
            let sealed = service.ring.seal(&place(oidc), &plain, &SystemRandom);
            Cookie::SignIn.set(&mut response, &origin, &BASE64URL_NOPAD.encode(&sealed), CONSENT_LIFE);
            Ok(response)
        }
        Err(trouble) => Ok(back(oidc, &next, &trouble)),
    }
}

/// What the provider's page sends back.
#[derive(Deserialize)]
pub(super) struct Back {
    state: Option<Secret>,
    code: Option<Secret>,
    iss: Option<String>,
    error: Option<String>,
}

/// `GET /oauth/sign-in/callback`.
pub(super) async fn come_back(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    origin: Origin,
    headers: HeaderMap,
    Params(answer): Params<Back>,
) -> Answer {
    let oidc = service.oidc.as_ref().ok_or_else(ApiError::not_found)?;
    let client = Subject::from(client);
    if let Verdict::Refuse { retry_after } = service.sign_ins.verdict(client, service.clock.now()).await {
        return Err(ApiError::rate_limited(retry_after));
    }
    let begun = begun(&service, oidc, &origin, &headers, answer.state.as_ref()).await?;
    let found = who(&service, oidc, &origin, &answer, &begun).await;
    if let Err(No::Unknown(_) | No::Trouble(Trouble::Refused(_))) = &found {
        // Whoever comes again and again costs the provider, and a row here, each time.
        service.sign_ins.failed(client, service.clock.now()).await;
    }
    let mut response = match found {
        Ok(user) => {
            tracing::info!(user = %user.id, "signed in at the organisation's provider");
            session::begin(&service, user.id, &headers, &origin, answer::on_to(&begun.next)).await?
        }
        Err(No::Trouble(trouble)) => back(oidc, &begun.next, &trouble),
        Err(No::Unknown(unknown)) => return Err(stranger(oidc.name(), &unknown)),
        Err(No::Store(error)) => return Err(error),
    };
    Cookie::SignIn.forget(&mut response, &origin);
    Ok(response)
}

/// The sign-in that this answers; it is answered by that, whatever comes of it.
async fn begun(
    service: &Service,
    oidc: &Oidc,
    origin: &Origin,
    headers: &HeaderMap,
    state: Option<&Secret>,
) -> Result<Begun, ApiError> {
    let refused =
        |why: NotOurs| ApiError::new(StatusCode::FORBIDDEN, "not_ours", format!("{why}: sign in once more"));
    let kept = Cookie::SignIn.of(headers, origin);
    let begun =
        kept.and_then(|kept| opened(service, oidc, &kept)).ok_or_else(|| refused(NotOurs::Unknown))?;
    let state = state.ok_or_else(|| refused(NotOurs::Unknown))?;
    begun.answered_by(state, service.clock.now()).map_err(refused)?;
    // A browser may bring a cookie again that it was told to forget.
    let first = service.store.spend_sign_in(&begun.key(), begun.begun_at).await.map_err(answer::store)?;
    if first { Ok(begun) } else { Err(refused(NotOurs::Unknown)) }
}

fn opened(service: &Service, oidc: &Oidc, kept: &Secret) -> Option<Begun> {
    let sealed = BASE64URL_NOPAD.decode(kept.expose().as_bytes()).ok()?;
    let plain = service.ring.open(&place(oidc), &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Why nobody is signed in.
enum No {
    Trouble(Trouble),
    Unknown(Unknown),
    Store(ApiError),
}

impl From<Trouble> for No {
    fn from(trouble: Trouble) -> No {
        No::Trouble(trouble)
    }
}

/// Who it is, by the word of the provider, among those who are known here.
async fn who(
    service: &Service,
    oidc: &Oidc,
    origin: &Origin,
    answer: &Back,
    begun: &Begun,
) -> Result<User, No> {
    let code = match (&answer.code, &answer.error) {
        (_, Some(error)) => return Err(oidc::refused(error).into()),
        (Some(code), None) => code,
        (None, None) => return Err(Trouble::Refused("it sent neither a code nor a reason".to_owned()).into()),
    };
    let redirect_uri = origin.url(CALLBACK);
    let brought = oidc::Answer { code, issuer: answer.iss.as_deref(), redirect_uri: &redirect_uri };
    let arrived = oidc.finish(&brought, begun, &*service.clock).await?;
    let store = |error| No::Store(answer::store(error));
    let subject = arrived.person.subject.clone();
    let known = service.store.identified(oidc.issuer(), &subject).await.map_err(store)?;
    let person = if known.is_some() { arrived.person } else { oidc.with_address(arrived).await? };
    let address = match Entry::of(&person, known) {
        Entry::Known(user) => return Ok(user),
        Entry::Nobody(unknown) => return Err(No::Unknown(unknown)),
        Entry::ByAddress(address) => address,
    };
    let found = match email::parse(&address) {
        Ok(address) => service.store.password(&address).await.map_err(store)?,
        Err(_) => None,
    };
    let Some((user, _)) = found else { return Err(No::Unknown(Unknown::Stranger(address))) };
    let since = service.clock.now();
    let identity = Identity { user: user.id, issuer: oidc.issuer().to_owned(), subject, since };
    if !service.store.identify(&identity).await.map_err(store)? {
        return Err(No::Unknown(Unknown::Taken(address)));
    }
    let what = format!("signed in at {} for the first time", oidc.name());
    service.store.audit(&user.email, &what, since).await.map_err(store)?;
    Ok(user)
}

/// To the page for signing in, which has the form for passwords. What is wrong in detail is for the log: a visitor could do
/// nothing about it.
fn back(oidc: &Oidc, next: &str, trouble: &Trouble) -> Response {
    let name = oidc.name();
    let text = match trouble {
        Trouble::Away(_) => {
            tracing::warn!(%trouble, "the organisation's provider cannot be used for signing in");
            format!("{name} does not answer just now. Try again in a moment, or sign in with your password.")
        }
        Trouble::SetUp(_) => {
            tracing::error!(%trouble, "the organisation's provider cannot be used for signing in");
            format!(
                "Signing in with {name} is not set up right: whoever runs this service finds the reason in its log, and by `calendar-sync doctor`. Until then, sign in with your password."
            )
        }
        Trouble::Refused(_) => {
            tracing::info!(%trouble, "a sign-in at the organisation's provider came to nothing");
            format!(
                "{name} did not sign you in, or it took too long. Try again, or sign in with your password."
            )
        }
    };
    answer::on_to_saying(&session::sign_in(next), &Notice::bad(text))
}

/// Somebody who proved who they are, and whom nobody here knows.
fn stranger(name: &str, unknown: &Unknown) -> ApiError {
    tracing::info!("somebody whom the organisation's provider knows is nobody here");
    let message = match unknown {
        Unknown::Stranger(email) => format!(
            "{name} knows you as {email}, and nobody here has that address: ask the staff of this service to add you, then sign in again"
        ),
        Unknown::Unverified(email) => format!(
            "{name} does not say that the address {email} is verified, so it may be anybody's: have it verified there, or ask the staff of this service for a link to choose a password"
        ),
        Unknown::NoAddress => format!(
            "{name} tells no e-mail address of yours: the staff of this service must let its client there have the scope email"
        ),
        Unknown::Taken(email) => format!(
            "{email} has signed in here as somebody else of {name}: if you have a new identity there, ask the staff of this service for `calendar-sync users unlink {email}`"
        ),
    };
    ApiError::new(StatusCode::FORBIDDEN, "unknown_person", message)
}

/// Sealed for this provider alone: one that was changed meanwhile answers for nothing that was begun before.
fn place(oidc: &Oidc) -> Place {
    Place { table: "cookie", column: "sign_in", row: oidc.issuer().to_owned() }
}
