//! The list of tables against the schema of both dialects: no table and no column is forgotten.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::time::Ts;
use calsync_testbed::postgres::Database;
use tempfile::TempDir;

use super::super::db::Db;
use super::super::migrate;
use super::super::value::{Row, vals};
use super::Place;
use super::tables::{Column, Kind, NOT_CARRIED, TABLES, Table};

mod whatever;

const NOW: Ts = Ts::from_secs(1_795_000_000);

async fn place(url: &str) -> Place {
    let place = Place::target(url).await.unwrap();
    migrate::run(&place.0).await.unwrap();
    place
}

async fn lite(dir: &TempDir, name: &str) -> Place {
    place(&format!("sqlite:{}", dir.path().join(name).display())).await
}

/// Table, column, type and place in the primary key (0: not in it) of everything that there is.
async fn schema(db: &Db) -> Vec<(String, String, String, i64)> {
    let sql = match db {
        Db::Lite(_) => {
            "SELECT m.name, p.name, p.type, p.pk FROM sqlite_schema m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
        }
        Db::Pg(_) => {
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), \
             coalesce(array_position(i.indkey::int2[], a.attnum), -1)::bigint + 1 \
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
             WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace"
        }
    };
    let rows = db.all(sql, vals![]).await.unwrap();
    let read = |mut row: Row| {
        (row.text().unwrap(), row.text().unwrap(), row.text().unwrap().to_lowercase(), row.int().unwrap())
    };
    rows.into_iter().map(read).collect()
}

fn fits(kind: Kind, found: &str) -> bool {
    match kind {
        Kind::Id => matches!(found, "blob" | "uuid"),
        Kind::Int => matches!(found, "integer" | "bigint"),
        Kind::Text => found == "text",
        Kind::Bytes => matches!(found, "blob" | "bytea"),
    }
}

fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.key.iter().chain(table.copied).chain(table.arises).chain(table.cleared)
}

async fn is_complete(db: &Db) {
    let mut found: BTreeMap<String, BTreeMap<String, (String, i64)>> = BTreeMap::new();
    for (table, column, kind, key) in schema(db).await {
        found.entry(table).or_default().insert(column, (kind, key));
    }
    for name in NOT_CARRIED {
        assert!(found.remove(name).is_some(), "{name} is gone: take it off the list");
    }
    let there: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(listed, there, "every table is in the list of `db copy`, or among those not carried");
    for table in TABLES {
        let there = &found[table.name];
        let listed: BTreeSet<&str> = columns(table).map(|column| column.name).collect();
        let names: BTreeSet<&str> = there.keys().map(String::as_str).collect();
        assert_eq!(listed, names, "every column of {} is in the list of `db copy`", table.name);
        for column in columns(table) {
            let kind = &there[column.name].0;
            assert!(fits(column.kind, kind), "{}.{} is {kind}", table.name, column.name);
        }
        let mut key: Vec<(i64, &str)> =
            there.iter().filter(|(_, (_, at))| *at > 0).map(|(name, (_, at))| (*at, name.as_str())).collect();
        key.sort_unstable();
        let listed: Vec<&str> = table.key.iter().map(|column| column.name).collect();
        assert_eq!(
            listed,
            key.into_iter().map(|(_, name)| name).collect::<Vec<_>>(),
            "key of {}",
            table.name
        );
        assert!(table.key.iter().all(|column| column.kind != Kind::Bytes), "no mark can hold such a key");
    }
}

#[tokio::test]
async fn the_list_is_complete_for_sqlite_and_in_the_order_of_references() {
    let dir = tempfile::tempdir().unwrap();
    let place = lite(&dir, "a.db").await;
    is_complete(&place.0).await;
    let refers = "SELECT m.name, f.\"table\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let at = |name: &str| TABLES.iter().position(|table| table.name == name).unwrap();
    let rows = place.0.all(refers, vals![]).await.unwrap();
    assert!(rows.len() > 10);
    for mut row in rows {
        let (from, to) = (row.text().unwrap(), row.text().unwrap());
        if NOT_CARRIED.contains(&from.as_str()) {
            continue;
        }
        assert!(at(&to) < at(&from), "{from} refers to {to}, which comes later");
    }
}

#[tokio::test]
async fn the_list_is_complete_for_postgresql_and_so_are_the_counters() {
    let database = Database::shared();
    let place = place(database.url()).await;
    is_complete(&place.0).await;
    let counted = "SELECT table_name::text, column_name::text FROM information_schema.columns \
        WHERE is_identity = 'YES' AND table_schema = current_schema()::text";
    let rows = place.0.all(counted, vals![]).await.unwrap();
    assert_eq!(rows.len(), super::COUNTERS.len());
    for mut row in rows {
        let words = format!("'{}', '{}'", row.text().unwrap(), row.text().unwrap());
        assert!(super::COUNTERS.iter().any(|sql| sql.contains(&words)), "{words}");
    }
}
