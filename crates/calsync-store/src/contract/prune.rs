//! Forgetting what is over.

use std::sync::Arc;

use calsync_core::alert::{Alert, AlertLevel};
use calsync_core::calendar::ProviderKind;
use calsync_core::ledger::LedgerState;
use calsync_core::notification::{ProcessingStatus, Served};
use calsync_core::ports::{NotificationMetrics, NotificationsEnd, Prunable, Recorded, Store};
use calsync_core::run::{CallStats, RunKind, RunStatus};
use calsync_core::subscription::SubscriptionStatus;

use super::world::*;

/// What is over goes, the oldest first and a few at a time; what is not stays, however old.
pub async fn only_what_is_over_is_pruned(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    for n in 30..34 {
        w.store.record_notification(delivery(n, &s, i64::try_from(n).unwrap())).await.unwrap();
    }
    let done = run(50, w.a, RunKind::Webhook, 40);
    w.store.begin_run(&lease, &done).await.unwrap();
    let served = NotificationsEnd::Completed(Served::default());
    w.store.end_run(&lease, &end(&done, 41, RunStatus::Succeeded, served)).await.unwrap();
    w.store.record_notification(delivery(34, &s, 34)).await.unwrap();
    w.store.begin_subscription(&subscription(21, w.a), Some(s.id)).await.unwrap();
    w.store
        .add_call_stats(&[CallStats {
            provider: ProviderKind::Google,
            minute: t(20),
            calls: 1,
            errors: [("gone".to_owned(), 1)].into(),
            latency_sum_us: 1,
            latency_max_us: 1,
            quota_used: 1,
        }])
        .await
        .unwrap();
    for at in [10, 20] {
        w.store.audit("somebody", "did something", t(at)).await.unwrap();
    }
    let prune = async |what, before, limit| w.store.prune(what, t(before), limit).await.unwrap();
    let left = async |status| {
        let left = w.store.notifications(status, 10).await.unwrap();
        left.iter().map(|n| n.received_at).collect::<Vec<_>>()
    };
    assert_eq!(prune(Prunable::Notifications, 33, 2).await, 2);
    assert_eq!(left(ProcessingStatus::Completed).await, [t(32), t(33)]);
    assert_eq!(prune(Prunable::Notifications, 33, 10).await, 1);
    assert_eq!(prune(Prunable::Subscriptions, 8 * 86_400, 10).await, 0, "it has notifications");
    assert_eq!(prune(Prunable::Notifications, 100, 10).await, 1);
    assert_eq!(left(ProcessingStatus::Pending).await, [t(34)], "nobody has finished it");
    // A delivery that is pruned may come again: it is new, and costs a look.
    assert_eq!(w.store.record_notification(delivery(30, &s, 60)).await.unwrap(), Recorded::New);
    let again = run(51, w.a, RunKind::Webhook, 70);
    w.store.begin_run(&lease, &again).await.unwrap();
    let served = NotificationsEnd::Completed(Served::default());
    w.store.end_run(&lease, &end(&again, 71, RunStatus::Succeeded, served)).await.unwrap();
    assert_eq!(prune(Prunable::Notifications, 100, 10).await, 2);
    assert_eq!(prune(Prunable::Subscriptions, 8 * 86_400, 10).await, 1);
    assert_eq!(w.store.subscriptions(w.a).await.unwrap().len(), 1);
    assert_eq!(prune(Prunable::Runs, 40, 10).await, 0);
    assert_eq!(prune(Prunable::Runs, 41, 10).await, 1);
    let open = run(52, w.a, RunKind::Webhook, 80);
    w.store.begin_run(&lease, &open).await.unwrap();
    assert_eq!(prune(Prunable::Runs, 80, 10).await, 1);
    assert_eq!(prune(Prunable::Runs, 1_000, 10).await, 1, "one that never ended died on its way");
    assert!(prune(Prunable::Figures, 1_000, 1_000).await > 0);
    assert_eq!(w.store.notification_metrics(t(0)).await.unwrap(), NotificationMetrics::default());
    assert_eq!(w.store.call_stats(t(0)).await.unwrap(), []);
    assert_eq!((prune(Prunable::Audit, 20, 10).await, prune(Prunable::Audit, 21, 10).await), (1, 1));
    let alert = Alert {
        kind: "cache_down".to_owned(),
        subject: String::new(),
        level: AlertLevel::Warning,
        message: String::new(),
        action: String::new(),
        first_seen: t(1),
        last_seen: t(1),
        resolved_at: None,
    };
    w.store.open_alert(&alert).await.unwrap();
    assert_eq!(prune(Prunable::Alerts, 1_000, 10).await, 0);
    w.store.resolve_alert("cache_down", "", t(30)).await.unwrap();
    assert_eq!((prune(Prunable::Alerts, 30, 10).await, prune(Prunable::Alerts, 31, 10).await), (0, 1));
}

/// Rows of blocks that are gone are kept for their generation, and forgotten in the end.
pub async fn a_gone_block_is_forgotten_in_the_end(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let mut rows: Vec<_> = (60..63).map(|n| ledger_row(n, w.b, Some("block"))).collect();
    for (row, (at, state)) in
        rows.iter_mut().zip([(10, LedgerState::Gone), (20, LedgerState::Gone), (5, LedgerState::Live)])
    {
        (row.written_at, row.state) = (Some(t(at)), state);
    }
    w.store.enqueue(&lease, &plan(w.b, rows, vec![])).await.unwrap();
    assert_eq!(w.store.prune(Prunable::Ledger, t(20), 10).await.unwrap(), 1);
    assert_eq!(w.store.ledger(w.b).await.unwrap().len(), 2);
}

/// What is said beforehand is what goes, whatever precedes what; and nothing of it was in use.
pub async fn what_would_go_is_counted_exactly(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    for n in 30..36 {
        w.store.record_notification(delivery(n, &s, i64::try_from(n).unwrap())).await.unwrap();
    }
    let done = run(50, w.a, RunKind::Webhook, 40);
    w.store.begin_run(&lease, &done).await.unwrap();
    let served = NotificationsEnd::Completed(Served::default());
    w.store.end_run(&lease, &end(&done, 41, RunStatus::Succeeded, served)).await.unwrap();
    // Out of use: one whose notifications are all finished, one with an open one, and a bare one.
    let second = subscription(21, w.a);
    w.store.begin_subscription(&second, Some(s.id)).await.unwrap();
    w.store.record_notification(delivery(36, &second, 42)).await.unwrap();
    let third = subscription(22, w.a);
    w.store.begin_subscription(&third, Some(second.id)).await.unwrap();
    let bare = subscription(23, w.b);
    w.store.begin_subscription(&bare, None).await.unwrap();
    w.store.set_subscription_status(bare.id, SubscriptionStatus::Failed, None).await.unwrap();
    let mut rows: Vec<_> = (60..62).map(|n| ledger_row(n, w.b, Some("block"))).collect();
    for (row, state) in rows.iter_mut().zip([LedgerState::Gone, LedgerState::Live]) {
        (row.written_at, row.state) = (Some(t(10)), state);
    }
    w.store.enqueue(&lease, &plan(w.b, rows, vec![])).await.unwrap();
    w.store.audit("somebody", "did something", t(10)).await.unwrap();
    let (early, late) = (t(33), t(8 * 86_400));
    let counted = async |before| {
        let mut all = Vec::new();
        for what in Prunable::ALL {
            all.push(w.store.prunable(what, before).await.unwrap());
        }
        all
    };
    assert_eq!(counted(early).await[..5], [3, 0, 0, 0, 1], "the others ended or came later");
    let expected = counted(late).await;
    assert_eq!(expected[..5], [6, 2, 1, 0, 1], "one has a notification that nobody finished, one is in use");
    let mut gone = Vec::new();
    for what in Prunable::ALL {
        let mut rows = 0;
        // In batches, as it is done.
        loop {
            match w.store.prune(what, late, 2).await.unwrap() {
                0 => break,
                some => rows += some,
            }
        }
        gone.push(rows);
    }
    assert_eq!(gone, expected);
    assert_eq!(counted(late).await, [0; 8]);
    let left: Vec<_> = w.store.subscriptions(w.a).await.unwrap().into_iter().map(|s| s.id).collect();
    assert_eq!(left, [third.id, second.id], "what is in use, and what has an unfinished notification");
    assert_eq!(w.store.notifications(ProcessingStatus::Pending, 10).await.unwrap().len(), 1);
}
