//! The journal in memory: noted with what is settled, proven by what a listing shows, and forgotten with the rule that copied its
//! texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::block::BlockContent;
use calsync_core::ids::{CalendarId, CorrelationId, RunId};
use calsync_core::journal::{
    Activity, After, Copied, Deed, Entry, Filter, Idle, JournalRow, Overwritten, Receipt, Wrote,
};
use calsync_core::ledger::{LedgerRow, Outcome, Settlement};
use calsync_core::ports::{Enqueue, PullApply, StoreError};
use calsync_core::run::Run;

use super::State;
use crate::rows::noted;

/// A content without what was copied, and that apart from it.
pub(super) type Written = (BlockContent, Option<Copied>);

/// A row, and apart from it the texts that were copied.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    row: JournalRow,
    old: Option<Copied>,
    new: Option<Copied>,
}

impl Noted {
    pub(super) fn row(&self) -> &JournalRow {
        &self.row
    }

    fn whole(&self) -> JournalRow {
        let with = |content: &Option<BlockContent>, copied: &Option<Copied>| {
            content.clone().map(|content| match copied.clone() {
                Some(copied) => copied.put_back(content),
                None => content,
            })
        };
        let (before, after) = (with(&self.row.before, &self.old), with(&self.row.after, &self.new));
        JournalRow { before, after, ..self.row.clone() }
    }
}

impl State {
    /// A run that reads nothing is written down, and those that planned this are known to have something to show.
    pub(super) fn begin_writing(&mut self, enqueue: &Enqueue, shown_by: BTreeSet<RunId>) {
        if let Some(run) = enqueue.run.as_ref().filter(|run| shown_by.contains(&run.id)) {
            self.wrote.remove(&run.id);
            self.runs.insert(run.id, run.clone());
        }
        let known: Vec<RunId> = shown_by.into_iter().filter(|run| self.runs.contains_key(run)).collect();
        self.wrote.extend(known);
    }

    /// Before the settlement is booked: what stood there until now is what stood before it.
    pub(super) fn note(&mut self, settlement: &Settlement) {
        let Settlement { target, correlation, outcome, entry: Some(entry) } = settlement else { return };
        let Some((block, echo)) = noted(outcome) else { return };
        let Some(row) = self.ledger_row(*target, *correlation) else { return };
        let (source, named) = (row.source, row.block.as_ref() == Some(block));
        let known = self.contents.get(&(*target, *correlation)).cloned();
        let (before, old) = known.filter(|_| entry.deed != Deed::Created && named).unzip();
        let (after, new) = self.written(entry).unzip();
        let Entry { cause, deed, changed_at, written_at, .. } = entry;
        let seq = self.journal.last_key_value().map_or(1, |(seq, _)| seq + 1).max(self.journal_next);
        self.journal_next = seq + 1;
        let row = JournalRow {
            seq,
            run: cause.run,
            target: *target,
            correlation: *correlation,
            source,
            rule: cause.rule,
            deed: *deed,
            reason: cause.reason,
            block: block.clone(),
            before,
            after,
            echo,
            receipt: Receipt {
                seen_at: *changed_at,
                fetched_at: cause.fetched_at,
                written_at: *written_at,
                verified_at: None,
            },
        };
        self.journal.insert(seq, Arc::new(Noted { row, old: old.flatten(), new: new.flatten() }));
        self.unproven.insert(seq);
    }

    /// Remembers what stands there by our hand from now on.
    pub(super) fn note_standing(&mut self, settlement: &Settlement) {
        let Settlement { target, correlation, outcome, entry } = settlement;
        let key = (*target, *correlation);
        match outcome {
            Outcome::Stored { .. } => {
                let written = entry.as_ref().and_then(|entry| self.written(entry));
                let known = self.ledger_row(*target, *correlation).is_some();
                match written.filter(|_| known) {
                    Some(written) => drop(self.contents.insert(key, written)),
                    None => drop(self.contents.remove(&key)),
                }
            }
            Outcome::Removed { id } => {
                if self.ledger_row(*target, *correlation).is_some_and(|row| row.block.as_ref() == Some(id)) {
                    self.contents.remove(&key);
                }
            }
            Outcome::Replan { observed: Some(_), .. } => {
                let written = entry.as_ref().map(|entry| self.written(entry));
                let known = self.ledger_row(*target, *correlation).is_some();
                if let Some(written) = written.filter(|_| known) {
                    match written {
                        Some(written) => drop(self.contents.insert(key, written)),
                        None => drop(self.contents.remove(&key)),
                    }
                }
            }
            Outcome::Postponed { .. } | Outcome::Replan { observed: None, .. } => {}
        }
    }

    fn ledger_row(&self, target: CalendarId, correlation: CorrelationId) -> Option<&LedgerRow> {
        let rows = self.ledger.get(&target)?;
        rows.iter().find(|row| row.correlation == correlation)
    }

    /// What was written, without what its rule does not copy any more.
    fn written(&self, entry: &Entry) -> Option<Written> {
        let (content, copied) = Copied::take(entry.content.clone()?, entry.cause.copies);
        let policy = self.rules.get(&entry.cause.rule).map(|rule| rule.options.text_policy());
        Some((content, copied.and_then(|copied| copied.allowed(policy.unwrap_or_default()))))
    }

    /// What a listing showed proves what was written before it.
    pub(super) fn verify(&mut self, pull: &PullApply) {
        let mirror = self.mirrors.get(&pull.calendar).cloned().unwrap_or_default();
        let journal = &self.journal;
        self.unproven
            .retain(|seq| journal.get(seq).is_some_and(|noted| noted.row.receipt.verified_at.is_none()));
        for seq in &self.unproven {
            let Some(noted) = self.journal.get_mut(seq).filter(|noted| noted.row.target == pull.calendar)
            else {
                continue;
            };
            let row = &noted.row;
            let absent = |began_at| {
                let before = row.receipt.written_at < began_at;
                row.deed == Deed::Removed && before && !mirror.blocks.contains_key(&row.block)
            };
            let proven = pull.shown.iter().any(|shown| shown.proves(row));
            if proven || pull.full.is_some_and(|full| absent(full.began_at)) {
                Arc::make_mut(noted).row.receipt.verified_at = Some(pull.at);
            }
        }
    }

    /// What was copied by rules between these may not be kept any more.
    pub(super) fn forget_copied(&mut self, between: impl Fn(CalendarId, CalendarId) -> bool) {
        let copied = |noted: &&mut Arc<Noted>| {
            (noted.old.is_some() || noted.new.is_some()) && between(noted.row.source, noted.row.target)
        };
        for noted in self.journal.values_mut().filter(copied) {
            let noted = Arc::make_mut(noted);
            (noted.old, noted.new) = (None, None);
        }
        let ledger = &self.ledger;
        let source = |(target, correlation): &(CalendarId, CorrelationId)| {
            let rows = ledger.get(target)?;
            Some(rows.iter().find(|row| row.correlation == *correlation)?.source)
        };
        let standing = self.contents.iter_mut().filter(|(_, (_, copied))| copied.is_some());
        for (key, written) in standing {
            if source(key).is_some_and(|source| between(source, key.0)) {
                written.1 = None;
            }
        }
    }

    pub(super) fn run(&self, run: RunId) -> Result<Option<Run>, StoreError> {
        Ok(self.runs.get(&run).cloned())
    }

    pub(super) fn journal(&self, run: RunId, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        let rows = self.journal.values().filter(|noted| noted.row.run == run);
        Ok(rows.take(limit as usize).map(|noted| noted.whole()).collect())
    }

    pub(super) fn last_write(
        &self,
        target: CalendarId,
        correlation: CorrelationId,
    ) -> Result<Option<JournalRow>, StoreError> {
        let mut rows = self.journal.values().rev();
        let last = rows.find(|noted| (noted.row.target, noted.row.correlation) == (target, correlation));
        Ok(last.map(|noted| noted.whole()))
    }

    pub(super) fn overwritten(&self, run: RunId, limit: u32) -> Result<Vec<Overwritten>, StoreError> {
        let block = |row: &JournalRow| (row.target, row.correlation);
        let mut first: BTreeMap<(CalendarId, CorrelationId), i64> = BTreeMap::new();
        for row in self.journal.values().map(|noted| &noted.row).filter(|row| row.run == run) {
            first.entry(block(row)).or_insert(row.seq);
        }
        let later = self
            .journal
            .values()
            .map(|noted| &noted.row)
            .filter(|row| row.run != run && first.get(&block(row)).is_some_and(|seq| row.seq > *seq));
        let one = |row: &JournalRow| Overwritten {
            target: row.target,
            correlation: row.correlation,
            by: row.run,
            reason: row.reason,
        };
        Ok(later.take(limit as usize).map(one).collect())
    }

    pub(super) fn activity(
        &self,
        filter: &Filter,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<Activity>, StoreError> {
        let mut wrote: BTreeMap<RunId, BTreeMap<CalendarId, Wrote>> = BTreeMap::new();
        for row in self.journal.values().map(|noted| &noted.row) {
            let empty = Wrote { target: row.target, created: 0, changed: 0, removed: 0, verified: 0 };
            let of = wrote.entry(row.run).or_default().entry(row.target).or_insert(empty);
            match row.deed {
                Deed::Created => of.created += 1,
                Deed::Changed => of.changed += 1,
                Deed::Removed => of.removed += 1,
            }
            of.verified += u32::from(row.receipt.verified_at.is_some());
        }
        let theirs = |run: &&Run| self.calendars.get(&run.calendar).is_some_and(|c| c.user == filter.user);
        let concerns = |run: &&Run| {
            filter.calendar.is_none_or(|calendar| {
                run.calendar == calendar || wrote.get(&run.id).is_some_and(|w| w.contains_key(&calendar))
            })
        };
        let shown = |run: &&Run| filter.idle == Idle::Shown || self.wrote.contains(&run.id);
        let in_time = |run: &&Run| {
            filter.since.is_none_or(|since| run.started_at >= since)
                && after.is_none_or(|a| (run.started_at, run.id) < (a.started_at, a.run))
        };
        let mut runs: Vec<&Run> =
            self.runs.values().filter(theirs).filter(shown).filter(in_time).filter(concerns).collect();
        runs.sort_unstable_by_key(|run| std::cmp::Reverse((run.started_at, run.id)));
        let with = |run: &Run| {
            let wrote = wrote.get(&run.id).map(|w| w.values().copied().collect()).unwrap_or_default();
            Activity { run: run.clone(), wrote }
        };
        Ok(runs.into_iter().take(limit as usize).map(with).collect())
    }
}
