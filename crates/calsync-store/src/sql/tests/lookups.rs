//! Lookups that share a read: each gets its own answer, and sees what was committed before it asked.

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Store, StoreError};
use calsync_core::subscription::SubscriptionStatus;
use tokio::task::JoinSet;

use super::super::value::vals;
use super::open;
use crate::contract::world::{World, subscription};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gets_its_own_answer() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let (a, b) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    let mut asked = JoinSet::new();
    for n in 0..1_000_u64 {
        let (store, a, b) = (w.store.clone(), a.clone(), b.clone());
        asked.spawn(async move {
            let (of, provider, expected) = match n % 4 {
                0 => (a.clone(), ProviderKind::Google, Some(a)),
                1 => (b.clone(), ProviderKind::Google, Some(b)),
                2 => (a, ProviderKind::Microsoft, None),
                _ => (subscription(n, calsync_core::ids::CalendarId(uuid::Uuid::nil())), b.provider, None),
            };
            let found = store.find_subscription(of.calendar, provider, &of.remote_id).await;
            assert_eq!(found, Ok(expected), "{n}");
        });
    }
    asked.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_before_is_seen_at_once() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    for n in 0..100 {
        let status = if n % 2 == 0 { SubscriptionStatus::Suspended } else { SubscriptionStatus::Active };
        w.store.set_subscription_status(s.id, status, None).await.unwrap();
        let found = w.store.find_subscription(w.a, ProviderKind::Google, &s.remote_id).await.unwrap();
        assert_eq!(found.map(|s| s.status), Some(status), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_row_spoils_no_other_answer() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let (bad, good) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    let sql = "UPDATE webhook_subscriptions SET provider_metadata = 'no document' WHERE id = $1";
    store.db.exec(sql, vals![bad.id]).await.unwrap();
    for _ in 0..50 {
        let (unreadable, found) = tokio::join!(
            w.store.find_subscription(w.a, ProviderKind::Google, &bad.remote_id),
            w.store.find_subscription(w.b, ProviderKind::Google, &good.remote_id),
        );
        assert!(matches!(unreadable, Err(StoreError::Corrupt(_))), "{unreadable:?}");
        assert_eq!(found, Ok(Some(good.clone())));
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    Store::close(store.as_ref()).await;
    let late = w.store.find_subscription(w.a, ProviderKind::Google, &s.remote_id).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
}
