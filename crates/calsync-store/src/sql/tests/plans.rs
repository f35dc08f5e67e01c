//! Query plans of what is asked often, on SQLite: along an index, never through a whole table, whatever stands in it.

use super::super::SqlStore;
use super::open;
use super::statements::{OFTEN, Text};

/// The plan of a statement, one step per line.
async fn plan(store: &SqlStore, sql: &str) -> String {
    // A test's statements may live as long as the test.
    let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let rows = store.db.all(sql, Vec::new()).await.unwrap();
    let step = |mut row: super::super::value::Row| {
        for _ in 0..3 {
            row.int().unwrap();
        }
        row.text().unwrap()
    };
    rows.into_iter().map(step).collect::<Vec<_>>().join("\n")
}

/// `SCAN t USING INDEX` in the order of the index, cut by a limit, is a walk; a bare `SCAN table` is not. What is made of
/// the values of the statement itself may be read as a whole, and so may a table of a row per provider, state and part.
fn is_bare_scan(line: &str) -> bool {
    let line = line.trim_end();
    let made = ["VALUES", "CONSTANT ROW"].iter().any(|word| line.contains(word))
        || ["SCAN v", "SCAN due", "SCAN first", "SCAN late", "SCAN idle", "SCAN subscription_figures"]
            .iter()
            .any(|end| line.ends_with(end));
    line.contains("SCAN ") && !line.contains("INDEX") && !made
}

#[tokio::test]
async fn what_is_asked_often_goes_by_an_index() {
    let (_dir, store) = open().await;
    for often in OFTEN {
        let texts = match &often.text {
            Text::Both(sql) | Text::Each(sql, _) => vec![(*sql).to_owned()],
            Text::Rows(bulk) => [1, 64].map(|rows| bulk.values(rows, often.values.len())).to_vec(),
            Text::Function(_) => continue,
        };
        for sql in texts {
            let plan = plan(&store, &sql).await;
            for index in often.by {
                assert!(plan.contains(index), "{}: {index} is not used:\n{plan}\nfor {sql}", often.name);
            }
            assert!(
                plan.lines().any(|line| line.contains("SEARCH ") || line.contains("INDEX")),
                "{}:\n{plan}\nfor {sql}",
                often.name
            );
            let bare = plan.lines().find(|line| is_bare_scan(line));
            assert_eq!(bare, None, "{}:\n{plan}\nfor {sql}", often.name);
        }
    }
}

#[tokio::test]
async fn keys_serve_without_an_index_of_their_own() {
    let (_dir, store) = open().await;
    for (name, key) in [
        ("find", "(provider=? AND subscription_id=?)"),
        ("find", "SEARCH s USING INDEX"),
        ("is due", "sqlite_autoindex_leases"),
        ("notification figures", "webhook_notifications_status_received_at"),
        ("claim due", "sqlite_autoindex_leases"),
    ] {
        let often = OFTEN.iter().find(|often| often.name == name).unwrap();
        let sql = match &often.text {
            Text::Both(sql) | Text::Each(sql, _) => (*sql).to_owned(),
            Text::Rows(bulk) => bulk.values(1, often.values.len()),
            Text::Function(name) => panic!("SQLite knows no {name}"),
        };
        let plan = plan(&store, &sql).await;
        assert!(plan.contains(key), "{name}: {key} is not used:\n{plan}");
    }
}
