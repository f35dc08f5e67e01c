//! What makes the writes of a plan: the run that read what it rests on, the rule, and why. Rides with each write through the outbox,
//! so that the journal can say it when the write is settled, however much later that is.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::block::{BlockContent, ObservedBlock};
use calsync_core::calendar::Calendar;
use calsync_core::event::TextPolicy;
use calsync_core::hold::Verdict;
use calsync_core::ids::{CalendarId, CorrelationId, RuleId, RunId};
use calsync_core::journal::{Cause, Deed, Entry};
use calsync_core::ledger::{LedgerState, Outcome, Settlement, Write, WriteOp};
use calsync_core::mirror::Mirror;
use calsync_core::plan::{Action, ActionKind, Plan};
use calsync_core::ports::{Enqueue, UserState};
use calsync_core::rule::Rule;
use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
use calsync_core::time::Ts;

use crate::Engine;

/// A calendar that was read in this step.
#[derive(Clone, Copy)]
pub(crate) struct ReadIn {
    pub(crate) run: RunId,
    pub(crate) at: Ts,
}

/// What was read in this step, by calendar.
pub(crate) type Readings = BTreeMap<CalendarId, ReadIn>;

impl Engine {
    /// Says of each write what made it, and of what was found standing. A plan rests on what its source showed, else on what its
    /// target did; where neither was read in this step, it is a run of its own, which is begun and ended with the plan.
    pub(crate) fn note_causes(
        &self,
        enqueue: &mut Enqueue,
        plan: &Plan,
        rules: &[Rule],
        (state, target, mirror): (&UserState, &Calendar, &Mirror),
        readings: &Readings,
    ) {
        let unexplained: Vec<_> = if plan.verdict == Verdict::Go {
            let explained: BTreeSet<CorrelationId> = enqueue.found.iter().map(|s| s.correlation).collect();
            plan.found.iter().filter(|(id, _)| !explained.contains(id)).collect()
        } else {
            Vec::new()
        };
        if enqueue.writes.is_empty() && unexplained.is_empty() {
            return;
        }
        let actions: BTreeMap<CorrelationId, &Action> =
            plan.actions.iter().map(|action| (action.row.correlation, action)).collect();
        let policies: BTreeMap<RuleId, TextPolicy> =
            rules.iter().map(|rule| (rule.id, rule.options.text_policy())).collect();
        let mut own: Option<Run> = None;
        let mut cause = |action: &Action| {
            let source = readings.get(&action.row.source);
            let run = match source.or_else(|| readings.get(&target.id)) {
                Some(read) => read.run,
                None => own.get_or_insert_with(|| self.run_that_writes(target, "planned again")).id,
            };
            let known = state.calendars.iter().find(|c| c.id == action.row.source);
            Cause {
                run,
                rule: action.row.rule,
                reason: action.reason,
                copies: policies.get(&action.row.rule).copied().unwrap_or_default(),
                fetched_at: source.map(|read| read.at).or_else(|| known.and_then(|c| c.last_synced_at)),
            }
        };
        for write in &mut enqueue.writes {
            let Some(action) = actions.get(&write.correlation) else { continue };
            write.cause = Some(cause(action));
        }
        let now = self.clock.now();
        for (correlation, content) in unexplained {
            let Some(action) = actions.get(correlation) else { continue };
            let Some(block) = action.row.block.as_ref().and_then(|id| mirror.blocks.get(id)) else {
                continue;
            };
            let entry = Entry {
                cause: cause(action),
                deed: Deed::Changed,
                content: Some(content.clone()),
                changed_at: None,
                written_at: block.updated.unwrap_or(now).min(now),
            };
            enqueue.found.push(Settlement {
                target: target.id,
                correlation: *correlation,
                outcome: stored(content, block, action.row.repairs, entry.written_at),
                entry: Some(entry),
            });
        }
        enqueue.run = own;
    }

    /// A run that reads nothing.
    pub(crate) fn run_that_writes(&self, target: &Calendar, trigger: &str) -> Run {
        let now = self.clock.now();
        Run {
            id: RunId(self.ids.uuid(now)),
            calendar: target.id,
            kind: RunKind::Write,
            trigger: trigger.to_owned(),
            started_at: now,
            finished_at: Some(now),
            status: RunStatus::Succeeded,
            counts: RunCounts::default(),
        }
    }
}

/// Writes that wait and that the plan found carried out: whoever asked for them died before the answer was written down.
pub(crate) fn carried_out(plan: &Plan, waiting: &[Write], mirror: &Mirror, now: Ts) -> Vec<Settlement> {
    let found: BTreeMap<CorrelationId, &Action> = plan
        .actions
        .iter()
        .filter(|a| matches!(a.kind, ActionKind::Adopt | ActionKind::Forget))
        .map(|action| (action.row.correlation, action))
        .collect();
    let settled = |write: &Write| {
        let row = &found.get(&write.correlation)?.row;
        let outcome = match &write.op {
            WriteOp::Create { content, repairs, .. } | WriteOp::Update { content, repairs, .. } => {
                let block = mirror.blocks.get(row.block.as_ref()?)?;
                let as_written = row.state == LedgerState::Live && row.echo == Some(content.fingerprint());
                let at = block.updated.unwrap_or(now).min(now);
                as_written.then(|| stored(content, block, *repairs, at))?
            }
            // One that was given up though it stands, for it has guests by now, was never removed.
            WriteOp::Delete { id, .. } => (row.state == LedgerState::Gone
                && row.block.as_ref() == Some(id)
                && !mirror.blocks.contains_key(id))
            .then(|| Outcome::Removed { id: id.clone() })?,
        };
        let entry = Some(entry(write, &outcome, now)?);
        Some(Settlement { target: write.target, correlation: write.correlation, outcome, entry })
    };
    waiting.iter().filter_map(settled).collect()
}

fn stored(content: &BlockContent, block: &ObservedBlock, repairs: u8, at: Ts) -> Outcome {
    let (wrote, span) = (content.fingerprint(), content.span);
    Outcome::Stored { block: block.clone(), wrote, span, repairs, at }
}

/// What the journal is to say of a write.
pub(crate) fn entry(write: &Write, outcome: &Outcome, now: Ts) -> Option<Entry> {
    let content = match &write.op {
        WriteOp::Create { content, .. } | WriteOp::Update { content, .. } => Some(content.clone()),
        WriteOp::Delete { .. } => None,
    };
    let written_at = match outcome {
        Outcome::Stored { at, .. } => *at,
        Outcome::Removed { .. } => now,
        // Asked for before, and the answer never came: it stands as it was sent.
        Outcome::Replan { observed: Some(block), .. }
            if content.as_ref().is_some_and(|content| content.fingerprint() == block.fingerprint) =>
        {
            block.updated.unwrap_or(now).min(now)
        }
        Outcome::Postponed { .. } | Outcome::Replan { .. } => return None,
    };
    let (deed, changed_at) = (Deed::of(&write.op), write.changed_at);
    Some(Entry { cause: write.cause.clone()?, deed, content, changed_at, written_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::block::{Fingerprint, OccurrenceKey};
    use calsync_core::ids::EventId;
    use calsync_core::ledger::LedgerRow;
    use calsync_core::plan::Reason;
    use calsync_core::time::Span;
    use uuid::Uuid;

    /// A removal that waits, and a plan that strikes its block from the ledger.
    fn given_up() -> (Plan, Write) {
        let (id, now) = (EventId::from("cs1x"), Ts::from_secs(0));
        let (correlation, target) = (CorrelationId(Uuid::from_u128(1)), CalendarId(Uuid::from_u128(2)));
        let (rule, run) = (RuleId(Uuid::from_u128(3)), RunId(Uuid::from_u128(4)));
        let row = LedgerRow {
            correlation,
            rule,
            source: CalendarId(Uuid::from_u128(5)),
            occurrence: OccurrenceKey { event: "event".into(), original: None },
            target,
            block: Some(id.clone()),
            generation: 0,
            state: LedgerState::Gone,
            wrote: Fingerprint(1),
            echo: None,
            span: Span::Timed { start: now, end: Ts::from_secs(3600) },
            repairs: 0,
            written_at: None,
        };
        let reason = Reason::HasGuests;
        let action = Action { kind: ActionKind::Forget, reason, row, write: None };
        let copies = TextPolicy::default();
        let write = Write {
            correlation,
            target,
            op: WriteOp::Delete { id, version: Some("7".to_owned()) },
            attempts: 1,
            not_before: None,
            error: None,
            changed_at: None,
            cause: Some(Cause { run, rule, reason: Reason::SourceGone, copies, fetched_at: None }),
        };
        let plan = Plan {
            target,
            seen_generation: 0,
            actions: vec![action],
            skips: Vec::new(),
            kept: Vec::new(),
            found: BTreeMap::new(),
            verdict: Verdict::Go,
        };
        (plan, write)
    }

    #[test]
    fn a_removal_was_carried_out_only_if_the_block_is_not_there() {
        let (plan, write) = given_up();
        let block = ObservedBlock {
            id: "cs1x".into(),
            version: Some("8".to_owned()),
            updated: None,
            marker: None,
            fingerprint: Fingerprint(1),
            span: plan.actions[0].row.span,
            has_guests: true,
            ical_uid: None,
            is_free: false,
        };
        let mut mirror = Mirror::default();
        let found = carried_out(&plan, std::slice::from_ref(&write), &mirror, Ts::from_secs(9));
        assert!(matches!(found.as_slice(), [Settlement { outcome: Outcome::Removed { .. }, .. }]));
        mirror.blocks.insert(block.id.clone(), block);
        assert_eq!(carried_out(&plan, &[write], &mirror, Ts::from_secs(9)), [], "it has guests, and stands");
    }
}
