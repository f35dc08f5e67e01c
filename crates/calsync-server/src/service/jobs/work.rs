//! What the jobs do. Each can be broken off at any point and done again; neither knows when it runs.

use calsync_core::calendar::AccountStatus;
use calsync_core::ports::StoreError;
use calsync_core::retention::RETENTION_DAYS;
use calsync_engine::EngineError;

use crate::service::{Service, cleanup};

/// Opens push channels, replaces those that end soon.
pub(super) async fn maintain(service: &Service) -> Result<(), EngineError> {
    let done = service.engine.maintain_subscriptions().await?;
    if done != calsync_engine::Maintenance::default() {
        tracing::info!(?done, "push channels were looked after");
    }
    Ok(())
}

/// Asks every account for its calendars: new ones appear (switched off), missing ones are marked.
pub(super) async fn discover(service: &Service) -> Result<(), EngineError> {
    for user in service.store.users().await? {
        let Some(state) = service.store.user_state(user.id).await? else { continue };
        for account in state.accounts.iter().filter(|a| a.status == AccountStatus::Active) {
            if let Err(error) = service.engine.refresh_calendars(account.id, user.id).await {
                tracing::warn!(account = %account.id, %error, "an account's calendars could not be listed");
            }
        }
    }
    Ok(())
}

/// Forgets what is over.
pub(super) async fn clean_up(service: &Service) -> Result<(), EngineError> {
    let store = service.store.as_ref();
    let gone = cleanup::clean(store, RETENTION_DAYS, service.clock.now(), |_| ()).await?;
    if gone.total() > 0 {
        tracing::info!(?gone, days = RETENTION_DAYS, "what was over was forgotten");
    }
    Ok(())
}

/// The process stops: the next one goes on.
pub(super) fn broken_off() -> EngineError {
    StoreError::Contended("this instance is about to stop".to_owned()).into()
}
