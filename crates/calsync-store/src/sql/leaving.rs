//! Calendars that come and go, in SQL: joining, leaving, and what is forgotten on the way. Never forgets a block that stands.

use calsync_core::calendar::Leaving;
use calsync_core::ids::CalendarId;
use calsync_core::ports::{Lease, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::calendars::RETIRE;
use super::db::Tx;
use super::journal::forget_all_copied;
use super::leases::fence;
use super::value::{Val, vals};

/// It takes part, and starts from what its provider shows from now on.
pub(super) async fn join(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    let sql = "UPDATE calendars SET sync_enabled = 1, leaving = NULL WHERE id = $1 AND sync_enabled = 0";
    if tx.exec(sql, vals![calendar]).await? == 1 {
        forget_events(tx, calendar).await?;
    }
    Ok(())
}

/// It takes part no longer.
pub(super) async fn leave(
    tx: &mut Tx,
    calendar: CalendarId,
    why: Leaving,
    now: Ts,
) -> Result<(), StoreError> {
    let sql = "UPDATE calendars SET sync_enabled = 0, leaving = $2, plan_due = 1, full_due = 1 WHERE id = $1";
    tx.exec(sql, vals![calendar, Val::word(&why)?]).await?;
    tx.exec(RETIRE, vals![calendar, now]).await?;
    forget_all_copied(tx, calendar).await?;
    forget_events(tx, calendar).await
}

/// Copied titles must not stay stored, and enabling starts from the calendar as it is then. The blocks are needed to
/// remove ours.
async fn forget_events(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    tx.exec("DELETE FROM mirror_events WHERE calendar_id = $1", vals![calendar]).await?;
    let sql = "UPDATE calendars SET cursor_token = NULL, cursor_params = NULL, cursor_from = NULL, cursor_to = NULL, \
               last_full_sync = NULL WHERE id = $1";
    tx.exec(sql, vals![calendar]).await.map(drop)
}

/// All that a reset forgets beside the events, one table after the other.
pub(super) const FORGET: [&str; 6] = [
    "DELETE FROM mirror_blocks WHERE calendar_id = $1",
    "DELETE FROM outbox WHERE target = $1",
    "DELETE FROM holds WHERE target = $1",
    "DELETE FROM ledger WHERE target = $1 AND state = 'gone'",
    // Of its user's calendars there are few: each is looked through along the key.
    "DELETE FROM ledger WHERE source = $1 AND state = 'gone' AND target IN (SELECT id FROM calendars \
     WHERE user_id = (SELECT user_id FROM calendars WHERE id = $1))",
    "UPDATE calendars SET webhook_last_activity = NULL, webhook_failure_streak = 0, last_webhook_failure = NULL, \
     last_polling_sync = NULL, last_synced_at = NULL WHERE id = $1",
];

/// Of these there can be very many: they go in portions, before the rest.
pub(super) const FORGET_LOGS: [&str; 4] = [
    "DELETE FROM journal WHERE seq IN (SELECT j.seq FROM journal j JOIN calendars c ON c.id = j.target \
     WHERE j.target = $1 AND c.leaving = 'reset' LIMIT 500)",
    "DELETE FROM journal WHERE seq IN (SELECT j.seq FROM calendars c JOIN calendars t ON t.user_id = c.user_id \
     JOIN journal j ON j.target = t.id WHERE c.id = $1 AND c.leaving = 'reset' AND j.source = c.id LIMIT 500)",
    "DELETE FROM sync_runs WHERE id IN (SELECT r.id FROM sync_runs r JOIN calendars c ON c.id = r.calendar_id \
     WHERE r.calendar_id = $1 AND c.leaving = 'reset' LIMIT 500)",
    "DELETE FROM webhook_notifications WHERE id IN (SELECT n.id FROM webhook_notifications n \
     WHERE n.subscription_id IN (SELECT s.id FROM webhook_subscriptions s JOIN calendars c ON c.id = s.calendar_id \
     WHERE s.calendar_id = $1 AND c.leaving = 'reset') LIMIT 500)",
];

/// What is open and old is mostly nothing, and is found along the index on the state. While there is much of it, what is
/// unwanted among it can wait.
const UNWANTED: &str = "UPDATE webhook_notifications SET processing_status = 'completed', \
    processing_started_at = coalesce(processing_started_at, $2), processing_completed_at = $2, next_retry_at = NULL, \
    processing_time_ms = CASE WHEN $2 > received_at THEN ($2 - received_at) / 1000 ELSE 0 END \
    WHERE id IN (SELECT n.id FROM (SELECT id, subscription_id FROM webhook_notifications \
     WHERE processing_status IN ('pending', 'processing', 'retrying') AND received_at < $1 LIMIT 300) AS n \
     WHERE 1 = (SELECT CASE WHEN c.sync_enabled = 0 AND (c.leaving IS NULL OR c.leaving = 'stopped') \
     OR c.missing = 1 OR a.status <> 'active' THEN 1 ELSE 0 END FROM webhook_subscriptions s JOIN calendars c ON c.id = s.calendar_id \
     JOIN accounts a ON a.id = c.account_id WHERE s.id = n.subscription_id))";

impl SqlStore {
    pub(super) async fn complete_unwanted(&self, before: Ts, now: Ts) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            match self.db.exec(UNWANTED, vals![before, now]).await? {
                0 => return Ok(all),
                some => all += some,
            }
        }
    }

    pub(super) async fn finish_leaving(
        &self,
        lease: &Lease,
        calendar: CalendarId,
        why: Leaving,
    ) -> Result<(), StoreError> {
        if why == Leaving::Reset {
            for sql in FORGET_LOGS {
                loop {
                    let mut tx = self.db.begin().await?;
                    fence(&mut tx, lease).await?;
                    let gone = tx.exec(sql, vals![calendar]).await?;
                    tx.commit().await?;
                    if gone == 0 {
                        break;
                    }
                }
            }
        }
        let mut tx = self.db.begin().await?;
        fence(&mut tx, lease).await?;
        let known = tx.lock("SELECT id FROM calendars WHERE id = $1", vals![calendar]).await?;
        known.ok_or_else(|| crate::rows::missing("calendar"))?;
        let sql = "UPDATE calendars SET leaving = NULL, plan_due = 0 WHERE id = $1 AND leaving = $2";
        if tx.exec(sql, vals![calendar, Val::word(&why)?]).await? == 0 {
            return Ok(());
        }
        forget_events(&mut tx, calendar).await?;
        if why == Leaving::Reset {
            for sql in FORGET {
                tx.exec(sql, vals![calendar]).await?;
            }
        }
        tx.commit().await
    }
}
