//! A simulated world for measurements: people, their cloud, and the real engine on the memory store, in virtual time. It
//! does what is due when it is due, as the service would, and tells what was done. Everything follows from the seed.

mod deeds;
mod dice;
mod hours;
pub(super) mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::block::Identity;
use calsync_core::ids::UserId;
use calsync_core::ports::Store;
use calsync_core::time::Ts;
use calsync_engine::{Engine, EngineConfig, Maintenance, StepReport};
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::watch::{Notice, Provider};
use calsync_sim::cloud::{Limits, SharedCloud};
use calsync_sim::direct::Direct;
use calsync_sim::faults::{Fault, FaultPlan, Rates};
use calsync_sim::life::{Homes, Life};
use calsync_sim::rng::Rng;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::calls::counted::Counted;
use super::notices::{self, Came};
use super::{failed, people};
use crate::cli::exit::Failure;
use dice::{Dice, Now};
use shapes::Crowd;

/// When every life begins: a Tuesday.
const DAWN: &str = "2026-09-29T00:00:00Z";
/// How often channels are looked after in any case, as the service does.
const MAINTENANCE: SignedDuration = SignedDuration::from_mins(30);
/// Where a channel is due sooner: never oftener than this, as the service does.
const MAINTENANCE_APART: SignedDuration = SignedDuration::from_secs(5);
/// Steps of one burst of work, or bursts at one moment; more means that something goes round in circles.
const STEPS_MAX: u32 = 10_000;
/// A notice takes so many milliseconds: Google's seconds, Microsoft's up to three minutes (microsoft.md §8.6).
const GOOGLE_TAKES: (u64, u64) = (1_000, 10_000);
const MICROSOFT_TAKES: (u64, u64) = (5_000, 180_000);
/// One per cent, as faults are counted.
const PERCENT: u32 = 10_000;

/// How long notices take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Post {
    /// No time at all.
    AtOnce,
    /// Seconds from Google, up to three minutes from Microsoft.
    AsInLife,
}

/// What sort of world.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) crowd: Crowd,
    pub(super) seed: u64,
    pub(super) homes: Homes,
    pub(super) post: Post,
    /// Of a hundred notices so many never come.
    pub(super) dropped: u8,
}

/// What was done in a while.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) steps: Vec<StepReport>,
    /// Rounds of maintenance that did something.
    pub(super) maintained: Vec<Maintenance>,
    /// A channel was renewed or opened because of what its provider said.
    pub(super) asked: bool,
    pub(super) told: u64,
    pub(super) lost: u64,
}

/// All of it.
pub(super) struct World {
    pub(super) cloud: SharedCloud,
    pub(super) clock: SimClock,
    pub(super) life: Life,
    pub(super) users: Vec<UserId>,
    pub(super) store: Arc<dyn Store>,
    pub(super) provider: Counted<Direct>,
    pub(super) engine: Engine,
    direct: Direct,
    faults: Arc<FaultPlan>,
    dice: Arc<Dice>,
    /// For what is no business of the engine's.
    chance: Rng,
    pace: Post,
    on_its_way: BTreeMap<(Ts, u64), Notice>,
    posted: u64,
    lost: u64,
    maintained_at: Ts,
    /// Bursts of work at this very moment.
    bursts: u32,
}

impl World {
    /// Everybody is connected, all calendars are switched on and filled, all channels are open.
    pub(super) async fn begin(shape: Shape) -> Result<World, Failure> {
        let dawn: Ts = DAWN.parse().map_err(failed)?;
        let clock = SimClock::still(dawn);
        let cloud = SharedCloud::new(shape.seed, Limits::default());
        let sizes = (shape.crowd.people as usize, usize::from(shape.crowd.calendars));
        let life = cloud.with(|c| Life::begin_at(c, shape.seed, sizes, shape.homes, dawn)).map_err(failed)?;
        let rates = Rates::from([(Fault::NoticeLost, u32::from(shape.dropped) * PERCENT)]);
        let faults = Arc::new(FaultPlan::new(shape.seed, &rates));
        let direct = Direct::new(cloud.clone(), clock.clone(), faults.clone());
        let provider = Counted::new(direct.clone());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let dice = Arc::new(Dice::new(shape.seed ^ 0x0dd5));
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
        let mut world = World {
            cloud,
            clock,
            life,
            users: Vec::new(),
            store,
            provider,
            engine,
            direct,
            faults,
            dice,
            chance: Rng::new(shape.seed ^ 0xc4a2ce),
            pace: shape.post,
            on_its_way: BTreeMap::new(),
            posted: 0,
            lost: 0,
            maintained_at: Ts::MIN,
            bursts: 0,
        };
        world.settle_in().await?;
        Ok(world)
    }

    async fn settle_in(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        for person in self.life.people.clone() {
            let at = (&self.engine, self.store.as_ref());
            people::join(&person, at, self.dice.as_ref(), now).await?;
        }
        self.users = self.store.users().await?.into_iter().map(|user| user.id).collect();
        // Twice: the first fill may have to be finished before a channel is opened.
        for _ in 0..2 {
            self.go(self.clock.now()).await?;
            self.maintain(&mut Passed::default()).await?;
            self.go(self.clock.now()).await?;
            self.go(self.clock.now().plus(SignedDuration::from_mins(10))).await?;
        }
        let _ = self.provider.take();
        Ok(())
    }

    /// When something is due next, at the latest at `latest`.
    pub(super) async fn next(&self, latest: Ts) -> Result<Ts, Failure> {
        let arrives = self.on_its_way.keys().next().map(|(at, _)| *at);
        let due = [self.store.next_due().await?, arrives, Some(self.maintenance_due().await?)];
        let next = due.into_iter().flatten().min().map_or(latest, |at| at.min(latest));
        Ok(next.max(self.clock.now()))
    }

    async fn maintenance_due(&self) -> Result<Ts, Failure> {
        let regular = self.maintained_at.plus(MAINTENANCE);
        let due = self.engine.next_maintenance().await.map_err(failed)?;
        Ok(due.map_or(regular, |at| at.max(self.maintained_at.plus(MAINTENANCE_APART)).min(regular)))
    }

    /// Moves on to then, and does what is due.
    pub(super) async fn go(&mut self, to: Ts) -> Result<Passed, Failure> {
        let on = to.since(self.clock.now());
        self.bursts = if on.is_zero() { self.bursts + 1 } else { 0 };
        if self.bursts > STEPS_MAX {
            return Err(failed("time stands still"));
        }
        self.clock.advance(on);
        let mut passed = Passed::default();
        if to >= self.maintenance_due().await? {
            self.maintain(&mut passed).await?;
        }
        for _ in 0..STEPS_MAX {
            let came = self.deliver(&mut passed).await?;
            match self.engine.step().await.map_err(failed)? {
                Some(step) => passed.steps.push(step),
                None if came == 0 => return Ok(passed),
                None => {}
            }
        }
        Err(failed("the work never ends"))
    }

    async fn maintain(&mut self, passed: &mut Passed) -> Result<(), Failure> {
        self.direct.tend();
        let done = self.engine.maintain_subscriptions().await.map_err(failed)?;
        if done != Maintenance::default() {
            passed.maintained.push(done);
        }
        self.maintained_at = self.clock.now();
        Ok(())
    }

    /// Sends what the provider has to tell on its way. Whoever acts must do so at once: it is sent when it arose.
    fn post(&mut self) {
        let now = self.clock.now();
        for notice in notices::waiting(&self.cloud) {
            if self.faults.strikes(Fault::NoticeLost) {
                self.direct.threw_away(&notice);
                self.lost += 1;
                continue;
            }
            let takes = self.takes(notice.channel.provider);
            self.posted += 1;
            self.on_its_way.insert((now.plus(takes), self.posted), notice);
        }
    }

    /// Brings what has arrived; how much that was.
    async fn deliver(&mut self, passed: &mut Passed) -> Result<usize, Failure> {
        self.post();
        passed.lost += std::mem::take(&mut self.lost);
        let now = self.clock.now();
        let later = self.on_its_way.split_off(&(now, u64::MAX));
        let arrived = std::mem::replace(&mut self.on_its_way, later);
        for notice in arrived.values() {
            // What comes through a channel that was closed meanwhile is refused, and nobody's loss.
            passed.asked |= notices::deliver(&self.engine, &self.direct, notice).await? == Came::Asking;
            passed.told += 1;
        }
        Ok(arrived.len())
    }

    fn takes(&mut self, provider: Provider) -> SignedDuration {
        let (least, most) = match (self.pace, provider) {
            (Post::AtOnce, _) => return SignedDuration::ZERO,
            (Post::AsInLife, Provider::Google) => GOOGLE_TAKES,
            (Post::AsInLife, Provider::Microsoft) => MICROSOFT_TAKES,
        };
        let millis = least + self.chance.below(most - least);
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0))
    }
}
