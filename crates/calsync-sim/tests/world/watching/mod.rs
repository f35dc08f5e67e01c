//! The watch in virtual time: the engine's figures, alerts, levels and words, looked after as a running service does, over years
//! without a fault, over every fault that people are to be told of, and over what swings. Here nothing is sent.

mod faults;
mod responses;
mod settled;
mod swings;
mod year;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use calsync_core::alert::{AlertLevel, AlertMessage, Occasion};
use calsync_core::calendar::ProviderKind;
use calsync_core::health::{Answer, Change, Disk, Figures, LateJob, Memory, Report, Response, assess};
use calsync_core::run::CallStats;
use calsync_core::time::Ts;
use calsync_engine::{Responses, Way};
use jiff::SignedDuration;

use super::world::{Calls, World};

/// Between two looks, as in a running service or a little longer.
const LOOK: SignedDuration = SignedDuration::from_secs(10);
/// Between two reminders.
const REMINDER: SignedDuration = SignedDuration::from_hours(4);
/// Messages that are taken at a time.
const MANY: u32 = 1_000;
const MINUTE: i64 = 60_000_000;
const ALL: Responses = Responses { poll_everybody: true, suspend_failing: true, maintain: true };

/// Who looks after a world, and what it was led to say and do.
pub(crate) struct Watch {
    /// What no database tells: changed by who tests it.
    pub(crate) host: Figures,
    pub(crate) late_jobs: Vec<LateJob>,
    /// Whether channels are looked after.
    pub(crate) tends: bool,
    pub(crate) told: Vec<AlertMessage>,
    pub(crate) changes: Vec<(Ts, Change)>,
    pub(crate) calls: Arc<Calls>,
    /// Points of calls that were counted already.
    counted: u64,
}

impl Watch {
    pub(crate) fn over(world: &mut World) -> Watch {
        let host = Figures {
            database: Answer::Answers { ms: 1 },
            cache: Some(Answer::Answers { ms: 1 }),
            disk: Some(Disk { free: 10 << 30, total: 20 << 30 }),
            memory: Some(Memory { resident: 40 << 20, available: 1 << 30, total: 2 << 30 }),
            clock_jumped: None,
            stored: None,
        };
        let calls = world.watch_calls();
        let (late_jobs, told, changes) = (Vec::new(), Vec::new(), Vec::new());
        Watch { host, late_jobs, tends: true, told, changes, calls, counted: 0 }
    }

    /// One look, as the server's watch takes it; what is to be told arrives at once.
    pub(crate) async fn look(&mut self, world: &World) -> Report {
        self.count_calls(world).await;
        let engine = world.engine();
        let stored = engine.health_figures(|_| None, self.late_jobs.clone()).await.unwrap();
        let report = assess(&Figures { stored: Some(stored), ..self.host.clone() });
        engine.heed(&report).await.unwrap();
        let now = world.clock.now();
        if let Some(change) = engine.note_level(&report).await.unwrap() {
            self.changes.push((now, change));
        }
        let ways = [Way { name: "ear".to_owned(), from: AlertLevel::Info }];
        engine.tell_people(&ways, REMINDER).await.unwrap();
        for delivery in world.store.claim_deliveries(now, now, MANY).await.unwrap().deliveries {
            self.told.push(delivery.message.clone());
            world.store.put_delivery(&delivery.delivered(now)).await.unwrap();
        }
        if engine.respond(ALL).await.unwrap().contains(&Response::Maintain) {
            engine.maintain_subscriptions().await.unwrap();
        }
        report
    }

    /// Ten seconds of a running service: what came is delivered and worked off, channels are looked after, and it is looked.
    pub(crate) async fn tick(&mut self, world: &mut World) -> Report {
        world.clock.advance(LOOK);
        self.work(world).await;
        self.look(world).await
    }

    pub(crate) async fn work(&mut self, world: &mut World) {
        world.direct.tend();
        world.deliver().await;
        world.work().await;
        if self.tends {
            super::lifecycle::tend(world).await;
            world.work().await;
        }
    }

    /// The same for so long.
    pub(crate) async fn pass(&mut self, world: &mut World, time: SignedDuration) {
        let end = world.clock.now().plus(time);
        while world.clock.now() < end {
            self.tick(world).await;
        }
    }

    /// Every call has two points, of which one that fails passes the first only.
    async fn count_calls(&mut self, world: &World) {
        let points = self.calls.made.load(Ordering::Relaxed);
        let failed: u64 = self.calls.failed.lock().unwrap().values().sum();
        let errors: Vec<_> = std::mem::take(&mut *self.calls.failed.lock().unwrap()).into_iter().collect();
        let calls = (points - self.counted - failed) / 2 + failed;
        self.counted = points;
        if calls == 0 {
            return;
        }
        let now = world.clock.now().micros();
        let stats = CallStats {
            provider: ProviderKind::Google,
            minute: Ts::from_micros(now - now.rem_euclid(MINUTE)),
            calls,
            errors: errors.into_iter().map(|(class, count)| (class.to_owned(), count)).collect(),
            latency_sum_us: calls * 20_000,
            latency_max_us: 20_000,
            quota_used: calls,
        };
        world.store.add_call_stats(&[stats]).await.unwrap();
    }

    /// Messages of this kind on this occasion.
    pub(crate) fn heard(&self, kind: &str, occasion: Occasion) -> Vec<&AlertMessage> {
        self.told.iter().filter(|m| m.kind == kind && m.occasion == occasion).collect()
    }
}
