//! The measurements, as short as they can be: they run, they are sound, and nothing is left behind. No figure is judged.

use crate::{run, run_with};

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
