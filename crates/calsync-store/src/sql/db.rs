//! The seam between the store and a database: run a statement, read rows, hold a transaction. The statements are the
//! same text for every dialect; what cannot be is asked of the dialect here. Knows no table but its own.

use std::collections::BTreeSet;

use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::copy;
use super::lite::{self, Lite};
use super::pg::{self, Bell, Pg, Receiver};
use super::value::{Row, Val, vals};

/// Rows per statement of a bulk insert into SQLite. A few sizes only, so that the prepared statements stay few.
const CHUNKS: [usize; 6] = [128, 32, 8, 4, 2, 1];

/// A database, of whichever dialect.
pub(super) enum Db {
    Lite(Lite),
    Pg(Pg),
}

/// A transaction: writing (from `Db::begin`) or a consistent view (from `Db::snapshot`). Dropped without `commit`, it
/// leaves nothing behind.
pub(super) enum Tx {
    Lite(lite::Tx),
    Pg(pg::Tx),
}

/// A table whose rows are held before they are changed.
#[derive(Clone, Copy)]
pub(super) enum Held {
    Calendars,
    Subscriptions,
}

/// A statement over many rows of values, which stand between `before` and `after`, the columns named `column1` and on.
/// `before` ends where the rows begin.
pub(super) struct Bulk {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

/// How long a change of the schema waits for a table that others use, while whoever comes after it waits behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waits {
    /// A moment.
    Short,
    /// Long enough for a server to send its own cleaning away.
    Long,
}

impl Db {
    /// Begins to write. On SQLite nobody else does from here on; on PostgreSQL others do, and what must not change
    /// meanwhile is locked (`Tx::lock`).
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Lite(lite) => lite.begin().await.map(Tx::Lite),
            Db::Pg(pg) => pg.begin().await.map(Tx::Pg),
        }
    }

    /// Begins to change the schema: whoever else wants to waits until this is over.
    pub(super) async fn begin_schema(&self, waits: Waits) -> Result<Tx, StoreError> {
        match self {
            Db::Lite(lite) => lite.begin().await.map(Tx::Lite),
            Db::Pg(pg) => pg.begin_schema(waits).await.map(Tx::Pg),
        }
    }

    /// Begins to read: every statement sees the same moment.
    pub(super) async fn snapshot(&self) -> Result<Tx, StoreError> {
        match self {
            Db::Lite(lite) => lite.snapshot().await.map(Tx::Lite),
            Db::Pg(pg) => pg.snapshot().await.map(Tx::Pg),
        }
    }

    /// Reads rows by one statement.
    pub(super) async fn all(&self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Row>, StoreError> {
        match self {
            Db::Lite(lite) => {
                let mut connection = lite.reader().await?;
                lite::all(&mut connection, sql, vals).await
            }
            Db::Pg(pg) => pg.all(sql, vals).await,
        }
    }

    /// Reads rows by one statement over as many rows of values.
    pub(super) async fn ask(&self, bulk: &Bulk, mut rows: Vec<Vec<Val>>) -> Result<Vec<Row>, StoreError> {
        let columns = rows.first().map_or(0, Vec::len);
        match self {
            Db::Lite(lite) => {
                // Filled up with rows of nothing, so that the prepared statements stay few.
                let nothing = rows.first().into_iter().flatten().map(Val::nothing_like).collect();
                rows.resize(rows.len().next_power_of_two(), nothing);
                let sql = bulk.values(rows.len(), columns);
                let mut connection = lite.reader().await?;
                // The text is made of our own constants and placeholders.
                lite::all(&mut connection, AssertSqlSafe(sql), rows.into_iter().flatten().collect()).await
            }
            Db::Pg(pg) => pg.ask(bulk.arrays(columns), rows).await,
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
            Db::Lite(lite) => lite.exec(sql, vals).await,
            Db::Pg(pg) => pg.exec(sql, vals).await,
        }
    }

    /// See the dialect.
    pub(super) const fn claim_due(&self) -> &'static str {
        match self {
            Db::Lite(_) => lite::CLAIM_DUE,
            Db::Pg(_) => pg::CLAIM_DUE,
        }
    }

    /// Whether there is a table of this name.
    pub(super) const fn has_table(&self) -> &'static str {
        match self {
            Db::Lite(_) => lite::HAS_TABLE,
            Db::Pg(_) => pg::HAS_TABLE,
        }
    }

    /// How many tables there are.
    pub(super) const fn tables(&self) -> &'static str {
        match self {
            Db::Lite(_) => lite::TABLES,
            Db::Pg(_) => pg::TABLES,
        }
    }

    /// What the words of a migration mean here.
    pub(super) const fn types(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Db::Lite(_) => &lite::TYPES,
            Db::Pg(_) => &pg::TYPES,
        }
    }

    /// Statements that set the counters of keys past the keys that are there, where those do not count by themselves.
    pub(super) const fn counters(&self) -> &'static [&'static str] {
        match self {
            Db::Lite(_) => &[],
            Db::Pg(_) => &copy::COUNTERS,
        }
    }

    /// Receipts in one round trip, where the dialect can.
    pub(super) fn receiver(&self) -> Option<Receiver> {
        match self {
            Db::Lite(_) => None,
            Db::Pg(pg) => Some(pg.receiver()),
        }
    }

    /// A way to other instances, where there can be any that notice.
    pub(super) fn bell(&self) -> Option<Bell> {
        match self {
            Db::Lite(_) => None,
            Db::Pg(pg) => Some(pg.bell()),
        }
    }

    /// Closes it; a file of SQLite holds everything from then on, and there is none beside it.
    pub(super) async fn close_as_one_file(&self) -> Result<(), StoreError> {
        match self {
            Db::Lite(lite) => lite.close_as_one_file().await,
            Db::Pg(pg) => {
                pg.close().await;
                Ok(())
            }
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Db::Lite(lite) => lite.close().await,
            Db::Pg(pg) => pg.close().await,
        }
    }
}

impl Tx {
    /// Reads rows.
    pub(super) async fn all(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Row>, StoreError> {
        match self {
            Tx::Lite(tx) => lite::all(tx, sql, vals).await,
            Tx::Pg(tx) => tx.all(sql, vals).await,
        }
    }

    /// Reads the first row, if there is one.
    pub(super) async fn one(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, vals).await?.into_iter().next())
    }

    /// Reads the first row, if there is one, which nobody else changes until this transaction is over.
    pub(super) async fn lock(
        &mut self,
        sql: &'static str,
        vals: Vec<Val>,
    ) -> Result<Option<Row>, StoreError> {
        let rows = match self {
            // Nobody else writes at all.
            Tx::Lite(tx) => lite::all(tx, sql, vals).await,
            Tx::Pg(tx) => tx.lock(sql, vals).await,
        };
        Ok(rows?.into_iter().next())
    }

    /// Keeps everybody else from changing these calendars until this transaction is over. Who changes several, one after
    /// the other, holds them before: everybody locks them in the order of their ids, so that nobody waits crosswise.
    pub(super) async fn hold(&mut self, calendars: &BTreeSet<CalendarId>) -> Result<(), StoreError> {
        self.hold_rows(Held::Calendars, calendars.iter().map(|calendar| vals![*calendar]).collect()).await
    }

    async fn hold_rows(&mut self, table: Held, ids: Vec<Vec<Val>>) -> Result<(), StoreError> {
        match self {
            // Nobody else writes at all.
            Tx::Lite(_) => Ok(()),
            Tx::Pg(_) if ids.len() < 2 => Ok(()),
            Tx::Pg(tx) => tx.hold(table, ids).await,
        }
    }

    /// Changes rows; how many.
    pub(super) async fn exec(&mut self, sql: &'static str, vals: Vec<Val>) -> Result<u64, StoreError> {
        match self {
            Tx::Lite(tx) => lite::exec(tx, sql, vals).await,
            Tx::Pg(tx) => tx.exec(sql, vals).await,
        }
    }

    /// Runs a statement over many rows; how many it changed.
    pub(super) async fn bulk(&mut self, bulk: &Bulk, rows: Vec<Vec<Val>>) -> Result<u64, StoreError> {
        let Some(columns) = rows.first().map(Vec::len) else { return Ok(0) };
        let mut changed = 0;
        match self {
            Tx::Lite(tx) => {
                for (sql, vals) in bulk.chunks(rows) {
                    changed += lite::exec(tx, AssertSqlSafe(sql), vals).await?;
                }
            }
            Tx::Pg(tx) => changed = tx.many(bulk.arrays(columns), rows).await?.1,
        }
        Ok(changed)
    }

    /// The same for rows of this table that the first value of each names: they are held in the order of their ids before,
    /// as everybody does it, and not as the statement happens to come by them. By a statement of its own: one that locks a
    /// row and then changes it goes by what it saw when it began, and may wait for an old version of that row on which
    /// somebody sits who waits for the new one.
    pub(super) async fn bulk_in_order(
        &mut self,
        bulk: &Bulk,
        table: Held,
        rows: Vec<Vec<Val>>,
    ) -> Result<u64, StoreError> {
        let ids = rows.iter().filter_map(|row| Some(vec![row.first()?.clone()])).collect();
        self.hold_rows(table, ids).await?;
        self.bulk(bulk, rows).await
    }

    /// The same for a statement that answers with rows. On SQLite they cost more than the statement: each crosses to
    /// another thread by itself.
    pub(super) async fn bulk_returning(
        &mut self,
        bulk: &Bulk,
        rows: Vec<Vec<Val>>,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(columns) = rows.first().map(Vec::len) else { return Ok(Vec::new()) };
        let mut answers = Vec::new();
        match self {
            Tx::Lite(tx) => {
                for (sql, vals) in bulk.chunks(rows) {
                    answers.extend(lite::all(tx, AssertSqlSafe(sql), vals).await?);
                }
            }
            Tx::Pg(tx) => answers = tx.many(bulk.arrays(columns), rows).await?.0,
        }
        Ok(answers)
    }

    /// Runs the statements of a migration.
    pub(super) async fn script(&mut self, sql: String) -> Result<(), StoreError> {
        match self {
            Tx::Lite(tx) => {
                let connection: &mut SqliteConnection = tx;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop).map_err(lite::error)
            }
            Tx::Pg(tx) => tx.script(sql).await,
        }
    }

    /// Makes it so, durably.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Lite(tx) => tx.commit().await,
            Tx::Pg(tx) => tx.commit().await,
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
            Some((self.values(size, chunk[0].len()), chunk.into_iter().flatten().collect()))
        })
    }

    /// For a dialect in which each value is a parameter: `VALUES (?, ?), (?, ?) …`. Without numbers: to SQLite a number
    /// is a name, and the driver looks each up among all.
    pub(super) fn values(&self, rows: usize, columns: usize) -> String {
        let mut sql = String::with_capacity(self.before.len() + self.after.len() + rows * columns * 3 + 16);
        sql.push_str(self.before);
        sql.push_str(" VALUES");
        for row in 0..rows {
            sql.push_str(if row == 0 { " (" } else { ", (" });
            for column in 0..columns {
                sql.push_str(if column == 0 { "?" } else { ", ?" });
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.after);
        sql
    }

    /// For a dialect in which each column is a parameter: `SELECT * FROM unnest($1, $2) AS …`
    pub(super) fn arrays(&self, columns: usize) -> String {
        let list =
            |prefix: &str| (1..=columns).map(|n| format!("{prefix}{n}")).collect::<Vec<String>>().join(", ");
        let (before, after) = (self.before, self.after);
        format!("{before} SELECT * FROM unnest({}) AS t ({}) {after}", list("$"), list("column"))
    }
}
