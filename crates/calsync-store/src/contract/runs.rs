//! Runs: what they serve, and what becomes of it.

use std::sync::Arc;

use calsync_core::ids::NotificationId;
use calsync_core::notification::{
    AfterFailure, Notification, ProcessingStatus, Served, Worth, after_failure,
};
use calsync_core::ports::{
    Blame, Looked, NewNotification, NotificationsEnd, RunEnd, Store, StoreError, Wish,
};
use calsync_core::run::{Run, RunKind, RunStatus};
use calsync_core::subscription::Subscription;

use super::world::*;

const SERVED: Served = Served { calendars_synced: 1, events_processed: 5, busy_blocks_updated: 2 };

fn of(ids: &[(u64, u32)]) -> Vec<(NotificationId, u32)> {
    ids.iter().map(|(n, failures)| (NotificationId(id(*n)), *failures)).collect()
}

fn gave_up(ids: &[u64]) -> NotificationsEnd {
    let items = ids.iter().map(|n| (NotificationId(id(*n)), AfterFailure::Failed)).collect();
    NotificationsEnd::Failed { items, blame: Blame::Calendar }
}

async fn only(w: &World, status: ProcessingStatus) -> Notification {
    let mut found = w.store.notifications(status, 10).await.unwrap();
    assert_eq!(found.len(), 1, "{status:?}");
    found.remove(0)
}

/// Of all the calendar's subscriptions, by age; of no other calendar.
pub async fn a_run_serves_all_that_waits(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let other = w.watch(21, w.b).await;
    for new in [delivery(33, &s, 30), delivery(31, &s, 40), delivery(32, &s, 30), delivery(34, &other, 10)] {
        w.store.record_notification(new).await.unwrap();
    }
    let generation = w.get(w.a).await.dirty_generation;
    let lease = w.lease(50).await;
    let run = run(50, w.a, RunKind::Webhook, 50);
    let begun = w.store.begin_run(&lease, &run).await.unwrap();
    assert_eq!(begun.seen_generation, generation);
    assert_eq!(begun.notifications, of(&[(32, 0), (33, 0), (31, 0)]));
    assert_eq!(only(&w, ProcessingStatus::Pending).await.subscription, other.id);
    let at_work = w.store.notifications(ProcessingStatus::Processing, 10).await.unwrap();
    assert!(at_work.iter().all(|n| n.run == Some(run.id) && n.processing_started_at == Some(t(50))));
    // What arrives meanwhile waits for the next one.
    w.store.record_notification(delivery(35, &s, 51)).await.unwrap();
    w.store
        .end_run(&lease, &end(&run, 60, RunStatus::Succeeded, NotificationsEnd::Completed(SERVED)))
        .await
        .unwrap();
    let done = w.store.notifications(ProcessingStatus::Completed, 10).await.unwrap();
    assert_eq!(done.iter().map(|n| n.id.0).collect::<Vec<_>>(), [id(32), id(33), id(31)]);
    assert!(done.iter().all(|n| n.served == SERVED && n.processing_completed_at == Some(t(60))));
    // From receipt, not from the beginning of the work.
    assert_eq!(
        done.iter().map(|n| n.processing_time_ms).collect::<Vec<_>>(),
        [Some(30_000), Some(30_000), Some(20_000)]
    );
    let again = super::world::run(51, w.a, RunKind::Webhook, 61);
    assert_eq!(w.store.begin_run(&lease, &again).await.unwrap().notifications, of(&[(35, 0)]));
    assert!(matches!(w.store.begin_run(&lease, &again).await, Err(StoreError::Conflict(_))));
}

/// goals.md §4 row 4: a worker that died leaves nothing `processing` for ever.
pub async fn orphans_are_picked_up(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    let dead = w.lease(20).await;
    w.store.begin_run(&dead, &run(50, w.a, RunKind::Webhook, 20)).await.unwrap();
    assert_eq!(w.store.backlog(t(100)).await.unwrap(), 1, "and it is seen meanwhile");
    let heir = w.lease(80).await;
    let run = run(51, w.a, RunKind::Webhook, 81);
    assert_eq!(w.store.begin_run(&heir, &run).await.unwrap().notifications, of(&[(30, 0)]));
    let n = only(&w, ProcessingStatus::Processing).await;
    assert_eq!((n.run, n.processing_started_at), (Some(run.id), Some(t(81))));
}

/// goals.md §4 row 3: the first, second and third failure are tried again, each in its time; the fourth is final.
pub async fn the_third_failure_is_tried_again(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    let lease = w.lease(20).await;
    let mut now = 20;
    for failures in 0..4 {
        let run = run(50 + u64::from(failures), w.a, RunKind::Webhook, now);
        let begun = w.store.begin_run(&lease, &run).await.unwrap();
        assert_eq!(begun.notifications, of(&[(30, failures)]), "at {now}");
        let after = after_failure(failures, Worth::Retrying, t(now));
        let items = vec![(NotificationId(id(30)), after)];
        let ended = end(&run, now, failed(), NotificationsEnd::Failed { items, blame: Blame::Calendar });
        w.store.end_run(&lease, &ended).await.unwrap();
        if let AfterFailure::RetryAt(at) = after {
            let waiting = only(&w, ProcessingStatus::Retrying).await;
            assert_eq!((waiting.next_retry_at, waiting.retry_count), (Some(at), failures + 1));
            let early = super::world::run(90 + u64::from(failures), w.a, RunKind::Webhook, now + 1);
            assert_eq!(w.store.begin_run(&lease, &early).await.unwrap().notifications, [], "too early");
            now += at.since(t(now)).as_secs();
        }
    }
    let given_up = only(&w, ProcessingStatus::Failed).await;
    assert_eq!((given_up.retry_count, given_up.next_retry_at), (4, None));
    assert_eq!(given_up.processing_completed_at, Some(t(now)));
    assert_eq!(given_up.error_message.as_deref(), Some("the provider did not answer"));
}

/// A run that succeeds has read all that was told before it began, also what was to wait for another try.
pub async fn success_answers_what_waits_for_another_try(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (s, other) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    w.store.record_notification(delivery(31, &other, 20)).await.unwrap();
    let lease = w.lease(20).await;
    for (n, calendar, given) in [(50, w.a, 30), (51, w.b, 31)] {
        let lose = run(n, calendar, RunKind::Webhook, 21);
        w.store.begin_run(&lease, &lose).await.unwrap();
        let items = vec![(NotificationId(id(given)), AfterFailure::RetryAt(t(900)))];
        let ended = end(&lose, 22, failed(), NotificationsEnd::Failed { items, blame: Blame::Calendar });
        w.store.end_run(&lease, &ended).await.unwrap();
    }
    let win = run(52, w.a, RunKind::Polling, 40);
    assert_eq!(w.store.begin_run(&lease, &win).await.unwrap().notifications, [], "it was not due");
    // One was on its way for a while, the other came after the beginning.
    w.store.record_notification(delivery(32, &s, 39)).await.unwrap();
    w.store.record_notification(delivery(33, &s, 40)).await.unwrap();
    let completed = NotificationsEnd::Completed(SERVED);
    w.store.end_run(&lease, &end(&win, 41, RunStatus::Succeeded, completed)).await.unwrap();
    let done = w.store.notifications(ProcessingStatus::Completed, 10).await.unwrap();
    assert_eq!(done.iter().map(|n| n.id.0).collect::<Vec<_>>(), [id(30), id(32)]);
    for n in &done {
        assert_eq!((n.run, n.next_retry_at, n.served), (Some(win.id), None, SERVED));
        assert_eq!((n.processing_started_at, n.processing_completed_at), (Some(t(40)), Some(t(41))));
    }
    assert_eq!(only(&w, ProcessingStatus::Retrying).await.subscription, other.id, "another calendar's");
    assert_eq!(only(&w, ProcessingStatus::Pending).await.id.0, id(33));
    assert_eq!(w.get(w.a).await.webhook_last_activity, Some(t(41)));
}

/// Of the subscription and the calendar; activity only where something was delivered.
pub async fn success_clears_the_counters(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    let lose = run(50, w.a, RunKind::Polling, 20);
    w.store.begin_run(&lease, &lose).await.unwrap();
    w.store.end_run(&lease, &end(&lose, 21, failed(), gave_up(&[]))).await.unwrap();
    assert_eq!(w.get(w.a).await.webhook_failure_streak, 1);
    assert_eq!(w.subscription(&s).await.failure_count, 1);
    let win = run(51, w.a, RunKind::Polling, 30);
    let completed = NotificationsEnd::Completed(SERVED);
    w.store.begin_run(&lease, &win).await.unwrap();
    w.store.end_run(&lease, &end(&win, 31, RunStatus::Succeeded, completed.clone())).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.webhook_failure_streak, a.last_webhook_failure), (0, Some(t(21))));
    assert_eq!(a.webhook_last_activity, None, "nothing was delivered");
    assert_eq!(w.subscription(&s).await.failure_count, 0);
    w.store.record_notification(delivery(30, &s, 40)).await.unwrap();
    let told = run(52, w.a, RunKind::Webhook, 41);
    w.store.begin_run(&lease, &told).await.unwrap();
    w.store.end_run(&lease, &end(&told, 42, RunStatus::Succeeded, completed)).await.unwrap();
    assert_eq!(w.get(w.a).await.webhook_last_activity, Some(t(42)));
}

/// However many notifications it served.
pub async fn failure_counts_once_per_run(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    for round in 0..3_u64 {
        for n in 0..3 {
            let at = 20 + i64::try_from(round).unwrap();
            w.store.record_notification(delivery(30 + 10 * round + n, &s, at)).await.unwrap();
        }
        let run = run(50 + round, w.a, RunKind::Webhook, 30);
        let begun = w.store.begin_run(&lease, &run).await.unwrap();
        assert_eq!(begun.notifications.len(), 3);
        // A delivery shows that the channel works: only what fails after it counts.
        assert_eq!(w.subscription(&s).await.failure_count, 0);
        let numbers: Vec<u64> = (0..3).map(|n| 30 + 10 * round + n).collect();
        w.store.end_run(&lease, &end(&run, 31, failed(), gave_up(&numbers))).await.unwrap();
        assert_eq!(w.subscription(&s).await.failure_count, 1);
        assert_eq!(w.get(w.a).await.webhook_failure_streak, u32::try_from(round).unwrap() + 1);
    }
    assert_eq!(w.get(w.a).await.last_webhook_failure, Some(t(31)));
}

/// The notification is tried again, but the calendar that delivered it did nothing wrong.
pub async fn a_targets_failure_blames_nobody(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    let lease = w.lease(20).await;
    let run = run(50, w.a, RunKind::Webhook, 20);
    w.store.begin_run(&lease, &run).await.unwrap();
    let items = vec![(NotificationId(id(30)), AfterFailure::RetryAt(t(80)))];
    let blameless = NotificationsEnd::Failed { items, blame: Blame::Target };
    w.store.end_run(&lease, &end(&run, 21, failed(), blameless)).await.unwrap();
    assert_eq!(only(&w, ProcessingStatus::Retrying).await.retry_count, 1);
    let a = w.get(w.a).await;
    assert_eq!((a.webhook_failure_streak, a.last_webhook_failure), (0, None));
    assert_eq!(w.subscription(&s).await.failure_count, 0);
}

/// When it last worked, when it was last polled, and which generation is served.
pub async fn polling_and_success_are_dated(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Changes, t(10)).await.unwrap();
    let lease = w.lease(20).await;
    let done = async |run: &Run, at, status: RunStatus, served: Option<i64>| {
        w.store.begin_run(&lease, run).await.unwrap();
        let completed = match status {
            RunStatus::Succeeded => NotificationsEnd::Completed(SERVED),
            _ => gave_up(&[]),
        };
        w.store
            .end_run(&lease, &RunEnd { served_generation: served, ..end(run, at, status, completed) })
            .await
            .unwrap();
        w.get(w.a).await
    };
    let generation = w.get(w.a).await.dirty_generation;
    let a = done(&run(50, w.a, RunKind::Polling, 20), 30, failed(), None).await;
    assert_eq!((a.last_polling_sync, a.last_synced_at), (Some(t(30)), None));
    assert!(a.is_dirty());
    let a = done(&run(51, w.a, RunKind::Full, 31), 40, RunStatus::Succeeded, Some(generation)).await;
    assert_eq!((a.last_polling_sync, a.last_synced_at), (Some(t(30)), Some(t(40))));
    assert_eq!((a.synced_generation, a.is_dirty()), (generation, false));
    let a = done(&run(52, w.a, RunKind::Polling, 41), 50, RunStatus::Succeeded, Some(generation - 1)).await;
    assert_eq!(a.last_polling_sync, Some(t(50)));
    assert_eq!(a.synced_generation, generation, "an older generation does not undo a newer one");
    let never_begun = end(&run(99, w.a, RunKind::Full, 1), 2, RunStatus::Succeeded, gave_up(&[]));
    assert!(matches!(w.store.end_run(&lease, &never_begun).await, Err(StoreError::Conflict(_))));
}

/// Of one calendar or of all, with what they counted.
pub async fn the_run_log_is_newest_first(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let runs = [
        run(50, w.a, RunKind::Full, 20),
        run(51, w.b, RunKind::Polling, 30),
        run(52, w.a, RunKind::Webhook, 30),
    ];
    for run in &runs {
        w.store.begin_run(&lease, run).await.unwrap();
    }
    let ended = end(&runs[0], 25, failed(), gave_up(&[]));
    w.store.end_run(&lease, &ended).await.unwrap();
    let first = Run { finished_at: Some(t(25)), status: failed(), counts: ended.counts, ..runs[0].clone() };
    let [_, second, third] = runs;
    assert_eq!(w.store.runs(None, 10).await.unwrap(), [third.clone(), second, first.clone()]);
    assert_eq!(w.store.runs(Some(w.a), 10).await.unwrap(), [third.clone(), first]);
    assert_eq!(w.store.runs(Some(w.a), 1).await.unwrap(), [third]);
}

/// What the old channel still delivers is served, and its own counter is cleared.
pub async fn a_replaced_channel_is_served_too(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let old = w.watch(20, w.a).await;
    let new = Subscription { created_at: t(11), ..subscription(21, w.a) };
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    w.store.record_notification(delivery(30, &old, 20)).await.unwrap();
    w.store.record_notification(delivery(31, &new, 21)).await.unwrap();
    let lease = w.lease(30).await;
    let run = run(50, w.a, RunKind::Webhook, 30);
    assert_eq!(w.store.begin_run(&lease, &run).await.unwrap().notifications, of(&[(30, 0), (31, 0)]));
    w.store.end_run(&lease, &end(&run, 31, failed(), gave_up(&[30]))).await.unwrap();
    assert_eq!(w.subscription(&old).await.failure_count, 1);
    assert_eq!(w.subscription(&new).await.failure_count, 1);
    assert_eq!(
        only(&w, ProcessingStatus::Processing).await.id.0,
        id(31),
        "not spoken of: an orphan for the next"
    );
}

/// What a run was told was known already, so that it read nothing: it answers no other delivery than its own, not even an older
/// one, and says nothing of when the calendar was read or whether its channel's silence was right.
pub async fn a_run_that_read_nothing_serves_only_its_own(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let kept = serde_json::json!({"told": {"gone": {"event": "x"}}});
    let told = NewNotification { payload: kept.clone(), ..delivery(30, &s, 20) };
    w.store.record_notification(told).await.unwrap();
    let lease = w.lease(20).await;
    let run = run(50, w.a, RunKind::Webhook, 40);
    let begun = w.store.begin_run(&lease, &run).await.unwrap();
    assert_eq!((begun.notifications, begun.payloads), (of(&[(30, 0)]), vec![kept]));
    // Received before the run began, and stored after.
    w.store.record_notification(delivery(31, &s, 35)).await.unwrap();
    let spared = RunEnd {
        looked: Looked::Spared,
        served_generation: Some(begun.seen_generation),
        ..succeeded(&run, 41)
    };
    w.store.end_run(&lease, &spared).await.unwrap();
    assert_eq!(only(&w, ProcessingStatus::Completed).await.id.0, id(30));
    assert_eq!(only(&w, ProcessingStatus::Pending).await.id.0, id(31));
    let a = w.get(w.a).await;
    assert_eq!((a.last_synced_at, a.webhook_last_activity), (None, Some(t(41))));
    assert!(a.is_dirty(), "for the other one");
    let known = w.subscription(&s).await;
    assert_eq!((known.verified_at, known.last_notification_at), (None, Some(t(20))));
    let next = super::world::run(51, w.a, RunKind::Webhook, 50);
    assert_eq!(w.store.begin_run(&lease, &next).await.unwrap().notifications, of(&[(31, 0)]), "it is found");
}
