//! The walk of a sync in memory: mirror, ledger, outbox and holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::ledger::{LedgerRow, LedgerState, Outcome, Settlement, Write};
use calsync_core::mirror::Mirror;
use calsync_core::ports::{Enqueue, Lease, PullApply, StoreError};
use calsync_core::run::Run;
use calsync_core::time::Ts;

use super::{State, conflict, due, raise};
use crate::rows::{block_of, earliest, missing};

impl State {
    pub(super) fn mirror(&self, calendar: CalendarId) -> Result<Arc<Mirror>, StoreError> {
        Ok(self.mirrors.get(&calendar).cloned().unwrap_or_default())
    }

    pub(super) fn ledger(&self, target: CalendarId) -> Result<Arc<Vec<LedgerRow>>, StoreError> {
        Ok(self.ledger.get(&target).cloned().unwrap_or_default())
    }

    pub(super) fn apply_pull(&mut self, lease: &Lease, pull: &PullApply) -> Result<(), StoreError> {
        self.fence(lease)?;
        let calendar = self.calendar_mut(pull.calendar)?;
        calendar.cursor = pull.cursor.clone();
        if let Some(full) = pull.full {
            calendar.last_full_sync = Some(full.began_at);
            calendar.full_due = false;
        }
        if let Some(losses) = &pull.cursor_losses {
            calendar.cursor_losses = losses.clone();
        }
        if let Some(zone) = &pull.time_zone {
            calendar.time_zone = zone.clone();
        }
        if !pull.shows_nothing_new() {
            let mirror = Arc::make_mut(self.mirrors.entry(pull.calendar).or_default());
            pull.events_gone.iter().for_each(|id| drop(mirror.events.remove(id)));
            pull.blocks_gone.iter().for_each(|id| drop(mirror.blocks.remove(id)));
            mirror.events.extend(pull.events.iter().map(|e| (e.id.clone(), e.clone())));
            mirror.blocks.extend(pull.blocks.iter().map(|b| (b.id.clone(), b.clone())));
        }
        self.verify(pull);
        for target in &pull.targets {
            if let Some(calendar) = self.calendars.get_mut(target) {
                calendar.plan_due = true;
                due(calendar, pull.at);
            }
        }
        Ok(())
    }

    pub(super) fn enqueue_all(&mut self, lease: &Lease, plans: &[Enqueue]) -> Result<(), StoreError> {
        let mut after = self.clone();
        for plan in plans {
            after.enqueue(lease, plan)?;
        }
        *self = after;
        Ok(())
    }

    pub(super) fn enqueue(&mut self, lease: &Lease, enqueue: &Enqueue) -> Result<(), StoreError> {
        self.fence(lease)?;
        let target = enqueue.target;
        let correlations: BTreeSet<_> = enqueue.writes.iter().map(|w| w.correlation).collect();
        if correlations.len() < enqueue.writes.len() {
            return Err(conflict("a block can have only one write at a time"));
        }
        let old = self.outbox.get(&target).cloned().unwrap_or_default();
        let new = enqueue.writes.iter().map(|write| {
            let known = old.iter().find(|o| o.correlation == write.correlation);
            let new = known.filter(|known| known.op == write.op).unwrap_or(write);
            Write { target, changed_at: earliest(known, new), ..new.clone() }
        });
        let new: Vec<Write> = new.collect();
        let forms =
            |writes: &[Write]| writes.iter().map(|w| (w.correlation, w.op.clone())).collect::<Vec<_>>();
        let same = forms(&old) == forms(&new);
        // Of what is planned already no run is told.
        let shown_by = enqueue.shown_by(!same);
        let told = |run: &&Run| shown_by.contains(&run.id);
        if enqueue.run.as_ref().filter(told).is_some_and(|run| self.runs.contains_key(&run.id)) {
            return Err(conflict("another run has this id already"));
        }
        let calendar = self.calendar_mut(target)?;
        // What a person changed after the plan's state was read is not in the plan.
        if calendar.dirty_generation == enqueue.seen_generation {
            calendar.plan_due = false;
        }
        self.outbox.insert(target, new);
        self.begin_writing(enqueue, shown_by);
        if !enqueue.ledger.is_empty() {
            let rows = Arc::make_mut(self.ledger.entry(target).or_default());
            for row in &enqueue.ledger {
                put_row(rows, LedgerRow { target, ..row.clone() });
            }
        }
        for found in &enqueue.found {
            self.note(found);
            self.note_standing(found);
        }
        match &enqueue.hold {
            Some(hold) => {
                let approved = |old: &Hold| old.digest == hold.digest && old.approved;
                let approved = hold.approved || self.holds.get(&target).is_some_and(approved);
                self.holds.insert(target, Hold { approved, ..hold.clone() });
            }
            None => drop(self.holds.remove(&target)),
        }
        Ok(())
    }

    pub(super) fn due_writes(
        &self,
        target: CalendarId,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Write>, StoreError> {
        let writes = self.outbox.get(&target).into_iter().flatten();
        let due = writes.filter(|w| w.not_before.is_none_or(|at| at <= now));
        Ok(due.take(limit as usize).cloned().collect())
    }

    pub(super) fn waiting_writes(&self, target: CalendarId) -> Result<u64, StoreError> {
        Ok(self.outbox.get(&target).map_or(0, |writes| writes.len() as u64))
    }

    pub(super) fn settle(&mut self, lease: &Lease, settlements: &[Settlement]) -> Result<(), StoreError> {
        let claimed_at = self.fence(lease)?.claimed_at;
        if settlements.iter().any(|s| !self.calendars.contains_key(&s.target)) {
            return Err(missing("calendar"));
        }
        for settlement in settlements {
            self.note(settlement);
            self.settle_one(settlement, claimed_at);
            self.note_standing(settlement);
        }
        Ok(())
    }

    fn settle_one(&mut self, settlement: &Settlement, claimed_at: Ts) {
        let Settlement { target, correlation, outcome, .. } = settlement;
        let outbox = self.outbox.entry(*target).or_default();
        if let Outcome::Postponed { attempts, not_before, error } = outcome {
            if let Some(write) = outbox.iter_mut().find(|w| w.correlation == *correlation) {
                write.attempts = *attempts;
                write.not_before = Some(*not_before);
                write.error = Some(error.clone());
            }
            return;
        }
        let mirror = Arc::make_mut(self.mirrors.entry(*target).or_default());
        let row = self.ledger.get_mut(target).and_then(|rows| {
            let at = place_of(rows, *correlation).ok()?;
            Arc::make_mut(rows).get_mut(at)
        });
        match outcome {
            Outcome::Postponed { .. } => {}
            Outcome::Stored { block, wrote, span, repairs, at } => {
                mirror.blocks.insert(block.id.clone(), block.clone());
                if let Some(row) = row {
                    row.block = Some(block.id.clone());
                    row.state = LedgerState::Live;
                    row.echo = Some(block.fingerprint);
                    row.wrote = *wrote;
                    row.span = *span;
                    row.repairs = *repairs;
                    row.written_at = Some(*at);
                }
            }
            Outcome::Removed { id } => {
                mirror.blocks.remove(id);
                // A second block of the same correlation may go while the row's own one stands.
                if let Some(row) = row.filter(|r| r.block.as_ref() == Some(id)) {
                    row.state = LedgerState::Gone;
                }
            }
            Outcome::Replan { observed, generation } => {
                let write = outbox.iter().find(|w| w.correlation == *correlation);
                match (observed, write.and_then(|w| block_of(&w.op))) {
                    (Some(block), _) => drop(mirror.blocks.insert(block.id.clone(), block.clone())),
                    (None, Some(id)) => drop(mirror.blocks.remove(id)),
                    (None, None) => {}
                }
                if let (Some(row), Some(generation)) = (row, generation) {
                    row.generation = *generation;
                }
                if let Some(calendar) = self.calendars.get_mut(target) {
                    calendar.plan_due = true;
                    due(calendar, claimed_at);
                }
            }
        }
        outbox.retain(|w| w.correlation != *correlation);
    }

    pub(super) fn approve_hold(&mut self, target: CalendarId, now: Ts) -> Result<bool, StoreError> {
        let Some(hold) = self.holds.get_mut(&target) else { return Ok(false) };
        hold.approved = true;
        let calendar = self.calendar_mut(target)?;
        calendar.plan_due = true;
        raise(calendar, now);
        Ok(true)
    }
}

/// Where the row of this correlation stands, or would.
fn place_of(rows: &[LedgerRow], correlation: CorrelationId) -> Result<usize, usize> {
    rows.binary_search_by_key(&correlation, |row| row.correlation)
}

fn put_row(rows: &mut Vec<LedgerRow>, row: LedgerRow) {
    match place_of(rows, row.correlation) {
        Ok(at) => rows[at] = row,
        Err(at) => rows.insert(at, row),
    }
}
