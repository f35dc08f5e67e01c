//! A row of every table with whatever a database can hold: it arrives, whichever way it goes.

use std::ops::ControlFlow;

use calsync_testbed::postgres::Database;
use uuid::Uuid;

use super::super::tables::{Column, Kind, TABLES, Table};
use super::super::{Outcome, Place, Report, copy};
use super::{NOW, lite, place};
use crate::sql::db::Db;
use crate::sql::value::{Val, vals};

/// Text that no code page, terminal or quoting likes. It has no capitals: addresses are kept without.
const WEIRD: &str = "x\0\u{1f4c5} ü\u{301}\u{10ffff}\u{202e}'\"\\%_$1\r\n\t\u{7f}\u{feff}";

/// The kinds of rows that are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Most,
    Least,
}

/// What a column must hold because a constraint says so.
fn demanded(table: &str, column: &str, sort: Sort) -> Option<Val> {
    let most = sort == Sort::Most;
    Some(match (table, column) {
        ("users", "email") if !most => Val::from("e"),
        (_, "provider") => Val::from(if most { "google" } else { "apple" }),
        ("accounts", "status") => Val::from("disabled"),
        // One that takes part has no reason not to.
        ("calendars", "leaving") => {
            if most {
                Val::Text(None)
            } else {
                Val::from("stopped")
            }
        }
        ("calendars", "access") => Val::from("free_busy"),
        ("calendars", name) if name.starts_with("cursor_") && !most => demanded_nothing(name),
        (
            _,
            "is_staff"
            | "sync_enabled"
            | "webhook_enabled"
            | "fallback_polling_enabled"
            | "missing"
            | "push_unsupported"
            | "push_admitted",
        )
        | (_, "plan_due" | "full_due" | "approved") => Val::from(most),
        ("webhook_subscriptions", "status") => Val::from(if most { "active" } else { "suspended" }),
        ("webhook_notifications", "processing_status") => Val::from(if most { "failed" } else { "pending" }),
        ("webhook_notifications", "next_retry_at") => Val::Int(None),
        ("webhook_notifications", "processing_completed_at") if !most => Val::Int(None),
        ("sync_runs", "kind") => Val::from("full"),
        ("sync_runs", "status") => Val::from(if most { "failed" } else { "running" }),
        ("sync_runs", "error") if !most => Val::Text(None),
        ("journal", "deed") => Val::from(if most { "created" } else { "removed" }),
        ("journal", "seq") if !most => Val::from(i64::MIN),
        (_, "wrote") if table == "sync_runs" => Val::from(most),
        ("alerts", "level") => Val::from("critical"),
        ("alert_deliveries", "state") => Val::from(if most { "failed" } else { "pending" }),
        ("alert_deliveries", "next_try_at") if most => Val::Int(None),
        ("alert_deliveries", "finished_at") if !most => Val::Int(None),
        ("health_hours", "worst") if most => Val::from(2_u32),
        ("rule_freshness", "standing") => Val::from("paused"),
        ("ledger", "state") => Val::from("yielded"),
        ("ledger", "repairs") if most => Val::from(255_u32),
        ("provider_call_stats" | "provider_call_errors", "minute") => {
            Val::from(if most { i64::MAX } else { i64::MIN })
        }
        ("notification_figures", "minute" | "part") | ("alerts" | "audit_log", "seq" | "at") if !most => {
            Val::from(i64::MIN)
        }
        ("settings", "name") if !most => Val::from(""),
        ("rules", "target") => Val::Id(Some(other(sort))),
        _ => return None,
    })
}

fn demanded_nothing(cursor: &str) -> Val {
    if matches!(cursor, "cursor_token" | "cursor_params") { Val::Text(None) } else { Val::Int(None) }
}

/// The id of everything of a sort: what refers to anything refers to that.
fn id(sort: Sort) -> Uuid {
    if sort == Sort::Most { Uuid::max() } else { Uuid::nil() }
}

/// The id of a second calendar.
fn other(sort: Sort) -> Uuid {
    Uuid::from_u128(if sort == Sort::Most { 1 << 127 } else { 1 })
}

fn row(table: &Table, sort: Sort) -> Vec<Val> {
    let most = sort == Sort::Most;
    let value = |column: &Column| {
        demanded(table.name, column.name, sort).unwrap_or(match column.kind {
            Kind::Id => Val::Id(Some(id(sort))),
            Kind::Int => Val::from(if most { i64::MAX } else { 0 }),
            Kind::Text => Val::from(if most { WEIRD } else { "" }),
            Kind::Bytes => Val::from(if most { (0..=255).collect() } else { Vec::new() }),
        })
    };
    table.key.iter().chain(table.copied).map(value).collect()
}

async fn fill(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    for table in TABLES {
        let mut rows: Vec<Vec<Val>> = [Sort::Most, Sort::Least].map(|sort| row(table, sort)).into();
        if table.name == "calendars" {
            for (sort, name) in [(Sort::Most, "b"), (Sort::Least, "c")] {
                let mut second = row(table, sort);
                second[0] = Val::Id(Some(other(sort)));
                second[3] = Val::from(name);
                rows.push(second);
            }
        }
        tx.bulk(&table.insert, rows).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
    }
    tx.commit().await.unwrap();
}

async fn copied(from: &Place, to: &Place) -> Report {
    match copy(from, to, NOW, &mut |_| ControlFlow::Continue(())).await.unwrap() {
        Outcome::Copied(report) => report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whatever_a_database_can_hold_arrives_whichever_way_it_goes() {
    let (dir, first, second) = (tempfile::tempdir().unwrap(), Database::shared(), Database::shared());
    let a = lite(&dir, "a.db").await;
    fill(&a.0).await;
    let mut places = vec![a];
    for url in [first.url(), second.url()] {
        places.push(place(url).await);
    }
    for name in ["b.db", "c.db"] {
        places.push(lite(&dir, name).await);
    }
    // SQLite → PostgreSQL → PostgreSQL → SQLite → SQLite.
    for (n, pair) in places.windows(2).enumerate() {
        let report = copied(&pair[0], &pair[1]).await;
        assert!(report.agrees(), "{report:#?}");
        assert_eq!(report.copied, 2 * TABLES.len() as u64 + 2);
        assert!(report.tables.iter().all(|table| table.source.rows >= 2), "{report:#?}");
        assert_eq!(report.zeros > 20, n == 0, "the zeros are gone after the first: {}", report.zeros);
    }
    let held = "SELECT count(*) FROM leases WHERE owner IS NOT NULL";
    assert_eq!(places[4].0.figure(held, vals![]).await.unwrap().int().unwrap(), 0);
    for place in places {
        place.close().await;
    }
}

#[tokio::test]
async fn straight_from_file_to_file_not_even_a_zero_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (lite(&dir, "a.db").await, lite(&dir, "b.db").await);
    fill(&a.0).await;
    let report = copied(&a, &b).await;
    assert!(report.agrees() && report.zeros == 0, "{report:#?}");
    let raw =
        b.0.figure("SELECT name FROM calendars WHERE name <> '' LIMIT 1", vals![]).await.unwrap().text();
    assert_eq!(raw.unwrap(), WEIRD);
}
