//! Receipts in one call of a function, so in one round trip: notifications are stored, and what is new makes its calendars due.
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

/// The function that the schema has for it.
const RECEIVE: &str = "SELECT receive($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Planning its statements anew takes a third of the time of carrying it out, and the server, which counts the rows in its
/// arrays, would never see that the plans are the same each time. Said to connections that no pool gets back alive.
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
