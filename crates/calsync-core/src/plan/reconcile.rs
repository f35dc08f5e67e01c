//! What should stand against what we wrote and what stands: one total decision per block.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::block::{BlockContent, Fingerprint, Marker, ObservedBlock, Origin, block_event_id, generation_of};
use crate::event::UNKNOWN_TIME;
use crate::ids::{CorrelationId, EventId};
use crate::ledger::{LedgerRow, LedgerState, WriteOp};
use crate::ports::Ids;
use crate::rule::{DEFAULT_REPAIRS_MAX, Tampered};

use super::desire::Wanted;
use super::reason::{Reason, SkipReason};
use super::{Action, ActionKind, Desired, Kept, PlanInput, Skip, removal};

/// A block that was made again more often than this is not known by its marker alone.
const BORN_MAX: u32 = 8;

/// What came of it.
#[derive(Default)]
pub(super) struct Reconciled {
    pub(super) actions: Vec<Action>,
    pub(super) kept: Vec<Kept>,
    pub(super) skips: Vec<Skip>,
    pub(super) found: BTreeMap<CorrelationId, BlockContent>,
}

/// Whether a row stands for a block that is, or may be, in the target.
pub(super) fn stands(row: &LedgerRow) -> bool {
    row.state != LedgerState::Gone
}

/// What is known of the target's blocks, looked up many times. Signatures are only read where the answer rests on one: a
/// plan that finds everything in its place reads none.
pub(super) struct Known<'a> {
    input: &'a PlanInput<'a>,
    pub(super) rows: BTreeMap<CorrelationId, &'a LedgerRow>,
    /// The blocks that rows name, as they stand.
    standing: BTreeMap<CorrelationId, &'a ObservedBlock>,
    /// The blocks whose marker names a correlation, truly or not; the oldest id first.
    claiming: OnceCell<BTreeMap<CorrelationId, Vec<&'a ObservedBlock>>>,
}

impl<'a> Known<'a> {
    fn of(input: &'a PlanInput<'a>) -> Known<'a> {
        let rows = input.ledger.iter().map(|r| (r.correlation, r)).collect();
        Known { input, rows, standing: standing(input), claiming: OnceCell::new() }
    }

    fn claiming(&self, id: CorrelationId) -> &[&'a ObservedBlock] {
        let blocks = self.claiming.get_or_init(|| {
            let mut claiming: BTreeMap<CorrelationId, Vec<&ObservedBlock>> = BTreeMap::new();
            for block in self.input.mirror.blocks.values() {
                if let Some((id, _)) = block.marker.as_ref().and_then(Marker::parse) {
                    claiming.entry(id).or_default().push(block);
                }
            }
            claiming
        });
        blocks.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The blocks that carry our mark for their very id; the oldest id first.
    fn marked(&self, id: CorrelationId) -> impl Iterator<Item = &'a ObservedBlock> {
        self.claiming(id).iter().copied().filter(move |block| is_marked(self.input, block, id))
    }

    /// The block that this row names, as it stands. That we set out to make something under an id proves nothing about
    /// what stands there: until that is settled our mark must say so.
    pub(super) fn named(&self, row: &LedgerRow) -> Option<&'a ObservedBlock> {
        if row.block.is_none() {
            return self.just_made(row);
        }
        let block = self.standing.get(&row.correlation).copied()?;
        let ours = || is_marked(self.input, block, row.correlation);
        (row.state != LedgerState::Creating || ours()).then_some(block)
    }

    /// The block that a provider which chooses ids made for us, though its answer was lost. If there are two with this
    /// marker, one of them is somebody's copy, and nobody knows which.
    fn just_made(&self, row: &LedgerRow) -> Option<&'a ObservedBlock> {
        let claiming = self.claiming(row.correlation);
        if claiming.is_empty() {
            return None;
        }
        let marker = first_marker(self.input, row)?;
        let unsigned = |block: &&&ObservedBlock| {
            block.marker.as_ref() == Some(&marker) && !is_marked(self.input, block, row.correlation)
        };
        let mut blocks = claiming.iter().filter(unsigned);
        blocks.next().copied().filter(|_| blocks.next().is_none())
    }

    /// The blocks that carry our mark and that no row names; by correlation, the oldest id first.
    pub(super) fn unnamed(&self) -> BTreeMap<CorrelationId, Vec<&'a ObservedBlock>> {
        let rows = self.rows.values().filter(|r| stands(r));
        let mut named: Vec<&EventId> = rows.filter_map(|r| r.block.as_ref()).collect();
        named.sort_unstable();
        let mut named = named.into_iter().peekable();
        let mut unnamed: BTreeMap<CorrelationId, Vec<&ObservedBlock>> = BTreeMap::new();
        // Both are sorted by id: side by side, no id is looked up.
        for block in self.input.mirror.blocks.values() {
            while named.next_if(|id| **id < block.id).is_some() {}
            if named.peek().is_some_and(|id| **id == block.id) {
                continue;
            }
            if let Origin::Ours(id) = self.input.identity.origin(&block.id, block.marker.as_ref()) {
                unnamed.entry(id).or_default().push(block);
            }
        }
        unnamed
    }

    /// Whether a block that was given up before the provider answered turns out to stand.
    pub(super) fn came_late(&self, row: &LedgerRow) -> bool {
        row.state == LedgerState::Gone && row.block.is_none() && self.just_made(row).is_some()
    }

    /// The block of this row as it stands, or one that carries our mark for it; of those that count.
    fn observed(
        &self,
        id: CorrelationId,
        counts: impl Fn(&&'a ObservedBlock) -> bool,
    ) -> Option<&'a ObservedBlock> {
        let row = self.rows.get(&id);
        row.and_then(|row| self.named(row)).filter(&counts).or_else(|| {
            // A row that stands but whose block is gone must not be confused with an old copy of it.
            let lost = row.is_some_and(|r| r.state == LedgerState::Live);
            let known = if lost { None } else { self.marked(id).find(&counts) };
            known.or_else(|| if row.is_none() { self.born(id, &counts) } else { None })
        })
    }

    /// The first generation that no block has which stands for itself, as somebody was invited to it.
    fn unused(&self, id: CorrelationId) -> u32 {
        let theirs = self.claiming(id).iter().filter(|block| block.has_guests);
        let told = theirs.filter_map(|b| {
            let named = generation_of(&b.id).filter(|_| is_marked(self.input, b, id));
            named.or_else(|| born(self.input, id, b))
        });
        told.max().map_or(0, |highest| highest.saturating_add(1))
    }

    /// A block of which no row tells, by the marker that a provider which chooses ids was sent with it: so the loss of our database
    /// doubles nothing. Of two such one is somebody's copy, and nobody knows which.
    fn born(
        &self,
        id: CorrelationId,
        counts: impl Fn(&&'a ObservedBlock) -> bool,
    ) -> Option<&'a ObservedBlock> {
        let unnamed = |block: &&ObservedBlock| born(self.input, id, block).is_some() && !self.is_named(block);
        let mut blocks = self.claiming(id).iter().copied().filter(counts).filter(unnamed);
        blocks.next().filter(|_| blocks.next().is_none())
    }

    fn is_named(&self, block: &ObservedBlock) -> bool {
        self.standing.values().any(|named| named.id == block.id)
    }
}

/// Whether a block carries our mark for its very id and this correlation.
fn is_marked(input: &PlanInput<'_>, block: &ObservedBlock, id: CorrelationId) -> bool {
    input.identity.origin(&block.id, block.marker.as_ref()) == Origin::Ours(id)
}

/// In which generation this block was sent to a provider that chooses ids, if its marker is the one that it was sent with.
pub(super) fn born(input: &PlanInput<'_>, id: CorrelationId, block: &ObservedBlock) -> Option<u32> {
    let marker = block.marker.as_ref().filter(|_| input.capabilities.chooses_ids != Ids::Client)?;
    (0..BORN_MAX).find(|nth| *marker == input.identity.marker(id, &block_event_id(id, *nth)))
}

/// The blocks that rows name. Ids that we chose sort as their correlations do: most of this is walking two sorted lists
/// side by side.
fn standing<'a>(input: &PlanInput<'a>) -> BTreeMap<CorrelationId, &'a ObservedBlock> {
    let mut named: Vec<_> =
        input.ledger.iter().filter_map(|row| Some((row.block.as_ref()?, row.correlation))).collect();
    named.sort();
    let mut blocks = input.mirror.blocks.values().peekable();
    let found = named.into_iter().filter_map(|(id, correlation)| {
        while blocks.next_if(|block| block.id < *id).is_some() {}
        blocks.peek().filter(|block| block.id == *id).map(|block| (correlation, *block))
    });
    found.collect()
}

/// The marker with which a block was sent whose id the provider is to choose. One that nobody wanted any more before its
/// answer came may have been made all the same: its row is gone and names no block.
pub(super) fn first_marker(input: &PlanInput<'_>, row: &LedgerRow) -> Option<Marker> {
    let waits = matches!(row.state, LedgerState::Creating | LedgerState::Gone) && row.block.is_none();
    waits.then(|| input.identity.marker(row.correlation, &block_event_id(row.correlation, row.generation)))
}

pub(super) fn reconcile(input: &PlanInput<'_>, wanted: &Wanted<'_>) -> Reconciled {
    let known = Known::of(input);
    let mut out = Reconciled::default();
    for (id, desired) in &wanted.blocks {
        let row = known.rows.get(id).copied();
        let observed = known.observed(*id, |block| !block.has_guests || holds(input, desired, block));
        Block { input, known: &known, id: *id, desired, row, observed }.decide(&mut out);
    }
    out.actions.extend(removal::unwanted(input, wanted, &known));
    let orphans = removal::orphans(input, wanted, &known, &out.actions);
    out.actions.extend(orphans);
    out
}

/// Whether a block takes all of the time that is to be held. One to which somebody was invited is written no more: when its event
/// moves, or somebody moves it, it stands for itself, and the time is held by another.
fn holds(input: &PlanInput<'_>, desired: &Desired<'_>, block: &ObservedBlock) -> bool {
    let zone = input.target.zone();
    let (start, end) = desired.content.span.instants(&zone);
    let (from, to) = block.span.instants(&zone);
    // Of one that can't be read nobody can say when it is.
    block.span == UNKNOWN_TIME || (!block.is_free && from <= start && end <= to)
}

/// One wanted block with all that is known of it.
struct Block<'a, 'b> {
    input: &'b PlanInput<'a>,
    known: &'b Known<'a>,
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
            (row, Some(block)) if block.has_guests => match row {
                Some((Yielded, row)) => return out.skips.push(left(row, SkipReason::HasGuests)),
                Some((Live, row)) => self.give_way(row, Reason::HasGuests),
                None | Some((Gone | Creating, _)) => self.leave(block),
            },
            (None, None) => self.create(0, Reason::NewOccurrence, 0),
            // Whether it was ever made is not known: under the same key it is made once.
            (Some((Gone, row)), None) if row.block.is_none() => {
                self.create(row.generation, Reason::NewOccurrence, 0)
            }
            (Some((Gone, row)), None) => self.create(next(row), Reason::NewOccurrence, 0),
            (Some((Creating, row)), None) => {
                self.create(row.generation, Reason::UnfinishedCreate, row.repairs)
            }
            (None | Some((Gone | Creating, _)), Some(block)) => self.adopt(block, wants),
            (Some((Live, row)), Some(block)) if !changed && row.echo == Some(block.fingerprint) => {
                return out.kept.push(self.kept(row));
            }
            // As it should be, though nobody told us: the write's answer was lost, or a person put it right.
            (Some((Live | Yielded, _)), Some(block)) if block.fingerprint == wants => {
                if changed {
                    out.found.insert(self.id, self.desired.content.clone());
                }
                self.adopt(block, wants)
            }
            (Some((Live, row)), Some(block)) if changed => self.update(row, block, Reason::SourceChanged, 0),
            // Its removal was decided and not settled, and now it is wanted again: nobody touched it.
            (Some((Live, row)), Some(block)) if row.echo.is_none() => {
                self.update(row, block, Reason::PutBackChanged, row.repairs)
            }
            (Some((Live, row)), Some(block)) => match self.patience(row) {
                Some(repairs) => self.update(row, block, Reason::PutBackChanged, repairs),
                None => self.give_way(row, Reason::LeftToPerson),
            },
            (Some((Live, row)), None) if changed => self.create(next(row), Reason::SourceChanged, 0),
            (Some((Live, row)), None) => match self.patience(row) {
                Some(repairs) if self.stands_aside(row) => {
                    self.create(next(row), Reason::PutBackChanged, repairs)
                }
                Some(repairs) => self.create(next(row), Reason::PutBackRemoved, repairs),
                None => self.give_way(row, Reason::LeftToPerson),
            },
            (Some((Yielded, row)), _) if !changed => match self.patience(row) {
                // It was left for its guests, and held the time until now.
                Some(repairs) if self.stands_aside(row) => {
                    self.create(next(row), Reason::PutBackChanged, repairs)
                }
                _ => return out.skips.push(left(row, SkipReason::LeftToPerson)),
            },
            (Some((Yielded, row)), Some(block)) => self.update(row, block, Reason::SourceChanged, 0),
            (Some((Yielded, row)), None) => self.create(next(row), Reason::SourceChanged, 0),
        };
        out.actions.push(action);
    }

    /// Whether the block that the row names stands, and stands for itself: it has guests and another time.
    fn stands_aside(&self, row: &LedgerRow) -> bool {
        self.observed.is_none() && self.known.named(row).is_some()
    }

    /// The repairs that the row will have seen after one more; `None` when it is to be left to the person.
    fn patience(&self, row: &LedgerRow) -> Option<u8> {
        let again =
            row.repairs < DEFAULT_REPAIRS_MAX && self.desired.rule.options.tampered == Tampered::PutBack;
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
        let generation = generation.max(self.known.unused(self.id));
        let named = block_event_id(self.id, generation);
        let id = (self.input.capabilities.chooses_ids == Ids::Client).then(|| named.clone());
        let marker = self.input.identity.marker(self.id, &named);
        let row =
            LedgerRow { block: id.clone(), ..self.fresh_row(generation, LedgerState::Creating, repairs) };
        let content = self.desired.content.clone();
        let write = Some(WriteOp::Create { id, generation, content, marker, repairs });
        Action { kind: ActionKind::Create, reason, row, write }
    }

    fn update(&self, row: &LedgerRow, block: &ObservedBlock, reason: Reason, repairs: u8) -> Action {
        // What the row says was written, and how often, changes only when the write is settled: until then it is true.
        // The time is the new one at once: it is where the block will be looked for if the answer is lost.
        let row = LedgerRow { rule: self.desired.rule.id, span: self.desired.content.span, ..row.clone() };
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

    /// The row of a block that stands, whatever was known of it.
    fn found(&self, block: &ObservedBlock, state: LedgerState, repairs: u8) -> LedgerRow {
        // The id tells its generation, or the marker: the ledger may have been lost.
        let told = generation_of(&block.id).or_else(|| born(self.input, self.id, block));
        let generation = self.row.map_or(0, |r| r.generation).max(told.unwrap_or(0));
        LedgerRow {
            block: Some(block.id.clone()),
            wrote: block.fingerprint,
            echo: Some(block.fingerprint),
            ..self.fresh_row(generation, state, repairs)
        }
    }

    fn adopt(&self, block: &ObservedBlock, wants: Fingerprint) -> Action {
        let repairs = self.row.filter(|r| r.wrote == wants).map_or(0, |r| r.repairs);
        let row = self.found(block, LedgerState::Live, repairs);
        let write = (block.fingerprint != wants).then(|| self.update_op(block, repairs));
        let kind = if write.is_some() { ActionKind::Update } else { ActionKind::Adopt };
        Action { kind, reason: Reason::FoundStanding, row, write }
    }

    fn give_way(&self, row: &LedgerRow, reason: Reason) -> Action {
        let row = LedgerRow { state: LedgerState::Yielded, ..row.clone() };
        Action { kind: ActionKind::Yield, reason, row, write: None }
    }

    /// Somebody was invited to it before we knew that it stands.
    fn leave(&self, block: &ObservedBlock) -> Action {
        self.give_way(&self.found(block, LedgerState::Yielded, 0), Reason::HasGuests)
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

fn left(row: &LedgerRow, reason: SkipReason) -> Skip {
    Skip {
        rule: row.rule,
        source: row.source,
        occurrence: row.occurrence.clone(),
        span: Some(row.span),
        reason,
    }
}

/// The generation after this row's.
fn next(row: &LedgerRow) -> u32 {
    row.generation.saturating_add(1)
}
