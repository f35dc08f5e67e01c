//! One world: a cloud full of people, the real engine on a real store, faults, crashes, virtual time. Everything that
//! happens follows from the seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use calsync_core::block::Identity;
use calsync_core::calendar::{Account, AccountStatus};
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::{ConnectAccount, ErrorClass, ProviderError, SealedCredentials, Store};
use calsync_core::time::{Ts, Window};
use calsync_engine::{Engine, EngineConfig};
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::watch::Notice;
use calsync_sim::cloud::{Limits, SharedCloud};
use calsync_sim::direct::{CLIENT, Direct};
use calsync_sim::faults::{Fault, FaultPlan, Rates};
use calsync_sim::life::{Homes, Life};
use calsync_sim::microsoft::Vanished;
use calsync_sim::oracle::{self, Judgement};
use calsync_sim::rng::Rng;
use jiff::SignedDuration;

use super::mortal::Mortality;
use super::process::{SimIds, SimTime, config, engine};

/// When every world begins: a Tuesday, four weeks before the clocks change in Europe.
const DAWN: &str = "2026-09-29T06:00:00Z";
/// Steps of one burst of work; more means that something goes round in circles.
const STEPS_MAX: usize = 2_000;

/// What a world is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) people: usize,
    pub(crate) calendars: usize,
    pub(crate) rounds: u32,
    /// Faults per million chances.
    pub(crate) faults: u32,
    /// A crash in about one of so many rounds; 0 = never.
    pub(crate) crash_one_in: u64,
    /// Where their calendars are.
    pub(crate) homes: Homes,
}

pub(crate) struct World {
    pub(crate) recipe: Recipe,
    pub(crate) cloud: SharedCloud,
    pub(crate) clock: SimClock,
    pub(crate) faults: Arc<FaultPlan>,
    pub(crate) life: Life,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) direct: Direct,
    pub(crate) users: Vec<UserId>,
    mortality: Arc<Mortality>,
    engine: Engine,
    pub(crate) ids: Arc<SimIds>,
    rng: Rng,
    pub(crate) late: Vec<Notice>,
    pub(crate) crashes: u32,
    pub(crate) steps: u64,
    incarnation: u32,
}

/// What a provider was asked, and whether it is down. Each call has two points, before and after.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) made: AtomicU64,
    pub(crate) down: AtomicBool,
    /// It goes down when so many more points were passed; 0: not by itself.
    pub(crate) goes_down_after: AtomicU64,
    /// What it answers while it is down; that it is broken, if nothing else is said.
    pub(crate) answers: Mutex<Option<ErrorClass>>,
    /// What it answered so, by class.
    pub(crate) failed: Mutex<BTreeMap<&'static str, u64>>,
}

/// An engine that does not die.
fn engine_of(
    store: &Arc<dyn Store>,
    providers: Arc<Direct>,
    clock: &SimClock,
    ids: &Arc<SimIds>,
    config: EngineConfig,
) -> Engine {
    let time = Arc::new(SimTime(clock.clone()));
    Engine::new(store.clone(), providers, time, ids.clone(), Identity::new([42; 32]), config)
}

/// The rates of everything that can go wrong, scaled.
fn rates(per_million: u32) -> Rates {
    Fault::ALL.into_iter().map(|fault| (fault, per_million)).collect()
}

impl World {
    pub(crate) async fn begin(recipe: Recipe, store: Arc<dyn Store>) -> World {
        let dawn: Ts = DAWN.parse().unwrap();
        let clock = SimClock::still(dawn);
        let cloud = SharedCloud::new(recipe.seed, Limits::default());
        let faults = Arc::new(FaultPlan::new(recipe.seed, &rates(recipe.faults)));
        faults.switch_off();
        let shape = (recipe.people, recipe.calendars);
        let life = cloud.with(|c| Life::begin_at(c, recipe.seed, shape, recipe.homes, dawn)).unwrap();
        // Nobody knows which of the two Microsoft's deltas do.
        let vanished = if recipe.seed.is_multiple_of(3) { Vanished::Told } else { Vanished::Silent };
        let direct = Direct::new(cloud.clone(), clock.clone(), faults.clone()).with_vanished(vanished);
        let ids = Arc::new(SimIds(Mutex::new(Rng::new(recipe.seed ^ 0x1d5))));
        let mortality = Arc::new(Mortality::default());
        let engine = engine(&store, &direct, &clock, &ids, &mortality, 0);
        let mut world = World {
            recipe,
            cloud,
            clock,
            faults,
            life,
            store,
            direct,
            users: Vec::new(),
            mortality,
            engine,
            ids,
            rng: Rng::new(recipe.seed ^ 0xfa11),
            late: Vec::new(),
            crashes: 0,
            steps: 0,
            incarnation: 0,
        };
        world.settle_in().await;
        world.enable_all().await;
        world.faults.switch_on();
        world
    }

    /// All that was stored is gone. Everybody comes back and connects their accounts; no calendar takes part.
    pub(crate) async fn lose_the_database(&mut self, store: Arc<dyn Store>) {
        self.store = store;
        self.users.clear();
        self.incarnation += 1;
        self.engine =
            engine(&self.store, &self.direct, &self.clock, &self.ids, &self.mortality, self.incarnation);
        self.settle_in().await;
    }

    pub(crate) async fn calendars_of(&self, user: UserId) -> Vec<CalendarId> {
        let state = self.store.user_state(user).await.unwrap().unwrap();
        state.calendars.iter().map(|c| c.id).collect()
    }

    /// Lives: people act, notices come and go, workers work, processes die, time passes.
    pub(crate) async fn live(&mut self) {
        for _ in 0..self.recipe.rounds {
            for _ in 0..self.rng.below(4) {
                self.cloud.with(|c| self.life.act(c, self.clock.now()));
            }
            if self.rng.below(12) == 0 {
                self.cloud.with(|c| self.life.meddle(c, CLIENT, self.clock.now()));
            }
            if self.recipe.crash_one_in > 0 && self.rng.below(self.recipe.crash_one_in) == 0 {
                self.mortality.arm(i64::try_from(1 + self.rng.below(90)).unwrap());
            }
            self.direct.tend();
            self.deliver().await;
            self.work().await;
            if self.rng.below(30) == 0 {
                let _ = self.engine.maintain_subscriptions().await;
                self.revive();
            }
            let minutes = 1 + i64::try_from(self.rng.below(100)).unwrap();
            self.clock.advance(SignedDuration::from_mins(minutes));
        }
    }

    /// Works until nobody is due.
    pub(crate) async fn work(&mut self) {
        for _ in 0..STEPS_MAX {
            self.steps += 1;
            match self.engine.step().await {
                Ok(None) => return,
                Ok(Some(_)) => {}
                Err(_) if self.mortality.is_dead() => {
                    self.revive();
                    return;
                }
                Err(error) => panic!("seed {}: {error}", self.recipe.seed),
            }
            self.revive();
        }
        panic!("seed {}: work never ends", self.recipe.seed);
    }

    /// If the process died: a new one, on the same store.
    pub(crate) fn revive(&mut self) {
        if !self.mortality.is_dead() {
            return;
        }
        self.crashes += 1;
        self.incarnation += 1;
        self.mortality = Arc::new(Mortality::default());
        self.engine =
            engine(&self.store, &self.direct, &self.clock, &self.ids, &self.mortality, self.incarnation);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.mortality.is_dead()
    }

    /// Another process of this installation, with another public address.
    pub(crate) fn moved_to(&self, public_url: &str) -> Engine {
        let config = EngineConfig { public_url: Some(public_url.to_owned()), ..config(self.incarnation + 1) };
        let direct = Arc::new(self.direct.with_hook(Arc::new(|| Ok(()))));
        engine_of(&self.store, direct, &self.clock, &self.ids, config)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// No more faults: time passes until every net has been cast (silence probes, daily listings, holds), then judges.
    pub(crate) async fn converge(&mut self) -> Judgement {
        self.faults.switch_off();
        self.mortality = Arc::new(Mortality::default());
        self.incarnation += 1;
        self.engine =
            engine(&self.store, &self.direct, &self.clock, &self.ids, &self.mortality, self.incarnation);
        for _ in 0..100 {
            self.deliver().await;
            self.work().await;
            self.clock.advance(SignedDuration::from_mins(20));
        }
        self.deliver().await;
        self.work().await;
        self.judge()
    }

    /// Delivers what waits and works, until both are quiet.
    pub(crate) async fn deliver_and_work(&mut self) {
        for _ in 0..6 {
            self.deliver().await;
            self.work().await;
        }
    }

    /// The process dies at the `nth` point from now.
    pub(crate) fn die_after(&mut self, nth: i64) {
        self.mortality.arm(nth);
    }

    /// Points at which this process could have died so far.
    pub(crate) fn points(&self) -> i64 {
        self.mortality.points()
    }

    /// Something happens in the middle of the provider's next call.
    pub(crate) fn during_next_call(&mut self, act: impl FnOnce() + Send + 'static) {
        self.at_point_of_calls(0, act);
    }

    /// The same when the provider's next call is over and its answer on the way.
    pub(crate) fn after_next_call(&mut self, act: impl FnOnce() + Send + 'static) {
        self.at_point_of_calls(1, act);
    }

    /// Each call has two points: before it takes effect, and after.
    fn at_point_of_calls(&mut self, nth: usize, act: impl FnOnce() + Send + 'static) {
        let state = Mutex::new((nth, Some(act)));
        let hook = Arc::new(move || {
            let mut state = state.lock().unwrap();
            if state.0 > 0 {
                state.0 -= 1;
            } else if let Some(act) = state.1.take() {
                act();
            }
            Ok(())
        });
        self.direct = self.direct.with_hook(hook.clone());
        let providers = Arc::new(self.direct.clone());
        self.engine = engine_of(&self.store, providers, &self.clock, &self.ids, config(self.incarnation));
    }

    /// From now on, calls to the provider are counted, and fail while it is said to be down.
    pub(crate) fn watch_calls(&mut self) -> Arc<Calls> {
        let calls = Arc::new(Calls::default());
        let counted = calls.clone();
        let hook = Arc::new(move || {
            counted.made.fetch_add(1, Ordering::Relaxed);
            match counted.goes_down_after.load(Ordering::Relaxed) {
                0 => {}
                1 => counted.down.store(true, Ordering::Relaxed),
                more => counted.goes_down_after.store(more - 1, Ordering::Relaxed),
            }
            if !counted.down.load(Ordering::Relaxed) {
                return Ok(());
            }
            let class = counted.answers.lock().unwrap().unwrap_or(ErrorClass::Transient);
            *counted.failed.lock().unwrap().entry(class.as_str()).or_default() += 1;
            Err(ProviderError::new(class, "503"))
        });
        let direct = self.direct.with_hook(hook);
        self.engine =
            engine_of(&self.store, Arc::new(direct), &self.clock, &self.ids, config(self.incarnation));
        calls
    }

    /// The person connects their account again.
    pub(crate) async fn reconnect(&self, user: UserId) {
        let state = self.store.user_state(user).await.unwrap().unwrap();
        let account =
            Account { status: AccountStatus::Active, status_detail: None, ..state.accounts[0].clone() };
        let credentials = SealedCredentials { sealed: vec![2], version: 2 };
        self.store.connect_account(&ConnectAccount { account, credentials }, self.clock.now()).await.unwrap();
    }

    pub(crate) fn judge_pairs(
        &self,
        pairs: &[(calsync_sim::cloud::names::CalendarId, calsync_sim::cloud::names::CalendarId)],
    ) -> Judgement {
        let window = self.window();
        self.cloud.with(|c| oracle::judge(c, CLIENT, pairs, &window))
    }

    pub(crate) fn window(&self) -> Window {
        Window::sliding(self.clock.now(), 1, 90)
    }

    pub(crate) fn judge(&self) -> Judgement {
        self.judge_pairs(&self.life.mesh())
    }

    /// Writes that calendar-sync made so far.
    pub(crate) fn writes(&self) -> usize {
        self.cloud.with(|c| c.journal().entries().len())
    }

    /// A digest of everything that calendar-sync ever did: equal for equal histories.
    pub(crate) fn trace(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.cloud.with(|c| {
            for entry in c.journal().entries() {
                format!("{} {} {} {:?}", entry.at, entry.calendar, entry.event, entry.op).hash(&mut hasher);
            }
        });
        hasher.finish()
    }
}
