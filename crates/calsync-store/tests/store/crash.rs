//! Crashes: whatever was acknowledged is there afterwards. And several processes on one file.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::ports::{Store, Wish};
use calsync_core::subscription::Subscription;
use calsync_store::contract::world::{World, account, delivery, id, listed, t, user};
use calsync_store::{Migrate, SqlStore};
use tokio::runtime::Runtime;

use crate::lite::url;

/// Tells a child of these tests which database to work on.
const CHILD: &str = "CALSYNC_STORE_TEST_CHILD";

/// This very program again, running one test as a child.
fn child(test: &str, url: &str) -> Child {
    let name = format!("crash::{test}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, url);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// The numbers that a child prints, one in a line.
fn numbers(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first one stands behind the test's own name.
    lines.map_while(Result::ok).filter_map(|line| line.rsplit_once("did ")?.1.parse().ok())
}

async fn ids(store: &SqlStore) -> BTreeSet<u64> {
    use calsync_core::notification::ProcessingStatus::Pending;
    let all = store.notifications(Pending, u32::MAX).await.unwrap();
    all.into_iter().map(|n| u64::try_from(n.id.0.as_u128()).unwrap()).collect()
}

#[test]
fn what_was_acknowledged_survives_a_store_that_was_never_closed() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let acknowledged = runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url(&dir), Migrate::Run).await.unwrap());
        let w = World::new(store).await;
        let s = w.watch(20, w.a).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1_000..1_500 {
            let (store, s) = (w.store.clone(), s.clone());
            tasks.spawn(async move { store.record_notification(delivery(n, &s, 30)).await.map(|_| n) });
        }
        let mut acknowledged = BTreeSet::new();
        for _ in 0..200 {
            acknowledged.insert(tasks.join_next().await.unwrap().unwrap().unwrap());
        }
        acknowledged
    });
    // Neither closed nor flushed: tasks and connections just end.
    runtime.shutdown_background();
    let stored = Runtime::new().unwrap().block_on(async {
        let store = SqlStore::open(&url(&dir), Migrate::Check).await.unwrap();
        ids(&store).await
    });
    assert!(acknowledged.is_subset(&stored));
}

#[test]
fn writes_until_it_is_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    Runtime::new().unwrap().block_on(async {
        let store = Arc::new(SqlStore::open(&url, Migrate::Check).await.unwrap());
        let s = Store::subscriptions(store.as_ref(), CalendarId(id(0xa))).await.unwrap().remove(0);
        let first = ids(&store).await.last().copied().unwrap_or(1_000) + 1;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..16_u64 {
            let (store, s): (_, Subscription) = (store.clone(), s.clone());
            tasks.spawn(async move {
                for round in 0.. {
                    let n = first + round * 16 + task;
                    Store::record_notification(store.as_ref(), delivery(n, &s, 30)).await.unwrap();
                    println!("did {n}");
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url(&dir), Migrate::Run).await.unwrap());
        let w = World::new(store).await;
        w.watch(20, w.a).await;
        w.store.close().await;
    });
    let mut acknowledged = BTreeSet::new();
    for kill in 0..4 {
        let mut writer = child("writes_until_it_is_killed", &url(&dir));
        let mut printed = numbers(&mut writer);
        acknowledged.extend(printed.by_ref().take(300 + 77 * kill));
        writer.kill().unwrap();
        // What it had printed before it died counts as well.
        acknowledged.extend(printed);
        writer.wait().unwrap();
        let stored = runtime.block_on(async {
            let store = SqlStore::open(&url(&dir), Migrate::Check).await.unwrap();
            let stored = ids(&store).await;
            let calendar = store.calendar(CalendarId(id(0xa))).await.unwrap().unwrap();
            assert!(
                calendar.dirty_generation >= i64::try_from(stored.len()).unwrap(),
                "raised with every receipt"
            );
            store.close().await;
            stored
        });
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "after kill {kill}: {lost:?}");
    }
    assert!(acknowledged.len() > 1_000);
}

#[test]
fn claims_until_nothing_is_due() {
    let Ok(url) = std::env::var(CHILD) else { return };
    Runtime::new().unwrap().block_on(async {
        // They migrate as well: whoever is first does it.
        let store = Arc::new(SqlStore::open(&url, Migrate::Run).await.unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let (store, owner) = (store.clone(), format!("{}-{task}", std::process::id()));
            tasks.spawn(async move {
                while let Some(claimed) = store.claim_due_user(&owner, t(20), t(80)).await.unwrap() {
                    println!("did {}", claimed.user.0.as_u128());
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn each_due_user_goes_to_one_process() {
    const USERS: u64 = 60;
    let dir = tempfile::tempdir().unwrap();
    Runtime::new().unwrap().block_on(async {
        let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
        for n in 0..USERS {
            store.add_user(&user(1_000 + n)).await.unwrap();
            store.connect_account(&account(2_000 + n, 1_000 + n), t(1)).await.unwrap();
            let calendar = CalendarId(id(3_000 + n));
            store.update_calendar_list(AccountId(id(2_000 + n)), &[(calendar, listed("one"))]).await.unwrap();
            store.raise(&[calendar], Wish::Changes, t(10)).await.unwrap();
        }
        store.close().await;
    });
    let mut children: Vec<Child> = (0..3).map(|_| child("claims_until_nothing_is_due", &url(&dir))).collect();
    let mut claimed: Vec<u64> = children.iter_mut().flat_map(numbers).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (0..USERS).map(|n| 1_000 + n).collect::<Vec<_>>(), "everybody, once");
}
