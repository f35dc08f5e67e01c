//! Notifications in SQL: lists along an index, and figures that are kept by the minute as notifications change.

use calsync_core::ids::NotificationId;
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{NotificationMetrics, NotificationSpan, Recent, StoreError};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::SqlStore;
use super::columns::{self, select};
use super::db::{Bulk, Tx};
use super::listings;
use super::value::{Row, Val, vals};
use crate::tally::{Tallies, Tally, begins, micros, minute};

const BY_STATUS: &str = select!(
    notification_columns,
    "FROM webhook_notifications WHERE processing_status = $1 ORDER BY received_at, id LIMIT $2"
);
pub(super) const BACKLOG: &str = "SELECT count(*) FROM webhook_notifications \
    WHERE processing_status IN ('pending', 'processing', 'retrying') AND received_at < $1";
/// Only what is tried again has a time for it: that is the index's condition.
pub(super) const RETRIES: &str = select!(
    notification_columns,
    "FROM webhook_notifications WHERE next_retry_at <= $1 ORDER BY next_retry_at, id LIMIT $2"
);
/// What waits is counted itself: it may be removed unfinished, with its calendar.
pub(super) const METRICS: &str = "SELECT CAST(coalesce(sum(received), 0) AS BIGINT), \
    CAST(coalesce(sum(completed), 0) AS BIGINT), CAST(coalesce(sum(failed), 0) AS BIGINT), \
    (SELECT count(*) FROM webhook_notifications \
     WHERE processing_status IN ('pending', 'processing', 'retrying') AND received_at >= $1), \
    CAST(coalesce(sum(time_ms), 0) AS BIGINT), CAST(coalesce(sum(calendars_synced), 0) AS BIGINT), \
    CAST(coalesce(sum(events_processed), 0) AS BIGINT), CAST(coalesce(sum(busy_blocks_updated), 0) AS BIGINT) \
    FROM notification_figures WHERE minute >= $1";

/// Minutes by the stretch that they are in; what is open of one is what nobody has finished of it.
pub(super) const SPANS: &str = "SELECT minute / $2 AS span, CAST(sum(received) AS BIGINT), \
    CAST(sum(completed) AS BIGINT), CAST(sum(failed) AS BIGINT), CAST(sum(time_ms) AS BIGINT), \
    CAST(sum(calendars_synced) AS BIGINT), CAST(sum(events_processed) AS BIGINT), \
    CAST(sum(busy_blocks_updated) AS BIGINT) FROM notification_figures WHERE minute >= $1 \
    GROUP BY 1 ORDER BY 1";
pub(super) const RECENT: &str = "SELECT n.id, s.calendar_id, s.provider, n.received_at, n.processing_status, \
    n.processing_time_ms, n.error_message FROM webhook_notifications n \
    JOIN webhook_subscriptions s ON s.id = n.subscription_id WHERE n.received_at >= $1 \
    ORDER BY n.received_at DESC, n.id DESC LIMIT $2";

/// Parts that a minute's figures are kept in.
pub(super) const PARTS: u8 = 8;
const ADD: Bulk = Bulk {
    before: "INSERT INTO notification_figures AS f (minute, part, received, completed, failed, time_ms, \
             calendars_synced, events_processed, busy_blocks_updated)",
    after: "ON CONFLICT (minute, part) DO UPDATE SET received = f.received + excluded.received, \
            completed = f.completed + excluded.completed, failed = f.failed + excluded.failed, \
            time_ms = f.time_ms + excluded.time_ms, calendars_synced = f.calendars_synced + excluded.calendars_synced, \
            events_processed = f.events_processed + excluded.events_processed, \
            busy_blocks_updated = f.busy_blocks_updated + excluded.busy_blocks_updated",
};

/// The part of a minute's figures that this id's are added to.
pub(super) fn part(of: NotificationId) -> u8 {
    of.0.as_bytes()[15] % PARTS
}

/// Adds to the figures of the minutes. Goes last in a transaction: others add to the same rows.
pub(super) async fn add(tx: &mut Tx, part: u8, tallies: &Tallies) -> Result<(), StoreError> {
    let rows = tallies.iter().map(|(minute, t)| {
        vals![
            *minute,
            u32::from(part),
            Val::count(t.received),
            Val::count(t.completed),
            Val::count(t.failed),
            Val::count(t.time_ms),
            Val::count(t.calendars_synced),
            Val::count(t.events_processed),
            Val::count(t.busy_blocks_updated),
        ]
    });
    tx.bulk(&ADD, rows.collect()).await.map(drop)
}

impl SqlStore {
    pub(super) async fn notifications(
        &self,
        status: ProcessingStatus,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError> {
        let rows = self.db.all(BY_STATUS, vals![status.as_str(), limit]).await?;
        rows.into_iter().map(columns::notification).collect()
    }

    pub(super) async fn retries_due(&self, now: Ts, limit: u32) -> Result<Vec<Notification>, StoreError> {
        self.db.all(RETRIES, vals![now, limit]).await?.into_iter().map(columns::notification).collect()
    }

    pub(super) async fn backlog(&self, before: Ts) -> Result<u64, StoreError> {
        self.db.figure(BACKLOG, vals![before]).await?.num()
    }

    pub(super) async fn notification_metrics(&self, since: Ts) -> Result<NotificationMetrics, StoreError> {
        let mut row = self.db.figure(METRICS, vals![minute(since)]).await?;
        let (total, completed, failed, pending) = (row.num()?, row.num()?, row.num()?, row.num()?);
        let tally = Tally {
            received: total,
            completed,
            failed,
            time_ms: row.num()?,
            calendars_synced: row.num()?,
            events_processed: row.num()?,
            busy_blocks_updated: row.num()?,
        };
        Ok(tally.metrics(pending))
    }

    pub(super) async fn notification_spans(
        &self,
        since: Ts,
        width: SignedDuration,
    ) -> Result<Vec<NotificationSpan>, StoreError> {
        let width = micros(width);
        let of_span = |mut row: Row| {
            let number: i64 = row.int()?;
            let tally = Tally {
                received: row.num()?,
                completed: row.num()?,
                failed: row.num()?,
                time_ms: row.num()?,
                calendars_synced: row.num()?,
                events_processed: row.num()?,
                busy_blocks_updated: row.num()?,
            };
            Ok(tally.of_span(Ts::from_micros(number.saturating_mul(width))))
        };
        self.db.all(SPANS, vals![begins(since, width), width]).await?.into_iter().map(of_span).collect()
    }

    pub(super) async fn recent(&self, since: Ts, limit: u32) -> Result<Vec<Recent>, StoreError> {
        self.db.all(RECENT, vals![since, limit]).await?.into_iter().map(listings::recent).collect()
    }
}
