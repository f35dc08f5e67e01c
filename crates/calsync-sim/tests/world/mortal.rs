//! A store that can be cut off at any call, before or after it took effect: what a crash looks like from inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use calsync_core::alert::{Alert, Claimed, Delivery, Group, Told};
use calsync_core::calendar::*;
use calsync_core::freshness::{Delays, Freshness, RuleDelay};
use calsync_core::ids::*;
use calsync_core::journal::{Activity, After, Filter, JournalRow, Overwritten};
use calsync_core::ledger::*;
use calsync_core::mirror::Mirror;
use calsync_core::notification::*;
use calsync_core::ports::*;
use calsync_core::rule::RuleStep;
use calsync_core::run::*;
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::*;
use calsync_core::subscription::*;
use calsync_core::time::Ts;
use jiff::SignedDuration;

/// Counts points at which a process can die, and dies at the one it was told. Once dead, nothing works any more.
#[derive(Default)]
pub(crate) struct Mortality {
    left: AtomicI64,
    armed: AtomicBool,
    dead: AtomicBool,
    points: AtomicI64,
}

impl Mortality {
    /// Dies at the `nth` point from now.
    pub(crate) fn arm(&self, nth: i64) {
        self.left.store(nth, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Whether it died.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Points passed.
    pub(crate) fn points(&self) -> i64 {
        self.points.load(Ordering::SeqCst)
    }

    /// One point at which it may die.
    pub(crate) fn survive(&self) -> bool {
        self.points.fetch_add(1, Ordering::SeqCst);
        if self.armed.load(Ordering::SeqCst) && self.left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            self.dead.store(true, Ordering::SeqCst);
        }
        !self.is_dead()
    }
}

/// The store of one process that can die.
pub(crate) struct MortalStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) life: Arc<Mortality>,
}

impl MortalStore {
    fn point(&self) -> Result<(), StoreError> {
        if self.life.survive() { Ok(()) } else { Err(StoreError::Unavailable("the process died".to_owned())) }
    }
}

macro_rules! pass_through {
    ($(fn $name:ident(&self $(, $arg:ident: $ty:ty)*) -> $ret:ty;)*) => {
        #[async_trait]
        impl Store for MortalStore {
            $(async fn $name(&self $(, $arg: $ty)*) -> Result<$ret, StoreError> {
                self.point()?;
                let done = self.inner.$name($($arg),*).await;
                self.point()?;
                done
            })*

            async fn work_elsewhere(&self) -> Result<(), StoreError> {
                self.inner.work_elsewhere().await
            }

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

pass_through! {
    fn add_user(&self, user: &User) -> ();
    fn add_first_user(&self, user: &User, password: &str) -> bool;
    fn users(&self) -> Vec<User>;
    fn remove_user(&self, user: UserId) -> ();
    fn password(&self, email: &str) -> Option<(User, Option<String>)>;
    fn set_password(&self, user: UserId, hash: &str, keep: Option<&TokenHash>) -> ();
    fn put_session(&self, session: &Session) -> ();
    fn session(&self, key: &TokenHash) -> Option<(Session, User)>;
    fn see_session(&self, key: &TokenHash, now: Ts) -> ();
    fn sessions(&self, user: UserId) -> Vec<Session>;
    fn end_session(&self, key: &TokenHash) -> ();
    fn end_sessions(&self, user: UserId, keep: Option<&TokenHash>) -> u64;
    fn put_consent(&self, consent: &Consent) -> ();
    fn take_consent(&self, key: &TokenHash) -> Option<Consent>;
    fn spend_sign_in(&self, key: &TokenHash, begun: Ts) -> bool;
    fn identified(&self, issuer: &str, subject: &str) -> Option<User>;
    fn identify(&self, identity: &Identity) -> bool;
    fn identities(&self, user: UserId) -> Vec<Identity>;
    fn forget_identities(&self, user: UserId) -> u64;
    fn put_access_token(&self, token: &AccessToken) -> ();
    fn access_token(&self, key: &TokenHash) -> Option<(AccessToken, User)>;
    fn see_access_token(&self, id: AccessTokenId, now: Ts) -> ();
    fn access_tokens(&self, user: UserId) -> Vec<AccessToken>;
    fn remove_access_token(&self, user: UserId, id: AccessTokenId) -> bool;
    fn forget_sign_ins(&self, seen: Ts, created: Ts, begun: Ts) -> u64;
    fn user_state(&self, user: UserId) -> Option<UserState>;
    fn connect_account(&self, connect: &ConnectAccount, now: Ts) -> AccountId;
    fn credentials(&self, account: AccountId) -> Option<SealedCredentials>;
    fn replace_credentials(&self, account: AccountId, expected: i64, new: &SealedCredentials) -> bool;
    fn all_credentials(&self) -> Vec<(AccountId, SealedCredentials)>;
    fn accounts(&self) -> Vec<Account>;
    fn accounts_to_ask(&self, before: Ts, after: Ts, limit: u32) -> Vec<(AccountId, UserId)>;
    fn note_asked(&self, account: AccountId, at: Ts) -> ();
    fn set_account_status(&self, account: AccountId, status: AccountStatus, detail: Option<&str>) -> ();
    fn remove_account(&self, account: AccountId) -> ();
    fn update_calendar_list(&self, account: AccountId, listed: &[(CalendarId, ListedCalendar)]) -> ();
    fn calendar(&self, calendar: CalendarId) -> Option<Calendar>;
    fn change_calendar(&self, calendar: CalendarId, change: CalendarChange, now: Ts) -> ();
    fn change_rules(&self, step: &RuleStep, now: Ts) -> bool;
    fn setting(&self, name: &str) -> Option<serde_json::Value>;
    fn init_setting(&self, name: &str, value: &serde_json::Value) -> serde_json::Value;
    fn put_setting(&self, name: &str, value: &serde_json::Value) -> ();
    fn find_subscription(&self, calendar: CalendarId, provider: ProviderKind, channel: &str) -> Option<Subscription>;
    fn record_notification(&self, new: NewNotification) -> Recorded;
    fn raise(&self, calendars: &[CalendarId], wish: Wish, now: Ts) -> ();
    fn bring_forward(&self, calendars: &[(CalendarId, Ts)]) -> ();
    fn claim_due_user(&self, owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    fn claim_user(&self, user: UserId, owner: &str, now: Ts, until: Ts) -> Option<ClaimedUser>;
    fn claim_lease(&self, resource: &str, owner: &str, now: Ts, until: Ts) -> Option<Lease>;
    fn renew_lease(&self, lease: &Lease, until: Ts) -> Lease;
    fn release(&self, lease: &Lease, next: &[NextDue]) -> ();
    fn end_step(&self, lease: &Lease, end: &StepEnd) -> ();
    fn freshness(&self, user: UserId) -> Vec<Freshness>;
    fn rules_behind(&self, now: Ts, limit: u32) -> Vec<Freshness>;
    fn count_behind(&self, now: Ts) -> u64;
    fn rule_delays(&self, user: UserId, since: Ts) -> Vec<RuleDelay>;
    fn delays(&self, since: Ts) -> Delays;
    fn next_due(&self) -> Option<Ts>;
    fn mirror(&self, calendar: CalendarId) -> Arc<Mirror>;
    fn ledger(&self, target: CalendarId) -> Arc<Vec<LedgerRow>>;
    fn begin_run(&self, lease: &Lease, run: &Run) -> RunBegun;
    fn apply_pull(&self, lease: &Lease, pull: &PullApply) -> ();
    fn enqueue(&self, lease: &Lease, enqueue: &Enqueue) -> ();
    fn enqueue_all(&self, lease: &Lease, plans: &[Enqueue]) -> ();
    fn due_writes(&self, target: CalendarId, now: Ts, limit: u32) -> Vec<Write>;
    fn waiting_writes(&self, target: CalendarId) -> u64;
    fn settle(&self, lease: &Lease, settlements: &[Settlement]) -> ();
    fn end_run(&self, lease: &Lease, end: &RunEnd) -> ();
    fn complete_unwanted(&self, before: Ts, now: Ts) -> u64;
    fn finish_leaving(&self, lease: &Lease, calendar: CalendarId, why: Leaving) -> ();
    fn approve_hold(&self, target: CalendarId, now: Ts) -> bool;
    fn begin_subscription(&self, new: &Subscription, replaces: Option<SubscriptionId>) -> ();
    fn confirm_subscription(&self, opened: &ChannelOpened<'_>) -> ();
    fn abandon_subscription(&self, id: SubscriptionId, replaced: Option<SubscriptionId>, now: Ts) -> ();
    fn set_subscription_status(&self, id: SubscriptionId, status: SubscriptionStatus, close_at: Option<Ts>) -> ();
    fn learn_channel(&self, id: SubscriptionId, remote_id: &str, resource: &str, expires_at: Ts, now: Ts) -> bool;
    fn subscriptions(&self, calendar: CalendarId) -> Vec<Subscription>;
    fn subscriptions_to_renew(&self, now: Ts, limit: u32) -> Vec<Subscription>;
    fn postpone_renewal(&self, id: SubscriptionId, until: Ts) -> ();
    fn subscriptions_to_close(&self, now: Ts, limit: u32) -> Vec<Subscription>;
    fn put_closing(&self, id: SubscriptionId, close_at: Option<Ts>) -> ();
    fn subscriptions_silent(&self, since: Ts, limit: u32) -> Vec<Subscription>;
    fn subscriptions_failing(&self, at_least: u32, limit: u32) -> Vec<Subscription>;
    fn unwatched_calendars(&self, now: Ts, limit: u32) -> Vec<Calendar>;
    fn postpone_opening(&self, calendar: CalendarId, until: Ts) -> ();
    fn next_channel_due(&self) -> Option<Ts>;
    fn subscriptions_ended(&self, now: Ts, limit: u32) -> Vec<Subscription>;
    fn subscription_counts(&self) -> Vec<SubscriptionCount>;
    fn expire_subscriptions(&self, now: Ts) -> u64;
    fn admissions(&self, after: Option<CalendarId>, limit: u32) -> Vec<Admission>;
    fn admit(&self, calendars: &[Admit], now: Ts) -> ();
    fn notifications(&self, status: ProcessingStatus, limit: u32) -> Vec<Notification>;
    fn retries_due(&self, now: Ts, limit: u32) -> Vec<Notification>;
    fn prune(&self, what: Prunable, before: Ts, limit: u32) -> u64;
    fn prunable(&self, what: Prunable, before: Ts) -> u64;
    fn backlog(&self, before: Ts) -> u64;
    fn notification_metrics(&self, since: Ts) -> NotificationMetrics;
    fn subscription_metrics(&self, now: Ts) -> SubscriptionMetrics;
    fn runs(&self, calendar: Option<CalendarId>, limit: u32) -> Vec<Run>;
    fn run(&self, run: RunId) -> Option<Run>;
    fn journal(&self, run: RunId, limit: u32) -> Vec<JournalRow>;
    fn last_write(&self, target: CalendarId, correlation: CorrelationId) -> Option<JournalRow>;
    fn overwritten(&self, run: RunId, limit: u32) -> Vec<Overwritten>;
    fn activity(&self, filter: &Filter, after: Option<After>, limit: u32) -> Vec<Activity>;
    fn add_call_stats(&self, stats: &[CallStats]) -> ();
    fn call_stats(&self, since: Ts) -> Vec<CallStats>;
    fn open_alert(&self, alert: &Alert) -> bool;
    fn resolve_alert(&self, kind: &str, subject: &str, now: Ts) -> bool;
    fn open_alerts(&self) -> Vec<Alert>;
    fn alerts(&self, limit: u32) -> Vec<Alert>;
    fn alert_groups(&self) -> Vec<Group>;
    fn tellings(&self) -> Vec<Told>;
    fn tell(&self, told: &Told, deliveries: &[Delivery]) -> bool;
    fn claim_deliveries(&self, now: Ts, until: Ts, limit: u32) -> Claimed;
    fn put_delivery(&self, delivery: &Delivery) -> ();
    fn deliveries(&self, limit: u32) -> Vec<Delivery>;
    fn census(&self) -> Vec<SubscriptionCensus>;
    fn notification_spans(&self, since: Ts, width: SignedDuration) -> Vec<NotificationSpan>;
    fn recent(&self, since: Ts, limit: u32) -> Vec<Recent>;
    fn put_health_hour(&self, hour: &HealthHour) -> ();
    fn health_spans(&self, since: Ts, width: SignedDuration) -> Vec<HealthHour>;
    fn subscription_page(&self, query: &SubscriptionQuery) -> Page<SubscriptionRow>;
    fn notification_page(&self, query: &NotificationQuery) -> Page<Recent>;
    fn notification(&self, id: NotificationId) -> Option<NotificationSeen>;
    fn replay_notification(&self, id: NotificationId, now: Ts) -> Option<CalendarId>;
    fn rule_page(&self, of: RulesOf, since: Ts, after: Option<Bookmark>, limit: u32) -> Page<RuleRow>;
    fn audit_page(&self, who: Option<&str>, after: Option<Bookmark>, limit: u32) -> Page<AuditLine>;
    fn overdue(&self, before: Ts, now: Ts, limit: u32) -> Vec<Overdue>;
    fn change_setting(&self, name: &str, expected: Option<&serde_json::Value>, new: &serde_json::Value) -> bool;
    fn audited(&self, about: &str, limit: u32) -> Vec<AuditLine>;
    fn audit(&self, who: &str, what: &str, at: Ts) -> ();
    fn ping(&self) -> ();
}
