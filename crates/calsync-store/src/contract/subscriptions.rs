//! Subscriptions: one active per calendar and provider, and the sweeps that find the others.

use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::ports::{CalendarChange, Store, StoreError, Switch};
use calsync_core::subscription::{Subscription, SubscriptionStatus};

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
        Subscription { status: SubscriptionStatus::Expired, ..old.clone() }
    );
    assert_eq!(w.store.subscriptions(w.a).await.unwrap()[0], new, "newest first");
    assert!(conflict(w.store.set_subscription_status(old.id, SubscriptionStatus::Active).await));
    let other = Subscription { provider: ProviderKind::Microsoft, ..subscription(22, w.a) };
    w.store.begin_subscription(&other, None).await.unwrap();
    let stray = subscription(23, CalendarId(id(77)));
    assert!(conflict(w.store.begin_subscription(&stray, None).await));
    w.store.set_subscription_status(new.id, SubscriptionStatus::Suspended).await.unwrap();
    w.store.set_subscription_status(old.id, SubscriptionStatus::Active).await.unwrap();
    assert!(conflict(
        w.store.set_subscription_status(SubscriptionId(id(77)), SubscriptionStatus::Failed).await
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

/// New end, new ids, no failures, in use.
pub async fn confirming_renews(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = Subscription { failure_count: 3, resource_id: String::new(), ..subscription(20, w.a) };
    w.store.begin_subscription(&s, None).await.unwrap();
    w.store.confirm_subscription(s.id, "theirs", "resource", t(999_999), t(50)).await.unwrap();
    let expected = Subscription {
        remote_id: "theirs".to_owned(),
        resource_id: "resource".to_owned(),
        expires_at: t(999_999),
        last_renewal_at: Some(t(50)),
        failure_count: 0,
        ..s.clone()
    };
    assert_eq!(w.subscription(&s).await, expected);
    w.store.set_subscription_status(s.id, SubscriptionStatus::Expired).await.unwrap();
    w.store.confirm_subscription(s.id, "theirs", "resource", t(999_999), t(60)).await.unwrap();
    assert_eq!(w.subscription(&s).await.status, SubscriptionStatus::Active);
    assert!(conflict(w.store.confirm_subscription(SubscriptionId(id(77)), "x", "y", t(1), t(1)).await));
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
    w.store.set_subscription_status(never.id, SubscriptionStatus::Suspended).await.unwrap();
    assert_eq!(silent(100, 10).await, [21]);
}

/// Active ones only.
pub async fn ending_ones_soonest_first(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for (n, calendar, at) in [(20, w.a, 300), (21, w.b, 100), (22, w.c, 200)] {
        let s = Subscription { expires_at: t(at), ..subscription(n, calendar) };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let history = Subscription {
        expires_at: t(1),
        provider: ProviderKind::Apple,
        status: SubscriptionStatus::Expired,
        ..subscription(23, w.a)
    };
    w.store.begin_subscription(&history, None).await.unwrap();
    let ending = async |before, limit| ids(&w.store.subscriptions_ending(t(before), limit).await.unwrap());
    assert_eq!(ending(300, 10).await, [21, 22]);
    assert_eq!(ending(301, 10).await, [21, 22, 20]);
    assert_eq!(ending(301, 1).await, [21]);
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
    w.store.set_subscription_status(SubscriptionId(id(21)), SubscriptionStatus::Suspended).await.unwrap();
    assert_eq!(failing(5, 10).await, [20]);
}

/// Taking part, allowed to push, listed, able to, with a working account and without a channel.
pub async fn unwatched_calendars_are_those_that_could(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let unwatched = async |limit| {
        let found = w.store.unwatched_calendars(limit).await.unwrap();
        found.into_iter().map(|c| c.name).collect::<Vec<_>>()
    };
    assert_eq!(unwatched(10).await, ["Calendar a", "Calendar b", "Calendar c"]);
    assert_eq!(unwatched(1).await, ["Calendar a"]);
    let s = w.watch(20, w.a).await;
    w.store.change_calendar(w.b, CalendarChange::WebhookEnabled(Switch::Off), t(3)).await.unwrap();
    assert_eq!(unwatched(10).await, ["Calendar c"]);
    w.store.change_calendar(w.c, CalendarChange::PushUnsupported, t(3)).await.unwrap();
    assert_eq!(unwatched(10).await, [] as [&str; 0]);
    w.store.set_subscription_status(s.id, SubscriptionStatus::Failed).await.unwrap();
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
    assert!(conflict(w.store.confirm_subscription(other.id, &s.remote_id, "r", t(99), t(1)).await));
    assert!(conflict(w.store.confirm_subscription(other.id, &"x".repeat(256), "r", t(99), t(1)).await));
    assert_eq!(w.subscription(&other).await, other);
}
