//! The planner: (rules, events, ledger, what stands in the target) → what to do, and why. Pure, total and sorted: the
//! same input gives the same bytes. It is asked per target, because the brake and "the same meeting is already there"
//! are questions about a target.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::block::{BlockContent, Identity, OccurrenceKey};
use crate::calendar::Calendar;
use crate::hold::{self, Hold, Removals, Verdict};
use crate::ids::{CalendarId, CorrelationId, RuleId};
use crate::ledger::{LedgerRow, LedgerState, Write, WriteOp};
use crate::mirror::Mirror;
use crate::ports::{Capabilities, Enqueue};
use crate::rule::Rule;
use crate::time::{Span, Ts, Window};

mod check;
mod desire;
mod reason;
mod reconcile;
mod removal;
#[cfg(test)]
pub(crate) mod tests;
mod word;

pub use check::{Violation, check};
pub use reason::{Reason, SkipReason};
pub use word::{Outcome, Word};

/// All that a plan for one target depends on.
pub struct PlanInput<'a> {
    /// Where blocks are written.
    pub target: &'a Calendar,
    /// The rules in force into it.
    pub rules: Vec<RuleInput<'a>>,
    /// What stands there.
    pub mirror: &'a Mirror,
    /// What we wrote there.
    pub ledger: &'a [LedgerRow],
    /// Our own mark.
    pub identity: &'a Identity,
    /// What the target's provider can do.
    pub capabilities: Capabilities,
    /// The time we look at.
    pub window: Window,
    /// The hold in force, if any.
    pub hold: Option<&'a Hold>,
    /// Now.
    pub now: Ts,
}

/// One rule with its source.
pub struct RuleInput<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Where events are read.
    pub source: &'a Calendar,
    /// What is there.
    pub mirror: &'a Mirror,
}

impl PlanInput<'_> {
    /// Whether the target was ever read to its end. Before that its mirror proves nothing: not that a block is missing,
    /// not that a meeting is not there.
    fn is_known(&self) -> bool {
        self.target.last_full_sync.is_some()
    }
}

impl RuleInput<'_> {
    /// Whether the source was ever read to its end. Before that its mirror proves nothing.
    fn is_known(&self) -> bool {
        self.source.last_full_sync.is_some()
    }

    /// The part of the window that readings of the source cover.
    fn looked_at(&self, window: &Window) -> Option<Window> {
        self.source.cursor.as_ref().map_or(Some(*window), |cursor| window.intersect(cursor.covers))
    }
}

/// What to do about one target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Which target.
    pub target: CalendarId,
    /// Its dirty generation when the plan was made.
    pub seen_generation: i64,
    /// What to do, the nearest time first.
    pub actions: Vec<Action>,
    /// What makes no block, and why.
    pub skips: Vec<Skip>,
    /// Blocks that are right as they are.
    pub kept: Vec<Kept>,
    /// Of those that are taken over, what came to stand there while the ledger says otherwise: a write whose answer was lost.
    pub found: BTreeMap<CorrelationId, BlockContent>,
    /// Go, or hold.
    pub verdict: Verdict,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action {
    /// What sort of thing.
    pub kind: ActionKind,
    /// Why.
    pub reason: Reason,
    /// The ledger row from now on.
    pub row: LedgerRow,
    /// The call that it takes, if any.
    pub write: Option<WriteOp>,
}

/// What sort of thing to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ActionKind {
    /// Make a block.
    Create,
    /// Change one.
    Update,
    /// Remove one.
    Delete,
    /// Take over one that stands already.
    Adopt,
    /// Strike one that is gone from the ledger.
    Forget,
    /// Leave one as a person made it.
    Yield,
}

/// An occurrence that makes no block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// By which rule.
    pub rule: RuleId,
    /// From which calendar.
    pub source: CalendarId,
    /// Which.
    pub occurrence: OccurrenceKey,
    /// When it is, where that is known.
    pub span: Option<Span>,
    /// Why not.
    pub reason: SkipReason,
}

/// A block that is right as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Which.
    pub correlation: CorrelationId,
    /// By which rule.
    pub rule: RuleId,
    /// From which calendar.
    pub source: CalendarId,
    /// For which occurrence.
    pub occurrence: OccurrenceKey,
    /// The time it holds.
    pub span: Span,
}

/// What should stand.
struct Desired<'a> {
    rule: &'a Rule,
    occurrence: OccurrenceKey,
    content: BlockContent,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The plan as the store takes it over. A held plan changes nothing but the hold, and removes what a person asked to
    /// have removed: they are not to wait for somebody else's doubts.
    pub fn enqueue(&self) -> Enqueue {
        let hold = match &self.verdict {
            Verdict::Go => None,
            Verdict::Hold(hold) => Some(hold.clone()),
        };
        let asked_for = |a: &&Action| a.kind == ActionKind::Delete && a.reason == Reason::RuleGone;
        let actions: Vec<&Action> = self.actions.iter().filter(|a| hold.is_none() || asked_for(a)).collect();
        let write = |a: &&Action| {
            let op = a.write.clone()?;
            Some(Write {
                correlation: a.row.correlation,
                target: self.target,
                op,
                attempts: 0,
                not_before: None,
                error: None,
                changed_at: None,
                cause: None,
            })
        };
        Enqueue {
            target: self.target,
            seen_generation: self.seen_generation,
            ledger: actions.iter().map(|a| a.row.clone()).collect(),
            writes: actions.iter().filter_map(write).collect(),
            hold,
            run: None,
            found: Vec::new(),
        }
    }
}

/// Plans one target.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let zone = input.target.zone();
    let wanted = desire::desired(input, &zone);
    let outcome = reconcile::reconcile(input, &wanted);
    let mut actions = outcome.actions;
    let now = input.now;
    // Nearest first (users.md §4 row 10): what is over already can wait.
    actions.sort_by_cached_key(|a| {
        let (start, end) = a.row.span.instants(&TimeZone::UTC);
        (end < now, start, a.row.correlation)
    });
    let removals = removals(input, &actions, &wanted.blocks);
    // Without a source there is nothing to read again but the target itself. One that was stopped is not read.
    let listed_since = match input.rules.as_slice() {
        [] => input.target.last_full_sync,
        rules => {
            let read = rules.iter().filter(|r| !r.source.is_stopped());
            read.map(|r| r.source.last_full_sync).min().flatten()
        }
    };
    let verdict = hold::decide(input.target.id, &removals, input.hold, listed_since, now);
    let mut skips = wanted.skips;
    skips.extend(outcome.skips);
    Plan {
        target: input.target.id,
        seen_generation: input.target.dirty_generation,
        actions,
        skips,
        kept: outcome.kept,
        found: outcome.found,
        verdict,
    }
}

/// What the brake looks at: what stands there for sure and would go. A removal that was let through before and is not
/// carried out yet has no echo, and is not asked about again.
fn removals(
    input: &PlanInput<'_>,
    actions: &[Action],
    wanted: &BTreeMap<CorrelationId, Desired<'_>>,
) -> Removals {
    let stands = |row: &&LedgerRow| reconcile::stands(row) && row.state != LedgerState::Creating;
    let suspect = |a: &&Action| {
        // From a calendar on its way out a person had everything removed.
        let asked_for = input.target.is_on_its_way_out();
        let removed = a.kind == ActionKind::Delete && a.reason.rests_on_absence() && !asked_for;
        // Many blocks gone at once may be a reading that did not show them: writing them anew would double each.
        let vanished = a.reason == Reason::PutBackRemoved;
        removed || vanished
    };
    if !actions.iter().any(|a| suspect(&a)) {
        return Removals::default();
    }
    let decided = |row: &&LedgerRow| reconcile::stands(row) && row.echo.is_none();
    let decided: BTreeSet<CorrelationId> =
        input.ledger.iter().filter(decided).map(|r| r.correlation).collect();
    let counted = |a: &&Action| suspect(a) && !decided.contains(&a.row.correlation);
    let blocks: Vec<_> = actions.iter().filter(counted).map(|a| a.row.correlation).collect();
    // Blocks of former times stand there too; a share of them would be no brake.
    let in_window = |row: &&LedgerRow| row.span.touches(&input.window, &TimeZone::UTC);
    let standing = input.ledger.iter().filter(stands).filter(in_window).count();
    let still_wanted: BTreeSet<CalendarId> = wanted.values().map(|d| d.rule.source).collect();
    let mut removed_from: BTreeMap<CalendarId, usize> = BTreeMap::new();
    for action in actions.iter().filter(counted).filter(|a| a.kind == ActionKind::Delete) {
        *removed_from.entry(action.row.source).or_default() += 1;
    }
    let emptied_sources = removed_from
        .iter()
        .filter(|(source, removed)| **removed > hold::SOURCE_EMPTIED_FROM && !still_wanted.contains(source))
        .count();
    Removals { blocks, standing, emptied_sources }
}
