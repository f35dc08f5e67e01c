//! The people of `bench processing`, their cloud, and the engine that serves them from a real database.

use std::sync::Arc;

use calsync_core::block::Identity;
use calsync_core::ports::{Clock, Store};
use calsync_core::time::Ts;
use calsync_engine::{Engine, EngineConfig};
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::names::EventId;
use calsync_sim::cloud::{Limits, SharedCloud};
use calsync_sim::direct::Direct;
use calsync_sim::faults::{FaultPlan, Rates};
use calsync_sim::life::Somebody;
use calsync_store::SqlStore;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;

use super::super::calls::counted::{Calls, Counted};
use super::super::notices::{self, Came};
use super::super::{failed, people};
use super::ProcessingArgs;
use crate::cli::exit::Failure;
use crate::system::{SystemClock, SystemRandom};

/// Where everybody lives.
const ZONE: &str = "Europe/Vienna";
/// Deliveries on their way at once.
const DELIVERING: usize = 64;
/// Waves of work that one change may cause; more means that something goes round in circles.
const WAVES_MAX: u32 = 100;
/// Rounds of opening channels.
const OPENING_MAX: u32 = 1_000;
/// How far an event is moved, and how long it is.
const MOVED: SignedDuration = SignedDuration::from_mins(5);
const LONG: SignedDuration = SignedDuration::from_mins(45);

/// All of it.
pub(super) struct World {
    cloud: SharedCloud,
    clock: SimClock,
    store: Arc<SqlStore>,
    direct: Direct,
    provider: Counted<Direct>,
    engine: Engine,
    people: Vec<Mover>,
    round: usize,
}

struct Mover {
    somebody: Somebody,
    events: Vec<(EventId, Ts)>,
}

/// The engine's clock, which is also the cloud's.
struct Now(SimClock);

impl Clock for Now {
    fn now(&self) -> Ts {
        self.0.now()
    }
}

impl World {
    /// Everybody is connected, all calendars are switched on and filled, all channels are open, nothing is left to do.
    pub(super) async fn begin(store: SqlStore, args: &ProcessingArgs) -> Result<World, Failure> {
        let now = SystemClock.now();
        let clock = SimClock::running(now);
        let cloud = SharedCloud::new(1, Limits::default());
        let faults = Arc::new(FaultPlan::new(1, &Rates::new()));
        let direct = Direct::new(cloud.clone(), clock.clone(), faults);
        let provider = Counted::new(direct.clone());
        let store = Arc::new(store);
        let config = EngineConfig {
            public_url: Some("https://sync.example.com".to_owned()),
            ..EngineConfig::default()
        };
        let engine = Engine::new(
            store.clone(),
            Arc::new(provider.clone()),
            Arc::new(Now(clock.clone())),
            Arc::new(SystemRandom),
            Identity::new([42; 32]),
            config,
        );
        let mut world = World { cloud, clock, store, direct, provider, engine, people: Vec::new(), round: 0 };
        for number in 0..args.people {
            let mover = world.born(number, args).map_err(failed)?;
            let at = (&world.engine, world.store.as_ref() as &dyn Store);
            people::join(&mover.somebody, at, &SystemRandom, now).await?;
            world.people.push(mover);
        }
        world.settle_in().await?;
        Ok(world)
    }

    fn born(&self, number: u32, args: &ProcessingArgs) -> Result<Mover, calsync_sim::cloud::CloudError> {
        let now = self.clock.now();
        let (email, name) = (format!("person{number}@example.com"), format!("Person {number}"));
        self.cloud.with(|cloud| {
            let who = (name.as_str(), email.as_str(), ZONE);
            let calendars = usize::from(args.calendars);
            let somebody = Somebody::arrive(cloud, who, calendars, args.provider.into(), now)?;
            let mut events = Vec::new();
            for event in 0..args.events {
                // Within the next weeks, never two at once for long.
                let start = now.floor_day().plus(SignedDuration::from_hours(24 + 2 * i64::from(event % 500)));
                let content = Content::timed("Meeting", start, start.plus(LONG), ZONE);
                events.push((cloud.create_event(&somebody.calendars[0], content, now)?.id.clone(), start));
            }
            Ok(Mover { somebody, events })
        })
    }

    async fn settle_in(&self) -> Result<(), Failure> {
        self.serve(2).await?;
        for _ in 0..OPENING_MAX {
            self.engine.maintain_subscriptions().await.map_err(failed)?;
            self.serve(2).await?;
            if self.store.unwatched_calendars(Ts::MAX, 1).await?.is_empty() {
                return Ok(());
            }
        }
        Err(failed("channels stay closed"))
    }

    /// Somewhere else in the same week; what the provider tells of it is stored.
    pub(super) async fn everybody_moves_an_event(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        self.round += 1;
        for Mover { somebody, events } in &mut self.people {
            let at = self.round % events.len();
            let Some((event, start)) = events.get_mut(at) else { continue };
            *start = start.plus(MOVED);
            let calendar = somebody.calendars[0].clone();
            let to = (When::at(*start, ZONE), When::at(start.plus(LONG), ZONE));
            self.cloud.with(|cloud| cloud.reschedule(&calendar, event, to, now)).map_err(failed)?;
        }
        self.deliver().await.map(drop)
    }

    /// So many workers step until nothing is left to do; the calls that it took.
    pub(super) async fn serve(&self, workers: usize) -> Result<Calls, Failure> {
        for _ in 0..WAVES_MAX {
            let tasks: Vec<_> = (0..workers).map(|_| tokio::spawn(work(self.engine.clone()))).collect();
            for task in tasks {
                task.await.map_err(failed)??;
            }
            if self.deliver().await? == 0 {
                return Ok(self.provider.take());
            }
        }
        Err(failed("the work never ends"))
    }

    /// How many there were.
    async fn deliver(&self) -> Result<usize, Failure> {
        let notices = notices::waiting(&self.cloud);
        let delivering =
            stream::iter(&notices).map(|notice| notices::deliver(&self.engine, &self.direct, notice));
        let came: Vec<Came> = delivering.buffer_unordered(DELIVERING).try_collect().await?;
        if came.contains(&Came::Refused) {
            return Err(failed("a notice was refused"));
        }
        Ok(notices.len())
    }

    /// Closes the database.
    pub(super) async fn end(self) {
        self.store.close().await;
    }
}

/// Steps while somebody is due.
async fn work(engine: Engine) -> Result<(), Failure> {
    while engine.step().await.map_err(failed)?.is_some() {}
    Ok(())
}
