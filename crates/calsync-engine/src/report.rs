//! What a step did, for logs, demo and statistics.

use calsync_core::block::OccurrenceKey;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::plan::ActionKind;
use calsync_core::run::{RunCounts, RunKind};
use calsync_core::time::Span;

/// What one step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepReport {
    /// Whose calendars.
    pub user: UserId,
    /// Calendars read.
    pub read: Vec<CalendarReport>,
    /// Blocks written.
    pub blocks: Vec<BlockChange>,
    /// Targets whose plan is held.
    pub held: Vec<CalendarId>,
    /// Targets with writes that still wait.
    pub waiting: u64,
    /// Runs that failed, in words.
    pub errors: Vec<String>,
}

/// One calendar read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarReport {
    /// Which.
    pub calendar: CalendarId,
    /// How.
    pub kind: RunKind,
    /// What was counted.
    pub counts: RunCounts,
    /// Notifications served.
    pub notifications: usize,
}

/// One block written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockChange {
    /// Whose time it holds.
    pub source: CalendarId,
    /// Where it stands.
    pub target: CalendarId,
    /// For which occurrence.
    pub occurrence: OccurrenceKey,
    /// What was done.
    pub kind: ActionKind,
    /// The time it holds.
    pub span: Span,
}
