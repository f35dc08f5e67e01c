//! Moving house: whole worlds from one database to another, and life that goes on there.

use std::ops::ControlFlow;
use std::sync::Arc;

use calsync_core::ports::Store;
use calsync_core::time::Ts;
use calsync_store::contract::model::{picture, run};
use calsync_store::contract::world::{World, t, user};
use calsync_store::copy::{CopyError, End, Outcome, Place, Progress, Report, Standing, copy, look};
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;
use tempfile::TempDir;

mod broken_off;
mod refused;

/// Later than any lease of any world.
const NOW: Ts = Ts::from_secs(1_800_000_000);

fn file(dir: &TempDir, name: &str) -> String {
    format!("sqlite:{}", dir.path().join(name).display())
}

async fn store(url: &str) -> Arc<dyn Store> {
    Arc::new(SqlStore::open(url, Migrate::Run).await.unwrap())
}

async fn seen(url: &str) -> Vec<String> {
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(url, Migrate::Check).await.unwrap());
    let seen = picture(&store).await;
    store.close().await;
    seen
}

async fn try_at(
    from: &str,
    to: &str,
    now: Ts,
    watch: impl FnMut(Progress) -> ControlFlow<()> + Send,
) -> Result<Outcome, CopyError> {
    let mut watch = watch;
    let (from, to) = (Place::source(from).await?, Place::target(to).await?);
    let outcome = copy(&from, &to, now, &mut watch).await;
    from.close().await;
    to.close().await;
    outcome
}

async fn moved(from: &str, to: &str) -> Result<Outcome, CopyError> {
    try_at(from, to, NOW, |_| ControlFlow::Continue(())).await
}

fn report(outcome: Result<Outcome, CopyError>) -> Report {
    match outcome {
        Ok(Outcome::Copied(report)) => report,
        other => panic!("{other:?}"),
    }
}

fn agreed(outcome: Result<Outcome, CopyError>) -> Report {
    let report = report(outcome);
    let differ: Vec<_> = report.tables.iter().filter(|table| !table.agrees()).collect();
    assert!(differ.is_empty(), "{differ:?}");
    report
}

/// A world that so many random operations have made, at rest.
async fn made(url: &str, seed: u64, steps: u64) {
    let store = store(url).await;
    run(store.clone(), seed, steps).await;
    store.audit("person1@example.com", "looked around", t(1)).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_answers_the_same_wherever_a_world_has_moved() {
    let mut rows = 0;
    for seed in [1, 2, 7] {
        let (dir, first, second) = (tempfile::tempdir().unwrap(), Database::shared(), Database::shared());
        let urls = [
            file(&dir, "a.db"),
            first.url().to_owned(),
            second.url().to_owned(),
            file(&dir, "b.db"),
            file(&dir, "c.db"),
        ];
        made(&urls[0], seed, 150).await;
        let expected = seen(&urls[0]).await;
        for pair in urls.windows(2) {
            let report = agreed(moved(&pair[0], &pair[1]).await);
            rows += report.copied;
            for (found, expected) in seen(&pair[1]).await.iter().zip(&expected) {
                assert_eq!(found, expected, "seed {seed}");
            }
        }
    }
    println!("{rows} rows were moved");
    assert!(rows > 500, "only {rows} rows: worlds in which everybody has left show nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_goes_on_where_it_was() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    let before = store(&source).await;
    let w = World::new(before.clone()).await;
    w.watch(20, w.a).await;
    let (now, job) = (t(100), "job:one");
    let held = before.claim_lease(job, "dead", now, t(160)).await.unwrap().unwrap();
    for n in 0..3 {
        before.audit("somebody", &n.to_string(), now).await.unwrap();
    }
    before.close().await;
    agreed(moved(&source, database.url()).await);
    let after = store(database.url()).await;
    // Nobody holds it any more, and its next token is a new one.
    let lease = after.claim_lease(job, "alive", now, t(160)).await.unwrap().unwrap();
    assert_eq!(lease.token, held.token + 1);
    after.audit("somebody", "counted on", now).await.unwrap();
    assert_eq!(after.add_user(&user(1)).await.map_err(drop), Err(()), "she is there already");
    assert!(
        !after.unwatched_calendars(t(9), 10).await.unwrap().iter().any(|c| c.id == w.a),
        "its channel counts"
    );
    after.close().await;
    let refused = database.psql("SELECT count(DISTINCT seq), min(seq), max(seq) FROM audit_log").unwrap();
    assert_eq!(refused.trim(), "4|1|4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn done_twice_it_changes_nothing_the_second_time() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    made(&source, 3, 30).await;
    let (from, to) = (Place::source(&source).await.unwrap(), Place::target(database.url()).await.unwrap());
    let new = look(&from, Some(&to), NOW).await.unwrap();
    assert_eq!(new.target, Standing::New);
    assert_eq!(
        database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap().trim(),
        "0"
    );
    let report = agreed(moved(&source, database.url()).await);
    assert_eq!(new.tables.iter().map(|(_, rows)| rows).sum::<u64>(), report.copied, "it was foretold");
    let later = store(database.url()).await;
    later.add_user(&user(77)).await.unwrap();
    later.close().await;
    let picture = seen(database.url()).await;
    assert_eq!(moved(&source, database.url()).await, Ok(Outcome::Already(NOW)));
    assert_eq!(look(&from, Some(&to), NOW).await.unwrap().target, Standing::Finished { at: NOW });
    assert_eq!(seen(database.url()).await, picture);
    // From there it may go further, with the mark of its own arrival left behind.
    let third = file(&dir, "c.db");
    agreed(moved(database.url(), &third).await);
    assert_eq!(seen(&third).await, picture);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_without_users_left_behind_makes_room() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    made(&source, 6, 30).await;
    let first = store(database.url()).await;
    first.put_setting("identity", &serde_json::json!({"sealed": "made too early"})).await.unwrap();
    first.put_setting("name", &serde_json::json!("made too early")).await.unwrap();
    let lease =
        first.claim_lease("job:renew", "early", t(1), Ts::from_secs(1_800_000_060)).await.unwrap().unwrap();
    let alive = moved(&source, database.url()).await;
    assert!(
        matches!(&alive, Err(CopyError::Alive { end: End::Target, lease, .. }) if lease == "job:renew"),
        "{alive:?}"
    );
    first.release(&lease, &[]).await.unwrap();
    first.close().await;
    agreed(moved(&source, database.url()).await);
    assert_eq!(seen(database.url()).await, seen(&source).await);
    let after = store(database.url()).await;
    assert_eq!(after.setting("identity").await, Ok(None), "the source had none");
    after.close().await;
}
