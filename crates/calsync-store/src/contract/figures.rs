//! Figures and logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ids::NotificationId;
use calsync_core::notification::{AfterFailure, ProcessingStatus, Served};
use calsync_core::ports::{
    Blame, CalendarChange, NotificationMetrics, NotificationsEnd, Store, SubscriptionCensus,
    SubscriptionMetrics, Switch,
};
use calsync_core::run::{CallStats, RunKind, RunStatus};
use calsync_core::subscription::{FAILING_FROM, NEGLECTED_AFTER, Subscription, SubscriptionStatus};

use jiff::SignedDuration;

use super::world::*;

/// goals.md §4 row 6: a quiet day has figures too, and nothing is divided by zero.
pub async fn no_notifications_are_no_problem(store: Arc<dyn Store>) {
    assert_eq!(store.notification_metrics(t(0)).await.unwrap(), NotificationMetrics::default());
    assert_eq!(store.subscription_metrics(t(0)).await.unwrap(), SubscriptionMetrics::default());
    assert_eq!(store.backlog(t(0)).await.unwrap(), 0);
    assert_eq!(store.runs(None, 10).await.unwrap(), []);
    assert_eq!(store.call_stats(t(0)).await.unwrap(), []);
    assert_eq!(store.open_alerts().await.unwrap(), []);
    assert_eq!(store.unwatched_calendars(t(0), 10).await.unwrap(), []);
    assert_eq!(store.expire_subscriptions(t(0)).await.unwrap(), 0);
}

/// goals.md §4 row 7: what waits is pending, not failed; times are of the completed ones.
pub async fn notification_figures_add_up(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    let served = Served { calendars_synced: 1, events_processed: 5, busy_blocks_updated: 2 };
    for (n, at, after) in
        [(30, 10, None), (31, 20, None), (32, 30, Some(AfterFailure::Failed)), (33, 40, None)]
    {
        w.store.record_notification(delivery(n, &s, at)).await.unwrap();
        let run = run(n + 20, w.a, RunKind::Webhook, at);
        w.store.begin_run(&lease, &run).await.unwrap();
        let (status, notifications) = match after {
            None => (RunStatus::Succeeded, NotificationsEnd::Completed(served)),
            Some(after) => {
                let items = vec![(NotificationId(id(n)), after)];
                (failed(), NotificationsEnd::Failed { items, blame: Blame::Calendar })
            }
        };
        let took = i64::try_from(n).unwrap() - 28;
        w.store.end_run(&lease, &end(&run, at + took, status, notifications)).await.unwrap();
    }
    w.store.record_notification(delivery(34, &s, 50)).await.unwrap();
    let metrics = w.store.notification_metrics(t(20)).await.unwrap();
    let expected = NotificationMetrics {
        total: 4,
        completed: 2,
        failed: 1,
        pending: 1,
        average_ms: (3_000 + 5_000) / 2,
        calendars_synced: 2,
        events_processed: 10,
        busy_blocks_updated: 4,
    };
    assert_eq!(metrics, expected);
    // A minute counts whole.
    assert_eq!(w.store.notification_metrics(t(79)).await.unwrap(), expected);
    assert_eq!(w.store.notification_metrics(t(80)).await.unwrap(), NotificationMetrics::default());
    // What was received stays received; what waits is gone.
    w.store.remove_account(w.account).await.unwrap();
    let removed = NotificationMetrics { pending: 0, ..expected };
    assert_eq!(w.store.notification_metrics(t(20)).await.unwrap(), removed);
}

/// Each time another run looks after its calendar, but not for every one of many.
pub async fn a_reading_verifies_the_silence(store: Arc<dyn Store>) {
    const HOUR: i64 = 3_600;
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    let read = async |n: u64, at: i64, status: RunStatus| {
        let run = run(n, w.a, RunKind::Polling, at);
        w.store.begin_run(&lease, &run).await.unwrap();
        let notifications = match status {
            RunStatus::Succeeded => NotificationsEnd::Completed(Served::default()),
            _ => NotificationsEnd::Failed { items: vec![], blame: Blame::Target },
        };
        w.store.end_run(&lease, &end(&run, at, status, notifications)).await.unwrap();
        w.subscription(&s).await.verified_at
    };
    assert_eq!(read(50, 100, failed()).await, None);
    assert_eq!(read(51, 7 * HOUR, RunStatus::Succeeded).await, Some(t(7 * HOUR)));
    assert_eq!(read(52, 8 * HOUR, RunStatus::Succeeded).await, Some(t(7 * HOUR)));
    assert_eq!(read(53, 8 * HOUR + 1, RunStatus::Succeeded).await, Some(t(8 * HOUR + 1)));
    let silent = async |since| w.store.subscriptions_silent(t(since), 10).await.unwrap().len();
    assert_eq!((silent(8 * HOUR + 1).await, silent(8 * HOUR + 2).await), (0, 1));
    let metrics = async |now| w.store.subscription_metrics(t(now)).await.unwrap();
    let neglected = 8 * HOUR + 1 + NEGLECTED_AFTER.as_secs();
    assert_eq!(metrics(neglected).await.healthy, 1);
    assert_eq!(metrics(neglected + 1).await.healthy, 0);
}

/// Whatever becomes of them, by whichever way.
pub async fn active_subscriptions_are_counted(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let active = async || w.store.subscription_metrics(t(100)).await.unwrap().active;
    let (a, b) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    w.watch(22, w.c).await;
    assert_eq!(active().await, 3);
    w.store.begin_subscription(&subscription(23, w.a), Some(a.id)).await.unwrap();
    assert_eq!(active().await, 3);
    let census = |status, count| SubscriptionCensus { provider: ProviderKind::Google, status, count };
    assert_eq!(
        w.store.census().await.unwrap(),
        [census(SubscriptionStatus::Active, 3), census(SubscriptionStatus::Expired, 1)]
    );
    w.store.set_subscription_status(b.id, SubscriptionStatus::Suspended, None).await.unwrap();
    w.store.set_subscription_status(b.id, SubscriptionStatus::Suspended, None).await.unwrap();
    assert_eq!(active().await, 2);
    assert!(w.store.expire_subscriptions(t(8 * 86_400)).await.unwrap() == 2);
    assert_eq!(active().await, 0);
    w.store.set_subscription_status(b.id, SubscriptionStatus::Active, None).await.unwrap();
    assert_eq!(active().await, 1);
    w.store.remove_account(w.account).await.unwrap();
    assert_eq!(active().await, 0);
    assert_eq!(w.store.census().await.unwrap(), []);
}

/// By the hour of their receipt; and the newest one by one.
pub async fn hours_add_up(store: Arc<dyn Store>) {
    const HOUR: i64 = 3_600;
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    // What a confirmation counted is left aside.
    let since = t(50 * HOUR);
    for (n, at) in [(30, 50 * HOUR), (31, 50 * HOUR + 1), (32, 52 * HOUR)] {
        w.store.record_notification(delivery(n, &s, at)).await.unwrap();
    }
    let begun = run(50, w.a, RunKind::Webhook, 52 * HOUR + 5);
    w.store.begin_run(&lease, &begun).await.unwrap();
    let served = Served { calendars_synced: 1, events_processed: 2, busy_blocks_updated: 3 };
    let done = NotificationsEnd::Completed(served);
    w.store.end_run(&lease, &end(&begun, 52 * HOUR + 6, RunStatus::Succeeded, done)).await.unwrap();
    w.store.record_notification(delivery(33, &s, 52 * HOUR + 7)).await.unwrap();
    let spans = async |hours: i64| {
        let width = SignedDuration::from_hours(hours);
        w.store.notification_spans(since, width).await.unwrap()
    };
    let hours = spans(1).await;
    let told: Vec<_> =
        hours.iter().map(|h| (h.metrics.total, h.metrics.completed, h.metrics.pending)).collect();
    assert_eq!(told, [(2, 2, 0), (2, 1, 1)]);
    let [first, last] = [hours[0].from.micros(), hours[1].from.micros()];
    assert_eq!((last - first, first % 3_600_000_000), (2 * 3_600_000_000, 0));
    assert!((0..3_600_000_000).contains(&(since.micros() - first)));
    // Wider ones hold the same.
    for wide in [4, 24] {
        let spans = spans(wide).await;
        assert_eq!(spans.iter().map(|s| s.metrics.total - s.metrics.pending).sum::<u64>(), 3);
        assert!(spans.iter().all(|s| s.from.micros() % (wide * 3_600_000_000) == 0), "{spans:?}");
    }
    let recent = w.store.recent(t(50 * HOUR + 1), 2).await.unwrap();
    let told: Vec<_> = recent.iter().map(|r| (r.id.0, r.calendar, r.status)).collect();
    let (pending, completed) = (ProcessingStatus::Pending, ProcessingStatus::Completed);
    assert_eq!(told, [(id(33), w.a, pending), (id(32), w.a, completed)]);
    assert_eq!(recent[1].took_ms, Some(6_000));
    assert_eq!(w.store.recent(t(52 * HOUR + 8), 9).await.unwrap(), []);
}

/// Those whose time has come, the longest due first.
pub async fn due_retries_are_found(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    for n in [30, 31] {
        w.store.record_notification(delivery(n, &s, 20)).await.unwrap();
    }
    let tried = run(50, w.a, RunKind::Webhook, 21);
    w.store.begin_run(&lease, &tried).await.unwrap();
    let items = vec![
        (NotificationId(id(30)), AfterFailure::RetryAt(t(90))),
        (NotificationId(id(31)), AfterFailure::RetryAt(t(80))),
    ];
    let later = NotificationsEnd::Failed { items, blame: Blame::Calendar };
    w.store.end_run(&lease, &end(&tried, 22, failed(), later)).await.unwrap();
    let due = async |now, limit| {
        let due = w.store.retries_due(t(now), limit).await.unwrap();
        due.iter().map(|n| n.id.0).collect::<Vec<_>>()
    };
    assert!(due(79, 10).await.is_empty());
    assert_eq!(due(80, 10).await, [id(31)]);
    assert_eq!(due(90, 10).await, [id(31), id(30)]);
    assert_eq!(due(90, 1).await, [id(31)]);
}

/// goals.md §4 row 8: one that is silent and ended is unhealthy once.
pub async fn subscription_figures_add_up(store: Arc<dyn Store>) {
    const HOUR: i64 = 3_600;
    let w = World::new(store).await;
    let table = [
        // (last heard of, ends, failures): healthy; failing; silent; silent and ended; ending soon; never heard.
        (Some(10 * HOUR), 100 * HOUR, 0),
        (Some(10 * HOUR), 100 * HOUR, FAILING_FROM),
        (Some(4 * HOUR), 100 * HOUR, FAILING_FROM - 1),
        (Some(4 * HOUR), 12 * HOUR, 0),
        (Some(10 * HOUR), 36 * HOUR, 0),
        (None, 100 * HOUR, 0),
        // Exactly at the limits: so long a silence is not too long yet, and a day before the end is time.
        (Some(12 * HOUR - NEGLECTED_AFTER.as_secs()), 36 * HOUR + 1, 0),
    ];
    let names: Vec<String> = (0..table.len() + 2).map(|n| format!("many-{n}")).collect();
    let many: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (calsync_core::ids::CalendarId(id(100 + n as u64)), listed(name)))
        .collect();
    w.store.update_calendar_list(w.account, &many).await.unwrap();
    let table_len = table.len();
    for (n, ((heard, ends, failure_count), (calendar, _))) in table.into_iter().zip(&many).enumerate() {
        w.store.change_calendar(*calendar, CalendarChange::SyncEnabled(Switch::On), t(1)).await.unwrap();
        let s = Subscription {
            last_notification_at: heard.map(t),
            expires_at: t(ends),
            failure_count,
            ..subscription(200 + n as u64, *calendar)
        };
        w.store.begin_subscription(&s, None).await.unwrap();
    }
    let metrics = async |now| w.store.subscription_metrics(t(now)).await.unwrap();
    // Two more could be watched and are not.
    let [b, c] = [many[table_len].0, many[table_len + 1].0];
    for free in [b, c] {
        w.store.change_calendar(free, CalendarChange::SyncEnabled(Switch::On), t(1)).await.unwrap();
    }
    let expected =
        SubscriptionMetrics { active: 7, healthy: 4, expiring: 2, late: 0, failing: 1, unwatched: 0 };
    assert_eq!(metrics(12 * HOUR).await, expected);
    w.store.postpone_opening(b, t(1_000 * HOUR)).await.unwrap();
    assert_eq!(metrics(12 * HOUR).await.unwatched, 1, "to be left alone is not to be well");
    w.store.postpone_opening(c, t(1)).await.unwrap();
    assert_eq!(metrics(12 * HOUR).await.unwatched, 2);
    w.store.change_calendar(b, CalendarChange::PushUnsupported, t(2)).await.unwrap();
    assert_eq!(metrics(12 * HOUR).await.unwatched, 1);
    // The channels of a calendar that is missing, and of an account that nobody can read, say nothing: they are left out.
    let shown: Vec<_> = many.iter().filter(|(_, one)| one.remote_id != "many-3").cloned().collect();
    w.store.update_calendar_list(w.account, &shown).await.unwrap();
    let expected =
        SubscriptionMetrics { active: 6, healthy: 4, expiring: 1, late: 0, failing: 1, unwatched: 1 };
    assert_eq!(metrics(12 * HOUR).await, expected, "the one that had ended is missing");
    w.store.set_account_status(w.account, AccountStatus::NeedsReconnect, None).await.unwrap();
    for now in [12, 25, 200] {
        assert_eq!(metrics(now * HOUR).await, SubscriptionMetrics::default());
    }
    w.store.set_account_status(w.account, AccountStatus::Active, None).await.unwrap();
    w.store.update_calendar_list(w.account, &many).await.unwrap();
    // Eleven hours before its end a channel that lived for a day and a half should have been renewed.
    assert_eq!((metrics(25 * HOUR - 1).await.late, metrics(25 * HOUR).await.late), (0, 1));
}

/// Pending, at work, or waiting for another try.
pub async fn the_backlog_is_what_nobody_finished(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    let lease = w.lease(20).await;
    w.store.record_notification(delivery(30, &s, 10)).await.unwrap();
    assert_eq!(w.store.backlog(t(10)).await.unwrap(), 0);
    assert_eq!(w.store.backlog(t(11)).await.unwrap(), 1);
    let run = run(50, w.a, RunKind::Webhook, 20);
    w.store.begin_run(&lease, &run).await.unwrap();
    assert_eq!(w.store.backlog(t(11)).await.unwrap(), 1);
    let items = vec![(NotificationId(id(30)), AfterFailure::RetryAt(t(80)))];
    let again = NotificationsEnd::Failed { items, blame: Blame::Calendar };
    w.store.end_run(&lease, &end(&run, 21, failed(), again)).await.unwrap();
    assert_eq!(w.store.backlog(t(11)).await.unwrap(), 1);
    let run = super::world::run(51, w.a, RunKind::Webhook, 80);
    w.store.begin_run(&lease, &run).await.unwrap();
    let done = NotificationsEnd::Completed(Served::default());
    w.store.end_run(&lease, &end(&run, 81, RunStatus::Succeeded, done)).await.unwrap();
    assert_eq!(w.store.backlog(t(11)).await.unwrap(), 0);
}

/// Instances add to the same minute.
pub async fn call_stats_add_up(store: Arc<dyn Store>) {
    let stat = |provider, minute: i64, calls, errors: &[(&str, u64)], max| CallStats {
        provider,
        minute: t(minute * 60),
        calls,
        errors: errors.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect::<BTreeMap<_, _>>(),
        latency_sum_us: calls * 100,
        latency_max_us: max,
        quota_used: calls * 2,
    };
    let (google, apple) = (ProviderKind::Google, ProviderKind::Apple);
    let one = [
        stat(apple, 1, 1, &[], 50),
        stat(google, 1, 10, &[("transient", 2)], 900),
        stat(google, 0, 7, &[], 1),
    ];
    store.add_call_stats(&one).await.unwrap();
    store.add_call_stats(&[stat(google, 1, 5, &[("transient", 1), ("gone", 4)], 700)]).await.unwrap();
    store.add_call_stats(&[]).await.unwrap();
    let sum = stat(google, 1, 15, &[("transient", 3), ("gone", 4)], 900);
    assert_eq!(store.call_stats(t(60)).await.unwrap(), [sum, stat(apple, 1, 1, &[], 50)]);
    assert_eq!(store.call_stats(t(0)).await.unwrap().len(), 3);
}

/// It answers while it is open, and audit lines are taken.
pub async fn a_ping_is_answered(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
    store.audit("person1@example.com", "approved the hold on Work", t(1)).await.unwrap();
}
