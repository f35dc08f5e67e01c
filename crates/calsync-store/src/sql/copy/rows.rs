//! Pages of a table: rows in the order of their key, from one key to the next, so that nothing holds more than a page.
//! Never writes.

use calsync_core::ids::UserId;
use calsync_core::ports::StoreError;
use serde_json::Value;

use super::super::value::{Row, Val};
use super::tables::{Kind, Table};
use super::view::View;

/// Rows per page, and per transaction on the target. What one row can hold is bounded where it comes in: a page takes
/// a few megabytes at most.
pub(super) const PAGE: usize = 500;

/// A row as it is read: key, copied and arising columns.
pub(super) type Line = Vec<Val>;

/// The rows after `key`, or the first ones. The last page is short.
pub(super) async fn page(
    from: &View<'_>,
    table: &Table,
    key: Option<&[Val]>,
) -> Result<Vec<Line>, StoreError> {
    let mut vals = vec![Val::count(PAGE as u64)];
    vals.extend(key.into_iter().flatten().cloned());
    let sql = if key.is_some() { table.after } else { table.first };
    from.all(sql, vals).await?.into_iter().map(|row| line(row, table.read())).collect()
}

/// The values of a row whose columns are known.
pub(super) fn line(mut row: Row, kinds: impl Iterator<Item = Kind>) -> Result<Line, StoreError> {
    kinds.map(|kind| value(&mut row, kind)).collect()
}

fn value(row: &mut Row, kind: Kind) -> Result<Val, StoreError> {
    Ok(match kind {
        // Any id will do: they differ in what they name, not in how they are stored.
        Kind::Id => Val::Id(row.opt_id::<UserId>()?.map(|id| id.0)),
        Kind::Int => Val::Int(row.opt_int()?),
        Kind::Text => Val::Text(row.opt_text()?),
        Kind::Bytes => Val::Bytes(row.opt_bytes()?),
    })
}

/// The key of a row.
pub(super) fn key_of(table: &Table, line: &[Val]) -> Vec<Val> {
    line.iter().take(table.key.len()).cloned().collect()
}

/// A key as it is kept in the mark.
pub(super) fn key_to_json(key: &[Val]) -> Vec<Value> {
    let one = |val: &Val| match val {
        Val::Int(value) => Value::from(*value),
        Val::Text(value) => Value::from(value.clone()),
        Val::Id(value) => Value::from(value.map(|id| id.to_string())),
        // No key has bytes: the test of the list says so.
        Val::Bytes(_) => Value::Null,
    };
    key.iter().map(one).collect()
}

/// A key as it was kept; nothing if it is none of this table.
pub(super) fn key_from_json(table: &Table, kept: &[Value]) -> Option<Vec<Val>> {
    if kept.len() != table.key.len() {
        return None;
    }
    let one = |(value, column): (&Value, &super::tables::Column)| match column.kind {
        Kind::Int => value.as_i64().map(Val::from),
        Kind::Text => value.as_str().map(Val::from),
        Kind::Id => value.as_str()?.parse().ok().map(|id| Val::Id(Some(id))),
        Kind::Bytes => None,
    };
    kept.iter().zip(table.key).map(one).collect()
}

/// How many rows each table has.
pub(super) async fn counts(from: &View<'_>) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let mut counts = Vec::with_capacity(super::tables::TABLES.len());
    for table in super::tables::TABLES {
        let rows: u64 = from.figure(table.count, Vec::new()).await?.num()?;
        counts.push((table.name, rows));
    }
    Ok(counts)
}
