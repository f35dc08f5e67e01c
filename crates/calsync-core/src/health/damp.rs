//! The level that the system acts on: it becomes worse when it has been worse for a moment, and better when it has been better
//! for a while, the longer the oftener it swings. Pure.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Level;
use crate::time::Ts;

/// It is worse when it has been worse for so long.
const WORSE_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// It is better when it has been better for so long; twice as long after each time that it became worse again.
const BETTER_AFTER: SignedDuration = SignedDuration::from_mins(2);
const BETTER_AFTER_MAX: SignedDuration = SignedDuration::from_hours(1);
/// What becomes worse again within this time swings.
const SWINGS_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// How far ahead of ours a stamp may lie before the clock that made it is taken for wrong.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The level in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Damped {
    /// Which.
    pub level: Level,
    /// Since when.
    pub since: Ts,
    /// Another one is seen, since then.
    #[serde(default)]
    pub seen: Option<(Level, Ts)>,
    /// When it last became better.
    #[serde(default)]
    pub better_at: Option<Ts>,
    /// How often it became worse again.
    #[serde(default)]
    pub swings: u32,
}

impl Damped {
    /// Well, from now on: what a system is taken for that nobody has looked at yet.
    pub const fn well(now: Ts) -> Damped {
        Damped { level: Level::Healthy, since: now, seen: None, better_at: None, swings: 0 }
    }
}

/// The level in force is another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// It was this,
    pub from: Level,
    /// and is this.
    pub to: Level,
}

/// What is in force when `level` is seen now.
pub fn damp(known: &Damped, level: Level, now: Ts) -> (Damped, Option<Change>) {
    let sane = |at: Ts| if at > now.plus(CLOCK_SLACK) { now } else { at };
    let known = Damped {
        since: sane(known.since),
        seen: known.seen.map(|(level, at)| (level, sane(at))),
        better_at: known.better_at.map(sane),
        ..*known
    };
    if level == known.level {
        return (Damped { seen: None, ..known }, None);
    }
    // A level between the two that were seen counts as the one that it is on the way to.
    let since = match known.seen {
        Some((seen, at)) if (seen > known.level) == (level > known.level) => at,
        _ => now,
    };
    let worse = level > known.level;
    let wait = if worse { WORSE_AFTER } else { better_after(known.swings) };
    if now.since(since) < wait {
        return (Damped { seen: Some((level, since)), ..known }, None);
    }
    let again = known.better_at.is_some_and(|at| now.since(at) <= SWINGS_WITHIN);
    let swings = match (worse, again) {
        (true, true) => known.swings.saturating_add(1),
        (true, false) => 0,
        (false, _) => known.swings,
    };
    let better_at = if worse { known.better_at } else { Some(now) };
    (
        Damped { level, since: now, seen: None, better_at, swings },
        Some(Change { from: known.level, to: level }),
    )
}

fn better_after(swings: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(swings.min(16)).unwrap_or(i32::MAX);
    BETTER_AFTER.checked_mul(doubled).unwrap_or(BETTER_AFTER_MAX).min(BETTER_AFTER_MAX)
}
