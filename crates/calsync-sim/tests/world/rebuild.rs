//! The database is lost altogether, and with it who, where and what was written. People come back and connect their accounts: by the
//! marks in the calendars every block is known again, and which calendars took part.

use std::sync::Arc;

use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::journal::journal;
use super::world::World;
use super::{HOMES, block_on, homes_recipe};
use crate::world::Recipe;

/// A world that has lived, in step. Nobody has touched a block: what was left to a person after three times is known to the database
/// alone.
async fn lived(homes: calsync_sim::life::Homes, seed: u64) -> World {
    let recipe = Recipe { rounds: 20, crash_one_in: 0, faults: 0, ..homes_recipe(homes, seed) };
    let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
    world.work().await;
    for _ in 0..60 {
        world.cloud.with(|c| world.life.act(c, world.clock.now()));
        world.deliver_and_work().await;
        world.clock.advance(SignedDuration::from_mins(45));
    }
    assert!(world.converge().await.is_good(), "{recipe:?}");
    world
}

#[test]
fn after_the_loss_of_the_database_the_next_pass_writes_nothing() {
    for homes in HOMES {
        for seed in 141..145 {
            block_on(async {
                let mut world = lived(homes, seed).await;
                let before = world.writes();
                world.lose_the_database(Arc::new(MemoryStore::new())).await;
                for user in world.users.clone() {
                    let found = world.engine().preview_rebuild(user).await.unwrap();
                    assert!(found.is_at_rest() && found.known > 0, "{homes:?} {seed}: {found:?}");
                    assert_eq!(world.writes(), before, "looking writes nothing");
                    world.engine().enable_calendars(user, &found.calendars, "a test").await.unwrap();
                    let left = world.engine().preview_rebuild(user).await.unwrap();
                    assert_eq!(left.calendars, [], "all of them take part");
                }
                world.deliver_and_work().await;
                let written = journal(&world).await;
                let told: Vec<_> =
                    written.iter().map(|row| (row.deed, row.reason, &row.before, &row.after)).collect();
                assert_eq!(told, [], "{homes:?} {seed}");
                assert_eq!(world.writes(), before, "{homes:?} {seed}: nothing is written");
                let judgement = world.judge();
                assert!(judgement.is_good(), "{homes:?} {seed}: {:?}", judgement.mismatches);
                // And the mesh lives on: what happens next is written as ever.
                world.live().await;
                assert!(world.converge().await.is_good(), "{homes:?} {seed}");
            });
        }
    }
}
