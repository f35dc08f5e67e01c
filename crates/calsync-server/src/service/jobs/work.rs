//! What the jobs do. Each can be broken off at any point and done again; neither knows when it runs.

use calsync_core::calendar::AccountStatus;
use calsync_core::health::Response;
use calsync_core::ports::StoreError;
use calsync_core::retention::RETENTION_DAYS;
use calsync_core::sign_in::{CONSENT_LIFE, SESSION_IDLE, SESSION_LIFE};
use calsync_engine::{EngineError, Maintenance};

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

/// What became of a round of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Discovery {
    /// Accounts that told of their calendars.
    listed: u32,
    /// Accounts that did not.
    failed: u32,
}

/// Asks every account for its calendars: new ones appear (switched off), missing ones are marked.
pub(super) async fn discover(service: &Service) -> Result<Discovery, EngineError> {
    let mut done = Discovery::default();
    for user in service.store.users().await? {
        let Some(state) = service.store.user_state(user.id).await? else { continue };
        for account in state.accounts.iter().filter(|a| a.status == AccountStatus::Active) {
            match service.engine.refresh_calendars(account.id, user.id).await {
                Ok(_) => done.listed += 1,
                Err(error) => {
                    done.failed += 1;
                    tracing::warn!(account = %account.id, %error, "an account's calendars could not be listed");
                }
            }
        }
    }
    Ok(done)
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
