//! Calendars that leave and come back: disabled, reset, stopped. Whatever happens on the way, what calendar-sync made goes
//! where it was to go, stays where it was to stay, and nothing of anybody else's is ever touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::calendar::{Calendar, Leaving};
use calsync_core::ids::CalendarId;
use calsync_core::leaving::Obstacle;
use calsync_core::ledger::LedgerState;
use calsync_core::ports::{CalendarChange, Switch};
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::names::CalendarId as RemoteId;
use calsync_sim::faults::Fault;
use calsync_sim::life::Homes;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::cast::{GOOGLE, MICROSOFT, MIXED};
use super::scenarios::{all_calendars, crowd, empty, read_everything, settled, standing};
use super::world::{Recipe, World};
use super::{HOMES, block_on, homes_recipe};

/// This service's row of the `nth` calendar of the first person.
async fn row(world: &World, nth: usize) -> Calendar {
    let remote = world.life.people[0].calendars[nth].clone();
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    state.calendars.into_iter().find(|c| c.remote.calendar == remote.as_str()).unwrap()
}

async fn leave(world: &World, nth: usize, why: Leaving) {
    let calendar = row(world, nth).await;
    world.engine().take_out(&calendar, why).await.unwrap();
}

async fn enable(world: &World, nth: usize) {
    let on = CalendarChange::SyncEnabled(Switch::On);
    let calendar = row(world, nth).await.id;
    world.store.change_calendar(calendar, on, world.clock.now()).await.unwrap();
}

/// The first person's pairs without the calendars of these numbers, and everybody else's.
fn mesh_without(world: &World, gone: &[usize]) -> Vec<(RemoteId, RemoteId)> {
    let gone: BTreeSet<RemoteId> = gone.iter().map(|n| world.life.people[0].calendars[*n].clone()).collect();
    world.life.mesh().into_iter().filter(|(a, b)| !gone.contains(a) && !gone.contains(b)).collect()
}

/// Time for every wait there is, but a daily reading.
async fn wait(world: &mut World) {
    for _ in 0..4 {
        world.clock.advance(SignedDuration::from_mins(16));
        world.deliver_and_work().await;
    }
}

/// Rows of blocks that stand, or may, in all of the first person's calendars.
async fn rows(world: &World) -> usize {
    let mut count = 0;
    for calendar in world.calendars_of(world.users[0]).await {
        let ledger = world.store.ledger(calendar).await.unwrap();
        count += ledger.iter().filter(|row| row.state != LedgerState::Gone).count();
    }
    count
}

fn is_clean(world: &World, gone: &[usize], name: &str) {
    for n in gone {
        let calendar = &world.life.people[0].calendars[*n];
        assert_eq!(standing(world, calendar), 0, "{name}: blocks in calendar {n}");
    }
    let judgement = world.judge_pairs(&mesh_without(world, gone));
    assert!(judgement.is_good(), "{name}: {judgement:?}");
}

/// What a person asked for does not wait until the brake lets go of what nobody asked for.
#[test]
fn a_hold_keeps_nobody_from_leaving() {
    block_on(async {
        let mut world = settled(GOOGLE, 21).await;
        let person = world.life.people[0].clone();
        // Calendar 1 falls from many to none: calendar 2, where its blocks stand, is held.
        crowd(&mut world, &person.calendars[1], 60).await;
        let now = world.clock.now();
        world.cloud.with(|c| empty(c, &person.calendars[1], now));
        world.deliver_and_work().await;
        let held = standing(&world, &person.calendars[2]);
        assert!(held >= 60, "the brake keeps them");
        let zero = row(&world, 0).await.id;
        let of_zero = |ledger: std::sync::Arc<Vec<calsync_core::ledger::LedgerRow>>| {
            ledger.iter().filter(|r| r.source == zero && r.state != LedgerState::Gone).count()
        };
        let two = row(&world, 2).await.id;
        let before = of_zero(world.store.ledger(two).await.unwrap());
        assert!(before > 0);
        leave(&world, 0, Leaving::Disabled).await;
        world.deliver_and_work().await;
        assert_eq!(of_zero(world.store.ledger(two).await.unwrap()), 0, "what was asked for is done");
        assert_eq!(standing(&world, &person.calendars[2]), held - before, "and nothing else");
        assert_eq!(standing(&world, &person.calendars[0]), 0);
        assert_eq!(row(&world, 0).await.leaving, None, "it is over");
    });
}

/// Takes the first person's calendars of these numbers out, as one who asks again if the process died over it.
async fn leave_for_sure(world: &mut World, which: &[usize], why: Leaving) {
    for nth in which {
        let calendar = row(world, *nth).await;
        if world.engine().take_out(&calendar, why).await.is_err() {
            world.revive();
            world.engine().take_out(&calendar, why).await.unwrap();
        }
    }
}

/// A short life that ends with calendars leaving, cut off at every single point of that at which a process can die.
fn death_at_every_point(homes: Homes, which: &'static [usize], why: Leaving) {
    let recipe = Recipe { people: 1, rounds: 0, ..homes_recipe(homes, 22) };
    let life = |death: Option<i64>| async move {
        let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
        world.faults.switch_off();
        world.deliver_and_work().await;
        // Something is on its way when they leave.
        let now = world.clock.now();
        for _ in 0..3 {
            world.cloud.with(|c| world.life.act(c, now));
        }
        let before = world.points();
        if let Some(point) = death {
            world.die_after(point);
        }
        leave_for_sure(&mut world, which, why).await;
        world.deliver_and_work().await;
        let points = world.points() - before;
        wait(&mut world).await;
        (world, points)
    };
    let points = block_on(async { life(None).await.1 });
    assert!(points > 60, "{points} points");
    for point in 1..=points {
        block_on(async {
            let (world, _) = life(Some(point)).await;
            assert!(world.crashes > 0, "{point} of {points}");
            let name = format!("dies at point {point} of {points}");
            is_clean(&world, which, &name);
            for nth in which {
                let left = row(&world, *nth).await;
                assert_eq!(left.leaving, None, "{name}: it is over");
                assert!(world.store.mirror(left.id).await.unwrap().events.is_empty(), "{name}");
            }
        });
    }
}

#[test]
fn a_death_at_every_point_of_a_disabling_leaves_nothing_behind() {
    death_at_every_point(GOOGLE, &[1], Leaving::Disabled);
}

#[test]
fn a_death_at_every_point_of_a_disabling_at_both_providers_leaves_nothing_behind() {
    death_at_every_point(MIXED, &[1], Leaving::Disabled);
}

#[test]
fn a_death_at_every_point_of_a_complete_reset_leaves_nothing_behind() {
    death_at_every_point(GOOGLE, &[0, 1, 2], Leaving::Reset);
}

#[test]
fn a_death_at_every_point_of_a_complete_reset_at_microsoft_leaves_nothing_behind() {
    death_at_every_point(MICROSOFT, &[0, 1, 2], Leaving::Reset);
}

/// After a reset, nothing is known any more; and enabled again, it all begins anew.
#[test]
fn a_reset_forgets_everything_and_can_begin_anew() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 23).await;
            let all: Vec<usize> = (0..world.life.people[0].calendars.len()).collect();
            leave_for_sure(&mut world, &all, Leaving::Reset).await;
            world.deliver_and_work().await;
            is_clean(&world, &all, "reset");
            for nth in &all {
                let calendar = row(&world, *nth).await;
                assert_eq!((calendar.leaving, calendar.last_synced_at), (None, None));
                let mirror = world.store.mirror(calendar.id).await.unwrap();
                assert!(mirror.events.is_empty() && mirror.blocks.is_empty());
                assert_eq!(*world.store.ledger(calendar.id).await.unwrap(), []);
                assert_eq!(world.store.runs(Some(calendar.id), 9).await.unwrap(), []);
            }
            for nth in &all {
                enable(&world, *nth).await;
            }
            world.deliver_and_work().await;
            wait(&mut world).await;
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
        });
    }
}

#[test]
fn a_disabling_during_an_outage_is_finished_after_it() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 24).await;
            let before = rows(&world).await;
            world.faults.force(Fault::ErrorBefore, 10_000);
            leave(&world, 1, Leaving::Disabled).await;
            world.deliver_and_work().await;
            assert_eq!(rows(&world).await, before, "nothing could be removed, nothing is forgotten");
            let which = [row(&world, 1).await.id].into();
            let left = world.engine().left(world.users[0], &which).await.unwrap();
            let told = left.iter().filter(|l| matches!(l.obstacle, Obstacle::Provider(_))).count();
            assert!(told > 0 && told == left.len(), "{left:?}");
            world.faults.force(Fault::ErrorBefore, 0);
            wait(&mut world).await;
            is_clean(&world, &[1], "after the outage");
            assert_eq!(world.engine().left(world.users[0], &which).await.unwrap(), []);
            assert_eq!(row(&world, 1).await.leaving, None);
        });
    }
}

#[test]
fn off_and_on_and_off_again_leaves_nothing_however_far_each_came() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 25).await;
            let calendar = world.life.people[0].calendars[1].clone();
            for round in 0..6 {
                leave(&world, 1, Leaving::Disabled).await;
                if round % 2 == 0 {
                    world.die_after(4 + round * 3);
                    world.deliver_and_work().await;
                    wait(&mut world).await;
                }
                edit(&mut world, &calendar, round);
                enable(&world, 1).await;
                if round % 3 == 0 {
                    world.deliver_and_work().await;
                    assert!(world.judge().is_good(), "{homes:?} {round}: {:?}", world.judge());
                }
            }
            world.deliver_and_work().await;
            wait(&mut world).await;
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
            leave(&world, 1, Leaving::Disabled).await;
            world.deliver_and_work().await;
            is_clean(&world, &[1], "off in the end");
        });
    }
}

/// Somebody adds an event, and cancels another one of theirs.
fn edit(world: &mut World, calendar: &RemoteId, n: i64) {
    let now = world.clock.now();
    world.cloud.with(|c| {
        let start = now.plus(SignedDuration::from_hours(100 + 3 * n));
        let event =
            Content::timed("while it was off", start, start.plus(SignedDuration::from_hours(1)), "UTC");
        c.create_event(calendar, event, now).unwrap();
        let mut theirs = c.live_events(calendar).into_iter();
        let old = theirs.find(|e| e.content.private.is_empty() && e.series().is_none());
        if let Some(old) = old {
            c.cancel_event(calendar, &old.id, now).unwrap();
        }
    });
}

/// What happened while it was away counts, what was then does not.
#[test]
fn enabling_starts_from_the_calendar_as_it_is() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 26).await;
            let calendar = world.life.people[0].calendars[1].clone();
            leave(&world, 1, Leaving::Disabled).await;
            world.deliver_and_work().await;
            for n in 0..4 {
                edit(&mut world, &calendar, n);
                world.clock.advance(SignedDuration::from_hours(30));
                world.deliver_and_work().await;
                assert_eq!(standing(&world, &calendar), 0, "it is left alone");
            }
            is_clean(&world, &[1], "while it is off");
            enable(&world, 1).await;
            world.deliver_and_work().await;
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
        });
    }
}

#[test]
fn what_is_stopped_stands_still_and_goes_on_without_a_second_block() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 27).await;
            let all: Vec<usize> = (0..world.life.people[0].calendars.len()).collect();
            let blocks =
                |w: &World| -> usize { w.life.people[0].calendars.iter().map(|c| standing(w, c)).sum() };
            let (before, standing_before) = (world.writes(), blocks(&world));
            leave_for_sure(&mut world, &all, Leaving::Stopped).await;
            world.deliver_and_work().await;
            let calendar = world.life.people[0].calendars[1].clone();
            edit(&mut world, &calendar, 1);
            let everything = all_calendars(&world).await;
            for _ in 0..3 {
                world.clock.advance(SignedDuration::from_hours(5));
                // Notices still come, and somebody wants all of it read.
                world.engine().sync_now(&everything, calsync_core::ports::Wish::Full).await.unwrap();
                world.deliver_and_work().await;
            }
            assert_eq!((world.writes(), blocks(&world)), (before, standing_before), "{homes:?}: not a write");
            assert!(world.store.next_due().await.unwrap().is_some(), "the other person goes on");
            // One of them goes on: the others' blocks in it stand as they stood.
            enable(&world, 1).await;
            world.deliver_and_work().await;
            read_everything(&mut world).await;
            assert_eq!((world.writes(), blocks(&world)), (before, standing_before), "{homes:?}");
            for nth in &all {
                enable(&world, *nth).await;
            }
            world.deliver_and_work().await;
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
            // The one event that came, and the one that went, in each of the others.
            let most = 2 * (all.len() - 1);
            assert!(world.writes() - before <= most, "{homes:?}: {} writes", world.writes() - before);
            assert!(world.writes() > before);
        });
    }
}

/// A death at any point of a stopping leaves it stopped, and nothing is removed or doubled.
#[test]
fn a_death_at_every_point_of_a_stopping_harms_nothing() {
    let life = |death: Option<i64>| async move {
        let mut world = settled(GOOGLE, 28).await;
        let (before, writes) = (world.points(), world.writes());
        if let Some(point) = death {
            world.die_after(point);
        }
        leave_for_sure(&mut world, &[0, 1, 2], Leaving::Stopped).await;
        world.deliver_and_work().await;
        let points = world.points() - before;
        wait(&mut world).await;
        assert_eq!(world.writes(), writes, "{death:?}");
        for nth in 0..3 {
            assert!(row(&world, nth).await.is_stopped());
            enable(&world, nth).await;
        }
        world.deliver_and_work().await;
        assert_eq!(world.writes(), writes, "{death:?}: all of it stood as it should");
        points
    };
    let points = block_on(life(None));
    for point in 1..=points {
        block_on(life(Some(point)));
    }
}

/// What a dead account keeps is counted, named and not forgotten; connected again, it goes by itself.
#[test]
fn what_a_dead_account_keeps_is_told_and_goes_when_it_is_back() {
    block_on(async {
        let mut world = settled(GOOGLE, 29).await;
        let ada = world.life.people[0].clone();
        world.direct.revoke(ada.email.as_str());
        let before = rows(&world).await;
        leave_for_sure(&mut world, &[0, 1, 2], Leaving::Reset).await;
        world.deliver_and_work().await;
        wait(&mut world).await;
        assert_eq!(rows(&world).await, before, "nobody could find them, if their rows went");
        let which: BTreeSet<CalendarId> = world.calendars_of(world.users[0]).await.into_iter().collect();
        let left = world.engine().left(world.users[0], &which).await.unwrap();
        assert_eq!(left.iter().map(|l| l.blocks).sum::<usize>(), before);
        assert!(left.iter().all(|l| l.obstacle == Obstacle::NeedsReconnect), "{left:?}");
        assert!(row(&world, 1).await.is_on_its_way_out());
        world.direct.grant(ada.email.as_str());
        world.reconnect(world.users[0]).await;
        world.deliver_and_work().await;
        is_clean(&world, &[0, 1, 2], "reconnected");
        assert_eq!(row(&world, 1).await.leaving, None);
    });
}

/// Where the provider chooses ids, a block whose making was never answered is found before its calendar is let go.
#[test]
fn a_block_that_nobody_knows_of_is_found_before_it_is_too_late() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 30).await;
            let person = world.life.people[0].clone();
            edit(&mut world, &person.calendars[0], 1);
            world.faults.force(Fault::DropAfterWrite, 40);
            world.deliver_and_work().await;
            leave(&world, 1, Leaving::Disabled).await;
            world.faults.force(Fault::DropAfterWrite, 0);
            wait(&mut world).await;
            is_clean(&world, &[1], &format!("{homes:?}"));
        });
    }
}

/// Calendars come and go in a life full of faults and crashes.
#[test]
fn coming_and_going_in_a_faulty_world_converges() {
    for seed in 1..=super::env("CALSYNC_WORLD_LEAVING_SEEDS", 12) {
        block_on(async {
            let recipe = Recipe {
                rounds: 8,
                faults: 60_000,
                crash_one_in: 3,
                ..homes_recipe(super::in_turn(seed), seed)
            };
            let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
            world.work().await;
            for turn in 0..8 {
                let nth = usize::try_from((seed + turn) % 3).unwrap();
                match (seed * 7 + turn * 5) % 4 {
                    0 => leave_for_sure(&mut world, &[nth], Leaving::Disabled).await,
                    1 => leave_for_sure(&mut world, &[nth], Leaving::Reset).await,
                    2 => leave_for_sure(&mut world, &[nth], Leaving::Stopped).await,
                    _ => enable(&world, nth).await,
                }
                world.live().await;
            }
            let count = world.life.people[0].calendars.len();
            for nth in 0..count {
                enable(&world, nth).await;
            }
            leave_for_sure(&mut world, &[1], Leaving::Reset).await;
            world.converge().await;
            is_clean(&world, &[1], &format!("seed {seed}"));
            assert_eq!(row(&world, 1).await.leaving, None, "seed {seed}");
        });
    }
}

/// A stopped calendar is never written to, not even for one that leaves: that is told, and it is done when the stop ends.
#[test]
fn blocks_in_a_stopped_calendar_wait_for_the_end_of_the_stop() {
    block_on(async {
        let mut world = settled(GOOGLE, 31).await;
        let one = world.life.people[0].calendars[1].clone();
        let before = standing(&world, &one);
        leave(&world, 1, Leaving::Stopped).await;
        leave(&world, 0, Leaving::Reset).await;
        world.deliver_and_work().await;
        wait(&mut world).await;
        assert_eq!(standing(&world, &one), before);
        let zero = row(&world, 0).await;
        assert!(zero.is_on_its_way_out(), "it is not forgotten while blocks of it stand");
        let left = world.engine().left(world.users[0], &[zero.id].into()).await.unwrap();
        let stopped = row(&world, 1).await.id;
        assert!(left.iter().all(|l| l.target == stopped && l.obstacle == Obstacle::Stopped), "{left:?}");
        assert_eq!(left.len(), 1);
        enable(&world, 1).await;
        world.deliver_and_work().await;
        is_clean(&world, &[0], "after the stop");
        assert_eq!(row(&world, 0).await.leaving, None);
    });
}
