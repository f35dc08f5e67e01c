//! Backup, loss and restore with the real program: from either kind of database onto either, while it is at work; what the next pass
//! writes; and files that must not be restored.

use std::fs;
use std::path::{Path, PathBuf};

use calsync_core::ports::Store;
use calsync_testbed::postgres::Database;
use serde_json::json;

use crate::channels::seed;

use crate::place::{PATIENCE, Place, Serving};
use crate::world::{ADA, SOON, World, hour};

/// Everything of the database is gone.
fn destroy(place: &Place) {
    for end in ["", "-wal", "-shm"] {
        let mut name = place.database().into_os_string();
        name.push(end);
        let _ = fs::remove_file(name);
    }
}

async fn stopped(serving: &mut Serving) {
    serving.ask_to_stop();
    assert!(serving.ended(PATIENCE).await.success());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A place with somebody in it, a key, and a backup of it.
async fn backed_up() -> (Place, PathBuf) {
    let place = Place::new();
    seed(&place, 3).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    // The first to work with the key keeps this installation's identity, sealed.
    place.run(&["plan"]);
    let file = place.path("a.backup");
    place.run(&["backup", text(&file)]).expect(0);
    (place, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_while_it_worked_is_restored_anywhere_and_the_next_pass_writes_nothing() {
    let (mut world, main, work) = World::with_ada(95).await;
    let key = text(&world.place.path("calendar-sync.key")).to_owned();
    world.place.set("SECRETS__KEY_FILE", key);
    world.place.make_public();
    let mut serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    for n in 0..5 {
        world.make(&main, hour("Interview", 24 + 2 * n));
    }
    world.wait_for_blocks(&work, 5, SOON).await;
    let (one, two) = (world.place.path("one.backup"), world.place.path("two.backup"));
    let told = world.place.run(&["backup", text(&one), "--json"]).expect(0).json();
    assert!(told["rows"].as_u64().unwrap() > 20, "{told}");
    // What came later is not in it; after a restore it is found in the calendars.
    world.make(&main, hour("Dentist", 48));
    world.wait_for_blocks(&work, 6, SOON).await;
    stopped(&mut serving).await;
    destroy(&world.place);
    world.place.run(&["restore", text(&one), "--check"]).expect(0);
    let told = world.place.run(&["restore", text(&one), "--json"]).expect(0).json();
    assert_eq!(told["restored"], true, "{told}");
    let proven = world.place.look(async |store| {
        let user = store.users().await.unwrap()[0].id;
        let state = store.user_state(user).await.unwrap().unwrap();
        state.calendars.iter().filter(|c| c.last_full_sync.is_some() || !c.full_due).count()
    });
    assert_eq!(proven.await, 0, "each is read to its end before anything is planned");
    let writes = world.writes();
    // Somebody looks at the source alone: the block that was made since stands in the other calendar, which nobody has read yet.
    let id = world.id_of(&main);
    world.place.run(&["sync-calendars", "--mode", "full", "--calendar", &id]).expect(0);
    let mut serving = world.place.serve().await;
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    // Nothing is written again, and what came since is taken over.
    let nothing: [&str; 0] = [];
    assert_eq!(world.written_since(writes), nothing, "onto SQLite");
    assert_eq!(world.blocks(&work).len(), 6);
    // And from there to a server, and back from the server's own backup.
    world.place.run(&["backup", text(&two)]).expect(0);
    stopped(&mut serving).await;
    destroy(&world.place);
    let database = Database::shared();
    world.place.run(&["restore", text(&two), "--to", database.url()]).expect(0);
    world.place.set("DATABASE__URL", database.url());
    let mut serving = world.place.serve().await;
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(world.written_since(writes), nothing, "onto PostgreSQL");
    let three = world.place.path("three.backup");
    world.place.run(&["backup", text(&three)]).expect(0);
    stopped(&mut serving).await;
    let file = world.place.database();
    world.place.move_database(&file);
    world.place.run(&["restore", text(&three)]).expect(0);
    let _serving = world.place.serve().await;
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(world.written_since(writes), nothing, "from PostgreSQL onto SQLite");
    world.plan_is_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_the_calendars_themselves_tell_what_was_written() {
    let (world, main, work) = World::with_ada(96).await;
    let place = &world.place;
    let mut serving = place.serve().await;
    for n in 0..5 {
        world.make(&main, hour("Interview", 24 + 2 * n));
    }
    world.wait_for_blocks(&work, 5, SOON).await;
    stopped(&mut serving).await;
    let writes = world.writes();
    destroy(place);
    place.run(&["migrate"]).expect(0);
    world.sign_in(ADA).await;
    let found = place.run(&["rebuild", "--dry-run", "--json"]).expect(0).json();
    assert_eq!((&found["done"], &found["users"][0]["known"]), (&json!(false), &json!(5)), "{found}");
    place.run(&["rebuild", "--yes"]).expect(0);
    let again = place.run(&["rebuild", "--yes", "--json"]).expect(0).json();
    assert_eq!(again["users"][0]["calendars"], json!([]), "{again}");
    let _serving = place.serve().await;
    place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(world.written_since(writes), [""; 0], "nothing is written again");
    assert_eq!(world.blocks(&work).len(), 5);
}

#[tokio::test]
async fn a_backup_is_private_whole_and_overwrites_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let (place, file) = backed_up().await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    place.run(&["backup", text(&file)]).expect(2).says(&["already"]);
    let around: Vec<_> = fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("a.backup"))
        .collect();
    assert_eq!(around, ["a.backup"], "no draft and no log is left beside it");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    place.run(&["restore", text(&file), "--check"]).expect(0);
    assert_eq!(fs::read(&file).unwrap(), before, "reading it changes nothing");
    place.run(&["restore", text(&file)]).expect(1).says(&["in use", "Nothing was changed"]);
    place.run(&["backup", text(&place.path("no/such/place"))]).expect(2).says(&["does not exist"]);
    place.run(&["restore", text(&place.path("none"))]).expect(6).says(&["there is no file"]);
    // A draft that a power cut left is no backup, and in nobody's way.
    fs::write(place.path("b.backup.part"), b"half").unwrap();
    place.run(&["backup", text(&place.path("b.backup"))]).expect(0);
    assert!(!place.path("b.backup.part").exists());
}

#[tokio::test]
async fn what_is_damaged_or_does_not_fit_is_refused_and_changes_nothing() {
    let (place, file) = backed_up().await;
    let whole = fs::read(&file).unwrap();
    let refused = |name: &str, bytes: &[u8], words: &[&str]| {
        let bad = place.path(name);
        fs::write(&bad, bytes).unwrap();
        destroy(&place);
        let ran = place.run(&["restore", text(&bad)]);
        assert_ne!(ran.code, 0, "{name}");
        ran.says(words);
        assert!(!place.database().exists(), "{name}: nothing was made");
    };
    refused("cut", &whole[..whole.len() / 2], &["damaged or cut off"]);
    refused("cut-early", &whole[..300], &["damaged or cut off"]);
    refused("no-database", b"Dear diary", &["damaged or cut off"]);
    let mut flipped = whole.clone();
    let at = find(&flipped, b"ada@example.com");
    flipped[at] ^= 1;
    refused("flipped", &flipped, &["it is damaged: users is not what was backed up"]);
    // Another key: what is sealed would open for nobody.
    place.run(&["secrets", "generate", "--out", "other.key"]).expect(0);
    fs::rename(place.path("calendar-sync.key"), place.path("right.key")).unwrap();
    fs::rename(place.path("other.key"), place.path("calendar-sync.key")).unwrap();
    destroy(&place);
    place
        .run(&["restore", text(&file)])
        .expect(3)
        .says(&["these keys do not open it", "Nothing was changed"]);
    assert!(!place.database().exists());
    fs::rename(place.path("right.key"), place.path("calendar-sync.key")).unwrap();
    // A newer program's, and a database that is no backup.
    let newer = place.path("newer");
    fs::copy(&file, &newer).unwrap();
    sqlite(&newer, "INSERT INTO schema_version (version, name, oldest) VALUES (99, 'later', 99)");
    place.run(&["restore", text(&newer)]).expect(4).says(&["newer calendar-sync", "schema 99"]);
    place.run(&["restore", text(&file)]).expect(0);
    let database = place.path("live.db");
    fs::copy(place.database(), &database).unwrap();
    destroy(&place);
    place.run(&["restore", text(&database)]).expect(1).says(&["no backup", "db copy"]);
}

fn find(all: &[u8], wanted: &[u8]) -> usize {
    all.windows(wanted.len()).position(|window| window == wanted).expect("it is in there")
}

fn sqlite(file: &Path, sql: &str) {
    let done = std::process::Command::new("sqlite3").arg(file).arg(sql).status().unwrap();
    assert!(done.success());
}
