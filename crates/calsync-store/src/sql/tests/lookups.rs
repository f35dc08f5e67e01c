//! Lookups that share a read: each gets its own answer, and sees what was committed before it asked. And rows that can not be
//! read: they spoil nothing beside them.

use calsync_core::alert::{AlertLevel, AlertMessage, Delivery, Occasion, Telling, Told};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::DeliveryId;
use calsync_core::ports::{Store, StoreError};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;
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
async fn an_unreadable_message_keeps_no_other_from_being_sent() {
    let (_dir, store) = open().await;
    let store = store.as_ref();
    let message = |n: i64| {
        let (id, at) = (uuid::Uuid::from_u128(n.unsigned_abs().into()), Ts::from_secs(n));
        let (kind, level, occasion) = ("cache_down".to_owned(), AlertLevel::Error, Occasion::Opened);
        let (subject, message, action) = (String::new(), "words".to_owned(), "look".to_owned());
        let (thread, count, first_seen) = (id, 1, at);
        let message = AlertMessage {
            id,
            thread,
            occasion,
            kind,
            level,
            subject,
            count,
            message,
            action,
            first_seen,
            at,
        };
        Delivery::new(DeliveryId(id), "email", message)
    };
    let telling = Telling {
        thread: uuid::Uuid::nil(),
        open: true,
        level: AlertLevel::Error,
        loudest: AlertLevel::Error,
        count: 1,
        subject: String::new(),
        message: "words".to_owned(),
        first_seen: Ts::from_secs(1),
        told_at: Ts::from_secs(1),
        over_since: None,
        swings: 0,
    };
    let told = Told { kind: "cache_down".to_owned(), version: 0, telling };
    store.tell(&told, &[message(1), message(2), message(3)]).await.unwrap();
    let newer = "UPDATE alert_deliveries SET message = '{\"level\": \"apocalyptic\"}' WHERE id = $1";
    store.db.exec(newer, vals![message(1).id]).await.unwrap();
    let (now, until) = (Ts::from_secs(9), Ts::from_secs(39));
    // It takes its turn like the others, so that however many there are of it they fill no page for ever.
    let first = store.claim_deliveries(now, until, 1).await.unwrap();
    assert_eq!((first.deliveries.len(), first.unreadable), (0, 1));
    let rest = store.claim_deliveries(now, until, 9).await.unwrap();
    assert_eq!((rest.deliveries.len(), rest.unreadable), (2, 0));
    let later = store.claim_deliveries(until, until, 9).await.unwrap();
    assert_eq!((later.deliveries.len(), later.unreadable), (2, 1), "it is kept for whoever can read it");
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
