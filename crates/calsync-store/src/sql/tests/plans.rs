//! Query plans of what is asked often: along an index, never through a whole table, whatever stands in it.

use super::super::{SqlStore, leases, lite, lookups, notifications, runs, subscriptions, walk};
use super::open;

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

async fn check(store: &SqlStore, sql: &str, indexes: &[&str]) {
    let plan = plan(store, sql).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used:\n{plan}\nfor {sql}");
    }
    // `SCAN t USING INDEX` in the order of the index, cut by a limit, is a walk; a bare `SCAN table` is not.
    let bare = |line: &&str| {
        line.contains("SCAN ")
            && !line.contains("INDEX")
            && !line.contains("VALUES")
            && !line.contains("CONSTANT ROW")
            && !line.trim_end().ends_with("SCAN v")
            && !line.trim_end().ends_with("SCAN due")
            // A hundred rows at most.
            && !line.contains("SCAN subscription_figures")
    };
    assert_eq!(plan.lines().find(bare), None, "\n{plan}\nfor {sql}");
}

#[tokio::test]
async fn what_is_asked_often_goes_by_an_index() {
    let (_dir, store) = open().await;
    let s = &store;
    for lookups in [1, 64] {
        let by_key =
            ["(provider=? AND subscription_id=?)", "webhook_subscriptions_calendar", "SEARCH s USING INDEX"];
        check(s, &lookups::FIND.values(lookups, 4), &by_key).await;
    }
    check(s, leases::IS_DUE, &["calendars_due", "sqlite_autoindex_leases"]).await;
    check(s, lite::CLAIM_DUE, &["calendars_due", "sqlite_autoindex_leases"]).await;
    check(s, "SELECT min(due_at) FROM calendars WHERE due_at IS NOT NULL", &["calendars_due"]).await;
    check(s, walk::DUE_WRITES, &["outbox_order"]).await;
    check(s, subscriptions::ENDING, &["webhook_subscriptions_active_end"]).await;
    check(s, subscriptions::SILENT, &["webhook_subscriptions_alive_at"]).await;
    check(s, subscriptions::FAILING, &["webhook_subscriptions_failing"]).await;
    check(s, subscriptions::UNWATCHED, &["calendars_unwatched"]).await;
    check(s, subscriptions::EXPIRE, &["webhook_subscriptions_active_end"]).await;
    check(s, subscriptions::METRICS, &["webhook_subscriptions_active_end", "webhook_subscriptions_failing"])
        .await;
    check(s, notifications::BACKLOG, &["webhook_notifications_status_received_at"]).await;
    check(s, notifications::METRICS, &["webhook_notifications_status_received_at", "notification_figures"])
        .await;
    check(s, runs::PICK, &["webhook_notifications_subscription_received_at"]).await;
    check(s, runs::COMPLETE, &["webhook_notifications_subscription_received_at"]).await;
}

#[tokio::test]
async fn bulk_statements_find_their_rows_by_key() {
    let (_dir, store) = open().await;
    let bulks = [
        (&super::super::receipts::MARK, 2),
        (&super::super::calendars::RAISE, 4),
        (&super::super::leases::NEXT, 3),
        (&super::super::settle::STORED, 8),
        (&super::super::settle::REMOVED, 3),
        (&super::super::settle::POSTPONED, 5),
        (&super::super::settle::DONE, 2),
        (&walk::BLOCKS_GONE, 2),
        (&walk::PLAN_DUE, 2),
        (&runs::FAIL, 6),
        (&runs::COUNT, 2),
    ];
    for (bulk, columns) in bulks {
        for rows in [1, 64] {
            let plan = plan(&store, &bulk.values(rows, columns)).await;
            assert!(plan.lines().any(|l| l.contains("SEARCH ")), "\n{plan}\nfor {}", bulk.before);
            let table =
                bulk.before.split_whitespace().nth(if bulk.before.starts_with("UPDATE") { 1 } else { 2 });
            let scan = format!("SCAN {}", table.unwrap());
            assert!(!plan.contains(&scan), "\n{plan}\nfor {}", bulk.before);
        }
    }
}
