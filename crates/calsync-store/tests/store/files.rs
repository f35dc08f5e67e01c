//! What can be wrong with a database file, and what its owner is told.

use std::time::Duration;

use calsync_core::ports::{Store, StoreError};
use calsync_store::contract::world::user;
use calsync_store::{Migrate, SqlStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use crate::lite::url;

pub(crate) async fn raw(dir: &tempfile::TempDir) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(dir.path().join("data.db"));
    file.busy_timeout(Duration::from_millis(1)).connect().await.unwrap()
}

fn words(result: Result<SqlStore, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable(words)) => words,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    SqlStore::open(&url(&dir), Migrate::Run).await.unwrap().close().await;
    let newer = "INSERT INTO schema_version (version, name, oldest) VALUES (999, 'from the future', 999)";
    raw(&dir).await.execute(newer).await.unwrap();
    for migrate in [Migrate::Run, Migrate::Check] {
        let refused = SqlStore::open(&url(&dir), migrate).await.err();
        assert_eq!(refused, Some(StoreError::NewerSchema { found: 999, known: SqlStore::schema_version() }));
    }
}

#[tokio::test]
async fn an_unmigrated_database_is_refused_unless_asked_to_migrate() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        words(SqlStore::open(&url(&dir), Migrate::Check).await).contains("can't be opened"),
        "there is none"
    );
    assert!(!dir.path().join("data.db").exists(), "and none was made");
    std::fs::write(dir.path().join("data.db"), b"").unwrap();
    assert!(words(SqlStore::open(&url(&dir), Migrate::Check).await).contains("calendar-sync migrate"));
    SqlStore::open(&url(&dir), Migrate::Run).await.unwrap().close().await;
    SqlStore::open(&url(&dir), Migrate::Check).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| format!("sqlite:{}", dir.path().join(path).display());
    assert!(words(SqlStore::open(&at(""), Migrate::Run).await).contains("is a directory"));
    assert!(words(SqlStore::open(&at("no/such/data.db"), Migrate::Run).await).contains("create it first"));
    assert!(words(SqlStore::open("sqlite::memory:", Migrate::Run).await).contains("name a file"));
    assert!(words(SqlStore::open("sqlite:", Migrate::Run).await).contains("name a file"));
    std::fs::write(dir.path().join("text"), "Dear diary, ".repeat(1_000)).unwrap();
    let text = SqlStore::open(&at("text"), Migrate::Run).await.err();
    assert!(matches!(text, Some(StoreError::Corrupt(_))), "{text:?}");
}

#[tokio::test]
async fn a_read_only_file_is_read_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
    store.add_user(&user(1)).await.unwrap();
    store.close().await;
    // By the URL, because permissions do not bind root.
    let store = SqlStore::open(&format!("{}?mode=ro", url(&dir)), Migrate::Check).await.unwrap();
    assert_eq!(store.users().await.unwrap(), [user(1)]);
    let refused = store.add_user(&user(2)).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(words)) if words.contains("read-only")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_locked_database_is_waited_for_and_then_reported() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
    let mut other = raw(&dir).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.add_user(&user(1)).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(words)) if words.contains("locked")),
        "{refused:?}"
    );
    assert_eq!(store.users().await.unwrap(), [], "readers go on");
    let one = user(1);
    let (added, _) = tokio::join!(store.add_user(&one), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.execute("COMMIT").await.unwrap();
    });
    added.unwrap();
}

#[tokio::test]
async fn invalid_states_cannot_be_spelled() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
    let w = calsync_store::contract::world::World::new(std::sync::Arc::new(store)).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(calsync_store::contract::world::delivery(30, &s, 20)).await.unwrap();
    let mut raw = raw(&dir).await;
    raw.execute("PRAGMA foreign_keys = ON").await.unwrap();
    for bad in [
        "UPDATE webhook_notifications SET processing_status = 'lost'",
        "UPDATE webhook_notifications SET processing_status = 'retrying'",
        "UPDATE webhook_notifications SET processing_status = 'processing'",
        "UPDATE webhook_notifications SET processing_status = 'completed'",
        "UPDATE webhook_notifications SET next_retry_at = 1",
        "UPDATE webhook_notifications SET received_at = 'yesterday'",
        "UPDATE webhook_subscriptions SET status = 'ACTIVE'",
        "UPDATE webhook_subscriptions SET failure_count = -1",
        "UPDATE webhook_subscriptions SET calendar_id = x'00'",
        "UPDATE calendars SET cursor_token = 'half a cursor'",
        "UPDATE calendars SET access = 'admin'",
        "UPDATE calendars SET sync_enabled = 2",
        "UPDATE calendars SET user_id = x'00'",
        "UPDATE accounts SET provider = 'yahoo'",
        "UPDATE accounts SET status = ''",
        "UPDATE users SET email = 'Upper@example.com'",
        "INSERT INTO leases (resource, token, claimed_at, expires_at) VALUES ('job:x', -1, 0, 0)",
    ] {
        assert!(raw.execute(bad).await.is_err(), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_migrate_at_once() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let url = url(&dir);
            opening.spawn(async move { SqlStore::open(&url, Migrate::Run).await });
        }
        for store in opening.join_all().await {
            store.unwrap().ping().await.unwrap();
        }
    }
}
