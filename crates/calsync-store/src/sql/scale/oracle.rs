//! What the figures of the service should be, by their definitions: each statement looks at every row, and its conditions
//! are worded so that no index fits them.

use calsync_core::ports::StoreError;
use calsync_core::subscription::{FAILING_FROM, NEGLECTED_AFTER, RENEWAL_BUFFER, SILENCE_LIMIT};
use calsync_core::time::Ts;

use super::super::SqlStore;
use super::super::value::{Val, vals};
use crate::tally::minute;

/// A figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    /// Active subscriptions that end within the renewal buffer.
    Ending,
    /// Active subscriptions whose renewal is due.
    ToRenew,
    /// Active subscriptions without a sign of life for too long.
    Silent,
    /// Active subscriptions that fail.
    Failing,
    /// Calendars that could be watched and are not.
    Unwatched,
    /// Notifications whose next try is due.
    Retries,
    /// Unfinished notifications from before this instant.
    Backlog(Ts),
    /// Notifications received, completed, failed and unfinished since this instant.
    Received(Ts),
    /// See `Received`.
    Completed(Ts),
    /// See `Received`.
    Failed(Ts),
    /// See `Received`.
    Pending(Ts),
    /// The processing time of the completed ones, in all.
    Milliseconds(Ts),
    /// Active subscriptions.
    Active,
    /// All that there are or were.
    Subscriptions,
    /// Calendars that were due before this instant.
    Overdue(Ts),
    /// Active ones that are neither silent nor over.
    Healthy,
    /// When the first calendar is due, in microseconds.
    NextDue,
}

macro_rules! active {
    ($condition:literal) => {
        concat!(
            "SELECT count(*) FROM webhook_subscriptions s WHERE s.status || '' = 'active' AND ",
            $condition
        )
    };
}
macro_rules! received {
    ($what:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM webhook_notifications n WHERE n.received_at + 0 >= $1 AND ",
            $condition
        )
    };
}

/// The last sign of life, told in another way than the service does.
const SILENT: &str = active!(
    "NOT (coalesce(s.last_notification_at, s.created_at) + 0 >= $1 OR coalesce(s.verified_at + 0 >= $1, 1 = 0))"
);
const HEALTHY: &str = active!(
    "s.expires_at + 0 > $2 AND \
     (coalesce(s.last_notification_at, s.created_at) + 0 >= $1 OR coalesce(s.verified_at + 0 >= $1, 1 = 0))"
);
const UNWATCHED: &str = "SELECT count(*) FROM calendars c JOIN accounts a ON a.id = c.account_id \
    WHERE c.sync_enabled + 0 = 1 AND c.webhook_enabled + 0 = 1 AND c.missing + 0 = 0 AND c.push_unsupported + 0 = 0 \
    AND c.push_admitted + 0 = 1 \
    AND a.status || '' = 'active' AND NOT EXISTS \
    (SELECT 1 FROM webhook_subscriptions s WHERE s.calendar_id = c.id AND s.status || '' = 'active')";
const BACKLOG: &str = "SELECT count(*) FROM webhook_notifications n \
    WHERE n.processing_completed_at + 0 IS NULL AND n.received_at + 0 < $1";
const RETRIES: &str = "SELECT count(*) FROM webhook_notifications n \
    WHERE n.processing_status || '' = 'retrying' AND n.next_retry_at + 0 <= $1";

impl SqlStore {
    /// Counts, row by row.
    pub async fn full_scan(&self, question: Question, now: Ts) -> Result<u64, StoreError> {
        let silence = now.minus(SILENCE_LIMIT);
        let (sql, vals): (&str, Vec<Val>) = match question {
            Question::Ending => (active!("s.expires_at + 0 <= $1"), vals![now.plus(RENEWAL_BUFFER)]),
            Question::ToRenew => (active!("s.renew_at + 0 <= $1"), vals![now]),
            Question::Silent => (SILENT, vals![silence]),
            Question::Failing => (active!("s.failure_count + 0 >= $1"), vals![FAILING_FROM]),
            Question::Unwatched => (UNWATCHED, vals![]),
            Question::Retries => (RETRIES, vals![now]),
            Question::Backlog(before) => (BACKLOG, vals![before]),
            Question::Received(since) => (received!("count(*)", "1 = 1"), vals![minute(since)]),
            Question::Completed(since) => {
                (received!("count(*)", "n.processing_status || '' = 'completed'"), vals![minute(since)])
            }
            Question::Failed(since) => {
                (received!("count(*)", "n.processing_status || '' = 'failed'"), vals![minute(since)])
            }
            Question::Pending(since) => {
                (received!("count(*)", "n.processing_completed_at + 0 IS NULL"), vals![minute(since)])
            }
            Question::Milliseconds(since) => (
                received!(
                    "CAST(coalesce(sum(n.processing_time_ms), 0) AS BIGINT)",
                    "n.processing_status || '' = 'completed'"
                ),
                vals![minute(since)],
            ),
            Question::Active => (active!("1 = 1"), vals![]),
            Question::Subscriptions => ("SELECT count(*) FROM webhook_subscriptions s", vals![]),
            Question::Overdue(before) => {
                ("SELECT count(*) FROM calendars c WHERE c.due_at + 0 < $1", vals![before])
            }
            Question::Healthy => (HEALTHY, vals![now.minus(NEGLECTED_AFTER), now]),
            Question::NextDue => (
                "SELECT coalesce(min(c.due_at + 0), 0) FROM calendars c WHERE c.due_at + 0 IS NOT NULL",
                vals![],
            ),
        };
        self.db.figure(sql, vals).await?.num()
    }
}
