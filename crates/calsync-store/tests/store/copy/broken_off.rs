//! Copies that were stopped, dropped or doubled: each goes on where it was, and ends with everything there once.

use std::ops::ControlFlow;
use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_store::contract::world::{World, delivery, event, pull};
use calsync_store::copy::{CopyError, Outcome, Phase, Place, copy};
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;

use super::{NOW, agreed, file, moved, seen, store, try_at};

/// One with tables of several pages.
pub(super) async fn large(url: &str) {
    let store = store(url).await;
    let w = World::new(store.clone()).await;
    let s = w.watch(20, w.a).await;
    for n in 0..1_234 {
        store.record_notification(delivery(1_000 + n, &s, 30 + n.cast_signed())).await.unwrap();
    }
    let lease = w.lease(20).await;
    let mut pull = pull(w.b, 30);
    // A table of exactly two pages, and ids that sort by their bytes and nothing else.
    let letters = ["a", "B", "ä", "z", "\u{1f4c5}"];
    pull.events =
        (0..1_000).map(|n| event(&format!("{}{n}", letters[n % 5]), n.cast_signed() as i64)).collect();
    store.apply_pull(&lease, &pull).await.unwrap();
    w.release(&lease).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_after_every_page_it_goes_on_after_the_last() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    large(&source).await;
    let mut from = source;
    for to in [database.url().to_owned(), file(&dir, "b.db")] {
        let (mut stops, mut last) = (0, 0);
        let outcome = loop {
            let mut rows = None;
            let outcome = try_at(&from, &to, NOW, |progress| {
                if progress.phase == Phase::Comparing {
                    return ControlFlow::Continue(());
                }
                rows = Some(progress.done);
                ControlFlow::Break(())
            })
            .await;
            let Some(rows) = rows else { break outcome };
            assert_eq!(outcome, Err(CopyError::Stopped));
            assert!(rows > last, "no page is copied twice");
            (stops, last) = (stops + 1, rows);
            let half = SqlStore::open(&to, Migrate::Run).await.err();
            assert!(
                matches!(&half, Some(StoreError::Unavailable(words)) if words.contains("not finished")),
                "nobody may serve the half of it: {half:?}"
            );
        };
        let report = agreed(outcome);
        assert_eq!((report.copied, report.before), (0, last));
        // Three pages of notifications, two of events, and one of every other table that holds anything.
        assert!(stops > 10, "{stops} stops");
        assert_eq!(seen(&to).await, seen(&from).await);
        from = to;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_any_moment_it_goes_on() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    large(&source).await;
    for to in [file(&dir, "b.db"), database.url().to_owned()] {
        let mut dropped = 0_u32;
        let left = loop {
            // Longer from try to try, so that it ends.
            let patience = Duration::from_millis(u64::from(dropped * 7 % 40 + dropped * dropped));
            let (from, target) = (Place::source(&source).await.unwrap(), Place::target(&to).await.unwrap());
            let mut watch = |_| ControlFlow::Continue(());
            let done = tokio::time::timeout(patience, copy(&from, &target, NOW, &mut watch)).await;
            target.close().await;
            match done {
                // Dropped between its last commit and its answer.
                Ok(Ok(Outcome::Already(_))) if dropped > 0 => break 0,
                Ok(outcome) => break agreed(outcome).copied,
                Err(_) => dropped += 1,
            }
        };
        println!("{dropped} drops, then {left} rows were left");
        assert!(dropped >= 3, "{dropped}");
        assert_eq!(seen(&to).await, seen(&source).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_at_once_do_not_mix() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::shared());
    let source = file(&dir, "a.db");
    large(&source).await;
    let (a, b) = tokio::join!(moved(&source, database.url()), moved(&source, database.url()));
    let (good, bad): (Vec<_>, Vec<_>) = [a, b].into_iter().partition(Result::is_ok);
    println!("{} were good, the others: {bad:?}", good.len());
    assert!(
        bad.iter().all(|one| matches!(
            one,
            Err(CopyError::Store { error: StoreError::Conflict(_) | StoreError::Contended(_), .. }
                | CopyError::Misfit { .. })
        )),
        "{bad:?}"
    );
    // Whoever of them came first: one more try ends it.
    match moved(&source, database.url()).await.unwrap() {
        Outcome::Already(_) => {}
        Outcome::Copied(report) => assert!(report.agrees(), "{report:#?}"),
    }
    assert_eq!(seen(database.url()).await, seen(&source).await);
}
