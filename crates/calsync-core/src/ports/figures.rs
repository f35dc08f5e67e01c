//! What the store counts, for health, monitoring and pruning.

use serde::{Deserialize, Serialize};

use crate::calendar::ProviderKind;
use crate::ids::{CalendarId, NotificationId};
use crate::notification::ProcessingStatus;
use crate::subscription::SubscriptionStatus;
use crate::time::Ts;

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
