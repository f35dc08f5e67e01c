//! One target: load what its plan depends on, plan, audit, enqueue, push; again if what stands there turns out to be
//! something else than was thought.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::alert::AlertKind;
use calsync_core::block::Identity;
use calsync_core::calendar::Calendar;
use calsync_core::freshness::{self, Delay, Origins};
use calsync_core::hold::{Hold, UNDO_REMINDED_AFTER, Verdict};
use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::ledger::LedgerRow;
use calsync_core::mirror::Mirror;
use calsync_core::names::Names;
use calsync_core::plan::{self, Plan, PlanInput, RuleInput};
use calsync_core::ports::{Capabilities, Lease, ProviderAccount, UserState};
use calsync_core::rule::Rule;
use calsync_core::time::Ts;
use calsync_core::week::LaneInput;
use futures_util::{StreamExt, stream};
use tracing::{Instrument, debug_span};

use crate::causes::{self, Readings};
use crate::freshness::News;
use crate::push::{Carried, Pushed};
use crate::report::{BlockChange, FailedWrite};
use crate::step::AT_ONCE;
use crate::{Engine, EngineError};

/// Plans in one step, when what stands in the target keeps turning out different.
const ROUNDS_MAX: usize = 4;

/// Writes that wait for one target and are looked at, whether a plan found them carried out.
pub(crate) const WAITING_MAX: u32 = 10_000;

/// What working on one target did.
#[derive(Default)]
pub(crate) struct TargetDone {
    pub(crate) blocks: Vec<BlockChange>,
    pub(crate) failed: Vec<FailedWrite>,
    pub(crate) held: Option<Hold>,
    /// It was tried and led nowhere: it is due no sooner than after a wait, whatever else says so.
    pub(crate) stuck: bool,
    pub(crate) calls: u32,
    pub(crate) error: Option<String>,
    pub(crate) account_error: Option<calsync_core::ports::ProviderError>,
    /// It takes no blocks, or its plan was refused: people are told.
    pub(crate) refused: bool,
    /// When writing began, if anything was written.
    pub(crate) wrote_from: Option<Ts>,
    /// How long the changes took whose blocks were written.
    pub(crate) delays: Vec<Delay>,
}

/// Mirrors of calendars of one user.
pub(crate) type Mirrors = BTreeMap<CalendarId, Arc<Mirror>>;

/// What a plan is made from, loaded.
pub(crate) struct TargetData {
    mirrors: Mirrors,
    ledger: Arc<Vec<LedgerRow>>,
    rules: Vec<Rule>,
    identity: Identity,
}

impl TargetData {
    /// The same with these calendars as they were seen just now.
    pub(crate) fn seen_anew(mut self, mirrors: &Mirrors) -> TargetData {
        for (calendar, mirror) in &mut self.mirrors {
            if let Some(seen) = mirrors.get(calendar) {
                *mirror = seen.clone();
            }
        }
        self
    }

    /// The planner's input.
    pub(crate) fn input<'a>(
        &'a self,
        engine: &'a Engine,
        state: &'a UserState,
        target: &'a Calendar,
        capabilities: Capabilities,
    ) -> PlanInput<'a> {
        let rule_input = |rule: &'a Rule| {
            let source = state.calendars.iter().find(|c| c.id == rule.source)?;
            Some(RuleInput { rule, source, mirror: self.mirrors.get(&rule.source)? })
        };
        PlanInput {
            target,
            rules: self.rules.iter().filter_map(rule_input).collect(),
            mirror: &self.mirrors[&target.id],
            ledger: &self.ledger,
            identity: &self.identity,
            capabilities,
            window: engine.window(),
            hold: state.holds.iter().find(|h| h.target == target.id),
            now: engine.clock.now(),
        }
    }
}

impl TargetData {
    /// The same calendar, to be looked at.
    pub(crate) fn lane<'a>(
        &'a self,
        calendar: &'a Calendar,
        names: &'a Names,
        rules: &'a [Rule],
    ) -> LaneInput<'a> {
        let (mirror, identity) = (&*self.mirrors[&calendar.id], &self.identity);
        let name = names.get(calendar.id);
        LaneInput { calendar, name, mirror, ledger: &self.ledger, identity, rules }
    }
}

impl Engine {
    /// The mirrors that the plans for these targets depend on, each loaded once. One that can't be read is missing: whoever
    /// needs it tries for itself, and nobody else has to do with it.
    pub(crate) async fn mirrors_for(&self, state: &UserState, targets: &[&Calendar]) -> Mirrors {
        let rules = state.rules_in_force();
        let into = |target: &&Calendar| {
            let target = target.id;
            rules.iter().filter(move |r| r.target == target).map(|r| r.source).chain([target])
        };
        let ids: BTreeSet<CalendarId> = targets.iter().flat_map(into).collect();
        let loading = ids.into_iter().map(|id| async move { Some((id, self.store.mirror(id).await.ok()?)) });
        let loaded = stream::iter(loading.collect::<Vec<_>>()).buffered(AT_ONCE);
        loaded.filter_map(std::future::ready).collect().await
    }

    /// Loads what the plan for `target` depends on.
    pub(crate) async fn load_target(
        &self,
        state: &UserState,
        target: &Calendar,
    ) -> Result<TargetData, EngineError> {
        self.load_target_among(state, target, &mut BTreeMap::new()).await
    }

    /// The same, with the mirrors that were loaded for other targets of this user.
    pub(crate) async fn load_target_among(
        &self,
        state: &UserState,
        target: &Calendar,
        loaded: &mut Mirrors,
    ) -> Result<TargetData, EngineError> {
        let rules: Vec<Rule> = state.rules_in_force().into_iter().filter(|r| r.target == target.id).collect();
        let mut mirrors = BTreeMap::new();
        for id in rules.iter().map(|r| r.source).chain([target.id]) {
            if let Entry::Vacant(place) = loaded.entry(id) {
                place.insert(self.store.mirror(id).await?);
            }
            mirrors.insert(id, loaded[&id].clone());
        }
        let identity = self.identity.for_calendar(&target.remote);
        Ok(TargetData { mirrors, ledger: self.store.ledger(target.id).await?, rules, identity })
    }

    /// Brings one target up to date. `mirrors`: what its first plan is made from, loaded for all targets of this step. Only
    /// reading changes events, and that is over; what is written meanwhile changes blocks of targets that are not this one.
    pub(crate) async fn work_target(
        &self,
        lease: &Lease,
        state: &UserState,
        target: &Calendar,
        account: &dyn ProviderAccount,
        mirrors: Mirrors,
        showed: (&BTreeMap<CalendarId, Origins>, &Readings),
    ) -> Result<TargetDone, EngineError> {
        let (origins, readings) = showed;
        let mut done = TargetDone::default();
        let mut news = News { origins, readings, carried: BTreeMap::new() };
        let mut to_plan = target.plan_due;
        // A plan that follows on a write is made from what that write left.
        let mut mirrors = if to_plan { mirrors } else { Mirrors::default() };
        for _ in 0..ROUNDS_MAX {
            let mut sources = BTreeMap::new();
            if to_plan {
                let data = self.load_target_among(state, target, &mut std::mem::take(&mut mirrors)).await?;
                let plan = match self.plan_and_enqueue(lease, (state, target), account, data, &news).await {
                    Err(EngineError::PlanRefused { violation, .. }) => {
                        self.alert_audit(target, &violation.to_string()).await?;
                        done.error = Some(format!("the plan for {} was refused: {violation}", target.id));
                        (done.stuck, done.refused) = (true, true);
                        return Ok(done);
                    }
                    planned => planned?,
                };
                done.held = match &plan.verdict {
                    Verdict::Hold(hold) => Some(hold.clone()),
                    Verdict::Go => None,
                };
                sources.extend(plan.actions.into_iter().map(|a| (a.row.correlation, a.row)));
            }
            // Of a held plan, only what a person asked for is there to be pushed.
            let began_at = self.clock.now();
            let mut pushed = self.push(lease, target, account).await?;
            to_plan = pushed.replan;
            news.carried.append(&mut pushed.changes);
            if pushed.wrote {
                done.wrote_from.get_or_insert(began_at);
            }
            self.note_pushed(state, target, pushed, &sources, &mut done).await?;
            if !to_plan || done.account_error.is_some() {
                break;
            }
        }
        Ok(done)
    }

    async fn plan_and_enqueue(
        &self,
        lease: &Lease,
        (state, target): (&UserState, &Calendar),
        account: &dyn ProviderAccount,
        data: TargetData,
        news: &News<'_>,
    ) -> Result<Plan, EngineError> {
        let input = data.input(self, state, target, account.capabilities());
        let (plan, violation) = debug_span!("plan", calendar = %target.id).in_scope(|| {
            let plan = plan::plan(&input);
            let violation = plan::check(&input, &plan).into_iter().next();
            (plan, violation)
        });
        if let Some(violation) = violation {
            tracing::error!(calendar = %target.id, %violation, "a plan was refused by its audit; nothing was written");
            return Err(EngineError::PlanRefused { calendar: target.id, violation });
        }
        self.note_hold(state, target, &plan).await?;
        let mut enqueue = plan.enqueue();
        let mirror = &data.mirrors[&target.id];
        // What a held plan finds it does not take over.
        let goes = plan.verdict == Verdict::Go;
        if goes && state.waiting_writes.iter().any(|(id, _)| *id == target.id) {
            let waiting = self.store.due_writes(target.id, Ts::MAX, WAITING_MAX).await?;
            enqueue.found = causes::carried_out(&plan, &waiting, mirror, self.clock.now());
        }
        self.note_causes(&mut enqueue, &plan, &data.rules, (state, target, mirror), news.readings);
        if matches!(&plan.verdict, Verdict::Hold(hold) if hold.keeps_undone()) {
            let input = data.input(self, state, target, account.capabilities());
            self.keep_undo(&input, &mut enqueue).await?;
        }
        // This target looks at it no more: a store that shares what nobody holds can change it where it is.
        drop(data);
        freshness::stamp(&mut enqueue.writes, &plan.actions, news.origins, &news.carried);
        self.store.enqueue(lease, &enqueue).instrument(debug_span!("enqueue")).await?;
        Ok(plan)
    }

    async fn note_hold(&self, state: &UserState, target: &Calendar, plan: &Plan) -> Result<(), EngineError> {
        let was_held = state.holds.iter().any(|h| h.target == target.id);
        match &plan.verdict {
            // Who undid something needs no telling, for a while.
            Verdict::Hold(hold) if hold.keeps_undone() => {
                if self.clock.now() >= hold.since.plus(UNDO_REMINDED_AFTER) {
                    self.remind_of_undo(hold).await?;
                }
            }
            Verdict::Hold(hold) => self.alert_held(hold).await?,
            Verdict::Go if was_held => self.resolve(AlertKind::DeletionsHeld, target.id).await?,
            Verdict::Go => {}
        }
        Ok(())
    }

    async fn note_pushed(
        &self,
        state: &UserState,
        target: &Calendar,
        pushed: Pushed,
        planned: &BTreeMap<CorrelationId, LedgerRow>,
        done: &mut TargetDone,
    ) -> Result<(), EngineError> {
        let waited = state.waiting_writes.iter().any(|(id, _)| *id == target.id);
        match &pushed.refused {
            Some(error) => self.alert_refused(target, error).await?,
            // Only what waited before can have been refused before, and it is over when none of it waits any more.
            None if waited && !pushed.done.is_empty() && self.store.waiting_writes(target.id).await? == 0 => {
                self.resolve(AlertKind::WritesRefused, target.id).await?
            }
            None => {}
        }
        done.stuck |= pushed.account_error.is_some();
        done.refused |= pushed.refused.is_some();
        let mut known: Option<BTreeMap<CorrelationId, LedgerRow>> = None;
        for Carried { write, kind, at } in pushed.done {
            // A write left over from an earlier step is not in this plan: its row tells whose it is.
            if !planned.contains_key(&write.correlation) && known.is_none() {
                let rows = self.store.ledger(target.id).await?;
                known = Some(rows.iter().map(|r| (r.correlation, r.clone())).collect());
            }
            let row = planned.get(&write.correlation).or_else(|| known.as_ref()?.get(&write.correlation));
            if let Some(row) = row {
                let (source, occurrence, span) = (row.source, row.occurrence.clone(), row.span);
                let delay = |happened_at| Delay { rule: row.rule, happened_at, written_at: at };
                done.delays.extend(write.changed_at.map(delay));
                done.blocks.push(BlockChange { source, target: target.id, occurrence, kind, span });
            }
        }
        done.failed.extend(pushed.failed);
        done.error = done.error.take().or(pushed.error);
        if let Some(error) = &pushed.account_error {
            done.error.get_or_insert_with(|| error.to_string());
        }
        done.account_error = done.account_error.take().or(pushed.account_error);
        Ok(())
    }
}
