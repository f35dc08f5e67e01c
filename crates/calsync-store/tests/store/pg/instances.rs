//! Two instances on one database: nothing is done twice, nothing is lost, and nobody waits for anybody crosswise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use calsync_core::ports::{CalendarChange, Store, StoreError, Switch, Wish};
use calsync_core::subscription::SubscriptionStatus;
use calsync_store::contract::world::{change_to, rule, t};
use calsync_testbed::postgres::Database;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;

use super::fleet::{Fleet, Told, meanwhile, open};

/// Deliveries in all.
const SENT: u64 = 4_000;
/// Who waits for an answer at once, on each instance.
const SENDERS: u64 = 48;
const WORKERS: u64 = 4;

/// Sends numbers until there are none left. Each is sent through both instances, at about the same time.
async fn deliver(store: Arc<dyn Store>, fleet: Fleet, next: Arc<AtomicU64>) -> Told {
    let mut told = Told::default();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= SENT {
            return told;
        }
        assert!(told.deliver(store.as_ref(), &fleet, n).await, "refused");
    }
}

/// What people do meanwhile, to calendars of the same users.
async fn meddle(store: Arc<dyn Store>, fleet: Fleet, over: Arc<AtomicBool>) -> Result<(), StoreError> {
    let mut n = 0_usize;
    let len = fleet.subscriptions.len();
    while !over.load(Ordering::Relaxed) {
        n += 1;
        let calendar = fleet.subscriptions[n * 31 % len].calendar;
        let state = store.calendar(calendar).await?.expect("it is there");
        let others = store.user_state(state.user).await?.expect("there is a user").calendars;
        match n % 4 {
            0 => {
                let switch = CalendarChange::WebhookEnabled(Switch::On);
                store.change_calendar(calendar, switch, t(1_000)).await?;
            }
            1 => {
                let mut all: Vec<_> = others.iter().map(|c| c.id).collect();
                all.rotate_left(n % others.len());
                store.raise(&all, Wish::Changes, t(1_000)).await?;
            }
            2 => {
                let source = others.iter().find(|c| c.id != calendar).expect("each has several").id;
                let rule = rule(n as u64, state.user, source, calendar);
                // Somebody else may have been quicker.
                for rules in [&[rule][..], &[]] {
                    let step = change_to(store.as_ref(), state.user, rules).await;
                    store.change_rules(&step, t(1_000)).await?;
                }
            }
            _ => {
                let channel = fleet.subscriptions[n * 31 % len].id;
                store.set_subscription_status(channel, SubscriptionStatus::Suspended, None).await?;
                store.set_subscription_status(channel, SubscriptionStatus::Active, None).await?;
                store.expire_subscriptions(t(1_000)).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instances_share_the_work_and_never_wait_crosswise() {
    let database = Database::shared();
    let stores = [open(database.url()).await, open(database.url()).await];
    let fleet = Fleet::new(stores[0].as_ref(), 8, 6).await;
    let over = Arc::new(AtomicBool::new(false));
    let (mut senders, mut workers, mut people) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    for store in &stores {
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..SENDERS {
            senders.spawn(deliver(store.clone(), fleet.clone(), next.clone()));
        }
        people.spawn(meddle(store.clone(), fleet.clone(), over.clone()));
    }
    for worker in 0..WORKERS {
        let (store, fleet, over) = (stores[(worker % 2) as usize].clone(), fleet.clone(), over.clone());
        workers.spawn(async move {
            let mut served = 0;
            while !over.load(Ordering::Relaxed) {
                served += fleet.work(store.as_ref(), worker, 2_000).await.unwrap();
            }
            served
        });
    }
    let mut told = Told::default();
    for one in senders.join_all().await {
        told.add(one);
    }
    over.store(true, Ordering::Relaxed);
    people.join_all().await.into_iter().for_each(|done| done.unwrap());
    let mut served: u64 = workers.join_all().await.into_iter().sum();
    served += fleet.work(stores[0].as_ref(), 99, 3_000).await.unwrap();
    for store in &stores {
        store.close().await;
    }
    let psql = |sql: &str| database.psql(sql).unwrap();
    assert!(told.acknowledged.values().all(|new| *new == 1), "new for one of the two instances");
    assert_eq!(told.acknowledged.len() as u64, SENT);
    told.check_stored(psql);
    assert_eq!(
        psql("SELECT count(*) FROM webhook_notifications WHERE processing_status <> 'completed'"),
        "0"
    );
    // Some came while a run was under way that had read what they told of.
    assert!(
        served <= (0..SENT).filter(|n| n % 7 != 0).count() as u64,
        "{served}: some were given to two runs"
    );
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(psql(deadlocks), "0");
}

/// Until so many wait for a lock.
async fn until_waiting(database: &Database, many: usize) {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    for _ in 0..500 {
        if meanwhile(|| database.psql(sql)).unwrap().lines().count() >= many {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{many} were to wait");
}

/// A row that was changed leaves its old version behind, on which those who saw it wait in turn: as long as somebody who
/// only wants it to stay there (a check of a foreign key) has not ended, also those who have the new version already.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_holds_a_row_waits_for_an_old_version_of_it() {
    let database = Database::shared();
    let store = open(database.url()).await;
    let fleet = Fleet::new(store.as_ref(), 1, 2).await;
    let mut session = [open_session(&database).await, open_session(&database).await];
    let calendar = fleet.subscriptions[0].calendar;
    let other = fleet.subscriptions[1].calendar;
    let mut numbers = (1..).filter(|n| n % 7 != 0 && fleet.delivery(*n).calendar == calendar);
    for who_is_first in ["a receipt", "somebody who raises"] {
        // Of its own: the server counts what befell a session for sure when that has ended.
        let (store, number) = (open(database.url()).await, numbers.next().unwrap());
        let [stays, changes] = &mut session;
        let row = format!("calendars WHERE id = '{}'", calendar.0);
        stays.execute(AssertSqlSafe(format!("BEGIN; SELECT id FROM {row} FOR KEY SHARE"))).await.unwrap();
        let change = row.replace("WHERE", "SET name = 'New' WHERE");
        changes.execute(AssertSqlSafe(format!("BEGIN; UPDATE {change}"))).await.unwrap();
        let receive = {
            let (store, fleet) = (store.clone(), fleet.clone());
            async move { store.record_notification(fleet.delivery(number)).await.map(drop) }
        };
        let raise = {
            let store = store.clone();
            async move { store.raise(&[calendar, other], Wish::Changes, t(1_000)).await }
        };
        let mut both = JoinSet::new();
        if who_is_first == "a receipt" {
            both.spawn(receive);
            until_waiting(&database, 1).await;
            both.spawn(raise);
        } else {
            both.spawn(raise);
            until_waiting(&database, 1).await;
            both.spawn(receive);
        }
        until_waiting(&database, 2).await;
        changes.execute("COMMIT").await.unwrap();
        for done in both.join_all().await {
            done.unwrap();
        }
        stays.execute("COMMIT").await.unwrap();
        store.close().await;
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(database.psql(deadlocks).unwrap(), "0", "{who_is_first} came first");
    }
    store.close().await;
}

async fn open_session(database: &Database) -> PgConnection {
    PgConnection::connect(database.url()).await.unwrap()
}
