//! Jobs by the clock: push channels are kept alive, calendars that appeared or went are noticed, what is over is forgotten.
//! Each is done once in the fleet (`once`). Beside them each process stores what it counted of calls.

mod once;
mod work;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::health::LateJob;
use calsync_engine::{EngineError, Maintenance};
use jiff::SignedDuration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Service;
use once::{AGAIN, Fleet, Job, Outcome, Tried, Why};

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
/// Accounts are asked for their calendars, each in its turn.
const DISCOVERY: Job = Job { name: "discovery", every: SignedDuration::from_mins(10) };
/// What a level that came into force asks for (spec §8) is done, whenever something is owed to it.
const RESPONSES: Job = Job { name: "responses", every: SignedDuration::from_secs(30) };
/// What is over is forgotten (spec §9).
const CLEANUP: Job = Job { name: "cleanup", every: SignedDuration::from_hours(7 * 24) };
/// The installation is looked at as `doctor` does.
const EXAMINATION: Job = Job { name: "examination", every: SignedDuration::from_hours(24) };
/// Not before everything has come up with which an instance starts: a proxy, the others of the fleet.
const EXAMINED_FIRST: Duration = Duration::from_secs(10 * 60);
/// What was found wrong there is looked at again this soon: whoever mends it wants to hear that it is.
const EXAMINED_AGAIN: Duration = Duration::from_secs(60 * 60);
/// The longest wait before it is looked again whether a job is due: clocks are set right, and machines sleep.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A job that has not been done for so many intervals, and an hour, is late: a clean-up may wait for a weekend's standstill.
const LATE_AFTER: i32 = 2;
const LATE_BY: SignedDuration = SignedDuration::from_hours(1);

/// Jobs that should have been done, as far as they were ever done or tried.
pub(super) async fn late(service: &Service) -> Result<Vec<LateJob>, EngineError> {
    let now = service.clock.now();
    let mut late = Vec::new();
    for job in [MAINTENANCE, DISCOVERY, CLEANUP, EXAMINATION] {
        let since = fleet(service).waits_since(&job).await?;
        let due = since.map(|at| at.plus(job.every * LATE_AFTER).plus(LATE_BY));
        if let Some(due) = due.filter(|due| *due < now) {
            late.push(LateJob { name: job.name.to_owned(), late_seconds: now.since(due).as_secs() });
        }
    }
    Ok(late)
}

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
    channels
        || service.engine.rollout_is_due().await.unwrap_or(false)
        || is_wanted(service).await.unwrap_or(false)
}

/// Whether a level asks for a round that nobody has begun since. (A word from the future is of a clock that was wrong.)
async fn is_wanted(service: &Service) -> Result<bool, EngineError> {
    let now = service.clock.now();
    let Some(wanted) = service.engine.round_wanted().await?.filter(|at| *at <= now) else { return Ok(false) };
    Ok(fleet(service).ran_at(&MAINTENANCE).await?.is_none_or(|ran| ran < wanted))
}

/// Does what is owed to the level in force, until told to stop. Apart from whoever looks: it may take its time, and break.
pub(super) async fn respond(service: Arc<Service>, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        // What the store does not say now it says at the next look.
        if service.engine.is_owing().await.unwrap_or(false) {
            fleet(&service).once(&RESPONSES, Why::Asked, work::respond(&service)).await;
        }
    }
}

/// The same now, with the round of maintenance that it may ask for; not while another instance is at it.
pub(super) async fn respond_now(service: &Service) -> Result<(), EngineError> {
    if service.engine.is_owing().await? {
        fleet(service).try_once(&RESPONSES, Why::ByHand, work::respond(service)).await?;
    }
    if is_wanted(service).await? {
        maintain_now(service).await?;
    }
    Ok(())
}

/// Asks for lists of calendars, by the clock, until told to stop.
pub(super) async fn discover(service: Arc<Service>, stopping: CancellationToken) {
    by_the_clock(&service, &stopping, &DISCOVERY, || async {
        let done = work::discover(&service).await?;
        service.wake_all();
        Ok(done)
    })
    .await;
}

/// Forgets what is over, by the clock, until told to stop: in the middle of it, too, for it may be long.
pub(super) async fn clean_up(service: Arc<Service>, stopping: CancellationToken) {
    by_the_clock(&service, &stopping, &CLEANUP, || async {
        tokio::select! {
            () = stopping.cancelled() => Err(work::broken_off()),
            done = work::clean_up(&service) => done,
        }
    })
    .await;
}

/// Looks at the installation, by the clock, until told to stop; what is wrong, more often.
pub(super) async fn examine(service: Arc<Service>, stopping: CancellationToken) {
    let mut next = Instant::now() + EXAMINED_FIRST;
    let mut is_amiss = false;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let why = if is_amiss { Why::Asked } else { Why::Scheduled };
        let mut found = 0;
        let looking = async {
            found = tokio::select! {
                () = stopping.cancelled() => return Err(work::broken_off()),
                found = work::examine(&service) => found?,
            };
            Ok(found)
        };
        let outcome = Box::pin(fleet(&service).once(&EXAMINATION, why, looking)).await;
        is_amiss = found > 0;
        next = Instant::now() + wait(&service, &EXAMINATION, &outcome);
        if is_amiss {
            next = next.min(Instant::now() + EXAMINED_AGAIN);
        }
    }
}

/// Does a job whenever its time has come, until told to stop.
async fn by_the_clock<T: Debug, F: Future<Output = Result<T, EngineError>>>(
    service: &Service,
    stopping: &CancellationToken,
    job: &Job,
    work: impl Fn() -> F,
) {
    let mut next = Instant::now() + SOON;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let outcome = fleet(service).once(job, Why::Scheduled, work()).await;
        next = Instant::now() + wait(service, job, &outcome);
    }
}

/// What came of a round that a person asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// It was done.
    Done(Maintenance),
    /// Another instance is at it.
    Taken,
}

/// A round of maintenance now: not while another instance is at it, but whenever it was last done.
pub(super) async fn maintain_now(service: &Service) -> Result<Round, EngineError> {
    let work = service.engine.maintain_subscriptions();
    Ok(match fleet(service).try_once(&MAINTENANCE, Why::ByHand, work).await? {
        Tried::Done(counts) => Round::Done(counts),
        Tried::Taken | Tried::NotBefore(_) => Round::Taken,
    })
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
        let (error, calls) = (EngineError::Store(error), stats.iter().map(|s| s.calls).sum::<u64>());
        if service.absence.is_news(&error) {
            tracing::warn!(%error, calls, "call statistics could not be stored; they are kept for the next time");
        }
        service.recorder.put_back(stats);
    }
}

fn fleet(service: &Service) -> Fleet<'_> {
    Fleet {
        store: service.store.as_ref(),
        clock: service.clock.as_ref(),
        owner: &service.owner,
        lease: service.settings.sync.lease,
        absence: &service.absence,
    }
}

fn wait(service: &Service, job: &Job, outcome: &Outcome) -> Duration {
    let long = Duration::try_from(job.every.min(LONGEST)).unwrap_or(SHORTEST);
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
