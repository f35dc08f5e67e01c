//! An audit of a plan before it is carried out: it shares no decision with the planner, only the facts. A plan that it
//! objects to is not carried out, whatever the planner thought.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::block::{BlockContent, Origin};
use crate::event::TextPolicy;
use crate::ids::{CorrelationId, EventId};
use crate::ledger::WriteOp;
use crate::rule::DEFAULT_TITLE;

use super::{Action, ActionKind, Plan, PlanInput, Reason};

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
    let proven: BTreeSet<&EventId> = input.ledger.iter().filter_map(|row| row.block.as_ref()).collect();
    let mut seen = BTreeMap::new();
    let mut found = Vec::new();
    for action in &plan.actions {
        let id = action.row.correlation;
        if seen.insert(id, ()).is_some() {
            found.push(Violation::Twice(id));
        }
        if action.row.target != input.target.id || plan.target != input.target.id {
            found.push(Violation::OtherTarget);
        }
        found.extend(ownership(input, &proven, action));
        found.extend(removal(input, action));
        found.extend(content(input, action));
    }
    found
}

fn ownership(input: &PlanInput<'_>, proven: &BTreeSet<&EventId>, action: &Action) -> Option<Violation> {
    let (WriteOp::Update { id, .. } | WriteOp::Delete { id, .. }) = action.write.as_ref()? else { return None };
    if input.mirror.events.contains_key(id) {
        return Some(Violation::RealEvent(id.clone()));
    }
    let marked = input.mirror.blocks.get(id).is_some_and(|block| {
        matches!(input.identity.origin(id, block.marker.as_ref()), Origin::Ours(of) if of == action.row.correlation)
    });
    (!proven.contains(id) && !marked).then(|| Violation::NotOurs(id.clone()))
}

fn removal(input: &PlanInput<'_>, action: &Action) -> Option<Violation> {
    if action.kind != ActionKind::Delete || action.reason == Reason::RuleGone {
        return None;
    }
    let id = action.row.correlation;
    let source = input.rules.iter().find(|r| r.source.id == action.row.source);
    if source.is_some_and(|r| r.source.last_full_sync.is_none()) {
        return Some(Violation::SourceUnknown(id));
    }
    (!action.row.span.touches(&input.window, &TimeZone::UTC)).then_some(Violation::OutsideWindow(id))
}

fn content(input: &PlanInput<'_>, action: &Action) -> Option<Violation> {
    let (WriteOp::Create { content, .. } | WriteOp::Update { content, .. }) = action.write.as_ref()? else { return None };
    let id = action.row.correlation;
    let (start, end) = content.span.instants(&TimeZone::UTC);
    if start >= end {
        return Some(Violation::NoLength(id));
    }
    let rule = input.rules.iter().find(|r| r.rule.id == action.row.rule);
    let policy = rule.map(|r| r.rule.options.text_policy()).unwrap_or_default();
    let template = rule.map_or(DEFAULT_TITLE, |r| r.rule.options.title.as_str());
    leaks(content, policy, template).then_some(Violation::Leak(id))
}

fn leaks(content: &BlockContent, policy: TextPolicy, template: &str) -> bool {
    (!policy.title && content.title != template)
        || (!policy.description && content.description.is_some())
        || (!policy.location && content.location.is_some())
}
