//! What should stand against what we wrote and what stands: one total decision per block.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::block::{Fingerprint, ObservedBlock, Origin, block_event_id};
use crate::ids::{CalendarId, CorrelationId, EventId};
use crate::ledger::{LedgerRow, LedgerState, WriteOp};
use crate::ports::Ids;
use crate::rule::{DEFAULT_REPAIRS_MAX, Tampered};

use super::desire::Wanted;
use super::reason::{Reason, SkipReason};
use super::{Action, ActionKind, Desired, Kept, PlanInput, Skip};

/// What came of it.
pub(super) struct Reconciled {
    pub(super) actions: Vec<Action>,
    pub(super) kept: Vec<Kept>,
    pub(super) skips: Vec<Skip>,
}

/// Whether a row stands for a block that is, or may be, in the target.
pub(super) fn stands(row: &LedgerRow) -> bool {
    row.state != LedgerState::Gone
}

pub(super) fn reconcile(input: &PlanInput<'_>, wanted: &Wanted<'_>) -> Reconciled {
    let rows: BTreeMap<CorrelationId, &LedgerRow> = input.ledger.iter().map(|r| (r.correlation, r)).collect();
    let mut out = Reconciled { actions: Vec::new(), kept: Vec::new(), skips: Vec::new() };
    for (id, desired) in &wanted.blocks {
        let row = rows.get(id).copied();
        let block = Block { input, id: *id, desired, row, observed: observed(input, *id, row) };
        block.decide(&mut out);
    }
    for (id, row) in &rows {
        if !wanted.blocks.contains_key(id) && stands(row) {
            out.actions.extend(unwanted(input, wanted, row));
        }
    }
    out.actions.extend(orphans(input, wanted, &rows, &out.actions));
    out
}

/// The block of this row as it stands, or one that carries our signed marker for it.
fn observed<'a>(input: &PlanInput<'a>, id: CorrelationId, row: Option<&LedgerRow>) -> Option<&'a ObservedBlock> {
    let by_id = row.and_then(|r| r.block.as_ref()).and_then(|block| input.mirror.blocks.get(block));
    by_id.or_else(|| {
        // A row that stands but whose block is gone must not be confused with an old copy of it.
        if row.is_some_and(|r| r.state == LedgerState::Live) {
            return None;
        }
        input.mirror.blocks.values().find(|b| input.identity.origin(&b.id, b.marker.as_ref()) == Origin::Ours(id))
    })
}

/// One wanted block with all that is known of it.
struct Block<'a, 'b> {
    input: &'b PlanInput<'a>,
    id: CorrelationId,
    desired: &'b Desired<'a>,
    row: Option<&'b LedgerRow>,
    observed: Option<&'a ObservedBlock>,
}

impl Block<'_, '_> {
    fn decide(&self, out: &mut Reconciled) {
        use LedgerState::{Creating, Gone, Live, Yielded};
        let wants = self.desired.content.fingerprint();
        let changed = self.row.is_none_or(|row| row.wrote != wants);
        let action = match (self.row.map(|r| (r.state, r)), self.observed) {
            (None, None) => self.create(0, Reason::NewOccurrence, 0),
            (Some((Gone, row)), None) => self.create(row.generation + 1, Reason::NewOccurrence, 0),
            (Some((Creating, row)), None) => self.create(row.generation, Reason::UnfinishedCreate, row.repairs),
            (None | Some((Gone | Creating, _)), Some(block)) => self.adopt(block, wants),
            (Some((Live, row)), Some(block)) if changed => self.update(row, block, Reason::SourceChanged, 0),
            (Some((Live, row)), Some(block)) if row.echo == Some(block.fingerprint) => {
                return out.kept.push(self.kept(row));
            }
            (Some((Live, row)), Some(block)) => match self.patience(row) {
                Some(repairs) => self.update(row, block, Reason::PutBackChanged, repairs),
                None => self.give_way(row),
            },
            (Some((Live, row)), None) if changed => self.create(row.generation + 1, Reason::SourceChanged, 0),
            (Some((Live, row)), None) => match self.patience(row) {
                Some(repairs) => self.create(row.generation + 1, Reason::PutBackRemoved, repairs),
                None => self.give_way(row),
            },
            (Some((Yielded, row)), _) if !changed => return out.skips.push(left_to_person(row)),
            (Some((Yielded, row)), Some(block)) => self.update(row, block, Reason::SourceChanged, 0),
            (Some((Yielded, row)), None) => self.create(row.generation + 1, Reason::SourceChanged, 0),
        };
        out.actions.push(action);
    }

    /// The repairs that the row will have seen after one more; `None` when it is to be left to the person.
    fn patience(&self, row: &LedgerRow) -> Option<u8> {
        let again = row.repairs < DEFAULT_REPAIRS_MAX && self.desired.rule.options.tampered == Tampered::PutBack;
        again.then_some(row.repairs + 1)
    }

    fn fresh_row(&self, generation: u32, state: LedgerState, repairs: u8) -> LedgerRow {
        LedgerRow {
            correlation: self.id,
            rule: self.desired.rule.id,
            source: self.desired.rule.source,
            occurrence: self.desired.occurrence.clone(),
            target: self.input.target.id,
            block: None,
            generation,
            state,
            wrote: self.desired.content.fingerprint(),
            echo: None,
            span: self.desired.content.span,
            repairs,
            written_at: self.row.and_then(|r| r.written_at),
        }
    }

    fn create(&self, generation: u32, reason: Reason, repairs: u8) -> Action {
        let named = block_event_id(self.id, generation);
        let id = (self.input.capabilities.chooses_ids == Ids::Client).then(|| named.clone());
        let marker = self.input.identity.marker(self.id, &named);
        let row = LedgerRow { block: id.clone(), ..self.fresh_row(generation, LedgerState::Creating, repairs) };
        let content = self.desired.content.clone();
        let write = Some(WriteOp::Create { id, generation, content, marker, repairs });
        Action { kind: ActionKind::Create, reason, row, write }
    }

    fn update(&self, row: &LedgerRow, block: &ObservedBlock, reason: Reason, repairs: u8) -> Action {
        // What the row says was written, and how often, changes only when the write is settled: until then it is true.
        let row = LedgerRow { rule: self.desired.rule.id, ..row.clone() };
        Action { kind: ActionKind::Update, reason, row, write: Some(self.update_op(block, repairs)) }
    }

    fn update_op(&self, block: &ObservedBlock, repairs: u8) -> WriteOp {
        WriteOp::Update {
            id: block.id.clone(),
            version: block.version.clone(),
            content: self.desired.content.clone(),
            marker: self.input.identity.marker(self.id, &block.id),
            repairs,
        }
    }

    fn adopt(&self, block: &ObservedBlock, wants: Fingerprint) -> Action {
        let generation = self.row.map_or(0, |r| r.generation);
        let repairs = self.row.map_or(0, |r| r.repairs);
        let row = LedgerRow {
            block: Some(block.id.clone()),
            wrote: block.fingerprint,
            echo: Some(block.fingerprint),
            span: block.span,
            ..self.fresh_row(generation, LedgerState::Live, repairs)
        };
        let write = (block.fingerprint != wants).then(|| self.update_op(block, repairs));
        let kind = if write.is_some() { ActionKind::Update } else { ActionKind::Adopt };
        Action { kind, reason: Reason::FoundStanding, row, write }
    }

    fn give_way(&self, row: &LedgerRow) -> Action {
        let row = LedgerRow { state: LedgerState::Yielded, ..row.clone() };
        Action { kind: ActionKind::Yield, reason: Reason::LeftToPerson, row, write: None }
    }

    fn kept(&self, row: &LedgerRow) -> Kept {
        Kept {
            correlation: self.id,
            rule: row.rule,
            source: row.source,
            occurrence: row.occurrence.clone(),
            span: row.span,
        }
    }
}

fn left_to_person(row: &LedgerRow) -> Skip {
    Skip {
        rule: row.rule,
        source: row.source,
        occurrence: row.occurrence.clone(),
        span: Some(row.span),
        reason: SkipReason::LeftToPerson,
    }
}

/// A block that nothing asks for any more.
fn unwanted(input: &PlanInput<'_>, wanted: &Wanted<'_>, row: &LedgerRow) -> Option<Action> {
    let rule = input.rules.iter().find(|r| r.rule.source == row.source);
    let reason = match rule {
        None => Reason::RuleGone,
        // Nothing is known of the source, or of this series, or of this time: then nothing is removed.
        Some(rule) if !rule.is_known() => return None,
        Some(_) if wanted.unreadable.contains(&(row.source, row.occurrence.event.clone())) => return None,
        Some(_) if !row.span.touches(&input.window, &TimeZone::UTC) => return None,
        Some(_) => Reason::SourceGone,
    };
    Some(removal(input, row, reason))
}

fn removal(input: &PlanInput<'_>, row: &LedgerRow, reason: Reason) -> Action {
    let standing = row.block.as_ref().and_then(|id| input.mirror.blocks.get(id));
    let delete = |id: &EventId, version: Option<String>| WriteOp::Delete { id: id.clone(), version };
    let write = match (standing, row.state, &row.block) {
        (Some(block), _, _) => Some(delete(&block.id, block.version.clone())),
        // Whether it exists is not known: asking for its removal is harmless either way.
        (None, LedgerState::Creating, Some(id)) => Some(delete(id, None)),
        (None, _, _) => None,
    };
    match write {
        Some(write) => Action { kind: ActionKind::Delete, reason, row: row.clone(), write: Some(write) },
        None => {
            let row = LedgerRow { state: LedgerState::Gone, ..row.clone() };
            Action { kind: ActionKind::Forget, reason: Reason::AlreadyGone, row, write: None }
        }
    }
}

/// Blocks that carry our signed marker, that no row names and nothing asks for: left by a restored backup or a lost
/// database. Only inside the window, and only when every source is known, lest one of them asks for it later.
fn orphans(
    input: &PlanInput<'_>,
    wanted: &Wanted<'_>,
    rows: &BTreeMap<CorrelationId, &LedgerRow>,
    actions: &[Action],
) -> Vec<Action> {
    if input.rules.iter().any(|r| !r.is_known()) {
        return Vec::new();
    }
    let named: BTreeSet<&EventId> = rows.values().filter(|r| stands(r)).filter_map(|r| r.block.as_ref()).collect();
    let taken: BTreeSet<&EventId> = actions.iter().filter_map(|a| a.row.block.as_ref()).collect();
    let orphan = |block: &ObservedBlock| {
        let Origin::Ours(id) = input.identity.origin(&block.id, block.marker.as_ref()) else { return None };
        let ours_alone = !named.contains(&block.id) && !taken.contains(&block.id);
        let removable = ours_alone && block.span.touches(&input.window, &TimeZone::UTC);
        // A wanted or standing correlation keeps its own row: the orphan is a second block of it.
        let row = rows.get(&id).filter(|r| wanted.blocks.contains_key(&id) || stands(r));
        removable.then(|| Action {
            kind: ActionKind::Delete,
            reason: Reason::Orphan,
            row: row.map_or_else(|| orphan_row(input.target.id, id, block), |r| (*r).clone()),
            write: Some(WriteOp::Delete { id: block.id.clone(), version: block.version.clone() }),
        })
    };
    let found: Vec<Action> = input.mirror.blocks.values().filter_map(orphan).collect();
    // One write per correlation at a time: a second block of a busy correlation waits for the next plan.
    let mut busy: BTreeSet<CorrelationId> = actions.iter().map(|a| a.row.correlation).collect();
    found.into_iter().filter(|a| busy.insert(a.row.correlation)).collect()
}

/// The row of a block whose origin is lost: enough to remove it by.
fn orphan_row(target: CalendarId, id: CorrelationId, block: &ObservedBlock) -> LedgerRow {
    LedgerRow {
        correlation: id,
        rule: crate::ids::RuleId(uuid::Uuid::nil()),
        source: CalendarId(uuid::Uuid::nil()),
        occurrence: crate::block::OccurrenceKey { event: "".into(), original: None },
        target,
        block: Some(block.id.clone()),
        generation: 0,
        state: LedgerState::Live,
        wrote: block.fingerprint,
        echo: Some(block.fingerprint),
        span: block.span,
        repairs: 0,
        written_at: None,
    }
}
