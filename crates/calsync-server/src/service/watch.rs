//! The watch: every few seconds one instance of the fleet looks at how well it is, brings the alerts and the level in line, and
//! has people told. It sees and says, and does nothing about it: what the level asks for is a job (`jobs`). While the database is
//! away there is nothing to agree by: then each instance looks for itself (`without`). It decides nothing: `core::health` and
//! `core::alert` do.

mod clock;
mod messages;
mod spell;
mod without;
mod word;

use std::sync::Arc;
use std::time::Duration;

use calsync_core::health::{Figures, Report, assess, assess_settling};
use calsync_core::ports::{HealthHour, Lease, StoreError};
use calsync_core::time::Ts;
use calsync_engine::{EngineError, Way};
use jiff::SignedDuration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::vitals::Refusal;
use super::{Service, jobs};
use clock::ClockWatch;
use messages::Sent;
pub(crate) use messages::Teller;
use spell::Writes;
use without::Without;
pub(crate) use word::Word;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);
/// Whoever looks keeps the watch for so long; then another may take it.
const KEPT: SignedDuration = SignedDuration::from_secs(30);
/// What is leased.
const WATCH: &str = "job:watch";
/// A database that does not take the watch's own row within this time takes nothing: longer than SQLite waits for a writer.
const WRITES_WITHIN: Duration = Duration::from_secs(8);
/// One step of a look takes no longer: all of them, and the messages, are through before the watch runs out.
const STEP_WITHIN: Duration = Duration::from_secs(4);
/// How often the hour is written down.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// After a standstill, ours or the database's, everything is late at once and has its chance first: for so long no calendar, rule or
/// job is called late.
const SETTLING: Duration = Duration::from_secs(30);
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
    let mut watcher = Watcher::new(&service).await;
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
    /// One look now, what is to be told is sent, and what the level asks for is done; not while a running service has the watch.
    pub async fn look_now(self: &Arc<Service>) -> Result<Look, EngineError> {
        let now = self.clock.now();
        let Some(lease) = self.store.claim_lease(WATCH, &self.owner, now, now.plus(KEPT)).await? else {
            return Ok(Look::Taken);
        };
        let done = self.see_and_say(&assess(&self.figures().await)).await;
        self.store.release(&lease, &[]).await?;
        // It may take minutes: whoever is to hear of it has heard by now.
        if let Err(error) = jobs::respond_now(self).await {
            tracing::warn!(%error, "what the level asks for could not be done; the next look takes it up");
        }
        done
    }

    /// What a report leads to: alerts, level, words, messages. None of them waits for another to succeed; what broke first is the
    /// answer when all were tried.
    async fn see_and_say(&self, report: &Report) -> Result<Look, EngineError> {
        let named = self.channels.all().iter();
        let ways: Vec<Way> =
            named.map(|way| Way { name: way.name().to_owned(), from: way.least() }).collect();
        let heeded = step("alerts", self.engine.heed(report)).await;
        let level = step("level", self.engine.note_level(report)).await;
        let told = step("words", self.engine.tell_people(&ways, self.settings.alerts.reminder)).await;
        let sent = messages::send_due(self).await;
        heeded?;
        level?;
        let (said, Sent { delivered, failed }) = (told?.said, sent?);
        Ok(Look::Done { said, delivered, failed })
    }
}

/// One step of a look, which has its time, and whose failure is told.
async fn step<T, E: Into<EngineError>>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, EngineError> {
    let done = match timeout(STEP_WITHIN, work).await {
        Ok(done) => done.map_err(Into::into),
        // Not that the database is away: that is for whoever asks it nothing else.
        Err(_) => Err(StoreError::Contended("it took too long".to_owned()).into()),
    };
    if let Err(error) = &done {
        tracing::warn!(step = name, %error, "a step of a look could not be finished; the next look comes soon");
    }
    done
}

/// What one instance remembers from look to look.
struct Watcher {
    /// The watch, while it is ours.
    lease: Option<Lease>,
    without: Without,
    writes: Writes,
    clock: ClockWatch,
    /// Since when there has been a database to work with.
    working_since: Instant,
    /// The hour that was written down, and when.
    noted: Option<Instant>,
}

impl Watcher {
    async fn new(service: &Service) -> Watcher {
        Watcher {
            lease: None,
            without: Without::new(service).await,
            writes: Writes::default(),
            clock: ClockWatch::new(service.clock.now()),
            working_since: Instant::now(),
            noted: None,
        }
    }

    async fn look(&mut self, service: &Arc<Service>) {
        let jumped = self.clock.look(service.clock.now(), Instant::now());
        let figures = Figures { clock_jumped: jumped, ..service.readable().await };
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
        let refuses = self.writes.refused(&kept, Instant::now());
        let why = kept.as_ref().err().and_then(|error| service.reason(error));
        service.vitals.note_refusal(refuses.then(|| Refusal(why.clone())));
        let has_watch = match kept {
            Ok(has_watch) => has_watch,
            Err(error) => {
                if refuses {
                    self.working_since = Instant::now();
                } else {
                    tracing::warn!(%error, "the watch could not be taken");
                }
                self.without
                    .look(service, &figures.without_writes(why.as_deref()), self.lease.is_some())
                    .await;
                return;
            }
        };
        self.without.over(service).await;
        if !has_watch {
            return;
        }
        let settling = self.working_since.elapsed() < SETTLING;
        let report = if settling { assess_settling(&figures) } else { assess(&figures) };
        // What broke was told where it broke.
        let _ = service.see_and_say(&report).await;
        self.note_hour(service, &figures, &report).await;
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

    /// The hour as it is seen now, every minute.
    async fn note_hour(&mut self, service: &Service, figures: &Figures, report: &Report) {
        let Some(stored) = &figures.stored else { return };
        if self.noted.is_some_and(|at| at.elapsed() < NOTED_EVERY) {
            return;
        }
        self.noted = Some(Instant::now());
        let now = service.clock.now();
        let hour = Ts::from_micros(now.micros() - now.micros().rem_euclid(HOUR));
        let (active, healthy) = (stored.subscriptions.active, stored.subscriptions.healthy);
        let hour = HealthHour { hour, active, healthy, worst: report.level.number() };
        let _ = step("hour", service.store.put_health_hour(&hour)).await;
    }
}
