//! A primary that dies and is replaced by its standby, with synchronous replication: the address that instances know is
//! pointed at the new one, and everything that was acknowledged is there.

use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::{Cluster, ClusterOptions, StandbyOptions, Synchronous};

use super::fleet::{Fleet, meanwhile, open};
use super::forwarder::Forwarder;
use super::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_promoted_standby_has_all_that_was_acknowledged() {
    let mut primary = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| primary.create_database("data"));
    let options = StandbyOptions { synchronous: Synchronous::Flushed };
    let standby = meanwhile(|| Cluster::standby(&primary, &options));
    let forwarder = Forwarder::to(primary.port()).await;
    let store = open(&forwarder.url(&url, primary.port())).await;
    let fleet = Fleet::new(store.as_ref(), 6, 3).await;

    // Named by itself, a standby is refused in so many words.
    let named = SqlStore::open(&standby.url("data"), Migrate::Check).await.err();
    assert!(
        matches!(&named, Some(StoreError::Unavailable(words)) if words.contains("name its primary")),
        "{named:?}"
    );

    let load = Load::begin(&store, &fleet, 24, 2);
    load.answers(150).await;
    meanwhile(|| primary.kill());
    // For a while the address leads to a server that takes no writes.
    forwarder.point_to(standby.port());
    tokio::time::sleep(Duration::from_millis(300)).await;
    meanwhile(|| standby.promote());
    println!("the first answer {:?} after the promotion", load.answers(1).await);
    load.answers(150).await;
    let told = load.end().await;
    println!(
        "{} acknowledged, {} refused, {:?} at most",
        told.acknowledged.len(),
        told.refused,
        told.longest
    );
    told.check(&fleet, |sql| standby.psql("data", sql).unwrap());
    store.close().await;
}
