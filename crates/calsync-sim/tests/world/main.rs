//! Whole worlds: seeded histories with faults and crashes, then quiet, and then the oracle must agree with what stands
//! in every target. `CALSYNC_WORLD_SEEDS` says how many seeds (from `CALSYNC_WORLD_FROM`, default 1) are lived in memory,
//! `CALSYNC_WORLD_SQLITE_SEEDS` and `CALSYNC_WORLD_POSTGRES_SEEDS` how many on these; a seed that fails prints itself.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is test code, its set-up included")]

mod cast;
mod channels;
mod closings;
mod deaths;
mod echoes;
mod freshness;
mod guests;
mod journal;
mod leaving;
mod lifecycle;
mod listings;
mod microsoft;
mod mortal;
mod post;
mod preview;
mod process;
mod rebuild;
mod renewals;
mod rollout;
mod rules;
mod scenarios;
mod stuck;
mod undo;
mod watching;
mod week;
mod world;

use std::sync::Arc;

use calsync_core::ports::Store;
use calsync_sim::life::Homes;
use calsync_store::{MemoryStore, Migrate, SqlStore};
use cast::{GOOGLE, MICROSOFT, MIXED};
use world::{Recipe, World};

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn run(recipe: Recipe) -> World {
    run_on(recipe, Arc::new(MemoryStore::new())).await
}

async fn run_on(recipe: Recipe, store: Arc<dyn Store>) -> World {
    let mut world = World::begin(recipe, store).await;
    world.work().await;
    world.live().await;
    let judgement = world.converge().await;
    assert!(
        judgement.is_good(),
        "{recipe:?}\n{} duplicates, {} foreign, {} could have mailed\n{}",
        judgement.duplicates,
        judgement.foreign_events_touched,
        judgement.could_have_mailed,
        judgement.mismatches.join("\n")
    );
    journal::assert_tells_all(&world).await;
    if env("CALSYNC_WORLD_TELL", 0) > 0 {
        let fired: u64 = world.faults.fired().values().sum();
        println!(
            "seed {}: {} blocks stand, {} writes, {} faults, {} crashes, {} steps",
            recipe.seed,
            judgement.blocks,
            world.writes(),
            fired,
            world.crashes,
            world.steps
        );
    }
    world
}

fn recipe(seed: u64) -> Recipe {
    Recipe { seed, people: 2, calendars: 3, rounds: 60, faults: 0, crash_one_in: 0, homes: GOOGLE }
}

/// A world with calendars there. In a mixed one everybody has two at each provider.
fn homes_recipe(homes: Homes, seed: u64) -> Recipe {
    let calendars = if homes == MIXED { 4 } else { 3 };
    Recipe { homes, calendars, ..recipe(seed) }
}

const HOMES: [Homes; 3] = [GOOGLE, MICROSOFT, MIXED];

/// Where this seed's calendars are, where seeds are few.
fn in_turn(seed: u64) -> Homes {
    HOMES[usize::try_from(seed % 3).unwrap()]
}

#[test]
fn a_quiet_world_is_in_step() {
    for (homes, seed) in HOMES.into_iter().flat_map(|homes| [(homes, 1), (homes, 2), (homes, 3)]) {
        let world = block_on(run(Recipe { rounds: 0, ..homes_recipe(homes, seed) }));
        assert!(world.writes() > 50, "there was something to do");
    }
}

#[test]
fn a_lively_world_is_in_step() {
    for seed in 1..=6 {
        block_on(run(homes_recipe(in_turn(seed), seed)));
    }
}

/// So many seeds of calendars there, with faults and crashes.
fn faulty(homes: Homes, seeds: u64) {
    let from = env("CALSYNC_WORLD_FROM", 1);
    for seed in from..from + env("CALSYNC_WORLD_SEEDS", seeds) {
        block_on(run(Recipe { faults: 60_000, crash_one_in: 4, ..homes_recipe(homes, seed) }));
    }
}

#[test]
fn a_faulty_world_converges() {
    faulty(GOOGLE, 20);
}

#[test]
fn a_faulty_world_of_microsoft_converges() {
    faulty(MICROSOFT, 16);
}

#[test]
fn a_faulty_mixed_world_converges() {
    faulty(MIXED, 12);
}

/// The same on a database, where every call takes its time: fewer seeds, shorter lives.
async fn faulty_on(url: &str, seed: u64) {
    let store = Arc::new(SqlStore::open(url, Migrate::Run).await.unwrap());
    let recipe = Recipe { faults: 60_000, crash_one_in: 4, rounds: 40, ..homes_recipe(in_turn(seed), seed) };
    let world = run_on(recipe, store).await;
    world.store.close().await;
}

#[test]
fn a_faulty_world_converges_on_sqlite() {
    let from = env("CALSYNC_WORLD_FROM", 1);
    for seed in from..from + env("CALSYNC_WORLD_SQLITE_SEEDS", 3) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("world.db").display());
        block_on(faulty_on(&url, seed));
    }
}

#[test]
fn a_faulty_world_converges_on_postgresql() {
    let from = env("CALSYNC_WORLD_FROM", 1);
    for seed in from..from + env("CALSYNC_WORLD_POSTGRES_SEEDS", 3) {
        block_on(faulty_on(calsync_testbed::postgres::Database::shared().url(), seed));
    }
}
