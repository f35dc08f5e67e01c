//! Jobs by the clock: push channels are kept alive, calendars that appeared or went are noticed. Each is done once in the
//! fleet (`once`). Beside them each process stores what it counted of calls.

mod once;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::ids::CalendarId;
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
/// How often it is looked, at most, whether somebody elsewhere switched on a calendar.
const LOOKS_APART: Duration = Duration::from_secs(2);
/// So many calendars without a channel are looked at.
const LOOK_MAX: u32 = 200;

/// Push channels are looked after (spec §9).
const MAINTENANCE: Job = Job { name: "maintenance", every: SignedDuration::from_mins(30) };
/// Accounts are asked for their calendars.
const DISCOVERY: Job = Job { name: "discovery", every: SignedDuration::from_hours(6) };

/// Looks after push channels until told to stop: by the clock, and when a calendar may want one.
pub(super) async fn maintain(service: Arc<Service>, stopping: CancellationToken) {
    let mut next = Instant::now() + SOON;
    let mut asked = false;
    // Without a channel after the last round: no reason to try before its time, whoever calls.
    let mut left: BTreeSet<CalendarId> = BTreeSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = service.tend.notified() => {
                asked = true;
                next = next.min(Instant::now() + SOON);
            }
            () = service.look.notified() => {
                if unwatched(&service).await.is_some_and(|now| !now.is_subset(&left)) {
                    asked = true;
                    next = next.min(Instant::now() + SOON);
                }
                tokio::time::sleep(LOOKS_APART).await;
            }
            () = tokio::time::sleep_until(next) => {
                let why = if asked { Why::Asked } else { Why::Scheduled };
                let outcome = fleet(&service).once(&MAINTENANCE, why, work::maintain(&service)).await;
                if matches!(outcome, Outcome::Done) {
                    asked = false;
                    left = unwatched(&service).await.unwrap_or_default();
                    service.wake_all();
                }
                next = Instant::now() + wait(&service, &MAINTENANCE, &outcome);
            }
        }
    }
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

/// Calendars that want a channel and have none, or nothing if the store does not say.
async fn unwatched(service: &Service) -> Option<BTreeSet<CalendarId>> {
    let found = service.store.unwatched_calendars(LOOK_MAX).await.ok()?;
    Some(found.into_iter().map(|calendar| calendar.id).collect())
}
