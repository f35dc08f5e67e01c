//! What befalls a fleet while people live: deaths, stops longer than a lease, a database that goes and comes back, a
//! Redis that does. One list, gone through as often as asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use calsync_sim::faults::{self, Fault};
use calsync_sim::life::Life;
use calsync_sim::rng::Rng;
use calsync_testbed::postgres::Mode;
use tokio::task::JoinHandle;

use super::bed::{Bed, LEASE, rest, rounds};
use super::verdict;
use crate::channels::now;
use crate::world::{CLIENT, World};

/// Faults of the provider per million chances, as `demo --faults` has them.
const FAULT_RATE: u32 = 30_000;
/// Between two deeds, in milliseconds: about this long.
const PACE_MS: u64 = 250;
/// One deed in so many is a hand laid on a block.
const MEDDLE_ONE_IN: u64 = 12;
/// Tries to stop an instance in the very middle of its work.
const STOPS_MAX: u32 = 8;
/// What a worker says whose lease was taken over while it was stopped.
const REFUSED: &str = "was taken over by another worker";

/// People who live until told to stop.
struct Living {
    stop: Arc<AtomicBool>,
    deeds: Arc<AtomicU32>,
    task: JoinHandle<Life>,
}

impl Living {
    fn begin(world: Arc<World>, mut life: Life, seed: u64) -> Living {
        let (stop, deeds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (told, count) = (stop.clone(), deeds.clone());
        let task = tokio::spawn(async move {
            let mut dice = Rng::new(seed ^ 0xace5);
            while !told.load(Ordering::SeqCst) {
                let meddles = dice.below(MEDDLE_ONE_IN) == 0;
                let deed = world.sim.cloud().with(|cloud| {
                    if meddles { life.meddle(cloud, CLIENT, now()) } else { life.act(cloud, now()) }
                });
                count.fetch_add(u32::from(deed.is_some()), Ordering::SeqCst);
                rest(PACE_MS / 2 + dice.below(PACE_MS)).await;
            }
            life
        });
        Living { stop, deeds, task }
    }

    async fn end(self) -> (Life, u32) {
        self.stop.store(true, Ordering::SeqCst);
        (self.task.await.unwrap(), self.deeds.load(Ordering::SeqCst))
    }
}

/// Lives through all of it, and is judged.
pub(crate) async fn live_through(mut bed: Bed) {
    let began = Instant::now();
    for (fault, rate) in faults::every_fault(FAULT_RATE) {
        // A throttled client waits for half a minute, as it is told: there is no time for that here.
        let throttles = matches!(fault, Fault::TooManyRequests | Fault::RateLimited);
        bed.world.sim.faults().set_rate(fault, if throttles { 0 } else { rate });
    }
    bed.world.sim.faults().switch_on();
    let living = Living::begin(bed.world.clone(), bed.life.clone(), bed.seed);
    let mut dice = Rng::new(bed.seed);
    let mut refused = 0;
    for _ in 0..rounds() {
        refused += round(&mut bed, &mut dice).await;
    }
    let (life, deeds) = living.end().await;
    bed.world.sim.faults().switch_off();
    bed.life = life;
    println!("{:?} of trouble, {deeds} deeds, {refused} stale workers refused", began.elapsed());
    assert!(refused > 0, "nobody was ever stopped in the middle of its work: {}", bed.logs());
    verdict::judge(bed).await;
}

/// One of each; how many stale workers were refused.
async fn round(bed: &mut Bed, dice: &mut Rng) -> usize {
    rest(500 + dice.below(1000)).await;
    die(bed, dice, 800).await;
    let refused = stop_in_the_middle(bed).await;
    bed.cluster.restart(Mode::Fast);
    rest(500 + dice.below(1000)).await;
    die(bed, dice, 0).await;
    bed.cluster.restart(Mode::Immediate);
    rest(300 + dice.below(500)).await;
    bed.redis.kill();
    die(bed, dice, 200).await;
    bed.redis.start_again();
    let any = pick(bed, dice);
    bed.instances[any].stop().await;
    rest(dice.below(500)).await;
    bed.instances[any].start(&bed.world.place).await;
    // An outage that is longer than anybody's patience with one receipt.
    bed.cluster.stop(Mode::Fast);
    rest(2_000).await;
    bed.cluster.start_again();
    rest(1_000).await;
    refused
}

fn pick(bed: &Bed, dice: &mut Rng) -> usize {
    usize::try_from(dice.below(bed.instances.len() as u64)).unwrap()
}

/// Somebody is killed, and comes back after so many milliseconds.
async fn die(bed: &mut Bed, dice: &mut Rng, gone: u64) {
    let any = pick(bed, dice);
    bed.instances[any].kill();
    rest(gone).await;
    bed.instances[any].start(&bed.world.place).await;
}

/// A worker is stopped while it holds somebody's lease, for so long that another one takes it over. Woken, it goes on with
/// what it was at, and must be refused. Tried until that was seen.
async fn stop_in_the_middle(bed: &mut Bed) -> usize {
    for _ in 0..STOPS_MAX {
        let Some((holder, resource, token)) = holder(bed).await else { continue };
        bed.instances[holder].signal("STOP");
        // It may have given it back in its last moment.
        let held = bed.ask(&format!(
            "SELECT token FROM leases WHERE resource = '{resource}' AND token = {token} AND owner IS NOT NULL"
        ));
        if held.is_empty() {
            bed.instances[holder].signal("CONT");
            continue;
        }
        let stopped = Instant::now();
        while stopped.elapsed() < Duration::from_secs(3 * LEASE) {
            rest(100).await;
            let now = bed.ask(&format!("SELECT token FROM leases WHERE resource = '{resource}'"));
            if stopped.elapsed() > Duration::from_secs(LEASE) && now != token {
                break;
            }
        }
        let before = bed.instances[holder].says().matches(REFUSED).count();
        bed.instances[holder].signal("CONT");
        let woken = Instant::now();
        while woken.elapsed() < Duration::from_secs(3) {
            let refused = bed.instances[holder].says().matches(REFUSED).count() - before;
            if refused > 0 {
                return refused;
            }
            rest(50).await;
        }
    }
    0
}

/// Somebody who holds a user's lease just now: which instance, which lease, and its token.
async fn holder(bed: &Bed) -> Option<(usize, String, String)> {
    let looked = Instant::now();
    while looked.elapsed() < Duration::from_secs(5) {
        let held = bed.ask(
            "SELECT resource, token, owner FROM leases WHERE resource LIKE 'user:%' AND owner IS NOT NULL LIMIT 1",
        );
        let parts: Vec<&str> = held.split('|').collect();
        if let [resource, token, owner] = parts[..] {
            let of = |i: &super::instance::Instance| i.is_worker() && i.says().contains(owner);
            if let Some(holder) = bed.instances.iter().position(of) {
                return Some((holder, resource.to_owned(), token.to_owned()));
            }
        }
        rest(10).await;
    }
    None
}
