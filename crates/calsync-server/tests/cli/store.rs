//! Commands on a database, from an empty directory on.

use std::os::unix::fs::PermissionsExt;

use crate::{run, run_with};

#[test]
fn without_a_database_a_command_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let lost = run(dir.path(), &["users", "list"]).expect(4);
    assert!(
        lost.err.contains("calendar-sync.db") && lost.err.contains("calendar-sync migrate"),
        "{}",
        lost.err
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "looking makes nothing");
    let env = [("DATABASE_URL", "sqlite:///nonexistent/x.db")];
    let nowhere = run_with(dir.path(), &env, &["migrate"]).expect(4);
    assert!(nowhere.err.contains("the directory /nonexistent does not exist"), "{}", nowhere.err);
    std::fs::write(
        dir.path().join("calendar-sync.db"),
        "this is no database, but a text of some length".repeat(50),
    )
    .unwrap();
    run(dir.path(), &["users", "list"]).expect(4);
    run(dir.path(), &["migrate"]).expect(4);
}

#[test]
fn users_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["migrate"]).expect(0);
    run(dir.path(), &["migrate"]).expect(0);
    let mode = std::fs::metadata(dir.path().join("calendar-sync.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a database is its owner's alone");
    assert!(run(dir.path(), &["users", "list"]).expect(0).out.contains("no users yet"));
    let added = run(dir.path(), &["users", "add", "Ada@Example.com", "--staff", "--json"]).expect(0).json();
    assert_eq!((&added["email"], &added["is_staff"]), (&"ada@example.com".into(), &true.into()));
    let twice = run(dir.path(), &["users", "add", "ada@example.com"]).expect(1);
    assert!(twice.err.contains("already"), "{}", twice.err);
    run(dir.path(), &["users", "add", "nobody"]).expect(2);
    let list = run(dir.path(), &["users", "list"]).expect(0).out;
    assert!(list.contains("ada@example.com") && list.contains("staff"), "{list}");

    run(dir.path(), &["users", "add", "bob@example.com"]).expect(0);
    let list = run(dir.path(), &["users", "list"]).expect(0).out;
    assert!(list.lines().any(|line| line.contains("bob@example.com") && line.contains("  user  ")), "{list}");
    run(dir.path(), &["users", "remove", "bob@example.com", "--yes"]).expect(0);
    let careful = run(dir.path(), &["users", "remove", "ada@example.com"]).expect(2);
    assert!(careful.err.contains("Nothing was changed") && careful.err.contains("--yes"), "{}", careful.err);
    let would = run(dir.path(), &["users", "remove", "ada@example.com", "--dry-run"]).expect(0).out;
    assert!(would.contains("0 accounts and 0 calendars"), "{would}");
    run(dir.path(), &["users", "remove", added["id"].as_str().unwrap(), "--yes"]).expect(0);
    run(dir.path(), &["users", "remove", "ada@example.com", "--yes"]).expect(6);
    assert_eq!(run(dir.path(), &["users", "list", "--json"]).expect(0).json(), serde_json::json!([]));
}

#[test]
fn empty_lists_are_lists_and_unknown_names_are_told() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["migrate"]).expect(0);
    for command in ["accounts", "calendars", "rules"] {
        assert_eq!(run(dir.path(), &[command, "list", "--json"]).expect(0).json(), serde_json::json!([]));
        assert!(run(dir.path(), &[command, "list"]).expect(0).out.starts_with("no "));
        run(dir.path(), &[command, "list", "--user", "nobody@example.com"]).expect(6);
    }
    run(dir.path(), &["calendars", "enable", "Work"]).expect(6);
    run(dir.path(), &["rules", "set", "Work", "Private"]).expect(6);
    run(dir.path(), &["rules", "remove", "01920000-0000-7000-8000-000000000000"]).expect(6);
}

#[test]
fn secrets_status_and_rotate_need_a_key_and_name_it() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["migrate"]).expect(0);
    let none = run(dir.path(), &["secrets", "status"]).expect(3);
    assert!(none.err.contains("calendar-sync.key") && none.err.contains("secrets generate"), "{}", none.err);
    let made =
        run(dir.path(), &["secrets", "generate", "--out", "calendar-sync.key", "--json"]).expect(0).json();
    let status = run(dir.path(), &["secrets", "status", "--json"]).expect(0).json();
    assert_eq!(status["current"], made["key_id"]);
    let rotated = run(dir.path(), &["secrets", "rotate", "--json"]).expect(0).json();
    assert_eq!((&rotated["resealed"], &rotated["failed"]), (&0.into(), &serde_json::json!([])));
}
