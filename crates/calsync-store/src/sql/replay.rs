//! A notification is made pending again, in SQL: as if nobody had finished it, in the figures too.

use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::ports::{StoreError, Wish};
use calsync_core::time::Ts;

use super::SqlStore;
use super::calendars::raise;
use super::db::Tx;
use super::notifications::part;
use super::value::vals;
use crate::tally::minute;

const ITS_CALENDAR: &str = "SELECT id FROM calendars WHERE id = (SELECT s.calendar_id FROM webhook_subscriptions s \
    JOIN webhook_notifications n ON n.subscription_id = s.id WHERE n.id = $1)";
/// What it counted for, before.
const FINISHED: &str = "SELECT received_at, processing_status, processing_time_ms, calendars_synced, events_processed, \
    busy_blocks_updated FROM webhook_notifications WHERE id = $1 AND processing_status IN ('completed', 'failed', 'retrying')";
const PENDING: &str = "UPDATE webhook_notifications SET processing_status = 'pending', processing_started_at = NULL, \
    processing_completed_at = NULL, processing_time_ms = NULL, error_message = NULL, retry_count = 0, next_retry_at = NULL, \
    run_id = NULL, calendars_synced = 0, events_processed = 0, busy_blocks_updated = 0 WHERE id = $1";
/// It is found again, however long ago it came. When its calendar is due says nothing of that.
const OPEN: &str =
    "UPDATE calendars SET open_since = CASE WHEN open_since < $2 THEN open_since ELSE $2 END WHERE id = $1";
/// A part may fall below nothing; all parts of a minute together do not.
const TAKE_BACK: &str = "INSERT INTO notification_figures AS f (minute, part, received, completed, failed, time_ms, \
    calendars_synced, events_processed, busy_blocks_updated) VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (minute, part) DO UPDATE SET completed = f.completed + excluded.completed, failed = f.failed + excluded.failed, \
    time_ms = f.time_ms + excluded.time_ms, calendars_synced = f.calendars_synced + excluded.calendars_synced, \
    events_processed = f.events_processed + excluded.events_processed, \
    busy_blocks_updated = f.busy_blocks_updated + excluded.busy_blocks_updated";

impl SqlStore {
    pub(super) async fn replay_notification(
        &self,
        id: NotificationId,
        now: Ts,
    ) -> Result<Option<CalendarId>, StoreError> {
        let mut tx = self.db.begin().await?;
        // The calendar first, as everywhere: no run ends meanwhile.
        let Some(mut row) = tx.lock(ITS_CALENDAR, vals![id]).await? else { return Ok(None) };
        let calendar: CalendarId = row.id()?;
        let Some(received_at) = reopen(&mut tx, id).await? else { return Ok(None) };
        tx.exec(OPEN, vals![calendar, received_at]).await?;
        raise(&mut tx, &[calendar].into(), Wish::Changes, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(Some(calendar))
    }
}

/// When it was received; `None`: somebody is at work on it, or it waits already.
async fn reopen(tx: &mut Tx, id: NotificationId) -> Result<Option<Ts>, StoreError> {
    let Some(mut row) = tx.one(FINISHED, vals![id]).await? else { return Ok(None) };
    let (received_at, status) = (row.ts()?, row.text()?);
    let time_ms = row.opt_int()?.unwrap_or(0);
    let served = vals![-row.int()?, -row.int()?, -row.int()?];
    tx.exec(PENDING, vals![id]).await?;
    let (completed, failed) = (i64::from(status == "completed"), i64::from(status == "failed"));
    if completed + failed > 0 {
        let mut taken =
            vals![minute(received_at), u32::from(part(id)), -completed, -failed, -time_ms * completed];
        taken.extend(served);
        tx.exec(TAKE_BACK, taken).await?;
    }
    Ok(Some(received_at))
}
