//! What goes: blocks that nothing asks for any more, and blocks of ours that nobody remembers. Nothing is removed for want
//! of knowledge: an unread source, an unreadable series and a time that was not looked at all mean "leave it".

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::block::{ObservedBlock, OccurrenceKey, generation_of};
use crate::ids::{CalendarId, CorrelationId, EventId, RuleId};
use crate::ledger::{LedgerRow, LedgerState, WriteOp};

use super::check::written_id;
use super::desire::Wanted;
use super::reason::Reason;
use super::reconcile::{Known, stands};
use super::{Action, ActionKind, PlanInput, RuleInput};

/// The blocks that nothing asks for any more.
pub(super) fn unwanted(input: &PlanInput<'_>, wanted: &Wanted<'_>, known: &Known<'_>) -> Vec<Action> {
    let sources: BTreeMap<CalendarId, Source<'_>> =
        input.rules.iter().map(|r| (r.source.id, Source::of(input, r))).collect();
    let may_stand = |row: &LedgerRow| stands(row) || known.came_late(row);
    let unasked = known.rows.iter().filter(|(id, row)| !wanted.blocks.contains_key(id) && may_stand(row));
    let reason = |row: &LedgerRow| match sources.get(&row.source) {
        // Where rules follow from the calendars, one that may only be read has none into it: nobody took them away.
        None if is_locked(input) => None,
        None => Some(Reason::RuleGone),
        Some(source) => source.proves_gone(wanted, row).then_some(Reason::SourceGone),
    };
    unasked.filter_map(|(_, row)| Some(removal(input, known, row, reason(row)?))).collect()
}

/// Whether the target takes part and may not be written to, as its provider says just now: a listing may be wrong, and what is
/// lost may be given back.
fn is_locked(input: &PlanInput<'_>) -> bool {
    input.target.takes_part() && !input.target.access.may_write()
}

/// A source, seen by one who wants to remove something.
struct Source<'a> {
    input: &'a PlanInput<'a>,
    rule: &'a RuleInput<'a>,
    zone: TimeZone,
}

impl<'a> Source<'a> {
    fn of(input: &'a PlanInput<'a>, rule: &'a RuleInput<'a>) -> Source<'a> {
        Source { input, rule, zone: rule.source.zone() }
    }

    /// Whether an occurrence that nothing asks for is really gone: source and target were read, the series could be
    /// read, and the readings reached that far.
    fn proves_gone(&self, wanted: &Wanted<'_>, row: &LedgerRow) -> bool {
        let series = (row.source, row.occurrence.event.clone());
        let looked_at = self.rule.looked_at(&self.input.window);
        self.rule.is_known()
            && self.input.is_known()
            && !wanted.unreadable.contains(&series)
            && looked_at.is_some_and(|window| row.span.touches(&window, &self.zone))
    }
}

fn removal(input: &PlanInput<'_>, known: &Known<'_>, row: &LedgerRow, reason: Reason) -> Action {
    let taken = |id: &EventId| input.mirror.blocks.contains_key(id) || input.mirror.events.contains_key(id);
    let delete = |id: &EventId, version: Option<String>| WriteOp::Delete { id: id.clone(), version };
    let standing = known.named(row);
    if let Some(block) = standing.filter(|block| block.has_guests) {
        // Its guests would be told: it is its owner's from now on. Named, so that it is not taken for one that came late.
        let row = LedgerRow { block: Some(block.id.clone()), state: LedgerState::Gone, ..row.clone() };
        return Action { kind: ActionKind::Forget, reason: Reason::HasGuests, row, write: None };
    }
    // What was seen to stand is no longer being made, or given up.
    let unsettled = matches!(row.state, LedgerState::Creating | LedgerState::Gone);
    let state = if standing.is_some() && unsettled { LedgerState::Live } else { row.state };
    let write = match (standing, row.state, &row.block) {
        (Some(block), _, _) => Some(delete(&block.id, block.version.clone())),
        // Whether it exists is not known: asking for its removal is harmless either way.
        (None, LedgerState::Creating, Some(id)) if !taken(id) => Some(delete(id, None)),
        // In a calendar on its way out nobody looks again: what a reading did not show is asked for all the same.
        (None, LedgerState::Live | LedgerState::Yielded, Some(id))
            if (!input.is_known() || input.target.is_on_its_way_out()) && !taken(id) =>
        {
            Some(delete(id, None))
        }
        (None, _, _) => None,
    };
    match write {
        Some(write) => {
            let block = written_id(&write).cloned();
            let row = LedgerRow { block, state, echo: None, ..row.clone() };
            Action { kind: ActionKind::Delete, reason, row, write: Some(write) }
        }
        None => {
            let row = LedgerRow { state: LedgerState::Gone, ..row.clone() };
            Action { kind: ActionKind::Forget, reason: Reason::AlreadyGone, row, write: None }
        }
    }
}

/// Blocks that carry our signed marker, that no row names and nothing asks for: left by a restored backup or a lost
/// database. Only inside the window, and only when all of every source is known, lest one of them asks for it later. One to
/// which somebody is invited stays: it is a meeting by now.
pub(super) fn orphans(
    input: &PlanInput<'_>,
    wanted: &Wanted<'_>,
    known: &Known<'_>,
    actions: &[Action],
) -> Vec<Action> {
    let windows: Option<Vec<_>> =
        input.rules.iter().map(|r| r.looked_at(&input.window).filter(|_| r.is_known())).collect();
    let Some(windows) = windows.filter(|_| wanted.unreadable.is_empty() && !is_locked(input)) else {
        return Vec::new();
    };
    let looked_at = |block: &ObservedBlock| {
        windows.iter().chain([&input.window]).all(|w| block.span.touches(w, &TimeZone::UTC))
    };
    let taken: BTreeSet<&EventId> = actions.iter().filter_map(|a| a.row.block.as_ref()).collect();
    // One write per correlation at a time: a second block of a busy correlation waits for the next plan.
    let busy: BTreeSet<CorrelationId> = actions.iter().map(|a| a.row.correlation).collect();
    let orphan = |id: &CorrelationId, blocks: &[&ObservedBlock]| {
        let nobodys = |b: &&&ObservedBlock| !taken.contains(&b.id) && !b.has_guests && looked_at(b);
        let block = blocks.iter().find(nobodys)?;
        let row = match known.rows.get(id) {
            // Its correlation has a row of its own: this is a second block of it.
            Some(row) if wanted.blocks.contains_key(id) || stands(row) => (*row).clone(),
            row => orphan_row(input.target.id, *id, block, row.map_or(0, |r| r.generation)),
        };
        Some(Action {
            kind: ActionKind::Delete,
            reason: Reason::Orphan,
            row,
            write: Some(WriteOp::Delete { id: block.id.clone(), version: block.version.clone() }),
        })
    };
    known
        .unnamed()
        .iter()
        .filter(|(id, _)| !busy.contains(id))
        .filter_map(|(id, blocks)| orphan(id, blocks))
        .collect()
}

/// The row of a block whose origin is lost: enough to remove it by.
fn orphan_row(target: CalendarId, id: CorrelationId, block: &ObservedBlock, generation: u32) -> LedgerRow {
    LedgerRow {
        correlation: id,
        rule: RuleId(uuid::Uuid::nil()),
        source: CalendarId(uuid::Uuid::nil()),
        occurrence: OccurrenceKey { event: "".into(), original: None },
        target,
        block: Some(block.id.clone()),
        generation: generation.max(generation_of(&block.id).unwrap_or(0)),
        state: LedgerState::Live,
        wrote: block.fingerprint,
        echo: None,
        span: block.span,
        repairs: 0,
        written_at: None,
    }
}
