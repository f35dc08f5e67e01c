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
            WriteOp::Delete { id, .. } => (row.state == LedgerState::Gone && row.block.as_ref() == Some(id))
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
