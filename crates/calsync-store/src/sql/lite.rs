//! The SQLite dialect: opening a file, its one writer and few readers, its words for types, the statements that only it
//! spells this way, and what its error codes mean to a person. Decides nothing about the data.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use calsync_core::ports::StoreError;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr, Sqlite, SqliteConnection, Transaction, TypeInfo, ValueRef};

use super::leases::claim_due;
use super::value::{Cell, Row, Val};

mod place;

use place::Place;

/// How long a statement waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for its turn within this process.
const TURN: Duration = Duration::from_secs(15);
/// Reading connections at most; each costs a thread and `READER_KIB`.
const READERS: u32 = 4;
/// A reader that nobody needed for this long is closed.
const READER_IDLE: Duration = Duration::from_secs(60);
/// Page cache of a reader: an idle process must stay small (spec §10).
const READER_KIB: i64 = 1_024;
/// Page cache of the writer: a batch of receipts touches many pages, and what spills is written twice.
const WRITER_KIB: i64 = 8_192;
/// Prepared statements kept per connection.
const STATEMENTS: usize = 128;
/// Pages in the write-ahead log before they are moved to the database: a page that changed a hundred times meanwhile is
/// moved once, which for receipts is most of the work.
const WAL_PAGES: i64 = 8_000;
/// The write-ahead log is cut back to this size after a burst.
const WAL_BYTES: i64 = 64 * 1_024 * 1_024;

/// What the words of a migration mean here.
pub(super) const TYPES: [(&str, &str); 8] = [
    ("{id}", "BLOB"),
    ("{int}", "INTEGER"),
    ("{text}", "TEXT"),
    ("{bytes}", "BLOB"),
    ("{serial}", "INTEGER PRIMARY KEY"),
    ("{rows}", " STRICT"),
    ("{busy_rows}", " STRICT"),
    ("{clustered}", " STRICT, WITHOUT ROWID"),
];

/// Needs no lock on what it picks: nobody else writes meanwhile.
pub(super) const CLAIM_DUE: &str = claim_due!("");
/// Whether there is a table of this name, and whether there is any.
pub(super) const HAS_TABLE: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1";
pub(super) const TABLES: &str =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// A file with its connections.
pub(super) struct Lite {
    /// One connection: SQLite lets one write at a time, and a queue here is fairer than its retries.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    place: Arc<Place>,
}

/// A transaction: it writes (from `Lite::begin`), or sees one moment (from `Lite::snapshot`).
pub(super) struct Tx {
    tx: Transaction<'static, Sqlite>,
    /// Where what it wrote must be found.
    writes_to: Option<Arc<Place>>,
}

impl Tx {
    /// Makes it so, durably: in the files that stand where the database is.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.map_err(error)?;
        self.writes_to.map_or(Ok(()), |place| place.check_written())
    }
}

impl Deref for Tx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

/// Whether a database that is not there may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Create,
    Refuse,
    /// It must be there, nobody writes to it, and neither do we: no file appears beside it.
    OnlyRead,
}

impl Lite {
    pub(super) async fn open(url: &str, missing: Missing) -> Result<Lite, StoreError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|e| {
            unavailable(format!("{url:?} is not the URL of a SQLite file; write it like sqlite:/var/lib/calendar-sync/data.db ({e})"))
        })?;
        let file = options.get_filename().to_owned();
        check_path(&file)?;
        let options = options
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(STATEMENTS)
            .pragma("mmap_size", "0")
            .pragma("journal_size_limit", WAL_BYTES.to_string());
        let options = match missing {
            Missing::OnlyRead => options.read_only(true).immutable(true),
            Missing::Create | Missing::Refuse => options,
        };
        let writing = match missing {
            Missing::OnlyRead => options.clone(),
            Missing::Create | Missing::Refuse => options
                .clone()
                .create_if_missing(missing == Missing::Create)
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("wal_autocheckpoint", WAL_PAGES.to_string()),
        };
        let writing = writing.pragma("cache_size", (-WRITER_KIB).to_string());
        let reading = options.pragma("cache_size", (-READER_KIB).to_string()).pragma("query_only", "1");
        let pool =
            SqlitePoolOptions::new().acquire_timeout(TURN).test_before_acquire(false).max_lifetime(None);
        // A full disk makes SQLite roll back by itself, and the connection goes on counting a transaction that is over: it
        // would begin none any more. Such a connection is closed, and the next one is whole.
        let writer = pool.clone().max_connections(1).idle_timeout(None).before_acquire(|connection, _| {
            let whole = !connection.is_in_transaction();
            Box::pin(async move { Ok(whole) })
        });
        let opened: Arc<OnceLock<Arc<Place>>> = Arc::default();
        let known = opened.clone();
        let writer = writer.after_connect(move |_, _| {
            known.get().into_iter().for_each(|place| place.forget_log());
            Box::pin(async { Ok(()) })
        });
        let writer = connect(writer, writing).await?;
        let standing = Place::of(&file)?;
        let place = opened.get_or_init(|| Arc::new(standing)).clone();
        let readers = pool.max_connections(READERS).idle_timeout(READER_IDLE);
        Ok(Lite { writer, readers: readers.connect_lazy_with(reading), place })
    }

    /// Begins to write. From here on nobody else does.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        self.place.check()?;
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        self.place.check_log()?;
        Ok(Tx { tx, writes_to: Some(self.place.clone()) })
    }

    /// Begins to read: every statement sees the same moment.
    pub(super) async fn snapshot(&self) -> Result<Tx, StoreError> {
        self.place.check()?;
        let tx = self.readers.begin().await.map_err(error)?;
        Ok(Tx { tx, writes_to: None })
    }

    /// A connection that reads.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.place.check()?;
        self.readers.acquire().await.map_err(error)
    }

    /// Runs a statement as a transaction of its own; how many rows it changed.
    pub(super) async fn exec(&self, sql: &'static str, vals: Vec<Val>) -> Result<u64, StoreError> {
        self.place.check()?;
        let mut connection = self.writer.acquire().await.map_err(error)?;
        self.place.check_log()?;
        let changed = exec(&mut connection, sql, vals).await?;
        self.place.check_written()?;
        Ok(changed)
    }

    /// Grows whenever another process has changed the file, and never by what this one writes.
    pub(super) async fn changes_of_others(&self) -> Result<i64, StoreError> {
        self.place.check()?;
        let mut connection = self.writer.acquire().await.map_err(error)?;
        let rows = all(&mut connection, "PRAGMA data_version", Vec::new()).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Closes it, and leaves one file that holds everything.
    pub(super) async fn close_as_one_file(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        let mut connection = self.writer.acquire().await.map_err(error)?;
        all(&mut connection, "PRAGMA journal_mode = DELETE", Vec::new()).await?;
        drop(connection);
        self.writer.close().await;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Turning a file to write-ahead logging does not wait for other processes that do the same: ask again, for as long as
/// any other statement would wait.
async fn connect(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    const AGAIN: Duration = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        let asked = tokio::time::Instant::now();
        match pool.clone().connect_with(options.clone()).await {
            Err(error) if primary_code(&error) == Some(BUSY_CODE) && waited < BUSY => {
                tokio::time::sleep(AGAIN).await
            }
            other => return other.map_err(error),
        }
        waited += asked.elapsed();
    }
}

/// What the database engine would only call "unable to open".
fn check_path(file: &Path) -> Result<(), StoreError> {
    let shown = file.display();
    // What the driver makes of `:memory:`, and the engine of no name at all.
    let shown_text = shown.to_string();
    if shown_text.is_empty() || shown_text == ":memory:" || shown_text.starts_with("file:sqlx-in-memory") {
        return Err(unavailable("a database in memory would lose everything: name a file".to_owned()));
    }
    if file.is_dir() {
        return Err(unavailable(format!(
            "{shown} is a directory: name a file in it, such as {shown}/calendar-sync.db"
        )));
    }
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            Err(unavailable(format!("the directory {} does not exist: create it first", parent.display())))
        }
        _ => Ok(()),
    }
}

/// Runs a statement that answers with rows.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    sql: impl SqlSafeStr,
    vals: Vec<Val>,
) -> Result<Vec<Row>, StoreError> {
    let rows = bind(sql, vals).fetch_all(connection).await.map_err(error)?;
    rows.iter().map(row).collect()
}

/// Runs a statement; how many rows it changed.
pub(super) async fn exec(
    connection: &mut SqliteConnection,
    sql: impl SqlSafeStr,
    vals: Vec<Val>,
) -> Result<u64, StoreError> {
    Ok(bind(sql, vals).execute(connection).await.map_err(error)?.rows_affected())
}

fn bind(
    sql: impl SqlSafeStr,
    vals: Vec<Val>,
) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut query = sqlx::query(sql);
    for val in vals {
        query = match val {
            Val::Int(value) => query.bind(value),
            Val::Text(value) => query.bind(value),
            Val::Bytes(value) => query.bind(value),
            Val::Id(value) => query.bind(value.map(|id| id.as_bytes().to_vec())),
        };
    }
    query
}

fn row(row: &SqliteRow) -> Result<Row, StoreError> {
    let cells = (0..row.len()).map(|at| {
        let value = row.try_get_raw(at).map_err(error)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info();
        Ok(match kind.name() {
            "INTEGER" => Cell::Int(row.try_get(at).map_err(error)?),
            "TEXT" => Cell::Text(row.try_get(at).map_err(error)?),
            "BLOB" => Cell::Bytes(row.try_get(at).map_err(error)?),
            other => return Err(StoreError::Corrupt(format!("a value of the unexpected type {other}"))),
        })
    });
    cells.collect::<Result<Vec<Cell>, StoreError>>().map(Row::new)
}

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
const BUSY_CODE: i32 = 5;

fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    code(error).map(|code| code & 0xff)
}

fn unavailable(words: String) -> StoreError {
    StoreError::Unavailable(words)
}

/// What went wrong, in words that say what to do.
pub(super) fn error(error: sqlx::Error) -> StoreError {
    let detail = error.to_string();
    let words = |what: &str| unavailable(format!("{what} ({detail})"));
    match primary_code(&error) {
        Some(19) => return StoreError::Conflict(constraint(code(&error), &detail)),
        Some(18) => return StoreError::Conflict(format!("a value is too large to be stored ({detail})")),
        Some(BUSY_CODE | 6) => {
            return words("another process keeps it locked: stop it, or wait until it is done");
        }
        Some(3 | 8 | 23) => {
            return words(
                "it is read-only: give the user that runs calendar-sync write access to the file and its directory",
            );
        }
        Some(13) => return words("the disk is full: free some space on it, nothing was lost"),
        Some(14) => {
            return words("its file can't be opened: check that the path exists and may be read and written");
        }
        Some(10) => {
            return words(
                "the disk reported an error: look at the system log, and check the disk and its space",
            );
        }
        Some(7) => return words("there is not enough memory"),
        Some(11 | 26) => {
            return StoreError::Corrupt(format!(
                "the file is damaged or no SQLite database: restore a backup ({detail})"
            ));
        }
        Some(_) => return StoreError::Corrupt(detail),
        None => {}
    }
    match error {
        sqlx::Error::PoolTimedOut => words("it is too busy: every connection was in use for too long"),
        sqlx::Error::PoolClosed => unavailable("it was closed".to_owned()),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => StoreError::Corrupt(detail),
        _ => unavailable(detail),
    }
}

fn constraint(code: Option<i32>, detail: &str) -> String {
    match code {
        Some(787) => "what it refers to does not exist".to_owned(),
        Some(1_555 | 2_067) => format!("it exists already ({detail})"),
        _ => format!("it is not allowed ({detail})"),
    }
}
