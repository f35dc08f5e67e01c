//! What the jobs do. Each can be broken off at any point and done again; neither knows when it runs.

use calsync_core::calendar::AccountStatus;
use calsync_engine::EngineError;

use crate::service::Service;

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
