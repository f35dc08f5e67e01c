//! What instances tell each other: work made on one wakes another, never oneself, and after a restart it is heard again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ports::{Store, StoreError, Wish};
use calsync_store::contract::world::t;
use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};
use tokio::time::timeout;

use super::fleet::{Fleet, meanwhile, open};

/// It takes a few milliseconds. Far more, for a machine that is busy.
const SOON: Duration = Duration::from_secs(2);
/// Long enough for what would ring to have rung.
const QUIET: Duration = Duration::from_millis(300);

/// Waits until nothing rings any more.
async fn hush(store: &Arc<dyn Store>) {
    while timeout(QUIET, store.work_elsewhere()).await.is_ok() {}
}

async fn rings(store: &Arc<dyn Store>) -> Result<(), StoreError> {
    timeout(SOON, store.work_elsewhere()).await.expect("it rings")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_on_one_instance_wakes_the_other() {
    let mut cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    let (one, other) = (open(&url).await, open(&url).await);
    let fleet = Fleet::new(one.as_ref(), 1, 2).await;
    let calendar = fleet.subscriptions[0].calendar;
    // The first call begins to listen, and something may have been there before.
    rings(&one).await.unwrap();
    rings(&other).await.unwrap();
    hush(&one).await;
    hush(&other).await;

    let (mut longest, began) = (Duration::ZERO, Instant::now());
    for n in 0..20 {
        let waiter = tokio::spawn({
            let other = other.clone();
            async move {
                rings(&other).await.unwrap();
                Instant::now()
            }
        });
        tokio::time::sleep(Duration::from_millis(30)).await;
        let asked = Instant::now();
        if n % 2 == 0 {
            one.raise(&[calendar], Wish::Changes, t(100 + n)).await.unwrap();
        } else {
            one.record_notification(fleet.delivery(1 + 7 * u64::try_from(n).unwrap())).await.unwrap();
        }
        longest = longest.max(waiter.await.unwrap() - asked);
    }
    println!("20 rings in {:?}, heard after {longest:?} at most", began.elapsed());
    assert!(timeout(QUIET, one.work_elsewhere()).await.is_err(), "nobody wakes himself");

    // Neither a duplicate nor a confirmation is work.
    hush(&other).await;
    one.record_notification(fleet.delivery(8)).await.unwrap();
    one.record_notification(fleet.delivery(7)).await.unwrap();
    assert!(timeout(QUIET, other.work_elsewhere()).await.is_err(), "there is nothing to do");

    for mode in [Mode::Fast, Mode::Immediate] {
        let waiter = tokio::spawn({
            let other = other.clone();
            async move { other.work_elsewhere().await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        meanwhile(|| cluster.restart(mode));
        // Either an error, after which the caller asks again, or the news that something may have been missed.
        let told = timeout(Duration::from_secs(30), waiter).await.expect("it returns").unwrap();
        if let Err(error) = told {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
            let began = Instant::now();
            while let Err(error) = rings(&other).await {
                assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
                assert!(began.elapsed() < Duration::from_secs(30), "it never listens again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        hush(&other).await;
        one.raise(&[calendar], Wish::Changes, t(1)).await.unwrap();
        rings(&other).await.unwrap();
        hush(&other).await;
    }
    one.close().await;
    other.close().await;
}
