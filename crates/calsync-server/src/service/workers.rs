//! Workers: each steps the engine as long as somebody is due, then sleeps until it is woken or the next calendar is due.
//! A wake-up carries no data, so a lost one costs time and nothing else.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_core::run::RunKind;
use calsync_engine::EngineError;
use tokio_util::sync::CancellationToken;

use super::Service;

/// Longest sleep: finds what another instance left behind.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Shortest sleep: somebody is due, but another worker is at work on them and will wake us.
const SLEEP_MIN: Duration = Duration::from_millis(500);
/// Sleep after the store failed.
const SLEEP_AFTER_ERROR: Duration = Duration::from_secs(2);

/// Works until told to stop, and never leaves a step half done.
pub(super) async fn work(service: Arc<Service>, stopping: CancellationToken) {
    while !stopping.is_cancelled() {
        let sleep = match service.engine.step().await {
            Ok(Some(report)) => {
                tell(&report);
                if report.read.iter().any(|r| r.kind == RunKind::Full) {
                    // Perhaps a calendar's first reading: it may want a push channel.
                    service.tend.notify_one();
                }
                (service.observer)(&report);
                // Whoever found this user taken may find more to do now.
                service.wake();
                continue;
            }
            Ok(None) => until_due(&service).await,
            Err(EngineError::Store(lost @ StoreError::LeaseLost(_))) => {
                // Stopped for longer than its lease, or too slow: nothing of it was written since.
                tracing::warn!(error = %lost, "what this worker was at was refused");
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "a step could not be finished; it is taken up again");
                SLEEP_AFTER_ERROR
            }
        };
        tokio::select! {
            () = service.wake.notified() => {}
            () = tokio::time::sleep(sleep) => {}
            () = stopping.cancelled() => {}
        }
    }
}

async fn until_due(service: &Service) -> Duration {
    match service.store.next_due().await {
        Ok(None) => SLEEP_MAX,
        Ok(Some(due)) => {
            let wait = due.since(service.clock.now());
            Duration::try_from(wait).unwrap_or(Duration::ZERO).clamp(SLEEP_MIN, SLEEP_MAX)
        }
        Err(error) => {
            tracing::error!(%error, "the store does not tell what is due");
            SLEEP_AFTER_ERROR
        }
    }
}

/// One line per step that did something.
fn tell(report: &calsync_engine::StepReport) {
    for error in &report.errors {
        tracing::warn!(user = %report.user, %error, "a run failed");
    }
    for target in &report.held {
        tracing::warn!(user = %report.user, %target, "a plan is held: it would remove too much at once");
    }
    let calls: u32 = report.read.iter().map(|r| r.counts.provider_calls).sum();
    if !report.read.is_empty() || !report.blocks.is_empty() {
        tracing::info!(
            user = %report.user,
            calendars = report.read.len(),
            blocks = report.blocks.len(),
            waiting = report.waiting,
            calls,
            "synchronised"
        );
    }
}
