//! The SQL store: the same tables and statements for SQLite and PostgreSQL, behind the seam in `db`.
//!
//! One method of the port is one transaction here. Receipts share theirs: see `receipts`. Never waits for anything but
//! the database while it holds a write transaction.

use async_trait::async_trait;
use calsync_core::alert::{Alert, Claimed, Delivery, Group, Told};
use calsync_core::calendar::{Account, AccountStatus, Calendar, Leaving, ListedCalendar, ProviderKind, User};
use calsync_core::freshness::{Delays, Freshness, RuleDelay};
use calsync_core::ids::{
    AccessTokenId, AccountId, CalendarId, CorrelationId, NotificationId, RunId, SubscriptionId, UserId,
};
use calsync_core::journal::{Activity, After, Filter, JournalRow, Overwritten};
use calsync_core::ledger::{LedgerRow, Settlement, Write};
use calsync_core::mirror::Mirror;
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{
    Admission, Admit, AuditLine, Bookmark, CalendarChange, ChannelOpened, ClaimedUser, ConnectAccount,
    Connections, Enqueue, HealthHour, Lease, NewNotification, NextDue, NotificationMetrics,
    NotificationQuery, NotificationSeen, NotificationSpan, Overdue, Page, Prunable, PullApply, Recent,
    Recorded, RuleRow, RulesOf, RunBegun, RunEnd, SealedCredentials, StepEnd, Store, StoreError,
    SubscriptionCensus, SubscriptionCount, SubscriptionMetrics, SubscriptionQuery, SubscriptionRow,
    UserState, Wish,
};
use calsync_core::rule::RuleStep;
use calsync_core::run::{CallStats, Run};
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::{AccessToken, Consent, Session, TokenHash};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

use db::Db;
use leases::Owed;
use lite::{Lite, Missing};
use lookups::Lookups;
use pg::{Bell, Pg};
use receipts::Receipts;

mod alerts;
mod calendars;
mod columns;
pub mod copy;
mod db;
mod figures;
mod freshness;
mod journal;
mod leases;
mod leaving;
pub mod limits;
mod listings;
mod lite;
mod lookups;
mod migrate;
mod notifications;
mod people;
mod pg;
mod pool;
mod prune;
mod receipts;
mod replay;
mod rollout;
mod rules;
mod runs;
pub mod scale;
mod settle;
mod sign_in;
mod subscriptions;
#[cfg(all(test, feature = "contract"))]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;
mod value;
mod walk;

pub use migrate::Migrate;

/// Connections to a server that are kept open at most, unless more or fewer are asked for.
pub const DEFAULT_CONNECTIONS: u32 = 10;

/// Tries at a call that other transactions stood in the way of.
const TRIES: u32 = 6;
/// Rest before the second try; twice as long before each further one.
const REST: Duration = Duration::from_millis(2);
/// How often a file is asked whether another process has changed it.
const OTHERS: Duration = Duration::from_secs(1);

/// A store in an SQL database.
pub struct SqlStore {
    db: Arc<Db>,
    receipts: Receipts,
    lookups: Lookups,
    bell: Option<Arc<Bell>>,
    owed: Owed,
}

impl SqlStore {
    /// Opens the database at `url`: `sqlite:` and the path of a file, or `postgres:` and a server, to which at most
    /// `DEFAULT_CONNECTIONS` are kept open.
    pub async fn open(url: &str, migrate: Migrate) -> Result<SqlStore, StoreError> {
        SqlStore::open_with(url, migrate, DEFAULT_CONNECTIONS).await
    }

    /// The same with a limit on connections to a server. SQLite needs none.
    pub async fn open_with(url: &str, migrate: Migrate, connections: u32) -> Result<SqlStore, StoreError> {
        let missing = if migrate == Migrate::Run { Missing::Create } else { Missing::Refuse };
        let db = connect(url, missing, connections).await?;
        match migrate {
            Migrate::Run => migrate::run(&db).await?,
            Migrate::Check => migrate::check(&db).await?,
        }
        copy::refuse_unfinished(&db).await?;
        let db = Arc::new(db);
        let bell = db.bell().map(Arc::new);
        let receipts = Receipts::start(db.clone(), bell.clone());
        Ok(SqlStore { receipts, lookups: Lookups::start(db.clone()), bell, owed: Owed::default(), db })
    }

    /// Whether a database that is there can be brought up to date: every step that is missing is done, and taken back. The
    /// version that it has; 0: it is empty.
    pub async fn rehearse(url: &str) -> Result<i64, StoreError> {
        let db = connect(url, Missing::Refuse, 2).await?;
        let found = async {
            let version = migrate::rehearse(&db).await?;
            if version > 0 {
                copy::refuse_unfinished(&db).await?;
            }
            Ok(version)
        };
        let found = found.await;
        db.close().await;
        found
    }

    /// The schema version that this program makes and understands.
    pub const fn schema_version() -> i64 {
        migrate::known()
    }

    /// See the port. A file is asked once a second; a server tells.
    async fn work_elsewhere(&self) -> Result<(), StoreError> {
        match (&*self.db, &self.bell) {
            (Db::Pg(_), Some(bell)) => bell.rung().await,
            (Db::Lite(lite), _) => {
                let before = lite.changes_of_others().await?;
                loop {
                    tokio::time::sleep(OTHERS).await;
                    if lite.changes_of_others().await? != before {
                        return Ok(());
                    }
                }
            }
            (Db::Pg(_), None) => std::future::pending().await,
        }
    }

    /// Something was made due.
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
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

/// The database at a URL, whatever it holds.
async fn connect(url: &str, missing: Missing, connections: u32) -> Result<Db, StoreError> {
    Ok(match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Db::Pg(Pg::open(url, connections).await?),
        // It may hold a password, so it is not repeated, as the path of a file would be.
        Some((scheme, rest)) if scheme != "sqlite" && rest.starts_with("//") => {
            let words = "database.url begins neither with sqlite: nor with postgres:";
            return Err(StoreError::Unavailable(words.to_owned()));
        }
        _ => Db::Lite(Lite::open(url, missing).await?),
    })
}

macro_rules! store_methods {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for SqlStore {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$out, StoreError> {
                let mut rest = REST;
                for _ in 1..TRIES {
                    match SqlStore::$name(self, $($arg),*).await {
                        Err(StoreError::Contended(_)) => tokio::time::sleep(rest).await,
                        done => return done,
                    }
                    rest *= 2;
                }
                SqlStore::$name(self, $($arg),*).await
            })*

            // Tries again by itself, batch by batch.
            async fn record_notification(&self, new: NewNotification) -> Result<Recorded, StoreError> {
                self.receipts.record(new).await
            }

            async fn work_elsewhere(&self) -> Result<(), StoreError> {
                SqlStore::work_elsewhere(self).await
            }

            fn connections(&self) -> Vec<Connections> {
                self.db.connections()
            }

            async fn close(&self) {
                self.lookups.close().await;
                self.receipts.close().await;
                // After the last receipts: others should hear of them.
                if let Some(bell) = &self.bell {
                    bell.close().await;
                }
                self.db.close().await;
            }
        }
    };
}

// One line per method of the port; each is a method of `SqlStore` in the file of its subject.
store_methods! {
    add_user(user: &User) -> ();
    add_first_user(user: &User, password: &str) -> bool;
    users() -> Vec<User>;
    remove_user(user: UserId) -> ();
    password(email: &str) -> Option<(User, Option<String>)>;
    set_password(user: UserId, hash: &str, keep: Option<&TokenHash>) -> ();
    put_session(session: &Session) -> ();
    session(key: &TokenHash) -> Option<(Session, User)>;
    see_session(key: &TokenHash, now: Ts) -> ();
    sessions(user: UserId) -> Vec<Session>;
    end_session(key: &TokenHash) -> ();
    end_sessions(user: UserId, keep: Option<&TokenHash>) -> u64;
    put_consent(consent: &Consent) -> ();
    take_consent(key: &TokenHash) -> Option<Consent>;
    spend_sign_in(key: &TokenHash, begun: Ts) -> bool;
    identified(issuer: &str, subject: &str) -> Option<User>;
    identify(identity: &Identity) -> bool;
    identities(user: UserId) -> Vec<Identity>;
    forget_identities(user: UserId) -> u64;
    put_access_token(token: &AccessToken) -> ();
    access_token(key: &TokenHash) -> Option<(AccessToken, User)>;
    see_access_token(id: AccessTokenId, now: Ts) -> ();
    access_tokens(user: UserId) -> Vec<AccessToken>;
    remove_access_token(user: UserId, id: AccessTokenId) -> bool;
    forget_sign_ins(seen: Ts, created: Ts, begun: Ts) -> u64;
    user_state(user: UserId) -> Option<UserState>;
    connect_account(connect: &ConnectAccount, now: Ts) -> AccountId;
    credentials(account: AccountId) -> Option<SealedCredentials>;
    replace_credentials(account: AccountId, expected: i64, new: &SealedCredentials) -> bool;
    all_credentials() -> Vec<(AccountId, SealedCredentials)>;
    accounts() -> Vec<Account>;
    accounts_to_ask(before: Ts, after: Ts, limit: u32) -> Vec<(AccountId, UserId)>;
    note_asked(account: AccountId, at: Ts) -> ();
    set_account_status(account: AccountId, status: AccountStatus, detail: Option<&str>) -> ();
    remove_account(account: AccountId) -> ();
    update_calendar_list(account: AccountId, listed: &[(CalendarId, ListedCalendar)]) -> ();
    calendar(calendar: CalendarId) -> Option<Calendar>;
    change_calendar(calendar: CalendarId, change: CalendarChange, now: Ts) -> ();
    change_rules(step: &RuleStep, now: Ts) -> bool;
    setting(name: &str) -> Option<Value>;
    init_setting(name: &str, value: &Value) -> Value;
    put_setting(name: &str, value: &Value) -> ();
    change_setting(name: &str, expected: Option<&Value>, new: &Value) -> bool;
    find_subscription(calendar: CalendarId, provider: ProviderKind, channel: &str) -> Option<Subscription>;
    raise(calendars: &[CalendarId], wish: Wish, now: Ts) -> ();
    bring_forward(calendars: &[(CalendarId, Ts)]) -> ();
    claim_due_user(owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    claim_user(user: UserId, owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    claim_lease(resource: &str, owner: &str, now: Ts, until: Ts) -> Option<Lease>;
    renew_lease(lease: &Lease, until: Ts) -> Lease;
    release(lease: &Lease, next: &[NextDue]) -> ();
    end_step(lease: &Lease, end: &StepEnd) -> ();
    freshness(user: UserId) -> Vec<Freshness>;
    rules_behind(now: Ts, limit: u32) -> Vec<Freshness>;
    count_behind(now: Ts) -> u64;
    rule_delays(user: UserId, since: Ts) -> Vec<RuleDelay>;
    delays(since: Ts) -> Delays;
    next_due() -> Option<Ts>;
    mirror(calendar: CalendarId) -> Arc<Mirror>;
    ledger(target: CalendarId) -> Arc<Vec<LedgerRow>>;
    begin_run(lease: &Lease, run: &Run) -> RunBegun;
    apply_pull(lease: &Lease, pull: &PullApply) -> ();
    enqueue(lease: &Lease, enqueue: &Enqueue) -> ();
    enqueue_all(lease: &Lease, plans: &[Enqueue]) -> ();
    due_writes(target: CalendarId, now: Ts, limit: u32) -> Vec<Write>;
    waiting_writes(target: CalendarId) -> u64;
    settle(lease: &Lease, settlements: &[Settlement]) -> ();
    end_run(lease: &Lease, end: &RunEnd) -> ();
    complete_unwanted(before: Ts, now: Ts) -> u64;
    finish_leaving(lease: &Lease, calendar: CalendarId, why: Leaving) -> ();
    approve_hold(target: CalendarId, now: Ts) -> bool;
    begin_subscription(new: &Subscription, replaces: Option<SubscriptionId>) -> ();
    confirm_subscription(opened: &ChannelOpened<'_>) -> ();
    abandon_subscription(id: SubscriptionId, replaced: Option<SubscriptionId>, now: Ts) -> ();
    set_subscription_status(id: SubscriptionId, status: SubscriptionStatus, close_at: Option<Ts>) -> ();
    learn_channel(id: SubscriptionId, remote_id: &str, resource: &str, expires_at: Ts, now: Ts) -> bool;
    subscriptions(calendar: CalendarId) -> Vec<Subscription>;
    subscriptions_to_renew(now: Ts, limit: u32) -> Vec<Subscription>;
    postpone_renewal(id: SubscriptionId, until: Ts) -> ();
    subscriptions_to_close(now: Ts, limit: u32) -> Vec<Subscription>;
    put_closing(id: SubscriptionId, close_at: Option<Ts>) -> ();
    subscriptions_silent(since: Ts, limit: u32) -> Vec<Subscription>;
    subscriptions_failing(at_least: u32, limit: u32) -> Vec<Subscription>;
    unwatched_calendars(now: Ts, limit: u32) -> Vec<Calendar>;
    postpone_opening(calendar: CalendarId, until: Ts) -> ();
    next_channel_due() -> Option<Ts>;
    subscriptions_ended(now: Ts, limit: u32) -> Vec<Subscription>;
    subscription_counts() -> Vec<SubscriptionCount>;
    expire_subscriptions(now: Ts) -> u64;
    admissions(after: Option<CalendarId>, limit: u32) -> Vec<Admission>;
    admit(calendars: &[Admit], now: Ts) -> ();
    notifications(status: ProcessingStatus, limit: u32) -> Vec<Notification>;
    retries_due(now: Ts, limit: u32) -> Vec<Notification>;
    backlog(before: Ts) -> u64;
    notification_metrics(since: Ts) -> NotificationMetrics;
    subscription_metrics(now: Ts) -> SubscriptionMetrics;
    runs(calendar: Option<CalendarId>, limit: u32) -> Vec<Run>;
    run(run: RunId) -> Option<Run>;
    journal(run: RunId, limit: u32) -> Vec<JournalRow>;
    last_write(target: CalendarId, correlation: CorrelationId) -> Option<JournalRow>;
    overwritten(run: RunId, limit: u32) -> Vec<Overwritten>;
    activity(filter: &Filter, after: Option<After>, limit: u32) -> Vec<Activity>;
    add_call_stats(stats: &[CallStats]) -> ();
    call_stats(since: Ts) -> Vec<CallStats>;
    open_alert(alert: &Alert) -> bool;
    resolve_alert(kind: &str, subject: &str, now: Ts) -> bool;
    open_alerts() -> Vec<Alert>;
    alerts(limit: u32) -> Vec<Alert>;
    alert_groups() -> Vec<Group>;
    tellings() -> Vec<Told>;
    tell(told: &Told, deliveries: &[Delivery]) -> bool;
    claim_deliveries(now: Ts, until: Ts, limit: u32) -> Claimed;
    put_delivery(delivery: &Delivery) -> ();
    deliveries(limit: u32) -> Vec<Delivery>;
    census() -> Vec<SubscriptionCensus>;
    notification_spans(since: Ts, width: SignedDuration) -> Vec<NotificationSpan>;
    recent(since: Ts, limit: u32) -> Vec<Recent>;
    put_health_hour(hour: &HealthHour) -> ();
    health_spans(since: Ts, width: SignedDuration) -> Vec<HealthHour>;
    subscription_page(query: &SubscriptionQuery) -> Page<SubscriptionRow>;
    notification_page(query: &NotificationQuery) -> Page<Recent>;
    notification(id: NotificationId) -> Option<NotificationSeen>;
    replay_notification(id: NotificationId, now: Ts) -> Option<CalendarId>;
    rule_page(of: RulesOf, since: Ts, after: Option<Bookmark>, limit: u32) -> Page<RuleRow>;
    audit_page(who: Option<&str>, after: Option<Bookmark>, limit: u32) -> Page<AuditLine>;
    overdue(before: Ts, now: Ts, limit: u32) -> Vec<Overdue>;
    prune(what: Prunable, before: Ts, limit: u32) -> u64;
    prunable(what: Prunable, before: Ts) -> u64;
    audit(who: &str, what: &str, at: Ts) -> ();
    audited(about: &str, limit: u32) -> Vec<AuditLine>;
    ping() -> ();
}
