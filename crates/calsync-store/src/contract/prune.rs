//! Forgetting what is over.

use std::sync::Arc;

use calsync_core::calendar::ProviderKind;
use calsync_core::ledger::LedgerState;
use calsync_core::notification::{ProcessingStatus, Served};
use calsync_core::ports::{NotificationMetrics, NotificationsEnd, Prunable, Recorded, Store};
use calsync_core::run::{Alert, AlertLevel, CallStats, RunKind, RunStatus};
use serde_json::json;

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
    assert_eq!(prune(Prunable::Runs, 1_000, 10).await, 1, "a run that is under way stays");
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
        deliveries: json!(null),
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
