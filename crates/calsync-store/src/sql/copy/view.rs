//! Where a copy reads: a database as it is at each moment, or as it was at one. Never writes.

use calsync_core::ports::StoreError;
use tokio::sync::Mutex;

use super::super::db::{Db, Tx};
use super::super::value::{Row, Val};

/// Where a copy reads.
pub(super) enum View<'a> {
    /// The database itself, which should be at rest.
    Live(&'a Db),
    /// One moment of it, whatever is written meanwhile.
    Still(Mutex<Tx>),
}

impl View<'_> {
    /// A database as it is now, for as long as somebody reads.
    pub(super) async fn still(of: &Db) -> Result<View<'static>, StoreError> {
        Ok(View::Still(Mutex::new(of.snapshot().await?)))
    }

    /// Reads rows by one statement.
    pub(super) async fn all(&self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Row>, StoreError> {
        match self {
            View::Live(db) => db.all(sql, vals).await,
            View::Still(tx) => tx.lock().await.all(sql, vals).await,
        }
    }

    /// Reads the first row, if there is one.
    pub(super) async fn one(&self, sql: &'static str, vals: Vec<Val>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, vals).await?.into_iter().next())
    }

    /// Reads the one row that an aggregate always has.
    pub(super) async fn figure(&self, sql: &'static str, vals: Vec<Val>) -> Result<Row, StoreError> {
        self.one(sql, vals).await?.ok_or_else(|| StoreError::Corrupt("a count has no row".to_owned()))
    }
}
