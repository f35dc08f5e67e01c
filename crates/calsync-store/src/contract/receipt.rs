//! Receipt: whose delivery it is, and what it leaves behind.

use std::sync::Arc;

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{NotificationId, SubscriptionId};
use calsync_core::notification::{ProcessingStatus, Served, Wants};
use calsync_core::ports::{NewNotification, Recorded, Store, StoreError};
use calsync_core::run::RunKind;
use calsync_core::subscription::{Subscription, SubscriptionStatus};

use super::world::*;

/// Its own channel id first, whatever its state; else the newest; else none.
pub async fn a_subscription_is_found_by_channel_then_by_age(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let old = w.watch(20, w.a).await;
    let new = Subscription { created_at: t(11), ..subscription(21, w.a) };
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    let find = |calendar, provider, channel: &'static str| {
        let store = w.store.clone();
        async move { store.find_subscription(calendar, provider, channel).await.unwrap().map(|s| s.id) }
    };
    assert_eq!(find(w.a, ProviderKind::Google, "channel-20").await, Some(old.id));
    assert_eq!(find(w.a, ProviderKind::Google, "channel-21").await, Some(new.id));
    assert_eq!(find(w.a, ProviderKind::Google, "unknown").await, Some(new.id));
    assert_eq!(find(w.a, ProviderKind::Microsoft, "channel-21").await, None);
    assert_eq!(find(w.b, ProviderKind::Google, "channel-21").await, None, "a channel of another calendar");
    let found = w.store.find_subscription(w.a, ProviderKind::Google, "channel-20").await.unwrap().unwrap();
    let close_at = Some(new.expires_at);
    assert_eq!(found, Subscription { status: SubscriptionStatus::Expired, close_at, ..old });
}

/// The row and the raised calendar: one fact. The mark and the cleared failures follow when it is taken up.
pub async fn a_delivery_raises_and_then_marks(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = Subscription { failure_count: 4, ..subscription(20, w.a) };
    w.store.begin_subscription(&s, None).await.unwrap();
    let before = w.get(w.a).await.dirty_generation;
    let new = delivery(30, &s, 50);
    assert_eq!(w.store.record_notification(new.clone()).await.unwrap(), Recorded::New);
    let a = w.get(w.a).await;
    assert_eq!((a.dirty_generation, a.due_at), (before + 1, Some(t(50))));
    let stored = w.store.notifications(ProcessingStatus::Pending, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    let n = &stored[0];
    assert_eq!((n.id, n.subscription, n.notification_id.as_str()), (new.id, s.id, "30"));
    assert_eq!((n.received_at, &n.headers, &n.payload), (t(50), &new.headers, &new.payload));
    assert_eq!((n.retry_count, n.served, n.run), (0, Served::default(), None));
    taken_up(&w, 50, 51).await;
    let marked = w.subscription(&s).await;
    assert_eq!((marked.last_notification_at, marked.failure_count), (Some(t(50)), 0));
}

/// A run takes up whatever waits for the first calendar.
async fn taken_up(w: &World, number: u64, at: i64) {
    let lease = w.lease(at).await;
    w.store.begin_run(&lease, &run(number, w.a, RunKind::Webhook, at)).await.unwrap();
    w.store.release(&lease, &[]).await.unwrap();
}

/// The same delivery twice, under another id of ours.
pub async fn a_duplicate_changes_nothing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 50)).await.unwrap();
    let (calendar, subscription) = (w.get(w.a).await, w.subscription(&s).await);
    let again = NewNotification { id: NotificationId(id(31)), received_at: t(60), ..delivery(30, &s, 50) };
    assert_eq!(w.store.record_notification(again).await.unwrap(), Recorded::Duplicate);
    assert_eq!(w.store.record_notification(delivery(30, &s, 70)).await.unwrap(), Recorded::Duplicate);
    assert_eq!((w.get(w.a).await, w.subscription(&s).await), (calendar, subscription));
    // The number of a delivery is its channel's own.
    let other = Subscription { provider: ProviderKind::Microsoft, ..super::world::subscription(21, w.a) };
    w.store.begin_subscription(&other, None).await.unwrap();
    let same = NewNotification { notification_id: "30".to_owned(), ..delivery(32, &other, 50) };
    assert_eq!(w.store.record_notification(same).await.unwrap(), Recorded::New);
}

/// It proves that the channel works; there is nothing to read.
pub async fn a_confirmation_raises_nothing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let before = w.get(w.a).await;
    let confirmation = NewNotification { wants: Wants::Confirmation, ..delivery(30, &s, 50) };
    assert_eq!(w.store.record_notification(confirmation).await.unwrap(), Recorded::New);
    assert_eq!(w.get(w.a).await, before);
    assert_eq!(w.subscription(&s).await.last_notification_at, Some(t(50)));
    // Nothing will ever process it.
    let done = w.store.notifications(ProcessingStatus::Completed, 10).await.unwrap();
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].processing_completed_at, done[0].processing_time_ms), (Some(t(50)), Some(0)));
    assert_eq!(w.store.backlog(t(1_000)).await.unwrap(), 0);
}

/// An unknown subscription and an endless id are refused, and the good ones beside them are not.
pub async fn a_delivery_needs_its_subscription(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let stray = NewNotification { subscription: SubscriptionId(id(77)), ..delivery(30, &s, 50) };
    let endless = NewNotification { notification_id: "x".repeat(256), ..delivery(31, &s, 50) };
    let longest = NewNotification { notification_id: "ü".repeat(255), ..delivery(32, &s, 50) };
    let (a, b, c, d) = tokio::join!(
        w.store.record_notification(stray),
        w.store.record_notification(endless),
        w.store.record_notification(longest),
        w.store.record_notification(delivery(33, &s, 51)),
    );
    assert!(matches!(a, Err(StoreError::Conflict(_))), "{a:?}");
    assert!(matches!(b, Err(StoreError::Conflict(_))), "{b:?}");
    assert_eq!((c.unwrap(), d.unwrap()), (Recorded::New, Recorded::New));
}

/// Deliveries arrive in any order.
pub async fn a_late_delivery_does_not_turn_the_clock_back(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 60)).await.unwrap();
    taken_up(&w, 50, 61).await;
    w.store.record_notification(delivery(31, &s, 50)).await.unwrap();
    assert_eq!(w.get(w.a).await.due_at, Some(t(50)));
    taken_up(&w, 51, 62).await;
    assert_eq!(w.subscription(&s).await.last_notification_at, Some(t(60)));
}
