//! What people leaf through: what is asked for and nothing else, in its order, each row once; and what is made pending again.

use std::sync::Arc;

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::NotificationId;
use calsync_core::notification::{AfterFailure, ProcessingStatus, Served};
use calsync_core::ports::{
    Blame, Bookmark, NotificationQuery, NotificationsEnd, RulesOf, StepEnd, Store, SubscriptionQuery,
    SubscriptionsOf,
};
use calsync_core::run::{RunKind, RunStatus};
use calsync_core::subscription::{Subscription, SubscriptionStatus};

use super::freshness::{delay, fresh};
use super::world::*;

const ALL: SubscriptionQuery = SubscriptionQuery {
    of: SubscriptionsOf::Everything,
    provider: None,
    person: None,
    after: None,
    limit: 100,
};
const RECEIVED: NotificationQuery = NotificationQuery {
    status: None,
    provider: None,
    calendar: None,
    from: None,
    to: None,
    after: None,
    limit: 100,
};

async fn listed(store: &dyn Store, query: SubscriptionQuery) -> Vec<u128> {
    let page = store.subscription_page(&query).await.unwrap();
    assert_eq!(page.next, None);
    page.rows.into_iter().map(|row| row.subscription.id.0.as_u128()).collect()
}

/// Three calendars: two with an active channel, one with a suspended one, and history.
async fn channels(w: &World) {
    w.watch(20, w.a).await;
    w.store.begin_subscription(&subscription(21, w.a), Some(subscription(20, w.a).id)).await.unwrap();
    let failing = Subscription { failure_count: 7, expires_at: t(3 * 86_400), ..subscription(22, w.b) };
    w.store.begin_subscription(&failing, None).await.unwrap();
    let last =
        Subscription { failure_count: 9, status: SubscriptionStatus::Suspended, ..subscription(23, w.c) };
    w.store.begin_subscription(&last, None).await.unwrap();
}

/// The newest first, the worst first, the soonest first, the longest silent first.
pub async fn subscriptions_are_listed_by_what_is_asked(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    assert_eq!(listed(&*w.store, ALL).await, []);
    channels(&w).await;
    let of = async |of| listed(&*w.store, SubscriptionQuery { of, ..ALL }).await;
    assert_eq!(of(SubscriptionsOf::Everything).await, [23, 22, 21, 20]);
    assert_eq!(of(SubscriptionsOf::Status(SubscriptionStatus::Active)).await, [22, 21]);
    assert_eq!(of(SubscriptionsOf::Status(SubscriptionStatus::Suspended)).await, [23]);
    assert_eq!(of(SubscriptionsOf::Status(SubscriptionStatus::Failed)).await, []);
    assert_eq!(of(SubscriptionsOf::Failing).await, [22]);
    assert_eq!(of(SubscriptionsOf::EndingBy(t(3 * 86_400))).await, [22]);
    assert_eq!(of(SubscriptionsOf::EndingBy(t(8 * 86_400))).await, [22, 21]);
    assert_eq!(of(SubscriptionsOf::SilentSince(t(10))).await, []);
    assert_eq!(of(SubscriptionsOf::SilentSince(t(11))).await, [21, 22]);
    let at = async |provider| listed(&*w.store, SubscriptionQuery { provider, ..ALL }).await.len();
    assert_eq!((at(Some(ProviderKind::Google)).await, at(Some(ProviderKind::Microsoft)).await), (4, 0));
    let page = w.store.subscription_page(&SubscriptionQuery { limit: 1, ..ALL }).await.unwrap();
    assert_eq!(
        (page.rows[0].calendar.as_str(), page.rows[0].user.as_str()),
        ("Calendar c", "person1@example.com")
    );
}

/// Each row once, page by page, whichever the order, and rows of one value too.
pub async fn pages_cover_a_listing_once(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for n in 20..27 {
        let row = Subscription { status: SubscriptionStatus::Expired, ..subscription(n, w.a) };
        w.store.begin_subscription(&row, None).await.unwrap();
    }
    for (n, calendar) in [(30, w.a), (31, w.b), (32, w.c)] {
        let row = Subscription { failure_count: 6, ..subscription(n, calendar) };
        w.store.begin_subscription(&row, None).await.unwrap();
    }
    for (of, count) in [
        (SubscriptionsOf::Everything, 10),
        (SubscriptionsOf::Status(SubscriptionStatus::Expired), 7),
        (SubscriptionsOf::Failing, 3),
        (SubscriptionsOf::EndingBy(t(8 * 86_400)), 3),
        (SubscriptionsOf::SilentSince(t(99)), 3),
    ] {
        for limit in [1, 2, 3, 7] {
            let (mut seen, mut after) = (Vec::new(), None::<Bookmark>);
            for _ in 0..12 {
                let query = SubscriptionQuery { of, after, limit, ..ALL };
                let page = w.store.subscription_page(&query).await.unwrap();
                seen.extend(page.rows.into_iter().map(|row| row.subscription.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let whole = listed(&*w.store, SubscriptionQuery { of, ..ALL }).await;
            assert_eq!(seen.iter().map(|id| id.0.as_u128()).collect::<Vec<_>>(), whole, "{of:?} {limit}");
            assert_eq!(whole.len(), count);
        }
    }
}

/// Somebody's own, of any state, with the other filters.
pub async fn a_person_has_their_own(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    channels(&w).await;
    w.store.add_user(&user(5)).await.unwrap();
    let theirs = SubscriptionQuery { person: Some(w.user), ..ALL };
    assert_eq!(listed(&*w.store, theirs).await, [23, 22, 21, 20]);
    let failing = SubscriptionQuery { of: SubscriptionsOf::Failing, ..theirs };
    assert_eq!(listed(&*w.store, failing).await, [22]);
    assert_eq!(listed(&*w.store, SubscriptionQuery { person: Some(user(5).id), ..ALL }).await, []);
}

/// By state, calendar, provider and time; the newest first.
pub async fn notifications_are_listed_by_what_is_asked(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (a, b) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    for (n, to, at) in [(30, &a, 40), (31, &b, 50), (32, &a, 60), (33, &a, 60)] {
        w.store.record_notification(delivery(n, to, at)).await.unwrap();
    }
    let lease = w.lease(55).await;
    let served = run(50, w.b, RunKind::Webhook, 55);
    w.store.begin_run(&lease, &served).await.unwrap();
    w.store.end_run(&lease, &succeeded(&served, 56)).await.unwrap();
    let of = async |query: NotificationQuery| {
        let page = w.store.notification_page(&query).await.unwrap();
        assert_eq!(page.next, None);
        page.rows.into_iter().map(|row| row.id.0.as_u128()).collect::<Vec<_>>()
    };
    let (pending, completed) = (Some(ProcessingStatus::Pending), Some(ProcessingStatus::Completed));
    assert_eq!(of(RECEIVED).await, [33, 32, 31, 30]);
    assert_eq!(of(NotificationQuery { status: pending, ..RECEIVED }).await, [33, 32, 30]);
    assert_eq!(of(NotificationQuery { calendar: Some(w.a), ..RECEIVED }).await, [33, 32, 30]);
    assert_eq!(of(NotificationQuery { calendar: Some(w.b), status: completed, ..RECEIVED }).await, [31]);
    assert_eq!(of(NotificationQuery { calendar: Some(w.c), ..RECEIVED }).await, []);
    assert_eq!(of(NotificationQuery { provider: Some(ProviderKind::Microsoft), ..RECEIVED }).await, []);
    assert_eq!(of(NotificationQuery { from: Some(t(50)), to: Some(t(60)), ..RECEIVED }).await, [31]);
    for query in [RECEIVED, NotificationQuery { calendar: Some(w.a), ..RECEIVED }] {
        let (mut seen, mut after) = (Vec::new(), None);
        for _ in 0..9 {
            let page =
                w.store.notification_page(&NotificationQuery { limit: 1, after, ..query }).await.unwrap();
            seen.extend(page.rows.into_iter().map(|row| row.id.0.as_u128()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, of(query).await);
    }
    let seen = w.store.notification(NotificationId(id(31))).await.unwrap().unwrap();
    assert_eq!(
        (seen.calendar, seen.name.as_str(), seen.user.as_str()),
        (w.b, "Calendar b", "person1@example.com")
    );
    assert_eq!(seen.notification.status, ProcessingStatus::Completed);
    assert_eq!(w.store.notification(NotificationId(id(99))).await.unwrap(), None);
}

/// It is served by the next run, and counted once.
pub async fn a_replayed_notification_is_as_new(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    for (n, at) in [(30, 40), (31, 41)] {
        w.store.record_notification(delivery(n, &s, at)).await.unwrap();
    }
    let lease = w.lease(50).await;
    let counts = Served { calendars_synced: 1, events_processed: 5, busy_blocks_updated: 2 };
    let first = run(50, w.a, RunKind::Webhook, 50);
    w.store.begin_run(&lease, &first).await.unwrap();
    w.store
        .end_run(&lease, &end(&first, 52, RunStatus::Succeeded, NotificationsEnd::Completed(counts)))
        .await
        .unwrap();
    w.release(&lease).await;
    let before = w.store.notification_metrics(t(0)).await.unwrap();
    assert_eq!((before.completed, before.events_processed), (2, 10));

    let replayed = NotificationId(id(30));
    assert_eq!(w.store.replay_notification(replayed, t(900)).await.unwrap(), Some(w.a));
    let seen = w.store.notification(replayed).await.unwrap().unwrap().notification;
    assert_eq!((seen.status, seen.run, seen.served), (ProcessingStatus::Pending, None, Served::default()));
    assert_eq!((seen.processing_completed_at, seen.retry_count), (None, 0));
    let calendar = w.get(w.a).await;
    assert_eq!(calendar.due_at, Some(t(900)), "nobody is late for what came long ago");
    assert!(calendar.dirty_generation > calendar.synced_generation);
    let open = w.store.notification_metrics(t(0)).await.unwrap();
    assert_eq!((open.total, open.completed, open.pending, open.events_processed), (2, 1, 1, 5));
    assert_eq!(open.average_ms, 11_000);

    let lease = w.lease(901).await;
    let second = run(51, w.a, RunKind::Webhook, 901);
    let begun = w.store.begin_run(&lease, &second).await.unwrap();
    assert_eq!(begun.notifications, [(replayed, 0)]);
    let done = NotificationsEnd::Completed(Served { events_processed: 1, ..counts });
    w.store.end_run(&lease, &end(&second, 902, RunStatus::Succeeded, done)).await.unwrap();
    let after = w.store.notification_metrics(t(0)).await.unwrap();
    assert_eq!((after.total, after.completed, after.pending, after.events_processed), (2, 2, 0, 6));
}

/// What waits, is at work, or is gone is left alone; what was given up, or waits for another try, is not.
pub async fn only_what_is_at_rest_is_replayed(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    for n in [30, 31] {
        w.store.record_notification(delivery(n, &s, 40)).await.unwrap();
    }
    let replay = async |n| w.store.replay_notification(NotificationId(id(n)), t(60)).await.unwrap();
    assert_eq!((replay(30).await, replay(99).await), (None, None), "it waits, or is not there");
    let lease = w.lease(50).await;
    let tried = run(50, w.a, RunKind::Webhook, 50);
    w.store.begin_run(&lease, &tried).await.unwrap();
    assert_eq!(replay(30).await, None, "somebody is at work on it");
    let items = vec![
        (NotificationId(id(30)), AfterFailure::Failed),
        (NotificationId(id(31)), AfterFailure::RetryAt(t(500))),
    ];
    let failed_so = NotificationsEnd::Failed { items, blame: Blame::Calendar };
    w.store.end_run(&lease, &end(&tried, 51, failed(), failed_so)).await.unwrap();
    assert_eq!(w.store.notification_metrics(t(0)).await.unwrap().failed, 1);
    assert_eq!((replay(30).await, replay(31).await), (Some(w.a), Some(w.a)));
    let metrics = w.store.notification_metrics(t(0)).await.unwrap();
    assert_eq!((metrics.failed, metrics.pending), (0, 2));
    let again = w.store.begin_run(&lease, &run(51, w.a, RunKind::Webhook, 55)).await.unwrap();
    assert_eq!(again.notifications.len(), 2);
}

/// Those behind for the longest time first; those of which nothing is promised by themselves.
pub async fn rules_are_listed_with_their_delays(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let rules = vec![
        fresh(60, w.a, w.b, Some(500)),
        fresh(61, w.b, w.a, Some(100)),
        fresh(62, w.a, w.c, None),
        fresh(63, w.c, w.a, Some(100)),
    ];
    let delays = vec![delay(61, 0, 9, 7), delay(61, 1, 3, 2), delay(61, 1, 4, 1)];
    let lease = w.lease(20).await;
    w.store.end_step(&lease, &StepEnd { rules, delays, ..StepEnd::default() }).await.unwrap();
    let since = delay(61, 1, 0, 0).hour;
    let mut after = None;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = w.store.rule_page(RulesOf::Promised, since, after, 1).await.unwrap();
        seen.extend(page.rows);
        after = page.next;
    }
    assert_eq!(after, None);
    let told: Vec<_> = seen
        .iter()
        .map(|r| (r.freshness.rule.0.as_u128(), r.source.as_str(), r.target.as_str(), r.delays.count()))
        .collect();
    assert_eq!(
        told,
        [
            (61, "Calendar b", "Calendar a", 3),
            (63, "Calendar c", "Calendar a", 0),
            (60, "Calendar a", "Calendar b", 0)
        ]
    );
    let rest = w.store.rule_page(RulesOf::Unpromised, since, None, 9).await.unwrap();
    assert_eq!((rest.rows.len(), rest.rows[0].freshness.rule.0.as_u128(), rest.next), (1, 62, None));
    assert_eq!(rest.rows[0].user, "person1@example.com");
}

/// The newest first, of everybody or of one.
pub async fn the_audit_log_is_listed(store: Arc<dyn Store>) {
    for n in 0..5 {
        let who = if n % 2 == 0 { "calendar-sync" } else { "ada@example.com" };
        store.audit(who, &format!("line {n}"), t(n)).await.unwrap();
    }
    for (who, expected) in
        [(None, vec![4, 3, 2, 1, 0]), (Some("calendar-sync"), vec![4, 2, 0]), (Some("x"), vec![])]
    {
        let (mut seen, mut after) = (Vec::new(), None);
        for _ in 0..9 {
            let page = store.audit_page(who, after, 2).await.unwrap();
            seen.extend(page.rows.into_iter().map(|line| line.what));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected.iter().map(|n| format!("line {n}")).collect::<Vec<_>>());
    }
}
