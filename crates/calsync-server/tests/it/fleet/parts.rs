//! A service in parts, and commands beside it: each does its own, and hears at once of what the others made.

use std::time::{Duration, Instant};

use calsync_sim::cloud::names::CalendarId;
use calsync_testbed::postgres::{Bouncer, Cluster, ClusterOptions, Database};

use super::bed::rest;
use super::instance::Instance;
use crate::channels::{now, numbers, seed};
use crate::place::{PATIENCE, Place, free_address, until};
use crate::web::get;
use crate::world::{ADA, World, calendar, hour};

/// What hears of work hears of it within this time, on a machine with other things to do: the slow poll takes 30 s.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Ada with two calendars; connected, and neither is switched on.
async fn ada(place: Place, seed: u64) -> (World, CalendarId, CalendarId) {
    let world = World::around(place, seed).await;
    let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
    world.sim.cloud().with(|cloud| {
        let ada = cloud.add_person(ADA, "Ada", "Europe/Vienna", now()).unwrap();
        cloud.add_calendar(calendar(&work, "Work", &ada), now()).unwrap();
    });
    world.sign_in(ADA).await;
    (world, main, work)
}

async fn noticed(place: Place, seed: u64, what: &str) {
    let (world, main, work) = ada(place, seed).await;
    world.make(&main, hour("Dentist", 24));
    let _serving = world.place.serve().await;
    // It has looked at everything, found nothing to do, and rests.
    rest(3_000).await;
    world.enable_all();
    let began = Instant::now();
    world.wait_for_blocks(&work, 1, AT_ONCE).await;
    let enabled = began.elapsed();
    world.make(&main, hour("Hairdresser", 30));
    let id = world.id_of(&main);
    let began = Instant::now();
    // The command looks itself unless the service is faster; what it leaves is the service's.
    world.place.run(&["sync-calendars", "--mode", "polling-only", "--calendar", &id]).expect(0);
    world.wait_for_blocks(&work, 2, AT_ONCE).await;
    println!(
        "{what}: enabled and written {enabled:?} after the command, looked at {:?} after it began",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_beside_a_running_service_is_noticed_on_sqlite() {
    noticed(Place::new(), 61, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_beside_a_running_service_is_noticed_on_postgresql() {
    let database = Database::shared();
    noticed(Place::on(database.url()), 62, "PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_no_notifications_says_so_and_is_well() {
    let database = Database::shared();
    let mut place = Place::on(database.url());
    place.set("SECRETS__KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
    let channel = seed(&place, 1).await.remove(0);
    for roles in ["worker", "scheduler", "worker,scheduler"] {
        let mut process = Instance::new(place.address, roles);
        process.start(&place).await;
        until("it is well", PATIENCE, async || {
            let answer = get(&place.url("/webhooks/health/")).await;
            (answer.status == 200).then_some(())
        })
        .await;
        let refused = channel.delivery(7).post(&place).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"), "{refused:?}");
        assert_eq!(refused.header("retry-after"), Some("5"));
        assert_eq!(get(&place.url("/anything")).await.status, 404);
        process.stop().await;
    }
    assert_eq!(numbers(&place, &channel).await, [0_u64; 0]);
    place.run(&["serve", "--role", "cook"]).expect(2).says(&["web", "worker", "scheduler"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_parts_are_one_service() {
    let database = Database::shared();
    let mut place = Place::on(database.url());
    place.make_public();
    let at = place.address;
    let (world, main, work) = ada(place, 63).await;
    let mut web = Instance::new(at, "web");
    let mut worker = Instance::new(free_address(), "worker");
    let mut scheduler = Instance::new(free_address(), "scheduler");
    web.start(&world.place).await;
    scheduler.start(&world.place).await;
    world.enable_all();
    world.make(&main, hour("Dentist", 24));
    rest(2_000).await;
    assert_eq!(world.writes(), 0, "there is no worker");
    worker.start(&world.place).await;
    world.wait_for_blocks(&work, 1, PATIENCE).await;
    // The scheduler hears of calendars without a channel, opens them, and the web part takes what they send.
    world.wait_for_channels(2).await;
    for n in 0..5 {
        let began = Instant::now();
        world.make(&main, hour("Meeting", 30 + 2 * n));
        world.wait_for_blocks(&work, usize::try_from(n).unwrap() + 2, AT_ONCE).await;
        println!("from the event to its block in another part: {:?}", began.elapsed());
    }
    for part in [&mut web, &mut worker, &mut scheduler] {
        part.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_it_hears_nothing_and_works_all_the_same() {
    let cluster = Cluster::start(&ClusterOptions::default());
    cluster.create_database("sync");
    let mut bouncer = Bouncer::start(&cluster);
    let mut place = Place::on(&format!("{}?pgbouncer=true", bouncer.url("sync")));
    place.make_public();
    // What it is at when the pooler goes stays taken for as long.
    place.set("SYNC__LEASE_SECONDS", 2);
    let (world, main, work) = ada(place, 64).await;
    world.enable_all();
    let serving = world.place.serve().await;
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, PATIENCE).await;
    world.wait_for_channels(2).await;
    // What this instance takes in itself is done at once.
    world.make(&main, hour("Hairdresser", 30));
    world.wait_for_blocks(&work, 2, AT_ONCE).await;
    bouncer.kill();
    world.make(&main, hour("Lunch", 36));
    rest(1_000).await;
    bouncer.start_again();
    let began = Instant::now();
    while world.blocks(&work).len() < 3 {
        let open = || {
            cluster.psql("sync", "SELECT processing_status, count(*) FROM webhook_notifications GROUP BY 1")
        };
        assert!(began.elapsed() < PATIENCE, "{:?}\n{}\n{}", open(), serving.log(), bouncer.log());
        rest(100).await;
    }
    assert!(!serving.log().contains("panick"), "{}", serving.log());
}
