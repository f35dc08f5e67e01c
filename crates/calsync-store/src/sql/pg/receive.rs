//! Receipts in one statement, so in one round trip: notifications are stored, and what is new makes its calendars due.
//! On a connection of its own, which no pool has to hand out and take back each time.

use std::sync::Arc;

use calsync_core::ports::{NewNotification, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, Postgres};

use super::super::notifications::part;
use super::super::receipts::wants_sync;
use super::super::value::{Row, Val, vals};
use super::home::{Failure, Home, Of, PROMPT};
use super::value;

/// Rows go in the order of their key, and calendars and subscriptions are locked in the order of theirs before they are
/// changed, so that batches of two instances never wait for each other crosswise. The server runs the last of these parts
/// first: as everywhere, calendars come before subscriptions, and figures, which all batches share, are added to when
/// nothing else is waited for. An id of ours counts once, as everywhere. Answers with the ids that are new.
pub(crate) const RECEIVE: &str = "WITH v AS MATERIALIZED (SELECT DISTINCT ON (id) * FROM \
    unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[]) \
    AS t (id, calendar_id, subscription_id, notification_id, received_at, headers, payload, sync)), \
    stored AS (INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload, \
    processing_status, processing_completed_at, processing_time_ms) \
    SELECT id, subscription_id, notification_id, received_at, headers, payload, \
    CASE WHEN sync = 1 THEN 'pending' ELSE 'completed' END, CASE WHEN sync = 1 THEN NULL ELSE received_at END, \
    CASE WHEN sync = 1 THEN NULL ELSE 0 END FROM v ORDER BY subscription_id, notification_id \
    ON CONFLICT DO NOTHING RETURNING id), \
    counted AS (INSERT INTO notification_figures AS f (minute, part, received, completed, failed, time_ms, \
    calendars_synced, events_processed, busy_blocks_updated) \
    SELECT received_at - received_at % 60000000, $9, count(*), count(*) FILTER (WHERE sync = 0), 0, 0, 0, 0, 0 \
    FROM v JOIN stored USING (id) GROUP BY 1 ORDER BY 1 ON CONFLICT (minute, part) DO UPDATE SET \
    received = f.received + excluded.received, completed = f.completed + excluded.completed), \
    heard AS MATERIALIZED (SELECT s.id, h.at FROM (SELECT subscription_id, max(received_at) AS at \
    FROM v JOIN stored USING (id) WHERE sync = 0 GROUP BY 1) h \
    JOIN webhook_subscriptions s ON s.id = h.subscription_id ORDER BY s.id FOR NO KEY UPDATE OF s), \
    confirmed AS (UPDATE webhook_subscriptions s SET failure_count = 0, last_notification_at = heard.at \
    FROM heard WHERE s.id = heard.id AND (s.last_notification_at IS NULL OR s.last_notification_at < heard.at)), \
    raised AS MATERIALIZED (SELECT c.id, r.at, r.times FROM (SELECT calendar_id, min(received_at) AS at, \
    count(*) AS times FROM v JOIN stored USING (id) WHERE sync = 1 GROUP BY 1) r \
    JOIN calendars c ON c.id = r.calendar_id ORDER BY c.id FOR NO KEY UPDATE OF c), \
    due AS (UPDATE calendars SET dirty_generation = calendars.dirty_generation + raised.times, \
    due_at = least(calendars.due_at, raised.at), open_since = least(calendars.open_since, raised.at) \
    FROM raised WHERE calendars.id = raised.id) \
    SELECT id FROM stored";

/// Planning the statement anew takes a third of the time of carrying it out, and the server, which counts the rows in its
/// arrays, would never see that the plan is the same each time. Said to connections that no pool gets back alive.
const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan";

/// Stores receipts on a connection of its own.
pub(crate) struct Receiver {
    home: Arc<Home>,
    connection: Option<Of<PoolConnection<Postgres>>>,
}

impl Receiver {
    pub(super) const fn new(home: Arc<Home>) -> Receiver {
        Receiver { home, connection: None }
    }

    /// Stores all or nothing, durably; the rows that are new. Twice is no harm: what was stored the first time is no
    /// longer new, and everything that it was to cause has been caused with it.
    pub(crate) async fn store(&mut self, news: &[NewNotification]) -> Result<Vec<Row>, StoreError> {
        match self.try_store(values(news)?).await {
            Err(Failure { dead: true, .. }) => Ok(self.try_store(values(news)?).await?),
            done => Ok(done?),
        }
    }

    async fn try_store(&mut self, arguments: PgArguments) -> Result<Vec<Row>, Failure> {
        if self.home.place.pooled {
            return Ok(self.home.statement(PROMPT, RECEIVE, arguments).await?.0);
        }
        // Taken out, so that one that fails or is left half-way is never used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut fresh = self.home.connection(PROMPT).await?;
                self.home.run(PROMPT, &mut fresh, PLAN_ONCE, PgArguments::default()).await?;
                fresh
            }
        };
        match self.home.run(PROMPT, &mut connection, RECEIVE, arguments).await {
            Ok((rows, _)) => {
                self.connection = Some(connection);
                Ok(rows)
            }
            Err(failure) => {
                // Closed and not given back: nobody shall wait for what it may still be doing.
                let (connection, _) = connection.apart();
                drop(connection.detach());
                Err(failure)
            }
        }
    }
}

fn values(news: &[NewNotification]) -> Result<PgArguments, StoreError> {
    let rows = news.iter().map(|new| {
        Ok(vals![
            new.id,
            new.calendar,
            new.subscription,
            new.notification_id.as_str(),
            new.received_at,
            Val::json(&new.headers)?,
            Val::json(&new.payload)?,
            wants_sync(new),
        ])
    });
    let mut arguments = value::arrays(rows.collect::<Result<_, StoreError>>()?)?;
    let part = news.first().map_or(0, |first| part(first.id));
    arguments.add(i64::from(part)).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok(arguments)
}
