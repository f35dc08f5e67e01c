//! The SQL store: the same tables and statements for every dialect, behind the seam in `db`. SQLite today.
//!
//! One method of the port is one transaction here. Receipts share theirs: see `receipts`. Never waits for anything but
//! the database while it holds a write transaction.

use async_trait::async_trait;
use calsync_core::calendar::{AccountStatus, Calendar, ListedCalendar, ProviderKind, User};
use calsync_core::ids::{AccountId, CalendarId, RuleId, SubscriptionId, UserId};
use calsync_core::ledger::{LedgerRow, Settlement, Write};
use calsync_core::mirror::Mirror;
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{
    CalendarChange, ClaimedUser, ConnectAccount, Enqueue, Lease, NewNotification, NextDue,
    NotificationMetrics, PullApply, Recorded, RunBegun, RunEnd, SealedCredentials, Store, StoreError,
    SubscriptionMetrics, UserState, Wish,
};
use calsync_core::rule::Rule;
use calsync_core::run::{Alert, CallStats, Run};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use serde_json::Value;
use std::sync::Arc;

use db::Db;
use lite::{Lite, Missing};
use lookups::Lookups;
use receipts::Receipts;

mod calendars;
mod columns;
mod db;
mod figures;
mod leases;
mod limits;
mod lite;
mod lookups;
mod migrate;
mod notifications;
mod people;
mod receipts;
mod rules;
mod runs;
mod settle;
mod subscriptions;
#[cfg(all(test, feature = "contract"))]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;
mod value;
mod walk;

pub use migrate::Migrate;

/// A store in an SQL database.
pub struct SqlStore {
    db: Arc<Db>,
    receipts: Receipts,
    lookups: Lookups,
}

impl SqlStore {
    /// Opens the database at `url`: `sqlite:` and the path of a file.
    pub async fn open(url: &str, migrate: Migrate) -> Result<SqlStore, StoreError> {
        let missing = if migrate == Migrate::Run { Missing::Create } else { Missing::Refuse };
        let db = Db::Lite(Lite::open(url, missing).await?);
        match migrate {
            Migrate::Run => migrate::run(&db).await?,
            Migrate::Check => migrate::check(&db).await?,
        }
        let db = Arc::new(db);
        Ok(SqlStore { receipts: Receipts::start(db.clone()), lookups: Lookups::start(db.clone()), db })
    }

    /// The schema version that this program makes and understands.
    pub const fn schema_version() -> i64 {
        migrate::known()
    }

    async fn record_notification(&self, new: NewNotification) -> Result<Recorded, StoreError> {
        self.receipts.record(new).await
    }

    async fn find_subscription(
        &self,
        calendar: CalendarId,
        provider: ProviderKind,
        channel: &str,
    ) -> Result<Option<Subscription>, StoreError> {
        self.lookups.find(calendar, provider, channel).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.figure("SELECT count(*) FROM schema_version", Vec::new()).await.map(drop)
    }
}

macro_rules! store_methods {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for SqlStore {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$out, StoreError> {
                SqlStore::$name(self, $($arg),*).await
            })*

            async fn close(&self) {
                self.lookups.close().await;
                self.receipts.close().await;
                self.db.close().await;
            }
        }
    };
}

// One line per method of the port; each is a method of `SqlStore` in the file of its subject.
store_methods! {
    add_user(user: &User) -> ();
    users() -> Vec<User>;
    remove_user(user: UserId) -> ();
    user_state(user: UserId) -> Option<UserState>;
    connect_account(connect: &ConnectAccount, now: Ts) -> AccountId;
    credentials(account: AccountId) -> Option<SealedCredentials>;
    replace_credentials(account: AccountId, expected: i64, new: &SealedCredentials) -> bool;
    all_credentials() -> Vec<(AccountId, SealedCredentials)>;
    set_account_status(account: AccountId, status: AccountStatus, detail: Option<&str>) -> ();
    remove_account(account: AccountId) -> ();
    update_calendar_list(account: AccountId, listed: &[(CalendarId, ListedCalendar)]) -> ();
    calendar(calendar: CalendarId) -> Option<Calendar>;
    change_calendar(calendar: CalendarId, change: CalendarChange, now: Ts) -> ();
    put_rule(rule: &Rule, now: Ts) -> ();
    remove_rule(rule: RuleId, now: Ts) -> ();
    setting(name: &str) -> Option<Value>;
    init_setting(name: &str, value: &Value) -> Value;
    put_setting(name: &str, value: &Value) -> ();
    find_subscription(calendar: CalendarId, provider: ProviderKind, channel: &str) -> Option<Subscription>;
    record_notification(new: NewNotification) -> Recorded;
    raise(calendars: &[CalendarId], wish: Wish, now: Ts) -> ();
    claim_due_user(owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    claim_user(user: UserId, owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    claim_lease(resource: &str, owner: &str, now: Ts, until: Ts) -> Option<Lease>;
    renew_lease(lease: &Lease, until: Ts) -> Lease;
    release(lease: &Lease, next: &[NextDue]) -> ();
    next_due() -> Option<Ts>;
    mirror(calendar: CalendarId) -> Mirror;
    ledger(target: CalendarId) -> Vec<LedgerRow>;
    begin_run(lease: &Lease, run: &Run) -> RunBegun;
    apply_pull(lease: &Lease, pull: &PullApply) -> ();
    enqueue(lease: &Lease, enqueue: &Enqueue) -> ();
    due_writes(target: CalendarId, now: Ts, limit: u32) -> Vec<Write>;
    waiting_writes(target: CalendarId) -> u64;
    settle(lease: &Lease, settlements: &[Settlement]) -> ();
    end_run(lease: &Lease, end: &RunEnd) -> ();
    approve_hold(target: CalendarId, now: Ts) -> bool;
    begin_subscription(new: &Subscription, replaces: Option<SubscriptionId>) -> ();
    confirm_subscription(id: SubscriptionId, remote_id: &str, resource: &str, expires_at: Ts, now: Ts) -> ();
    abandon_subscription(id: SubscriptionId, replaced: Option<SubscriptionId>, now: Ts) -> ();
    set_subscription_status(id: SubscriptionId, status: SubscriptionStatus) -> ();
    subscriptions(calendar: CalendarId) -> Vec<Subscription>;
    subscriptions_ending(before: Ts, limit: u32) -> Vec<Subscription>;
    subscriptions_silent(since: Ts, limit: u32) -> Vec<Subscription>;
    subscriptions_failing(at_least: u32, limit: u32) -> Vec<Subscription>;
    unwatched_calendars(limit: u32) -> Vec<Calendar>;
    expire_subscriptions(now: Ts) -> u64;
    notifications(status: ProcessingStatus, limit: u32) -> Vec<Notification>;
    backlog(before: Ts) -> u64;
    notification_metrics(since: Ts) -> NotificationMetrics;
    subscription_metrics(now: Ts) -> SubscriptionMetrics;
    runs(calendar: Option<CalendarId>, limit: u32) -> Vec<Run>;
    add_call_stats(stats: &[CallStats]) -> ();
    call_stats(since: Ts) -> Vec<CallStats>;
    open_alert(alert: &Alert) -> bool;
    resolve_alert(kind: &str, subject: &str, now: Ts) -> bool;
    open_alerts() -> Vec<Alert>;
    audit(who: &str, what: &str, at: Ts) -> ();
    ping() -> ();
}
