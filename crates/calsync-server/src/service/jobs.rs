//! Jobs by the clock: push channels are kept alive, calendars that appeared or went are noticed, call statistics are
//! stored. Each round holds a lease, so that one instance of a fleet does it.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::calendar::AccountStatus;
use calsync_core::ports::StoreError;
use calsync_engine::EngineError;
use jiff::SignedDuration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Service;

/// How often push channels are looked after (spec §9).
const MAINTENANCE: Duration = Duration::from_secs(30 * 60);
/// The first round, and the next one after a calendar was read in full for what may be the first time.
const MAINTENANCE_SOON: Duration = Duration::from_secs(2);
/// The next round after one that failed, or that somebody else has begun.
const MAINTENANCE_AGAIN: Duration = Duration::from_secs(60);
/// Rounds are at least so far apart, whatever happens.
const MAINTENANCE_SPACING: Duration = Duration::from_secs(10);
/// How often call statistics are stored.
const STATISTICS: Duration = Duration::from_secs(10);
/// How often accounts are asked for their calendars.
const REDISCOVERY: SignedDuration = SignedDuration::from_hours(6);
/// Lease of one round of maintenance.
const ROUND: SignedDuration = SignedDuration::from_mins(10);

/// Does the jobs until told to stop.
pub(super) async fn keep_going(service: Arc<Service>, stopping: CancellationToken) {
    let mut statistics = tokio::time::interval(STATISTICS);
    let mut next_maintenance = Instant::now() + MAINTENANCE_SOON;
    let mut not_before = next_maintenance;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = statistics.tick() => flush_statistics(&service).await,
            () = service.tend.notified() => {
                let soon = (Instant::now() + MAINTENANCE_SOON).max(not_before);
                next_maintenance = next_maintenance.min(soon);
            }
            () = tokio::time::sleep_until(next_maintenance) => {
                let again = match maintain(&service).await {
                    Ok(Round::Done) => MAINTENANCE,
                    // Another instance is at it, or died over it.
                    Ok(Round::Taken) => MAINTENANCE_AGAIN,
                    Err(error) => {
                        tracing::warn!(%error, "maintenance could not be finished");
                        MAINTENANCE_AGAIN
                    }
                };
                next_maintenance = Instant::now() + again;
                not_before = Instant::now() + MAINTENANCE_SPACING;
            }
        }
    }
}

/// What came of a round.
enum Round {
    Done,
    /// Somebody else holds the lease.
    Taken,
}

async fn maintain(service: &Arc<Service>) -> Result<Round, EngineError> {
    let now = service.clock.now();
    let owner = format!("{:p}", Arc::as_ptr(service));
    let lease = service.store.claim_lease("job:maintenance", &owner, now, now.plus(ROUND)).await?;
    let Some(lease) = lease else { return Ok(Round::Taken) };
    let tended = tend(service).await;
    // Given back after a failure as well: the next try must not find it taken by this one.
    let released = service.store.release(&lease, &[]).await;
    service.wake();
    tended?;
    released?;
    Ok(Round::Done)
}

async fn tend(service: &Service) -> Result<(), EngineError> {
    let done = service.engine.maintain_subscriptions().await?;
    if done != calsync_engine::Maintenance::default() {
        tracing::info!(?done, "push channels were looked after");
    }
    rediscover(service).await
}

/// Asks every account for its calendars, a few times a day: new ones appear (switched off), missing ones are marked.
async fn rediscover(service: &Service) -> Result<(), EngineError> {
    const LAST: &str = "calendars_listed_at";
    let now = service.clock.now();
    let last = service.store.setting(LAST).await?;
    let last = last.and_then(|v| v.as_str()?.parse::<calsync_core::time::Ts>().ok());
    if last.is_some_and(|at| now.since(at) < REDISCOVERY) {
        return Ok(());
    }
    for user in service.store.users().await? {
        let Some(state) = service.store.user_state(user.id).await? else { continue };
        for account in state.accounts.iter().filter(|a| a.status == AccountStatus::Active) {
            if let Err(error) = service.engine.refresh_calendars(account.id, user.id).await {
                tracing::warn!(account = %account.id, %error, "an account's calendars could not be listed");
            }
        }
    }
    Ok(service.store.put_setting(LAST, &serde_json::json!(now)).await?)
}

/// Stores what was counted; what can't be stored is counted again with the next round's.
pub(super) async fn flush_statistics(service: &Service) {
    let stats = service.recorder.drain();
    if stats.is_empty() {
        return;
    }
    let stored: Result<(), StoreError> = service.store.add_call_stats(&stats).await;
    if let Err(error) = stored {
        tracing::warn!(%error, calls = stats.iter().map(|s| s.calls).sum::<u64>(), "call statistics were lost");
    }
}
