//! Moving house with the real program: from a file to a server and back, killed and asked to stop in the middle, and
//! what people get wrong.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use calsync_core::ports::{NextDue, PullApply, Store};
use calsync_core::time::Ts;
use calsync_testbed::postgres::Database;
use serde_json::Value;

use crate::channels::{now, seed};
use crate::place::{PROGRAM, Place};

/// Events of one calendar: many pages.
const EVENTS: usize = 12_000;

/// A place with one user, some calendars and channels.
async fn settled() -> Place {
    let place = Place::new();
    seed(&place, 3).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    place
}

/// And a calendar in which so much happens that a copy takes its time.
async fn busy() -> Place {
    let place = settled().await;
    place
        .look(async |store| {
            let user = store.users().await.unwrap().remove(0).id;
            let calendar = store.user_state(user).await.unwrap().unwrap().calendars[0].clone();
            let lease = store.claim_user(user, "seed", now(), Ts::MAX).await.unwrap().unwrap().lease;
            let event = |n: usize| calsync_core::event::Event {
                id: format!("event-{n}").as_str().into(),
                version: None,
                updated: None,
                ical_uid: Some(format!("{n}@example.com")),
                when: None,
                series: calsync_core::event::Series::Single,
                status: calsync_core::event::Status::Confirmed,
                show_as: calsync_core::event::ShowAs::Busy,
                response: None,
                kind: calsync_core::event::EventKind::Default,
                text: None,
            };
            let pull = PullApply {
                calendar: calendar.id,
                events: (0..EVENTS).map(event).collect(),
                events_gone: Vec::new(),
                blocks: Vec::new(),
                blocks_gone: Vec::new(),
                shown: Vec::new(),
                cursor: None,
                full: None,
                cursor_losses: None,
                time_zone: None,
                targets: Vec::new(),
                at: now(),
            };
            store.apply_pull(&lease, &pull).await.unwrap();
            store.release(&lease, &[] as &[NextDue]).await.unwrap();
        })
        .await;
    place
}

fn from(place: &Place) -> String {
    format!("sqlite://{}", place.database().display())
}

fn rows_of(report: &Value, table: &str) -> (u64, u64) {
    let found = report["tables"].as_array().unwrap().iter().find(|row| row["table"] == table).unwrap();
    assert_eq!(found["agrees"], true, "{found}");
    assert_eq!(found["source"], found["target"]);
    (found["source"]["rows"].as_u64().unwrap(), found["target"]["rows"].as_u64().unwrap())
}

/// Starts a copy, ends it by this signal as soon as it copies events, and gives back what it said and its status.
fn broken_off(place: &Place, to: &str, signal: &str) -> (String, std::process::ExitStatus) {
    let source = from(place);
    let mut command = place.command(&["db", "copy", "--from", &source, "--to", to]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    for line in lines.by_ref() {
        said.push_str(&line);
        said.push('\n');
        if line.contains("copying mirror_events") {
            let pid = child.id().to_string();
            assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
            break;
        }
    }
    for line in lines {
        said.push_str(&line);
        said.push('\n');
    }
    (said, child.wait().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_stopped_it_goes_on_and_ends_with_everything_there() {
    let (place, database) = (busy().await, Database::shared());
    let (source, to) = (from(&place), database.url());
    let copy = ["db", "copy", "--from", &source, "--to", to];

    let foretold = place.run(&[&copy[..], &["--dry-run", "--json"]].concat()).expect(0).json();
    assert_eq!((&foretold["outcome"], &foretold["target"]), (&"would_copy".into(), &"empty".into()));
    let tables = database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap();
    assert_eq!(tables.trim(), "0", "looking makes nothing");

    let (said, status) = broken_off(&place, to, "-KILL");
    assert_eq!(status.signal(), Some(9), "{said}");
    let half = place.run(&[&copy[..], &["--dry-run", "--json"]].concat()).expect(0).json();
    assert_eq!(half["target"], "unfinished");
    let mut served = Place::new();
    served.set("DATABASE__URL", to);
    served.run(&["users", "list"]).expect(4).says(&["not finished", "calendar-sync db copy"]);

    let (said, status) = broken_off(&place, to, "-INT");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("it was stopped") && said.contains("the same command goes on"), "{said}");

    let done = place.run(&[&copy[..], &["--json"]].concat()).expect(0);
    assert_eq!(done.err, "", "no progress for programs");
    let report = done.json();
    assert_eq!((&report["outcome"], &report["agrees"]), (&"copied".into(), &true.into()));
    assert_eq!(rows_of(&report, "mirror_events"), (EVENTS as u64, EVENTS as u64));
    assert_eq!(rows_of(&report, "calendars").0, 3);
    let (now_copied, before) =
        (report["rows_copied"].as_u64().unwrap(), report["rows_before"].as_u64().unwrap());
    println!("{before} rows before, {now_copied} in the last try");
    assert!(before > 500 && now_copied > 500, "{before} and {now_copied}: the moments are badly chosen");
    assert_eq!(now_copied + before, foretold["rows"].as_u64().unwrap());

    // Again: it says so and changes nothing.
    let again = place.run(&copy).expect(0);
    assert!(
        again.out.contains("finished copy") && again.out.contains("nothing was changed"),
        "{}",
        again.out
    );
    // The program works there, with the same key, and no URL with a password was shown.
    let key = std::fs::read_to_string(place.path("calendar-sync.key")).unwrap();
    served.set("SECRETS__KEY", key.trim());
    let users = served.run(&["users", "list"]).expect(0).out;
    assert_eq!(users, place.run(&["users", "list"]).expect(0).out);
    // And back into a file, which is its owner's alone; the URL comes from a file.
    std::fs::write(place.path("url"), format!("{to}\n")).unwrap();
    let file = format!("sqlite://{}", place.path("back.db").display());
    let back = place.run(&["db", "copy", "--from", "@url", "--to", &file]).expect(0);
    for words in [
        "TABLE",
        "ROWS THERE",
        "mirror_events",
        "the same",
        "the same sealing key",
        "never start it on the old",
    ] {
        assert!(back.out.contains(words), "{words:?} in {}", back.out);
    }
    assert!(!back.out.contains("DIFFERS"), "{}", back.out);
    assert!(back.err.contains("copying users") && back.err.contains("comparing leases"), "{}", back.err);
    assert!(!format!("{}{}", back.out, back.err).contains("not%20a%20secret"), "{}", back.out);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(place.path("back.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_with_space_it_goes_on() {
    let place = busy().await;
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=3m,mode=0777 tmpfs {0} || exit 77\n\
         copy() {{ {PROGRAM} db copy --from '{1}' --to sqlite://{0}/new.db; }}\n\
         copy; echo first $?; mount -o remount,size=64m {0}; copy; echo second $?",
        disk.display(),
        from(&place)
    );
    let mut command = place.command_of(std::path::Path::new("unshare"), &["-rm", "sh", "-c", &script]);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let ran = crate::place::finish(command);
    if ran.code == 77 || ran.err.starts_with("unshare") {
        return println!("no disk can be made small here: {}", ran.err);
    }
    let ran = ran.expect(0).says(&["the target", "the disk is full", "the same command goes on"]);
    assert!(ran.out.starts_with("first 4\n") && ran.out.ends_with("second 0\n"), "{}", ran.out);
    assert!(ran.out.contains("had been before"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_get_wrong_is_told_and_changes_nothing() {
    let place = settled().await;
    let source = from(&place);
    let copy = |from: &str, to: &str| place.run(&["db", "copy", "--from", from, "--to", to]);
    copy(&source, &source).expect(2).says(&["the same database"]);
    let twin = format!("sqlite:{}/./calendar-sync.db", place.dir.path().display());
    copy(&source, &twin).expect(2).says(&["the same database"]);
    copy("mysql://me:hunter2@h/x", "sqlite://x.db").expect(2).says(&["--from", "is not the URL"]);
    assert!(!copy("mysql://me:hunter2@h/x", "sqlite://x.db").err.contains("hunter2"));
    copy(&source, "x.db").expect(2).says(&["--to", "\"x.db\""]);
    copy(&source, "@nowhere").expect(2).says(&["--to", "nowhere"]);
    copy("sqlite://none.db", "sqlite://x.db").expect(4).says(&["there is no database at none.db"]);
    copy(&source, "sqlite:///nonexistent/x.db").expect(4).says(&["/nonexistent does not exist"]);
    copy(&source, "sqlite::memory:").expect(4).says(&["name a file"]);
    let closed = format!("postgres://127.0.0.1:{}/x", crate::place::free_address().port());
    copy(&source, &closed).expect(4).says(&["the target", "can't be reached"]);
    place.run(&["db", "copy", "--from", &source]).expect(2);
    assert!(!place.path("x.db").exists());

    // Somebody else lives there.
    let other = settled().await;
    copy(&source, &from(&other)).expect(1).says(&[
        "in use",
        "users of its own (1)",
        "name an empty database",
    ]);
    let error = place.run(&["db", "copy", "--json", "--from", &source, "--to", &from(&other)]).expect(1).err;
    let error: Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["error"]["code"], "failed");
    // And somebody is at work here.
    place
        .look(async |store| store.claim_lease("job:poll", "service", now(), Ts::MAX).await.unwrap().unwrap())
        .await;
    copy(&source, "sqlite://x.db").expect(1).says(&[
        "at work on the source",
        "job:poll",
        "stop every `calendar-sync serve`",
    ]);
}
