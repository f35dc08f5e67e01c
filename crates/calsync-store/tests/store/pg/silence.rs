//! A server that keeps its connections and answers nothing, as a host does that hangs or a network that swallows: callers
//! are not made to wait for it, and all is well when it speaks again.

use std::time::{Duration, Instant};

use calsync_core::ports::StoreError;
use calsync_testbed::postgres::{Cluster, ClusterOptions};

use super::fleet::{Fleet, meanwhile, open};
use super::load::Load;

/// Longer than a receipt waits, and than the next one does.
const SILENT: Duration = Duration::from_secs(7);
/// A provider waits three seconds. Twice that, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silence_is_told_in_time_and_forgotten() {
    let cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    let store = open(&url).await;
    let fleet = Fleet::new(store.as_ref(), 6, 3).await;
    let load = Load::begin(&store, &fleet, 24, 3);
    for _ in 0..2 {
        load.answers(100).await;
        meanwhile(|| cluster.pause());
        tokio::time::sleep(SILENT).await;
        let s = &fleet.subscriptions[0];
        let asked = Instant::now();
        let found = store.find_subscription(s.calendar, s.provider, &s.remote_id).await;
        assert!(matches!(&found, Err(StoreError::Unavailable(_))), "{found:?}");
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        meanwhile(|| cluster.resume());
    }
    load.answers(100).await;
    let told = load.end().await;
    println!(
        "{} acknowledged, {} refused, {:?} at most",
        told.acknowledged.len(),
        told.refused,
        told.longest
    );
    assert!(told.refused > 0 && told.longest < PATIENCE, "{} {:?}", told.refused, told.longest);
    told.check(&fleet, |sql| cluster.psql("data", sql).unwrap());
    // As many at once as the pool has connections, and more.
    let asked = (0..30).map(|_| store.next_due());
    for answer in futures_util::future::join_all(asked).await {
        answer.unwrap();
    }
    // Those that were given up are closed, not kept.
    let held =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'data' AND application_name = 'calendar-sync'";
    let began = Instant::now();
    while cluster.psql("data", held).unwrap().parse::<u32>().unwrap() > 12 {
        assert!(began.elapsed() < Duration::from_secs(30), "connections are left behind");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    store.close().await;
}
