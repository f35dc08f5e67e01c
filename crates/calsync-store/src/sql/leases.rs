//! Leases in SQL: who works on what, what is due, and the fence that keeps a worker out whose lease was taken over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use calsync_core::ids::UserId;
use calsync_core::ports::{ClaimedUser, Lease, NextDue, Overdue, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::db::{Bulk, Held, Tx};
use super::value::{Row, vals};
use crate::rows::{lost, user_of_resource, user_resource};

/// One statement, so that of two who ask at once only one gets it. The token outlives every holder. A user's row is there
/// from the user's beginning (`OPEN`), because what is picked among many must be there to be locked.
const CLAIM: &str = "INSERT INTO leases (resource, user_id, owner, token, claimed_at, expires_at) \
    VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (resource) DO UPDATE SET owner = excluded.owner, \
    token = leases.token + 1, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at \
    WHERE leases.owner IS NULL OR leases.expires_at <= excluded.claimed_at \
    OR leases.claimed_at > excluded.claimed_at + 3600000000 RETURNING token";

/// Whether nobody holds a lease at `$1`. Who claimed it more than an hour later than that had a clock that was wrong, and what it
/// wrote would keep everybody out until then.
macro_rules! is_free {
    () => {
        "(l.owner IS NULL OR l.expires_at <= $1 OR l.claimed_at > $1 + 3600000000)"
    };
}
pub(super) use is_free;

/// A lease that nobody holds yet.
pub(super) const OPEN: &str = "INSERT INTO leases (resource, user_id, owner, token, claimed_at, expires_at) \
    VALUES ($1, $2, NULL, 0, $3, $3)";

/// Takes the lease of the user whose calendar is due the longest and whom nobody holds. `$lock` is how the dialect keeps
/// two who ask at once from picking the same.
macro_rules! claim_due {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT l.resource FROM calendars c JOIN leases l ON l.user_id = c.user_id ",
            "WHERE c.due_at <= $1 AND ",
            $crate::sql::leases::is_free!(),
            " ",
            "ORDER BY c.due_at, c.user_id LIMIT 1 ",
            $lock,
            ") UPDATE leases SET owner = $2, token = leases.token + 1, claimed_at = $1, expires_at = $3 ",
            "FROM due WHERE leases.resource = due.resource RETURNING user_id, leases.resource, token"
        )
    };
}
pub(super) use claim_due;

/// A walk along the index of what is due, from its old end.
pub(super) const OVERDUE: &str = "SELECT c.id, c.due_at, CASE WHEN l.expires_at > $2 THEN l.owner END \
    FROM calendars c JOIN leases l ON l.user_id = c.user_id WHERE c.due_at < $1 ORDER BY c.due_at, c.user_id, c.id LIMIT $3";

/// Whether there is anybody to claim.
pub(super) const IS_DUE: &str = concat!(
    "SELECT c.user_id FROM calendars c JOIN leases l ON l.user_id = c.user_id WHERE c.due_at <= $1 AND ",
    is_free!(),
    " ORDER BY c.due_at, c.user_id LIMIT 1"
);

pub(super) const NEXT_DUE: &str = "SELECT min(due_at) FROM calendars WHERE due_at IS NOT NULL";

/// Not for a calendar that was made dirty after the decision: it stays due.
pub(super) const NEXT: Bulk = Bulk {
    before: "UPDATE calendars SET due_at = v.column3 FROM (",
    after: ") AS v WHERE calendars.id = v.column1 AND calendars.dirty_generation = v.column2",
};

/// Leases that could not be given back because the database was away. Whoever held one has gone on to other things, and nobody
/// should wait until it runs out.
#[derive(Default)]
pub(super) struct Owed(Mutex<Vec<Lease>>);

impl Owed {
    fn leases(&self) -> MutexGuard<'_, Vec<Lease>> {
        // Each change of it is one push or one take.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqlStore {
    /// Gives back what is owed: the database answers again, perhaps.
    async fn give_back_owed(&self) -> Result<(), StoreError> {
        loop {
            let Some(lease) = self.owed.leases().pop() else { return Ok(()) };
            match self.try_release(&lease, &[]).await {
                // Lost: only the answer had not arrived, or somebody has taken it over since.
                Ok(()) | Err(StoreError::LeaseLost(_)) => {}
                Err(error) => {
                    self.owed.leases().push(lease);
                    return Err(error);
                }
            }
        }
    }

    pub(super) async fn claim_due_user(
        &self,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError> {
        self.give_back_owed().await?;
        // Idle workers ask often: they must not queue to write only to learn that there is nothing to do.
        if self.db.one(IS_DUE, vals![now]).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        let claimed = tx.one(self.db.claim_due(), vals![now, owner, until]).await?;
        tx.commit().await?;
        let Some(mut row) = claimed else { return Ok(None) };
        let (user, resource, token) = (row.id()?, row.text()?, row.int()?);
        let lease = Lease { resource, owner: owner.to_owned(), token, expires_at: until };
        Ok(Some(ClaimedUser { user, lease }))
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
        self.give_back_owed().await?;
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
        let released = self.try_release(lease, next).await;
        if let Err(StoreError::Unavailable(_)) = released {
            self.owed.leases().push(lease.clone());
        }
        released
    }

    async fn try_release(&self, lease: &Lease, next: &[NextDue]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        give_back(&mut tx, lease).await?;
        let rows = next.iter().map(|n| vals![n.calendar, n.seen_generation, n.due_at]).collect();
        tx.bulk_in_order(&NEXT, Held::Calendars, rows).await?;
        tx.commit().await
    }

    pub(super) async fn overdue(&self, before: Ts, now: Ts, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let overdue =
            |mut row: Row| Ok(Overdue { calendar: row.id()?, due_at: row.ts()?, held_by: row.opt_text()? });
        self.db.all(OVERDUE, vals![before, now, limit]).await?.into_iter().map(overdue).collect()
    }

    pub(super) async fn next_due(&self) -> Result<Option<Ts>, StoreError> {
        self.db.figure(NEXT_DUE, vals![]).await?.opt_ts()
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

/// Nobody holds it any more; refused like every fenced method.
pub(super) async fn give_back(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let sql = "UPDATE leases SET owner = NULL WHERE resource = $1 AND owner = $2 AND token = $3";
    let held = vals![lease.resource.as_str(), lease.owner.as_str(), lease.token];
    if tx.exec(sql, held).await? == 0 { Err(lost(lease)) } else { Ok(()) }
}

/// Every fenced method begins with this, inside its own transaction: until its end nobody can take the lease over. A lease
/// that ran out is still good while nobody has taken it. Returns when it was claimed.
pub(super) async fn fence(tx: &mut Tx, lease: &Lease) -> Result<Ts, StoreError> {
    let sql = "SELECT claimed_at FROM leases WHERE resource = $1 AND owner = $2 AND token = $3";
    let held = vals![lease.resource.as_str(), lease.owner.as_str(), lease.token];
    tx.lock(sql, held).await?.ok_or_else(|| lost(lease))?.ts()
}
