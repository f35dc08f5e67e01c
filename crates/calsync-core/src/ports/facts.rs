//! What goes into the store and comes out of it, as plain data: one type for each fact that is told or asked for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::block::ObservedBlock;
use crate::calendar::{Account, Calendar, Cursor, Leaving, ProviderKind, User};
use crate::cursor_loss::CursorLosses;
use crate::delivery::Delivery;
use crate::event::Event;
use crate::freshness::{Freshness, RuleDelay};
use crate::hold::Hold;
use crate::ids::{CalendarId, EventId, NotificationId, RuleId, RunId, SubscriptionId, UserId};
use crate::journal::Shown;
use crate::ledger::{LedgerRow, Settlement, Write};
use crate::notification::{AfterFailure, ProcessingStatus, Served};
use crate::rule::{self, Rule, RuleDefaults};
use crate::run::{Run, RunCounts, RunStatus};
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
    /// What new calendars begin with.
    pub rule_defaults: RuleDefaults,
    /// Open holds, by target.
    pub holds: Vec<Hold>,
    /// Active subscriptions, by calendar.
    pub subscriptions: Vec<Subscription>,
    /// Earliest `not_before` of the writes waiting for each calendar.
    pub waiting_writes: Vec<(CalendarId, Option<Ts>)>,
}

impl UserState {
    /// The rules in force.
    pub fn rules_in_force(&self) -> Vec<Rule> {
        rule::effective(&self.rules, &self.calendars, &self.rule_defaults)
    }
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
    /// Blocks that it showed, new or not, and what it told to be gone: what the journal waits for is among them.
    pub shown: Vec<Shown>,
    /// Where reading goes on; `None`: the next listing must be full.
    pub cursor: Option<Cursor>,
    /// A full listing ended with this.
    pub full: Option<FullListing>,
    /// When its cursor was refused lately, if that changed.
    pub cursor_losses: Option<CursorLosses>,
    /// The calendar's zone, if it became known.
    pub time_zone: Option<String>,
    /// Calendars whose blocks must be planned again.
    pub targets: Vec<CalendarId>,
    /// When.
    pub at: Ts,
}

impl PullApply {
    /// Whether our picture of the calendar stays as it is.
    pub fn shows_nothing_new(&self) -> bool {
        self.events.is_empty()
            && self.events_gone.is_empty()
            && self.blocks.is_empty()
            && self.blocks_gone.is_empty()
    }
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
    /// A run that reads nothing and was not begun, if the plan is one's.
    pub run: Option<Run>,
    /// Writes that had been carried out before, as it turned out: only the journal has not heard of them yet.
    pub found: Vec<Settlement>,
}

impl Enqueue {
    /// The runs that have something to show for it: those that planned what waits now, if that is something else than before, and
    /// those that found what had been carried out.
    pub fn shown_by(&self, waits_anew: bool) -> BTreeSet<RunId> {
        let writes = self.writes.iter().filter(|_| waits_anew).filter_map(|w| w.cause.as_ref());
        let found = self.found.iter().filter_map(|s| s.entry.as_ref()).map(|entry| &entry.cause);
        writes.chain(found).map(|cause| cause.run).collect()
    }
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
    /// What was kept of each of them, in the same order.
    pub payloads: Vec<serde_json::Value>,
}

/// Whether a run that ended read its calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looked {
    /// It did: whatever was told before it began is served.
    Read,
    /// What it was told was known already, so that nothing was read: it serves no other deliveries than its own, and says
    /// nothing of a channel's silence.
    Spared,
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
    /// Whether it read the calendar.
    pub looked: Looked,
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
    /// When somebody should see to it; `None`: as it stands, which may have changed since the run began.
    pub renew_at: Option<Ts>,
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

/// A step ends: its user is given back, and what it showed of their rules is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StepEnd {
    /// When the user's calendars are due next.
    pub next: Vec<NextDue>,
    /// Rules of which something else is known now. One whose calendars are gone is left aside.
    pub rules: Vec<Freshness>,
    /// Rules that are not in force any more.
    pub gone: Vec<RuleId>,
    /// Delays to be added, each hour, bucket and rule once.
    pub delays: Vec<RuleDelay>,
    /// Channels that should tell of what was written, if nothing is awaited of them yet.
    pub awaited: Vec<Awaited>,
}

/// What was written into a watched calendar: its channel should tell of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// Which channel.
    pub subscription: SubscriptionId,
    /// When writing began.
    pub since: Ts,
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
    /// Active and ending so soon that renewal should have taken them long ago.
    pub late: u64,
    /// Active with five failures in a row or more.
    pub failing: u64,
    /// Calendars that should have one, and for which opening one has failed.
    pub unwatched: u64,
}

/// How many subscriptions there are of one provider and status: kept as they change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubscriptionCensus {
    /// Which provider.
    pub provider: ProviderKind,
    /// Which status.
    pub status: SubscriptionStatus,
    /// How many.
    pub count: u64,
}

/// Notifications received in one stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NotificationSpan {
    /// Its first instant.
    pub from: Ts,
    /// Their figures; `pending` is what is neither completed nor failed of them.
    pub metrics: NotificationMetrics,
}

/// How it was in one hour, as it was seen last in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HealthHour {
    /// Which, as its first instant.
    pub hour: Ts,
    /// Active subscriptions.
    pub active: u64,
    /// Healthy ones among them.
    pub healthy: u64,
    /// How loud the worst of the hour was: 0 healthy, 1 degraded, 2 critical.
    pub worst: u8,
}

/// A notification that came lately, for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recent {
    /// Which.
    pub id: NotificationId,
    /// Of which calendar.
    pub calendar: CalendarId,
    /// From which provider.
    pub provider: ProviderKind,
    /// When.
    pub received_at: Ts,
    /// How far it has come.
    pub status: ProcessingStatus,
    /// How long it took, where it is completed.
    pub took_ms: Option<i64>,
    /// What went wrong, in words.
    pub error: Option<String>,
}

/// A calendar that should have been looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overdue {
    /// Which.
    pub calendar: CalendarId,
    /// When it was due.
    pub due_at: Ts,
    /// Who is at work on its user, if anybody is.
    pub held_by: Option<String>,
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

/// What grows for ever unless it is pruned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Prunable {
    /// Notifications that are finished, by when they were received.
    Notifications,
    /// Subscriptions out of use without notifications, by when they ended.
    Subscriptions,
    /// Runs, by when they began.
    Runs,
    /// Rows of the journal, by when they were written.
    Journal,
    /// Ledger rows of blocks that are gone, by when they were last written.
    Ledger,
    /// Figures of notifications and of calls to providers, by their minute.
    Figures,
    /// Lines of the audit log.
    Audit,
    /// Resolved alerts and what was said of them, by when they were resolved.
    Alerts,
}

impl Prunable {
    /// All of them, in an order in which each leaves nothing that a later one would have needed.
    pub const ALL: [Prunable; 8] = [
        Prunable::Notifications,
        Prunable::Subscriptions,
        Prunable::Runs,
        Prunable::Journal,
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
