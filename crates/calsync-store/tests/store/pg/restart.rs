//! A server that is restarted under load: callers are told to come back, and nothing that they were told otherwise is
//! lost.

use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};

use super::fleet::{Fleet, meanwhile, open};
use super::load::Load;

/// Longer than one who waits may wait, so that some do.
const DOWN: Duration = Duration::from_millis(1_500);
/// A provider waits three seconds. Twice that, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(6);
/// How soon it goes on: far more than it takes.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_costs_time_and_nothing_else() {
    let mut cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    let store = open(&url).await;
    let fleet = Fleet::new(store.as_ref(), 6, 3).await;
    let load = Load::begin(&store, &fleet, 24, 3);
    for end in [Some(Mode::Fast), Some(Mode::Immediate), None] {
        load.answers(150).await;
        match end {
            Some(mode) => meanwhile(|| cluster.stop(mode)),
            None => meanwhile(|| cluster.kill()),
        }
        tokio::time::sleep(DOWN).await;
        meanwhile(|| cluster.start_again());
        let back = load.answers(1).await;
        println!("after {end:?}: the first answer {back:?} after the server was there");
        assert!(back < SOON, "{back:?}");
    }
    // Too short for anybody to be refused.
    meanwhile(|| cluster.restart(Mode::Fast));
    load.answers(50).await;
    let told = load.end().await;
    println!(
        "{} acknowledged, {} refused, {:?} at most",
        told.acknowledged.len(),
        told.refused,
        told.longest
    );
    assert!(told.longest < PATIENCE, "{:?}", told.longest);
    told.check(&fleet, |sql| cluster.psql("data", sql).unwrap());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_gone_is_no_reason_to_hang() {
    let mut cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    let store = open(&url).await;
    let fleet = Fleet::new(store.as_ref(), 1, 1).await;
    meanwhile(|| cluster.kill());
    // One who comes while another waits already does not begin to wait when that one is done.
    let calls = (0..40_u64).map(|n| {
        let (store, fleet) = (store.clone(), fleet.clone());
        async move {
            tokio::time::sleep(Duration::from_millis(100) * u32::try_from(n).unwrap()).await;
            let asked = std::time::Instant::now();
            let answer = store.record_notification(fleet.delivery(n)).await;
            assert!(matches!(&answer, Err(StoreError::Unavailable(_))), "{answer:?}");
            asked.elapsed()
        }
    });
    let waited = futures_util::future::join_all(calls).await.into_iter().max().unwrap();
    println!("waited {waited:?} at most");
    assert!(waited < PATIENCE, "{waited:?}");
    let asked = std::time::Instant::now();
    let due = store.next_due().await;
    assert!(matches!(&due, Err(StoreError::Unavailable(words)) if words.contains("runs")), "{due:?}");
    assert!(asked.elapsed() < PATIENCE);
    meanwhile(|| cluster.start_again());
    let began = std::time::Instant::now();
    while let Err(error) = store.next_due().await {
        assert!(began.elapsed() < SOON, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_could_not_be_given_back_is_given_back_by_the_next_claim() {
    let mut cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    let store = open(&url).await;
    let (now, until) = (Ts::from_secs(0), Ts::from_secs(60));
    let claim = async |resource: &str| store.claim_lease(resource, "us", now, until).await;
    let held = [claim("one").await.unwrap().unwrap(), claim("two").await.unwrap().unwrap()];
    meanwhile(|| cluster.stop(Mode::Immediate));
    for lease in &held {
        let released = store.release(lease, &[]).await;
        assert!(matches!(released, Err(StoreError::Unavailable(_))), "{released:?}");
    }
    assert!(matches!(claim("three").await, Err(StoreError::Unavailable(_))));
    meanwhile(|| cluster.start_again());
    let began = std::time::Instant::now();
    let third = loop {
        match claim("three").await {
            Ok(lease) => break lease,
            Err(error) => assert!(began.elapsed() < SOON, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(third.unwrap().token, 1);
    // By the clock of the leases no time has passed.
    for lease in &held {
        assert_eq!(claim(&lease.resource).await.unwrap().unwrap().token, lease.token + 1);
    }
    store.close().await;
}
