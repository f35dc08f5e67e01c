//! Query plans of what is asked often, on PostgreSQL: on large tables and with the values of a real question, once planned
//! for these values and once for any. Few pages are read, no table is read or sorted as a whole.

use std::fmt::Write as _;

use calsync_testbed::postgres::{Cluster, ClusterOptions};

use super::super::{Migrate, SqlStore};
use super::statements::{OFTEN, Often, Text};

/// Pages that a statement may touch: what it changes with the indexes on that, for as many rows as it is asked about.
/// The tables have thousands.
const PAGES: u64 = 3_000;
/// Rows of a statement over rows.
const ROWS: u32 = 64;
/// What is planned for its values each time, because that is cheaper, as the server finds out by itself: nothing is known
/// of how far back a plan for any value would have to read.
const OF_VALUES: [&str; 4] = ["notification figures", "notification spans", "health spans", "expiring"];
/// Rows that may be put in order.
const SORTED: f64 = 2_000.0;

/// 20 000 users with fifty thousand calendars, a channel on all of these and an older one on every fifth, three notifications to
/// each of those, of which one in thirty is open; one calendar in a thousand is due.
const FILL: &str = "
    BEGIN;
    SET LOCAL session_replication_role = replica;
    CREATE FUNCTION made(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
      AS $$ SELECT (kind || '0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
    INSERT INTO users (id, email, is_staff, created_at) SELECT made(1, n), 'person' || n || '@example.com', 0, 0 FROM generate_series(1, 20000) n;
    INSERT INTO accounts SELECT made(2, n), made(1, n), 'google', 'remote-' || n, 'a@example.org', 'active', NULL, 0
      FROM generate_series(1, 20000) n;
    INSERT INTO leases SELECT 'user:' || n, made(1, n), NULL, 0, 0, 0 FROM generate_series(1, 20000) n;
    INSERT INTO calendars (id, account_id, user_id, remote_id, name, time_zone, access, sync_enabled, due_at,
      watched, open_since)
      SELECT made(3, n), made(2, 1 + n % 20000), made(1, 1 + n % 20000), 'remote-' || n, 'A calendar', 'Europe/Vienna',
      'owner', 1, CASE WHEN n % 1000 = 0 THEN 1000000 WHEN n % 3 = 0 THEN 2000000 + n END,
      CASE WHEN n % 1000 = 1 THEN 0 ELSE 1 END, 1 FROM generate_series(1, 50000) n;
    INSERT INTO subscription_figures SELECT 'google', 'active', n, 6250 FROM generate_series(0, 7) n;
    INSERT INTO alerts (kind, subject, level, message, action, first_seen, last_seen, resolved_at) \
     SELECT 'cache_down', n::text, 'error', '', '', n, n, CASE WHEN n > 20 THEN n END FROM generate_series(1, 20000) n;
    INSERT INTO alert_deliveries SELECT gen_random_uuid(), 'email', '{}', 'delivered', 1, NULL, NULL, n, n \
     FROM generate_series(1, 20000) n;
    INSERT INTO notification_figures SELECT n * 60000000::bigint, n % 8, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, 20000) n;
    INSERT INTO audit_log (at, who, what) SELECT n, CASE WHEN n % 9 = 0 THEN 'calendar-sync' ELSE 'person' || n % 20 END, 'did it'      FROM generate_series(1, 50000) n;
    INSERT INTO health_hours SELECT n * 3600000000::bigint, n, n, 0 FROM generate_series(1, 10000) n;
    INSERT INTO webhook_subscriptions (id, calendar_id, provider, subscription_id, webhook_url, resource_id, token_hash,
      created_at, expires_at, renew_at, status, last_notification_at, last_renewal_at, failure_count, provider_metadata)
      SELECT made(4, n), made(3, 1 + n % 50000), 'google', 'channel-' || n,
      'https://sync.example.com/webhooks/google/', 'resource', '\\x00', n,
      CASE WHEN n % 500 = 0 THEN 1000000 ELSE 2000000 + n END,
      CASE WHEN n % 500 = 0 THEN 900000 ELSE 1900000 + n END, CASE WHEN n > 50000 THEN 'expired' ELSE 'active' END,
      CASE WHEN n % 700 = 0 THEN NULL ELSE 1500000 + n END, NULL, CASE WHEN n % 900 = 0 THEN 3 ELSE 0 END, '{}'
      FROM generate_series(1, 60000) n;
    INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload,
      processing_status, processing_completed_at)
      SELECT made(5, n), made(4, 1 + n % 60000), 'number-' || n, n, '{\"a\": \"header\"}', 'null',
      CASE WHEN n % 300 = 0 THEN 'pending' ELSE 'completed' END, CASE WHEN n % 300 = 0 THEN NULL ELSE n END
      FROM generate_series(1, 180000) n;
    INSERT INTO ledger SELECT made(3, 1 + n % 50000), made(3, n), made(3, n), made(3, n), '{}', 'x' || n, 0, 'live', 0,
      NULL, '{}', 0, NULL FROM generate_series(1, 60000) n;
    INSERT INTO outbox SELECT made(3, 1 + n % 5000), made(3, n), n, '{}', 0, NULL, NULL FROM generate_series(1, 30000) n;
    INSERT INTO rule_freshness SELECT made(7, n), made(1, 1 + n % 20000), made(3, 1 + n % 50000), made(3, 1 + n % 50000),
      'right', 0, n, CASE WHEN n % 1000 = 0 THEN 1000000 WHEN n % 3 > 0 THEN 2000000 + n END FROM generate_series(1, 60000) n;
    INSERT INTO rule_delays SELECT made(7, 1 + n % 60000), n / 60000, 7, 1 FROM generate_series(1, 180000) n;
    INSERT INTO sync_runs (id, calendar_id, user_id, kind, trigger_text, started_at, finished_at, status, wrote)
      SELECT made(6, n), made(3, 1 + n % 50000), made(1, 1 + n % 20000), 'webhook', 'notification', n, n, 'succeeded',
      CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END FROM generate_series(1, 60000) n;
    INSERT INTO journal (run_id, target, correlation, source, rule_id, deed, reason, block, content_old, texts_old,
      content_new, echo, written_at, verified_at)
      SELECT made(6, 1 + n % 60000), made(3, 1 + n % 50000), made(3, n), made(3, 1 + n * 7 % 50000), made(7, n), 'changed',
      'source_changed', 'x' || n, '{}', CASE WHEN n % 50 = 0 THEN '{}' END, '{}', n, n,
      CASE WHEN n % 40 > 0 THEN n END FROM generate_series(1, 180000) n;
    INSERT INTO mirror_blocks SELECT made(3, 1 + n % 50000), 'x' || n, '{}' FROM generate_series(1, 60000) n;
    COMMIT;
    VACUUM ANALYZE";

/// The statements in a function that go by an index. They name its parameters by their numbers; for the ids that it found new,
/// those that it was given will do.
fn statements_of(cluster: &Cluster, function: &str) -> Vec<String> {
    let sql = format!("SELECT prosrc FROM pg_proc WHERE proname = '{function}'");
    let source = cluster.psql("data", &sql).unwrap();
    let bare = |one: &str| match one.split_once("PERFORM") {
        Some((_, rest)) => Some(format!("SELECT {rest}")),
        None => one.find("WITH").map(|at| one[at..].replace("INTO fresh", "").replace("fresh", "$1")),
    };
    let statements: Vec<String> = source.split(';').filter_map(bare).collect();
    assert!(!statements.is_empty(), "{source}");
    statements
}

/// Its texts, and its values as a list: arrays of them for a statement over rows.
fn spelled(cluster: &Cluster, often: &Often) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (sql, arrays) = match &often.text {
        Text::Both(sql) | Text::Each(_, sql) => (vec![(*sql).to_owned()], false),
        Text::Function(name) => (statements_of(cluster, name), true),
        Text::Rows(bulk) => (vec![bulk.arrays(often.values.len())], true),
    };
    let types = often.values.iter().map(|(kind, _)| match *kind {
        "part" => "bigint".to_owned(),
        kind if arrays => format!("{kind}[]"),
        kind => kind.to_owned(),
    });
    let values = often.values.iter().map(|(kind, value)| {
        if *kind == "part" {
            format!("{value}::bigint")
        } else if arrays {
            format!(
                "(SELECT array_agg(({value})::{kind}) FROM generate_series(101, {}) n)::{kind}[]",
                100 + ROWS
            )
        } else {
            format!("(SELECT {value} FROM (SELECT 101 AS n) one)::{kind}")
        }
    });
    (sql, types.collect(), values.collect())
}

/// Asks psql to plan and to run it, both ways, and gives the plans: of each way, all there are one after the other.
fn plans(cluster: &Cluster, often: &Often) -> Vec<String> {
    let (statements, types, values) = spelled(cluster, often);
    let mut script = String::new();
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    for (at, sql) in statements.iter().enumerate() {
        writeln!(script, "PREPARE often{at} {types} AS {sql};").unwrap();
    }
    // EXECUTE takes no subqueries: the values are fetched first.
    let mut given = Vec::new();
    for (at, value) in values.iter().enumerate() {
        writeln!(script, "SELECT {value}::text AS v{at} \\gset").unwrap();
        given.push(format!(":'v{at}'"));
    }
    let given = if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
    for mode in ["force_custom_plan", "force_generic_plan"] {
        writeln!(script, "SET plan_cache_mode = {mode};").unwrap();
        writeln!(script, "BEGIN;").unwrap();
        for at in 0..statements.len() {
            writeln!(script, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE often{at} {given};").unwrap();
        }
        writeln!(script, "ROLLBACK;\n\\echo ---").unwrap();
    }
    let said = cluster.psql("data", &script).unwrap_or_else(|error| panic!("{}: {error}", often.name));
    said.split("---").map(str::to_owned).filter(|plan| plan.contains("cost=")).collect()
}

/// The number after a word.
fn number(line: &str, after: &str) -> Option<f64> {
    let rest = line.split_once(after)?.1;
    rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()
}

/// What is wrong with a plan.
fn fault(often: &Often, plan: &str) -> Option<String> {
    for line in plan.lines() {
        // A row for each provider, state and part.
        if line.contains("Seq Scan on") && !line.contains("subscription_figures") {
            return Some(format!("reads a whole table: {line}"));
        }
        let sorts = line.trim_start().trim_start_matches("->").trim_start().starts_with("Sort ");
        if sorts && number(line, "rows=").is_some_and(|rows| rows > SORTED) {
            return Some(format!("sorts too much: {line}"));
        }
    }
    if let Some(index) = often.by.iter().find(|index| !plan.contains(**index)) {
        return Some(format!("{index} is not used"));
    }
    // What a statement touched as a whole stands first.
    let statements = plan.split("Execution Time");
    let buffers = statements.filter_map(|one| one.lines().find(|line| line.contains("Buffers: shared")));
    let pages: f64 = buffers.flat_map(|line| [number(line, "hit="), number(line, "read=")]).flatten().sum();
    (pages > PAGES as f64).then(|| format!("touches {pages} pages"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_often_goes_by_an_index_in_large_tables() {
    // Nobody pulls its plug. Of its own, because who skips checks and triggers, to be quick, is a superuser.
    let options = ["fsync", "full_page_writes"]
        .into_iter()
        .fold(ClusterOptions::default(), |o, name| o.set(name, "off"));
    let cluster = Cluster::start(&options.set("autovacuum", "off"));
    let url = cluster.create_database("data");
    SqlStore::open(&url, Migrate::Run).await.unwrap();
    let began = std::time::Instant::now();
    cluster.psql("data", FILL).unwrap();
    println!("filled in {:?}", began.elapsed());
    let mut faults = Vec::new();
    for often in OFTEN {
        let began = std::time::Instant::now();
        let mut plans = plans(&cluster, often);
        println!("{}: {:?}", often.name, began.elapsed());
        assert_eq!(plans.len(), 2, "{}", often.name);
        if OF_VALUES.contains(&often.name) {
            plans.truncate(1);
        }
        for plan in plans {
            faults.extend(fault(often, &plan).map(|fault| format!("{}: {fault}\n{plan}", often.name)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
