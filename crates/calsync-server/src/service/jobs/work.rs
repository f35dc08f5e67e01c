//! What the jobs do. Each can be broken off at any point and done again; neither knows when it runs.

use calsync_core::health::Response;
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::StoreError;
use calsync_core::retention::RETENTION_DAYS;
use calsync_core::sign_in::{CONSENT_LIFE, SESSION_IDLE, SESSION_LIFE};
use calsync_engine::{EngineError, Maintenance};
use futures_util::stream::{self, StreamExt as _};
use jiff::SignedDuration;

use super::once::CLOCKS_DIFFER;
use crate::doctor::daily;
use crate::service::Service;
use crate::service::cleanup::{self, Cleanup};

/// Opens push channels, replaces those that end soon.
pub(super) async fn maintain(service: &Service) -> Result<Maintenance, EngineError> {
    service.engine.maintain_subscriptions().await
}

/// Does what is owed to the level in force.
pub(super) async fn respond(service: &Service) -> Result<Vec<Response>, EngineError> {
    let done = service.engine.respond(service.settings.responses).await?;
    if done.contains(&Response::Maintain) {
        service.tend.notify_one();
    }
    service.wake_all();
    Ok(done)
}

/// How often each account is asked.
const ASKED_APART: SignedDuration = SignedDuration::from_hours(6);
/// Accounts fetched at once, and asked at once.
const ASKED_PAGE: u32 = 64;
const ASKED_AT_ONCE: usize = 8;
/// A round ends after so long; the next one goes on.
const ASKING_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What became of a round of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Discovery {
    /// Accounts that told of their calendars.
    listed: u32,
    /// Accounts that did not.
    failed: u32,
}

/// Asks the accounts whose turn it is for their calendars: new ones appear (switched off), missing ones are marked. Who is asked is
/// written down first: a round that is broken off goes on where it was, and nobody's trouble keeps the others waiting.
pub(super) async fn discover(service: &Service) -> Result<Discovery, EngineError> {
    let began = service.clock.now();
    let mut done = Discovery::default();
    loop {
        let (before, after) = (began.minus(ASKED_APART), began.plus(CLOCKS_DIFFER).plus(ASKING_MAX));
        let due = service.store.accounts_to_ask(before, after, ASKED_PAGE).await?;
        let asked = due.iter().map(|(account, user)| ask(service, *account, *user)).collect::<Vec<_>>();
        let answers: Vec<Result<bool, StoreError>> =
            stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).collect().await;
        for answer in answers {
            let count = if answer? { &mut done.listed } else { &mut done.failed };
            *count += 1;
        }
        if due.is_empty() || service.clock.now().since(began) > ASKING_MAX {
            return Ok(done);
        }
    }
}

/// Asks one; whether it told.
async fn ask(service: &Service, account: AccountId, user: UserId) -> Result<bool, StoreError> {
    service.store.note_asked(account, service.clock.now()).await?;
    let listed = service.engine.refresh_calendars(account, user).await;
    if let Err(error) = &listed {
        tracing::warn!(%account, %error, "an account's calendars could not be listed");
    }
    Ok(listed.is_ok())
}

/// Forgets what is over.
pub(super) async fn clean_up(service: &Service) -> Result<Cleanup, EngineError> {
    let now = service.clock.now();
    // What is over opens nothing any more; how much of it there was interests nobody.
    let (seen, created, begun) = (now.minus(SESSION_IDLE), now.minus(SESSION_LIFE), now.minus(CONSENT_LIFE));
    service.store.forget_sign_ins(seen, created, begun).await?;
    Ok(cleanup::clean(service.store.as_ref(), RETENTION_DAYS, now, |_| ()).await?)
}

/// Looks at the installation as `doctor` does, and has people told of what is wrong; how many things are.
pub(super) async fn examine(service: &Service) -> Result<usize, EngineError> {
    let (found, unjudged) = daily::examine(&service.settings, service.clock.as_ref()).await;
    service.engine.heed_found(&found, &unjudged).await?;
    Ok(found.len())
}

/// The process stops: the next one goes on.
pub(super) fn broken_off() -> EngineError {
    StoreError::Contended("this instance is about to stop".to_owned()).into()
}
