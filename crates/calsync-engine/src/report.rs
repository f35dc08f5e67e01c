//! What a step did, for logs, demo and statistics.

use calsync_core::block::OccurrenceKey;
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, CorrelationId, NotificationId, RunId, UserId};
use calsync_core::plan::ActionKind;
use calsync_core::ports::ProviderError;
use calsync_core::run::{RunCounts, RunKind};
use calsync_core::time::{Span, Ts};
use jiff::SignedDuration;

/// What one step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepReport {
    /// Whose calendars.
    pub user: UserId,
    /// Calendars read.
    pub read: Vec<CalendarReport>,
    /// Blocks written.
    pub blocks: Vec<BlockChange>,
    /// How long the changes took that they answer, from the provider's clock on: see `core::freshness`.
    pub delays: Vec<SignedDuration>,
    /// Writes that failed, and were put off or given up for now.
    pub failed_writes: Vec<FailedWrite>,
    /// Plans that are held.
    pub held: Vec<Hold>,
    /// Targets with writes that still wait.
    pub waiting: u64,
    /// Runs that failed, in words.
    pub errors: Vec<String>,
}

/// One calendar read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarReport {
    /// The run.
    pub run: RunId,
    /// Which.
    pub calendar: CalendarId,
    /// How.
    pub kind: RunKind,
    /// What asked for it, in words.
    pub trigger: &'static str,
    /// What was counted.
    pub counts: RunCounts,
    /// When the notifications were received that it answered: of those that it failed to answer, none.
    pub answered: Vec<Ts>,
    /// What it showed of the calendar's channel.
    pub showed: ChannelShowed,
    /// When it ended.
    pub ended_at: Ts,
    /// Notifications served.
    pub notifications: Vec<NotificationId>,
    /// From its beginning until its blocks stood.
    pub took: SignedDuration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A write that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedWrite {
    /// Into which calendar.
    pub target: CalendarId,
    /// Of which block.
    pub correlation: CorrelationId,
    /// What was to be done.
    pub kind: ActionKind,
    /// Tries so far.
    pub attempts: u32,
    /// What went wrong.
    pub error: ProviderError,
}

/// What a run showed of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelShowed {
    /// Nothing: there is none, or nothing had changed.
    Nothing,
    /// It had told of what was found.
    Told,
    /// It had not, and it had its time.
    Missed,
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
