//! The page itself: who may read it, how much is on it at worst, and what is on it when the database is away.

use std::time::{Duration, Instant};

use calsync_server::metrics::catalogue;
use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};

use super::{TOKEN, scrape, series, value};
use crate::channels::seed;
use crate::place::{PATIENCE, Place, until};
use crate::web::{get, raw};
use crate::world::{SOON, World, hour};

/// Requests of somebody who wants to fill the page.
const HOSTILE: usize = 600;
/// Those who scrape at once.
const SCRAPERS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_token_reads_it_in_every_role_and_in_clear() {
    for role in ["web", "worker", "scheduler"] {
        let mut place = Place::new();
        place.set("MONITORING__TOKEN", TOKEN);
        place.set("SERVER__REQUIRE_HTTPS", "refuse");
        place.set("SERVER__TRUSTED_PROXIES", "192.0.2.0/24");
        place.set("SERVER__PUBLIC_URL", "https://sync.example.com");
        let mut serving = place.start(place.command(&["serve", "--role", role]));
        serving.answers(&place).await;
        for refused in [get(&place.url("/metrics")).await, scrape(place.address, "another").await] {
            assert_eq!((refused.status, refused.code().as_str()), (401, "unauthorized"), "{role}");
            assert!(!refused.body.contains("calendar_sync_"), "{refused:?}");
        }
        let page = scrape(place.address, TOKEN).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/plain; version=0.0.4; charset=utf-8"))
        );
        assert_eq!(value(&page.body, "calendar_sync_database_up"), Some(1.0), "{role}: {}", page.body);
        let workers = value(&page.body, "calendar_sync_workers").unwrap();
        assert_eq!(workers > 0.0, role == "worker", "{role} has {workers} workers");
        let refused = value(&page.body, "calendar_sync_http_requests_total{route=\"/metrics\",code=\"401\"}");
        assert_eq!(refused, Some(2.0), "{role}: {}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_bounded_whatever_people_ask_for_and_names_nobody() {
    let (mut world, main, work) = World::with_ada(7).await;
    world.place.set("MONITORING__TOKEN", TOKEN);
    world.place.make_public();
    world.make(&main, hour("Dentist", 24));
    let _serving = world.place.serve().await;
    world.wait_for_blocks(&work, 1, SOON).await;
    world.wait_for_channels(2).await;
    world.make(&main, hour("Lunch", 48));
    world.wait_for_blocks(&work, 2, SOON).await;
    let address = world.place.address;
    // What comes of a change is counted in several places, one after the other, and what is read from the database is a few
    // seconds old.
    let counted = [
        ("calendar_sync_receipts_total{provider=\"google\",outcome=\"accepted\"}", 1.0),
        ("calendar_sync_receipt_duration_seconds_count{provider=\"google\"}", 1.0),
        ("calendar_sync_notification_processing_seconds_count", 1.0),
        ("calendar_sync_change_to_block_seconds_count", 1.0),
        ("calendar_sync_sync_runs_total{kind=\"webhook\",outcome=\"succeeded\"}", 1.0),
        ("calendar_sync_channel_verdicts_total{outcome=\"told\"}", 1.0),
        ("calendar_sync_blocks_written_total{action=\"created\"}", 2.0),
        (
            "calendar_sync_provider_calls_total{provider=\"google\",operation=\"events.insert\",outcome=\"ok\"}",
            2.0,
        ),
        ("calendar_sync_subscriptions{provider=\"google\",status=\"active\"}", 2.0),
        ("calendar_sync_steps_total{outcome=\"done\"}", 1.0),
        ("calendar_sync_notifications_last_day{status=\"completed\"}", 1.0),
        ("calendar_sync_database_connections{pool=\"writer\",state=\"idle\"}", 0.0),
    ];
    let mut looks = 0_i64;
    let quiet = until("all of it is counted", PATIENCE, async || {
        // A run that was under way may have come upon an event before it was told of.
        looks += 1;
        if looks % 100 == 0 {
            world.make(&main, hour("Tea", 48 + looks / 100));
        }
        let page = scrape(address, TOKEN).await.body;
        counted.iter().all(|(name, at_least)| value(&page, name) >= Some(*at_least)).then_some(page)
    })
    .await;

    for n in 0..HOSTILE {
        let (method, path) = match n % 5 {
            0 => ("GET", format!("/{n}")),
            1 => ("POST", format!("/webhooks/google/{n}")),
            2 => ("POST", format!("/webhooks/microsoft/ada{n}@example.com")),
            3 => ("GET", format!("/webhooks/{n}/%0a\"}}{n}")),
            _ => ("PROPFIND", format!("/metrics/{n}?ada={n}")),
        };
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        raw(address, request.as_bytes()).await;
    }
    let after = scrape(address, TOKEN).await.body;
    // A few that were not there before; by far not one for each of them.
    assert!(
        series(&after) <= series(&quiet) + HOSTILE / 5,
        "{} series became {}",
        series(&quiet),
        series(&after)
    );
    let most: usize = catalogue::ALL.iter().map(|metric| metric.series()).sum();
    assert!(series(&after) <= most, "{} of {most}", series(&after));
    for line in after.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let name =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(catalogue::ALL.iter().any(|metric| metric.name == name), "{name} is not in the catalogue");
    }
    let ids = [&main, &work].map(|calendar| world.id_of(calendar));
    let forbidden = ["@", "://", "example.com", "127.", "Dentist", "Ada", "/1\"", &ids[0], &ids[1]];
    // Figures have digits of their own.
    let names = after.lines().map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name));
    for name in names {
        assert!(forbidden.iter().all(|word| !name.contains(word)), "{name} holds one of {forbidden:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_who_scrape_at_once_cost_the_database_one_reading() {
    let mut place = Place::new();
    place.set("MONITORING__TOKEN", TOKEN);
    let _serving = place.serve().await;
    let mut scrapers = tokio::task::JoinSet::new();
    for _ in 0..SCRAPERS {
        scrapers.spawn(scrape(place.address, TOKEN));
    }
    let pages = scrapers.join_all().await;
    assert!(
        pages
            .iter()
            .all(|page| page.status == 200 && page.body.contains("calendar_sync_notifications_pending 0"))
    );
    let readings = pages.iter().filter_map(|page| value(&page.body, "calendar_sync_fleet_readings_total"));
    // A machine that stands still for five seconds between two of them has it read again.
    assert!(readings.fold(0.0, f64::max) <= 2.0, "they are to share one reading");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_it_still_answers_with_what_it_has() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let mut place = Place::on(&cluster.create_database("sync"));
    place.set("MONITORING__TOKEN", TOKEN);
    place.set(
        "SECRETS__KEY",
        calsync_server::secrets::SealingKey::generate(&calsync_server::system::SystemRandom).expose(),
    );
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
    let page = scrape(place.address, TOKEN).await.body;
    assert_eq!(value(&page, "calendar_sync_database_up"), Some(1.0));
    assert!(
        value(&page, "calendar_sync_database_connections{pool=\"server\",state=\"idle\"}").is_some(),
        "{page}"
    );
    cluster.stop(Mode::Fast);
    assert_eq!(channel.delivery(3).post(&place).await.status, 503);
    let page = until("the database is told to be away", PATIENCE, async || {
        let began = Instant::now();
        let page = scrape(place.address, TOKEN).await;
        assert!(page.status == 200 && began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        (value(&page.body, "calendar_sync_database_up") == Some(0.0)).then_some(page.body)
    })
    .await;
    assert_eq!(value(&page, "calendar_sync_health_level"), Some(2.0));
    assert_eq!(
        value(&page, "calendar_sync_receipts_total{provider=\"google\",outcome=\"failed\"}"),
        Some(1.0)
    );
    assert_eq!(
        value(&page, "calendar_sync_receipts_total{provider=\"google\",outcome=\"accepted\"}"),
        Some(1.0)
    );
    assert_eq!(value(&page, "calendar_sync_notifications_pending"), None, "nobody knows");
    cluster.start_again();
    until("the database is told to be back", PATIENCE, async || {
        let page = scrape(place.address, TOKEN).await.body;
        (value(&page, "calendar_sync_database_up") == Some(1.0)
            && value(&page, "calendar_sync_notifications_pending").is_some())
        .then_some(())
    })
    .await;
}
