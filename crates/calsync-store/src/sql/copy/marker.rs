//! The mark of a copy: a row among the target's settings that says whose copy it is and how far it got. It changes in the
//! same transaction as the rows that it speaks of, so it is never wrong. Never on the source.

use calsync_core::ports::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::db::{Db, Tx};
use super::super::value::{Val, vals};
use super::view::View;

/// The mark as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The installation that is copied: see `source_of`.
    pub(super) source: String,
    /// When it began, in microseconds.
    pub(super) began_at: i64,
    /// Rows that are there.
    pub(super) rows: u64,
    /// How far it got.
    pub(super) at: At,
    /// What each table must hold, where this is a backup: its rows, and their digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holds: Option<Vec<(String, u64, String)>>,
}

/// How far a copy got.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum At {
    /// Nothing is copied; what a service without users left may still be there.
    Begun,
    /// Next come the rows of this table after this key, or its first ones.
    Table { table: String, after: Option<Vec<Value>> },
    /// All rows are there, and not yet compared.
    Copied,
    /// Both sides agreed, at this time.
    Finished { at: i64 },
}

// The name stands in the list of tables as well, which leaves this row out.
const FIND: &str = "SELECT value FROM settings WHERE name = 'copy'";
const PUT: &str = "INSERT INTO settings (name, value) VALUES ('copy', $1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const REMOVE: &str = "DELETE FROM settings WHERE name = 'copy'";

/// The mark on a database, if there is one.
pub(super) async fn find(of: &View<'_>) -> Result<Option<Marker>, StoreError> {
    of.one(FIND, vals![]).await?.map(|mut row| row.json()).transpose()
}

/// Changes the mark from what we know to what is to be. Somebody else who copies to the same place changes it too, and one of us
/// finds that out here, before it commits.
pub(super) async fn replace(tx: &mut Tx, known: Option<&Marker>, new: &Marker) -> Result<(), StoreError> {
    let found: Option<Marker> = tx.lock(FIND, vals![]).await?.map(|mut row| row.json()).transpose()?;
    if found.as_ref() != known {
        return Err(StoreError::Conflict(
            "another copy into it is under way: let one of them finish".to_owned(),
        ));
    }
    tx.exec(PUT, vals![Val::json(new)?]).await.map(drop)
}

/// Takes the mark away.
pub(super) async fn remove(db: &Db) -> Result<(), StoreError> {
    db.exec(REMOVE, vals![]).await.map(drop)
}

/// Refuses a database that a copy was broken off on: half an installation must neither be served nor changed.
pub(crate) async fn refuse_unfinished(db: &Db) -> Result<(), StoreError> {
    match find(&View::Live(db)).await? {
        Some(marker) if !matches!(marker.at, At::Finished { .. }) => Err(StoreError::Unavailable(
            "a copy into it is not finished: run the same `calendar-sync db copy` again, which goes on where it was".to_owned(),
        )),
        _ => Ok(()),
    }
}
