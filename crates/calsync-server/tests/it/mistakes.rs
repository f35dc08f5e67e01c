//! What people get wrong, and what they are told: each has its exit code and words that say what to do, and nothing is
//! lost by it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use calsync_server::secrets::SealingKey;
use calsync_server::system::SystemRandom;

use crate::channels::seed;
use crate::place::{PROGRAM, Place, finish};
use crate::world::World;

/// Somebody whom permissions bind: they do not bind root.
const NOBODY: u32 = 65_534;

/// A place with a database, a key, and a user in it.
fn settled() -> Place {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    place.run(&["users", "add", "ada@example.com"]).expect(0);
    place
}

fn chmod(place: &Place, name: &str, mode: u32) {
    std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether we are root. No file tells it better than one of our own.
fn is_root(place: &Place) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(place.dir.path()).unwrap().uid() == 0
}

/// The program as somebody whom permissions bind.
fn unprivileged(place: &Place, args: &[&str]) -> Command {
    if !is_root(place) {
        return place.command(args);
    }
    // It may stand where only root can go.
    let copy: PathBuf = place.path("the-program");
    if !copy.exists() {
        std::fs::copy(PROGRAM, &copy).unwrap();
        chmod(place, "the-program", 0o755);
    }
    let mut command = place.command_of(&copy, args);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// The same, where the place is to stay as it is: the program stands somewhere else.
fn unprivileged_elsewhere(place: &Place, elsewhere: &Path, args: &[&str]) -> Command {
    if !is_root(place) {
        return place.command(args);
    }
    let copy = elsewhere.join("the-program");
    std::fs::copy(PROGRAM, &copy).unwrap();
    for path in [elsewhere, &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = place.command_of(&copy, args);
    command.uid(NOBODY).gid(NOBODY);
    command
}

#[test]
fn a_result_that_can_not_be_written_is_a_failure() {
    let place = settled();
    for args in [&["secrets", "generate"][..], &["config", "docs"], &["users", "list"], &["--help"]] {
        let to = |device: &str| {
            let file = std::fs::File::options().write(true).open(device).unwrap();
            let mut child =
                place.command(args).stdout(file).stderr(std::process::Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said).unwrap();
            (child.wait().unwrap().code(), said)
        };
        let (code, said) = to("/dev/full");
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(said.contains("error: the result could not be written to standard output"), "{said}");
        assert_eq!(to("/dev/null").0, Some(0), "{args:?}");
    }
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let place = settled();
    place.sql("INSERT INTO schema_version VALUES (99, 'the future', 99)");
    let file = std::fs::read(place.database()).unwrap();
    for args in [&["serve"][..], &["migrate"], &["users", "list"], &["sync-calendars"]] {
        place.run(args).expect(4).says(&["schema version 99", "knows up to 1", "run a newer calendar-sync"]);
    }
    assert!(std::fs::read(place.database()).unwrap() == file, "not a byte of it was changed");
}

#[test]
fn a_newer_version_that_lets_this_one_go_on_does() {
    let place = settled();
    // What a version after this one would leave behind.
    place.sql(
        "ALTER TABLE calendars ADD COLUMN mood TEXT NOT NULL DEFAULT 'fair'; CREATE TABLE moods (id INTEGER); \
         INSERT INTO schema_version VALUES (2, 'moods', 1)",
    );
    place.run(&["migrate"]).expect(0);
    assert!(place.run(&["users", "list"]).expect(0).out.contains("ada@example.com"));
}

#[test]
fn a_read_only_database_is_told_and_untouched() {
    let place = settled();
    let before = std::fs::read(place.database()).unwrap();
    chmod(&place, "calendar-sync.key", 0o644);
    chmod(&place, "calendar-sync.db", 0o444);
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let ran = |args: &[&str]| finish(unprivileged(&place, args));
    if is_root(&place) {
        // The copy must be made while the directory can be written; root can.
        drop(unprivileged(&place, &[]));
    }
    for args in [&["serve"][..], &["users", "add", "grace@example.org"], &["migrate"]] {
        let refused = ran(args);
        // To bring it up to date there is nothing to write: either is well.
        if args != ["migrate"] || refused.code != 0 {
            refused.expect(4).says(&["the database", "write access"]);
        }
    }
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(std::fs::read(place.database()).unwrap() == before, "not a byte of it was changed");
    chmod(&place, "calendar-sync.db", 0o600);
    assert!(place.run(&["users", "list"]).expect(0).out.contains("ada@example.com"));
}

#[test]
fn where_no_database_is_or_can_be_made_the_same_sentence_says_so() {
    let place = Place::new();
    for args in [&["backup", "copy.db"][..], &["users", "list"]] {
        place.run(args).expect(4).says(&["there is no database at", "calendar-sync migrate"]);
    }
    chmod(&place, "", 0o555);
    let elsewhere = tempfile::tempdir().unwrap();
    for args in [&["serve"][..], &["migrate"]] {
        let ran = finish(unprivileged_elsewhere(&place, elsewhere.path(), args)).expect(4);
        let ran = ran.says(&["calendar-sync.db can't be made", "let the user who runs this write there"]);
        assert!(!ran.err.contains("code: 14"), "{}", ran.err);
    }
    chmod(&place, "", 0o755);
}

#[test]
fn a_key_file_that_cannot_be_read_is_told() {
    let place = settled();
    let key = std::fs::read(place.path("calendar-sync.key")).unwrap();
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    chmod(&place, "calendar-sync.db", 0o666);
    chmod(&place, "calendar-sync.key", 0o000);
    let words = ["the sealing key cannot be used", "calendar-sync.key", "permission"];
    finish(unprivileged(&place, &["serve"])).expect(3).says(&words);
    finish(unprivileged(&place, &["secrets", "status"])).expect(3).says(&words);
    chmod(&place, "calendar-sync.key", 0o600);
    assert!(std::fs::read(place.path("calendar-sync.key")).unwrap() == key);
    // Named in the configuration, the problem is the configuration's.
    let mut place = settled();
    place.set("SECRETS__KEY_FILE", "nowhere.key");
    place.run(&["serve"]).expect(3).says(&["secrets.key_file", "nowhere.key", "there is no such file"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_key_is_told_and_the_right_one_still_opens_everything() {
    let (world, _, _) = World::with_ada(30).await;
    let place = &world.place;
    let key = std::fs::read_to_string(place.path("calendar-sync.key")).unwrap();
    place.run(&["sync-calendars"]).expect(0);
    let wrong = SealingKey::generate(&SystemRandom).expose();
    std::fs::write(place.path("calendar-sync.key"), &wrong).unwrap();
    for args in [&["serve"][..], &["sync-calendars"], &["plan"]] {
        let refused = place.run(args).expect(3).says(&["identity", "secrets.previous_keys"]);
        assert!(!refused.err.contains(wrong.trim()) && !refused.err.contains(key.trim()));
    }
    let status = place.run(&["secrets", "status"]).expect(1);
    assert!(status.out.contains("cannot be opened"), "{}", status.out);
    // A rotation with the wrong key loses nothing either.
    place.run(&["secrets", "rotate"]).expect(1);
    std::fs::write(place.path("calendar-sync.key"), &key).unwrap();
    place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert!(place.run(&["secrets", "status"]).expect(0).out.contains("sealed with"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_gone_is_missed_and_not_replaced() {
    let (world, _, _) = World::with_ada(31).await;
    let place = &world.place;
    place.run(&["sync-calendars"]).expect(0);
    let key = std::fs::read(place.path("calendar-sync.key")).unwrap();
    std::fs::remove_file(place.path("calendar-sync.key")).unwrap();
    for args in [["serve", "--json"], ["sync-calendars", "--json"], ["serve", "--json"]] {
        place.run(&args).expect(3).says(&["no sealing key any more", "calendar-sync.key", "from its backup"]);
        assert!(
            !place.path("calendar-sync.key").exists(),
            "a new key would open nothing, and look like the lost one"
        );
    }
    std::fs::write(place.path("calendar-sync.key"), key).unwrap();
    place.run(&["sync-calendars"]).expect(0);
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_is_touched() {
    let place = Place::new();
    let _taken = std::net::TcpListener::bind(place.address).unwrap();
    let words = ["another program already listens", &place.address.to_string(), "server.bind"];
    place.run(&["serve"]).expect(3).says(&words);
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 0, "no database, no key");
    // The same from its own kind; the first goes on.
    let place = Place::new();
    let _serving = place.serve().await;
    place.run(&["serve"]).expect(3).says(&["another program already listens"]);
    assert_eq!(crate::web::get(&place.url("/webhooks/health")).await.status, 200);
}

#[tokio::test]
async fn a_rule_from_a_calendar_to_itself_is_refused() {
    let place = Place::new();
    let channels = seed(&place, 2).await;
    let [one, two] = [0, 1].map(|at| channels[at].calendar.to_string());
    let refused = place.run(&["rules", "set", &one, &one]).expect(1);
    let refused = refused.says(&["this rule cannot be", "itself"]);
    assert!(refused.out.is_empty());
    // Every problem of a rule is named at once.
    let bad = ["rules", "set", &one, &one, "--title", "Work: {title}"];
    let several = place.run(&bad).expect(1);
    assert!(several.err.lines().filter(|l| l.starts_with("  ")).count() >= 2, "{}", several.err);
    let long = "x".repeat(201);
    for (title, words) in [("{foo}", "{title} is the only"), ("  ", "needs a title"), (&long, "at most 200")]
    {
        place.run(&["rules", "set", &one, &two, "--title", title]).expect(1).says(&[words]);
    }
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    for nonsense in ["xyz", "2026-99-01T00:00:00Z", "2026-11-26T10:00"] {
        place.run(&["explain", nonsense]).expect(2).says(&["error: ", "such as 2026-11-24T14:00:00Z"]);
    }
    place.run(&["explain", "2026-11-24T14:00:00Z"]).expect(6).says(&["error: nothing that"]);
    let rules = place.run(&["rules", "list", "--json"]).expect(0).json();
    assert!(rules.as_array().unwrap().iter().all(|r| r["stored"] == false), "{rules}");
    place.run(&["rules", "set", &one, &two]).expect(0);
}

#[test]
fn five_mistakes_in_the_configuration_are_named_at_once() {
    let mut place = Place::new();
    let file = "[server]\nbind = \"nowhere\"\n\n[sync]\nworker = 3\npoll_seconds = 0\n\n[google]\nclient_id = \"me\"\n";
    std::fs::write(place.path("calendar-sync.toml"), file).unwrap();
    for args in [["config", "check"], ["users", "list"]] {
        // Without the place's own settings: the environment would win over the file.
        let mut command = Command::new(PROGRAM);
        command.current_dir(place.dir.path()).env_clear().args(args);
        command.env("CALENDAR_SYNC__SECRETS__KEY", "hunter2").env("CALENDAR_SYNC__LOG__LEVEL", "loud");
        let refused = finish(command).expect(3).says(&[
            "6 problems",
            "calendar-sync.toml:2: server.bind",
            "calendar-sync.toml:5: sync.worker: there is no such setting; did you mean sync.workers?",
            "calendar-sync.toml:6: sync.poll_seconds",
            "google.client_id",
            "secrets.key",
            "log.level",
        ]);
        assert!(!refused.err.contains("hunter2"));
    }
    place.set("SYNC__LEASE_SECONDS", 1);
    place.run(&["serve"]).expect(3).says(&["sync.lease_seconds", "from 2 to 3600"]);
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 1, "nothing was begun");
}
