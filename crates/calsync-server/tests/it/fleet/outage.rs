//! A database server that is not there: at the start, in the middle, and a key that is another one's. What is told, and
//! that everything comes back by itself.

use std::time::{Duration, Instant};

use calsync_server::secrets::SealingKey;
use calsync_server::system::SystemRandom;
use calsync_testbed::postgres::{Cluster, ClusterOptions, Database, Mode};

use super::bed::rest;
use crate::channels::{numbers, seed};
use crate::place::{PATIENCE, Place, until};
use crate::web::get;

/// A password that must never be seen.
const PASSWORD: &str = "hunter2-and-more";

/// A place on this database, with a key of its own.
fn keyed(url: &str) -> Place {
    let mut place = Place::on(url);
    place.set("SECRETS__KEY", SealingKey::generate(&SystemRandom).expose());
    place
}

async fn health_is(place: &Place, status: u16, word: &str) {
    until(&format!("health is {word}"), PATIENCE, async || {
        let answer = get(&place.url("/webhooks/health/")).await;
        (answer.status == status && answer.json()["status"] == word).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_gone_receipts_wait_outside_and_everything_comes_back_by_itself() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let place = keyed(&cluster.create_database("sync"));
    let channel = seed(&place, 1).await.remove(0);
    let serving = place.serve().await;
    health_is(&place, 200, "healthy").await;
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
    for (mode, number) in [(Mode::Fast, 10), (Mode::Immediate, 20)] {
        cluster.stop(mode);
        let began = Instant::now();
        let refused = channel.delivery(number).post(&place).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"), "{refused:?}");
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        health_is(&place, 503, "critical").await;
        cluster.start_again();
        let back = Instant::now();
        until("receipts are taken again", PATIENCE, async || {
            (channel.delivery(number).post(&place).await.status == 200).then_some(())
        })
        .await;
        health_is(&place, 200, "healthy").await;
        println!("after {mode:?}: back {:?} after the database", back.elapsed());
    }
    assert_eq!(numbers(&place, &channel).await, [2, 10, 20]);
    assert!(!serving.log().contains("panick"), "{}", serving.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_before_its_database_it_waits_for_it() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let place = keyed(&cluster.create_database("sync"));
    cluster.stop(Mode::Fast);
    let mut serving = place.start(place.command(&["serve"]));
    rest(2_500).await;
    assert!(serving.child.try_wait().unwrap().is_none(), "{}", serving.log());
    assert!(serving.log().contains("waiting for the database"), "{}", serving.log());
    cluster.start_again();
    until("it serves", PATIENCE, async || serving.log().contains("calendar-sync serves").then_some(())).await;
    health_is(&place, 200, "healthy").await;
}

#[test]
fn without_a_database_server_it_ends_with_the_code_of_the_database_and_words() {
    let place = keyed(&format!("postgres://sync:{PASSWORD}@127.0.0.1:1/sync"));
    for args in [&["users", "list"][..], &["migrate"], &["serve"]] {
        let began = Instant::now();
        let refused = place.run(args).expect(4).says(&["can't be reached", "database.url"]);
        let most = Duration::from_secs(if args == ["serve"] { 40 } else { 10 });
        assert!(began.elapsed() < most, "{args:?}: {:?}", began.elapsed());
        let all = format!("{}{}", refused.out, refused.err);
        assert!(!all.contains(PASSWORD), "{all}");
        assert_eq!(all.contains("waiting for the database"), args == ["serve"], "{all}");
    }
    let shown = place.run(&["config", "show"]).expect(0).out;
    assert!(shown.contains("postgres://[secret]@127.0.0.1:1/sync") && !shown.contains(PASSWORD), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_with_another_key_or_none_is_told_so() {
    let database = Database::shared();
    let first = keyed(database.url());
    let _serving = first.serve().await;
    health_is(&first, 200, "healthy").await;
    keyed(database.url()).run(&["serve"]).expect(3).says(&["every instance needs the same secrets.key"]);
    let none = Place::on(database.url());
    none.run(&["serve"]).expect(3).says(&["no sealing key", "the other instances have", "secrets.key_file"]);
    assert!(!none.path("calendar-sync.key").exists(), "none was made");
    // Where nothing was sealed yet, none is made either: it would be gone with its container.
    let empty = Database::shared();
    let none = Place::on(empty.url());
    none.run(&["serve"]).expect(3).says(&["every instance on postgres://", "secrets generate"]);
    none.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let _second = none.serve().await;
    health_is(&none, 200, "healthy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_does_not_migrate_needs_no_more_than_to_read_and_write() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let owner = keyed(&cluster.create_database("sync"));
    let channel = seed(&owner, 1).await.remove(0);
    let rights = format!(
        "CREATE ROLE modest LOGIN PASSWORD '{PASSWORD}'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO modest"
    );
    cluster.psql("sync", &rights).unwrap();
    let mut place = keyed(&cluster.url_with("modest", Some(PASSWORD), "sync", &[]));
    place.set("LOG__LEVEL", "debug");
    let mut serving = place.serve().await;
    health_is(&place, 200, "healthy").await;
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
    place.run(&["users", "add", "grace@example.org"]).expect(0);
    place.run(&["sync-calendars", "--mode", "full"]);
    place.run(&["migrate"]).expect(0);
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    let log = serving.log();
    assert!(!log.contains("lacks the right") && !log.contains("denied") && !log.contains(PASSWORD), "{log}");
}
