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

/// Once with a file and once with a server.
fn on_both(measure: impl Fn(&Path, &[&str])) {
    let dir = tempfile::tempdir().expect("a directory");
    measure(dir.path(), &[]);
    let database = Database::shared();
    measure(dir.path(), &["--database", database.url()]);
    assert_eq!(left_behind(&database), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0, "everything was removed");
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
    on_both(|dir, place| {
        let env = [("TMPDIR", dir.to_str().unwrap())];
        let sizes = ["--calendars", "8", "--events", "3", "--notifications", "20", "--json"];
        let report =
            run_with(dir, &env, &[&["bench", "memory"], place, &sizes[..]].concat()).expect(0).json();
        assert_eq!(report["served"], 20);
        assert!(report["full"]["peak"].as_u64().unwrap() > 1_000, "{report}");
    });
}

#[test]
fn what_is_told_of_a_large_installation_is_right() {
    on_both(|dir, place| {
        let env = [("TMPDIR", dir.to_str().unwrap())];
        let sizes = ["--subscriptions", "1000,2000", "--notifications", "3000", "--troubled", "10", "--json"];
        let report = run_with(dir, &env, &[&["bench", "scale"], place, &sizes[..]].concat()).expect(0).json();
        assert_eq!(report["right"], true, "{report}");
        let questions = report["sizes"][1]["questions"].as_array().unwrap();
        let told = |question: &str, figure: usize| {
            let line = questions.iter().find(|line| line["question"] == question).unwrap();
            line["compared"][figure]["told"].as_u64().unwrap()
        };
        // Ten of each kind of trouble; what has ended needs renewal too.
        assert_eq!((told("needing renewal", 0), told("silent", 0), told("failing", 0)), (20, 10, 10));
        assert_eq!((told("unwatched calendars", 0), told("retries that are due", 0)), (10, 10));
        assert_eq!(told("subscriptions in figures", 0), 2_000);
    });
}

#[test]
fn only_what_is_old_is_deleted_and_receipt_goes_on() {
    on_both(|dir, place| {
        let env = [("TMPDIR", dir.to_str().unwrap())];
        let sizes = ["--rows", "4000", "--batch", "500", "--seconds", "0.2", "--connections", "2", "--json"];
        let report = run_with(dir, &env, &[&["bench", "prune"], place, &sizes[..]].concat()).expect(0).json();
        // Nine of 36 hours stay.
        let deleted = report["deleted"]["rows"].as_u64().unwrap();
        assert!((2_950..=3_050).contains(&deleted), "{report}");
        assert_eq!(report["expected_rows"], report["counted_rows"]);
        assert!(report["meanwhile"]["acknowledged"].as_u64().unwrap() > 0, "{report}");
    });
}

#[test]
fn every_change_reaches_the_other_calendars_once() {
    on_both(|dir, place| {
        let env = [("TMPDIR", dir.to_str().unwrap())];
        let sizes = ["--people", "3", "--events", "2", "--rounds", "1", "--json"];
        let options = [&["bench", "processing"], place, &sizes[..]].concat();
        let report = run_with(dir, &env, &options).expect(0).json();
        // Two measurements, two other calendars.
        assert_eq!((&report["blocks"], &report["expected_blocks"]), (&12.into(), &12.into()));
        assert!(report["calls_per_change"].as_f64().unwrap() >= 3.0, "{report}");
    });
}
