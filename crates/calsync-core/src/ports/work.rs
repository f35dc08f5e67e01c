//! The work on one user: who may do it, what it rests on, what each part of it found, and how it ended.

use std::collections::BTreeSet;

use crate::block::ObservedBlock;
use crate::calendar::{Account, Calendar, Cursor, User};
use crate::cursor_loss::CursorLosses;
use crate::delivery::Delivery;
use crate::event::Event;
use crate::freshness::{Freshness, RuleDelay};
use crate::hold::Hold;
use crate::ids::{CalendarId, EventId, NotificationId, RuleId, RunId, SubscriptionId, UserId};
use crate::journal::Shown;
use crate::ledger::{LedgerRow, Settlement, Write};
use crate::names::Names;
use crate::notification::{AfterFailure, Served};
use crate::rule::{self, Rule, RuleDefaults};
use crate::run::{Run, RunCounts, RunStatus};
use crate::subscription::Subscription;
use crate::time::Ts;

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

    /// What their calendars are called.
    pub fn names(&self) -> Names {
        Names::of(&self.calendars, &self.accounts)
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

/// How thoroughly to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// At what changed.
    Changes,
    /// At everything.
    Full,
}
