//! Named scenarios: each is a mistake that a tool of this kind has made, or a promise of the specification, lived
//! through by the real engine.

use std::sync::Arc;

use calsync_core::calendar::AccountStatus;
use calsync_core::hold::RECHECK_AFTER;
use calsync_core::ids::CalendarId;
use calsync_core::ports::Wish;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::names::CalendarId as RemoteId;
use calsync_sim::direct::CLIENT;
use calsync_sim::faults::Fault;
use calsync_sim::life::Homes;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::cast::GOOGLE;
use super::world::{Recipe, World};
use super::{HOMES, block_on, homes_recipe, recipe};

async fn world(seed: u64) -> World {
    settled(GOOGLE, seed).await
}

/// A world with calendars there, in step and without faults.
pub(crate) async fn settled(homes: Homes, seed: u64) -> World {
    let recipe = Recipe { rounds: 0, ..homes_recipe(homes, seed) };
    let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
    world.faults.switch_off();
    world.deliver_and_work().await;
    assert!(world.judge().is_good(), "it begins in step");
    world
}

pub(crate) async fn all_calendars(world: &World) -> Vec<CalendarId> {
    let mut all = Vec::new();
    for user in &world.users {
        all.extend(world.calendars_of(*user).await);
    }
    all
}

pub(crate) async fn read_everything(world: &mut World) {
    let all = all_calendars(world).await;
    world.engine().sync_now(&all, Wish::Full).await.unwrap();
    world.deliver_and_work().await;
}

/// Blocks of calendar-sync that stand in a calendar.
pub(crate) fn standing(world: &World, calendar: &RemoteId) -> usize {
    world.cloud.with(|c| {
        let ours = |id: &_| c.journal().entries().any(|e| e.client.as_str() == CLIENT && e.event == *id);
        c.live_events(calendar).iter().filter(|e| ours(&e.id)).count()
    })
}

#[test]
fn a_second_full_pass_writes_nothing() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 1).await;
            let before = world.writes();
            read_everything(&mut world).await;
            assert_eq!(world.writes(), before, "{homes:?}: a mesh is at rest after its first pass");
        });
    }
}

#[test]
fn the_echo_of_our_own_writes_ends_in_nothing() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 2).await;
            // Every block written made a notice: deliver them all, and again what they cause.
            for _ in 0..3 {
                let before = world.writes();
                world.deliver_and_work().await;
                assert_eq!(world.writes(), before, "{homes:?}");
                world.clock.advance(SignedDuration::from_mins(1));
            }
        });
    }
}

#[test]
fn an_error_is_never_taken_for_a_deletion() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 3).await;
            let before = world.writes();
            for fault in [Fault::ErrorBefore, Fault::DropBefore, Fault::TooManyRequests, Fault::RateLimited] {
                world.faults.force(fault, 3);
                read_everything(&mut world).await;
                world.faults.force(fault, 0);
                world.clock.advance(SignedDuration::from_mins(20));
                world.deliver_and_work().await;
            }
            assert_eq!(world.writes(), before, "one 500 must not wipe a single block");
            assert!(world.judge().is_good());
        });
    }
}

#[test]
fn empty_and_short_pages_lose_nothing() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 4).await;
            let before = world.writes();
            world.faults.force(Fault::EmptyPage, 5);
            read_everything(&mut world).await;
            world.faults.force(Fault::ShortPage, 50);
            read_everything(&mut world).await;
            assert_eq!(world.writes(), before);
        });
    }
}

#[test]
fn a_lost_token_lists_again_and_rewrites_nothing() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 5).await;
            let before = world.writes();
            world.cloud.with(|c| {
                for calendar in c.calendars().map(|c| c.id.clone()).collect::<Vec<_>>() {
                    c.expire_sync_tokens(&calendar);
                }
            });
            let all = all_calendars(&world).await;
            world.engine().sync_now(&all, Wish::Changes).await.unwrap();
            world.deliver_and_work().await;
            assert_eq!(
                world.writes(),
                before,
                "410 is answered by list and compare, never by wipe and rebuild"
            );
        });
    }
}

#[test]
fn event_251_is_not_deleted() {
    block_on(async {
        let mut world = world(6).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let target = world.life.people[0].calendars[2].clone();
        let before = standing(&world, &target);
        crowd(&mut world, &calendar, 300).await;
        assert_eq!(standing(&world, &target), before + 300);
        read_everything(&mut world).await;
        assert_eq!(standing(&world, &target), before + 300);
    });
}

/// Adds `count` events of half an hour.
pub(crate) async fn crowd(world: &mut World, calendar: &RemoteId, count: i64) {
    let now = world.clock.now();
    world.cloud.with(|c| {
        for n in 0..count {
            let start = now.plus(SignedDuration::from_mins(30 * n + 60));
            let event =
                Content::timed("one of many", start, start.plus(SignedDuration::from_mins(15)), "UTC");
            c.create_event(calendar, event, now).unwrap();
        }
    });
    world.deliver_and_work().await;
    assert!(world.judge().is_good());
}

/// Cancels everything that people made.
pub(crate) fn empty(cloud: &mut calsync_sim::cloud::Cloud, calendar: &RemoteId, now: calsync_core::time::Ts) {
    for event in cloud.live_events(calendar) {
        if event.content.private.is_empty() && event.series().is_none() {
            cloud.cancel_event(calendar, &event.id, now).unwrap();
        }
    }
}

#[test]
fn a_sudden_emptiness_holds_until_two_later_listings_agree() {
    block_on(async {
        let mut world = world(7).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let target = world.life.people[0].calendars[2].clone();
        let now = world.clock.now();
        crowd(&mut world, &calendar, 60).await;
        world.cloud.with(|c| empty(c, &calendar, now));
        let (writes, blocks) = (world.writes(), standing(&world, &target));
        world.deliver_and_work().await;
        assert_eq!(world.writes(), writes, "a held plan writes nothing");
        let alerts = world.store.open_alerts().await.unwrap();
        let held = alerts.iter().filter(|a| a.kind == "deletions_held").count();
        assert!(held >= 1, "{alerts:?}");
        // It says so once per target, however often it is looked at; only full readings count as a second look.
        world.clock.advance(SignedDuration::from_secs(30));
        let all = all_calendars(&world).await;
        world.engine().sync_now(&all, Wish::Changes).await.unwrap();
        world.deliver_and_work().await;
        let again = world.store.open_alerts().await.unwrap();
        assert_eq!(again.iter().filter(|a| a.kind == "deletions_held").count(), held);
        for _ in 0..2 {
            assert_eq!(standing(&world, &target), blocks);
            world.clock.advance(RECHECK_AFTER);
            world.deliver_and_work().await;
        }
        assert!(world.judge().is_good(), "{:?}", world.judge());
        let open = world.store.open_alerts().await.unwrap();
        assert!(open.iter().all(|a| a.kind != "deletions_held"), "the alert is over with the hold");
    });
}

#[test]
fn a_hold_ends_at_once_when_a_person_approves() {
    block_on(async {
        let mut world = world(8).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let now = world.clock.now();
        crowd(&mut world, &calendar, 60).await;
        world.cloud.with(|c| empty(c, &calendar, now));
        world.deliver_and_work().await;
        assert!(!world.judge().is_good());
        for calendar in all_calendars(&world).await {
            world.store.approve_hold(calendar, now).await.unwrap();
        }
        world.deliver_and_work().await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}

#[test]
fn a_revoked_account_stops_only_itself() {
    block_on(async {
        let mut world = world(9).await;
        let (ada, grace) = (world.life.people[0].clone(), world.life.people[1].clone());
        world.direct.revoke(ada.email.as_str());
        let now = world.clock.now();
        for person in [&ada, &grace] {
            let start = now.plus(SignedDuration::from_hours(30));
            let event =
                Content::timed("after the break", start, start.plus(SignedDuration::from_hours(1)), "UTC");
            world.cloud.with(|c| c.create_event(&person.calendars[1], event, now)).unwrap();
        }
        let before = (standing(&world, &ada.calendars[2]), standing(&world, &grace.calendars[2]));
        world.deliver_and_work().await;
        assert_eq!(standing(&world, &ada.calendars[2]), before.0, "nothing was removed, nothing added");
        assert_eq!(standing(&world, &grace.calendars[2]), before.1 + 1, "the other goes on");
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        assert_eq!(state.accounts[0].status, AccountStatus::NeedsReconnect);
        let alerts = world.store.open_alerts().await.unwrap();
        assert_eq!(alerts.iter().filter(|a| a.kind == "account_needs_reconnect").count(), 1);
        // Reconnected, it goes on where it was, by itself.
        world.direct.grant(ada.email.as_str());
        world.reconnect(world.users[0]).await;
        world.deliver_and_work().await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}

#[test]
fn a_disabled_calendar_leaves_no_trace_even_when_the_process_dies_in_the_middle() {
    for death in [1, 5, 9, 14, 20, 33, 51] {
        block_on(async {
            let mut world = world(10).await;
            let person = world.life.people[0].clone();
            let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
            let gone =
                state.calendars.iter().find(|c| c.remote.calendar == person.calendars[1].as_str()).unwrap();
            world.engine().disable_calendar(gone).await.unwrap();
            world.die_after(death);
            world.deliver_and_work().await;
            for _ in 0..4 {
                world.clock.advance(SignedDuration::from_mins(5));
                world.deliver_and_work().await;
            }
            assert_eq!(standing(&world, &person.calendars[1]), 0, "the others' blocks are gone from it");
            let rest = vec![
                (person.calendars[0].clone(), person.calendars[2].clone()),
                (person.calendars[2].clone(), person.calendars[0].clone()),
            ];
            let judgement = world.judge_pairs(&rest);
            assert!(judgement.is_good(), "dies after {death}: {judgement:?}");
        });
    }
}

#[test]
fn what_arrives_while_a_run_is_at_work_causes_one_more() {
    block_on(async {
        let mut world = world(11).await;
        let person = world.life.people[0].clone();
        let now = world.clock.now();
        // A second change happens while the first is being read: its notice comes before the run ends.
        let (cloud, calendar) = (world.cloud.clone(), person.calendars[1].clone());
        let start = now.plus(SignedDuration::from_hours(50));
        let first = Content::timed("first", start, start.plus(SignedDuration::from_hours(1)), "UTC");
        cloud.with(|c| c.create_event(&calendar, first, now)).unwrap();
        let late = start.plus(SignedDuration::from_hours(2));
        let second = Content::timed("second", late, late.plus(SignedDuration::from_hours(1)), "UTC");
        world.during_next_call(move || {
            cloud.with(|c| c.create_event(&calendar, second.clone(), now)).unwrap();
        });
        world.deliver_and_work().await;
        world.deliver_and_work().await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let trace = |seed| {
        block_on(async move {
            let recipe = Recipe { faults: 60_000, crash_one_in: 4, ..recipe(seed) };
            let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
            world.work().await;
            world.live().await;
            world.trace()
        })
    };
    for seed in [1, 2, 3] {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(1), trace(2));
}

/// Two people of one installation see one shared calendar, each through their own account: neither takes the other's
/// blocks for its own.
#[test]
fn a_shared_calendar_keeps_both_owners_blocks() {
    block_on(async {
        let mut world = world(13).await;
        let (ada, grace) = (world.life.people[0].clone(), world.life.people[1].clone());
        let shared = ada.calendars[1].clone();
        let now = world.clock.now();
        world.cloud.with(|c| {
            c.share(&shared, &grace.email, Some(calsync_sim::cloud::calendar::AccessRole::Writer), now)
                .unwrap();
            c.edit_list(&grace.email, &shared, now, |_| ()).unwrap();
        });
        let before = standing(&world, &shared);
        assert!(before > 0);
        let state = world.store.user_state(world.users[1]).await.unwrap().unwrap();
        world.engine().refresh_calendars(state.accounts[0].id, world.users[1]).await.unwrap();
        for calendar in world.calendars_of(world.users[1]).await {
            let on = calsync_core::ports::CalendarChange::SyncEnabled(calsync_core::ports::Switch::On);
            world.store.change_calendar(calendar, on, now).await.unwrap();
        }
        for _ in 0..4 {
            world.deliver_and_work().await;
            read_everything(&mut world).await;
            world.clock.advance(RECHECK_AFTER);
        }
        let deleted = world.cloud.with(|c| {
            let gone = c.journal().entries().filter(|e| e.op == calsync_sim::cloud::journal::Op::Delete);
            gone.filter(|e| e.calendar == shared).count()
        });
        assert_eq!(deleted, 0, "nobody's block was removed");
        assert!(standing(&world, &shared) > before, "Grace's blocks came beside Ada's");
    });
}
