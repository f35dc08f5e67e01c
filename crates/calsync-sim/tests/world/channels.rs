//! Deliveries and channels: what the engine believes, what it heeds, and how channels are kept open at providers that prolong
//! them in place (spec §6, microsoft.md §8).

use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ids::CalendarId;
use calsync_core::notification::{ChannelNews, Delivery};
use calsync_core::secret::Secret;
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_engine::{Accepted, Followup, Refusal};
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::watch::{Channel, Lifecycle, Notice, Provider};
use calsync_sim::direct::CLIENT;
use calsync_sim::faults::Fault;
use jiff::SignedDuration;

use super::block_on;
use super::cast::{GOOGLE, MICROSOFT};
use super::scenarios::settled;
use super::world::World;

/// The first person's second calendar, as known here.
async fn calendar(world: &World) -> CalendarId {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    let remote = world.life.people[0].calendars[1].as_str();
    state.calendars.iter().find(|c| c.remote.calendar == remote).unwrap().id
}

async fn active(world: &World) -> Option<Subscription> {
    let all = world.store.subscriptions(calendar(world).await).await.unwrap();
    all.into_iter().find(|s| s.status == SubscriptionStatus::Active)
}

/// Its channel at the provider.
fn channel(world: &World, id: &str) -> Option<Arc<Channel>> {
    world.cloud.with(|c| c.watch().find(CLIENT, id).cloned())
}

/// An hour that nobody was told of.
fn unheard(world: &World) {
    let calendar = world.life.people[0].calendars[1].clone();
    let (now, start) = (world.clock.now(), world.clock.now().plus(SignedDuration::from_hours(33)));
    world.cloud.with(|c| {
        let end = start.plus(SignedDuration::from_hours(1));
        c.create_event(&calendar, Content::timed("unheard", start, end, "UTC"), now).unwrap();
        for provider in Provider::ALL {
            c.take_notices(provider, 1_000);
        }
    });
}

/// What was just opened or renewed is taken to stand, however often its provider asks (§8.3).
fn let_it_age(world: &World) {
    world.clock.advance(SignedDuration::from_mins(11));
}

/// What would be posted now for the first waiting notice of Microsoft's.
fn posted(world: &World) -> (Notice, Vec<Delivery>) {
    let mut waiting = world.cloud.with(|c| c.take_notices(Provider::Microsoft, 1));
    let notice = waiting.pop().unwrap();
    let deliveries = world.direct.deliveries(&notice);
    (notice, deliveries)
}

fn tell(world: &World, id: &str, what: Lifecycle) {
    let channel = channel(world, id).unwrap();
    world.direct.tell_channel(&channel, what);
}

#[test]
fn what_was_missed_is_read_in_full() {
    block_on(async {
        let mut world = settled(MICROSOFT, 1).await;
        unheard(&world);
        world.deliver_and_work().await;
        assert!(!world.judge().is_good(), "nobody was told");
        let read_before = world.store.calendar(calendar(&world).await).await.unwrap().unwrap().last_full_sync;
        world.clock.advance(SignedDuration::from_mins(1));
        tell(&world, &active(&world).await.unwrap().remote_id, Lifecycle::Missed);
        world.deliver_and_work().await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
        let read = world.store.calendar(calendar(&world).await).await.unwrap().unwrap().last_full_sync;
        assert!(read > read_before, "what was not delivered can be anything");
    });
}

#[test]
fn a_channel_that_asks_for_it_is_prolonged_in_place() {
    block_on(async {
        let mut world = settled(MICROSOFT, 2).await;
        let before = active(&world).await.unwrap();
        world.clock.advance(SignedDuration::from_hours(2));
        tell(&world, &before.remote_id, Lifecycle::ReauthorizationRequired);
        world.deliver_and_work().await;
        let after = active(&world).await.unwrap();
        assert_eq!((after.id, &after.remote_id), (before.id, &before.remote_id), "the same channel");
        assert_eq!(after.expires_at.since(before.expires_at), SignedDuration::from_hours(2));
        assert_eq!(channel(&world, &after.remote_id).unwrap().expires, after.expires_at);
        assert!(after.last_renewal_at.is_some());
        // Once prolonged it hears as before.
        unheard_but_told(&mut world).await;
    });
}

/// Something happens, and only the channel can have told.
async fn unheard_but_told(world: &mut World) {
    let calendar = world.life.people[0].calendars[1].clone();
    let (now, start) = (world.clock.now(), world.clock.now().plus(SignedDuration::from_hours(40)));
    world.cloud.with(|c| {
        let end = start.plus(SignedDuration::from_hours(1));
        c.create_event(&calendar, Content::timed("told", start, end, "UTC"), now).unwrap();
    });
    world.deliver_and_work().await;
    assert!(world.judge().is_good(), "{:?}", world.judge());
}

#[test]
fn a_removed_channel_is_replaced_and_what_it_missed_is_read() {
    block_on(async {
        let mut world = settled(MICROSOFT, 3).await;
        let before = active(&world).await.unwrap();
        tell(&world, &before.remote_id, Lifecycle::SubscriptionRemoved);
        let word = world.cloud.with(|c| c.take_notices(Provider::Microsoft, 1_000));
        world.cloud.with(|c| c.stop_channel(CLIENT, &before.remote_id));
        unheard(&world);
        for notice in &word {
            world.receive(notice).await;
        }
        world.work().await;
        assert!(world.judge().is_good(), "{:?}", world.judge());
        assert_ne!(active(&world).await.unwrap().remote_id, before.remote_id);
        unheard_but_told(&mut world).await;
        // The word comes once more, late: the new channel is none of its business.
        for notice in &word {
            world.receive(notice).await;
        }
        assert!(active(&world).await.is_some());
    });
}

#[test]
fn nothing_is_heeded_that_is_not_believed() {
    block_on(async {
        let world = settled(MICROSOFT, 4).await;
        let (calendar, before) = (calendar(&world).await, active(&world).await.unwrap());
        for what in [Lifecycle::SubscriptionRemoved, Lifecycle::Missed, Lifecycle::ReauthorizationRequired] {
            tell(&world, &before.remote_id, what);
            let (_, mut deliveries) = posted(&world);
            let delivery = deliveries.pop().unwrap();
            let told = |change: &dyn Fn(&mut Delivery)| {
                let mut forged = delivery.clone();
                change(&mut forged);
                world.engine().accept_delivery(ProviderKind::Microsoft, calendar, forged)
            };
            let forged = told(&|d| d.claim.token = Some(Secret::new("guessed"))).await;
            assert!(matches!(forged, Err(Refusal::Distrusted(_))), "{what:?}: {forged:?}");
            let unsigned = told(&|d| d.claim.token = None).await;
            assert!(matches!(unsigned, Err(Refusal::Distrusted(_))), "{what:?}: {unsigned:?}");
            let unknown = told(&|d| d.claim.channel = "another".to_owned()).await;
            assert!(unknown.is_err(), "{what:?}: {unknown:?}");
            let elsewhere = world.engine().accept_delivery(ProviderKind::Google, calendar, delivery).await;
            assert!(matches!(elsewhere, Err(Refusal::Unknown)), "{what:?}: {elsewhere:?}");
        }
        let after = active(&world).await.unwrap();
        assert_eq!(after, before, "the channel stands as it stood");
        let state = world.store.calendar(calendar).await.unwrap().unwrap();
        assert!(!state.full_due && state.dirty_generation == state.synced_generation, "nothing was raised");
    });
}

#[test]
fn news_is_heeded_again_when_it_comes_again() {
    block_on(async {
        let mut world = settled(MICROSOFT, 5).await;
        let (calendar, before) = (calendar(&world).await, active(&world).await.unwrap());
        let accept = |world: &World, delivery: &Delivery| {
            let engine = world.engine().clone();
            let delivery = delivery.clone();
            async move { engine.accept_delivery(ProviderKind::Microsoft, calendar, delivery).await.unwrap() }
        };
        tell(&world, &before.remote_id, Lifecycle::ReauthorizationRequired);
        let (_, asked) = posted(&world);
        assert!(matches!(accept(&world, &asked[0]).await, (Accepted::Stored(_), Followup::Renew)));
        // We may have died between the two.
        assert_eq!(accept(&world, &asked[0]).await, (Accepted::Duplicate, Followup::Renew));
        tell(&world, &before.remote_id, Lifecycle::Missed);
        let (_, missed) = posted(&world);
        for again in [false, true] {
            let (accepted, followup) = accept(&world, &missed[0]).await;
            assert_eq!((accepted == Accepted::Duplicate, followup), (again, Followup::Nothing));
            assert!(world.store.calendar(calendar).await.unwrap().unwrap().full_due);
            world.work().await;
        }
        let ended = Delivery { news: ChannelNews::Ended, ..missed[0].clone() };
        assert_eq!(accept(&world, &ended).await, (Accepted::Duplicate, Followup::Open));
        assert!(active(&world).await.is_none());
    });
}

/// §8.2: items without ids. Whoever cannot tell two of them apart must not lose the second.
#[test]
fn items_that_carry_nothing_lose_no_change() {
    block_on(async {
        let mut world = settled(MICROSOFT, 6).await;
        for _ in 0..3 {
            world.faults.force(Fault::NoticeBare, 50);
            unheard_but_told(&mut world).await;
            world.clock.advance(SignedDuration::from_mins(1));
        }
    });
}

/// Two changes of one series are told as two, though both are told of its master (§8.2).
#[test]
fn two_changes_of_one_series_are_two_notifications() {
    block_on(async {
        let mut world = settled(MICROSOFT, 7).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let start = world.clock.now().plus(SignedDuration::from_hours(30));
        let content = Content::timed("daily", start, start.plus(SignedDuration::from_hours(1)), "UTC")
            .repeating("RRULE:FREQ=DAILY;COUNT=5");
        let now = world.clock.now();
        let series = world.cloud.with(|c| c.create_event(&calendar, content, now).unwrap().id.clone());
        world.deliver_and_work().await;
        for day in 1..4 {
            let slot = calsync_sim::cloud::event::Slot::At(start.plus(SignedDuration::from_hours(24 * day)));
            world.cloud.with(|c| c.cancel_occurrence(&calendar, &series, slot, now).unwrap());
            world.deliver_and_work().await;
            assert!(world.judge().is_good(), "day {day}: {:?}", world.judge());
        }
    });
}

#[test]
fn channels_are_prolonged_in_time_and_replaced_when_unknown() {
    block_on(async {
        let mut world = settled(MICROSOFT, 8).await;
        let before = active(&world).await.unwrap();
        // They live for two days, and are renewed in the first half of the last third.
        world.clock.advance(SignedDuration::from_hours(41));
        let done = world.engine().maintain_subscriptions().await.unwrap();
        assert_eq!((done.renewed, done.created, done.failed), (6, 0, 0), "{done:?}");
        let prolonged = active(&world).await.unwrap();
        assert_eq!(prolonged.remote_id, before.remote_id);
        assert!(prolonged.expires_at > before.expires_at);
        // It went without a word.
        world.cloud.with(|c| c.stop_channel(CLIENT, &before.remote_id));
        assert!(world.engine().renew_channel(calendar(&world).await).await.unwrap());
        assert_eq!(active(&world).await.unwrap().remote_id, before.remote_id);
        let_it_age(&world);
        assert!(world.engine().renew_channel(calendar(&world).await).await.unwrap());
        let replaced = active(&world).await.unwrap();
        assert_ne!(replaced.remote_id, before.remote_id);
        assert!(channel(&world, &replaced.remote_id).is_some());
        unheard_but_told(&mut world).await;
    });
}

/// To prolong one that delivers elsewhere would only keep it dead for longer (spec §6, "the subscription repaired").
#[test]
fn a_channel_to_another_address_is_opened_anew() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 8).await;
            let_it_age(&world);
            let before = active(&world).await.unwrap();
            let moved = world.moved_to("https://moved.example.org");
            assert!(moved.renew_channel(calendar(&world).await).await.unwrap());
            let after = active(&world).await.unwrap();
            assert_ne!(after.remote_id, before.remote_id, "{homes:?}");
            assert!(after.webhook_url.starts_with("https://moved.example.org/webhooks/"), "{after:?}");
            assert_eq!(
                open(&world),
                std::slice::from_ref(&after.remote_id),
                "{homes:?}: the other one is closed"
            );
            let_it_age(&world);
            let again = moved.renew_channel(calendar(&world).await).await.unwrap();
            assert!(again && open(&world).len() == 1, "{homes:?}");
            assert_eq!(active(&world).await.unwrap().remote_id == after.remote_id, homes == MICROSOFT);
            unheard_but_told(&mut world).await;
        });
    }
}

/// §10 row 16: it was opened, and nobody heard so. The next attempt finds it in its way, and clears it.
#[test]
fn a_channel_whose_opening_was_not_heard_makes_room() {
    block_on(async {
        let mut world = settled(MICROSOFT, 9).await;
        let_it_age(&world);
        let before = active(&world).await.unwrap();
        world.cloud.with(|c| c.stop_channel(CLIENT, &before.remote_id));
        world.faults.force(Fault::ErrorAfterWrite, 1);
        assert!(!world.engine().renew_channel(calendar(&world).await).await.unwrap());
        let lost = open(&world);
        assert_eq!(lost.len(), 1, "it is open");
        assert!(active(&world).await.is_none(), "what is known to be gone does not pass for healthy");
        world.engine().maintain_subscriptions().await.unwrap();
        let found = open(&world);
        assert_eq!(found.len(), 1, "one is enough");
        assert_eq!(found[0], active(&world).await.unwrap().remote_id);
        assert_ne!(found, lost);
        unheard_but_told(&mut world).await;
    });
}

/// Ids of the live channels on the calendar.
fn open(world: &World) -> Vec<String> {
    let remote = world.life.people[0].calendars[1].clone();
    let resource = calsync_sim::cloud::watch::Resource::Events(remote);
    world
        .cloud
        .with(|c| c.watch().channels().filter(|c| c.resource == resource).map(|c| c.id.clone()).collect())
}

#[test]
fn a_renewal_that_cannot_be_made_changes_nothing() {
    block_on(async {
        let world = settled(MICROSOFT, 10).await;
        let_it_age(&world);
        let (id, before) = (calendar(&world).await, active(&world).await.unwrap());
        world.faults.force(Fault::ErrorBefore, 1);
        assert!(!world.engine().renew_channel(id).await.unwrap());
        assert_eq!(active(&world).await.unwrap(), before);
        // Whoever took back their leave is told so, and has no channel renewed.
        world.direct.revoke(world.life.people[0].email.as_str());
        assert!(!world.engine().renew_channel(id).await.unwrap());
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        assert_eq!(state.accounts[0].status, AccountStatus::NeedsReconnect);
        let nobody = CalendarId(uuid::Uuid::from_u128(1));
        assert!(!world.engine().renew_channel(nobody).await.unwrap());
    });
}

/// Where channels can only be replaced, asking for a renewal replaces one at once.
#[test]
fn a_channel_that_cannot_be_prolonged_is_replaced_without_a_gap() {
    block_on(async {
        let mut world = settled(GOOGLE, 11).await;
        let_it_age(&world);
        let before = active(&world).await.unwrap();
        assert!(world.engine().renew_channel(calendar(&world).await).await.unwrap());
        let after = active(&world).await.unwrap();
        assert_ne!(after.remote_id, before.remote_id);
        assert_eq!(open(&world), [after.remote_id]);
        unheard_but_told(&mut world).await;
    });
}
