//! A database whose files are moved, removed or replaced while it is open: nothing is taken any more that only the open file
//! would hold, it goes on when they are back, and what was acknowledged is there.

use std::path::PathBuf;

use calsync_core::ports::{Store, StoreError};
use calsync_store::contract::world::{t, user};
use calsync_store::{Migrate, SqlStore};
use tempfile::TempDir;

use crate::lite::url;

/// An open database with one user, and its directory.
async fn opened() -> (TempDir, SqlStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
    Store::add_user(&store, &user(1)).await.unwrap();
    (dir, store)
}

fn at(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

/// What a call that is refused says.
#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Unavailable(words)) => words,
        other => panic!("it is not refused: {other:?}"),
    }
}

/// Neither reads nor writes are answered, in whichever way they reach the file; with these words.
async fn refuses_all(store: &SqlStore, words: &str) {
    let refused = [
        refusal(Store::ping(store).await),
        refusal(Store::users(store).await),
        refusal(Store::user_state(store, user(1).id).await),
        refuses_writes(store).await,
    ];
    for said in refused {
        assert!(said.contains(words), "{said}");
    }
}

/// Both a transaction and a statement by itself; what the first says.
async fn refuses_writes(store: &SqlStore) -> String {
    let said = refusal(Store::add_user(store, &user(9)).await);
    assert_eq!(refusal(Store::audit(store, "ada@example.com", "something", t(1)).await), said);
    said
}

#[tokio::test]
async fn a_file_that_was_renamed_takes_nothing_until_it_is_back() {
    for names in [&["data.db"][..], &["data.db", "data.db-wal", "data.db-shm"]] {
        let (dir, store) = opened().await;
        let turn = |from: &str, to: &str| {
            for name in names {
                std::fs::rename(at(&dir, &format!("{from}{name}")), at(&dir, &format!("{to}{name}")))
                    .unwrap();
            }
        };
        turn("", "away-");
        refuses_all(&store, "moved or removed").await;
        assert!(!at(&dir, "data.db").exists(), "and none is made");
        turn("away-", "");
        Store::add_user(&store, &user(2)).await.unwrap();
        store.close().await;
        let again = SqlStore::open(&url(&dir), Migrate::Check).await.unwrap();
        assert_eq!(Store::users(&again).await.unwrap().len(), 2, "none was written meanwhile");
    }
}

#[tokio::test]
async fn a_directory_that_was_renamed_takes_nothing_until_it_is_back() {
    let outer = tempfile::tempdir().unwrap();
    let (inner, aside) = (at(&outer, "data"), at(&outer, "aside"));
    std::fs::create_dir(&inner).unwrap();
    let store = SqlStore::open(&format!("sqlite:{}/data.db", inner.display()), Migrate::Run).await.unwrap();
    std::fs::rename(&inner, &aside).unwrap();
    assert!(refuses_writes(&store).await.contains("moved or removed"));
    std::fs::rename(&aside, &inner).unwrap();
    Store::add_user(&store, &user(2)).await.unwrap();
}

#[tokio::test]
async fn another_file_in_its_place_is_never_written() {
    let (dir, store) = opened().await;
    let (other_dir, other) = opened().await;
    other.close().await;
    std::fs::rename(at(&dir, "data.db"), at(&dir, "away.db")).unwrap();
    std::fs::copy(at(&other_dir, "data.db"), at(&dir, "data.db")).unwrap();
    let before = std::fs::read(at(&dir, "data.db")).unwrap();
    refuses_all(&store, "restart calendar-sync").await;
    assert_eq!(std::fs::read(at(&dir, "data.db")).unwrap(), before);
    std::fs::rename(at(&dir, "away.db"), at(&dir, "data.db")).unwrap();
    Store::add_user(&store, &user(2)).await.unwrap();
}

#[tokio::test]
async fn without_its_log_nothing_is_taken_and_closing_saves_what_was() {
    let (dir, store) = opened().await;
    std::fs::remove_file(at(&dir, "data.db-wal")).unwrap();
    assert!(refuses_writes(&store).await.contains("write-ahead log"));
    // Somebody looks, and a new log is made: it is not the one that is written to.
    std::fs::write(at(&dir, "data.db-wal"), b"").unwrap();
    assert!(refuses_writes(&store).await.contains("write-ahead log"));
    std::fs::remove_file(at(&dir, "data.db-wal")).unwrap();
    store.close().await;
    let again = SqlStore::open(&url(&dir), Migrate::Check).await.unwrap();
    assert_eq!(Store::users(&again).await.unwrap().len(), 1, "what was acknowledged");
}

/// The moment between the look before and the commit: what went into a file that is gone is not acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_into_a_file_that_is_gone_by_then_is_not_acknowledged() {
    let (dir, store) = opened().await;
    let store = std::sync::Arc::new(store);
    // Somebody else writes: ours has begun, and waits.
    let mut lock = crate::files::raw(&dir).await;
    sqlx::Executor::execute(&mut lock, "BEGIN IMMEDIATE").await.unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move { Store::audit(&*store, "ada@example.com", "something", t(1)).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    std::fs::rename(at(&dir, "data.db"), at(&dir, "away.db")).unwrap();
    sqlx::Executor::execute(&mut lock, "ROLLBACK").await.unwrap();
    assert!(refusal(writing.await.unwrap()).contains("moved or removed"));
}

#[tokio::test]
async fn a_file_behind_a_symbolic_link_is_as_good_as_any() {
    let (real, named) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let elsewhere = SqlStore::open(&url(&real), Migrate::Run).await.unwrap();
    elsewhere.close().await;
    std::os::unix::fs::symlink(at(&real, "data.db"), at(&named, "data.db")).unwrap();
    let store = SqlStore::open(&url(&named), Migrate::Run).await.unwrap();
    Store::add_user(&store, &user(1)).await.unwrap();
    Store::add_user(&store, &user(2)).await.unwrap();
    assert_eq!(Store::users(&store).await.unwrap().len(), 2);
    // To point it at another place is to replace it.
    std::fs::remove_file(at(&named, "data.db")).unwrap();
    refuses_all(&store, "moved or removed").await;
}
