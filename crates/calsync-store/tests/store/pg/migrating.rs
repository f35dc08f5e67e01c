//! An empty database that many open at once, and one whose making is cut off: one schema, or none.

use std::sync::Arc;

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

/// Stands in the way of whoever makes this table too, and has them cut off as soon as they wait for it.
fn obstacle(table: &str) -> String {
    format!(
        "BEGIN; CREATE TABLE {table} (n int);
         DO $$ BEGIN LOOP
             PERFORM pg_stat_clear_snapshot();
             PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'calendar-sync' AND wait_event_type = 'Lock';
             EXIT WHEN FOUND;
             PERFORM pg_sleep(0.01);
         END LOOP; END $$;
         ROLLBACK"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_cut_off_leaves_nothing_behind() {
    let database = Arc::new(Database::shared());
    // At its beginning, in its middle and near its end.
    for table in ["users", "sync_runs", "leases"] {
        let cuts = tokio::task::spawn_blocking({
            let database = database.clone();
            move || database.psql(&obstacle(table))
        });
        let there =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DO %'";
        while tokio::task::block_in_place(|| database.psql(there)).unwrap() != "1" {}
        let cut = SqlStore::open(database.url(), Migrate::Run).await.err();
        assert!(matches!(&cut, Some(StoreError::Unavailable(_))), "{table}: {cut:?}");
        cuts.await.unwrap().unwrap();
        assert_eq!(schema(&database), ("0".to_owned(), "none".to_owned()), "{table}");
    }
    SqlStore::open(database.url(), Migrate::Run).await.unwrap().close().await;
    SqlStore::open(database.url(), Migrate::Check).await.unwrap().close().await;
}
