//! Carrying rows over: page by page, each a transaction on the target that also moves the mark on. Broken off anywhere,
//! it goes on after the last page that was committed. Never changes the source.

use calsync_core::ports::StoreError;

use super::super::db::Db;
use super::super::value::{Val, vals};
use super::marker::{self, At, Marker};
use super::rows::{Line, PAGE, key_from_json, key_of, key_to_json, page};
use super::tables::{TABLES, Table};
use super::view::View;
use super::{CopyError, End, Phase, Progress, Watch};

fn on_target(error: StoreError) -> CopyError {
    CopyError::store(End::Target, error)
}

fn on_source(error: StoreError) -> CopyError {
    CopyError::store(End::Source, error)
}

/// Makes the target ours: writes the mark, makes sure that the source does not show it, and clears what a service
/// without users leaves behind by itself.
pub(super) async fn begin(
    from: &View<'_>,
    to: &Db,
    found: Option<Marker>,
    new: Marker,
) -> Result<Marker, CopyError> {
    let marker = match found {
        None => {
            let before = marker::find(from).await.map_err(on_source)?;
            let mut tx = to.begin().await.map_err(on_target)?;
            marker::replace(&mut tx, None, &new).await.map_err(on_target)?;
            tx.commit().await.map_err(on_target)?;
            // Two URLs can name one database in more ways than can be told from their text.
            let after = marker::find(from).await.map_err(on_source)?;
            if before != after {
                marker::remove(to).await.map_err(on_target)?;
                return Err(CopyError::Same);
            }
            new
        }
        Some(found) => found,
    };
    if marker.at != At::Begun {
        return Ok(marker);
    }
    let first = At::Table { table: TABLES[0].name.to_owned(), after: None };
    let next = Marker { at: first, ..marker.clone() };
    let mut tx = to.begin().await.map_err(on_target)?;
    marker::replace(&mut tx, Some(&marker), &next).await.map_err(on_target)?;
    for table in TABLES.iter().rev() {
        tx.exec(table.empty, vals![]).await.map_err(on_target)?;
    }
    tx.commit().await.map_err(on_target)?;
    Ok(next)
}

/// Copies what is left.
pub(super) async fn all(
    from: &View<'_>,
    to: &Db,
    mut marker: Marker,
    of: u64,
    watch: &mut Watch<'_>,
) -> Result<Marker, CopyError> {
    let Some((start, mut key)) = position(&marker)? else { return Ok(marker) };
    for table in &TABLES[start..] {
        loop {
            let lines = page(from, table, key.as_deref()).await.map_err(on_source)?;
            let is_last = lines.len() < PAGE;
            let Some(last) = lines.last().map(|line| key_of(table, line)) else { break };
            let next = Marker {
                rows: marker.rows + lines.len() as u64,
                at: At::Table { table: table.name.to_owned(), after: Some(key_to_json(&last)) },
                ..marker.clone()
            };
            write(to, table, lines, &marker, &next).await?;
            (marker, key) = (next, Some(last));
            let progress = Progress { phase: Phase::Copying, table: table.name, done: marker.rows, of };
            if watch(progress).is_break() {
                return Err(CopyError::Stopped);
            }
            if is_last {
                break;
            }
        }
        key = None;
    }
    let copied = Marker { at: At::Copied, ..marker.clone() };
    let mut tx = to.begin().await.map_err(on_target)?;
    marker::replace(&mut tx, Some(&marker), &copied).await.map_err(on_target)?;
    for counter in to.counters() {
        tx.all(counter, vals![]).await.map_err(on_target)?;
    }
    tx.commit().await.map_err(on_target)?;
    Ok(copied)
}

/// Writes one page and the mark that says so.
async fn write(
    to: &Db,
    table: &Table,
    mut lines: Vec<Line>,
    known: &Marker,
    next: &Marker,
) -> Result<(), CopyError> {
    lines.iter_mut().for_each(|line| line.truncate(table.written()));
    let mut tx = to.begin().await.map_err(on_target)?;
    marker::replace(&mut tx, Some(known), next).await.map_err(on_target)?;
    tx.bulk(&table.insert, lines).await.map_err(|error| match error {
        StoreError::Conflict(words) => CopyError::Misfit { table: table.name, words },
        other => on_target(other),
    })?;
    tx.commit().await.map_err(on_target)
}

/// A table by its place in the list, and a key in it.
type Position = (usize, Option<Vec<Val>>);

/// The first table that still has rows to be copied, and the key after which they come; nothing if all are there.
fn position(marker: &Marker) -> Result<Option<Position>, CopyError> {
    let At::Table { table, after } = &marker.at else { return Ok(None) };
    let unknown = || on_target(StoreError::Corrupt(format!("its mark names no place in table {table:?}")));
    let at = TABLES.iter().position(|known| known.name == table).ok_or_else(unknown)?;
    let Some(after) = after else { return Ok(Some((at, None))) };
    Ok(Some((at, Some(key_from_json(&TABLES[at], after).ok_or_else(unknown)?))))
}
