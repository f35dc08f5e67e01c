//! Bringing a database to the schema of this version: forward only, each step in the same transaction as its mark, safe
//! when several processes start at once. Never touches a database that a newer version has made.

use calsync_core::ports::StoreError;

use super::db::{Db, Tx};
use super::value::vals;

/// Every migration there ever was, in order. A released one is never edited.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "initial", include_str!("../../migrations/0001_initial.sql"))];

/// Whether opening a database may change its schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migrate {
    /// Bring it up to date; make it if there is none.
    Run,
    /// Refuse it if it is not up to date.
    Check,
}

const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version {int} NOT NULL PRIMARY KEY, name {text} NOT NULL){rows};";

/// The schema version that this program writes.
pub(super) const fn known() -> i64 {
    MIGRATIONS[MIGRATIONS.len() - 1].0
}

pub(super) async fn run(db: &Db) -> Result<(), StoreError> {
    // Mostly there is nothing to do, and nobody should wait for a lock to learn it.
    match check(db).await {
        Err(StoreError::Unavailable(_)) => {}
        done => return done,
    }
    // The lock comes first: whoever waits for it finds the work done.
    let mut tx = db.begin().await?;
    tx.script(translate(db, VERSION_TABLE)).await?;
    let found = found(&mut tx).await?;
    refuse_newer(found)?;
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        tx.script(translate(db, sql)).await?;
        tx.exec("INSERT INTO schema_version (version, name) VALUES ($1, $2)", vals![*version, *name]).await?;
    }
    tx.commit().await
}

pub(super) async fn check(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.snapshot().await?;
    let found = match found(&mut tx).await {
        // Without the table it was never migrated.
        Err(StoreError::Corrupt(words)) if words.contains("no such table") => 0,
        other => other?,
    };
    refuse_newer(found)?;
    if found < known() {
        return Err(StoreError::Unavailable(format!(
            "its schema is version {found}, this program needs {}: run `calendar-sync migrate`",
            known()
        )));
    }
    Ok(())
}

async fn found(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = tx.one("SELECT max(version) FROM schema_version", vals![]).await?;
    row.map_or(Ok(0), |mut row| Ok(row.opt_int()?.unwrap_or(0)))
}

fn refuse_newer(found: i64) -> Result<(), StoreError> {
    if found > known() { Err(StoreError::NewerSchema { found, known: known() }) } else { Ok(()) }
}

/// A migration in the words of the dialect.
fn translate(db: &Db, sql: &str) -> String {
    db.types().iter().fold(sql.to_owned(), |sql, (word, meaning)| sql.replace(word, meaning))
}
