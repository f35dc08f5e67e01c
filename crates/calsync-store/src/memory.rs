//! The reference store: plain maps behind one lock. Slow where it may be, obviously right everywhere. It is what the
//! SQL store is compared with, and what simulated worlds run on. Never survives its process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use calsync_core::alert::{Alert, Claimed, Delivery, Group, Told};
use calsync_core::calendar::{Account, AccountStatus, Calendar, Leaving, ListedCalendar, ProviderKind, User};
use calsync_core::freshness::{Delays, Freshness, RuleDelay};
use calsync_core::hold::Hold;
use calsync_core::ids::{
    AccessTokenId, AccountId, CalendarId, CorrelationId, DeliveryId, NotificationId, RuleId, RunId,
    SubscriptionId, UserId,
};
use calsync_core::journal::{Activity, After, Filter, JournalRow, Overwritten};
use calsync_core::ledger::{LedgerRow, Settlement, Write};
use calsync_core::mirror::Mirror;
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{
    Admission, Admit, AuditLine, Bookmark, CalendarChange, ChannelOpened, ClaimedUser, ConnectAccount,
    Enqueue, HealthHour, Lease, NewNotification, NextDue, NotificationMetrics, NotificationQuery,
    NotificationSeen, NotificationSpan, Overdue, Page, Prunable, PullApply, Recent, Recorded, RuleRow,
    RulesOf, RunBegun, RunEnd, SealedCredentials, StepEnd, Store, StoreError, SubscriptionCensus,
    SubscriptionCount, SubscriptionMetrics, SubscriptionQuery, SubscriptionRow, UserState, Wish,
};
use calsync_core::rule::{Rule, RuleDefaults, RuleStep};
use calsync_core::run::{CallStats, Run};
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::{AccessToken, Consent, Session, TokenHash};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::Value;

use crate::rows::missing;
use crate::tally::Tallies;

mod alerts;
mod figures;
mod freshness;
mod journal;
mod leases;
mod leaving;
mod listings;
mod people;
mod prune;
mod receipt;
mod rollout;
mod rules;
mod runs;
mod sign_in;
mod subscriptions;
mod walk;

/// A store in memory. A clone is an independent copy of all that it holds at that moment.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

/// Who holds something, or held it last.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Held {
    /// `None` after it was given back. The token stays: it must never be given out twice.
    owner: Option<String>,
    token: i64,
    claimed_at: Ts,
    expires_at: Ts,
}

#[derive(Clone, Default)]
struct State {
    users: BTreeMap<UserId, User>,
    passwords: BTreeMap<UserId, String>,
    rule_defaults: BTreeMap<UserId, RuleDefaults>,
    sessions: BTreeMap<TokenHash, Session>,
    consents: BTreeMap<TokenHash, Consent>,
    /// When each that was answered was begun.
    spent_sign_ins: BTreeMap<TokenHash, Ts>,
    /// By issuer and subject.
    identities: BTreeMap<(String, String), Identity>,
    access_tokens: BTreeMap<AccessTokenId, AccessToken>,
    accounts: BTreeMap<AccountId, Account>,
    asked: BTreeMap<AccountId, Ts>,
    credentials: BTreeMap<AccountId, SealedCredentials>,
    calendars: BTreeMap<CalendarId, Calendar>,
    rules: BTreeMap<RuleId, Rule>,
    settings: BTreeMap<String, Value>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    notifications: BTreeMap<NotificationId, Notification>,
    /// All that are not finished, and some that are since: who looks through them strikes those.
    open: BTreeSet<NotificationId>,
    /// Figures of notifications, whatever became of these.
    tallies: Tallies,
    /// Unique key of the notifications.
    deliveries: BTreeMap<(SubscriptionId, String), NotificationId>,
    leases: BTreeMap<String, Held>,
    /// Shared with whoever looks at one: changed only when nobody does, else copied first.
    mirrors: BTreeMap<CalendarId, Arc<Mirror>>,
    /// By target, and there sorted by correlation; shared like the mirrors.
    ledger: BTreeMap<CalendarId, Arc<Vec<LedgerRow>>>,
    /// In the order in which they were enqueued.
    outbox: BTreeMap<CalendarId, Vec<Write>>,
    holds: BTreeMap<CalendarId, Hold>,
    freshness: BTreeMap<RuleId, Freshness>,
    /// By rule, hour and bucket.
    rule_delays: BTreeMap<(RuleId, Ts, u8), u64>,
    /// Of all rules, by hour and bucket.
    delays: BTreeMap<(Ts, u8), u64>,
    runs: BTreeMap<RunId, Run>,
    /// Those that planned something to be written.
    wrote: BTreeSet<RunId>,
    /// By number; shared between copies of the store.
    journal: BTreeMap<i64, Arc<journal::Noted>>,
    /// The next number: none is given twice.
    journal_next: i64,
    /// All rows that nothing has proven yet, and some that are proven or gone since: who looks through them strikes those.
    unproven: BTreeSet<i64>,
    /// What stands in each target by our hand.
    contents: BTreeMap<(CalendarId, CorrelationId), journal::Written>,
    call_stats: BTreeMap<(ProviderKind, Ts), CallStats>,
    /// In the order in which they were opened.
    alerts: Vec<Alert>,
    /// What people were told, by kind.
    tellings: BTreeMap<String, Told>,
    alert_deliveries: BTreeMap<DeliveryId, Delivery>,
    health_hours: BTreeMap<Ts, HealthHour>,
    audit: Vec<(Ts, String, String)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// An independent copy of everything as it is now.
    pub fn fork(&self) -> MemoryStore {
        MemoryStore { state: Mutex::new(self.lock().clone()) }
    }

    /// The audit log, oldest first: when, who, what.
    pub fn audit_log(&self) -> Vec<(Ts, String, String)> {
        self.lock().audit.clone()
    }

    /// A thread that panicked left the maps as they were: every method checks before it changes anything.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> MemoryStore {
        self.fork()
    }
}

impl State {
    fn calendar_mut(&mut self, id: CalendarId) -> Result<&mut Calendar, StoreError> {
        self.calendars.get_mut(&id).ok_or_else(|| missing("calendar"))
    }
}

/// Brings a calendar's due time forward to `at`.
fn due(calendar: &mut Calendar, at: Ts) {
    calendar.due_at = Some(calendar.due_at.map_or(at, |was| was.min(at)));
}

/// Something outside a run is a reason to look at it: a run that is under way must not answer for it.
fn raise(calendar: &mut Calendar, at: Ts) {
    calendar.dirty_generation += 1;
    due(calendar, at);
}

fn conflict(words: &str) -> StoreError {
    StoreError::Conflict(words.to_owned())
}

macro_rules! store_methods {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for MemoryStore {
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$out, StoreError> {
                self.lock().$name($($arg),*)
            })*

            async fn work_elsewhere(&self) -> Result<(), StoreError> {
                std::future::pending().await
            }

            async fn ping(&self) -> Result<(), StoreError> {
                Ok(())
            }

            async fn close(&self) {}
        }
    };
}

// One line per method of the port; each is a method of `State` in the file of its subject.
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
    record_notification(new: NewNotification) -> Recorded;
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
}
