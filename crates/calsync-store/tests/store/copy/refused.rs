//! What no copy is made of, or into: databases in use, at work, of another schema, or one and the same.

use std::ops::ControlFlow;

use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use calsync_store::contract::world::{id, t, user};
use calsync_store::copy::{CopyError, End};
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;

use super::broken_off::large;
use super::{NOW, agreed, file, made, moved, report, store, try_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_somebody_uses_is_left_alone() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    made(&source, 4, 10).await;
    let words = async |from: &str, to: &str| match moved(from, to).await {
        Err(CopyError::InUse(words)) => words,
        other => panic!("{other:?}"),
    };
    let theirs = store(database.url()).await;
    theirs.add_user(&user(50)).await.unwrap();
    let picture = calsync_store::contract::model::picture(&theirs).await;
    assert!(words(&source, database.url()).await.contains("users of its own (1)"));
    theirs.remove_user(user(50).id).await.unwrap();
    theirs.audit("person50@example.com", "left", t(1)).await.unwrap();
    assert!(words(&source, database.url()).await.contains("audit log"));
    assert_eq!(calsync_store::contract::model::picture(&theirs).await.len(), picture.len());
    theirs.close().await;
    // Somebody else's tables, somebody else's copy, finished and not.
    let strange = Database::shared();
    strange.psql("CREATE TABLE cats (name text)").unwrap();
    assert!(words(&source, strange.url()).await.contains("1 tables that are not"));
    let (other, copied) = (file(&dir, "other.db"), file(&dir, "copied.db"));
    made(&other, 5, 10).await;
    let w = store(&other).await;
    w.init_setting("identity", &serde_json::json!({"sealed": "another"})).await.unwrap();
    w.close().await;
    let stopped = try_at(&other, &copied, NOW, |_| ControlFlow::Break(())).await;
    assert_eq!(stopped, Err(CopyError::Stopped));
    assert!(words(&source, &copied).await.contains("unfinished copy of another installation"));
    agreed(moved(&other, &copied).await);
    assert!(words(&source, &copied).await.contains("another installation"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_at_work_is_refused_and_one_that_changed_is_found_out() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    large(&source).await;
    let working = store(&source).await;
    let lease = working.claim_lease("user:x", "service", t(1), t(61)).await.unwrap().unwrap();
    let alive = try_at(&source, database.url(), t(60), |_| ControlFlow::Continue(())).await;
    assert!(
        matches!(&alive, Err(CopyError::Alive { end: End::Source, until, .. }) if *until == t(61)),
        "{alive:?}"
    );
    assert_eq!(
        database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap().trim(),
        "0"
    );
    working.release(&lease, &[]).await.unwrap();
    // It changes behind the copy's back: the table is there already.
    let stopped = try_at(&source, database.url(), NOW, |progress| {
        if progress.table == "calendars" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(stopped.await, Err(CopyError::Stopped));
    working.raise(&[CalendarId(id(0xa))], calsync_core::ports::Wish::Full, t(70)).await.unwrap();
    let changed = report(moved(&source, database.url()).await);
    let differs: Vec<&str> = changed.tables.iter().filter(|t| !t.agrees()).map(|t| t.table).collect();
    assert_eq!(differs, ["calendars"]);
    let half = SqlStore::open(database.url(), Migrate::Check).await.err();
    assert!(matches!(half, Some(StoreError::Unavailable(_))), "it is no copy to work with: {half:?}");
    working.close().await;
    let itself = moved(database.url(), &file(&dir, "b.db")).await;
    assert!(
        matches!(&itself, Err(CopyError::Store { end: End::Source, .. })),
        "nor one to copy from: {itself:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_database_by_two_names_is_told() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let (empty, link) = (file(&dir, "a.db"), file(&dir, "link.db"));
    let first = store(&empty).await;
    first.init_setting("identity", &serde_json::json!({"sealed": "mine"})).await.unwrap();
    std::os::unix::fs::symlink(dir.path().join("a.db"), dir.path().join("link.db")).unwrap();
    first.close().await;
    assert_eq!(moved(&empty, &link).await, Err(CopyError::Same));
    let again = store(&empty).await;
    assert!(
        again.setting("identity").await.unwrap().is_some() && again.setting("copy").await.unwrap().is_none()
    );
    again.close().await;
    let server = store(database.url()).await;
    server.put_setting("identity", &serde_json::json!({"sealed": "mine"})).await.unwrap();
    let other_name = format!(
        "{}{}application_name=x",
        database.url(),
        if database.url().contains('?') { '&' } else { '?' }
    );
    assert_eq!(moved(database.url(), &other_name).await, Err(CopyError::Same));
    assert!(server.setting("identity").await.unwrap().is_some());
    server.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_schema_is_refused_on_either_side() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    assert!(
        matches!(moved(&source, database.url()).await, Err(CopyError::Store { end: End::Source, .. })),
        "none there"
    );
    assert!(!dir.path().join("a.db").exists(), "and none was made");
    made(&source, 3, 10).await;
    store(database.url()).await.close().await;
    // Newer, and for all that says so good enough to work on; but not to be copied.
    database.psql("INSERT INTO schema_version VALUES (999, 'expanded', 1)").unwrap();
    let newer = moved(&source, database.url()).await;
    assert!(matches!(newer, Err(CopyError::Version { end: End::Target, found: 999, .. })), "{newer:?}");
    let newer = moved(database.url(), &file(&dir, "b.db")).await;
    assert!(matches!(newer, Err(CopyError::Version { end: End::Source, found: 999, .. })), "{newer:?}");
    assert_eq!(database.psql("SELECT count(*) FROM users").unwrap().trim(), "0");
}
