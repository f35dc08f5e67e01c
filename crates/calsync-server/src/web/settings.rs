//! A person's own settings: password, browsers, access tokens.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use calsync_core::ids::AccessTokenId;
use calsync_core::ports::IdGen;
use calsync_core::secret::Secret;
use calsync_core::sign_in::{AccessToken, Session, TokenHash};
use calsync_core::time::Ts;
use calsync_pages::Notice;
use calsync_pages::settings::{Browser, Settings, Token};
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::once::{self, Once};
use super::origin::Origin;
use super::password::{self, AT_LEAST};
use super::session::{self, Signed};
use super::times;
use crate::api::TOKEN_PREFIX;
use crate::http::{ApiError, ClientAddr, Subject, Verdict};
use crate::service::Service;
use crate::system::SystemRandom;

/// Most access tokens of one person.
const TOKENS_MAX: usize = 20;
/// Longest name of one, in characters.
const NAME_MAX: usize = 100;

/// `GET /settings`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    origin: Origin,
    headers: HeaderMap,
    signed: Signed,
) -> Answer {
    match once::of(&headers, (&service, &origin), &signed) {
        Some(Once::Token(token)) => Ok(once::shown(page(&service, &signed, Some(token)).await?, &origin)),
        _ => page(&service, &signed, None).await,
    }
}

async fn page(service: &Service, signed: &Signed, fresh: Option<String>) -> Answer {
    let store = &service.store;
    let (sessions, tokens, known) = tokio::try_join!(
        store.sessions(signed.user.id),
        store.access_tokens(signed.user.id),
        store.password(&signed.user.email)
    )
    .map_err(answer::store)?;
    let times = times::of(service, signed).await;
    let browser = |one: Session| Browser {
        this: one.key == signed.session.key,
        seen: times.when(last_used(&one, &signed.session, times.now)),
        since: times.when(one.created_at),
        name: one.device,
    };
    let token = |one: AccessToken| Token {
        id: one.id.to_string(),
        name: one.name,
        since: times.when(one.created_at),
        used: times.when_or(one.used_at, "never"),
    };
    answer::page(&Settings {
        frame: signed.frame_aside(),
        at_least: AT_LEAST,
        has_password: known.is_some_and(|(_, hash)| hash.is_some()),
        sessions: sessions.into_iter().map(browser).collect(),
        tokens: tokens.into_iter().map(token).collect(),
        fresh,
    })
}

/// When a session was last used. That is written down now and then; that the present one is used now is certain.
fn last_used(one: &Session, present: &Session, now: Ts) -> Ts {
    if one.key == present.key { now } else { one.seen_at }
}

#[derive(Deserialize)]
pub(super) struct Change {
    present: Option<Secret>,
    password: Secret,
}

/// `POST /settings/password`.
pub(super) async fn change_password(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    signed: Signed,
    Form(change): Form<Change>,
) -> Answer {
    let now = service.clock.now();
    let name = Subject::named(&signed.user.email);
    if let Verdict::Refuse { retry_after } = service.sign_ins.verdict(name, now).await {
        return Err(ApiError::rate_limited(retry_after));
    }
    let known = service.store.password(&signed.user.email).await.map_err(answer::store)?;
    if let Some(hash) = known.and_then(|(_, hash)| hash) {
        let present = change.present.unwrap_or_else(|| Secret::new(""));
        if !service.passwords.is(present, Some(hash)).await? {
            for subject in [Subject::from(client), name] {
                service.sign_ins.failed(subject, now).await;
            }
            return back(&Notice::bad("This is not your present password. Nothing was changed."));
        }
    }
    if let Some(problem) = password::problem(&change.password, &signed.user.email) {
        return back(&Notice::bad(format!("Nothing was changed: {problem}.")));
    }
    let hash = service.passwords.hash(change.password).await?;
    service
        .store
        .set_password(signed.user.id, &hash, Some(&signed.session.key))
        .await
        .map_err(answer::store)?;
    service.store.audit(&signed.user.email, "changed their password", now).await.map_err(answer::store)?;
    back(&Notice::good("Your password is changed, and your other browsers are signed out."))
}

/// `POST /settings/sign-out-everywhere`: here too.
pub(super) async fn sign_out_everywhere(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Signed,
) -> Answer {
    service.store.end_sessions(signed.user.id, None).await.map_err(answer::store)?;
    let said = answer::on_to_saying("/sign-in", &Notice::good("You are signed out everywhere."));
    Ok(session::forget(said, &origin))
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    name: String,
}

/// `POST /settings/tokens`: the page after it shows the token, once.
pub(super) async fn make_token(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Signed,
    Form(new): Form<NewToken>,
) -> Answer {
    let name: String = new.name.trim().chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    if name.is_empty() {
        return back(&Notice::bad("Give the token a name by which you know it again."));
    }
    let present = service.store.access_tokens(signed.user.id).await.map_err(answer::store)?;
    if present.len() >= TOKENS_MAX {
        return back(&Notice::bad(format!("You have {TOKENS_MAX} access tokens already: remove one first.")));
    }
    let now = service.clock.now();
    let shown = Secret::new(format!("{TOKEN_PREFIX}{}", SystemRandom.token().expose()));
    let token = AccessToken {
        id: AccessTokenId(SystemRandom.uuid(now)),
        user: signed.user.id,
        name,
        key: TokenHash::of(&shown),
        created_at: now,
        used_at: None,
    };
    service.store.put_access_token(&token).await.map_err(answer::store)?;
    service.store.audit(&signed.user.email, "made an access token", now).await.map_err(answer::store)?;
    let once = Once::Token(shown.expose().to_owned());
    once::on_to("/settings", once, (&service, &origin), &signed)
}

/// `POST /settings/tokens/{id}/remove`.
pub(super) async fn remove_token(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    if !service.store.remove_access_token(signed.user.id, AccessTokenId(id)).await.map_err(answer::store)? {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such token any more"));
    }
    let now = service.clock.now();
    service.store.audit(&signed.user.email, "removed an access token", now).await.map_err(answer::store)?;
    back(&Notice::good("The token is removed: whoever uses it is let in no more."))
}

fn back(notice: &Notice) -> Answer {
    Ok(answer::on_to_saying("/settings", notice))
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::UserId;

    use super::*;

    #[test]
    fn the_present_browser_is_used_now() {
        let session = |token: &str| Session {
            key: TokenHash::of(&Secret::new(token)),
            user: UserId(Uuid::nil()),
            device: "a browser".to_owned(),
            created_at: Ts::from_secs(0),
            seen_at: Ts::from_secs(100),
        };
        let (present, now) = (session("this"), Ts::from_secs(580));
        assert_eq!(last_used(&session("this"), &present, now), now);
        assert_eq!(last_used(&session("other"), &present, now), Ts::from_secs(100));
    }
}
