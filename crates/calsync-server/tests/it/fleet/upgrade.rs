//! A rolling upgrade, seen from the older version: the schema of the next one comes while it works, and several processes
//! bring an empty database up to date at once.

use std::process::Stdio;
use std::time::Duration;

use calsync_sim::cloud::names::CalendarId;
use calsync_testbed::postgres::Database;

use crate::channels::now;
use crate::place::{PATIENCE, Place, finish, free_address};
use crate::world::{ADA, SOON, World, calendar, hour};

/// What a next version that only adds does to a database (expand).
const EXPAND: &str = "BEGIN; \
    ALTER TABLE leases ADD COLUMN mood TEXT NOT NULL DEFAULT 'fair'; \
    ALTER TABLE calendars ADD COLUMN mood TEXT NOT NULL DEFAULT 'fair'; \
    ALTER TABLE webhook_notifications ADD COLUMN mood TEXT NOT NULL DEFAULT 'fair'; \
    CREATE TABLE moods (id UUID PRIMARY KEY, words TEXT NOT NULL); \
    INSERT INTO schema_version (version, name, oldest) \
    SELECT max(version) + 1, 'moods', max(version) FROM schema_version; COMMIT";
/// What a later one does that takes something away (contract): older programs are no longer let in.
const CONTRACT: &str = "INSERT INTO schema_version (version, name, oldest) \
    SELECT max(version) + 1, 'no old ones', max(version) + 1 FROM schema_version";

/// By psql, for this program knows no next version; in the way of `migrate`, which has tests of its own.
async fn expand(database: &Database) {
    let mut tries = 60;
    while let Err(error) = database.psql(&format!("SET lock_timeout = '400ms'; {EXPAND}")) {
        tries -= 1;
        assert!(tries > 0 && error.contains("lock timeout"), "{error}");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_of_the_next_version_comes_while_this_one_works() {
    let database = Database::shared();
    let mut place = Place::on(database.url());
    place.make_public();
    let world = World::around(place, 71).await;
    let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
    world.sim.cloud().with(|cloud| {
        let ada = cloud.add_person(ADA, "Ada", "Europe/Vienna", now()).unwrap();
        cloud.add_calendar(calendar(&work, "Work", &ada), now()).unwrap();
    });
    world.sign_in(ADA).await;
    world.enable_all();
    let mut serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    // Events come all the time; the schema changes among them.
    let mut made = 0;
    let mut make = |count: usize| {
        for _ in 0..count {
            world.make(&main, hour("Meeting", 24 + 2 * i64::try_from(made).unwrap()));
            made += 1;
        }
        made
    };
    make(5);
    expand(&database).await;
    let blocks = make(5);
    world.wait_for_blocks(&work, blocks, SOON).await;
    assert!(!serving.log().contains("ERROR"), "{}", serving.log());
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    // A restart of this version works, and so does every command of it.
    make(3);
    let serving = world.place.serve().await;
    let blocks = make(3);
    world.wait_for_blocks(&work, blocks, SOON).await;
    world.place.run(&["migrate"]).expect(0);
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    world.plan_is_empty();
    assert!(!serving.log().contains("ERROR"), "{}", serving.log());
    assert_eq!(database.psql("SELECT DISTINCT mood FROM webhook_notifications").unwrap(), "fair");
    // Then comes one that this version can't work with: nobody is let in any more, and is told why.
    database.psql(CONTRACT).unwrap();
    let known = calsync_store::SqlStore::schema_version();
    let found = format!("schema version {}", known + 2);
    let knows = format!("knows up to {known}");
    for args in [&["serve"][..], &["migrate"], &["users", "list"]] {
        let mut command = world.place.command(args);
        // The one that runs has the port, and goes on.
        command.env("CALENDAR_SYNC__SERVER__BIND", free_address().to_string());
        finish(command).expect(4).says(&[&found, &knows, "run a newer calendar-sync"]);
    }
    assert!(world.judge(&[(main, work)]).is_good());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_bring_an_empty_database_up_to_date_at_once() {
    for _ in 0..3 {
        let database = Database::shared();
        let place = Place::on(database.url());
        let all: Vec<_> = (0..3)
            .map(|_| {
                let mut command = place.command(&["migrate"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in all {
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            assert!(String::from_utf8_lossy(&ended.stdout).contains("is up to date"));
        }
        let versions = database.psql("SELECT count(*) FROM schema_version").unwrap();
        assert_eq!(versions, calsync_store::SqlStore::schema_version().to_string());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The same on a file: whenever it is cut off, there is the whole schema or none, and the next try makes it.
#[test]
fn a_migration_that_is_cut_off_at_any_moment_is_made_by_the_next_try() {
    let mut seen = std::collections::BTreeSet::new();
    for after in (0..60).step_by(4) {
        let place = Place::new();
        let mut migrating =
            place.command(&["migrate"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        migrating.kill().unwrap();
        seen.insert(migrating.wait().unwrap().success());
        // What looks at it finds nothing half-made.
        let found = place.run(&["doctor", "--json"]).json();
        let database =
            found["checks"].as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap();
        let told = format!("{} {}", database["detail"], database["remedy"]);
        assert!(
            told.contains("schema is current") || told.contains("calendar-sync migrate"),
            "{after} ms: {told}"
        );
        place.run(&["migrate"]).expect(0);
        crate::doctor::has(
            &place.run(&["doctor", "--json"]).expect(0).json(),
            "database",
            "ok",
            "schema is current",
        );
    }
    assert!(seen.contains(&false), "none was cut off");
}
