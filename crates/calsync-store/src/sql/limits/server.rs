//! A database of a measurement's own on a PostgreSQL server: made beside the one that is named, and removed afterwards.
//! On plain connections of its own without any limit of time, because filling a large database takes what it takes. The
//! named database is only connected to, never read or written.

use std::str::FromStr;

use calsync_core::ports::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::pgbench;

/// Longest name that PostgreSQL does not cut off.
const NAME_MAX: usize = 63;
/// Where the server's log ends: what was written so far.
const WRITTEN: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint::text";
/// How often it was made durable so far. Servers from 18 on keep it elsewhere.
const SYNCED: &str = "SELECT wal_sync::text FROM pg_stat_wal";
const BACKEND: &str = "SELECT pg_backend_pid()::text";
const TABLE_SIZE: &str = "SELECT pg_table_size('webhook_notifications')::text";
const INDEX_SIZE: &str = "SELECT pg_indexes_size('webhook_notifications')::text";
/// As it was before the first notification.
const CLEAR: &str = "TRUNCATE webhook_notifications, notification_figures; TRUNCATE measured_lean; \
    UPDATE webhook_subscriptions SET last_notification_at = NULL, failure_count = 0 \
    WHERE last_notification_at IS NOT NULL OR failure_count > 0; \
    UPDATE calendars SET due_at = NULL, dirty_generation = 0 WHERE due_at IS NOT NULL";

/// The database.
pub struct OwnDatabase {
    server: PgConnectOptions,
    name: String,
    connection: PgConnection,
}

/// Bytes of the table of notifications.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableSize {
    /// Rows.
    pub table: u64,
    /// Indexes.
    pub indexes: u64,
}

impl OwnDatabase {
    /// Makes it on the server that the URL names. The name must be new, and of small letters, digits and underscores.
    pub async fn make(url: &str, name: &str) -> Result<OwnDatabase, StoreError> {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || name.is_empty() || name.len() > NAME_MAX {
            return Err(StoreError::Unavailable(format!("{name:?} is no name for a database")));
        }
        let server = PgConnectOptions::from_str(url).map_err(error)?.disable_statement_logging();
        let mut first = PgConnection::connect_with(&server).await.map_err(error)?;
        run(&mut first, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await?;
        drop(first.close().await);
        let connection = PgConnection::connect_with(&server.clone().database(name)).await.map_err(error)?;
        Ok(OwnDatabase { server, name: name.to_owned(), connection })
    }

    /// Tables for pgbench, once the service's own are there.
    pub async fn prepare(&mut self) -> Result<(), StoreError> {
        run(&mut self.connection, pgbench::PREPARE.to_owned()).await
    }

    /// Without notifications, and without traces of any.
    pub async fn clear(&mut self) -> Result<(), StoreError> {
        run(&mut self.connection, CLEAR.to_owned()).await?;
        self.vacuum().await
    }

    /// Collects what was deleted, and looks anew at what is there.
    pub async fn vacuum(&mut self) -> Result<(), StoreError> {
        run(&mut self.connection, "VACUUM ANALYZE".to_owned()).await
    }

    /// The process that serves this connection, as the server's own system counts.
    pub async fn backend(&mut self) -> Result<u64, StoreError> {
        self.figure(BACKEND).await
    }

    /// Bytes that the server wrote to its log so far.
    pub async fn written(&mut self) -> Result<u64, StoreError> {
        self.figure(WRITTEN).await
    }

    /// How often the server made its log durable so far, if it says.
    pub async fn synced(&mut self) -> Option<u64> {
        self.figure(SYNCED).await.ok()
    }

    /// How large the table of notifications is.
    pub async fn size(&mut self) -> Result<TableSize, StoreError> {
        Ok(TableSize { table: self.figure(TABLE_SIZE).await?, indexes: self.figure(INDEX_SIZE).await? })
    }

    /// Rows in the table that scripts insert into.
    pub async fn count(&mut self, into: pgbench::Into) -> Result<u64, StoreError> {
        self.figure(match into {
            pgbench::Into::TheTable => "SELECT count(*)::text FROM webhook_notifications",
            pgbench::Into::ALeanTable => "SELECT count(*)::text FROM measured_lean",
        })
        .await
    }

    async fn figure(&mut self, sql: &'static str) -> Result<u64, StoreError> {
        let row = sqlx::raw_sql(sql).fetch_one(&mut self.connection).await.map_err(error)?;
        let text: String = row.try_get(0).map_err(error)?;
        text.parse().map_err(|_| StoreError::Corrupt(format!("{text:?} is no number")))
    }

    /// Removes it, whoever is still connected.
    pub async fn remove(self) -> Result<(), StoreError> {
        drop(self.connection.close().await);
        let mut last = PgConnection::connect_with(&self.server).await.map_err(error)?;
        run(&mut last, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        drop(last.close().await);
        Ok(())
    }
}

/// Statements of our own words and a name that was looked at.
async fn run(connection: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop).map_err(error)
}

fn error(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
