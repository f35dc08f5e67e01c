//! The watch: every few seconds one instance of the fleet looks at how well it is, brings the alerts in line, does what the
//! level asks for, and has people told. While the database is away there is nothing to agree by: then each instance looks for
//! itself (`without`). It decides nothing: `core::health` and `core::alert` do.

mod messages;
mod without;

use std::sync::Arc;
use std::time::Duration;

use calsync_core::health::{Figures, Report, assess};
use calsync_core::ports::{HealthHour, Lease, StoreError};
use calsync_core::time::Ts;
use calsync_engine::{EngineError, Way};
use jiff::SignedDuration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Service;
use super::vitals::Refusal;
use messages::Sent;
use without::Without;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);
/// Whoever looks keeps the watch for so long; then another may take it.
const KEPT: SignedDuration = SignedDuration::from_secs(30);
/// What is leased.
const WATCH: &str = "job:watch";
/// A database that does not take the watch's own row within this time takes nothing: longer than SQLite waits for a writer.
const WRITES_WITHIN: Duration = Duration::from_secs(8);
/// After a standstill, ours or the database's, everything is late at once and has its chance first: for so long no calendar, rule or
/// job is called late.
const SETTLING: Duration = Duration::from_secs(30);
/// A clock that was set is told of for so long.
const JUMP_TOLD: Duration = Duration::from_secs(10 * 60);
/// How far a clock may be from the time that has passed, in seconds, before that is worth a word.
const JUMP_SLACK: i64 = 5;
/// One hour in microseconds.
const HOUR: i64 = 3_600_000_000;

/// What came of a look that somebody asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// A running service does it.
    Taken,
    /// It was done.
    Done {
        /// Things that were told.
        said: u32,
        /// Messages that arrived.
        delivered: u32,
        /// Messages that did not, or not yet.
        failed: u32,
    },
}

/// Looks until told to stop.
pub(super) async fn watch(service: Arc<Service>, stopping: CancellationToken) {
    let mut watcher = Watcher::new(&service);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            _ = ticks.tick() => watcher.look(&service).await,
        }
    }
    // Whoever comes next need not wait until the watch has run out.
    service.metrics.left_watch();
    if let Some(lease) = watcher.lease.take()
        && let Err(error) = service.store.release(&lease, &[]).await
    {
        tracing::debug!(%error, "the watch could not be given back; it runs out");
    }
}

impl Service {
    /// One look now, and what is to be told is sent; not while a running service has the watch.
    pub async fn look_now(self: &Arc<Service>) -> Result<Look, EngineError> {
        let now = self.clock.now();
        let Some(lease) = self.store.claim_lease(WATCH, &self.owner, now, now.plus(KEPT)).await? else {
            return Ok(Look::Taken);
        };
        let report = assess(&self.figures().await);
        let done = async {
            let said = self.heed_and_tell(&report).await?;
            let Sent { delivered, failed } = messages::send_due(self).await?;
            Ok(Look::Done { said, delivered, failed })
        };
        let done = done.await;
        self.store.release(&lease, &[]).await?;
        done
    }

    /// Alerts, level, words: what a report leads to. How many things were said.
    async fn heed_and_tell(&self, report: &Report) -> Result<u32, EngineError> {
        self.engine.heed(report).await?;
        self.engine.act_on(report, self.settings.responses).await?;
        let named = self.channels.all().iter();
        let ways: Vec<Way> =
            named.map(|way| Way { name: way.name().to_owned(), from: way.least() }).collect();
        Ok(self.engine.tell_people(&ways, self.settings.alerts.reminder).await?.said)
    }
}

/// What one instance remembers from look to look.
struct Watcher {
    /// The watch, while it is ours.
    lease: Option<Lease>,
    without: Without,
    clock: ClockWatch,
    /// Since when there has been a database to work with.
    working_since: Instant,
    /// The hour that was written down, and when.
    noted: Option<Instant>,
}

impl Watcher {
    fn new(service: &Service) -> Watcher {
        Watcher {
            lease: None,
            without: Without::default(),
            clock: ClockWatch::new(service.clock.now()),
            working_since: Instant::now(),
            noted: None,
        }
    }

    async fn look(&mut self, service: &Arc<Service>) {
        let jumped = self.clock.look(service.clock.now(), Instant::now());
        let mut figures = Figures { clock_jumped: jumped, ..service.readable().await };
        if !figures.database.is_there() {
            self.working_since = Instant::now();
            self.without.look(service, &figures, self.lease.is_some()).await;
            return;
        }
        // It can be read; whether it can be written this tells, each time.
        let kept = match timeout(WRITES_WITHIN, self.keep(service)).await {
            Ok(kept) => kept,
            Err(_) => Err(StoreError::Unavailable("there was no answer in time".to_owned())),
        };
        let refusal = match &kept {
            Err(error @ StoreError::Unavailable(_)) => Some(Refusal(service.reason(error))),
            _ => None,
        };
        service.vitals.note_refusal(refusal.clone());
        if let Some(Refusal(why)) = refusal {
            self.working_since = Instant::now();
            self.without.look(service, &figures.without_writes(why.as_deref()), self.lease.is_some()).await;
            return;
        }
        self.without.over(service).await;
        if let Some(stored) = figures.stored.as_mut().filter(|_| self.working_since.elapsed() < SETTLING) {
            (stored.overdue, stored.behind, stored.late_jobs) = (vec![], vec![], vec![]);
        }
        match kept {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "the watch could not be taken");
                return;
            }
        }
        let report = assess(&figures);
        if let Err(error) = self.work(service, &figures, &report).await {
            tracing::warn!(%error, "a look at how well it is could not be finished; the next one comes soon");
        }
    }

    /// Whether the watch is ours.
    async fn keep(&mut self, service: &Service) -> Result<bool, StoreError> {
        let now = service.clock.now();
        // It stays ours while this is broken off or fails: who had the watch is the first to tell.
        if let Some(lease) = &self.lease {
            match service.store.renew_lease(lease, now.plus(KEPT)).await {
                Ok(lease) => self.lease = Some(lease),
                Err(StoreError::LeaseLost(_)) => {
                    service.metrics.left_watch();
                    tracing::info!("another instance has the watch now");
                    self.lease = None;
                }
                Err(error) => return Err(error),
            }
        }
        if self.lease.is_none() {
            self.lease = service.store.claim_lease(WATCH, &service.owner, now, now.plus(KEPT)).await?;
            if self.lease.is_some() {
                service.metrics.took_watch();
                tracing::info!(instance = service.owner, "this instance has the watch");
            }
        }
        Ok(self.lease.is_some())
    }

    async fn work(
        &mut self,
        service: &Arc<Service>,
        figures: &Figures,
        report: &Report,
    ) -> Result<(), EngineError> {
        service.heed_and_tell(report).await?;
        if self.noted.is_none_or(|at| at.elapsed() >= Duration::from_secs(60)) {
            self.noted = Some(Instant::now());
            if let Some(stored) = &figures.stored {
                let now = service.clock.now();
                let hour = Ts::from_micros(now.micros() - now.micros().rem_euclid(HOUR));
                let (active, healthy) = (stored.subscriptions.active, stored.subscriptions.healthy);
                let worst = report.level.number();
                service.store.put_health_hour(&HealthHour { hour, active, healthy, worst }).await?;
            }
        }
        messages::send_due(service).await?;
        Ok(())
    }
}

/// Compares the clock with the time that passes.
struct ClockWatch {
    wall: Ts,
    at: Instant,
    jumped: Option<(i64, Instant)>,
}

impl ClockWatch {
    fn new(wall: Ts) -> ClockWatch {
        ClockWatch { wall, at: Instant::now(), jumped: None }
    }

    /// By how many seconds the clock was set lately, if it was.
    fn look(&mut self, wall: Ts, at: Instant) -> Option<i64> {
        let passed = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let shown = wall.since(self.wall).as_millis();
        let jump = (i64::try_from(shown).unwrap_or(i64::MAX).saturating_sub(passed)) / 1_000;
        (self.wall, self.at) = (wall, at);
        if jump.abs() >= JUMP_SLACK {
            let before = self.jumped.map_or(0, |(jump, _)| jump);
            self.jumped = Some((before.saturating_add(jump), at));
        }
        self.jumped
            .filter(|(_, since)| at.saturating_duration_since(*since) < JUMP_TOLD)
            .map(|(jump, _)| jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_of_for_a_while() {
        let (start, wall) = (Instant::now(), Ts::from_secs(1_000_000));
        let mut clock = ClockWatch { wall, at: start, jumped: None };
        let mut look = |passed: u64, shown: i64| {
            clock.look(wall.plus(SignedDuration::from_secs(shown)), start + Duration::from_secs(passed))
        };
        assert_eq!(look(5, 5), None);
        assert_eq!(look(10, 14), None, "a clock that is slewed");
        assert_eq!(look(15, 3_600 + 19), Some(3_600));
        assert_eq!(look(60, 3_600 + 64), Some(3_600));
        assert_eq!(look(65, 69), Some(0), "it was set back: nothing to tell");
        assert_eq!(look(70, 74 - 500), Some(-500));
        assert_eq!(look(669, 673 - 500), Some(-500));
        assert_eq!(look(671, 675 - 500), None, "told for long enough");
    }
}
