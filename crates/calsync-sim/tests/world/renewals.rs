//! Push channels that are renewed: whatever comes in between (a death, another instance, a revoked grant, a clock that jumps),
//! one channel or polling covers every calendar.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use calsync_core::calendar::AccountStatus;
use calsync_core::subscription::PROVISIONAL_LIFE;
use calsync_sim::cloud::content::Content;
use calsync_sim::life::Homes;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::cast::{GOOGLE, MICROSOFT};
use super::lifecycle::{alerts, one_channel_each, tend};
use super::scenarios::{all_calendars, settled};
use super::world::{Recipe, World};
use super::{HOMES, block_on, homes_recipe};

/// One person with two calendars, in step.
async fn small(homes: Homes) -> World {
    let recipe = Recipe { people: 1, calendars: 2, rounds: 0, ..homes_recipe(homes, 25) };
    let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
    world.faults.switch_off();
    world.deliver_and_work().await;
    world
}

/// The process dies at every single point of opening, renewing, repairing and closing. Afterwards one channel stands for each
/// calendar, here and at the provider: none is orphaned, none doubled.
#[test]
fn dying_at_every_point_of_a_renewal_orphans_nothing() {
    for homes in HOMES {
        let life = |death: Option<i64>| async move {
            let mut world = small(homes).await;
            if let Some(point) = death {
                world.die_after(point);
            }
            // All of them are due.
            world.clock.advance(SignedDuration::from_hours(41));
            for _ in 0..2 {
                let _ = world.engine().maintain_subscriptions().await;
                world.revive();
            }
            world.clock.advance(SignedDuration::from_hours(5 * 24));
            let _ = world.engine().maintain_subscriptions().await;
            world.revive();
            world
        };
        let before = block_on(async { small(homes).await.points() });
        let points = block_on(async { life(None).await.points() }) - before;
        assert!(points > 30, "{homes:?}: {points} points");
        for point in 1..=points {
            block_on(async {
                let mut world = life(Some(point)).await;
                let what = format!("{homes:?} dies at point {point} of {points}");
                // Something happens, so that whoever is there without our knowing calls.
                for wait in [PROVISIONAL_LIFE, PROVISIONAL_LIFE, SignedDuration::from_mins(30)] {
                    world.clock.advance(wait + SignedDuration::from_secs(1));
                    let now = world.clock.now();
                    for person in world.life.people.clone() {
                        for calendar in &person.calendars {
                            let start = now.plus(SignedDuration::from_hours(20));
                            let end = start.plus(SignedDuration::from_mins(15));
                            let made = Content::timed("something", start, end, "UTC");
                            world.cloud.with(|c| c.create_event(calendar, made, now)).unwrap();
                        }
                    }
                    world.deliver_and_work().await;
                    world.engine().maintain_subscriptions().await.unwrap();
                    world.deliver_and_work().await;
                }
                one_channel_each(&world, &what).await;
                assert!(world.judge().is_good(), "{what}: {:?}", world.judge());
            });
        }
    }
}

/// Two instances look after channels at the same time: neither opens a second one.
#[test]
fn two_at_once_open_one_channel() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let world = settled(homes, 26).await;
            world.clock.advance(SignedDuration::from_hours(8 * 24));
            let (one, two) = (world.engine().clone(), world.engine().clone());
            let (one, two) = futures_util::join!(one.maintain_subscriptions(), two.maintain_subscriptions());
            one.unwrap();
            two.unwrap();
            one_channel_each(&world, "two at once").await;
        });
    }
}

/// Revoked in the middle of a renewal: this account stops, the others go on; connected again, it has its channels again.
#[test]
fn credentials_revoked_in_the_middle_of_a_renewal_stop_one_account() {
    block_on(async {
        let mut world = settled(GOOGLE, 29).await;
        let email = world.life.people[0].email.as_str().to_owned();
        world.clock.advance(SignedDuration::from_hours(7 * 24 - 1));
        let (direct, whose) = (world.direct.clone(), email.clone());
        world.during_next_call(move || direct.revoke(&whose));
        let done = world.engine().maintain_subscriptions().await.unwrap();
        assert!(done.renewed > 0 && done.failed > 0, "{done:?}");
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        assert_eq!(state.accounts[0].status, AccountStatus::NeedsReconnect);
        assert_eq!(alerts(&world, "account_needs_reconnect").await.len(), 1);
        world.clock.advance(SignedDuration::from_hours(2));
        world.engine().maintain_subscriptions().await.unwrap();
        world.direct.grant(&email);
        world.reconnect(world.users[0]).await;
        world.deliver_and_work().await;
        world.engine().maintain_subscriptions().await.unwrap();
        world.deliver_and_work().await;
        one_channel_each(&world, "connected again").await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}

/// A clock that jumps: far ahead (channels have ended meanwhile), and back again.
#[test]
fn a_clock_that_jumps_leaves_nobody_uncovered() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 30).await;
            world.clock.advance(SignedDuration::from_hours(30 * 24));
            tend(&world).await;
            world.deliver_and_work().await;
            one_channel_each(&world, "a month later").await;
            world.clock.advance(-SignedDuration::from_hours(24));
            for _ in 0..3 {
                tend(&world).await;
                world.deliver_and_work().await;
            }
            one_channel_each(&world, "a day back").await;
            let calls = world.watch_calls();
            for _ in 0..60 {
                world.clock.advance(SignedDuration::from_mins(1));
                tend(&world).await;
                world.deliver_and_work().await;
            }
            let calendars = all_calendars(&world).await.len() as u64;
            assert!(calls.made.load(Ordering::Relaxed) <= 8 * calendars, "no storm after it went back");
            for id in all_calendars(&world).await {
                assert!(
                    world.store.calendar(id).await.unwrap().unwrap().due_at.is_some(),
                    "somebody will look"
                );
            }
        });
    }
}
