//! Undoing a run: its targets are put back as they were before it, as far as that is still possible. What is to be written is decided
//! in `core::undo`; here it is enqueued in one transaction, with a hold over each target that it touches, and carried out by every
//! step's ordinary work. So a death costs time, and whoever asks twice is told that it is done.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::Calendar;
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, CorrelationId, RunId, UserId};
use calsync_core::journal::{Cause, JournalRow, Overwritten, ROWS_MAX};
use calsync_core::ledger::Write;
use calsync_core::plan::{Action, ActionKind, PlanInput, Reason};
use calsync_core::ports::{Enqueue, Lease, UserState, Wish};
use calsync_core::run::Run;
use calsync_core::time::{Span, Ts};
use calsync_core::undo::{self, NotUndone, Undo, Usable, WhyNot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::due::account_is_active;
use crate::inspect::OFFLINE;
use crate::target::WAITING_MAX;
use crate::{Engine, EngineError};

/// What is done where not all of a run can be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Partly {
    /// Nothing.
    Refuse,
    /// What can be.
    Allow,
}

/// What undoing a run comes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct UndoReport {
    /// The run.
    pub run: RunId,
    /// The run that undoes it; `None`: nothing was begun.
    pub by: Option<RunId>,
    /// What is written.
    pub blocks: Vec<Undoing>,
    /// Blocks that stand as they stood before.
    pub already: usize,
    /// What can not be undone, by target.
    pub not: Vec<(CalendarId, NotUndone)>,
}

/// One block that is put back as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Undoing {
    /// Where.
    pub target: CalendarId,
    /// Which.
    pub correlation: CorrelationId,
    /// What is done to it.
    pub what: &'static str,
    /// When it is.
    pub span: Span,
}

impl Undoing {
    fn of(target: CalendarId, action: &Action) -> Undoing {
        let what = match action.kind {
            ActionKind::Create => COMES,
            ActionKind::Delete => GOES,
            ActionKind::Update | ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => CHANGES,
        };
        Undoing { target, correlation: action.row.correlation, what, span: action.row.span }
    }

    /// What becomes of them, counted.
    pub fn in_words(blocks: &[Undoing]) -> String {
        let of = |what: &str| blocks.iter().filter(|block| block.what == what).count();
        undo::counted(of(GOES), of(COMES), of(CHANGES))
    }
}

/// What is done to a block that is put back.
const GOES: &str = "goes";
const COMES: &str = "comes back";
const CHANGES: &str = "changes back";

impl Engine {
    /// What undoing a run would come to. Writes nothing.
    pub async fn preview_undo(&self, user: UserId, run: RunId) -> Result<UndoReport, EngineError> {
        let (state, run) = self.run_of(user, run).await?;
        let rows = self.store.journal(run.id, ROWS_MAX).await?;
        Ok(report(run.id, None, &self.undo_of(&state, &run, &rows).await?))
    }

    /// Undoes a run, for `who`. Where not all of it can be, nothing is, unless that is asked for.
    pub async fn undo(
        &self,
        user: UserId,
        run: RunId,
        partly: Partly,
        who: &str,
    ) -> Result<UndoReport, EngineError> {
        let now = self.clock.now();
        let until = now.plus(self.config.lease);
        let claimed = self.store.claim_user(user, &self.config.owner, now, until).await?;
        let lease = claimed.ok_or(EngineError::Busy)?.lease;
        let done = self.undo_under(&lease, (user, run), partly, who).await;
        if !matches!(done, Err(EngineError::Store(calsync_core::ports::StoreError::LeaseLost(_)))) {
            self.store.release(&lease, &[]).await?;
        }
        done
    }

    async fn undo_under(
        &self,
        lease: &Lease,
        (user, run): (UserId, RunId),
        partly: Partly,
        who: &str,
    ) -> Result<UndoReport, EngineError> {
        let (state, run) = self.run_of(user, run).await?;
        let rows = self.store.journal(run.id, ROWS_MAX).await?;
        let undo = self.undo_of(&state, &run, &rows).await?;
        let preview = report(run.id, None, &undo);
        if preview.blocks.is_empty() || (!preview.not.is_empty() && partly == Partly::Refuse) {
            return Ok(preview);
        }
        let touched: Vec<(&Calendar, &Undo)> = undo
            .iter()
            .filter(|(_, undo)| !undo.actions.is_empty())
            .filter_map(|(id, undo)| Some((state.calendars.iter().find(|c| c.id == *id)?, undo)))
            .collect();
        let Some((first, _)) = touched.first() else { return Ok(preview) };
        let by = self.run_that_writes(first, &format!("undo of {}", run.id));
        let mut plans = Vec::new();
        for (target, undo) in &touched {
            let words = undo::words(run.started_at, who);
            let hold = Hold::of_undo(target.id, run.id, by.id, words, self.clock.now());
            plans.push(self.undo_plan((&state, target), &undo.actions, by.id, hold).await?);
        }
        if let Some(plan) = plans.first_mut() {
            plan.run = Some(by.clone());
        }
        // Due before it is enqueued: whoever dies in between has asked for a look, and nothing else.
        let targets: Vec<CalendarId> = plans.iter().map(|plan| plan.target).collect();
        self.store.raise(&targets, Wish::Changes, self.clock.now()).await?;
        let line = format!("undid run {} by run {} in {} calendars", run.id, by.id, targets.len());
        self.store.audit(who, &line, self.clock.now()).await?;
        self.store.enqueue_all(lease, &plans).await?;
        Ok(report(run.id, Some(by.id), &undo))
    }

    /// What one target's outbox holds from now on: this, and what a person asked for before.
    async fn undo_plan(
        &self,
        (state, target): (&UserState, &Calendar),
        actions: &[Action],
        by: RunId,
        hold: Hold,
    ) -> Result<Enqueue, EngineError> {
        let rules = state.rules_in_force();
        let write = |action: &Action| {
            let rule = rules.iter().find(|rule| rule.id == action.row.rule);
            let cause = Cause {
                run: by,
                rule: action.row.rule,
                reason: action.reason,
                copies: rule.map(|rule| rule.options.text_policy()).unwrap_or_default(),
                fetched_at: target.last_synced_at,
            };
            Some(Write {
                correlation: action.row.correlation,
                target: target.id,
                op: action.write.clone()?,
                attempts: 0,
                not_before: None,
                error: None,
                changed_at: None,
                cause: Some(cause),
            })
        };
        let mut writes: Vec<Write> = actions.iter().filter_map(write).collect();
        let ours: BTreeSet<CorrelationId> = writes.iter().map(|write| write.correlation).collect();
        let waiting = self.store.due_writes(target.id, Ts::MAX, WAITING_MAX).await?;
        let stays = |write: &Write| {
            let reason = write.cause.as_ref().map(|cause| cause.reason);
            let asked_for = matches!(reason, Some(Reason::RuleGone | Reason::Undone));
            asked_for && !ours.contains(&write.correlation)
        };
        writes.extend(waiting.into_iter().filter(stays));
        Ok(Enqueue {
            target: target.id,
            // The planner is still to look at it: what is removed because a rule is off goes even so.
            seen_generation: target.dirty_generation - 1,
            ledger: actions.iter().map(|action| action.row.clone()).collect(),
            writes,
            hold: Some(hold),
            run: None,
            found: Vec::new(),
        })
    }

    /// Writes of an undo that wait under its hold: a plan that may write nothing else leaves them, as far as its audit still has
    /// nothing against them.
    pub(crate) async fn keep_undo(
        &self,
        input: &PlanInput<'_>,
        enqueue: &mut Enqueue,
    ) -> Result<(), EngineError> {
        let planned: BTreeSet<CorrelationId> = enqueue.writes.iter().map(|w| w.correlation).collect();
        let waiting = self.store.due_writes(input.target.id, Ts::MAX, WAITING_MAX).await?;
        let of_undo = |write: &&Write| {
            let undone = write.cause.as_ref().is_some_and(|cause| cause.reason == Reason::Undone);
            undone && !planned.contains(&write.correlation)
        };
        let rows: BTreeMap<CorrelationId, _> =
            input.ledger.iter().map(|row| (row.correlation, row)).collect();
        let action = |write: &Write| {
            let row = (*rows.get(&write.correlation)?).clone();
            let kind = match &write.op {
                calsync_core::ledger::WriteOp::Create { .. } => ActionKind::Create,
                calsync_core::ledger::WriteOp::Update { .. } => ActionKind::Update,
                calsync_core::ledger::WriteOp::Delete { .. } => ActionKind::Delete,
            };
            Some(Action { kind, reason: Reason::Undone, row, write: Some(write.op.clone()) })
        };
        let actions = waiting.iter().filter(of_undo).filter_map(action).collect();
        let (good, _) = undo::audited(input, actions);
        let good: BTreeSet<CorrelationId> = good.iter().map(|action| action.row.correlation).collect();
        enqueue.writes.extend(waiting.into_iter().filter(|write| good.contains(&write.correlation)));
        Ok(())
    }

    /// A run that is this user's.
    pub(crate) async fn run_of(&self, user: UserId, run: RunId) -> Result<(UserState, Run), EngineError> {
        let missing = || EngineError::NotFound(format!("run {run}"));
        let state = self.store.user_state(user).await?.ok_or_else(missing)?;
        let found = self.store.run(run).await?;
        let theirs = |run: &Run| state.calendars.iter().any(|c| c.id == run.calendar);
        let found = found.filter(theirs).ok_or_else(missing)?;
        Ok((state, found))
    }

    /// Of blocks with a write on its way: whether that is an undo's.
    async fn tell_undoing(&self, target: CalendarId, undo: &mut Undo) -> Result<(), EngineError> {
        let mut on_their_way: Vec<&mut NotUndone> =
            undo.not.iter_mut().filter(|not| not.why == WhyNot::OnItsWay).collect();
        if on_their_way.is_empty() {
            return Ok(());
        }
        let waiting = self.store.due_writes(target, Ts::MAX, WAITING_MAX).await?;
        let of_undo = |write: &&Write| write.cause.as_ref().is_some_and(|c| c.reason == Reason::Undone);
        let undoing: BTreeSet<CorrelationId> =
            waiting.iter().filter(of_undo).map(|write| write.correlation).collect();
        for not in on_their_way.iter_mut().filter(|not| undoing.contains(&not.correlation)) {
            not.why = WhyNot::BeingUndone;
        }
        Ok(())
    }

    /// What undoes a run, target by target.
    pub(crate) async fn undo_of(
        &self,
        state: &UserState,
        run: &Run,
        rows: &[JournalRow],
    ) -> Result<Vec<(CalendarId, Undo)>, EngineError> {
        let later: BTreeMap<CorrelationId, Overwritten> = self
            .store
            .overwritten(run.id, ROWS_MAX)
            .await?
            .into_iter()
            .map(|one| (one.correlation, one))
            .collect();
        let accounts = self.open_accounts(&state.accounts).await?;
        let targets: BTreeSet<CalendarId> = rows.iter().map(|row| row.target).collect();
        let mut all = Vec::new();
        for target in state.calendars.iter().filter(|c| targets.contains(&c.id)) {
            let account = accounts.of(target).ok();
            let takes_part = target.takes_part() && !target.missing && account_is_active(state, target);
            let usable = if takes_part && account.is_some() { Usable::Yes } else { Usable::No };
            let capabilities = account.map_or(OFFLINE, |account| account.capabilities());
            let data = self.load_target(state, target).await?;
            let input = data.input(self, state, target, capabilities);
            let mut undo = undo::decide(&input, rows, &later, usable);
            self.tell_undoing(target.id, &mut undo).await?;
            all.push((target.id, undo));
        }
        Ok(all)
    }
}

/// What is written, block by block.
pub(crate) fn blocks(undo: &[(CalendarId, Undo)]) -> Vec<Undoing> {
    undo.iter().flat_map(|(target, undo)| undo.actions.iter().map(|a| Undoing::of(*target, a))).collect()
}

fn report(run: RunId, by: Option<RunId>, undo: &[(CalendarId, Undo)]) -> UndoReport {
    UndoReport {
        run,
        by,
        blocks: blocks(undo),
        already: undo.iter().map(|(_, u)| u.already.len()).sum(),
        not: undo.iter().flat_map(|(target, u)| u.not.iter().map(|not| (*target, *not))).collect(),
    }
}
