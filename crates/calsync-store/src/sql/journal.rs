//! The journal in SQL: noted with what is settled, proven by what a listing shows, read along its runs, and forgotten with the
//! rule that copied its texts. Never written by itself.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::event::TextPolicy;
use calsync_core::ids::{CalendarId, CorrelationId, RuleId, RunId};
use calsync_core::journal::{Activity, After, Copied, Entry, Filter, Idle, JournalRow, Overwritten, Wrote};
use calsync_core::ledger::{Outcome, Settlement};
use calsync_core::ports::{Enqueue, PullApply, StoreError};
use calsync_core::rule::RuleOptions;
use calsync_core::run::Run;
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select};
use super::db::{Bulk, Tx};
use super::runs::insert_run;
use super::value::{Row, Val, vals};
use crate::rows::noted;

/// Target, correlation, run, rule, deed, reason, block, content, texts, echo, seen, fetched, written. What stood before stands in
/// the ledger until the write itself is booked; of a second block of the same correlation nobody knows.
pub(super) const NOTE: Bulk = Bulk {
    before: "INSERT INTO journal (run_id, target, correlation, source, rule_id, deed, reason, block, content_old, \
             texts_old, content_new, texts_new, echo, seen_at, fetched_at, written_at) \
             SELECT v.column3, v.column1, v.column2, l.source, v.column4, v.column5, v.column6, v.column7, \
             CASE WHEN v.column5 <> 'created' AND l.block = v.column7 THEN l.content END, \
             CASE WHEN v.column5 <> 'created' AND l.block = v.column7 THEN l.texts END, \
             v.column8, v.column9, v.column10, v.column11, v.column12, v.column13 FROM (",
    after: ") AS v JOIN ledger l ON l.target = v.column1 AND l.correlation = v.column2",
};
/// Target, block, fingerprint, when.
pub(super) const SHOWN: Bulk = Bulk {
    before: "UPDATE journal SET verified_at = v.column4 FROM (",
    after: ") AS v WHERE journal.target = v.column1 AND journal.block = v.column2 AND journal.verified_at IS NULL \
            AND journal.echo = v.column3",
};
/// Target, block, when.
pub(super) const GONE: Bulk = Bulk {
    before: "UPDATE journal SET verified_at = v.column3 FROM (",
    after: ") AS v WHERE journal.target = v.column1 AND journal.block = v.column2 AND journal.verified_at IS NULL \
            AND journal.deed = 'removed'",
};
/// A whole listing does not show it, and the mirror shows what that showed.
pub(super) const ABSENT: &str = "UPDATE journal SET verified_at = $2 WHERE target = $1 AND verified_at IS NULL \
    AND deed = 'removed' AND written_at < $3 AND NOT EXISTS (SELECT 1 FROM mirror_blocks m \
    WHERE m.calendar_id = journal.target AND m.event_id = journal.block)";
/// A run that planned something to be written.
const WROTE: Bulk = Bulk {
    before: "UPDATE sync_runs SET wrote = 1 FROM (",
    after: ") AS v WHERE sync_runs.id = v.column1 AND sync_runs.wrote = 0",
};

/// Texts that were copied by a rule, in the journal and in what stands there by our hand.
pub(super) const FORGET_COPIED: [&str; 2] = [
    "UPDATE journal SET texts_old = NULL, texts_new = NULL WHERE source = $1 AND target = $2 \
     AND (texts_old IS NOT NULL OR texts_new IS NOT NULL)",
    "UPDATE ledger SET texts = NULL WHERE target = $2 AND source = $1 AND texts IS NOT NULL",
];
/// The same of all rules from a calendar and into it. Of its user's calendars there are few.
const FORGET_ALL_COPIED: [&str; 4] = [
    "UPDATE journal SET texts_old = NULL, texts_new = NULL WHERE source = $1 \
     AND (texts_old IS NOT NULL OR texts_new IS NOT NULL)",
    // Also of a source that is no more.
    "UPDATE journal SET texts_old = NULL, texts_new = NULL WHERE target = $1 \
     AND (texts_old IS NOT NULL OR texts_new IS NOT NULL)",
    "UPDATE ledger SET texts = NULL WHERE target = $1 AND texts IS NOT NULL",
    "UPDATE ledger SET texts = NULL WHERE target IN (SELECT id FROM calendars \
     WHERE user_id = (SELECT user_id FROM calendars WHERE id = $1)) AND source = $1 AND texts IS NOT NULL",
];

pub(super) const ROWS: &str =
    select!(journal_columns, "FROM journal WHERE run_id = $1 ORDER BY seq LIMIT $2");
/// The newest row of a block.
pub(super) const LAST: &str =
    select!(journal_columns, "FROM journal WHERE target = $1 AND correlation = $2 ORDER BY seq DESC LIMIT 1");
/// For each block of a run the newest row that another run wrote after it.
pub(super) const LATER: &str = "SELECT l.target, l.correlation, l.run_id, l.reason FROM journal j \
    JOIN journal l ON l.target = j.target AND l.correlation = j.correlation AND l.seq > j.seq AND l.run_id <> j.run_id \
    WHERE j.run_id = $1 ORDER BY l.seq LIMIT $2";
/// Counts by run and target.
pub(super) const COUNTS: Bulk = Bulk {
    before: "SELECT j.run_id, j.target, \
             CAST(sum(CASE WHEN j.deed = 'created' THEN 1 ELSE 0 END) AS BIGINT), \
             CAST(sum(CASE WHEN j.deed = 'changed' THEN 1 ELSE 0 END) AS BIGINT), \
             CAST(sum(CASE WHEN j.deed = 'removed' THEN 1 ELSE 0 END) AS BIGINT), count(j.verified_at) FROM (",
    after: ") AS v JOIN journal j ON j.run_id = v.column1 GROUP BY j.run_id, j.target ORDER BY j.run_id, j.target",
};
/// User, since, before when and which, how many, calendar or none. Along what was written for a user, of whom there is not much.
pub(super) const WROTE_RUNS: &str = select!(
    run_columns,
    "FROM sync_runs WHERE user_id = $1 AND wrote = 1 AND started_at >= $2 AND (started_at, id) < ($3, $4) \
     AND ($6 IS NULL OR calendar_id = $6 OR EXISTS (SELECT 1 FROM journal j WHERE j.run_id = sync_runs.id AND j.target = $6)) \
     ORDER BY started_at DESC, id DESC LIMIT $5"
);
const ALL_RUNS: &str = select!(
    run_columns,
    "FROM sync_runs WHERE calendar_id IN (SELECT id FROM calendars WHERE user_id = $1) AND started_at >= $2 \
     AND (started_at, id) < ($3, $4) \
     AND ($6 IS NULL OR calendar_id = $6 OR EXISTS (SELECT 1 FROM journal j WHERE j.run_id = sync_runs.id AND j.target = $6)) \
     ORDER BY started_at DESC, id DESC LIMIT $5"
);

/// What the rules allow to be kept of what is settled now.
pub(super) struct Notes {
    policies: BTreeMap<RuleId, TextPolicy>,
}

impl Notes {
    /// Rules that copy texts are looked at, and stay as they are until this is over: whoever switches the copying off comes
    /// before, and nothing is kept, or after, and forgets it.
    pub(super) async fn of(tx: &mut Tx, settlements: &[Settlement]) -> Result<Notes, StoreError> {
        let entries = settlements.iter().filter_map(|s| s.entry.as_ref());
        let copying = entries.filter(|e| e.content.is_some() && e.cause.copies != TextPolicy::default());
        let rules: BTreeSet<RuleId> = copying.map(|e| e.cause.rule).collect();
        let mut policies = BTreeMap::new();
        for rule in rules {
            if let Some(mut row) = tx.lock("SELECT options FROM rules WHERE id = $1", vals![rule]).await? {
                policies.insert(rule, row.json::<RuleOptions>()?.text_policy());
            }
        }
        Ok(Notes { policies })
    }

    /// What was written, and apart from it what was copied.
    pub(super) fn content(&self, settlement: &Settlement) -> Result<(Val, Val), StoreError> {
        let written = settlement.entry.as_ref().and_then(|e| Some((e.content.clone()?, &e.cause)));
        let Some((content, cause)) = written else { return Ok((Val::Text(None), Val::Text(None))) };
        let (content, copied) = Copied::take(content, cause.copies);
        let policy = self.policies.get(&cause.rule).copied().unwrap_or_default();
        Ok((Val::json(&content)?, Val::opt_json(copied.and_then(|c| c.allowed(policy)).as_ref())?))
    }

    /// Notes what was carried out.
    pub(super) async fn write(&self, tx: &mut Tx, settlements: &[Settlement]) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for settlement in settlements {
            let Settlement { target, correlation, outcome, entry: Some(entry) } = settlement else {
                continue;
            };
            let Some((block, echo)) = noted(outcome) else { continue };
            let Entry { cause, deed, changed_at, written_at, .. } = entry;
            let (content, texts) = self.content(settlement)?;
            rows.push(vals![
                *target,
                *correlation,
                cause.run,
                cause.rule,
                deed.as_str(),
                Val::word(&cause.reason)?,
                block,
                content,
                texts,
                Val::Int(echo.map(|echo| echo.0.cast_signed())),
                *changed_at,
                cause.fetched_at,
                *written_at,
            ]);
        }
        tx.bulk(&NOTE, rows).await.map(drop)
    }
}

/// A run that reads nothing is written down, and those that planned this are known to have something to show.
pub(super) async fn begin(tx: &mut Tx, enqueue: &Enqueue, waits_anew: bool) -> Result<(), StoreError> {
    let runs = enqueue.shown_by(waits_anew);
    if let Some(run) = enqueue.run.as_ref().filter(|run| runs.contains(&run.id)) {
        insert_run(tx, run).await?;
    }
    tx.bulk(&WROTE, runs.into_iter().map(|run| vals![run]).collect()).await.map(drop)
}

/// Target, correlation, content, texts.
pub(super) const STANDS: Bulk = Bulk {
    before: "UPDATE ledger SET content = v.column3, texts = v.column4 FROM (",
    after: ") AS v WHERE ledger.target = v.column1 AND ledger.correlation = v.column2",
};

/// What had been done before, and was not noted then. One by one: it is rare.
pub(super) async fn note_found(tx: &mut Tx, found: &[Settlement]) -> Result<(), StoreError> {
    for settlement in found {
        let one = std::slice::from_ref(settlement);
        let notes = Notes::of(tx, one).await?;
        notes.write(tx, one).await?;
        let (content, texts) = notes.content(settlement)?;
        let (target, correlation) = (settlement.target, settlement.correlation);
        match &settlement.outcome {
            Outcome::Stored { .. } | Outcome::Replan { observed: Some(_), .. } => {
                tx.bulk(&STANDS, vec![vals![target, correlation, content, texts]]).await?;
            }
            Outcome::Removed { id } => {
                let sql = "UPDATE ledger SET content = NULL, texts = NULL \
                           WHERE target = $1 AND correlation = $2 AND block = $3";
                tx.exec(sql, vals![target, correlation, id]).await?;
            }
            Outcome::Postponed { .. } | Outcome::Replan { observed: None, .. } => {}
        }
    }
    Ok(())
}

/// What a listing showed proves what was written before it.
pub(super) async fn verify(tx: &mut Tx, pull: &PullApply) -> Result<(), StoreError> {
    let (calendar, at) = (pull.calendar, pull.at);
    let (mut shown, mut gone) = (Vec::new(), Vec::new());
    for one in &pull.shown {
        match one.fingerprint {
            Some(echo) => shown.push(vals![calendar, &one.block, Val::bits(echo.0), at]),
            None => gone.push(vals![calendar, &one.block, at]),
        }
    }
    tx.bulk(&SHOWN, shown).await?;
    tx.bulk(&GONE, gone).await?;
    if let Some(full) = pull.full {
        tx.exec(ABSENT, vals![calendar, at, full.began_at]).await?;
    }
    Ok(())
}

/// What was copied from one calendar into another may not be kept any more.
pub(super) async fn forget_copied(
    tx: &mut Tx,
    source: CalendarId,
    target: CalendarId,
) -> Result<(), StoreError> {
    for sql in FORGET_COPIED {
        tx.exec(sql, vals![source, target]).await?;
    }
    Ok(())
}

/// What was copied from a calendar, and into it.
pub(super) async fn forget_all_copied(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    for sql in FORGET_ALL_COPIED {
        tx.exec(sql, vals![calendar]).await?;
    }
    Ok(())
}

impl SqlStore {
    pub(super) async fn run(&self, run: RunId) -> Result<Option<Run>, StoreError> {
        const SQL: &str = select!(run_columns, "FROM sync_runs WHERE id = $1");
        self.db.one(SQL, vals![run]).await?.map(columns::run).transpose()
    }

    pub(super) async fn journal(&self, run: RunId, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        let rows = self.db.all(ROWS, vals![run, limit]).await?;
        rows.into_iter().map(columns::journal_row).collect()
    }

    pub(super) async fn last_write(
        &self,
        target: CalendarId,
        correlation: CorrelationId,
    ) -> Result<Option<JournalRow>, StoreError> {
        self.db.one(LAST, vals![target, correlation]).await?.map(columns::journal_row).transpose()
    }

    pub(super) async fn overwritten(&self, run: RunId, limit: u32) -> Result<Vec<Overwritten>, StoreError> {
        let rows = self.db.all(LATER, vals![run, limit]).await?;
        let one = |mut row: Row| {
            Ok(Overwritten { target: row.id()?, correlation: row.id()?, by: row.id()?, reason: row.word()? })
        };
        rows.into_iter().map(one).collect()
    }

    pub(super) async fn activity(
        &self,
        filter: &Filter,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<Activity>, StoreError> {
        let since = filter.since.unwrap_or(Ts::MIN);
        let before = after.map_or(Ts::MAX, |after| after.started_at);
        let id = after.map_or(RunId(uuid::Uuid::max()), |after| after.run);
        let sql = match filter.idle {
            Idle::Hidden => WROTE_RUNS,
            Idle::Shown => ALL_RUNS,
        };
        let values = vals![filter.user, since, before, id, limit, filter.calendar];
        let runs = self.db.all(sql, values).await?.into_iter().map(columns::run);
        let runs = runs.collect::<Result<Vec<Run>, StoreError>>()?;
        let mut wrote: BTreeMap<RunId, Vec<Wrote>> = BTreeMap::new();
        if !runs.is_empty() {
            let ids = runs.iter().map(|run| vals![run.id]).collect();
            for mut row in self.db.ask(&COUNTS, ids).await? {
                let of = wrote.entry(row.id()?).or_default();
                of.push(Wrote {
                    target: row.id()?,
                    created: row.num()?,
                    changed: row.num()?,
                    removed: row.num()?,
                    verified: row.num()?,
                });
            }
        }
        let with = |run: Run| {
            let wrote = wrote.remove(&run.id).unwrap_or_default();
            Activity { run, wrote }
        };
        Ok(runs.into_iter().map(with).collect())
    }
}
