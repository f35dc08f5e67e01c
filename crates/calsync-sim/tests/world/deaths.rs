//! The crash matrix: what a death at any single point of a short life costs.

use std::sync::Arc;

use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::cast::MIXED;
use super::world::{Recipe, World};
use super::{block_on, homes_recipe, recipe};

/// The crash matrix: a short life, cut off at every single point at which a process can die, one after the other.
#[test]
fn dying_at_every_point_loses_nothing() {
    death_at_every_point(Recipe { calendars: 2, ..recipe(12) });
}

/// The same where one person's calendars stand at both providers, and there is only one person, to keep it short.
#[test]
fn dying_at_every_point_of_a_mixed_world_loses_nothing() {
    death_at_every_point(Recipe { calendars: 2, people: 1, ..homes_recipe(MIXED, 12) });
}

fn death_at_every_point(recipe: Recipe) {
    let recipe = Recipe { rounds: 0, ..recipe };
    let life = |death: Option<i64>| async move {
        let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
        world.faults.switch_off();
        if let Some(point) = death {
            world.die_after(point);
        }
        world.deliver_and_work().await;
        let now = world.clock.now();
        for _ in 0..6 {
            world.cloud.with(|c| world.life.act(c, now));
        }
        world.deliver_and_work().await;
        for _ in 0..3 {
            world.clock.advance(SignedDuration::from_mins(3));
            world.deliver_and_work().await;
        }
        world
    };
    let points = block_on(async { life(None).await.points() });
    assert!(points > 200, "{points} points");
    for point in 1..=points {
        block_on(async {
            let mut world = life(Some(point)).await;
            if world.crashes == 0 {
                return;
            }
            // Nothing was lost on the way, so a lease's life and the retry steps are all that can be waited for.
            for _ in 0..3 {
                world.clock.advance(SignedDuration::from_mins(16));
                world.deliver_and_work().await;
            }
            let judgement = world.judge();
            assert!(judgement.is_good(), "dies at point {point} of {points}: {judgement:?}");
        });
    }
}
