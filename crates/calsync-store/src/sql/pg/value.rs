//! Values as PostgreSQL takes and gives them. Many rows go as one array per column, so that a statement has one text
//! whatever their number.

use calsync_core::ports::StoreError;
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, Either, Executor as _, Row as _, SqlSafeStr, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::super::value::{Cell, Row, Val};

/// Runs a statement: its rows, and how many it changed. `keep`: its prepared form stays with the connection.
pub(super) async fn run(
    connection: &mut PgConnection,
    sql: impl SqlSafeStr,
    arguments: PgArguments,
    keep: Keep,
) -> Result<(Vec<Row>, u64), sqlx::Error> {
    let query = sqlx::query_with(sql, arguments).persistent(keep == Keep::Prepared);
    let (mut rows, mut changed) = (Vec::new(), 0);
    let mut answers = connection.fetch_many(query);
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => changed += done.rows_affected(),
            Either::Right(found) => rows.push(row(&found)?),
        }
    }
    Ok((rows, changed))
}

/// What stays of a statement after it ran.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Its prepared form, for the next time.
    Prepared,
    /// Nothing: the next time may meet another server.
    Nothing,
}

/// The values of one statement.
pub(super) fn single(vals: Vec<Val>) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for val in vals {
        let added = match val {
            Val::Int(value) => arguments.add(value),
            Val::Text(value) => arguments.add(value.map(storable)),
            Val::Bytes(value) => arguments.add(value),
            Val::Id(value) => arguments.add(value),
        };
        added.map_err(unstorable)?;
    }
    Ok(arguments)
}

/// PostgreSQL's text cannot hold the character zero, which nothing that people write contains.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
    let cells = (0..row.len()).map(|at| {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info();
        Ok(match kind.name() {
            "INT8" => Cell::Int(row.try_get(at)?),
            "INT4" => Cell::Int(i64::from(row.try_get::<i32, _>(at)?)),
            "BOOL" => Cell::Int(i64::from(row.try_get::<bool, _>(at)?)),
            "TEXT" | "VARCHAR" | "NAME" => Cell::Text(row.try_get(at)?),
            "BYTEA" => Cell::Bytes(row.try_get(at)?),
            "UUID" => Cell::Id(row.try_get::<Uuid, _>(at)?),
            // What a function gives that is called for what it does.
            "VOID" => Cell::Null,
            other => {
                let words = format!("a value of the unexpected type {other}");
                return Err(sqlx::Error::Decode(words.into()));
            }
        })
    });
    cells.collect::<Result<Vec<Cell>, sqlx::Error>>().map(Row::new)
}

/// One column of many rows.
enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
    Ids(Vec<Option<Uuid>>),
}

/// Rows of values as one array per column. Every row has the columns of the first.
pub(super) fn arrays(rows: Vec<Vec<Val>>) -> Result<PgArguments, StoreError> {
    let many = rows.len();
    let mut columns: Vec<Column> =
        rows.first().into_iter().flatten().map(|val| Column::like(val, many)).collect();
    for row in rows {
        if row.len() != columns.len() {
            return Err(uneven());
        }
        for (column, val) in columns.iter_mut().zip(row) {
            column.push(val)?;
        }
    }
    let mut arguments = PgArguments::default();
    for column in columns {
        let added = match column {
            Column::Ints(values) => arguments.add(values),
            Column::Texts(values) => arguments.add(values),
            Column::Blobs(values) => arguments.add(values),
            Column::Ids(values) => arguments.add(values),
        };
        added.map_err(unstorable)?;
    }
    Ok(arguments)
}

impl Column {
    fn like(val: &Val, rows: usize) -> Column {
        match val {
            Val::Int(_) => Column::Ints(Vec::with_capacity(rows)),
            Val::Text(_) => Column::Texts(Vec::with_capacity(rows)),
            Val::Bytes(_) => Column::Blobs(Vec::with_capacity(rows)),
            Val::Id(_) => Column::Ids(Vec::with_capacity(rows)),
        }
    }

    fn push(&mut self, val: Val) -> Result<(), StoreError> {
        match (self, val) {
            (Column::Ints(all), Val::Int(one)) => all.push(one),
            (Column::Texts(all), Val::Text(one)) => all.push(one.map(storable)),
            (Column::Blobs(all), Val::Bytes(one)) => all.push(one),
            (Column::Ids(all), Val::Id(one)) => all.push(one),
            _ => return Err(uneven()),
        }
        Ok(())
    }
}

fn uneven() -> StoreError {
    StoreError::Corrupt("the rows of one statement differ in their columns".to_owned())
}

fn unstorable(error: sqlx::error::BoxDynError) -> StoreError {
    StoreError::Conflict(format!("a value can't be stored ({error})"))
}
