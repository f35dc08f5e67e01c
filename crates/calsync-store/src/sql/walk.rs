//! The walk of a sync in SQL: the mirror, the ledger, the outbox and the holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, EventId};
use calsync_core::ledger::{LedgerRow, Write, WriteOp};
use calsync_core::mirror::Mirror;
use calsync_core::ports::{Enqueue, Lease, PullApply, StoreError, Wish};
use calsync_core::time::Ts;
use serde::Serialize;

use super::SqlStore;
use super::calendars::raise;
use super::columns::{self, select};
use super::db::{Bulk, Tx};
use super::journal;
use super::leases::fence;
use super::people::say;
use super::value::{Val, vals};
use crate::rows::{earliest, missing};

impl SqlStore {
    pub(super) async fn mirror(&self, calendar: CalendarId) -> Result<Arc<Mirror>, StoreError> {
        let mut mirror = Mirror::default();
        for mut row in self.db.all(MIRROR, vals![calendar]).await? {
            let (is_block, id) = (row.flag()?, EventId(row.text()?));
            if is_block {
                mirror.blocks.insert(id, row.json()?);
            } else {
                mirror.events.insert(id, row.json()?);
            }
        }
        Ok(Arc::new(mirror))
    }

    pub(super) async fn ledger(&self, target: CalendarId) -> Result<Arc<Vec<LedgerRow>>, StoreError> {
        const SQL: &str = select!(ledger_columns, "FROM ledger WHERE target = $1 ORDER BY correlation");
        let rows = self.db.all(SQL, vals![target]).await?.into_iter().map(columns::ledger_row);
        Ok(Arc::new(rows.collect::<Result<_, _>>()?))
    }

    pub(super) async fn apply_pull(&self, lease: &Lease, pull: &PullApply) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        fence(&mut tx, lease).await?;
        let calendar = pull.calendar;
        tx.hold(&pull.targets.iter().copied().chain([calendar]).collect()).await?;
        put_cursor(&mut tx, pull).await?;
        tx.bulk(&EVENTS_GONE, gone(calendar, &pull.events_gone)).await?;
        tx.bulk(&BLOCKS_GONE, gone(calendar, &pull.blocks_gone)).await?;
        tx.bulk(&EVENTS, present(calendar, pull.events.iter().map(|e| (&e.id, e)))?).await?;
        tx.bulk(&BLOCKS, present(calendar, pull.blocks.iter().map(|b| (&b.id, b)))?).await?;
        journal::verify(&mut tx, pull).await?;
        tx.bulk(&PLAN_DUE, pull.targets.iter().map(|target| vals![*target, pull.at]).collect()).await?;
        tx.commit().await
    }

    pub(super) async fn enqueue(&self, lease: &Lease, enqueue: &Enqueue) -> Result<(), StoreError> {
        self.enqueue_all(lease, std::slice::from_ref(enqueue)).await
    }

    pub(super) async fn enqueue_all(&self, lease: &Lease, plans: &[Enqueue]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        fence(&mut tx, lease).await?;
        tx.hold(&plans.iter().map(|plan| plan.target).collect()).await?;
        for plan in plans {
            enqueue_one(&mut tx, plan).await?;
        }
        tx.commit().await
    }

    pub(super) async fn due_writes(
        &self,
        target: CalendarId,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Write>, StoreError> {
        let rows = self.db.all(DUE_WRITES, vals![target, now, limit]).await?;
        rows.into_iter().map(|row| columns::write(target, row)).collect()
    }

    pub(super) async fn waiting_writes(&self, target: CalendarId) -> Result<u64, StoreError> {
        self.db.figure("SELECT count(*) FROM outbox WHERE target = $1", vals![target]).await?.num()
    }

    pub(super) async fn approve_hold(&self, target: CalendarId, now: Ts) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // Before its hold, as a worker does it.
        tx.lock("SELECT id FROM calendars WHERE id = $1", vals![target]).await?;
        if tx.exec("UPDATE holds SET approved = 1 WHERE target = $1", vals![target]).await? == 0 {
            return Ok(false);
        }
        tx.exec("UPDATE calendars SET plan_due = 1 WHERE id = $1", vals![target]).await?;
        raise(&mut tx, &[target].into(), Wish::Changes, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(true)
    }
}

/// One target's plan.
async fn enqueue_one(tx: &mut Tx, enqueue: &Enqueue) -> Result<(), StoreError> {
    let target = enqueue.target;
    if tx.exec(PLANNED, vals![target, enqueue.seen_generation]).await? == 0 {
        return Err(missing("calendar"));
    }
    let waits = replace_outbox(tx, target, &enqueue.writes).await?;
    journal::begin(tx, enqueue, waits == Outbox::Changed).await?;
    // One row per block: the last word counts.
    let rows: BTreeMap<_, _> = enqueue.ledger.iter().map(|row| (row.correlation, row)).collect();
    let rows = rows.into_values().map(|row| ledger_values(target, row));
    tx.bulk(&LEDGER, rows.collect::<Result<_, _>>()?).await?;
    journal::note_found(tx, &enqueue.found).await?;
    put_hold(tx, target, enqueue.hold.as_ref()).await?;
    Ok(())
}

pub(super) const DUE_WRITES: &str = select!(
    write_columns,
    "FROM outbox WHERE target = $1 AND (not_before IS NULL OR not_before <= $2) ORDER BY seq LIMIT $3"
);
/// What a person changed after the plan's state was read is not in the plan.
const PLANNED: &str = "UPDATE calendars SET \
    plan_due = CASE WHEN dirty_generation = $2 THEN 0 ELSE plan_due END WHERE id = $1";
/// One statement, so that both are seen at the same moment: whether it is a block, its id, and the document.
const MIRROR: &str = "SELECT CAST(0 AS BIGINT), event_id, event FROM mirror_events WHERE calendar_id = $1 \
    UNION ALL SELECT CAST(1 AS BIGINT), event_id, block FROM mirror_blocks WHERE calendar_id = $1";
/// Calendar and event id; the document beside them.
const EVENTS: Bulk = Bulk {
    before: "INSERT INTO mirror_events (calendar_id, event_id, event)",
    after: "ON CONFLICT (calendar_id, event_id) DO UPDATE SET event = excluded.event",
};
pub(super) const BLOCKS: Bulk = Bulk {
    before: "INSERT INTO mirror_blocks (calendar_id, event_id, block)",
    after: "ON CONFLICT (calendar_id, event_id) DO UPDATE SET block = excluded.block",
};
const EVENTS_GONE: Bulk =
    Bulk { before: "DELETE FROM mirror_events WHERE (calendar_id, event_id) IN (", after: ")" };
pub(super) const BLOCKS_GONE: Bulk =
    Bulk { before: "DELETE FROM mirror_blocks WHERE (calendar_id, event_id) IN (", after: ")" };
/// Calendar and when: its blocks are to be planned again.
pub(super) const PLAN_DUE: Bulk = Bulk {
    before: "UPDATE calendars SET plan_due = 1, \
             due_at = CASE WHEN due_at < v.column2 THEN due_at ELSE v.column2 END FROM (",
    after: ") AS v WHERE calendars.id = v.column1",
};
const LEDGER: Bulk = Bulk {
    before: "INSERT INTO ledger (target, correlation, rule_id, source, occurrence, block, generation, state, wrote, \
             echo, span, repairs, written_at)",
    after: "ON CONFLICT (target, correlation) DO UPDATE SET rule_id = excluded.rule_id, source = excluded.source, \
            occurrence = excluded.occurrence, block = excluded.block, generation = excluded.generation, \
            state = excluded.state, wrote = excluded.wrote, echo = excluded.echo, span = excluded.span, \
            repairs = excluded.repairs, written_at = excluded.written_at",
};
const OUTBOX: Bulk = Bulk {
    before: "INSERT INTO outbox (target, correlation, seq, op, attempts, not_before, error, changed_at, cause)",
    after: "",
};

/// Whether other writes wait than before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outbox {
    Same,
    Changed,
}

pub(super) fn gone(calendar: CalendarId, ids: &[EventId]) -> Vec<Vec<Val>> {
    ids.iter().map(|id| vals![calendar, id]).collect()
}

/// Each id once: the last word counts.
pub(super) fn present<'a, T: Serialize + 'a>(
    calendar: CalendarId,
    items: impl Iterator<Item = (&'a EventId, &'a T)>,
) -> Result<Vec<Vec<Val>>, StoreError> {
    let latest: BTreeMap<&EventId, &T> = items.collect();
    latest.into_iter().map(|(id, item)| Ok(vals![calendar, id, Val::json(item)?])).collect()
}

async fn put_cursor(tx: &mut Tx, pull: &PullApply) -> Result<(), StoreError> {
    let cursor = pull.cursor.as_ref();
    let losses = pull.cursor_losses.as_ref().map_or(Ok(Val::Text(None)), Val::json)?;
    let sql = "UPDATE calendars SET cursor_token = $2, cursor_params = $3, cursor_from = $4, cursor_to = $5, \
               last_full_sync = coalesce($6, last_full_sync), \
               full_due = CASE WHEN $6 IS NULL THEN full_due ELSE 0 END, time_zone = coalesce($7, time_zone), \
               lost_cursors = coalesce($8, lost_cursors) WHERE id = $1";
    let vals = vals![
        pull.calendar,
        cursor.map(|c| c.token.as_str()),
        cursor.map(|c| c.params.as_str()),
        cursor.map(|c| c.covers.from),
        cursor.map(|c| c.covers.to),
        pull.full.map(|f| f.began_at),
        &pull.time_zone,
        losses,
    ];
    if tx.exec(sql, vals).await? == 1 { Ok(()) } else { Err(missing("calendar")) }
}

/// What waits already in the same form keeps its tries; the order is the plan's.
async fn replace_outbox(tx: &mut Tx, target: CalendarId, writes: &[Write]) -> Result<Outbox, StoreError> {
    let rows =
        tx.all(select!(write_columns, "FROM outbox WHERE target = $1 ORDER BY seq"), vals![target]).await?;
    let old = rows.into_iter().map(|row| columns::write(target, row)).collect::<Result<Vec<_>, _>>()?;
    let forms = |writes: &[Write]| {
        writes.iter().map(|w| (w.correlation, w.op.clone())).collect::<Vec<(_, WriteOp)>>()
    };
    if forms(&old) == forms(writes) {
        return Ok(Outbox::Same);
    }
    let known: BTreeMap<_, _> = old.iter().map(|w| (w.correlation, w)).collect();
    let rows = writes.iter().zip(0_i64..).map(|(write, seq)| {
        let known = known.get(&write.correlation).copied();
        let new = known.filter(|known| known.op == write.op).unwrap_or(write);
        let changed_at = earliest(known, new);
        let Write { correlation, op, attempts, not_before, error, cause, .. } = new;
        let (op, cause) = (Val::json(op)?, Val::opt_json(cause.as_ref())?);
        Ok(vals![target, *correlation, seq, op, *attempts, *not_before, error, changed_at, cause])
    });
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    tx.exec("DELETE FROM outbox WHERE target = $1", vals![target]).await?;
    tx.bulk(&OUTBOX, rows).await.map_err(|e| say(e, "a block can have only one write at a time"))?;
    Ok(Outbox::Changed)
}

fn ledger_values(target: CalendarId, row: &LedgerRow) -> Result<Vec<Val>, StoreError> {
    Ok(vals![
        target,
        row.correlation,
        row.rule,
        row.source,
        Val::json(&row.occurrence)?,
        row.block.as_ref().map(EventId::as_str),
        row.generation,
        row.state.as_str(),
        Val::bits(row.wrote.0),
        Val::Int(row.echo.map(|echo| echo.0.cast_signed())),
        Val::json(&row.span)?,
        u32::from(row.repairs),
        row.written_at,
    ])
}

async fn put_hold(tx: &mut Tx, target: CalendarId, hold: Option<&Hold>) -> Result<(), StoreError> {
    let Some(hold) = hold else {
        return tx.exec("DELETE FROM holds WHERE target = $1", vals![target]).await.map(drop);
    };
    // A yes that was said while the plan was made is kept, if it was said to the same removals.
    tx.exec(
        "INSERT INTO holds (target, reason, deletions, digest, since, last_agreed_at, agreed, approved, undone) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (target) DO UPDATE SET reason = excluded.reason, \
         deletions = excluded.deletions, digest = excluded.digest, since = excluded.since, \
         last_agreed_at = excluded.last_agreed_at, agreed = excluded.agreed, undone = excluded.undone, approved = \
         CASE WHEN holds.digest = excluded.digest AND holds.approved = 1 THEN 1 ELSE excluded.approved END",
        vals![
            target,
            hold.reason.as_str(),
            hold.deletions,
            Val::bits(hold.digest),
            hold.since,
            hold.last_agreed_at,
            hold.agreed,
            hold.approved,
            hold.undone,
        ],
    )
    .await
    .map(drop)
}
