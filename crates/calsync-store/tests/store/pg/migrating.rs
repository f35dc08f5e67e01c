//! An empty database that many open at once, and one whose making is cut off: one schema, or none.

use std::time::Duration;

use calsync_core::ports::{Store, StoreError};
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;
use tokio::task::JoinSet;

/// Tables there are, and versions that were entered.
fn schema(database: &Database) -> (String, String) {
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let versions = "SELECT count(*) FROM schema_version";
    (database.psql(tables).unwrap(), database.psql(versions).unwrap_or_else(|_| "none".to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_make_one_schema() {
    let database = Database::shared();
    let mut opening = JoinSet::new();
    for _ in 0..8 {
        let url = database.url().to_owned();
        opening.spawn(async move { SqlStore::open(&url, Migrate::Run).await });
    }
    for store in opening.join_all().await {
        let store = store.unwrap();
        store.ping().await.unwrap();
        store.close().await;
    }
    let once = Database::shared();
    SqlStore::open(once.url(), Migrate::Run).await.unwrap().close().await;
    assert_eq!(schema(&database), schema(&once));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_cut_off_leaves_nothing_behind() {
    let database = Database::shared();
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'calendar-sync'";
    let (mut cuts, mut patience) = (0, Duration::from_millis(2));
    loop {
        let url = database.url().to_owned();
        let opening = tokio::spawn(async move { SqlStore::open(&url, Migrate::Run).await });
        tokio::time::sleep(patience).await;
        let hit = tokio::task::block_in_place(|| database.psql(cut)).unwrap() != "0";
        match opening.await.unwrap() {
            Ok(store) => {
                store.close().await;
                break;
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("after {patience:?}: {other}"),
        }
        assert_eq!(schema(&database), ("0".to_owned(), "none".to_owned()), "after {patience:?}");
        cuts += u32::from(hit);
        // Later each time, and so at another statement, until it is done before.
        patience += Duration::from_millis(3);
    }
    println!("{cuts} cut off");
    assert!(cuts > 0, "none was cut off");
    SqlStore::open(database.url(), Migrate::Check).await.unwrap().close().await;
}
