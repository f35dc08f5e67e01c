//! Workers: each steps the engine as long as somebody is due, then sleeps until it is woken or the next calendar is due.
//! A wake-up carries no data, so a lost one costs time and nothing else.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_core::run::RunKind;
use calsync_engine::{CalendarReport, EngineError, StepReport};
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::metrics::Stepped;
use crate::telemetry::Few;

/// Longest sleep: finds what another instance left behind.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Shortest sleep: somebody is due, but another worker is at work on them and will wake us.
const SLEEP_MIN: Duration = Duration::from_millis(500);
/// Sleep after the store failed.
const SLEEP_AFTER_ERROR: Duration = Duration::from_secs(2);

/// Works until told to stop, and never leaves a step half done.
pub(super) async fn work(service: Arc<Service>, stopping: CancellationToken) {
    while !stopping.is_cancelled() {
        let stepped = {
            let _busy = service.metrics.busy();
            service.engine.step().await
        };
        if stepped.is_ok() && service.absence.is_over() {
            tracing::info!("the database answers again: the workers go on");
        }
        let sleep = match stepped {
            Ok(Some(report)) => {
                tell(&report);
                service.metrics.step(&report);
                if report.read.iter().any(|r| r.kind == RunKind::Full) {
                    // Perhaps a calendar's first reading: it may want a push channel.
                    service.tend.notify_one();
                }
                (service.observer)(&report);
                service.live.changed(report.user);
                // Whoever found this user taken may find more to do now.
                service.wake();
                continue;
            }
            Ok(None) => until_due(&service).await,
            Err(EngineError::Store(lost @ StoreError::LeaseLost(_))) => {
                service.metrics.stepped(Stepped::LeaseLost);
                // Stopped for longer than its lease, or too slow: nothing of it was written since.
                tracing::warn!(error = %lost, "what this worker was at was refused");
                continue;
            }
            Err(error) => {
                service.metrics.stepped(Stepped::Failed);
                if service.absence.is_news(&error) {
                    tracing::error!(%error, "a step could not be finished; it is taken up again");
                }
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
            let error = EngineError::Store(error);
            if service.absence.is_news(&error) {
                tracing::error!(%error, "the store does not tell what is due");
            }
            SLEEP_AFTER_ERROR
        }
    }
}

/// One line per run, one per write that failed, one per plan that is held, and one for writes that belong to no run of this
/// step.
fn tell(report: &StepReport) {
    let user = report.user;
    for run in &report.read {
        tell_run(report, run);
    }
    for write in &report.failed_writes {
        let (into, block, attempts, error) = (write.target, write.correlation, write.attempts, &write.error);
        tracing::warn!(%user, %into, %block, write = ?write.kind, attempts, %error, "a write failed");
    }
    for hold in &report.held {
        let calendar = hold.target;
        // The reason of an undo names who asked for it: ids are enough here.
        match hold.undone {
            Some(undone) => tracing::info!(%user, %calendar, %undone, "a plan is held: a person undid a run"),
            None => tracing::warn!(%user, %calendar, reason = hold.reason, "a plan is held"),
        }
    }
    let booked: usize = report.read.iter().map(|run| run.counts.blocks() as usize).sum();
    let blocks = report.blocks.len().saturating_sub(booked);
    if blocks > 0 {
        tracing::info!(%user, blocks, waiting = report.waiting, "writes that had waited were made");
    }
}

/// What found nothing, and was asked for by nobody, is a detail: on an idle system there is no end of it.
fn tell_run(report: &StepReport, one: &CalendarReport) {
    let (user, run, calendar) = (report.user, one.run, one.calendar);
    let (kind, trigger, served) = (one.kind.as_str(), one.trigger, one.notifications.len());
    let notifications = Few(&one.notifications);
    let counts = &one.counts;
    let events = counts.events_created + counts.events_updated + counts.events_deleted;
    let (seen, blocks, calls) = (counts.events_seen, counts.blocks(), counts.provider_calls);
    let ms = u64::try_from(one.took.as_millis()).unwrap_or(0);
    macro_rules! line {
        ($level:ident, $words:literal $(, $more:tt)*) => {
            tracing::$level!(
                %run, %user, %calendar, kind, trigger, %notifications, served, seen, events, blocks, calls, ms,
                $(%$more,)*
                $words
            )
        };
    }
    match &one.error {
        Some(error) => line!(warn, "a run failed", error),
        None if served > 0 || events > 0 || blocks > 0 => line!(info, "a calendar was brought up to date"),
        None => line!(debug, "a calendar was looked at"),
    }
}
