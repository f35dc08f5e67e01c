//! What an account's list of calendars says, and what it must not do: a list that is wrong, or right for an hour, removes no block,
//! and what stops because of it is told.

use calsync_core::alert::Alert;
use calsync_core::calendar::{Access, Calendar, ListedCalendar};
use calsync_core::ids::CalendarId;
use calsync_core::ports::{CalendarChange, ErrorClass, Switch};
use calsync_engine::EngineError;
use calsync_sim::cloud::calendar::AccessRole;
use calsync_sim::cloud::journal::Op;
use calsync_sim::cloud::names::CalendarId as RemoteId;
use jiff::SignedDuration;

use super::block_on;
use super::cast::GOOGLE;
use super::scenarios::{read_everything, settled, standing};
use super::world::World;

/// Grace uses a calendar of Ada's, with the blocks of her own in it.
async fn shared(seed: u64) -> (World, RemoteId) {
    let mut world = settled(GOOGLE, seed).await;
    let (ada, grace) = (world.life.people[0].clone(), world.life.people[1].clone());
    let remote = ada.calendars[1].clone();
    let before = standing(&world, &remote);
    share(&world, &remote, Some(AccessRole::Writer));
    let now = world.clock.now();
    world.cloud.with(|c| c.edit_list(&grace.email, &remote, now, |_| ())).unwrap();
    list(&world).await.unwrap();
    let on = CalendarChange::SyncEnabled(Switch::On);
    world.store.change_calendar(hers(&world, &remote).await.id, on, now).await.unwrap();
    for _ in 0..3 {
        world.deliver_and_work().await;
        read_everything(&mut world).await;
    }
    assert!(standing(&world, &remote) > before, "Grace's blocks are there");
    (world, remote)
}

fn share(world: &World, remote: &RemoteId, role: Option<AccessRole>) {
    let (grace, now) = (world.life.people[1].email.clone(), world.clock.now());
    world.cloud.with(|c| c.share(remote, &grace, role, now)).unwrap();
}

async fn list(world: &World) -> Result<usize, EngineError> {
    let state = world.store.user_state(world.users[1]).await.unwrap().unwrap();
    world.engine().refresh_calendars(state.accounts[0].id, world.users[1]).await
}

async fn hers(world: &World, remote: &RemoteId) -> Calendar {
    let state = world.store.user_state(world.users[1]).await.unwrap().unwrap();
    state.calendars.into_iter().find(|c| c.remote.calendar == remote.as_str()).unwrap()
}

async fn open(world: &World, kind: &str, about: CalendarId) -> Option<Alert> {
    let all = world.store.open_alerts().await.unwrap();
    all.into_iter().find(|a| a.kind == kind && a.subject == about.to_string())
}

fn deleted(world: &World) -> usize {
    world.cloud.with(|c| c.journal().entries().filter(|e| e.op == Op::Delete).count())
}

/// A day of a person's life, and all that is to be done in it.
async fn a_day(world: &mut World) {
    for _ in 0..4 {
        world.clock.advance(SignedDuration::from_hours(6));
        world.deliver_and_work().await;
        read_everything(world).await;
        world.engine().maintain_subscriptions().await.unwrap();
    }
}

#[test]
fn a_calendar_that_may_only_be_read_for_a_while_keeps_its_blocks_and_is_told_of() {
    block_on(async {
        let (mut world, remote) = shared(131).await;
        let (before, removed) = (standing(&world, &remote), deleted(&world));
        let id = hers(&world, &remote).await.id;
        share(&world, &remote, Some(AccessRole::Reader));
        list(&world).await.unwrap();
        let told = open(&world, "writes_refused", id).await.expect("nobody else would tell");
        assert!(told.message.contains("only read"), "{told:?}");
        a_day(&mut world).await;
        // The day that has come brings one more, in Ada's name.
        assert!(standing(&world, &remote) >= before);
        assert_eq!(deleted(&world), removed);
        assert!(open(&world, "writes_refused", id).await.is_some(), "it is not over");
        share(&world, &remote, Some(AccessRole::Writer));
        list(&world).await.unwrap();
        a_day(&mut world).await;
        // The day that has come brings one more, in Ada's name.
        assert!(standing(&world, &remote) >= before);
        assert_eq!(deleted(&world), removed);
        assert!(open(&world, "writes_refused", id).await.is_none());
    });
}

/// The list is wrong: what is said to be read-only takes every write.
#[test]
fn a_list_that_calls_a_calendar_read_only_by_mistake_costs_no_block() {
    block_on(async {
        let (mut world, remote) = shared(134).await;
        let (before, removed) = (standing(&world, &remote), deleted(&world));
        let state = world.store.user_state(world.users[1]).await.unwrap().unwrap();
        let listed = |calendar: &Calendar| {
            let is_wrong = calendar.remote.calendar == remote.as_str();
            let listed = ListedCalendar {
                remote_id: calendar.remote.calendar.clone(),
                name: calendar.name.clone(),
                time_zone: calendar.time_zone.clone(),
                colour: None,
                access: if is_wrong { Access::Read } else { calendar.access },
                primary: false,
                push_unsupported: false,
            };
            (calendar.id, listed)
        };
        let wrong: Vec<_> = state.calendars.iter().map(listed).collect();
        world.store.update_calendar_list(state.accounts[0].id, &wrong).await.unwrap();
        a_day(&mut world).await;
        assert_eq!(deleted(&world), removed);
        list(&world).await.unwrap();
        a_day(&mut world).await;
        assert!(standing(&world, &remote) >= before);
        assert_eq!(deleted(&world), removed);
    });
}

#[test]
fn a_calendar_that_is_not_listed_any_more_is_told_of_until_it_is_again() {
    block_on(async {
        let (mut world, remote) = shared(132).await;
        let removed = deleted(&world);
        let id = hers(&world, &remote).await.id;
        share(&world, &remote, None);
        list(&world).await.unwrap();
        let told = open(&world, "calendar_unreadable", id).await.expect("nobody else would tell");
        assert!(told.message.contains("not in its account's list"), "{told:?}");
        a_day(&mut world).await;
        assert!(open(&world, "calendar_unreadable", id).await.is_some(), "it is not over");
        share(&world, &remote, Some(AccessRole::Writer));
        let (grace, now) = (world.life.people[1].email.clone(), world.clock.now());
        world.cloud.with(|c| c.edit_list(&grace, &remote, now, |entry| entry.deleted = false)).unwrap();
        list(&world).await.unwrap();
        a_day(&mut world).await;
        assert!(open(&world, "calendar_unreadable", id).await.is_none());
        assert_eq!(deleted(&world), removed);
    });
}

#[test]
fn a_list_without_any_calendar_is_not_believed() {
    block_on(async {
        let mut world = settled(GOOGLE, 133).await;
        let grace = world.life.people[1].clone();
        let now = world.clock.now();
        for remote in &grace.calendars {
            world
                .cloud
                .with(|c| c.edit_list(&grace.email, remote, now, |entry| entry.deleted = true))
                .unwrap();
        }
        let refused = list(&world).await;
        let is_refused =
            matches!(&refused, Err(EngineError::Provider(error)) if error.class == ErrorClass::Transient);
        assert!(is_refused, "{refused:?}");
        let state = world.store.user_state(world.users[1]).await.unwrap().unwrap();
        assert!(state.calendars.iter().all(|c| !c.missing));
        world.deliver_and_work().await;
    });
}
