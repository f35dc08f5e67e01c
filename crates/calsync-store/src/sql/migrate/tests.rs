//! A next version's schema comes to a PostgreSQL server on which this one works.

use std::sync::Arc;
use std::time::Duration;

use calsync_testbed::postgres::Database;

use super::super::SqlStore;
use super::super::value::vals;
use super::*;

const NEXT: [Migration; 1] = [Migration {
    version: known() + 1,
    name: "moods",
    sql: "ALTER TABLE leases ADD COLUMN mood {text}; ALTER TABLE calendars ADD COLUMN mood {text}",
    lite: "",
    pg: "",
    changes: &["leases", "calendars"],
    oldest: known(),
}];
const OF_LEASES: &str = "SELECT count(*) FROM leases";
const OF_CALENDARS: &str = "SELECT count(*) FROM calendars";
/// Long, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

async fn store(database: &Database) -> Arc<SqlStore> {
    Arc::new(SqlStore::open(database.url(), Migrate::Run).await.unwrap())
}

fn version(database: &Database) -> i64 {
    database.psql("SELECT max(version) FROM schema_version").unwrap().parse().unwrap()
}

/// Until somebody waits for a table.
async fn somebody_waits(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    tokio::time::timeout(PATIENCE, async {
        while database.psql(waiting).unwrap() == "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("nobody waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_stands_in_a_circle_gives_way_and_comes_back() {
    let database = Database::shared();
    let store = store(&database).await;
    let mut working = store.db.begin().await.unwrap();
    count(&mut working, OF_LEASES, vals![]).await.unwrap();
    let db = store.db.clone();
    let migrating = tokio::spawn(async move {
        let (tx, found) = patiently(&db, &NEXT, TRIES).await?;
        tx.commit().await.map(|()| found.version)
    });
    // It has the calendars, and wants the leases; what works has the leases, and wants the calendars.
    somebody_waits(&database).await;
    count(&mut working, OF_CALENDARS, vals![]).await.unwrap();
    working.commit().await.unwrap();
    let done = tokio::time::timeout(PATIENCE, migrating).await.expect("it ends").unwrap();
    assert_eq!(done, Ok(known()), "the version that it found");
    assert_eq!(version(&database), NEXT[0].version);
    // This version goes on working on it.
    check(&store.db).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_stands_behind_a_step_that_waits() {
    let database = Database::shared();
    let store = store(&database).await;
    let mut long = store.db.begin().await.unwrap();
    count(&mut long, OF_CALENDARS, vals![]).await.unwrap();
    let db = store.db.clone();
    let migrating = tokio::spawn(async move { patiently(&db, &NEXT, 3).await.map(drop) });
    somebody_waits(&database).await;
    let mut other = store.db.begin().await.unwrap();
    let passes = tokio::time::timeout(PATIENCE, count(&mut other, OF_CALENDARS, vals![])).await;
    passes.expect("it passes").unwrap();
    let given_up = tokio::time::timeout(PATIENCE, migrating).await.expect("it ends").unwrap();
    let Err(StoreError::Contended(words)) = given_up else { panic!("{given_up:?}") };
    assert!(words.contains("pg_stat_activity"), "{words}");
    // Nothing of it is left, and it is done when whoever was in the way has gone.
    assert_eq!(version(&database), known());
    long.commit().await.unwrap();
    other.commit().await.unwrap();
    let (tx, _) = patiently(&store.db, &NEXT, TRIES).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(version(&database), NEXT[0].version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_has_nothing_to_be_taken_from_others() {
    let database = Database::shared();
    let db = Db::Pg(super::super::pg::Pg::open(database.url(), 2).await.unwrap());
    let (tx, found) = patiently(&db, &[MIGRATIONS.as_slice(), &NEXT].concat(), 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((found.version, version(&database)), (0, NEXT[0].version));
}
