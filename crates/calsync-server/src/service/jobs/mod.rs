//! Jobs by the clock: push channels are kept alive, calendars that appeared or went are noticed. Each is done once in the
//! fleet (`once`). Beside them each process stores what it counted of calls.

mod once;
mod work;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Service;
use once::{AGAIN, Fleet, Job, Outcome, Why};

/// The first look of a process, and the wait for more of what somebody asks for.
const SOON: Duration = Duration::from_secs(2);
/// How soon a job is looked at again that another instance is at.
const TAKEN: Duration = Duration::from_secs(10);
/// No wait is shorter.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often call statistics are stored.
const STATISTICS: Duration = Duration::from_secs(10);
/// How often it is looked, at most, because of what somebody elsewhere does.
const LOOKS_APART: Duration = Duration::from_secs(2);
/// How often it is looked, at least, whether something is due.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Push channels are looked after (spec §9).
const MAINTENANCE: Job = Job { name: "maintenance", every: SignedDuration::from_mins(30) };
/// Accounts are asked for their calendars.
const DISCOVERY: Job = Job { name: "discovery", every: SignedDuration::from_hours(6) };

/// Looks after push channels until told to stop: by the clock, when one is due, and when somebody asks.
pub(super) async fn maintain(service: Arc<Service>, stopping: CancellationToken) {
    let mut next = Instant::now() + SOON;
    let mut asked = false;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = service.tend.notified() => {
                asked = true;
                next = next.min(Instant::now() + SOON);
            }
            // Another instance, or a command, may have made something due.
            () = service.look.notified() => {
                next = next.min(Instant::now() + SOON);
                tokio::time::sleep(LOOKS_APART).await;
            }
            () = tokio::time::sleep_until(next) => {
                asked |= is_due(&service).await;
                let why = if asked { Why::Asked } else { Why::Scheduled };
                let outcome = fleet(&service).once(&MAINTENANCE, why, work::maintain(&service)).await;
                if matches!(outcome, Outcome::Done) {
                    asked = false;
                    service.wake_all();
                }
                next = Instant::now() + wait(&service, &MAINTENANCE, &outcome).min(LOOK_AGAIN);
            }
        }
    }
}

/// Whether a channel is to be seen to, or the rollout flags have changed. What the store does not say now it says at the
/// next look.
async fn is_due(service: &Service) -> bool {
    let now = service.clock.now();
    let channels = service.engine.next_maintenance().await.ok().flatten().is_some_and(|at| at <= now);
    channels || service.engine.rollout_is_due().await.unwrap_or(false)
}

/// Asks for lists of calendars, by the clock, until told to stop.
pub(super) async fn discover(service: Arc<Service>, stopping: CancellationToken) {
    let mut next = Instant::now() + SOON;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let outcome = fleet(&service).once(&DISCOVERY, Why::Scheduled, work::discover(&service)).await;
        if matches!(outcome, Outcome::Done) {
            service.wake_all();
        }
        next = Instant::now() + wait(&service, &DISCOVERY, &outcome);
    }
}

/// Stores what was counted of calls, until told to stop.
pub(super) async fn count(service: Arc<Service>, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(STATISTICS);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => flush_statistics(&service).await,
        }
    }
}

/// Stores what was counted; what can't be stored comes again with the next round's. (If the store failed after its
/// commit, a minute is counted twice: rather that than calls that nobody knows of.)
pub(super) async fn flush_statistics(service: &Service) {
    let stats = service.recorder.drain();
    if stats.is_empty() {
        return;
    }
    if let Err(error) = service.store.add_call_stats(&stats).await {
        let calls = stats.iter().map(|s| s.calls).sum::<u64>();
        tracing::warn!(%error, calls, "call statistics could not be stored; they are kept for the next time");
        service.recorder.put_back(stats);
    }
}

fn fleet(service: &Service) -> Fleet<'_> {
    Fleet {
        store: service.store.as_ref(),
        clock: service.clock.as_ref(),
        owner: &service.owner,
        lease: service.settings.sync.lease,
    }
}

fn wait(service: &Service, job: &Job, outcome: &Outcome) -> Duration {
    let long = Duration::try_from(job.every).unwrap_or(SHORTEST);
    match outcome {
        Outcome::Done => long,
        Outcome::NotBefore(at) => {
            let wait = Duration::try_from(at.since(service.clock.now())).unwrap_or(SHORTEST);
            wait.clamp(SHORTEST, long)
        }
        Outcome::Taken => TAKEN,
        Outcome::Failed => Duration::try_from(AGAIN).unwrap_or(TAKEN),
    }
}
