//! How well the whole system is (spec §8): from figures to a level, findings, conditions that people are told of, and
//! recommendations. Pure: the same figures give the same report.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::alert::{AlertKind, AlertLevel};
use crate::calendar::ProviderKind;
use crate::freshness::Freshness;
use crate::ports::{NotificationMetrics, Overdue, SubscriptionCensus, SubscriptionMetrics};

mod assess;
mod damp;
mod respond;

pub use assess::{assess, assess_settling};
pub use damp::{Change, Damped, damp};
pub use respond::{Owed, Response, responses};

/// Figures of notifications are of so long (spec §8).
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Figures of calls that people are shown are of so long (spec §8).
pub const CALLS_SHOWN: SignedDuration = SignedDuration::from_hours(1);
/// Calls that are judged are of so long.
pub const CALLS_JUDGED: SignedDuration = SignedDuration::from_mins(5);
/// Notifications older than this should have been served (spec §8).
pub const BACKLOG_AGE: SignedDuration = SignedDuration::from_mins(5);
/// A calendar should be looked at when it is due; whoever takes longer than this stands still.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// How well it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All is well.
    Healthy,
    /// Some of it is not; it goes on.
    Degraded,
    /// People are let down.
    Critical,
}

impl Level {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Healthy => "healthy",
            Level::Degraded => "degraded",
            Level::Critical => "critical",
        }
    }

    /// 0 healthy, 1 degraded, 2 critical: as a number in series and exit codes.
    pub const fn number(self) -> u8 {
        match self {
            Level::Healthy => 0,
            Level::Degraded => 1,
            Level::Critical => 2,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether something that we depend on answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Answer {
    /// It does.
    Answers {
        /// After so long, in milliseconds.
        ms: u64,
    },
    /// It does not, or not in time.
    Silent {
        /// Why, in words; no address, no secret.
        why: String,
    },
}

impl Answer {
    /// Whether it answers.
    pub const fn is_there(&self) -> bool {
        matches!(self, Answer::Answers { .. })
    }
}

/// The disk that the data directory is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Disk {
    /// Bytes that are free for us.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Memory {
    /// Bytes that this process takes up.
    pub resident: u64,
    /// Bytes that are there for it still.
    pub available: u64,
    /// Bytes in all: the machine's, or what its control group may use.
    pub total: u64,
}

/// Calls to one provider, of all instances together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Calls {
    /// Which provider.
    pub provider: ProviderKind,
    /// Calls of the last hour.
    pub calls: u64,
    /// Failed ones among them.
    pub errors: u64,
    /// Their mean time, in milliseconds.
    pub average_ms: u64,
    /// The busiest minute's share of what the provider allows in one, in per cent, where it limits us as a whole.
    pub quota_percent: Option<u64>,
    /// Calls of the last few minutes.
    pub lately: u64,
    /// Ones among them that the provider, or the way to it, is to blame for.
    pub lately_failed: u64,
    /// Ones among them that were too many.
    pub lately_throttled: u64,
}

/// A job by the clock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LateJob {
    /// Its name.
    pub name: String,
    /// It should have been done so many seconds ago.
    pub late_seconds: i64,
}

/// What the database tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Stored {
    /// Whether push channels are wanted at all: providers can reach us, and the rollout flags are not off.
    pub push_wanted: bool,
    /// Subscriptions.
    pub subscriptions: SubscriptionMetrics,
    /// How many there are of each provider and status.
    pub census: Vec<SubscriptionCensus>,
    /// Notifications of the last day.
    pub notifications: NotificationMetrics,
    /// Notifications that should have been served.
    pub waiting: u64,
    /// Calls to the providers.
    pub calls: Vec<Calls>,
    /// Calendars that should have been looked at; the first few.
    #[serde(skip)]
    pub overdue: Vec<Overdue>,
    /// Jobs that should have been done.
    pub late_jobs: Vec<LateJob>,
    /// Rules whose promise has passed; the first few.
    #[serde(skip)]
    pub behind: Vec<Freshness>,
}

impl Stored {
    /// Channels that should be active (spec §8): those that are, and those that could be and are not.
    pub const fn channels_wanted(&self) -> u64 {
        let missing = if self.push_wanted { self.subscriptions.unwatched } else { 0 };
        self.subscriptions.active + missing
    }
}

/// What is known at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Figures {
    /// The database.
    pub database: Answer,
    /// Redis, where it is configured.
    pub cache: Option<Answer>,
    /// The disk, where it can be told.
    pub disk: Option<Disk>,
    /// Memory, where it can be told.
    pub memory: Option<Memory>,
    /// The clock was set by so many seconds since the last look.
    pub clock_jumped: Option<i64>,
    /// What the database tells; nothing, if it does not answer.
    pub stored: Option<Stored>,
}

impl Figures {
    /// The same where the database answers, and takes nothing: it is locked, full or read-only. `why`: as far as that is known.
    #[must_use]
    pub fn without_writes(self, why: Option<&str>) -> Figures {
        match self.database {
            Answer::Silent { .. } => self,
            Answer::Answers { .. } => {
                let words = "it takes no writes";
                let why = why.map_or(words.to_owned(), |why| format!("{words}: {why}"));
                Figures { database: Answer::Silent { why }, ..self }
            }
        }
    }
}

/// One check, and how it came out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Its name.
    pub check: &'static str,
    /// How it came out.
    pub level: Level,
    /// Why, in words.
    pub says: String,
}

/// Something that people are told of for as long as it is so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Condition {
    /// Which.
    #[serde(serialize_with = "name")]
    pub kind: AlertKind,
    /// What it is about; empty for the whole system.
    pub subject: String,
    /// How loud.
    pub level: AlertLevel,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: String,
}

fn name<S: serde::Serializer>(kind: &AlertKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

/// How well it is, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// The worst of the findings.
    pub level: Level,
    /// Every check.
    pub findings: Vec<Finding>,
    /// What people are told of.
    pub conditions: Vec<Condition>,
    /// Kinds of conditions that nobody can judge now: what is open of them is neither confirmed nor over.
    #[serde(skip)]
    pub unjudged: Vec<AlertKind>,
    /// What could be better.
    pub recommendations: Vec<String>,
}

#[cfg(test)]
mod tests;
