//! The seam between the store and a database: run a statement, read rows, hold a transaction. The statements are the
//! same text for every dialect; what cannot be is asked of the dialect here. Knows no table but its own.

use calsync_core::ports::StoreError;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, Transaction};

use super::lite::{self, Lite};
use super::value::{Row, Val};

/// Rows per statement of a bulk insert. A few sizes only, so that the prepared statements stay few.
const CHUNKS: [usize; 6] = [128, 32, 8, 4, 2, 1];

/// A database, of whichever dialect.
pub(super) enum Db {
    Lite(Lite),
}

/// A transaction: writing (from `Db::begin`) or a consistent view (from `Db::snapshot`). Dropped without `commit`, it
/// leaves nothing behind.
pub(super) enum Tx {
    Lite(Transaction<'static, Sqlite>),
}

/// A statement over many rows of values: `before`, then `($1, $2), ($3, $4) …`, then `after`.
pub(super) struct Bulk {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

impl Db {
    /// Begins to write. From here on nobody else does.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Lite(lite) => {
                lite.writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Lite).map_err(lite::error)
            }
        }
    }

    /// Begins to read: every statement sees the same moment.
    pub(super) async fn snapshot(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Lite(lite) => lite.readers.begin().await.map(Tx::Lite).map_err(lite::error),
        }
    }

    /// Reads rows by one statement.
    pub(super) async fn all(&self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Row>, StoreError> {
        match self {
            Db::Lite(lite) => {
                let mut connection = lite.readers.acquire().await.map_err(lite::error)?;
                lite::all(&mut connection, sql, vals).await
            }
        }
    }

    /// Reads rows by one statement over as many rows of values: their number should be one of a few.
    pub(super) async fn ask(&self, bulk: &Bulk, rows: Vec<Vec<Val>>) -> Result<Vec<Row>, StoreError> {
        let sql = bulk.text(rows.len(), rows.first().map_or(0, Vec::len));
        let vals = rows.into_iter().flatten().collect();
        match self {
            Db::Lite(lite) => {
                let mut connection = lite.readers.acquire().await.map_err(lite::error)?;
                // The text is made of our own constants and placeholders.
                lite::all(&mut connection, AssertSqlSafe(sql), vals).await
            }
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

    /// One statement as a transaction of its own; how many rows it changed.
    pub(super) async fn exec(&self, sql: &'static str, vals: Vec<Val>) -> Result<u64, StoreError> {
        match self {
            Db::Lite(lite) => {
                let mut connection = lite.writer.acquire().await.map_err(lite::error)?;
                lite::exec(&mut connection, sql, vals).await
            }
        }
    }

    /// See the dialect.
    pub(super) const fn next_due_user(&self) -> &'static str {
        match self {
            Db::Lite(_) => lite::NEXT_DUE_USER,
        }
    }

    /// What the words of a migration mean here.
    pub(super) const fn types(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Db::Lite(_) => &lite::TYPES,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Db::Lite(lite) => lite.close().await,
        }
    }
}

impl Tx {
    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Tx::Lite(tx) => tx,
        }
    }

    /// Reads rows.
    pub(super) async fn all(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Row>, StoreError> {
        lite::all(self.connection(), sql, vals).await
    }

    /// Reads the first row, if there is one.
    pub(super) async fn one(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, vals).await?.into_iter().next())
    }

    /// Changes rows; how many.
    pub(super) async fn exec(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<u64, StoreError> {
        lite::exec(self.connection(), sql, vals).await
    }

    /// Runs a statement over many rows, in chunks; how many it changed.
    pub(super) async fn bulk(&mut self, bulk: &Bulk, rows: Vec<Vec<Val>>) -> Result<u64, StoreError> {
        let mut changed = 0;
        for (sql, vals) in bulk.chunks(rows) {
            changed += lite::exec(self.connection(), AssertSqlSafe(sql), vals).await?;
        }
        Ok(changed)
    }

    /// The same for a statement that answers with rows. They cost more than the statement: each crosses to another
    /// thread by itself.
    pub(super) async fn bulk_returning(
        &mut self,
        bulk: &Bulk,
        rows: Vec<Vec<Val>>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut answers = Vec::new();
        for (sql, vals) in bulk.chunks(rows) {
            answers.extend(lite::all(self.connection(), AssertSqlSafe(sql), vals).await?);
        }
        Ok(answers)
    }

    /// Runs the statements of a migration.
    pub(super) async fn script(&mut self, sql: String) -> Result<(), StoreError> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(self.connection()).await.map(drop).map_err(lite::error)
    }

    /// Makes it so, durably.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Lite(tx) => tx.commit().await.map_err(lite::error),
        }
    }
}

impl Bulk {
    /// Statements with their values. Their text is made of our own constants and placeholders, nothing else.
    fn chunks(&self, rows: Vec<Vec<Val>>) -> impl Iterator<Item = (String, Vec<Val>)> {
        let mut rows = rows.into_iter();
        std::iter::from_fn(move || {
            let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
            let chunk: Vec<Vec<Val>> = rows.by_ref().take(size).collect();
            Some((self.text(size, chunk[0].len()), chunk.into_iter().flatten().collect()))
        })
    }

    pub(super) fn text(&self, rows: usize, columns: usize) -> String {
        use std::fmt::Write as _;
        let mut sql = String::with_capacity(self.before.len() + self.after.len() + rows * columns * 6);
        sql.push_str(self.before);
        for row in 0..rows {
            sql.push_str(if row == 0 { " (" } else { ", (" });
            for column in 0..columns {
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a String cannot fail.
                let _ = write!(sql, "{comma}${}", row * columns + column + 1);
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.after);
        sql
    }
}
