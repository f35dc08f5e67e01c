//! `doctor`: every finding with its remedy, exit 0 only when nothing failed, and nothing is changed by looking. And what
//! `serve` says of its public address at the start.

use std::io::{Read as _, Write as _};

use calsync_core::ports::Store;
use serde_json::Value;

use crate::place::{PATIENCE, Place, free_listener, until};
use crate::web::get;
use crate::world::World;

/// The findings of this name.
pub(crate) fn found<'a>(all: &'a Value, name: &str) -> Vec<&'a Value> {
    all["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name).collect()
}

/// There is a finding of this name with this outcome, whose words hold these.
#[track_caller]
pub(crate) fn has(all: &Value, name: &str, outcome: &str, words: &str) {
    let fits = |check: &&Value| {
        let text = format!("{} {}", check["detail"], check["remedy"]);
        check["outcome"] == outcome && text.contains(words)
    };
    assert!(found(all, name).iter().any(fits), "no {name} that is {outcome} with {words:?} in {all:#}");
}

fn doctor(place: &Place, code: i32) -> Value {
    place.run(&["doctor", "--json"]).expect(code).json()
}

#[tokio::test]
async fn looking_changes_nothing_and_says_what_is_missing() {
    let mut place = Place::new();
    let none = doctor(&place, 1);
    has(&none, "database", "failed", "calendar-sync migrate");
    has(&none, "sealing key", "skipped", "could not be opened");
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 0, "no database, no key, no trial file");
    place.run(&["migrate"]).expect(0);
    let before = std::fs::read(place.database()).unwrap();
    let fresh = doctor(&place, 0);
    assert_eq!((&fresh["ok"], &fresh["failed"]), (&true.into(), &0.into()), "{fresh:#}");
    has(&fresh, "database", "ok", "schema is current");
    has(&fresh, "directory", "ok", "can be written");
    has(&fresh, "sealing key", "warning", "secrets generate");
    has(&fresh, "redis", "skipped", "redis.url is not set");
    has(&fresh, "providers", "warning", "no account can be connected");
    has(&fresh, "public address", "warning", "server.public_url is not set");
    assert!(!place.path("calendar-sync.key").exists() && std::fs::read(place.database()).unwrap() == before);
    let identity = place.look(async |store| store.setting("identity").await.unwrap()).await;
    assert_eq!(identity, None, "the first serve makes it");
    let text = place.run(&["doctor"]).expect(0).out;
    assert!(text.contains("warning  public address") && text.contains("→ set server.public_url"), "{text}");
    assert!(text.contains("nothing failed; 3 to look at"), "{text}");
    // A directory that is not there, and a Redis that nobody started.
    place.set("REDIS__URL", format!("redis://{}", place.address));
    has(&doctor(&place, 1), "redis", "failed", "start Redis");
    place.set("DATABASE__URL", "sqlite:///nonexistent/place/x.db");
    let nowhere = doctor(&place, 1);
    has(&nowhere, "directory", "failed", "chown");
    has(&nowhere, "database", "failed", "make the directory");
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_first_finding() {
    let mut place = Place::new();
    place.set("SYNC__WORKERS", 0);
    place.set("SERVER__PUBLIC_URL", "http://sync.example.com");
    let all = doctor(&place, 1);
    has(&all, "configuration", "failed", "sync.workers");
    has(&all, "configuration", "failed", "server.public_url");
    has(&all, "the rest", "skipped", "2 in the configuration first");
}

#[tokio::test]
async fn the_public_address_is_tried_from_outside() {
    let mut place = Place::new();
    place.make_public();
    place.run(&["migrate"]).expect(0);
    let unserved = doctor(&place, 1);
    has(&unserved, "public address", "warning", "providers push to https alone");
    has(&unserved, "reachable", "failed", "calendar-sync serve");
    let mut serving = place.serve().await;
    // It listens before it has a key: only an answer tells that it is complete.
    assert_eq!(get(&place.url("/webhooks/health")).await.status, 200);
    let served = doctor(&place, 0);
    has(&served, "reachable", "ok", "healthy");
    has(&served, "sealing key", "ok", "opens all that is sealed (1)");
    let log = serving.log();
    assert!(log.contains("providers push to https alone"), "{log}");
    serving.ask_to_stop();
    serving.ended(PATIENCE).await;
    // Somebody else stands there.
    let listener = std::net::TcpListener::bind(place.address).unwrap();
    let stranger = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]);
        let page = "<h1>Welcome to nginx!</h1>";
        let _ = write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    });
    has(&doctor(&place, 1), "reachable", "failed", "something else stands");
    stranger.join().unwrap();
    // By https nobody answers who speaks it.
    let deaf = free_listener();
    place.set("SERVER__PUBLIC_URL", format!("https://{}", deaf.local_addr().unwrap()));
    let deaf = std::thread::spawn(move || drop(deaf.accept()));
    let all = doctor(&place, 1);
    has(&all, "public address", "ok", "https://");
    has(&all, "proxy", "warning", "server.trusted_proxies");
    assert_eq!(found(&all, "reachable")[0]["outcome"], "failed", "{all:#}");
    deaf.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_that_is_well_passes_and_the_wrong_key_does_not() {
    let (mut world, _, _) = World::with_ada(60).await;
    world.place.make_public();
    let serving = world.place.serve().await;
    assert_eq!(get(&world.place.url("/webhooks/health")).await.status, 200);
    let all = doctor(&world.place, 0);
    for name in ["google", "microsoft"] {
        has(&all, &format!("{name} client"), "ok", "callback");
        has(&all, name, "ok", "answers");
    }
    has(&all, "clock", "ok", "agrees with");
    has(&all, "handshake", "ok", "comes back");
    has(&all, "sealing key", "ok", "opens all that is sealed");
    let outcomes = |all: &Value, outcome: &str| {
        let checks = all["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["outcome"] == outcome).cloned().collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&all, "warning").len(), 1, "only that it is no https: {all:#}");
    // The log says the same of each provider that pushes, by itself.
    for provider in ["google", "microsoft"] {
        until(provider, PATIENCE, async || {
            let said = |line: &str| line.contains("can be reached") && line.contains(provider);
            serving.log().lines().any(said).then_some(())
        })
        .await;
    }
    std::fs::remove_file(world.place.path("calendar-sync.key")).unwrap();
    has(&doctor(&world.place, 1), "sealing key", "failed", "from its backup");
    world.place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    has(&doctor(&world.place, 1), "sealing key", "failed", "cannot be opened");
}
