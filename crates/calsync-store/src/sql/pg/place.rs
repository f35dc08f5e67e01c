//! Where a PostgreSQL server is and how to speak to it, read from its URL; and whether what answers there will do.

use calsync_core::ports::StoreError;
use sqlx::ConnectOptions as _;
use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use std::str::FromStr;

use super::value::Keep;
use super::{CLOCK, SESSION, STATEMENTS, error};

/// The oldest server that will do.
const OLDEST: i32 = 15;
/// Clocks of instances and server may differ by so much before somebody should look: leases are judged by them.
const SKEW_MICROS: i64 = 5_000_000;
/// Said in a URL: statements of one session may meet different servers (pgbouncer in transaction mode).
const POOLED: &str = "pgbouncer";
/// What else a URL may say. The driver takes no notice of what it does not know, and writes it to the log: a misspelled
/// `sslmode` would be no encryption, a misspelled `password` no secret.
const KNOWN: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "options",
    "application_name",
];
/// Where operators of several servers read on.
const ONE_ADDRESS: &str =
    "name one address that always leads to the primary, see \"PostgreSQL\" in docs/operations.md";

/// A server, by its URL.
pub(crate) struct Place {
    pub(super) options: PgConnectOptions,
    pub(super) connections: u32,
    /// Behind a pooler in transaction mode: nothing of a session lasts beyond a transaction.
    pub(super) pooled: bool,
}

impl Place {
    /// Never repeats the URL in an error: it may hold a password.
    pub(super) fn parse(url: &str, connections: u32) -> Result<Place, StoreError> {
        let (rest, pooled) = without_pooled(url)?;
        let options = PgConnectOptions::from_str(&rest).map_err(|e| {
            StoreError::Unavailable(format!(
                "database.url is not the URL of a PostgreSQL server; write it like \
                 postgres://user:password@host:5432/calendar_sync?sslmode=verify-full ({e})"
            ))
        })?;
        let options = options.application_name("calendar-sync").disable_statement_logging();
        let options = if pooled {
            // A pooler refuses start-up settings that it does not know; `begin` says them instead.
            options.extra_float_digits(None).statement_cache_capacity(0)
        } else {
            options.statement_cache_capacity(STATEMENTS).options(SESSION)
        };
        Ok(Place { options, connections, pooled })
    }

    pub(super) fn pool(&self) -> PgPool {
        super::pool(self, self.connections)
    }

    /// A pool of one connection, for whoever keeps it.
    pub(super) fn one(&self) -> PgPool {
        super::pool(self, 1)
    }

    /// What stays of a statement.
    pub(super) fn keep(&self) -> Keep {
        if self.pooled { Keep::Nothing } else { Keep::Prepared }
    }

    /// How a transaction begins here.
    pub(super) fn begin(&self, how: &str) -> String {
        if !self.pooled {
            return how.to_owned();
        }
        let settings = SESSION.iter().map(|(name, value)| format!("; SET LOCAL {name} = '{value}'"));
        format!("{how}{}", settings.collect::<String>())
    }
}

/// The URL as the driver understands it, and whether it says that there is a pooler.
fn without_pooled(url: &str) -> Result<(String, bool), StoreError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let server = base.split('/').nth(2).unwrap_or_default();
    if server.rsplit('@').next().unwrap_or_default().contains(',') {
        return Err(unavailable(format!(
            "database.url names several servers, and only one host is possible: {ONE_ADDRESS}"
        )));
    }
    let (mut rest, mut pooled) = (Vec::new(), false);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((POOLED, "true")) => pooled = true,
            Some((POOLED, "false")) => {}
            Some((POOLED, _)) => {
                return Err(unavailable("pgbouncer in database.url is true or false".to_owned()));
            }
            Some((name, _)) if KNOWN.contains(&name) || name.starts_with("options[") => rest.push(part),
            // What stands there without a name may be anything, even a secret.
            other => {
                let name = other.map_or("one without a value", |(name, _)| name);
                return Err(unavailable(format!(
                    "database.url has an unknown parameter ({name}): possible are {} and {POOLED}",
                    KNOWN.join(", ")
                )));
            }
        }
    }
    let rest = rest.join("&");
    Ok((if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") }, pooled))
}

/// New enough, writable, and with a clock like ours. Returns a name that no other instance has.
pub(super) async fn check_server(connection: &mut PgConnection) -> Result<String, StoreError> {
    let row = |sql: &'static str| sqlx::raw_sql(sql);
    let about = "SELECT current_setting('server_version'), current_setting('server_version_num'), \
                 pg_is_in_recovery()::text, current_setting('server_encoding'), gen_random_uuid()::text";
    let about = row(about).fetch_one(&mut *connection).await.map_err(error)?;
    let text = |at: usize| about.try_get::<String, _>(at).map_err(error);
    let major = text(1)?.parse::<i32>().unwrap_or(0) / 10_000;
    if major < OLDEST {
        let found = text(0)?;
        return Err(unavailable(format!("the server is PostgreSQL {found}; {OLDEST} or newer is needed")));
    }
    if text(2)? == "true" {
        return Err(unavailable("the server is a standby and takes no writes: name its primary".to_owned()));
    }
    if text(3)? != "UTF8" {
        return Err(unavailable(format!(
            "the database is encoded in {}: create one with ENCODING 'UTF8'",
            text(3)?
        )));
    }
    let theirs = row(CLOCK).fetch_one(connection).await.map_err(error)?;
    let theirs: i64 = theirs.try_get::<String, _>(0).map_err(error)?.parse().unwrap_or(0);
    let ours = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(0));
    if (ours - theirs).abs() > SKEW_MICROS {
        tracing::warn!(
            seconds = (ours - theirs) / 1_000_000,
            "the clock of this machine and the database's differ: set them by NTP, leases are judged by them"
        );
    }
    text(4)
}

fn unavailable(words: String) -> StoreError {
    StoreError::Unavailable(words)
}
