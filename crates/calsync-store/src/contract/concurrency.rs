//! Many at once: one winner, exact counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::ids::{AccountId, CalendarId, NotificationId, UserId};
use calsync_core::notification::{AfterFailure, Served};
use calsync_core::ports::{Blame, NewNotification, NotificationsEnd, Recorded, Store, Wish};
use calsync_core::run::{RunKind, RunStatus};
use tokio::task::JoinSet;

use super::world::*;

/// Sixteen workers, forty users.
pub async fn each_due_user_goes_to_one_of_many(store: Arc<dyn Store>) {
    let mut calendars = Vec::new();
    for n in 0..40_u64 {
        store.add_user(&user(1_000 + n)).await.unwrap();
        store.connect_account(&account(2_000 + n, 1_000 + n), t(1)).await.unwrap();
        let calendar = CalendarId(id(3_000 + n));
        store.update_calendar_list(AccountId(id(2_000 + n)), &[(calendar, listed("one"))]).await.unwrap();
        calendars.push(calendar);
    }
    store.raise(&calendars, Wish::Changes, t(10)).await.unwrap();
    let mut workers = JoinSet::new();
    for worker in 0..16 {
        let store = store.clone();
        workers.spawn(async move {
            let mut got: Vec<UserId> = Vec::new();
            while let Some(claimed) = store.claim_due_user(&format!("w{worker}"), t(20), t(80)).await.unwrap()
            {
                got.push(claimed.user);
            }
            got
        });
    }
    let mut claims: BTreeMap<UserId, u32> = BTreeMap::new();
    while let Some(got) = workers.join_next().await {
        got.unwrap().into_iter().for_each(|user| *claims.entry(user).or_default() += 1);
    }
    assert_eq!(claims.len(), 40, "nobody is forgotten");
    assert!(claims.values().all(|times| *times == 1), "{claims:?}");
}

/// Sixty-four at once with the provider's same id.
pub async fn one_of_many_equal_deliveries_is_new(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let before = w.get(w.a).await.dirty_generation;
    let mut senders = JoinSet::new();
    for n in 0..64_u64 {
        let (store, s) = (w.store.clone(), s.clone());
        // Half of them under the same id of ours, too.
        let ours = if n % 2 == 0 { 500 } else { 500 + n };
        let new = NewNotification {
            id: NotificationId(id(ours)),
            notification_id: "1".to_owned(),
            ..delivery(1, &s, 50)
        };
        senders.spawn(async move { store.record_notification(new).await.unwrap() });
    }
    let recorded = senders.join_all().await;
    assert_eq!(recorded.iter().filter(|r| **r == Recorded::New).count(), 1);
    assert_eq!(w.get(w.a).await.dirty_generation, before + 1);
}

/// Failures from many tasks, none lost.
pub async fn failures_are_counted_exactly(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    let mut tasks = JoinSet::new();
    for n in 0..16_u64 {
        let (store, lease, calendar) = (w.store.clone(), lease.clone(), w.a);
        tasks.spawn(async move {
            let run = run(50 + n, calendar, RunKind::Polling, 20);
            store.begin_run(&lease, &run).await.unwrap();
            let failed_end = NotificationsEnd::Failed { items: Vec::new(), blame: Blame::Calendar };
            store.end_run(&lease, &end(&run, 21, failed(), failed_end)).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(w.subscription(&s).await.failure_count, 16);
    assert_eq!(w.get(w.a).await.webhook_failure_streak, 16);
}

/// Deliveries of two channels from many tasks, while a run begins and ends beside them.
pub async fn deliveries_are_counted_exactly(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (sa, sb) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    let (a, b) = (w.get(w.a).await.dirty_generation, w.get(w.b).await.dirty_generation);
    let lease = w.lease(20).await;
    let mut tasks = JoinSet::new();
    for n in 0..200_u64 {
        let (store, s) = (w.store.clone(), if n % 4 == 0 { sb.clone() } else { sa.clone() });
        tasks.spawn(async move { store.record_notification(delivery(1_000 + n, &s, 30)).await.unwrap() });
    }
    let run = run(50, w.b, RunKind::Webhook, 40);
    let begun = w.store.begin_run(&lease, &run).await.unwrap();
    let items = begun.notifications.iter().map(|(id, _)| (*id, AfterFailure::Failed)).collect();
    let given_up = NotificationsEnd::Failed { items, blame: Blame::Target };
    w.store.end_run(&lease, &end(&run, 41, failed(), given_up)).await.unwrap();
    assert!(tasks.join_all().await.into_iter().all(|r| r == Recorded::New));
    assert_eq!(w.get(w.a).await.dirty_generation, a + 150);
    assert_eq!(w.get(w.b).await.dirty_generation, b + 50);
    let rest = super::world::run(51, w.b, RunKind::Webhook, 42);
    let served = w.store.begin_run(&lease, &rest).await.unwrap().notifications.len();
    assert_eq!(served + begun.notifications.len(), 50, "each is served by one run");
    let done = NotificationsEnd::Completed(Served::default());
    w.store.end_run(&lease, &end(&rest, 43, RunStatus::Succeeded, done)).await.unwrap();
    assert_eq!(w.store.notification_metrics(t(0)).await.unwrap().total, 200);
}

/// One scheduler of the fleet.
pub async fn a_job_goes_to_one_of_many(store: Arc<dyn Store>) {
    for round in 0..5_i64 {
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let store = store.clone();
            tasks.spawn(async move {
                store
                    .claim_lease("job:sweep", &format!("w{n}"), t(round * 100), t(round * 100 + 60))
                    .await
                    .unwrap()
            });
        }
        let won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(won[0].token, round + 1);
    }
}
