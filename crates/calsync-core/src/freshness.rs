//! How fresh the blocks of each rule are: when a rule was last known to be right, until when that may be trusted without another
//! look, and how long changes took to their blocks. Pure: it is told what a step did, and knows neither clock nor store.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{CalendarId, RuleId};
use crate::time::Ts;

mod delays;
mod origin;

pub use delays::{BUCKETS, Delays, Quantiles, RuleDelay, tally};
pub use origin::{Delay, LATE_MAX, Look, Origins, stamp};

/// A rule should be right again so long after something is known to be outstanding, unless configured otherwise.
pub const PROMISE: SignedDuration = SignedDuration::from_mins(10);
/// Figures of delays are of so long.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A row that says nothing new but the time is not written again within this: looks are many.
const NOTED_APART: SignedDuration = SignedDuration::from_mins(1);
/// The next step of the same person may take as long as this one, and the one under way then as well.
const STEPS_AHEAD: i32 = 2;

/// How it stands with a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleStanding)]
pub enum Standing {
    /// Its source was read, and everything that follows from it stands in the target.
    Right,
    /// Blocks are on their way, and some arrive in each step: a first filling.
    Filling,
    /// Blocks wait to be written, and none arrives.
    Waiting,
    /// Its source could not be read, which may pass.
    Unread,
    /// The target's plan is held by the brake. People are told of that.
    Held,
    /// The target takes no blocks, or its plan was refused. People are told of that.
    Refused,
    /// Its source can not be read, and will not be without somebody's doing. People are told of that.
    Unreadable,
    /// One of its calendars can not be used: its account must be connected again, or it was stopped, or is gone. Whoever is
    /// concerned knows.
    Paused,
}

impl Standing {
    /// Whether anything is promised while it stands so. What people are told of otherwise is not told twice.
    pub const fn promises(self) -> bool {
        matches!(self, Standing::Right | Standing::Filling | Standing::Waiting | Standing::Unread)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Right => "right",
            Standing::Filling => "filling",
            Standing::Waiting => "waiting",
            Standing::Unread => "unread",
            Standing::Held => "held",
            Standing::Refused => "refused",
            Standing::Unreadable => "unreadable",
            Standing::Paused => "paused",
        }
    }

    /// What keeps a rule from being right that is behind, in words.
    pub const fn cause(self) -> &'static str {
        match self {
            Standing::Right => "its source was not looked at in time",
            Standing::Filling => "its blocks are being written, and that takes too long",
            Standing::Waiting => "blocks wait to be written: the target's provider does not take them",
            Standing::Unread => "its source can not be read at the moment",
            Standing::Held => "the target's plan is held",
            Standing::Refused => "the target does not take blocks",
            Standing::Unreadable => "its source can not be read",
            Standing::Paused => "one of its calendars can not be used",
        }
    }
}

/// What is known of a rule's freshness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Freshness {
    /// Which rule.
    pub rule: RuleId,
    /// Where its events are.
    pub source: CalendarId,
    /// Where its blocks are.
    pub target: CalendarId,
    /// How it stands.
    pub standing: Standing,
    /// Since when it stands so.
    pub since: Ts,
    /// When it was last known to be right.
    pub right_at: Option<Ts>,
    /// Until when it is trusted, or given time, without another look; `None`: nothing is promised.
    pub promised_until: Option<Ts>,
}

impl Freshness {
    /// Whether its promise has passed.
    pub fn is_behind(&self, now: Ts) -> bool {
        self.promised_until.is_some_and(|until| until < now)
    }

    /// Whether it says so much more than `known` that it is worth writing down.
    pub fn is_news(&self, known: Option<&Freshness>) -> bool {
        let Some(known) = known else { return true };
        let moved = |from: Option<Ts>, to: Option<Ts>| match (from, to) {
            (Some(from), Some(to)) => from.since(to).abs() >= NOTED_APART,
            (from, to) => from != to,
        };
        let ends = |of: &Freshness| (of.rule, of.source, of.target, of.standing);
        ends(self) != ends(known)
            || moved(known.right_at, self.right_at)
            || moved(known.promised_until, self.promised_until)
    }
}

/// What a step showed of a rule's source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceSeen {
    /// It was read; the reading began then.
    Read(Ts),
    /// It could not be read, which may pass.
    Failed,
    /// It could not be read, and people are told.
    Unreadable,
    /// It was not looked at. When it was last read.
    NotLooked(Option<Ts>),
}

/// What a step left of a rule's target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetSeen {
    /// Nothing is outstanding.
    Done,
    /// Something is, and some blocks were written.
    Moving,
    /// Something is, and no block could be written.
    Waiting,
    /// Something is, and nobody tried.
    NotTried,
    /// Its plan is held.
    Held,
    /// It takes no blocks, or its plan was refused; people are told.
    Refused,
}

/// What a step showed of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Which rule.
    pub rule: RuleId,
    /// Its source.
    pub source: CalendarId,
    /// Its target.
    pub target: CalendarId,
    /// How the two were found; `None`: one of them can not be used.
    pub calendars: Option<(SourceSeen, TargetSeen)>,
    /// When the source is looked at next.
    pub next_look: Option<Ts>,
}

/// What a step's end is measured by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// When it ended.
    pub now: Ts,
    /// How long it took.
    pub took: SignedDuration,
    /// How soon things should be right again.
    pub promise: SignedDuration,
}

/// What is known of a rule after a step. `known`: before it.
pub fn after_step(known: Option<&Freshness>, seen: &Seen, pace: &Pace) -> Freshness {
    let known = known.filter(|known| (known.source, known.target) == (seen.source, seen.target));
    let standing = standing(known, seen);
    let right_at = known.and_then(|known| known.right_at);
    let read_at = match seen.calendars {
        Some((SourceSeen::Read(at) | SourceSeen::NotLooked(Some(at)), _)) => Some(at),
        _ => None,
    };
    let time = pace.promise.saturating_add(pace.took.max(SignedDuration::ZERO) * STEPS_AHEAD);
    let promised_until = match standing {
        Standing::Right => Some(seen.next_look.unwrap_or(pace.now).max(pace.now).plus(time)),
        Standing::Filling => Some(pace.now.plus(time)),
        // Its time runs from when it was first known, however often it fails meanwhile.
        Standing::Waiting | Standing::Unread => {
            let until = pace.now.plus(time);
            Some(known.and_then(|known| known.promised_until).map_or(until, |given| given.min(until)))
        }
        Standing::Held | Standing::Refused | Standing::Unreadable | Standing::Paused => None,
    };
    Freshness {
        rule: seen.rule,
        source: seen.source,
        target: seen.target,
        standing,
        since: known.filter(|known| known.standing == standing).map_or(pace.now, |known| known.since),
        right_at: if standing == Standing::Right { right_at.max(read_at) } else { right_at },
        promised_until,
    }
}

/// The worst of what was seen, and of what was known and has not been looked at since.
fn standing(known: Option<&Freshness>, seen: &Seen) -> Standing {
    let Some((source, target)) = seen.calendars else { return Standing::Paused };
    let was = |standing| known.filter(|known| known.standing == standing);
    // What was known of the source holds until it was read again.
    let still = |standing, read_at: Option<Ts>| {
        was(standing).is_some_and(|known| read_at.is_none_or(|at| at <= known.since))
    };
    let source = match source {
        SourceSeen::Read(_) => Standing::Right,
        SourceSeen::Failed => Standing::Unread,
        SourceSeen::Unreadable => Standing::Unreadable,
        SourceSeen::NotLooked(at) if still(Standing::Unreadable, at) => Standing::Unreadable,
        SourceSeen::NotLooked(at) if at.is_none() || still(Standing::Unread, at) => Standing::Unread,
        SourceSeen::NotLooked(_) => Standing::Right,
    };
    let target = match target {
        TargetSeen::Held => Standing::Held,
        TargetSeen::Refused => Standing::Refused,
        TargetSeen::NotTried if was(Standing::Refused).is_some() => Standing::Refused,
        TargetSeen::Waiting | TargetSeen::NotTried => Standing::Waiting,
        TargetSeen::Moving => Standing::Filling,
        TargetSeen::Done => Standing::Right,
    };
    source.max(target)
}

#[cfg(test)]
mod tests;
