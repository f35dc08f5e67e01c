//! Notification figures in SQL, each along an index.

use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{NotificationMetrics, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select};
use super::value::vals;

const BY_STATUS: &str = select!(
    notification_columns,
    "FROM webhook_notifications WHERE processing_status = $1 ORDER BY received_at, id LIMIT $2"
);
pub(super) const BACKLOG: &str = "SELECT count(*) FROM webhook_notifications \
    WHERE processing_status IN ('pending', 'processing', 'retrying') AND received_at < $1";
pub(super) const METRICS: &str = "SELECT count(*), \
    count(CASE WHEN processing_status = 'completed' THEN 1 END), \
    count(CASE WHEN processing_status = 'failed' THEN 1 END), \
    count(CASE WHEN processing_status IN ('pending', 'processing', 'retrying') THEN 1 END), \
    CAST(coalesce(sum(CASE WHEN processing_status = 'completed' THEN processing_time_ms END), 0) AS BIGINT), \
    CAST(coalesce(sum(calendars_synced), 0) AS BIGINT), CAST(coalesce(sum(events_processed), 0) AS BIGINT), \
    CAST(coalesce(sum(busy_blocks_updated), 0) AS BIGINT) FROM webhook_notifications WHERE received_at >= $1";

impl SqlStore {
    pub(super) async fn notifications(
        &self,
        status: ProcessingStatus,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError> {
        let rows = self.db.all(BY_STATUS, vals![status.as_str(), limit]).await?;
        rows.into_iter().map(columns::notification).collect()
    }

    pub(super) async fn backlog(&self, before: Ts) -> Result<u64, StoreError> {
        self.db.figure(BACKLOG, vals![before]).await?.num()
    }

    pub(super) async fn notification_metrics(&self, since: Ts) -> Result<NotificationMetrics, StoreError> {
        let mut row = self.db.figure(METRICS, vals![since]).await?;
        let (total, completed, failed, pending): (u64, u64, u64, u64) =
            (row.num()?, row.num()?, row.num()?, row.num()?);
        let total_ms: u64 = row.num()?;
        Ok(NotificationMetrics {
            total,
            completed,
            failed,
            pending,
            // Nothing completed yet is no time, not a division by zero.
            average_ms: total_ms.checked_div(completed).unwrap_or(0),
            calendars_synced: row.num()?,
            events_processed: row.num()?,
            busy_blocks_updated: row.num()?,
        })
    }
}
