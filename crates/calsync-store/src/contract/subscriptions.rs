//! Subscriptions: one active per calendar and provider, and the sweeps that find the others.

use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::delivery::{Delivery, Unannounced};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::ports::{
    Admit, CalendarChange, ChannelOpened, DeliveryEnd, NextDue, RunEnd, Store, StoreError, SubscriptionCount,
    Switch,
};
use calsync_core::run::RunKind;
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;

use super::world::*;

fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

fn ids(found: &[Subscription]) -> Vec<u64> {
    found.iter().map(|s| u64::try_from(s.id.0.as_u128()).unwrap()).collect()
}

/// goals.md §4 row 2: a second one only as the first one's replacement; the first stays as history.
pub async fn one_active_per_calendar_and_provider(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let old = w.watch(20, w.a).await;
    let new = Subscription { created_at: t(11), ..subscription(21, w.a) };
    assert!(conflict(w.store.begin_subscription(&new, None).await));
    assert!(conflict(w.store.begin_subscription(&new, Some(SubscriptionId(id(77)))).await));
    assert_eq!(w.subscription(&old).await, old, "refused: the old one is still in use");
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    assert_eq!(
        w.subscription(&old).await,
        Subscription { status: SubscriptionStatus::Expired, close_at: Some(new.expires_at), ..old.clone() }
    );
    assert_eq!(w.store.subscriptions(w.a).await.unwrap()[0], new, "newest first");
    assert!(conflict(w.store.set_subscription_status(old.id, SubscriptionStatus::Active, None).await));
    let other = Subscription { provider: ProviderKind::Microsoft, ..subscription(22, w.a) };
    w.store.begin_subscription(&other, None).await.unwrap();
    let stray = subscription(23, CalendarId(id(77)));
    assert!(conflict(w.store.begin_subscription(&stray, None).await));
    w.store.set_subscription_status(new.id, SubscriptionStatus::Suspended, None).await.unwrap();
    w.store.set_subscription_status(old.id, SubscriptionStatus::Active, None).await.unwrap();
    assert!(conflict(
        w.store.set_subscription_status(SubscriptionId(id(77)), SubscriptionStatus::Failed, None).await
    ));
}

/// The provider refused the new one: the old one goes on, unless it has ended or another took its place.
pub async fn a_refused_replacement_reinstates_the_old(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let old = w.watch(20, w.a).await;
    let first = subscription(21, w.a);
    w.store.begin_subscription(&first, Some(old.id)).await.unwrap();
    w.store.abandon_subscription(first.id, Some(old.id), t(100)).await.unwrap();
    assert_eq!(w.subscription(&first).await.status, SubscriptionStatus::Failed);
    assert_eq!(w.subscription(&old).await.status, SubscriptionStatus::Active);
    let second = subscription(22, w.a);
    w.store.begin_subscription(&second, Some(old.id)).await.unwrap();
    w.store.abandon_subscription(second.id, Some(old.id), old.expires_at).await.unwrap();
    assert_eq!(w.subscription(&old).await.status, SubscriptionStatus::Expired, "it has ended");
    let third = w.watch(23, w.a).await;
    w.store.abandon_subscription(second.id, Some(old.id), t(100)).await.unwrap();
    assert_eq!(w.subscription(&old).await.status, SubscriptionStatus::Expired, "another one is in use");
    assert_eq!(w.subscription(&third).await.status, SubscriptionStatus::Active);
    assert!(conflict(w.store.abandon_subscription(SubscriptionId(id(77)), None, t(1)).await));
}

/// New end, new ids, in use; of its failures only the misses in a row are left.
pub async fn confirming_renews(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let delivery = Delivery { heard: 3, missed: 2, missed_streak: 2, unannounced: None };
    let s = Subscription { failure_count: 3, delivery, resource_id: String::new(), ..subscription(20, w.a) };
    w.store.begin_subscription(&s, None).await.unwrap();
    w.store.confirm_subscription(&opened(s.id, "theirs", 999_999, 50)).await.unwrap();
    let expected = Subscription {
        remote_id: "theirs".to_owned(),
        resource_id: "resource".to_owned(),
        expires_at: t(999_999),
        renew_at: t(999_989),
        last_renewal_at: Some(t(50)),
        failure_count: 2,
        ..s.clone()
    };
    assert_eq!(w.subscription(&s).await, expected);
    w.store.set_subscription_status(s.id, SubscriptionStatus::Expired, None).await.unwrap();
    assert!(
        conflict(w.store.confirm_subscription(&opened(s.id, "theirs", 999_999, 60)).await),
        "given up meanwhile"
    );
    assert!(conflict(w.store.confirm_subscription(&opened(SubscriptionId(id(77)), "x", 1, 1)).await));
}

/// goals.md §4 row 5: a channel that never delivered anything counts from its creation.
pub async fn the_silent_ones_are_found_even_if_never_heard(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let never = w.watch(20, w.a).await;
    for (n, calendar, heard) in [(21, w.b, 50), (22, w.c, 100)] {
        let s = Subscription { last_notification_at: Some(t(heard)), ..subscription(n, calendar) };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let silent = async |since, limit| ids(&w.store.subscriptions_silent(t(since), limit).await.unwrap());
    assert_eq!(silent(100, 10).await, [20, 21], "the longest silent first");
    assert_eq!(silent(101, 10).await, [20, 21, 22]);
    assert_eq!(silent(101, 1).await, [20]);
    assert_eq!(silent(10, 10).await, [] as [u64; 0]);
    w.store.set_subscription_status(never.id, SubscriptionStatus::Suspended, None).await.unwrap();
    assert_eq!(silent(100, 10).await, [21]);
}

/// Active ones only; each is left alone until its time.
pub async fn those_to_renew_longest_due_first(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for (n, calendar, at) in [(20, w.a, 300), (21, w.b, 100), (22, w.c, 200)] {
        let s = Subscription { renew_at: t(at), ..subscription(n, calendar) };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let history = Subscription {
        renew_at: t(1),
        provider: ProviderKind::Apple,
        status: SubscriptionStatus::Expired,
        ..subscription(23, w.a)
    };
    w.store.begin_subscription(&history, None).await.unwrap();
    let due = async |now, limit| ids(&w.store.subscriptions_to_renew(t(now), limit).await.unwrap());
    assert_eq!(due(299, 10).await, [21, 22]);
    assert_eq!(due(300, 10).await, [21, 22, 20]);
    assert_eq!(due(300, 1).await, [21]);
    w.store.postpone_renewal(SubscriptionId(id(21)), t(301)).await.unwrap();
    assert_eq!(due(300, 10).await, [22, 20]);
    assert_eq!(due(301, 10).await, [22, 20, 21]);
    assert!(conflict(w.store.postpone_renewal(SubscriptionId(id(77)), t(1)).await));
}

/// What is out of use and may still stand at the provider is closed there, sooner or later.
pub async fn what_is_out_of_use_is_to_be_closed(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let due = async |now| ids(&w.store.subscriptions_to_close(t(now), 10).await.unwrap());
    let old = w.watch(20, w.a).await;
    let new = Subscription { expires_at: t(700), ..subscription(21, w.a) };
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    assert_eq!(due(699).await, [] as [u64; 0], "the new one may yet be refused");
    assert_eq!(due(700).await, [20], "we may have died over it");
    let confirmed = ChannelOpened { replaces: Some(old.id), ..opened(new.id, "channel-21", 9_000, 100) };
    w.store.confirm_subscription(&confirmed).await.unwrap();
    assert_eq!(due(100).await, [20]);
    w.store.put_closing(old.id, Some(t(250))).await.unwrap();
    assert_eq!((due(249).await, due(250).await), (vec![], vec![20]));
    w.store.put_closing(old.id, None).await.unwrap();
    assert_eq!(due(9_999).await, [] as [u64; 0], "closed");
    w.store.confirm_subscription(&confirmed).await.unwrap();
    assert_eq!(due(9_999).await, [] as [u64; 0], "and not closed again");
    w.store.set_subscription_status(new.id, SubscriptionStatus::Suspended, Some(t(300))).await.unwrap();
    assert_eq!(due(300).await, [21]);
    w.store.set_subscription_status(new.id, SubscriptionStatus::Active, None).await.unwrap();
    w.store.put_closing(new.id, Some(t(1))).await.unwrap();
    assert_eq!(due(9_999).await, [] as [u64; 0], "what is in use is nobody's to close");
    let third = subscription(22, w.a);
    w.store.begin_subscription(&third, Some(new.id)).await.unwrap();
    w.store.abandon_subscription(third.id, Some(new.id), t(100)).await.unwrap();
    assert_eq!(w.subscription(&new).await.close_at, None, "it goes on");
}

/// In the same transaction: a crash after it leaves no channel that stands for ever.
pub async fn switching_off_retires_its_channels(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (a, b, c) = (w.watch(20, w.a).await, w.watch(21, w.b).await, w.watch(22, w.c).await);
    w.store.change_calendar(w.a, CalendarChange::WebhookEnabled(Switch::Off), t(50)).await.unwrap();
    w.store.change_calendar(w.b, CalendarChange::SyncEnabled(Switch::Off), t(60)).await.unwrap();
    for (channel, at) in [(&a, 50), (&b, 60)] {
        let known = w.subscription(channel).await;
        assert_eq!((known.status, known.close_at), (SubscriptionStatus::Suspended, Some(t(at))));
    }
    assert_eq!(w.subscription(&c).await, c, "another calendar's");
    w.store.change_calendar(w.c, CalendarChange::PushUnsupported, t(70)).await.unwrap();
    w.store.postpone_opening(w.a, t(9_000)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::WebhookEnabled(Switch::On), t(80)).await.unwrap();
    let unwatched = w.store.unwatched_calendars(t(80), 10).await.unwrap();
    assert_eq!(
        unwatched.iter().map(|c| c.id).collect::<Vec<_>>(),
        [w.a],
        "whoever asks for it need not wait"
    );
}

/// A calendar that left while its provider was asked keeps no channel, whatever the provider answers, and gets none.
pub async fn whoever_left_meanwhile_is_not_watched(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let old = w.watch(20, w.a).await;
    let new = Subscription { resource_id: String::new(), ..subscription(21, w.a) };
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(50)).await.unwrap();
    assert!(conflict(w.store.confirm_subscription(&opened(new.id, "theirs", 900, 60)).await));
    assert_eq!(w.subscription(&new).await.status, SubscriptionStatus::Suspended);
    w.store.abandon_subscription(new.id, Some(old.id), t(61)).await.unwrap();
    let known = w.subscription(&old).await;
    assert_eq!(known.status, SubscriptionStatus::Expired, "nor does the old one go on");
    assert!(known.close_at.is_some(), "it is to be closed");
    assert!(conflict(w.store.begin_subscription(&subscription(22, w.a), None).await));
    w.store.change_calendar(w.b, CalendarChange::WebhookEnabled(Switch::Off), t(50)).await.unwrap();
    assert!(conflict(w.store.begin_subscription(&subscription(23, w.b), None).await));
    let out = Admit { calendar: w.c, push: Switch::Off, due_by: t(99) };
    w.store.admit(&[out], t(50)).await.unwrap();
    assert!(conflict(w.store.begin_subscription(&subscription(24, w.c), None).await));
}

/// We never heard the answer, but its deliveries name it.
pub async fn an_orphan_is_learnt_once_and_closed(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = Subscription { resource_id: String::new(), ..subscription(20, w.a) };
    w.store.begin_subscription(&s, None).await.unwrap();
    assert!(!w.store.learn_channel(s.id, "theirs", "resource", t(900), t(5)).await.unwrap(), "it is in use");
    w.store.abandon_subscription(s.id, None, t(4)).await.unwrap();
    assert!(w.store.learn_channel(s.id, "theirs", "resource", t(900), t(5)).await.unwrap());
    assert!(!w.store.learn_channel(s.id, "another", "resource", t(900), t(6)).await.unwrap(), "it is known");
    let known = w.subscription(&s).await;
    assert_eq!((known.remote_id.as_str(), known.resource_id.as_str()), ("theirs", "resource"));
    assert_eq!((known.status, known.close_at), (SubscriptionStatus::Failed, Some(t(5))));
    assert_eq!(known.expires_at, t(900));
    assert!(!w.store.learn_channel(SubscriptionId(id(77)), "x", "y", t(1), t(1)).await.unwrap());
}

/// Of all that is to be done with channels.
pub async fn the_next_deed_at_a_channel_is_known(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let next = async || w.store.next_channel_due().await.unwrap();
    assert_eq!(next().await, Some(Ts::from_secs(0)), "three want one at once");
    for calendar in [w.a, w.b, w.c] {
        w.store.postpone_opening(calendar, t(5_000)).await.unwrap();
    }
    assert_eq!(next().await, Some(t(5_000)));
    let s = Subscription { renew_at: t(4_000), expires_at: t(4_500), ..subscription(20, w.a) };
    w.store.begin_subscription(&s, None).await.unwrap();
    assert_eq!(next().await, Some(t(4_000)));
    w.store.postpone_renewal(s.id, t(6_000)).await.unwrap();
    assert_eq!(next().await, Some(t(4_500)), "its end");
    w.store.set_subscription_status(s.id, SubscriptionStatus::Suspended, Some(t(4_100))).await.unwrap();
    assert_eq!(next().await, Some(t(4_100)));
    assert!(conflict(w.store.postpone_opening(CalendarId(id(77)), t(1)).await));
}

/// What a run showed of a channel is kept; success leaves the misses.
pub async fn deliveries_are_measured(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    let delivery = Delivery {
        heard: 7,
        missed: 3,
        missed_streak: 2,
        unannounced: Some(Unannounced { found_at: t(60), changes: 4 }),
    };
    let one = run(50, w.a, RunKind::Polling, 60);
    w.store.begin_run(&lease, &one).await.unwrap();
    let seen = DeliveryEnd { subscription: s.id, delivery, renew_at: Some(t(77)) };
    let end = RunEnd { delivery: Some(seen), ..succeeded(&one, 61) };
    w.store.end_run(&lease, &end).await.unwrap();
    let known = w.subscription(&s).await;
    assert_eq!((known.delivery, known.renew_at, known.failure_count), (delivery, t(77), 2));
    let two = run(51, w.a, RunKind::Webhook, 70);
    w.store.record_notification(super::world::delivery(30, &s, 65)).await.unwrap();
    w.store.record_notification(super::world::delivery(31, &s, 68)).await.unwrap();
    let begun = w.store.begin_run(&lease, &two).await.unwrap();
    assert_eq!(begun.told, [t(65), t(68)]);
    let heard = Delivery { missed_streak: 0, unannounced: None, ..delivery };
    // Renewed while it was read: that stands.
    w.store.postpone_renewal(s.id, t(5_000)).await.unwrap();
    let seen = DeliveryEnd { delivery: heard, renew_at: None, ..seen };
    w.store.end_run(&lease, &RunEnd { delivery: Some(seen), ..succeeded(&two, 71) }).await.unwrap();
    let known = w.subscription(&s).await;
    assert_eq!((known.delivery, known.failure_count, known.renew_at), (heard, 0, t(5_000)));
}

/// Whoever is out is polled soon, and its channel is to be closed; whoever is in waits for one.
pub async fn rollout_is_taken_over(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let all = w.store.admissions(None, 10).await.unwrap();
    assert_eq!(all.iter().map(|a| a.calendar).collect::<Vec<_>>(), [w.a, w.b, w.c]);
    assert!(all.iter().all(|a| a.admitted && a.user.id == w.user));
    assert_eq!(w.store.admissions(Some(w.a), 1).await.unwrap(), all[1..2]);
    assert_eq!(w.store.admissions(Some(w.c), 10).await.unwrap(), []);
    w.store.change_calendar(w.b, CalendarChange::SyncEnabled(Switch::Off), t(3)).await.unwrap();
    let due = async |calendar| w.get(calendar).await.due_at;
    let off_before = due(w.b).await;
    let lease = w.lease(20).await;
    let mut later = Vec::new();
    for calendar in [w.a, w.c] {
        let seen_generation = w.get(calendar).await.dirty_generation;
        later.push(NextDue { calendar, seen_generation, due_at: Some(t(9_000)) });
    }
    w.store.release(&lease, &later).await.unwrap();
    let out = |calendar| Admit { calendar, push: Switch::Off, due_by: t(500) };
    w.store.admit(&[out(w.a), out(w.b), out(CalendarId(id(77)))], t(100)).await.unwrap();
    let known = w.subscription(&s).await;
    assert_eq!((known.status, known.close_at), (SubscriptionStatus::Suspended, Some(t(100))));
    assert_eq!((due(w.a).await, due(w.c).await), (Some(t(500)), Some(t(9_000))));
    assert_eq!(due(w.b).await, off_before, "it takes no part");
    assert!(!w.get(w.a).await.push_admitted && w.get(w.c).await.push_admitted);
    let unwatched = async || w.store.unwatched_calendars(t(9), 10).await.unwrap().len();
    assert_eq!(unwatched().await, 1);
    let back = |calendar| Admit { push: Switch::On, ..out(calendar) };
    w.store.admit(&[back(w.a)], t(200)).await.unwrap();
    assert_eq!(unwatched().await, 2);
    assert_eq!(due(w.a).await, Some(t(500)), "nothing hurries to stop polling");
}

/// Active ones only, the worst first.
pub async fn failing_ones_worst_first(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for (n, calendar, failure_count) in [(20, w.a, 5), (21, w.b, 12), (22, w.c, 4)] {
        let s = Subscription { failure_count, ..subscription(n, calendar) };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let failing = async |at_least, limit| ids(&w.store.subscriptions_failing(at_least, limit).await.unwrap());
    assert_eq!(failing(5, 10).await, [21, 20]);
    assert_eq!(failing(1, 2).await, [21, 20]);
    assert_eq!(failing(13, 10).await, [] as [u64; 0]);
    w.store
        .set_subscription_status(SubscriptionId(id(21)), SubscriptionStatus::Suspended, None)
        .await
        .unwrap();
    assert_eq!(failing(5, 10).await, [20]);
}

/// Taking part, allowed to push, listed, able to, with a working account and without a channel.
pub async fn unwatched_calendars_are_those_that_could(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let unwatched = async |limit| {
        let found = w.store.unwatched_calendars(t(9), limit).await.unwrap();
        found.into_iter().map(|c| c.name).collect::<Vec<_>>()
    };
    assert_eq!(unwatched(10).await, ["Calendar a", "Calendar b", "Calendar c"]);
    assert_eq!(unwatched(1).await, ["Calendar a"]);
    w.store.postpone_opening(w.a, t(9)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar b", "Calendar c", "Calendar a"], "the longest waiting first");
    w.store.postpone_opening(w.a, t(10)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar b", "Calendar c"], "not before its time");
    w.store.connect_account(&account(2, 1), t(2)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar a", "Calendar b", "Calendar c"], "connected again");
    let s = w.watch(20, w.a).await;
    w.store.change_calendar(w.b, CalendarChange::WebhookEnabled(Switch::Off), t(3)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar c"]);
    w.store.change_calendar(w.c, CalendarChange::PushUnsupported, t(3)).await.unwrap();
    assert_eq!(unwatched(10).await, [] as [&str; 0]);
    w.store.set_subscription_status(s.id, SubscriptionStatus::Failed, None).await.unwrap();
    w.store.change_calendar(w.b, CalendarChange::WebhookEnabled(Switch::On), t(4)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar a", "Calendar b"]);
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(5)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar b"]);
    w.store.update_calendar_list(w.account, &[(w.a, listed("a"))]).await.unwrap();
    assert_eq!(unwatched(10).await, [] as [&str; 0], "no longer listed");
    w.store.update_calendar_list(w.account, &[(w.b, listed("b"))]).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar b"]);
    w.store.set_account_status(w.account, AccountStatus::NeedsReconnect, None).await.unwrap();
    assert_eq!(unwatched(10).await, [] as [&str; 0]);
}

/// From the instant at which it ends; each once.
pub async fn expiry_is_swept(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let later = Subscription { expires_at: t(7 * 86_400 + 1), ..subscription(21, w.b) };
    w.store.begin_subscription(&later, None).await.unwrap();
    assert_eq!(w.store.expire_subscriptions(t(7 * 86_400 - 1)).await.unwrap(), 0);
    assert_eq!(w.store.expire_subscriptions(s.expires_at).await.unwrap(), 1);
    assert_eq!(w.store.expire_subscriptions(s.expires_at).await.unwrap(), 0);
    assert_eq!(w.subscription(&s).await.status, SubscriptionStatus::Expired);
    assert_eq!(w.subscription(&later).await.status, SubscriptionStatus::Active);
}

/// For its provider; and no longer than the column.
pub async fn a_channel_id_is_unique(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let same = Subscription { remote_id: s.remote_id.clone(), ..subscription(21, w.b) };
    assert!(conflict(w.store.begin_subscription(&same, None).await));
    let elsewhere = Subscription { provider: ProviderKind::Microsoft, ..same };
    w.store.begin_subscription(&elsewhere, None).await.unwrap();
    let other = w.watch(22, w.b).await;
    assert!(conflict(w.store.confirm_subscription(&opened(other.id, &s.remote_id, 99, 1)).await));
    assert!(conflict(w.store.confirm_subscription(&opened(other.id, &"x".repeat(256), 99, 1)).await));
    assert_eq!(w.subscription(&other).await, other);
}

/// Those that `expire_subscriptions` takes; and all that there are, by provider and status.
pub async fn the_ended_are_named_and_all_are_counted(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let delivery = |heard, missed| Delivery { heard, missed, ..Delivery::default() };
    for (n, calendar, ends, told) in [(20, w.a, 300, delivery(5, 1)), (21, w.b, 200, delivery(7, 0))] {
        let s = Subscription { expires_at: t(ends), delivery: told, ..subscription(n, calendar) };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let elsewhere = Subscription {
        provider: ProviderKind::Microsoft,
        status: SubscriptionStatus::Suspended,
        expires_at: t(100),
        delivery: delivery(0, 3),
        ..subscription(22, w.c)
    };
    w.store.begin_subscription(&elsewhere, None).await.unwrap();
    let ended = async |now, limit| ids(&w.store.subscriptions_ended(t(now), limit).await.unwrap());
    assert_eq!(ended(199, 10).await, [] as [u64; 0]);
    assert_eq!(ended(300, 10).await, [21, 20], "only what is in use");
    assert_eq!(ended(300, 1).await, [21]);
    let of =
        |provider, status, count, heard, missed| SubscriptionCount { provider, status, count, heard, missed };
    use ProviderKind::{Google, Microsoft};
    use SubscriptionStatus::{Active, Expired, Suspended};
    assert_eq!(
        w.store.subscription_counts().await.unwrap(),
        [of(Google, Active, 2, 12, 1), of(Microsoft, Suspended, 1, 0, 3)]
    );
    assert_eq!(w.store.expire_subscriptions(t(200)).await.unwrap(), 1);
    let counts = w.store.subscription_counts().await.unwrap();
    assert_eq!(counts[..2], [of(Google, Active, 1, 5, 1), of(Google, Expired, 1, 7, 0)]);
    assert_eq!(ended(300, 10).await, [20]);
}
