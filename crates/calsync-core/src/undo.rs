//! Undoing a run in one target: what must be written so that what it wrote stands as it stood before, and of what else why not.
//! Pure. Only blocks of ours are ever touched, and only those that nobody has touched since: the planner's own audit passes over
//! every write.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::block::{BlockContent, ObservedBlock, block_event_id};
use crate::hold::Verdict;
use crate::ids::{CorrelationId, RunId};
use crate::journal::{Deed, JournalRow, Overwritten};
use crate::ledger::{LedgerRow, LedgerState, WriteOp};
use crate::plan::{self, Action, ActionKind, Plan, PlanInput, Reason};
use crate::ports::Ids;
use crate::time::{Span, Ts};

#[cfg(test)]
mod tests;

/// Why something can not be undone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum WhyNot {
    /// A later run wrote the same block.
    WrittenSince {
        /// Which.
        run: RunId,
    },
    /// Somebody else changed or removed it.
    ChangedSince,
    /// Its time is over.
    Past,
    /// The calendar takes no part, is gone, or can not be used.
    CalendarOff,
    /// The rule by which it stood is gone or off.
    RuleOff,
    /// What stood there before is not known, or not any more.
    Forgotten,
    /// A write of it is still on its way.
    OnItsWay,
    /// So is the write that undoes it.
    BeingUndone,
    /// The audit objects: it is not provably ours, or says more than its rule allows now.
    Refused,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::WrittenSince { run } => write!(f, "a later run wrote the same block ({run})"),
            WhyNot::ChangedSince => f.write_str("the block was changed or removed in its calendar since"),
            WhyNot::Past => f.write_str("its time is over"),
            WhyNot::CalendarOff => {
                f.write_str("its calendar takes no part, or can not be used at the moment")
            }
            WhyNot::RuleOff => f.write_str("the rule by which it stood is gone or switched off"),
            WhyNot::Forgotten => f.write_str("what stood there before is not known any more"),
            WhyNot::OnItsWay => f.write_str("another write of the same block is still on its way"),
            WhyNot::BeingUndone => f.write_str("it is being undone just now"),
            WhyNot::Refused => {
                f.write_str("it is not provably ours any more, or says more than its rule allows now")
            }
        }
    }
}

/// Something that can not be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct NotUndone {
    /// Which block.
    pub correlation: CorrelationId,
    /// When it is, where that is known.
    pub span: Option<Span>,
    /// Why not.
    #[serde(flatten)]
    pub why: WhyNot,
}

/// What undoing a run comes to in one target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Undo {
    /// What is to be written.
    pub actions: Vec<Action>,
    /// What can not be.
    pub not: Vec<NotUndone>,
    /// What stands already as it stood before.
    pub already: Vec<CorrelationId>,
}

/// What became of the target as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usable {
    /// It can be written.
    Yes,
    /// It can not.
    No,
}

/// Decides what undoes these rows of one run. `rows`: its rows in their order. `later`: blocks that other runs wrote since, as the
/// last of them did.
pub fn decide(
    input: &PlanInput<'_>,
    rows: &[JournalRow],
    later: &BTreeMap<CorrelationId, Overwritten>,
    usable: Usable,
) -> Undo {
    let ledger: BTreeMap<CorrelationId, &LedgerRow> =
        input.ledger.iter().map(|row| (row.correlation, row)).collect();
    let mut blocks: BTreeMap<CorrelationId, (&JournalRow, &JournalRow)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.target == input.target.id) {
        blocks.entry(row.correlation).and_modify(|(_, last)| *last = row).or_insert((row, row));
    }
    let mut undo = Undo::default();
    for (correlation, (first, last)) in blocks {
        let one = Block {
            input,
            row: ledger.get(&correlation).copied(),
            first,
            last,
            later: later.get(&correlation).copied(),
            usable,
        };
        match one.decide() {
            Ok(Some(action)) => undo.actions.push(action),
            Ok(None) => undo.already.push(correlation),
            Err(why) => undo.not.push(NotUndone { correlation, span: one.span(), why }),
        }
    }
    let (good, bad) = audited(input, std::mem::take(&mut undo.actions));
    undo.actions = good;
    undo.not.extend(bad.into_iter().map(|action| NotUndone {
        correlation: action.row.correlation,
        span: Some(action.row.span),
        why: WhyNot::Refused,
    }));
    undo
}

/// Parts what the planner's audit has nothing against from what it objects to.
pub fn audited(input: &PlanInput<'_>, actions: Vec<Action>) -> (Vec<Action>, Vec<Action>) {
    let plan = |actions: Vec<Action>| Plan {
        target: input.target.id,
        seen_generation: input.target.dirty_generation,
        actions,
        skips: Vec::new(),
        kept: Vec::new(),
        found: BTreeMap::new(),
        verdict: Verdict::Go,
    };
    let all = plan(actions);
    if plan::check(input, &all).is_empty() {
        return (all.actions, Vec::new());
    }
    all.actions.into_iter().partition(|action| plan::check(input, &plan(vec![action.clone()])).is_empty())
}

/// One block with all that is known of it.
struct Block<'a, 'b> {
    input: &'b PlanInput<'a>,
    row: Option<&'b LedgerRow>,
    first: &'b JournalRow,
    last: &'b JournalRow,
    later: Option<Overwritten>,
    usable: Usable,
}

impl Block<'_, '_> {
    /// What is to be done; `None`: it stands as it stood before.
    fn decide(&self) -> Result<Option<Action>, WhyNot> {
        let row = self.row.ok_or(WhyNot::Forgotten)?;
        let wants = match (self.first.deed, &self.first.before) {
            (Deed::Created, _) => None,
            (Deed::Changed | Deed::Removed, Some(before)) => Some(before),
            (Deed::Changed | Deed::Removed, None) => return Err(WhyNot::Forgotten),
        };
        let standing = row.block.as_ref().and_then(|id| self.input.mirror.blocks.get(id));
        if as_it_was(row, wants, standing) {
            return Ok(None);
        }
        if self.usable == Usable::No {
            return Err(WhyNot::CalendarOff);
        }
        match (self.later, self.untouched(row, standing)) {
            // What was written since was undone, and it is as this run left it.
            (Some(Overwritten { reason: Reason::Undone, .. }), Ok(())) => {}
            (Some(later), _) => return Err(WhyNot::WrittenSince { run: later.by }),
            (None, untouched) => untouched?,
        }
        let now = self.input.now;
        let over = |span: &Span| span.instants(&self.input.target.zone()).1 <= now;
        if over(&wants.map_or(row.span, |content| content.span)) {
            return Err(WhyNot::Past);
        }
        match (wants, standing) {
            (None, Some(block)) => Ok(Some(delete(row, block))),
            (Some(_), _) if !self.input.rules.iter().any(|r| r.rule.id == row.rule) => Err(WhyNot::RuleOff),
            (Some(content), Some(block)) => Ok(Some(self.update(row, block, content))),
            (Some(content), None) => Ok(Some(self.create(row, content))),
            (None, None) => Ok(None),
        }
    }

    /// Whether it is as the run left it.
    fn untouched(&self, row: &LedgerRow, standing: Option<&ObservedBlock>) -> Result<(), WhyNot> {
        if standing.is_some_and(|block| block.has_guests) {
            return Err(WhyNot::ChangedSince);
        }
        match (row.state, standing, &self.last.after) {
            (LedgerState::Creating, ..) => Err(WhyNot::OnItsWay),
            // Its removal is decided, and on its way.
            (LedgerState::Live, ..) if row.echo.is_none() => Err(WhyNot::OnItsWay),
            (LedgerState::Live, Some(block), Some(after)) => {
                let as_written = row.echo == Some(block.fingerprint) && row.wrote == after.fingerprint();
                // Copied texts that were forgotten since are no change of anybody's.
                let as_noted = row.echo == Some(block.fingerprint) && row.echo == self.last.echo;
                if as_written || as_noted { Ok(()) } else { Err(WhyNot::ChangedSince) }
            }
            (LedgerState::Gone, None, None) => Ok(()),
            (LedgerState::Live | LedgerState::Gone | LedgerState::Yielded, ..) => Err(WhyNot::ChangedSince),
        }
    }

    fn span(&self) -> Option<Span> {
        let content = self.first.before.as_ref().or(self.last.after.as_ref());
        content.map(|content| content.span).or(self.row.map(|row| row.span))
    }

    fn update(&self, row: &LedgerRow, block: &ObservedBlock, content: &BlockContent) -> Action {
        let write = WriteOp::Update {
            id: block.id.clone(),
            version: block.version.clone(),
            content: content.clone(),
            marker: self.input.identity.marker(row.correlation, &block.id),
            repairs: row.repairs,
        };
        let row = LedgerRow { span: content.span, ..row.clone() };
        Action { kind: ActionKind::Update, reason: Reason::Undone, row, write: Some(write) }
    }

    /// Under the next id: the one that it had stays taken.
    fn create(&self, row: &LedgerRow, content: &BlockContent) -> Action {
        let generation = row.generation.saturating_add(1);
        let named = block_event_id(row.correlation, generation);
        let id = (self.input.capabilities.chooses_ids == Ids::Client).then(|| named.clone());
        let write = WriteOp::Create {
            id: id.clone(),
            generation,
            content: content.clone(),
            marker: self.input.identity.marker(row.correlation, &named),
            repairs: 0,
        };
        let row = LedgerRow {
            block: id,
            generation,
            state: LedgerState::Creating,
            wrote: content.fingerprint(),
            echo: None,
            span: content.span,
            repairs: 0,
            ..row.clone()
        };
        Action { kind: ActionKind::Create, reason: Reason::Undone, row, write: Some(write) }
    }
}

/// Whether what stands is what stood before.
fn as_it_was(row: &LedgerRow, wants: Option<&BlockContent>, standing: Option<&ObservedBlock>) -> bool {
    match (wants, row.state) {
        (None, LedgerState::Gone) => true,
        (None, _) => standing.is_none() && row.state != LedgerState::Creating,
        (Some(content), LedgerState::Live) => {
            let as_written = standing.is_some_and(|block| row.echo == Some(block.fingerprint));
            as_written && row.wrote == content.fingerprint()
        }
        (Some(_), LedgerState::Creating | LedgerState::Gone | LedgerState::Yielded) => false,
    }
}

fn delete(row: &LedgerRow, block: &ObservedBlock) -> Action {
    let write = WriteOp::Delete { id: block.id.clone(), version: block.version.clone() };
    let row = LedgerRow { block: Some(block.id.clone()), echo: None, ..row.clone() };
    Action { kind: ActionKind::Delete, reason: Reason::Undone, row, write: Some(write) }
}

/// What becomes of blocks, in words: so many go, come back and change back.
pub fn counted(goes: usize, comes: usize, changes: usize) -> String {
    let part = |count: usize, one: &str, several: &str| match count {
        0 => None,
        1 => Some(format!("1 block {one}")),
        count => Some(format!("{count} blocks {several}")),
    };
    let parts = [
        part(goes, "goes", "go"),
        part(comes, "comes back", "come back"),
        part(changes, "changes back", "change back"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no block is written".to_owned() } else { parts.join(", ") }
}

/// What a held target is told by.
pub fn words(began_at: Ts, who: &str) -> String {
    let at = began_at.to_jiff().strftime("%Y-%m-%d %H:%M UTC");
    format!("the run of {at} was undone by {who}: nothing is written here until you approve")
}
