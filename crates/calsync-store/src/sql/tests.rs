//! What only the inside of the SQL store can show: query plans, a full disk, a full queue.

use std::sync::Arc;

use calsync_core::ports::{Recorded, Store, StoreError};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::value::vals;
use super::{Migrate, SqlStore};
use crate::contract::world::{World, delivery, event, pull};

mod lookups;
mod pg_plans;
mod pg_stopped;
mod plans;
mod statements;

async fn open() -> (TempDir, Arc<SqlStore>) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("data.db").display());
    let store = SqlStore::open(&url, Migrate::Run).await.unwrap();
    (dir, Arc::new(store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_says_so() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    // The database may not grow by a single page from here on.
    store.db.exec("PRAGMA max_page_count = 1", vals![]).await.unwrap();
    let mut pull = pull(w.a, 30);
    pull.events = (0..500).map(|n| event(&format!("event-{n}"), n)).collect();
    let full = w.store.apply_pull(&lease, &pull).await;
    assert!(
        matches!(&full, Err(StoreError::Unavailable(words)) if words.contains("disk is full")),
        "{full:?}"
    );
    assert!(w.store.mirror(w.a).await.unwrap().events.is_empty(), "all or nothing");
    let mut answers = JoinSet::new();
    for n in 0..400 {
        let (store, s) = (w.store.clone(), s.clone());
        answers.spawn(async move { (n, store.record_notification(delivery(100 + n, &s, 40)).await) });
    }
    let answers = answers.join_all().await;
    let refused = answers.iter().filter(|(_, a)| matches!(a, Err(StoreError::Unavailable(_)))).count() as u64;
    assert!(refused > 0, "some did not fit");
    let metrics = w.store.notification_metrics(crate::contract::world::t(0)).await.unwrap();
    assert_eq!(metrics.total, 1 + 400 - refused, "what was acknowledged is there, and nothing else");
    store.db.exec("PRAGMA max_page_count = 1073741823", vals![]).await.unwrap();
    for (n, answer) in answers {
        if answer.is_err() {
            let again = w.store.record_notification(delivery(100 + n, &s, 50)).await;
            assert_eq!(again, Ok(Recorded::New), "with space it works again");
        }
    }
    w.store.apply_pull(&lease, &pull).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    // Somebody writes, and takes his time.
    let tx = store.db.begin().await.unwrap();
    let mut answers = JoinSet::new();
    const SENT: u64 = 10_000;
    for n in 0..SENT {
        let (store, s) = (w.store.clone(), s.clone());
        answers.spawn(async move { store.record_notification(delivery(100 + n, &s, 40)).await });
    }
    let mut refused = 0_u64;
    while refused == 0 {
        let first = answers.join_next().await.unwrap().unwrap();
        assert!(matches!(first, Err(StoreError::Unavailable(_))), "{first:?}");
        refused += 1;
    }
    drop(tx);
    for answer in answers.join_all().await {
        match answer {
            Ok(recorded) => assert_eq!(recorded, Recorded::New),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused <= SENT - 8_192, "the queue was used: {refused} refused");
    assert_eq!(w.store.backlog(crate::contract::world::t(1_000)).await.unwrap(), SENT - refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_stores_what_was_accepted() {
    let (dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    let tx = store.db.begin().await.unwrap();
    let mut answers = JoinSet::new();
    for n in 0..500 {
        let (store, s) = (w.store.clone(), s.clone());
        answers.spawn(async move { store.record_notification(delivery(100 + n, &s, 40)).await });
    }
    // All of them are waiting when the store is asked to close.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let closing = tokio::spawn({
        let store = w.store.clone();
        async move { store.close().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(tx);
    closing.await.unwrap();
    let acknowledged = answers.join_all().await.into_iter().filter(Result::is_ok).count();
    assert_eq!(acknowledged, 500);
    let late = w.store.record_notification(delivery(99, &s, 40)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    let url = format!("sqlite:{}", dir.path().join("data.db").display());
    let again = SqlStore::open(&url, Migrate::Check).await.unwrap();
    assert_eq!(Store::backlog(&again, crate::contract::world::t(1_000)).await.unwrap(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_gives_up_leaves_nothing_half_done() {
    use std::time::Duration;
    let (_dir, store) = open().await;
    let w = World::new(store.clone()).await;
    let lease = w.lease(20).await;
    let mut finished = 0;
    for round in 0..300_u64 {
        let mut pull = pull(w.a, 30);
        pull.events = (0..20).map(|n| event(&format!("round-{round}-{n}"), n)).collect();
        let patience = Duration::from_micros(round * 37 % 4_000);
        finished +=
            u32::from(tokio::time::timeout(patience, w.store.apply_pull(&lease, &pull)).await.is_ok());
    }
    assert!(finished > 0, "some had enough patience");
    // The writer is free, nothing is half there, and the lease still works.
    w.store.apply_pull(&lease, &pull(w.a, 31)).await.unwrap();
    let events = w.store.mirror(w.a).await.unwrap().events.len();
    assert_eq!(events % 20, 0, "each listing is there whole or not at all");
    w.release(&lease).await;
}
