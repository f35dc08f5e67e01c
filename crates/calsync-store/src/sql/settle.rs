//! What became of writes, in SQL: one transaction per slice, and few statements, because neighbours of one kind share
//! theirs. Keeps the order wherever it could matter.

use std::collections::BTreeSet;
use std::mem::discriminant;

use calsync_core::block::ObservedBlock;
use calsync_core::ids::{CalendarId, CorrelationId, EventId};
use calsync_core::ledger::{Outcome, Settlement, WriteOp};
use calsync_core::ports::{Lease, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::calendars::owner;
use super::db::{Bulk, Tx};
use super::journal::{self, Notes};
use super::leases::fence;
use super::value::{Val, vals};
use super::walk::{BLOCKS, BLOCKS_GONE, PLAN_DUE};
use crate::rows::{block_of, missing};

impl SqlStore {
    pub(super) async fn settle(&self, lease: &Lease, settlements: &[Settlement]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let claimed_at = fence(&mut tx, lease).await?;
        let replanned = settlements.iter().filter(|s| matches!(s.outcome, Outcome::Replan { .. }));
        tx.hold(&replanned.map(|s| s.target).collect()).await?;
        let targets: BTreeSet<CalendarId> = settlements.iter().map(|s| s.target).collect();
        for target in targets {
            owner(&mut tx, target).await?.ok_or_else(|| missing("calendar"))?;
        }
        let notes = journal::Notes::of(&mut tx, settlements).await?;
        let mut rest = settlements;
        while !rest.is_empty() {
            let (alike, others) = rest.split_at(alike(rest));
            settle_alike(&mut tx, alike, &notes, claimed_at).await?;
            rest = others;
        }
        tx.commit().await
    }
}

/// How many of the first settlements are of one kind and about different blocks, so that their order is no matter.
fn alike(settlements: &[Settlement]) -> usize {
    let mut writes: BTreeSet<(CalendarId, CorrelationId)> = BTreeSet::new();
    let mut blocks: BTreeSet<(CalendarId, &EventId)> = BTreeSet::new();
    let kind = settlements.first().map(|s| discriminant(&s.outcome));
    let count = settlements.iter().take_while(|s| {
        let block = match &s.outcome {
            Outcome::Stored { block, .. } => Some(&block.id),
            Outcome::Removed { id } => Some(id),
            Outcome::Postponed { .. } => None,
            // Rare, and they look at the outbox: each by itself.
            Outcome::Replan { .. } => return false,
        };
        Some(discriminant(&s.outcome)) == kind
            && writes.insert((s.target, s.correlation))
            && block.is_none_or(|id| blocks.insert((s.target, id)))
    });
    count.count().max(1)
}

pub(super) const STORED: Bulk = Bulk {
    before: "UPDATE ledger SET state = 'live', block = v.column3, echo = v.column4, wrote = v.column5, \
             span = v.column6, repairs = v.column7, written_at = v.column8, \
             content = v.column9, texts = v.column10 FROM (",
    after: ") AS v WHERE ledger.target = v.column1 AND ledger.correlation = v.column2",
};
/// Only the row that names this very block: a second block of a correlation may go while the row's own one stands.
pub(super) const REMOVED: Bulk = Bulk {
    before: "UPDATE ledger SET state = 'gone', content = NULL, texts = NULL FROM (",
    after: ") AS v WHERE ledger.target = v.column1 AND ledger.correlation = v.column2 AND ledger.block = v.column3",
};
pub(super) const POSTPONED: Bulk = Bulk {
    before: "UPDATE outbox SET attempts = v.column3, not_before = v.column4, error = v.column5 FROM (",
    after: ") AS v WHERE outbox.target = v.column1 AND outbox.correlation = v.column2",
};
pub(super) const DONE: Bulk =
    Bulk { before: "DELETE FROM outbox WHERE (target, correlation) IN (", after: ")" };

async fn settle_alike(
    tx: &mut Tx,
    settlements: &[Settlement],
    notes: &Notes,
    claimed_at: Ts,
) -> Result<(), StoreError> {
    let (mut stored, mut blocks, mut removed, mut gone, mut postponed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut done = Vec::new();
    // Before what stood there is overwritten.
    notes.write(tx, settlements).await?;
    for settlement in settlements {
        let Settlement { target, correlation, outcome, .. } = settlement;
        match outcome {
            Outcome::Stored { block, wrote, span, repairs, at } => {
                let (echo, wrote) = (Val::bits(block.fingerprint.0), Val::bits(wrote.0));
                let (span, repairs) = (Val::json(span)?, u32::from(*repairs));
                let (content, texts) = notes.content(settlement)?;
                let row =
                    vals![*target, *correlation, &block.id, echo, wrote, span, repairs, *at, content, texts];
                stored.push(row);
                blocks.push(block_values(*target, block)?);
            }
            Outcome::Removed { id } => {
                removed.push(vals![*target, *correlation, id]);
                gone.push(vals![*target, id]);
            }
            Outcome::Postponed { attempts, not_before, error } => {
                postponed.push(vals![*target, *correlation, *attempts, *not_before, error.as_str()]);
                continue;
            }
            Outcome::Replan { observed, generation } => {
                replan(tx, *target, *correlation, observed.as_ref(), *generation).await?;
                if observed.is_some() && settlement.entry.is_some() {
                    let (content, texts) = notes.content(settlement)?;
                    tx.bulk(&journal::STANDS, vec![vals![*target, *correlation, content, texts]]).await?;
                }
                tx.bulk(&PLAN_DUE, vec![vals![*target, claimed_at]]).await?;
            }
        }
        done.push(vals![*target, *correlation]);
    }
    let parts = [
        (&STORED, stored),
        (&BLOCKS, blocks),
        (&REMOVED, removed),
        (&BLOCKS_GONE, gone),
        (&POSTPONED, postponed),
    ];
    for (bulk, rows) in parts {
        tx.bulk(bulk, rows).await?;
    }
    tx.bulk(&DONE, done).await.map(drop)
}

/// The mirror learns what stands there; the write goes after this.
async fn replan(
    tx: &mut Tx,
    target: CalendarId,
    correlation: CorrelationId,
    observed: Option<&ObservedBlock>,
    generation: Option<u32>,
) -> Result<(), StoreError> {
    if let Some(generation) = generation {
        let sql = "UPDATE ledger SET generation = $3 WHERE target = $1 AND correlation = $2";
        tx.exec(sql, vals![target, correlation, generation]).await?;
    }
    if let Some(block) = observed {
        return tx.bulk(&BLOCKS, vec![block_values(target, block)?]).await.map(drop);
    }
    let sql = "SELECT op FROM outbox WHERE target = $1 AND correlation = $2";
    let Some(mut row) = tx.one(sql, vals![target, correlation]).await? else { return Ok(()) };
    let op: WriteOp = row.json()?;
    let gone = block_of(&op).map(|id| vals![target, id]);
    tx.bulk(&BLOCKS_GONE, gone.into_iter().collect()).await.map(drop)
}

fn block_values(target: CalendarId, block: &ObservedBlock) -> Result<Vec<Val>, StoreError> {
    Ok(vals![target, &block.id, Val::json(block)?])
}
