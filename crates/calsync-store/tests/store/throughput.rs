//! How many receipts per second are acknowledged, against one commit for each. Run it by hand, in release:
//! `cargo test -p calsync-store --release --test store -- --ignored --nocapture throughput`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use calsync_core::ids::CalendarId;
use calsync_core::ports::{Store, Wish};
use calsync_core::subscription::Subscription;
use calsync_store::contract::world::{World, delivery, id, listed, subscription, t};
use calsync_store::{Migrate, SqlStore};

use crate::lite::url;

const TASKS: u64 = 64;
const CALENDARS: u64 = 1_000;

async fn world(dir: &tempfile::TempDir) -> (Arc<dyn Store>, Arc<Vec<Subscription>>) {
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url(dir), Migrate::Run).await.unwrap());
    let w = World::new(store.clone()).await;
    let calendars =
        (0..CALENDARS).map(|n| (CalendarId(id(10_000 + n)), listed(&n.to_string()))).collect::<Vec<_>>();
    store.update_calendar_list(w.account, &calendars).await.unwrap();
    let mut subscriptions = Vec::new();
    for (n, (calendar, _)) in calendars.iter().enumerate() {
        let one = subscription(20_000 + n as u64, *calendar);
        store.begin_subscription(&one, None).await.unwrap();
        subscriptions.push(one);
    }
    (store, Arc::new(subscriptions))
}

/// Receipts per second with so many senders, each waiting for its answer. Ids and times grow, as they do in life.
async fn rate(store: &Arc<dyn Store>, to: &Arc<Vec<Subscription>>, tasks: u64, each: u64, base: u64) -> f64 {
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(base));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let (store, to, next) = (store.clone(), to.clone(), next.clone());
        senders.spawn(async move {
            for _ in 0..each {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let s = &to[usize::try_from(number * 7_919 % CALENDARS).unwrap()];
                let at = i64::try_from(number / 1_000).unwrap();
                store.record_notification(delivery(number, s, at)).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    (tasks * each) as f64 / begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it by hand, in release"]
async fn throughput() {
    let dir = tempfile::tempdir().unwrap();
    let (store, to) = world(&dir).await;
    for round in 0..5_u64 {
        let base = 1_000_000 * (round + 1);
        let single = rate(&store, &to, 1, 1_000, base).await;
        let shared = rate(&store, &to, TASKS, 500, base + 100_000).await;
        let wide = rate(&store, &to, 256, 200, base + 500_000).await;
        let begun = Instant::now();
        for n in 0..200 {
            store.find_subscription(to[n].calendar, to[n].provider, &to[n].remote_id).await.unwrap().unwrap();
        }
        let find = begun.elapsed().as_secs_f64() * 1e6 / 200.0;
        println!(
            "one by one {single:.0}/s · {TASKS} tasks {shared:.0}/s ({:.1}x) · 256 tasks {wide:.0}/s · find {find:.0} µs",
            shared / single
        );
    }
    store.raise(&[], Wish::Changes, t(0)).await.unwrap();
    store.close().await;
}
