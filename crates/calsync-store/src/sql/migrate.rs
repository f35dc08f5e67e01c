//! Bringing a database to the schema of this version: forward only, each step in the same transaction as its mark, safe
//! when several processes start at once, and while others work: they wait behind it for `Waits` at most, and then for the work
//! itself. Never touches a database that a newer version has made.

use std::collections::BTreeSet;
use std::time::Duration;

use calsync_core::ports::StoreError;

use super::db::{Db, Tx, Waits};
use super::value::{Val, vals};

/// One step of the schema.
#[derive(Clone, Copy)]
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    /// What no common words say.
    lite: &'static str,
    pg: &'static str,
    /// The tables that it changes and others use. On a server it has all of them before it does anything: it can't be stopped
    /// half-way by one that is in use, and do its work over and over.
    changes: &'static [&'static str],
    /// The oldest program that still works on the schema after it, by the version that that program makes. What a step
    /// adds (expand), old programs ignore; what a later one takes away (contract) must not be in use by any that is let in.
    oldest: i64,
}

/// Every migration there ever was, in order. A released one is never edited.
const MIGRATIONS: [Migration; 1] = [Migration {
    version: 1,
    name: "initial",
    sql: include_str!("../../migrations/0001_initial.sql"),
    lite: include_str!("../../migrations/0001_initial.sqlite.sql"),
    pg: include_str!("../../migrations/0001_initial.postgres.sql"),
    changes: &[],
    oldest: 1,
}];

/// Whether opening a database may change its schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migrate {
    /// Bring it up to date; make it if there is none.
    Run,
    /// Refuse it if it is not up to date.
    Check,
}

/// A step needs the tables that it changes for itself, which others hold for a moment each. It lets go of all of them when
/// one does not come free, and comes back after so long: it neither stands in a circle of those who wait for each other,
/// nor does everybody stand behind it for as long as somebody takes.
const REST: Duration = Duration::from_millis(700);
/// How often: for more than a minute. The longest that we do ourselves takes seconds.
const TRIES: u32 = 60;
/// Every so many tries it waits for longer.
const LONG_EVERY: u32 = 8;

const VERSION_TABLE: &str = "CREATE TABLE schema_version \
    (version {int} NOT NULL PRIMARY KEY, name {text} NOT NULL, oldest {int} NOT NULL){rows};";

/// The schema version that this program writes.
pub(super) const fn known() -> i64 {
    MIGRATIONS[MIGRATIONS.len() - 1].version
}

/// What a database says of its schema. Version 0: an empty database.
struct Found {
    version: i64,
    oldest: i64,
}

impl Found {
    /// A newer schema will do if it says so: while a fleet is upgraded one by one, old and new share it.
    fn refuse_newer(&self) -> Result<(), StoreError> {
        if self.oldest <= known() {
            return Ok(());
        }
        Err(StoreError::NewerSchema { found: self.version, known: known() })
    }
}

pub(super) async fn run(db: &Db) -> Result<(), StoreError> {
    // Mostly there is nothing to do, and nobody should wait for a lock to learn it.
    match check(db).await {
        Err(StoreError::Unavailable(_)) => {}
        done => return done,
    }
    let (tx, _) = patiently(db, &MIGRATIONS, TRIES).await?;
    tx.commit().await
}

/// Does what `run` would do, and takes it back. Which version was found.
pub(super) async fn rehearse(db: &Db) -> Result<i64, StoreError> {
    // What is not committed never was.
    let (_, found) = patiently(db, &MIGRATIONS, TRIES).await?;
    Ok(found.version)
}

/// All steps that are missing, not yet committed, and what was there before them. Begun again while a table is in use.
async fn patiently(db: &Db, all: &[Migration], tries: u32) -> Result<(Tx, Found), StoreError> {
    for n in 1..tries {
        let waits = if n % LONG_EVERY == 0 { Waits::Long } else { Waits::Short };
        match steps(db, all, waits).await {
            Err(StoreError::Contended(words)) => {
                tracing::info!(%words, "a table that has to be changed is in use: trying again");
                tokio::time::sleep(REST).await;
            }
            done => return done,
        }
    }
    steps(db, all, Waits::Long).await.map_err(|error| match error {
        StoreError::Contended(words) => StoreError::Contended(format!(
            "{words}. The schema can't be changed while a transaction holds a table for long: see in pg_stat_activity what \
             is open, and try again"
        )),
        other => other,
    })
}

async fn steps(db: &Db, all: &[Migration], waits: Waits) -> Result<(Tx, Found), StoreError> {
    // The lock comes first: whoever waits for it finds the work done.
    let mut tx = db.begin_schema(waits).await?;
    let found = found(db, &mut tx).await?;
    found.refuse_newer()?;
    if found.version == 0 {
        tx.script(translate(db, VERSION_TABLE)).await?;
    }
    let missing = || all.iter().filter(|step| step.version > found.version);
    if matches!(db, Db::Pg(_)) {
        for table in missing().flat_map(|step| step.changes).collect::<BTreeSet<_>>() {
            // What an earlier one of these steps makes is nobody else's.
            if count(&mut tx, db.has_table(), vals![*table]).await? > 0 {
                tx.script(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await?;
            }
        }
    }
    for step in missing() {
        tx.script(translate(db, step.sql)).await?;
        let own = match db {
            Db::Lite(_) => step.lite,
            Db::Pg(_) => step.pg,
        };
        tx.script(own.to_owned()).await?;
        let sql = "INSERT INTO schema_version (version, name, oldest) VALUES ($1, $2, $3)";
        tx.exec(sql, vals![step.version, step.name, step.oldest]).await?;
    }
    Ok((tx, found))
}

pub(super) async fn check(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.snapshot().await?;
    let found = found(db, &mut tx).await?;
    found.refuse_newer()?;
    if found.version < known() {
        return Err(StoreError::Unavailable(format!(
            "its schema is version {}, this program needs {}: run `calendar-sync migrate`",
            found.version,
            known()
        )));
    }
    Ok(())
}

async fn found(db: &Db, tx: &mut Tx) -> Result<Found, StoreError> {
    if count(tx, db.has_table(), vals!["schema_version"]).await? == 0 {
        // Somebody else's tables would get ours between them, or clash with them half-way.
        return match count(tx, db.tables(), vals![]).await? {
            0 => Ok(Found { version: 0, oldest: 0 }),
            tables => Err(StoreError::Conflict(format!(
                "the database holds {tables} tables that are not calendar-sync's: name an empty database"
            ))),
        };
    }
    let sql = "SELECT coalesce(max(version), 0), coalesce(max(oldest), 0) FROM schema_version";
    let row = tx.one(sql, vals![]).await?;
    let mut row = row.ok_or_else(|| StoreError::Corrupt("the schema has no version".to_owned()))?;
    Ok(Found { version: row.int()?, oldest: row.int()? })
}

async fn count(tx: &mut Tx, sql: &'static str, vals: Vec<Val>) -> Result<i64, StoreError> {
    tx.one(sql, vals).await?.map_or(Ok(0), |mut row| row.int())
}

/// A migration in the words of the dialect.
fn translate(db: &Db, sql: &str) -> String {
    db.types().iter().fold(sql.to_owned(), |sql, (word, meaning)| sql.replace(word, meaning))
}

#[cfg(test)]
mod tests;
