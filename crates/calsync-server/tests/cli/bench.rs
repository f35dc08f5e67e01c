//! The measurements, as short as they can be: they run, they are sound, and nothing is left behind. No figure is judged.

use std::path::Path;

use calsync_testbed::postgres::Database;

use crate::{run, run_with};

/// Databases that a measurement of a process that is gone has left behind.
fn left_behind(database: &Database) -> Vec<String> {
    let names = database
        .psql("SELECT datname FROM pg_database WHERE datname LIKE 'calsync_bench_%'")
        .expect("it is a server");
    let is_gone = |name: &&str| {
        let process = name.trim_start_matches("calsync_bench_");
        !Path::new("/proc").join(process).exists()
    };
    names.lines().filter(is_gone).map(str::to_owned).collect()
}

#[test]
fn receipt_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("TMPDIR", dir.path().to_str().unwrap())];
    let options = ["bench", "receipt", "--seconds", "0.2", "--connections", "2,8", "--rounds", "1", "--json"];
    let report = run_with(dir.path(), &env, &options).expect(0).json();
    let lines = report["receipt"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(line["stored"].as_u64().unwrap() > 0 && line["acknowledged"] == line["stored"], "{line}");
        assert_eq!(line["errors"], 0, "{line}");
        assert!(line["to_ceiling"].as_f64().unwrap() > 0.0, "{line}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "everything was removed");
    for wrong in [["--seconds", "0"], ["--seconds", "61"], ["--connections", "0"], ["--rounds", "0"]] {
        run(dir.path(), &["bench", "receipt", wrong[0], wrong[1]]).expect(2);
    }
}

#[test]
fn receipt_into_postgresql_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::shared();
    let env = [("TMPDIR", dir.path().to_str().unwrap())];
    let place = ["bench", "receipt", "--database", database.url(), "--json"];
    let sizes = ["--seconds", "0.2", "--connections", "2,64", "--rounds", "1"];
    let report = run_with(dir.path(), &env, &[&place[..], &sizes[..]].concat()).expect(0).json();
    assert_eq!(report["remarks"], serde_json::json!([]), "pgbench comes with the server");
    for line in report["receipt"].as_array().unwrap() {
        assert!(line["stored"].as_u64().unwrap() > 0 && line["acknowledged"] == line["stored"], "{line}");
        assert!(line["to_pgbench_best"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["server_cpu_us"].as_f64().is_some(), "the server runs here: {line}");
    }
    assert_eq!(report["verdicts"].as_array().unwrap().len(), 3, "those of 64 connections: {report}");
    assert_eq!(left_behind(&database), Vec::<String>::new());
    assert_eq!(
        database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap().trim(),
        "0"
    );
}

#[test]
fn a_plan_that_was_carried_out_finds_nothing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["bench", "plan", "--events", "200", "--targets", "2", "--rounds", "1", "--json"];
    let report = run(dir.path(), &options).expect(0).json();
    assert!(report["occurrences"].as_u64().unwrap() > 200, "series count each time: {report}");
}

#[test]
fn push_takes_fewer_calls_than_polling_and_a_day_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["bench", "calls", "--people", "7", "--changes", "4", "--json"];
    let report = run(dir.path(), &options).expect(0).json();
    assert_eq!((&report["changes"], &report["calendars"]), (&28.into(), &21.into()));
    assert!(report["calls"].as_u64().unwrap() < report["polling_calls"].as_u64().unwrap(), "{report}");
    assert!(report["calls_to_least"].as_f64().unwrap() >= 1.0, "less than the least: {report}");
    assert_eq!(run(dir.path(), &options).expect(0).json(), report);
}

#[test]
fn a_service_of_its_own_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("TMPDIR", dir.path().to_str().unwrap())];
    let options = ["bench", "memory", "--calendars", "8", "--events", "3", "--notifications", "20", "--json"];
    let report = run_with(dir.path(), &env, &options).expect(0).json();
    assert_eq!(report["served"], 20);
    assert!(report["full"]["peak"].as_u64().unwrap() > 1_000, "{report}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "everything was removed");
}
