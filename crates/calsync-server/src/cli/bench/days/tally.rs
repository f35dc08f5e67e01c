//! What is counted while people live, and what it comes to.

use std::ops::AddAssign;

use calsync_sim::oracle::Judgement;
use serde::Serialize;

use super::super::calls::counted::Calls;
use super::super::figures::per_mille;

/// Mismatches that are told in words.
const WORDS_MAX: usize = 5;

/// Everything that is counted.
#[derive(Clone, Default, Debug, Serialize)]
pub(super) struct Tally {
    /// Calendars, each counted once for each day.
    pub(super) calendar_days: u64,
    pub(super) changes: u64,
    pub(super) notices: Notices,
    pub(super) guard: Guard,
    pub(super) runs: Runs,
    pub(super) channels: Channels,
    pub(super) calls: Calls,
    /// Runs that failed: nothing here gives a reason to.
    pub(super) failed: u64,
    /// Changes in the way of which the brake stood.
    pub(super) held: u64,
    /// Calendars that a change touched, and nobody had read again in the end.
    pub(super) unread: u64,
    pub(super) judged: Judged,
    /// From each change until its blocks stood right, in milliseconds.
    #[serde(skip)]
    pub(super) waits: Vec<u32>,
}

/// Notices of the providers.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub(super) struct Notices {
    pub(super) told: u64,
    pub(super) lost: u64,
}

/// Whether calendars are watched at every moment.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub(super) struct Guard {
    /// Moments at which something happened, each counted for each calendar.
    pub(super) moments: u64,
    /// Of these: the calendar had neither a live channel nor a time by which it is polled.
    pub(super) uncovered: u64,
}

/// Runs, by what asked for them.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Runs {
    /// Asked for by notifications.
    pub(super) webhook: u64,
    /// Asked for by ourselves, of a watched calendar: its channel was renewed, or a push may have outrun the listing.
    pub(super) own: u64,
    /// A channel that is relied on was silent for long.
    pub(super) probes: u64,
    /// A change was found that nobody had told of: is it told of after all?
    pub(super) second_looks: u64,
    /// By the clock, where no channel is relied on.
    pub(super) polls: u64,
    /// The daily full listing, and others in full.
    pub(super) full: u64,
}

impl Runs {
    pub(super) fn all(self) -> u64 {
        self.without_nets() + self.probes + self.full
    }

    /// The safety nets that spec §6 asks for left aside: daily full listings, and looks at silent channels.
    pub(super) fn without_nets(self) -> u64 {
        self.webhook + self.own + self.second_looks + self.polls
    }
}

/// What befell channels, and what was thought of them.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Channels {
    /// Where there was none.
    pub(super) opened: u64,
    /// Prolonged, or replaced, because its end was near.
    pub(super) renewed: u64,
    /// The same because it had missed changes.
    pub(super) repaired: u64,
    pub(super) suspended: u64,
    /// Changes judged to have been missed.
    pub(super) misses: u64,
}

/// What the oracle says.
#[derive(Clone, Default, Debug, Serialize)]
pub(super) struct Judged {
    /// How often it was asked: in the end, and at the end of each day on which nothing was open.
    pub(super) times: u64,
    pub(super) blocks: u64,
    pub(super) mismatches: u64,
    pub(super) duplicates: u64,
    pub(super) foreign_events_touched: u64,
    pub(super) could_have_mailed: u64,
    pub(super) words: Vec<String>,
}

impl Judged {
    pub(super) fn note(&mut self, judgement: &Judgement) {
        self.times += 1;
        self.blocks = judgement.blocks;
        self.mismatches += judgement.mismatches.len() as u64;
        // These are found again each time.
        self.duplicates = self.duplicates.max(judgement.duplicates);
        self.foreign_events_touched = self.foreign_events_touched.max(judgement.foreign_events_touched);
        self.could_have_mailed = self.could_have_mailed.max(judgement.could_have_mailed);
        let room = WORDS_MAX.saturating_sub(self.words.len());
        self.words.extend(judgement.mismatches.iter().take(room).cloned());
    }

    pub(super) fn is_good(&self) -> bool {
        self.mismatches + self.duplicates + self.foreign_events_touched + self.could_have_mailed == 0
    }
}

/// From a change to its blocks, in milliseconds.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Staleness {
    pub(super) p50_ms: u32,
    pub(super) p95_ms: u32,
    pub(super) max_ms: u32,
}

impl Tally {
    pub(super) fn staleness(&self) -> Staleness {
        let mut sorted = self.waits.clone();
        sorted.sort_unstable();
        let share = |of| per_mille(&sorted, of);
        Staleness { p50_ms: share(500), p95_ms: share(950), max_ms: share(1000) }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.calendar_days += other.calendar_days;
        self.changes += other.changes;
        self.notices.told += other.notices.told;
        self.notices.lost += other.notices.lost;
        self.guard += other.guard;
        self.runs += other.runs;
        self.channels += other.channels;
        self.calls = self.calls.plus(other.calls);
        self.failed += other.failed;
        self.held += other.held;
        self.unread += other.unread;
        self.judged += other.judged;
        self.waits.extend(other.waits);
    }
}

impl AddAssign for Guard {
    fn add_assign(&mut self, other: Guard) {
        self.moments += other.moments;
        self.uncovered += other.uncovered;
    }
}

impl AddAssign for Runs {
    fn add_assign(&mut self, other: Runs) {
        self.webhook += other.webhook;
        self.own += other.own;
        self.probes += other.probes;
        self.second_looks += other.second_looks;
        self.polls += other.polls;
        self.full += other.full;
    }
}

impl AddAssign for Channels {
    fn add_assign(&mut self, other: Channels) {
        self.opened += other.opened;
        self.renewed += other.renewed;
        self.repaired += other.repaired;
        self.suspended += other.suspended;
        self.misses += other.misses;
    }
}

impl AddAssign for Judged {
    fn add_assign(&mut self, other: Judged) {
        self.times += other.times;
        self.blocks += other.blocks;
        self.mismatches += other.mismatches;
        self.duplicates += other.duplicates;
        self.foreign_events_touched += other.foreign_events_touched;
        self.could_have_mailed += other.could_have_mailed;
        self.words.extend(other.words);
        self.words.truncate(WORDS_MAX);
    }
}
