//! What the engine asks of the store: one method, one fact, one transaction. No transaction handle leaks, and no
//! method decides anything.
//!
//! Everything that a sync run changes is fenced: it carries the lease, and a store refuses it with
//! `StoreError::LeaseLost` when somebody else has taken the work over meanwhile.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::block::ObservedBlock;
use crate::calendar::{
    Account, AccountStatus, Calendar, Cursor, Leaving, ListedCalendar, ProviderKind, User,
};
use crate::delivery::Delivery;
use crate::event::Event;
use crate::hold::Hold;
use crate::ids::{AccountId, CalendarId, EventId, NotificationId, RuleId, RunId, SubscriptionId, UserId};
use crate::ledger::{LedgerRow, Settlement, Write};
use crate::mirror::Mirror;
use crate::notification::{AfterFailure, Notification, ProcessingStatus, Served};
use crate::rule::Rule;
use crate::run::{Alert, CallStats, Run, RunCounts, RunStatus};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::time::Ts;

/// What can go wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the lease now: stop, and write nothing more.
    #[error("the lease on {0} was taken over by another worker")]
    LeaseLost(String),
    /// Another transaction stood in the way, and nothing was written. Stores try again by themselves; who gets this may.
    #[error("the database is busy: {0}")]
    Contended(String),
    /// A constraint says no: it exists already, or what it refers to does not.
    #[error("{0}")]
    Conflict(String),
    /// The database does not answer, is locked, full or read-only. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database was made by a newer version of this program.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: run a newer calendar-sync"
    )]
    NewerSchema {
        /// Found in the database.
        found: i64,
        /// Known to this program.
        known: i64,
    },
    /// What was read makes no sense.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}

/// The right to work on something, for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// On what: `user:<id>`, `job:<name>`.
    pub resource: String,
    /// Whose.
    pub owner: String,
    /// Fencing token: grows with every claim of the resource.
    pub token: i64,
    /// Until when.
    pub expires_at: Ts,
}

/// A user whose calendars need looking at, and the lease to do so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedUser {
    /// Who.
    pub user: UserId,
    /// The right to.
    pub lease: Lease,
}

/// All of one user's state but the mirrors and ledgers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserState {
    /// Who.
    pub user: User,
    /// Accounts, by id.
    pub accounts: Vec<Account>,
    /// Calendars, by id.
    pub calendars: Vec<Calendar>,
    /// Stored rules, by id.
    pub rules: Vec<Rule>,
    /// Open holds, by target.
    pub holds: Vec<Hold>,
    /// Active subscriptions, by calendar.
    pub subscriptions: Vec<Subscription>,
    /// Earliest `not_before` of the writes waiting for each calendar.
    pub waiting_writes: Vec<(CalendarId, Option<Ts>)>,
}

/// A delivery to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// The calendar to look at.
    pub calendar: CalendarId,
    /// The provider's id of the delivery.
    pub notification_id: String,
    /// When it was received.
    pub received_at: Ts,
    /// The headers worth keeping.
    pub headers: serde_json::Value,
    /// The body.
    pub payload: serde_json::Value,
    /// What it asks for.
    pub wants: crate::notification::Wants,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// Stored.
    New,
    /// It was there already.
    Duplicate,
}

/// What a listing changed in our picture of a calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PullApply {
    /// Which calendar.
    pub calendar: CalendarId,
    /// Events new or changed.
    pub events: Vec<Event>,
    /// Events gone.
    pub events_gone: Vec<EventId>,
    /// Blocks new or changed.
    pub blocks: Vec<ObservedBlock>,
    /// Blocks gone.
    pub blocks_gone: Vec<EventId>,
    /// Where reading goes on; `None`: the next listing must be full.
    pub cursor: Option<Cursor>,
    /// A full listing ended with this.
    pub full: Option<FullListing>,
    /// The calendar's zone, if it became known.
    pub time_zone: Option<String>,
    /// Calendars whose blocks must be planned again.
    pub targets: Vec<CalendarId>,
    /// When.
    pub at: Ts,
}

/// A complete full listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FullListing {
    /// When it began.
    pub began_at: Ts,
}

/// A plan to be carried out: one target's ledger changes and writes, all or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enqueue {
    /// Which target.
    pub target: CalendarId,
    /// The target's dirty generation in the state on which the plan rests: what was asked for after it is not answered.
    pub seen_generation: i64,
    /// Ledger rows as they are to be from now on.
    pub ledger: Vec<LedgerRow>,
    /// The writes, replacing all that the outbox held for this target. A write that was there already in the same form
    /// keeps its attempts and its `not_before`.
    pub writes: Vec<Write>,
    /// The hold on this target from now on, if any. A person's yes to the same hold, given meanwhile, is kept.
    pub hold: Option<Hold>,
}

/// A run begins: what it is, and what it serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunBegun {
    /// The calendar's dirty generation that this run serves.
    pub seen_generation: i64,
    /// The notifications that it serves, with their failures so far.
    pub notifications: Vec<(NotificationId, u32)>,
    /// When each of them was received, the earliest first.
    pub told: Vec<Ts>,
}

/// A run ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunEnd {
    /// Which.
    pub run: RunId,
    /// Its calendar.
    pub calendar: CalendarId,
    /// When.
    pub at: Ts,
    /// How.
    pub status: RunStatus,
    /// What it counted.
    pub counts: RunCounts,
    /// What becomes of its notifications.
    pub notifications: NotificationsEnd,
    /// The generation that is now served (on success).
    pub served_generation: Option<i64>,
    /// What it showed of the calendar's channel, if that changed what is known of it.
    pub delivery: Option<DeliveryEnd>,
}

/// What a run showed of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeliveryEnd {
    /// Which.
    pub subscription: SubscriptionId,
    /// How well it delivers, as far as is known now.
    pub delivery: Delivery,
    /// When somebody should see to it.
    pub renew_at: Ts,
}

/// What becomes of the notifications that a run served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotificationsEnd {
    /// Completed with these counts; the subscription's and the calendar's failure counters are cleared (a subscription's
    /// misses in a row stay counted), and the calendar's `webhook_last_activity` is set if there were any.
    Completed(Served),
    /// Each is tried again or given up.
    Failed {
        /// What becomes of each.
        items: Vec<(NotificationId, AfterFailure)>,
        /// Whose failure it was.
        blame: Blame,
    },
}

/// Whose failure it was that a notification could not be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The calendar's own: its failure counter and its subscription's go up by one, with or without notifications.
    Calendar,
    /// A target's: the calendar that delivered is not to blame, and no counter moves.
    Target,
}

/// When a calendar is due next. Applied unless it was made dirty after `seen_generation`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextDue {
    /// Which calendar.
    pub calendar: CalendarId,
    /// The generation on which the decision rests.
    pub seen_generation: i64,
    /// When, if at all.
    pub due_at: Option<Ts>,
}

/// A change to a calendar's switches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarChange {
    /// Take part, or not; `Off` is `Leave(Disabled)`. Either way its rules' targets, and it, are planned again.
    SyncEnabled(Switch),
    /// Take no part from now on, for this reason.
    Leave(Leaving),
    /// Use push, or not.
    WebhookEnabled(Switch),
    /// The provider told that it can't push for it.
    PushUnsupported,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Switch::On)
    }
}

/// The provider opened a channel, or prolonged one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelOpened<'a> {
    /// Its row.
    pub id: SubscriptionId,
    /// The provider's id of it.
    pub remote_id: &'a str,
    /// The provider's id of what is watched.
    pub resource: &'a str,
    /// When it ends.
    pub expires_at: Ts,
    /// When it is renewed.
    pub renew_at: Ts,
    /// The one that it replaces: now it can be closed.
    pub replaces: Option<SubscriptionId>,
    /// When.
    pub now: Ts,
}

/// A calendar, and what the rollout flags were last found to say of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// Which.
    pub calendar: CalendarId,
    /// Whose.
    pub user: User,
    /// Whether it may push.
    pub admitted: bool,
}

/// What the rollout flags say of a calendar from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admit {
    /// Which.
    pub calendar: CalendarId,
    /// Whether it may push.
    pub push: Switch,
    /// One that may not any more is looked at by then.
    pub due_by: Ts,
}

/// A line of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub at: Ts,
    /// By whom.
    pub who: String,
    /// What was done.
    pub what: String,
}

/// An account to be connected, or connected again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectAccount {
    /// The account. An existing one of the same user, provider and remote id keeps its id.
    pub account: Account,
    /// Its credentials.
    pub credentials: SealedCredentials,
}

/// Credentials as stored: encrypted outside the store, which never sees them open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedCredentials {
    /// The ciphertext with its header.
    pub sealed: Vec<u8>,
    /// Grows with every change, so that a stale writer is noticed.
    pub version: i64,
}

/// Notification figures over a stretch of time (spec §2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NotificationMetrics {
    /// All received.
    pub total: u64,
    /// Completed.
    pub completed: u64,
    /// Given up.
    pub failed: u64,
    /// Neither: waiting, at work, or waiting for another try.
    pub pending: u64,
    /// Mean processing time of the completed ones, in milliseconds.
    pub average_ms: u64,
    /// Sum of calendars synced.
    pub calendars_synced: u64,
    /// Sum of events processed.
    pub events_processed: u64,
    /// Sum of blocks written.
    pub busy_blocks_updated: u64,
}

/// Counts for the health check: kept as rows change, or counted along an index of what is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SubscriptionMetrics {
    /// Active ones.
    pub active: u64,
    /// Active and healthy ones (not silent too long, not past their end).
    pub healthy: u64,
    /// Active and ending within the renewal buffer.
    pub expiring: u64,
    /// Active with five failures in a row or more.
    pub failing: u64,
}

/// Subscriptions of one provider and status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubscriptionCount {
    /// Which provider.
    pub provider: ProviderKind,
    /// Which status.
    pub status: SubscriptionStatus,
    /// How many.
    pub count: u64,
    /// Changes that they told of, lately.
    pub heard: u64,
    /// Changes that were found first, lately.
    pub missed: u64,
}

/// The store. See `calsync_store::contract` for the suite that every implementation passes.
#[async_trait]
pub trait Store: Send + Sync {
    // --- people, accounts, calendars, rules ---

    /// Adds a user; a second one with the same address is a conflict.
    async fn add_user(&self, user: &User) -> Result<(), StoreError>;
    /// All users, by address.
    async fn users(&self) -> Result<Vec<User>, StoreError>;
    /// Removes a user with everything that is theirs here (nothing at any provider).
    async fn remove_user(&self, user: UserId) -> Result<(), StoreError>;
    /// Everything about one user but mirrors and ledgers.
    async fn user_state(&self, user: UserId) -> Result<Option<UserState>, StoreError>;
    /// Connects an account, or connects it again (`active`, new credentials, its calendars dirty at `now`). Returns its id.
    async fn connect_account(&self, connect: &ConnectAccount, now: Ts) -> Result<AccountId, StoreError>;
    /// One account's credentials.
    async fn credentials(&self, account: AccountId) -> Result<Option<SealedCredentials>, StoreError>;
    /// Replaces credentials, if they are still of version `expected`; `false` if not.
    async fn replace_credentials(
        &self,
        account: AccountId,
        expected: i64,
        new: &SealedCredentials,
    ) -> Result<bool, StoreError>;
    /// All credentials, for key rotation.
    async fn all_credentials(&self) -> Result<Vec<(AccountId, SealedCredentials)>, StoreError>;
    /// Sets an account's state and what a person must do.
    async fn set_account_status(
        &self,
        account: AccountId,
        status: AccountStatus,
        detail: Option<&str>,
    ) -> Result<(), StoreError>;
    /// Removes an account with its calendars (nothing at the provider).
    async fn remove_account(&self, account: AccountId) -> Result<(), StoreError>;
    /// Takes over what the provider lists: new calendars are added under the ids given (not sync-enabled), known ones get
    /// their name, zone, colour and access, ones no longer listed become `missing`. Nothing is deleted.
    async fn update_calendar_list(
        &self,
        account: AccountId,
        listed: &[(CalendarId, ListedCalendar)],
    ) -> Result<(), StoreError>;
    /// One calendar.
    async fn calendar(&self, calendar: CalendarId) -> Result<Option<Calendar>, StoreError>;
    /// Changes a switch; the user's calendars are planned again. One that is switched off or on is forgotten, and whoever
    /// holds its user's lease loses it: what they have read is.
    async fn change_calendar(
        &self,
        calendar: CalendarId,
        change: CalendarChange,
        now: Ts,
    ) -> Result<(), StoreError>;
    /// Adds or changes a rule (one per source and target); both calendars are planned again, and a source whose events
    /// must be stored with more or less text is listed in full.
    async fn put_rule(&self, rule: &Rule, now: Ts) -> Result<(), StoreError>;
    /// Removes a rule; its target is planned again.
    async fn remove_rule(&self, rule: RuleId, now: Ts) -> Result<(), StoreError>;

    // --- settings ---

    /// A value by name.
    async fn setting(&self, name: &str) -> Result<Option<serde_json::Value>, StoreError>;
    /// Sets a value only if there is none; returns the one that is there now.
    async fn init_setting(
        &self,
        name: &str,
        value: &serde_json::Value,
    ) -> Result<serde_json::Value, StoreError>;
    /// Sets a value.
    async fn put_setting(&self, name: &str, value: &serde_json::Value) -> Result<(), StoreError>;
    /// Sets a value if what is there is still `expected`; `false` if not. Of two who change the same thing neither is lost.
    async fn change_setting(
        &self,
        name: &str,
        expected: Option<&serde_json::Value>,
        new: &serde_json::Value,
    ) -> Result<bool, StoreError>;

    // --- receipt ---

    /// The subscription of this calendar and provider that has this channel id, else the newest other one, else none.
    async fn find_subscription(
        &self,
        calendar: CalendarId,
        provider: ProviderKind,
        channel: &str,
    ) -> Result<Option<Subscription>, StoreError>;
    /// Stores a delivery, durably: the notification and, if it wants a sync, the calendar's raised generation and due time.
    /// A confirmation marks its subscription at once (`last_notification_at`, failures cleared); what wants a sync marks it
    /// when a run takes it up. A duplicate changes nothing.
    async fn record_notification(&self, new: NewNotification) -> Result<Recorded, StoreError>;

    // --- the walk of a sync ---

    /// Makes calendars dirty and due at `now`; `Full` also asks for a full listing.
    async fn raise(&self, calendars: &[CalendarId], wish: Wish, now: Ts) -> Result<(), StoreError>;
    /// A user with a calendar that is due and whom nobody holds; the longest due first.
    async fn claim_due_user(
        &self,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError>;
    /// The lease on one user, due or not; `None` while somebody else holds it.
    async fn claim_user(
        &self,
        user: UserId,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError>;
    /// Takes a lease on any other thing; `None` while somebody else holds it.
    async fn claim_lease(
        &self,
        resource: &str,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<Lease>, StoreError>;
    /// Prolongs a lease that is still ours.
    async fn renew_lease(&self, lease: &Lease, until: Ts) -> Result<Lease, StoreError>;
    /// Gives a lease back, telling when its calendars are due next.
    async fn release(&self, lease: &Lease, next: &[NextDue]) -> Result<(), StoreError>;
    /// The earliest time at which some calendar is due.
    async fn next_due(&self) -> Result<Option<Ts>, StoreError>;
    /// Our picture of a calendar.
    async fn mirror(&self, calendar: CalendarId) -> Result<Mirror, StoreError>;
    /// What we wrote into a calendar.
    async fn ledger(&self, target: CalendarId) -> Result<Vec<LedgerRow>, StoreError>;
    /// A run begins: its row is written, and all of the calendar's notifications that are pending, due for another try, or
    /// left `processing` by a dead worker become `processing` for it. Subscriptions that delivered what was pending are marked
    /// (`last_notification_at`, failures cleared).
    async fn begin_run(&self, lease: &Lease, run: &Run) -> Result<RunBegun, StoreError>;
    /// Takes over what a listing showed, atomically with the cursor; the targets become `plan_due`.
    async fn apply_pull(&self, lease: &Lease, pull: &PullApply) -> Result<(), StoreError>;
    /// Takes over a plan; the target is no longer `plan_due`, unless it was made dirty after `seen_generation`.
    async fn enqueue(&self, lease: &Lease, enqueue: &Enqueue) -> Result<(), StoreError>;
    /// The writes waiting for a target, as they were enqueued, at most `limit`, without those that must wait beyond `now`.
    async fn due_writes(&self, target: CalendarId, now: Ts, limit: u32) -> Result<Vec<Write>, StoreError>;
    /// How many writes wait for a target.
    async fn waiting_writes(&self, target: CalendarId) -> Result<u64, StoreError>;
    /// Takes over what became of writes, all in one transaction.
    async fn settle(&self, lease: &Lease, settlements: &[Settlement]) -> Result<(), StoreError>;
    /// A run ends.
    async fn end_run(&self, lease: &Lease, end: &RunEnd) -> Result<(), StoreError>;
    /// Finishes notifications received before `before` on calendars that take no part and that nobody reads any more: nothing
    /// will ever come of them. How many.
    async fn complete_unwanted(&self, before: Ts, now: Ts) -> Result<u64, StoreError>;
    /// A calendar's way out has come to its end: what its last look showed is forgotten, and nothing is under way any more.
    /// After a reset, all else that is known of it is forgotten too: blocks, ledger rows (but never one that stands, in it or
    /// of it), writes, hold, runs, notifications. Nothing happens if it left for another reason than this, or is back.
    async fn finish_leaving(
        &self,
        lease: &Lease,
        calendar: CalendarId,
        why: Leaving,
    ) -> Result<(), StoreError>;
    /// Approves the open hold of a target, which is planned again; `false` if there is none.
    async fn approve_hold(&self, target: CalendarId, now: Ts) -> Result<bool, StoreError>;

    // --- subscriptions ---

    /// Puts a new subscription in use before the provider is asked: active, and the one it replaces becomes `expired`, in
    /// one transaction. The replaced one is to be closed at the latest when the new one ends.
    async fn begin_subscription(
        &self,
        new: &Subscription,
        replaces: Option<SubscriptionId>,
    ) -> Result<(), StoreError>;
    /// The provider opened it, or prolonged it: it is active, its failures are its misses in a row, and the one it replaces
    /// is to be closed.
    async fn confirm_subscription(&self, opened: &ChannelOpened<'_>) -> Result<(), StoreError>;
    /// The provider refused it: it becomes `failed`, and the one it was to replace is active again if it has not ended.
    async fn abandon_subscription(
        &self,
        id: SubscriptionId,
        replaced: Option<SubscriptionId>,
        now: Ts,
    ) -> Result<(), StoreError>;
    /// Sets a subscription's state, and when its channel is to be closed at the provider, if it is.
    async fn set_subscription_status(
        &self,
        id: SubscriptionId,
        status: SubscriptionStatus,
        close_at: Option<Ts>,
    ) -> Result<(), StoreError>;
    /// The ids of a channel became known at `now` that is out of use and of which the provider's answer never arrived: it is to
    /// be closed. When it ends nobody knows: at the latest at `expires_at`. `false`: it is in use, or was known.
    async fn learn_channel(
        &self,
        id: SubscriptionId,
        remote_id: &str,
        resource: &str,
        expires_at: Ts,
        now: Ts,
    ) -> Result<bool, StoreError>;
    /// All subscriptions of a calendar, newest first.
    async fn subscriptions(&self, calendar: CalendarId) -> Result<Vec<Subscription>, StoreError>;
    /// Active ones to be seen to by `now`, the longest due first.
    async fn subscriptions_to_renew(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Sees to it later.
    async fn postpone_renewal(&self, id: SubscriptionId, until: Ts) -> Result<(), StoreError>;
    /// Those whose channels are to be closed by `now`, the longest due first.
    async fn subscriptions_to_close(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Its channel is closed (`None`), or is to be closed then.
    async fn put_closing(&self, id: SubscriptionId, close_at: Option<Ts>) -> Result<(), StoreError>;
    /// Active ones that delivered nothing since `since`.
    async fn subscriptions_silent(&self, since: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Active ones with at least this many failures in a row.
    async fn subscriptions_failing(&self, at_least: u32, limit: u32)
    -> Result<Vec<Subscription>, StoreError>;
    /// Calendars that could be watched and are not, the longest waiting first: sync-enabled, webhook-enabled, admitted, account
    /// active, no active subscription, and not to be left alone beyond `now`.
    async fn unwatched_calendars(&self, now: Ts, limit: u32) -> Result<Vec<Calendar>, StoreError>;
    /// No channel is opened for it before.
    async fn postpone_opening(&self, calendar: CalendarId, until: Ts) -> Result<(), StoreError>;
    /// When a channel is next to be seen to: opened, renewed, closed or found to have ended.
    async fn next_channel_due(&self) -> Result<Option<Ts>, StoreError>;
    /// Active ones whose end has come, the longest ended first.
    async fn subscriptions_ended(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// How many there are of each provider and status, and what they told of and missed. It reads them all.
    async fn subscription_counts(&self) -> Result<Vec<SubscriptionCount>, StoreError>;
    /// Makes every active subscription past its end `expired`; how many.
    async fn expire_subscriptions(&self, now: Ts) -> Result<u64, StoreError>;
    /// Calendars by id, from the one after `after` on.
    async fn admissions(&self, after: Option<CalendarId>, limit: u32) -> Result<Vec<Admission>, StoreError>;
    /// Takes over what the rollout flags say. Of a calendar that may not push any more, the active subscriptions are
    /// suspended and to be closed, and it is due by `due_by`.
    async fn admit(&self, calendars: &[Admit], now: Ts) -> Result<(), StoreError>;

    // --- figures and logs ---

    /// Notifications in a state, oldest first.
    async fn notifications(
        &self,
        status: ProcessingStatus,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError>;
    /// Notifications whose time for another try has come, the longest due first.
    async fn retries_due(&self, now: Ts, limit: u32) -> Result<Vec<Notification>, StoreError>;
    /// Notifications received before `before` that nobody has finished.
    async fn backlog(&self, before: Ts) -> Result<u64, StoreError>;
    /// Notification figures since the beginning of the minute that `since` is in. What was received counts, even if it is
    /// removed since; pending is what is there.
    async fn notification_metrics(&self, since: Ts) -> Result<NotificationMetrics, StoreError>;
    /// Subscription figures.
    async fn subscription_metrics(&self, now: Ts) -> Result<SubscriptionMetrics, StoreError>;
    /// The newest runs, of one calendar or of all.
    async fn runs(&self, calendar: Option<CalendarId>, limit: u32) -> Result<Vec<Run>, StoreError>;
    /// Adds call counts to those of their minutes.
    async fn add_call_stats(&self, stats: &[CallStats]) -> Result<(), StoreError>;
    /// Call counts since `since`, by provider and minute.
    async fn call_stats(&self, since: Ts) -> Result<Vec<CallStats>, StoreError>;
    /// Opens an alert, or marks the open one of its kind and subject as seen again; whether it is new.
    async fn open_alert(&self, alert: &Alert) -> Result<bool, StoreError>;
    /// Resolves the open alert of this kind and subject; whether there was one.
    async fn resolve_alert(&self, kind: &str, subject: &str, now: Ts) -> Result<bool, StoreError>;
    /// Open alerts, newest first.
    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError>;
    /// Deletes rows that ended before `before`, the oldest first, at most `limit`; how many. Never what is still in use.
    async fn prune(&self, what: Prunable, before: Ts, limit: u32) -> Result<u64, StoreError>;
    /// How many rows `prune` would delete before `before`, where all that precede `what` in `Prunable::ALL` have gone first.
    async fn prunable(&self, what: Prunable, before: Ts) -> Result<u64, StoreError>;
    /// Adds a line to the audit log.
    async fn audit(&self, who: &str, what: &str, at: Ts) -> Result<(), StoreError>;
    /// The newest lines of the audit log, newest first; those that begin with `about`.
    async fn audited(&self, about: &str, limit: u32) -> Result<Vec<AuditLine>, StoreError>;
    /// Returns when another instance or command may have made work for this one's workers; never, where none can.
    async fn work_elsewhere(&self) -> Result<(), StoreError>;
    /// Answers if the database does.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Finishes what was accepted and closes.
    async fn close(&self);
}

/// What grows for ever unless it is pruned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Prunable {
    /// Notifications that are finished, by when they were received.
    Notifications,
    /// Subscriptions out of use without notifications, by when they ended.
    Subscriptions,
    /// Runs, by when they began.
    Runs,
    /// Ledger rows of blocks that are gone, by when they were last written.
    Ledger,
    /// Figures of notifications and of calls to providers, by their minute.
    Figures,
    /// Lines of the audit log.
    Audit,
    /// Resolved alerts, by when they were resolved.
    Alerts,
}

impl Prunable {
    /// All of them, in an order in which each leaves nothing that a later one would have needed.
    pub const ALL: [Prunable; 7] = [
        Prunable::Notifications,
        Prunable::Subscriptions,
        Prunable::Runs,
        Prunable::Ledger,
        Prunable::Figures,
        Prunable::Audit,
        Prunable::Alerts,
    ];
}

/// How thoroughly to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// At what changed.
    Changes,
    /// At everything.
    Full,
}
