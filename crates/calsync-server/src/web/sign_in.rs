//! Signing in with a password, and out. Failures are counted by client address and by name; neither tells whether the name is
//! known.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};

use axum::Extension;
use calsync_core::secret::Secret;
use calsync_pages::Frame;
use calsync_pages::sign_in::SignIn;
use serde::Deserialize;

use super::answer::{self, Answer};
use super::origin::Origin;
use super::session::{self, Signed};
use super::{notice, people};
use crate::http::{ApiError, ClientAddr, Params, Subject, Verdict};
use crate::service::Service;

#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// `GET /sign-in`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    origin: Origin,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let next = ours(wanted.next.as_deref());
    if Signed::of(&headers, &origin, &service).await?.is_some() {
        return Ok(answer::on_to(&next));
    }
    if people::is_nobody_here(&service).await? {
        let message = "nobody uses this service yet: open the link that `calendar-sync serve` printed when it started. If that is gone, or \
             older than a day, start it again: it prints a new one";
        return Err(ApiError::new(StatusCode::CONFLICT, answer::NO_USERS, message));
    }
    let frame = Frame { notice: notice::of(&headers, &origin), ..Frame::default() };
    answer::page(&SignIn { frame, email: String::new(), next, error: None, elsewhere: elsewhere(&service) })
}

#[derive(Deserialize)]
pub(super) struct Given {
    email: String,
    password: Secret,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`.
pub(super) async fn enter(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    origin: Origin,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Answer {
    let (email, next) = (given.email.trim().to_lowercase(), ours(Some(&given.next)));
    let now = service.clock.now();
    let (by_address, by_name) = (Subject::from(client), Subject::named(&email));
    for subject in [by_address, by_name] {
        // Before anything is hashed: that is what an attacker would make us do.
        if let Verdict::Refuse { retry_after } = service.sign_ins.verdict(subject, now).await {
            return Err(ApiError::rate_limited(retry_after));
        }
    }
    let (user, hash) = service.store.password(&email).await.map_err(answer::store)?.unzip();
    if service.passwords.is(given.password, hash.flatten()).await?
        && let Some(user) = user
    {
        tracing::info!(user = %user.id, "signed in");
        return session::begin(&service, user.id, &headers, &origin, answer::on_to(&next)).await;
    }
    for subject in [by_address, by_name] {
        if let Verdict::Refuse { retry_after } = service.sign_ins.failed(subject, now).await {
            return Err(ApiError::rate_limited(retry_after));
        }
    }
    tracing::info!(client = %client.0, "a sign-in failed");
    let error = Some("This address and password do not belong together.".to_owned());
    let (frame, elsewhere) = (Frame::default(), elsewhere(&service));
    let page = SignIn { frame, email: given.email, next, error, elsewhere };
    answer::written(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /sign-out`.
pub(super) async fn leave(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Option<Signed>,
) -> Answer {
    if let Some(signed) = signed {
        service.watchers.forget(&signed.session.key);
        service.store.end_session(&signed.session.key).await.map_err(answer::store)?;
    }
    let said = answer::on_to_saying("/sign-in", &calsync_pages::Notice::good("You are signed out."));
    Ok(session::forget(said, &origin))
}

/// What the organisation's own sign-in is called, where there is one.
fn elsewhere(service: &Service) -> Option<String> {
    service.oidc.as_ref().map(|oidc| oidc.name().to_owned())
}

/// Where to go on: a path of ours, and nobody else's.
pub(super) fn ours(next: Option<&str>) -> String {
    let next = next.unwrap_or("/");
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(|c: char| c.is_control() || c.is_whitespace());
    if is_ours { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_to() {
        for path in ["/", "/week?from=2026-11-23", "/rules#a"] {
            assert_eq!(ours(Some(path)), path);
        }
        for foreign in [
            "",
            "https://example.com/",
            "//example.com",
            "/\\example.com",
            "\\\\x",
            "javascript:x",
            "/\nx",
            "/ x",
        ] {
            assert_eq!(ours(Some(foreign)), "/", "{foreign}");
        }
    }
}
