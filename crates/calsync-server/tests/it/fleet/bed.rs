//! The fleet with all that belongs to it: PostgreSQL, Redis, the calendar cloud, people, and the forwarder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use calsync_sim::life::Life;
use calsync_testbed::postgres::{Cluster, ClusterOptions};
use calsync_testbed::redis::Redis;

use super::forwarder::Forwarder;
use super::instance::Instance;
use crate::channels::now;
use crate::place::{PATIENCE, Place, free_listener, until};
use crate::world::World;

/// Name of the database.
pub(crate) const DATABASE: &str = "sync";
/// A lease, in seconds: who dies is followed after so long.
pub(crate) const LEASE: u64 = 2;
/// A short window, so that a series is a few blocks.
pub(crate) const DAYS_AHEAD: u16 = 10;

/// A whole fleet.
pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
    pub(crate) redis: Redis,
    pub(crate) world: Arc<World>,
    pub(crate) life: Life,
    pub(crate) forwarder: Forwarder,
    pub(crate) instances: Vec<Instance>,
    pub(crate) seed: u64,
}

impl Bed {
    /// All of it runs, people are connected, and their calendars are filled.
    pub(crate) async fn make(roles: &[&'static str], seed: u64) -> Bed {
        let seed = std::env::var("CALSYNC_FLEET_SEED").map_or(seed, |text| text.parse().expect("a number"));
        let cluster = Cluster::start(&ClusterOptions::default());
        let redis = Redis::start();
        let mut instances: Vec<Instance> = addresses(roles.len())
            .into_iter()
            .zip(roles)
            .map(|(address, roles)| Instance::new(address, roles))
            .collect();
        let web = instances.iter().filter(|i| i.is_web()).map(|i| i.address).collect();
        let forwarder = Forwarder::start(web);
        let mut place = Place::on(&cluster.create_database(DATABASE));
        for (key, value) in [
            ("SERVER__PUBLIC_URL", format!("http://{}", forwarder.address)),
            ("REDIS__URL", redis.url()),
            ("SYNC__LEASE_SECONDS", LEASE.to_string()),
            ("SYNC__POLL_SECONDS", "2".to_owned()),
            ("SYNC__FALLBACK_POLL_SECONDS", "2".to_owned()),
            ("SYNC__HOLD_RECHECK_SECONDS", "1".to_owned()),
            ("SYNC__WINDOW_FUTURE_DAYS", DAYS_AHEAD.to_string()),
        ] {
            place.set(key, value);
        }
        let world = World::around(place, seed).await;
        let life = world.sim.cloud().with(|cloud| Life::begin(cloud, seed, (3, 3), now())).unwrap();
        for person in &life.people {
            world.sign_in(person.email.as_str()).await;
        }
        world.enable_all();
        for instance in &mut instances {
            instance.start(&world.place).await;
        }
        let mut bed = Bed { cluster, redis, world: Arc::new(world), life, forwarder, instances, seed };
        bed.settle_in().await;
        bed
    }

    /// Channels are open, and both jobs were done once.
    async fn settle_in(&mut self) {
        let calendars = self.life.people.iter().map(|p| p.calendars.len()).sum();
        self.world.wait_for_channels(calendars).await;
        until("every calendar is filled", PATIENCE, async || self.is_right().then_some(())).await;
        until("the jobs were done", PATIENCE, async || {
            (self.count(&["a job was done for the fleet", "discovery"]) == 1).then_some(())
        })
        .await;
    }

    /// Whether the oracle agrees.
    pub(crate) fn is_right(&self) -> bool {
        self.world.judge_within(&self.life.mesh(), DAYS_AHEAD).is_good()
    }

    /// Lines of all logs that hold all of these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let all: Vec<String> = self.instances.iter().map(Instance::said).collect();
        let lines = all.iter().flat_map(|log| log.lines());
        lines.filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// What the database says.
    pub(crate) fn ask(&self, sql: &str) -> String {
        self.cluster.psql(DATABASE, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// All logs, for a failure.
    pub(crate) fn logs(&self) -> String {
        let all = self.instances.iter().map(|i| format!("--- {}\n{}", i.address, i.said()));
        all.collect::<Vec<_>>().join("\n")
    }
}

/// So many addresses that differ.
fn addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| free_listener()).collect();
    listeners.iter().map(|l| l.local_addr().unwrap()).collect()
}

/// How often the troubles come round.
pub(crate) fn rounds() -> u32 {
    std::env::var("CALSYNC_FLEET_ROUNDS").map_or(1, |text| text.parse().expect("a number"))
}

/// Rests.
pub(crate) async fn rest(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
