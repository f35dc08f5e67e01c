//! Users with calendars and channels, and what instances do with them: deliver, claim, run, release. Knows what was
//! acknowledged, and can say whether the database kept every word of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::notification::{Served, Wants};
use calsync_core::ports::{CalendarChange, NewNotification, NextDue, NotificationsEnd, Recorded, Store};
use calsync_core::ports::{StoreError, Switch};
use calsync_core::run::{RunKind, RunStatus};
use calsync_core::subscription::Subscription;
use calsync_store::contract::world::{account, delivery, end, id, listed, run, subscription, t, user};
use calsync_store::{Migrate, SqlStore};
use serde_json::json;

/// As another instance of the service would.
pub(crate) async fn open(url: &str) -> Arc<dyn Store> {
    Arc::new(SqlStore::open(url, Migrate::Run).await.unwrap())
}

/// Blocks this thread, and no task on another.
pub(crate) fn meanwhile<T>(what: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(what)
}

/// Everybody who is there.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) subscriptions: Arc<Vec<Subscription>>,
    /// How often each calendar was raised while it was made.
    raised: Arc<BTreeMap<String, i64>>,
}

impl Fleet {
    /// Makes users with so many watched calendars each. Everything is due.
    pub(crate) async fn new(store: &dyn Store, users: u64, each: u64) -> Fleet {
        let mut subscriptions = Vec::new();
        for u in 0..users {
            store.add_user(&user(1_000 + u)).await.unwrap();
            store.connect_account(&account(2_000 + u, 1_000 + u), t(1)).await.unwrap();
            // Mixed up, so that the order of making is not the order of ids.
            let ids = (0..each).map(|c| 10_000 + (each - c) * users + (u * 7 + 3) % users);
            let listed: Vec<_> = ids.map(|n| (CalendarId(id(n)), listed(&n.to_string()))).collect();
            store.update_calendar_list(AccountId(id(2_000 + u)), &listed).await.unwrap();
            for (c, (calendar, _)) in (0..).zip(&listed) {
                let on = CalendarChange::SyncEnabled(Switch::On);
                store.change_calendar(*calendar, on, t(2)).await.unwrap();
                let channel = subscription(50_000 + u * each + c, *calendar);
                store.begin_subscription(&channel, None).await.unwrap();
                subscriptions.push(channel);
            }
        }
        let mut raised = BTreeMap::new();
        for channel in &subscriptions {
            let calendar = store.calendar(channel.calendar).await.unwrap().unwrap();
            raised.insert(calendar.id.0.to_string(), calendar.dirty_generation);
        }
        Fleet { subscriptions: Arc::new(subscriptions), raised: Arc::new(raised) }
    }

    /// The delivery with this number, always of the same channel. Every seventh is a confirmation.
    pub(crate) fn delivery(&self, n: u64) -> NewNotification {
        let len = self.subscriptions.len() as u64;
        let at = usize::try_from((n.wrapping_mul(2_654_435_761) >> 7) % len).unwrap();
        let new = delivery(1_000_000 + n, &self.subscriptions[at], 30 + i64::try_from(n % 1_000).unwrap());
        if n.is_multiple_of(7) {
            return NewNotification { wants: Wants::Confirmation, headers: json!("confirmation"), ..new };
        }
        new
    }

    /// Claims whoever is due, runs their calendars and gives them back, until nobody is. How many were served.
    pub(crate) async fn work(&self, store: &dyn Store, worker: u64, now: i64) -> Result<u64, StoreError> {
        let (mut served, owner) = (0, format!("worker-{worker}"));
        while let Some(claimed) = store.claim_due_user(&owner, t(now), t(now + 60)).await? {
            let state = store.user_state(claimed.user).await?.expect("it was claimed");
            let mut next = Vec::new();
            for calendar in &state.calendars {
                let run = run(random(), calendar.id, RunKind::Webhook, now);
                let begun = store.begin_run(&claimed.lease, &run).await?;
                let mut pull = calsync_store::contract::world::pull(calendar.id, now);
                // The mesh, in an order that is not that of the ids.
                pull.targets =
                    state.calendars.iter().rev().map(|c| c.id).filter(|c| *c != calendar.id).collect();
                store.apply_pull(&claimed.lease, &pull).await?;
                let done = NotificationsEnd::Completed(Served::default());
                store.end_run(&claimed.lease, &end(&run, now, RunStatus::Succeeded, done)).await?;
                served += begun.notifications.len() as u64;
                let seen_generation = begun.seen_generation;
                next.push(NextDue { calendar: calendar.id, seen_generation, due_at: None });
            }
            next.reverse();
            store.release(&claimed.lease, &next).await?;
        }
        Ok(served)
    }
}

/// A number that no other run has.
fn random() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// What senders were told.
#[derive(Default, Debug)]
pub(crate) struct Told {
    /// Acknowledged, each with how often it was called new.
    pub(crate) acknowledged: BTreeMap<u64, u32>,
    /// Told to come back.
    pub(crate) refused: u64,
    /// The longest that anybody waited for an answer.
    pub(crate) longest: Duration,
}

impl Told {
    /// Delivers it and keeps the answer.
    pub(crate) async fn deliver(&mut self, store: &dyn Store, fleet: &Fleet, n: u64) -> bool {
        let asked = Instant::now();
        let answer = store.record_notification(fleet.delivery(n)).await;
        self.longest = self.longest.max(asked.elapsed());
        match answer {
            Ok(recorded) => {
                *self.acknowledged.entry(n).or_default() += u32::from(recorded == Recorded::New);
                true
            }
            Err(StoreError::Unavailable(_)) => {
                self.refused += 1;
                false
            }
            Err(other) => panic!("notification {n}: {other}"),
        }
    }

    pub(crate) fn add(&mut self, other: Told) {
        for (n, new) in other.acknowledged {
            *self.acknowledged.entry(n).or_default() += new;
        }
        self.refused += other.refused;
        self.longest = self.longest.max(other.longest);
    }

    /// Everything that was acknowledged is there, once. `psql` asks the database.
    pub(crate) fn check_stored(&self, psql: impl Fn(&str) -> String) {
        let stored = psql("SELECT notification_id FROM webhook_notifications");
        let stored: BTreeSet<u64> = stored.lines().map(|n| n.parse::<u64>().unwrap() - 1_000_000).collect();
        let lost: Vec<_> = self.acknowledged.keys().filter(|n| !stored.contains(n)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let doubled: Vec<_> = self.acknowledged.iter().filter(|(_, new)| **new > 1).collect();
        assert!(doubled.is_empty(), "called new more than once: {doubled:?}");
    }

    /// The same, and it has raised its calendar, which nobody else did.
    pub(crate) fn check(&self, fleet: &Fleet, psql: impl Fn(&str) -> String) {
        self.check_stored(&psql);
        let raised = psql(
            "SELECT c.id, c.dirty_generation - count(n.id) FROM calendars c \
             LEFT JOIN webhook_subscriptions s ON s.calendar_id = c.id \
             LEFT JOIN webhook_notifications n ON n.subscription_id = s.id \
             AND n.headers NOT LIKE '%confirmation%' GROUP BY c.id",
        );
        let raised = raised.lines().filter_map(|line| line.split_once('|'));
        let raised: BTreeMap<String, i64> =
            raised.map(|(id, times)| (id.to_owned(), times.parse().unwrap())).collect();
        assert_eq!(raised, *fleet.raised, "raised once by each that was stored, and by nothing else");
    }
}
