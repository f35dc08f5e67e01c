//! The life of push channels: what fails is repaired, what fails again and again is taken out of use and tried again, what
//! is out of use is closed, and whatever happens, one channel or polling covers every calendar.

use std::sync::atomic::Ordering;

use calsync_core::alert::AlertLevel;
use calsync_core::calendar::Calendar;
use calsync_core::delivery::GRACE;
use calsync_core::ids::CalendarId;
use calsync_core::ports::CalendarChange;
use calsync_core::run::RunKind;
use calsync_core::schedule::Method;
use calsync_core::subscription::{REVIVE_AFTER, SILENCE_LIMIT, Subscription, SubscriptionStatus};
use calsync_engine::Maintenance;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::watch::{Provider, Resource};
use calsync_sim::direct::CLIENT;
use jiff::SignedDuration;

use super::cast::{GOOGLE, MICROSOFT};
use super::scenarios::{all_calendars, settled};
use super::world::World;
use super::{HOMES, block_on};

/// The first person's second calendar, as known here.
pub(crate) async fn calendar(world: &World) -> Calendar {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    let remote = world.life.people[0].calendars[1].as_str();
    state.calendars.into_iter().find(|c| c.remote.calendar == remote).unwrap()
}

pub(crate) async fn channel(world: &World) -> Option<Subscription> {
    let all = world.store.subscriptions(calendar(world).await.id).await.unwrap();
    all.into_iter().find(|s| s.status == SubscriptionStatus::Active)
}

/// Ids of the channels that stand open on a calendar at its provider.
pub(crate) fn open_at_provider(world: &World, remote: &str) -> Vec<String> {
    let now = world.clock.now();
    world.cloud.with(|c| {
        let here = |resource: &Resource| matches!(resource, Resource::Events(id) if id.as_str() == remote);
        let open = c.watch().channels().filter(|c| here(&c.resource) && c.expires > now);
        open.map(|c| c.id.clone()).collect()
    })
}

/// An hour appears in the calendar, and its notice is thrown away.
fn unheard(world: &World, hour: i64) {
    let calendar = world.life.people[0].calendars[1].clone();
    let (now, start) = (world.clock.now(), world.clock.now().plus(SignedDuration::from_hours(hour)));
    world.cloud.with(|c| {
        let end = start.plus(SignedDuration::from_mins(30));
        c.create_event(&calendar, Content::timed("unheard", start, end, "UTC"), now).unwrap();
        for provider in Provider::ALL {
            c.take_notices(provider, 1_000);
        }
    });
}

async fn method(world: &World) -> Method {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    world.engine().methods(&state).await.unwrap()[&calendar(world).await.id]
}

/// So much time passes; whatever is due is done, and nothing that the provider tells arrives.
pub(crate) async fn pass_unheard(world: &mut World, time: SignedDuration) {
    let end = world.clock.now().plus(time);
    while world.clock.now() < end {
        world.clock.advance(SignedDuration::from_mins(1).min(end.since(world.clock.now())));
        world.cloud.with(|c| Provider::ALL.map(|provider| c.take_notices(provider, 10_000)));
        world.work().await;
        tend(world).await;
    }
}

/// A round of maintenance, if one is due.
pub(crate) async fn tend(world: &World) -> Maintenance {
    let due = world.engine().next_maintenance().await.unwrap();
    if due.is_some_and(|at| at <= world.clock.now()) {
        return world.engine().maintain_subscriptions().await.unwrap();
    }
    Maintenance::default()
}

pub(crate) async fn alerts(world: &World, kind: &str) -> Vec<AlertLevel> {
    let all = world.store.open_alerts().await.unwrap();
    all.into_iter().filter(|a| a.kind == kind).map(|a| a.level).collect()
}

/// Those about the first person's second calendar.
async fn alerts_about_it(world: &World, kind: &str) -> Vec<AlertLevel> {
    let (all, subject) = (world.store.open_alerts().await.unwrap(), calendar(world).await.id.to_string());
    all.into_iter().filter(|a| a.kind == kind && a.subject == subject).map(|a| a.level).collect()
}

/// What must hold whenever everything is quiet: one channel for each calendar, here and at the provider.
pub(crate) async fn one_channel_each(world: &World, what: &str) {
    for id in all_calendars(world).await {
        let all = world.store.subscriptions(id).await.unwrap();
        let active: Vec<_> = all.iter().filter(|s| s.status == SubscriptionStatus::Active).collect();
        assert_eq!(active.len(), 1, "{what}: {all:?}");
        let remote = world.store.calendar(id).await.unwrap().unwrap().remote.calendar;
        assert_eq!(open_at_provider(world, &remote), [active[0].remote_id.clone()], "{what}: {all:#?}");
        assert!(!active[0].resource_id.is_empty(), "{what}");
    }
}

/// goals.md §4 row 5, and spec §6: silence is looked into, and is no failure where nothing happened.
#[test]
fn silence_is_probed_and_told_apart_from_death() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 21).await;
            pass_unheard(&mut world, SILENCE_LIMIT + SignedDuration::from_mins(10)).await;
            let quiet = channel(&world).await.unwrap();
            assert_eq!((quiet.failure_count, quiet.delivery.missed), (0, 0), "{homes:?}: nothing happened");
            assert_eq!(method(&world).await, Method::Webhook);
            let runs = world.store.runs(Some(quiet.calendar), 1).await.unwrap();
            assert_eq!(runs[0].kind, RunKind::Polling, "a probe");
            unheard(&world, 30);
            pass_unheard(&mut world, SILENCE_LIMIT + GRACE + SignedDuration::from_mins(5)).await;
            assert!(world.judge().is_good(), "{homes:?}: the probe found it");
            let dead = channel(&world).await.unwrap();
            assert_eq!((dead.failure_count, dead.delivery.missed, dead.delivery.missed_streak), (1, 1, 1));
            assert!(dead.last_renewal_at > quiet.last_renewal_at, "{homes:?}: and it was repaired");
            one_channel_each(&world, "repaired").await;
        });
    }
}

/// A delivery that is only late is none that was missed.
#[test]
fn a_poll_that_is_faster_than_the_notice_counts_no_miss() {
    block_on(async {
        let mut world = settled(GOOGLE, 22).await;
        pass_unheard(&mut world, SILENCE_LIMIT - SignedDuration::from_mins(1)).await;
        let remote = world.life.people[0].calendars[1].clone();
        let (now, start) = (world.clock.now(), world.clock.now().plus(SignedDuration::from_hours(30)));
        world.cloud.with(|c| {
            let end = start.plus(SignedDuration::from_hours(1));
            c.create_event(&remote, Content::timed("late", start, end, "UTC"), now).unwrap();
        });
        // The probe comes first, the notice two minutes after it.
        world.clock.advance(SignedDuration::from_mins(2));
        world.work().await;
        assert!(channel(&world).await.unwrap().delivery.unannounced.is_some());
        world.clock.advance(SignedDuration::from_mins(2));
        world.deliver_and_work().await;
        let heard = channel(&world).await.unwrap().delivery;
        assert_eq!((heard.missed, heard.unannounced), (0, None));
        assert!(heard.heard > 0);
    });
}

/// Spec §4: five failures in a row bring polling, repair and an alert; ten take the channel out of use and call somebody; a day
/// later it is tried again, and once it delivers all is forgotten.
#[test]
fn a_dead_channel_is_repaired_suspended_and_tried_again() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 23).await;
            let mut seen = Vec::new();
            for hour in 0..24 {
                unheard(&world, 30 + hour);
                pass_unheard(&mut world, SILENCE_LIMIT + SignedDuration::from_mins(30)).await;
                let Some(channel) = channel(&world).await else { break };
                if channel.failure_count >= 5 && seen.is_empty() {
                    seen = alerts_about_it(&world, "subscription_failing").await;
                    assert_eq!(method(&world).await, Method::PollingAndRepair);
                }
                assert!(channel.failure_count < 10, "{homes:?}: {channel:?}");
            }
            assert!(!seen.is_empty() && seen.iter().all(|level| *level == AlertLevel::Error), "{seen:?}");
            assert!(channel(&world).await.is_none(), "{homes:?}: suspended");
            let remote = calendar(&world).await.remote.calendar;
            assert_eq!(open_at_provider(&world, &remote), [] as [&str; 0], "and closed");
            // Nothing arrives from the others either, into which its blocks are written: they were missed as well.
            assert_eq!(alerts_about_it(&world, "subscription_suspended").await, [AlertLevel::Critical]);
            assert_eq!(method(&world).await, Method::Polling);
            unheard(&world, 90);
            pass_unheard(&mut world, SignedDuration::from_mins(6)).await;
            assert!(world.judge().is_good(), "polling takes over by itself: {:?}", world.judge());
            pass_unheard(&mut world, REVIVE_AFTER).await;
            let revived = channel(&world).await.expect("tried again after a day");
            assert_eq!(method(&world).await, Method::PollingAndRepair, "on probation");
            assert!(alerts_about_it(&world, "subscription_suspended").await.is_empty());
            for hour in 0..4 {
                let (at, remote) = (world.clock.now(), world.life.people[0].calendars[1].clone());
                let start = at.plus(SignedDuration::from_hours(200 + hour));
                world.cloud.with(|c| {
                    let end = start.plus(SignedDuration::from_mins(30));
                    c.create_event(&remote, Content::timed("told", start, end, "UTC"), at).unwrap();
                });
                world.deliver_and_work().await;
                world.clock.advance(SignedDuration::from_mins(7));
            }
            let well = channel(&world).await.unwrap();
            assert_eq!((well.id, well.failure_count), (revived.id, 0), "{homes:?}: it delivers");
            assert!(alerts_about_it(&world, "subscription_failing").await.is_empty(), "{homes:?}");
        });
    }
}

/// A provider that is down for a day: nothing is lost, nobody is asked without end, and all is well afterwards.
#[test]
fn an_outage_of_a_day_is_survived() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 24).await;
            let calls = world.watch_calls();
            calls.down.store(true, Ordering::Relaxed);
            unheard(&world, 40);
            pass_unheard(&mut world, SignedDuration::from_hours(24)).await;
            let calendars = all_calendars(&world).await.len() as u64;
            let made = calls.made.load(Ordering::Relaxed);
            assert!(made < 150 * calendars, "{homes:?}: {made} calls for {calendars} calendars");
            calls.down.store(false, Ordering::Relaxed);
            pass_unheard(&mut world, SignedDuration::from_hours(2)).await;
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
            pass_unheard(&mut world, REVIVE_AFTER + SignedDuration::from_hours(1)).await;
            one_channel_each(&world, "after the outage").await;
        });
    }
}

/// Google: some calendars can't be watched. They are polled, and nobody asks again and again.
#[test]
fn what_cannot_be_watched_is_polled_and_not_asked_again() {
    block_on(async {
        let mut world = settled(GOOGLE, 27).await;
        let id = calendar(&world).await.id;
        let active = channel(&world).await.unwrap();
        world.cloud.with(|c| c.stop_channel(CLIENT, &active.remote_id));
        world.store.set_subscription_status(active.id, SubscriptionStatus::Failed, None).await.unwrap();
        let now = world.clock.now();
        world.store.change_calendar(id, CalendarChange::PushUnsupported, now).await.unwrap();
        let calls = world.watch_calls();
        for _ in 0..10 {
            let done = world.engine().maintain_subscriptions().await.unwrap();
            assert_eq!((done.created, done.unsupported, done.failed), (0, 0, 0));
        }
        assert_eq!(calls.made.load(Ordering::Relaxed), 0, "nobody was asked");
        assert_eq!(method(&world).await, Method::Polling);
        unheard(&world, 50);
        pass_unheard(&mut world, SignedDuration::from_mins(6)).await;
        assert!(world.judge().is_good(), "it is polled");
    });
}

/// A refusal of the provider delays the next attempt; a hopeless one for long.
#[test]
fn an_opening_that_fails_is_not_tried_every_minute() {
    block_on(async {
        let mut world = settled(GOOGLE, 28).await;
        let active = channel(&world).await.unwrap();
        world.cloud.with(|c| c.stop_channel(CLIENT, &active.remote_id));
        world.store.set_subscription_status(active.id, SubscriptionStatus::Failed, None).await.unwrap();
        let calls = world.watch_calls();
        calls.down.store(true, Ordering::Relaxed);
        let done = world.engine().maintain_subscriptions().await.unwrap();
        assert_eq!((done.created, done.failed), (0, 1));
        let made = calls.made.load(Ordering::Relaxed);
        for _ in 0..4 {
            world.clock.advance(SignedDuration::from_mins(1));
            assert_eq!(world.engine().maintain_subscriptions().await.unwrap().failed, 0, "too early");
        }
        assert_eq!(calls.made.load(Ordering::Relaxed), made);
        calls.down.store(false, Ordering::Relaxed);
        world.clock.advance(SignedDuration::from_mins(1));
        assert_eq!(tend(&world).await.created, 1);
        world.deliver_and_work().await;
        one_channel_each(&world, "opened in the end").await;
    });
}

/// Whoever asks too early is told the same by everybody: the calendars of one id are not all looked at.
#[test]
fn a_stranger_learns_nothing_and_changes_nothing() {
    block_on(async {
        let world = settled(GOOGLE, 33).await;
        let nobody = CalendarId(uuid::Uuid::from_u128(5));
        assert!(!world.engine().renew_channel(nobody).await.unwrap());
        assert_eq!(tend(&world).await, Maintenance::default());
    });
}
