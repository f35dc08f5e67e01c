//! Leases in SQL: who works on what, what is due, and the fence that keeps a worker out whose lease was taken over.

use calsync_core::ids::UserId;
use calsync_core::ports::{ClaimedUser, Lease, NextDue, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::db::{Bulk, Tx};
use super::value::vals;
use crate::rows::{lost, user_of_resource, user_resource};

/// One statement, so that of two who ask at once only one gets it. The token outlives every holder.
const CLAIM: &str = "INSERT INTO leases (resource, user_id, owner, token, claimed_at, expires_at) \
    VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (resource) DO UPDATE SET owner = excluded.owner, \
    token = leases.token + 1, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at \
    WHERE leases.owner IS NULL OR leases.expires_at <= excluded.claimed_at RETURNING token";

/// Not for a calendar that was made dirty after the decision: it stays due.
pub(super) const NEXT: Bulk = Bulk {
    before: "UPDATE calendars SET due_at = v.column3 FROM (VALUES",
    after: ") AS v WHERE calendars.id = v.column1 AND calendars.dirty_generation = v.column2",
};

impl SqlStore {
    pub(super) async fn claim_due_user(
        &self,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError> {
        // Idle workers ask often: they must not queue for the writer's lock to learn that there is nothing to do.
        if self.db.one(self.db.next_due_user(), vals![now]).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        let Some(mut row) = tx.one(self.db.next_due_user(), vals![now]).await? else { return Ok(None) };
        let user: UserId = row.id()?;
        let lease = claim(&mut tx, &user_resource(user), owner, now, until).await?;
        tx.commit().await?;
        Ok(lease.map(|lease| ClaimedUser { user, lease }))
    }

    pub(super) async fn claim_user(
        &self,
        user: UserId,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError> {
        let lease = self.claim_lease(&user_resource(user), owner, now, until).await?;
        Ok(lease.map(|lease| ClaimedUser { user, lease }))
    }

    pub(super) async fn claim_lease(
        &self,
        resource: &str,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<Lease>, StoreError> {
        let mut tx = self.db.begin().await?;
        let lease = claim(&mut tx, resource, owner, now, until).await?;
        tx.commit().await?;
        Ok(lease)
    }

    pub(super) async fn renew_lease(&self, lease: &Lease, until: Ts) -> Result<Lease, StoreError> {
        let sql = "UPDATE leases SET expires_at = $4 WHERE resource = $1 AND owner = $2 AND token = $3";
        let held = vals![lease.resource.as_str(), lease.owner.as_str(), lease.token, until];
        if self.db.exec(sql, held).await? == 0 {
            return Err(lost(lease));
        }
        Ok(Lease { expires_at: until, ..lease.clone() })
    }

    pub(super) async fn release(&self, lease: &Lease, next: &[NextDue]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE leases SET owner = NULL WHERE resource = $1 AND owner = $2 AND token = $3";
        let held = vals![lease.resource.as_str(), lease.owner.as_str(), lease.token];
        if tx.exec(sql, held).await? == 0 {
            return Err(lost(lease));
        }
        let rows = next.iter().map(|n| vals![n.calendar, n.seen_generation, n.due_at]).collect();
        tx.bulk(&NEXT, rows).await?;
        tx.commit().await
    }

    pub(super) async fn next_due(&self) -> Result<Option<Ts>, StoreError> {
        let sql = "SELECT min(due_at) FROM calendars WHERE due_at IS NOT NULL";
        self.db.figure(sql, vals![]).await?.opt_ts()
    }
}

async fn claim(
    tx: &mut Tx,
    resource: &str,
    owner: &str,
    now: Ts,
    until: Ts,
) -> Result<Option<Lease>, StoreError> {
    let user = user_of_resource(resource);
    if let Some(user) = user
        && tx.one("SELECT id FROM users WHERE id = $1", vals![user]).await?.is_none()
    {
        return Ok(None);
    }
    let Some(mut row) = tx.one(CLAIM, vals![resource, user, owner, now, until]).await? else {
        return Ok(None);
    };
    let (resource, owner) = (resource.to_owned(), owner.to_owned());
    Ok(Some(Lease { resource, owner, token: row.int()?, expires_at: until }))
}

/// Every fenced method begins with this, inside its own transaction. A lease that ran out is still good while nobody
/// has taken it. Returns when it was claimed.
pub(super) async fn fence(tx: &mut Tx, lease: &Lease) -> Result<Ts, StoreError> {
    let sql = "SELECT claimed_at FROM leases WHERE resource = $1 AND owner = $2 AND token = $3";
    let held = vals![lease.resource.as_str(), lease.owner.as_str(), lease.token];
    tx.one(sql, held).await?.ok_or_else(|| lost(lease))?.ts()
}
