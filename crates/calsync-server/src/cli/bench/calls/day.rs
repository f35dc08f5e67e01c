//! One simulated day: people, their cloud, the real engine on the memory store, in virtual time. Notices are delivered
//! the moment they arise. Everything follows from the seed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::block::Identity;
use calsync_core::ports::{Clock, IdGen, Store};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_engine::{Engine, EngineConfig};
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::watch::{Notice, Resource};
use calsync_sim::cloud::{Limits, SharedCloud};
use calsync_sim::direct::Direct;
use calsync_sim::faults::{FaultPlan, Rates};
use calsync_sim::life::{Homes, Life};
use calsync_sim::rng::Rng;
use calsync_store::MemoryStore;
use jiff::SignedDuration;
use uuid::Uuid;

use super::super::{failed, notices, people};
use super::Day;
use super::counted::Counted;
use crate::cli::exit::Failure;

/// When every day begins.
const DAWN: &str = "2026-09-29T00:00:00Z";
/// How often channels are looked after, as the service does.
const MAINTENANCE: SignedDuration = SignedDuration::from_mins(30);
/// Steps of one burst of work; more means that something goes round in circles.
const STEPS_MAX: u32 = 10_000;
/// Attempts at one deed: not every one that is chosen is possible just then.
const ATTEMPTS_MAX: u32 = 1_000;

/// What sort of day.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) people: u32,
    pub(super) calendars: u8,
    pub(super) changes: u32,
    pub(super) seed: u64,
    pub(super) homes: Homes,
}

struct Now(SimClock);

impl Clock for Now {
    fn now(&self) -> Ts {
        self.0.now()
    }
}

struct Dice(Mutex<Rng>);

impl Dice {
    fn roll<T>(&self, roll: impl FnOnce(&mut Rng) -> T) -> T {
        roll(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IdGen for Dice {
    fn uuid(&self, now: Ts) -> Uuid {
        let mut random = [0u8; 10];
        self.roll(|rng| {
            for part in random.chunks_mut(5) {
                part.copy_from_slice(&rng.next_u64().to_be_bytes()[..5]);
            }
        });
        uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.millis()).unwrap_or(0), &random)
            .into_uuid()
    }

    fn token(&self) -> Secret {
        Secret::new(self.roll(|rng| rng.letters(43)))
    }

    fn below(&self, bound: u64) -> u64 {
        self.roll(|rng| rng.below(bound))
    }
}

struct World {
    cloud: SharedCloud,
    clock: SimClock,
    life: Life,
    store: Arc<dyn Store>,
    direct: Direct,
    provider: Counted<Direct>,
    engine: Engine,
    dice: Arc<Dice>,
}

/// Lives it.
pub(super) async fn live(shape: Shape) -> Result<Day, Failure> {
    let mut world = World::begin(shape)?;
    world.settle_in().await?;
    let calendars: usize = world.life.people.iter().map(|p| p.calendars.len()).sum();
    let mut day = Day { calendars: calendars as u64, ..Day::default() };
    let _ = world.provider.take();
    let end = world.clock.now().plus(SignedDuration::from_hours(24));
    let mut maintenance = world.clock.now().plus(MAINTENANCE);
    let mut deeds = world.moments(shape.people * shape.changes);
    loop {
        let due = world.store.next_due().await?.unwrap_or(end);
        let deed = deeds.last().copied().unwrap_or(end);
        let next = due.min(deed).min(maintenance).min(end).max(world.clock.now());
        if next >= end {
            return Ok(day);
        }
        world.clock.advance(next.since(world.clock.now()));
        // What fell due is done first, so that its calls are not booked to the deed.
        if next >= maintenance {
            world.engine.maintain_subscriptions().await.map_err(failed)?;
            maintenance = maintenance.plus(MAINTENANCE);
        }
        world.work().await?;
        day.upkeep = day.upkeep.plus(world.provider.take());
        if next >= deed {
            deeds.pop();
            day.changed_calendars += world.act().await?;
            world.work().await?;
            day.after_changes = day.after_changes.plus(world.provider.take());
            day.changes += 1;
        }
    }
}

impl World {
    fn begin(shape: Shape) -> Result<World, Failure> {
        let dawn: Ts = DAWN.parse().map_err(failed)?;
        let clock = SimClock::still(dawn);
        let cloud = SharedCloud::new(shape.seed, Limits::default());
        let sizes = (shape.people as usize, usize::from(shape.calendars));
        let life = cloud.with(|c| Life::begin_at(c, shape.seed, sizes, shape.homes, dawn)).map_err(failed)?;
        let faults = Arc::new(FaultPlan::new(shape.seed, &Rates::new()));
        let direct = Direct::new(cloud.clone(), clock.clone(), faults);
        let provider = Counted::new(direct.clone());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let dice = Arc::new(Dice(Mutex::new(Rng::new(shape.seed ^ 0x0dd5))));
        let config = EngineConfig {
            public_url: Some("https://sync.example.com".to_owned()),
            ..EngineConfig::default()
        };
        let engine = Engine::new(
            store.clone(),
            Arc::new(provider.clone()),
            Arc::new(Now(clock.clone())),
            dice.clone(),
            Identity::new([42; 32]),
            config,
        );
        Ok(World { cloud, clock, life, store, direct, provider, engine, dice })
    }

    /// Everybody is connected, all calendars are switched on and filled, all channels are open.
    async fn settle_in(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        for person in self.life.people.clone() {
            let at = (&self.engine, self.store.as_ref());
            people::join(&person, at, self.dice.as_ref(), now).await?;
        }
        // Twice: the first fill may have to be finished before a channel is opened.
        for _ in 0..2 {
            self.work().await?;
            self.engine.maintain_subscriptions().await.map_err(failed)?;
            self.work().await?;
            self.clock.advance(SignedDuration::from_mins(10));
        }
        self.work().await
    }

    /// So many moments of the day, the last one first.
    fn moments(&self, count: u32) -> Vec<Ts> {
        const DAY: u64 = 86_400;
        let second = |_| i64::try_from(self.dice.below(DAY)).unwrap_or(0);
        let mut seconds: Vec<i64> = (0..count).map(second).collect();
        seconds.sort_unstable_by_key(|s| std::cmp::Reverse(*s));
        let now = self.clock.now();
        seconds.into_iter().map(|s| now.plus(SignedDuration::from_secs(s))).collect()
    }

    /// Somebody does something; how many calendars it changed, as far as anybody is told.
    async fn act(&mut self) -> Result<u64, Failure> {
        let now = self.clock.now();
        for _ in 0..ATTEMPTS_MAX {
            let life = &mut self.life;
            if self.cloud.with(|cloud| life.act(cloud, now)).is_some() {
                let notices = self.notices();
                let changed: BTreeSet<&Resource> = notices.iter().map(|n| &n.channel.resource).collect();
                let count = changed.len() as u64;
                self.deliver(&notices).await?;
                return Ok(count);
            }
        }
        Err(Failure::failed("nobody finds anything to do"))
    }

    fn notices(&self) -> Vec<Notice> {
        notices::waiting(&self.cloud)
    }

    /// Works and delivers until both are quiet.
    async fn work(&mut self) -> Result<(), Failure> {
        for _ in 0..STEPS_MAX {
            let notices = self.notices();
            self.deliver(&notices).await?;
            if self.engine.step().await.map_err(failed)?.is_none() && notices.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::failed("the work never ends"))
    }

    async fn deliver(&self, notices: &[Notice]) -> Result<(), Failure> {
        for notice in notices {
            notices::deliver(&self.engine, &self.direct, notice).await?;
        }
        Ok(())
    }
}
