//! An audit of a plan before it is carried out: it shares no decision with the planner, only the facts. A plan that it
//! objects to is not carried out, whatever the planner thought.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::block::{BlockContent, Origin};
use crate::event::TextPolicy;
use crate::ids::{CalendarId, CorrelationId, EventId, RuleId};
use crate::ledger::{LedgerRow, LedgerState, WriteOp};
use crate::rule::{DEFAULT_TITLE, Rule};
use crate::time::Span;

use super::reconcile::{born, first_marker};
use super::{Action, ActionKind, Plan, PlanInput, Reason, RuleInput};

/// What a plan must never do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    /// It would touch something that is not a block of ours.
    #[error("{0} would be written, but nothing proves that it is ours")]
    NotOurs(EventId),
    /// It would touch a real event of the calendar.
    #[error("{0} is a real event and would be written")]
    RealEvent(EventId),
    /// It would touch a calendar that is not the target.
    #[error("the plan is for another calendar")]
    OtherTarget,
    /// It would change or remove a block to which somebody is invited: they would be told.
    #[error("{0} has guests and would be written")]
    HasGuests(EventId),
    /// Two actions for one block.
    #[error("block {0} is written twice in one plan")]
    Twice(CorrelationId),
    /// Text of the source would reach a block without leave.
    #[error("block {0} carries text that its rule does not copy")]
    Leak(CorrelationId),
    /// A removal outside the time that was looked at.
    #[error("block {0} lies outside the window and would be removed")]
    OutsideWindow(CorrelationId),
    /// A removal though its source was never read.
    #[error("block {0} would be removed though its source was never read to the end")]
    SourceUnknown(CorrelationId),
    /// A block without length, or with its end before its start.
    #[error("block {0} has no length")]
    NoLength(CorrelationId),
}

/// Everything that is wrong with a plan.
pub fn check(input: &PlanInput<'_>, plan: &Plan) -> Vec<Violation> {
    if plan.actions.is_empty() {
        return Vec::new();
    }
    let facts = Facts::of(input);
    let (mut blocks, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut found = Vec::new();
    for action in &plan.actions {
        let id = action.row.correlation;
        let again = action.write.as_ref().and_then(written_id).is_some_and(|id| !ids.insert(id));
        if !blocks.insert(id) || again {
            found.push(Violation::Twice(id));
        }
        if action.row.target != input.target.id || plan.target != input.target.id {
            found.push(Violation::OtherTarget);
        }
        found.extend(ownership(&facts, action));
        found.extend(guests(&facts, action));
        found.extend(removal(&facts, action));
        found.extend(content(&facts, action));
    }
    found
}

/// What is known beside the plan.
struct Facts<'a> {
    input: &'a PlanInput<'a>,
    rows: BTreeMap<CorrelationId, &'a LedgerRow>,
    sources: BTreeMap<CalendarId, &'a RuleInput<'a>>,
    rules: BTreeMap<RuleId, &'a Rule>,
}

impl<'a> Facts<'a> {
    fn of(input: &'a PlanInput<'a>) -> Facts<'a> {
        Facts {
            input,
            rows: input.ledger.iter().map(|row| (row.correlation, row)).collect(),
            sources: input.rules.iter().map(|r| (r.source.id, r)).collect(),
            rules: input.rules.iter().map(|r| (r.rule.id, r.rule)).collect(),
        }
    }
}

pub(super) fn written_id(write: &WriteOp) -> Option<&EventId> {
    match write {
        WriteOp::Create { id, .. } => id.as_ref(),
        WriteOp::Update { id, .. } | WriteOp::Delete { id, .. } => Some(id),
    }
}

fn ownership(facts: &Facts<'_>, action: &Action) -> Option<Violation> {
    let (WriteOp::Update { id, .. } | WriteOp::Delete { id, .. }) = action.write.as_ref()? else {
        return None;
    };
    let mirror = facts.input.mirror;
    if mirror.events.contains_key(id) {
        return Some(Violation::RealEvent(id.clone()));
    }
    let correlation = action.row.correlation;
    let standing = mirror.blocks.get(id);
    let marked = standing.is_some_and(|block| {
        facts.input.identity.origin(id, block.marker.as_ref()) == Origin::Ours(correlation)
    });
    let unknown =
        !facts.rows.contains_key(&correlation) && matches!(action.write, Some(WriteOp::Update { .. }));
    let made = || standing.is_some_and(|block| born(facts.input, correlation, block).is_some());
    let proven = facts.rows.get(&correlation).map_or_else(
        || unknown && made(),
        |row| match (&row.block, row.state) {
            // That we set out to make something under an id does not make ours what stands there.
            (Some(named), LedgerState::Creating) => named == id && standing.is_none(),
            (Some(named), _) => named == id,
            // The provider chose the id: the marker is the one we sent.
            (None, _) => {
                standing.is_some_and(|b| b.marker.is_some() && b.marker == first_marker(facts.input, row))
            }
        },
    );
    (!proven && !marked).then(|| Violation::NotOurs(id.clone()))
}

fn guests(facts: &Facts<'_>, action: &Action) -> Option<Violation> {
    let (WriteOp::Update { id, .. } | WriteOp::Delete { id, .. }) = action.write.as_ref()? else {
        return None;
    };
    let standing = facts.input.mirror.blocks.get(id);
    standing.is_some_and(|block| block.has_guests).then(|| Violation::HasGuests(id.clone()))
}

fn removal(facts: &Facts<'_>, action: &Action) -> Option<Violation> {
    if action.kind != ActionKind::Delete || action.reason == Reason::RuleGone {
        return None;
    }
    let id = action.row.correlation;
    let source = facts.sources.get(&action.row.source);
    let unread = |r: &RuleInput<'_>| r.source.last_full_sync.is_none();
    if source.is_some_and(|r| unread(r))
        || (action.reason == Reason::Orphan && facts.input.rules.iter().any(unread))
    {
        return Some(Violation::SourceUnknown(id));
    }
    // Where it was put, or where somebody put it since.
    let standing =
        action.write.as_ref().and_then(written_id).and_then(|id| facts.input.mirror.blocks.get(id));
    let zone = source.map_or(TimeZone::UTC, |r| r.source.zone());
    let inside = |span: &Span| span.touches(&facts.input.window, &zone);
    (!inside(&action.row.span) && !standing.is_some_and(|b| inside(&b.span)))
        .then_some(Violation::OutsideWindow(id))
}

fn content(facts: &Facts<'_>, action: &Action) -> Option<Violation> {
    let (WriteOp::Create { content, .. } | WriteOp::Update { content, .. }) = action.write.as_ref()? else {
        return None;
    };
    let id = action.row.correlation;
    let (start, end) = content.span.instants(&TimeZone::UTC);
    if start >= end {
        return Some(Violation::NoLength(id));
    }
    let rule = facts.rules.get(&action.row.rule);
    let policy = rule.map(|r| r.options.text_policy()).unwrap_or_default();
    let template = rule.map_or(DEFAULT_TITLE, |r| r.options.title.as_str());
    leaks(content, policy, template).then_some(Violation::Leak(id))
}

fn leaks(content: &BlockContent, policy: TextPolicy, template: &str) -> bool {
    let without_title = template.replace("{title}", "");
    let harmless = [without_title.trim(), DEFAULT_TITLE].contains(&content.title.as_str());
    (!policy.title && !harmless)
        || (!policy.description && content.description.is_some())
        || (!policy.location && content.location.is_some())
}
