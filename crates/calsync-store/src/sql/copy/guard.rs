//! What must hold before a copy begins: both sides of one schema, at rest, and a target that holds nothing but perhaps
//! a part of this very copy. Looks, and never changes anything.

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::super::db::Db;
use super::super::migrate;
use super::super::value::{Val, vals};
use super::digest::{Content, Read};
use super::marker::{self, At, Marker};
use super::rows::line;
use super::tables::Kind;
use super::view::View;
use super::{CopyError, End, Standing};

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM schema_version";
const HELD: &str = "SELECT resource, expires_at FROM leases WHERE owner IS NOT NULL AND expires_at > $1 \
    ORDER BY resource LIMIT 1";
const USERS: &str = "SELECT count(*) FROM users";
const AUDIT: &str = "SELECT count(*) FROM audit_log";
/// What no two installations have alike: a sealed identity is sealed with chance, and ids are made of it.
const IDENTITY: &str = "SELECT value FROM settings WHERE name = 'identity'";
const FIRST_USER: &str = "SELECT id, email, created_at FROM users ORDER BY id LIMIT 1";

/// Both must be of the schema that this program makes: it copies the columns that it knows.
pub(super) async fn version(end: End, db: &Db) -> Result<(), CopyError> {
    let found = db.figure(VERSION, vals![]).await.and_then(|mut row| row.int());
    let (found, known) = (found.map_err(|error| CopyError::store(end, error))?, migrate::known());
    if found == known { Ok(()) } else { Err(CopyError::Version { end, found, known }) }
}

/// Nobody may be at work on it. Who is shows by a lease, at least while there is work.
pub(super) async fn at_rest(end: End, db: &Db, now: Ts) -> Result<(), CopyError> {
    let fail = |error| CopyError::store(end, error);
    let Some(mut row) = db.one(HELD, vals![now]).await.map_err(fail)? else { return Ok(()) };
    let (lease, until) = (row.text().map_err(fail)?, row.ts().map_err(fail)?);
    Err(CopyError::Alive { end, lease, until })
}

/// Names the installation that a database belongs to, by nothing that could be turned back into a secret.
pub(super) async fn source_of(from: &View<'_>) -> Result<String, StoreError> {
    let mut read = Read::default();
    if let Some(row) = from.one(IDENTITY, vals![]).await? {
        read.add(&line(row, [Kind::Text].into_iter())?, super::digest::Zero::Kept);
    }
    if let Some(row) = from.one(FIRST_USER, vals![]).await? {
        let kinds = [Kind::Id, Kind::Text, Kind::Int];
        read.add(&line(row, kinds.into_iter())?, super::digest::Zero::Kept);
    }
    let Content { rows, digest } = read.content;
    Ok(format!("{rows}-{digest}"))
}

/// What a target holds, which may not have been made yet, or be of an older schema. Errors if it is somebody else's.
pub(super) async fn standing(db: &Db, source: &str) -> Result<(Standing, Option<Marker>), CopyError> {
    let fail = |error| CopyError::store(End::Target, error);
    let count = async |sql, vals: Vec<Val>| -> Result<i64, CopyError> {
        db.figure(sql, vals).await.and_then(|mut row| row.int()).map_err(fail)
    };
    if count(db.has_table(), vals!["schema_version"]).await? == 0 {
        return match count(db.tables(), vals![]).await? {
            0 => Ok((Standing::New, None)),
            tables => Err(CopyError::InUse(format!("it holds {tables} tables that are not calendar-sync's"))),
        };
    }
    let found = count(VERSION, vals![]).await?;
    if found > migrate::known() {
        return Err(CopyError::Version { end: End::Target, found, known: migrate::known() });
    }
    match marker::find(&View::Live(db)).await.map_err(fail)? {
        Some(marker) if marker.source != source => Err(CopyError::InUse(match marker.at {
            At::Finished { .. } => "it holds another installation, which was copied there".to_owned(),
            _ => "it holds an unfinished copy of another installation".to_owned(),
        })),
        Some(marker) => Ok((
            match marker.at {
                At::Finished { at } => Standing::Finished { at: Ts::from_micros(at) },
                _ => Standing::Unfinished { rows: marker.rows },
            },
            Some(marker),
        )),
        None => match (count(USERS, vals![]).await?, count(AUDIT, vals![]).await?) {
            (0, 0) => Ok((Standing::New, None)),
            (0, _) => Err(CopyError::InUse("people have worked in it, as its audit log shows".to_owned())),
            (users, _) => Err(CopyError::InUse(format!("it has users of its own ({users})"))),
        },
    }
}
