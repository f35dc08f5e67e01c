//! An upgrade as operators do it: two instances on PostgreSQL behind nginx are replaced one after the other, while notifications come
//! in at a steady pace. No request may fail, and nothing that was acknowledged may be missing.
//!
//! `CALSYNC_ROLLING_SECONDS=20 CALSYNC_ROLLING_PACE=500` lasts as long, at so many a second; without them it is 5 and 100, for machines
//! with other things to do.

use std::time::Duration;

use calsync_testbed::nginx::Nginx;
use calsync_testbed::postgres::Database;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::channels::{Channel, seed};
use crate::fleet::Instance;
use crate::nginx::{start, trusting};
use crate::place::{Place, free_listener};

/// Senders at once, as a provider has several.
const LANES: u64 = 10;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What came of the deliveries of one lane: those that were acknowledged, and the others with what was said instead.
struct Sent {
    taken: u64,
    failed: Vec<String>,
    slowest: Duration,
}

/// Sends at its pace until then, whatever becomes of the ones before: each in a task of its own.
async fn send(
    client: reqwest::Client,
    base: String,
    channel: Channel,
    apart: Duration,
    until: Instant,
) -> Sent {
    let mut ticks = interval(apart);
    let mut posts = JoinSet::new();
    let mut number = 1;
    while Instant::now() < until {
        ticks.tick().await;
        number += 1;
        let (client, base, delivery) = (client.clone(), base.clone(), channel.delivery(number));
        posts.spawn(async move {
            let began = Instant::now();
            (delivery.post_to(&client, &base).await, began.elapsed())
        });
    }
    let mut sent = Sent { taken: 0, failed: Vec::new(), slowest: Duration::ZERO };
    while let Some(posted) = posts.join_next().await {
        let (answer, took) = posted.expect("nothing panics");
        sent.slowest = sent.slowest.max(took);
        match answer {
            Ok(answer) if answer.status == 200 => sent.taken += 1,
            Ok(answer) => sent.failed.push(format!("{} {}", answer.status, answer.body)),
            Err(error) => sent.failed.push(format!("{error:?}")),
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_replaced_one_after_the_other_and_no_request_fails() {
    let database = Database::shared();
    let mut place = Place::on(database.url());
    place.set("SECRETS__KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
    place.set("SERVER__TRUSTED_PROXIES", "127.0.0.1/32");
    place.set("SERVER__REQUIRE_HTTPS", "refuse");
    let channels = seed(&place, usize::try_from(LANES).expect("a small number")).await;
    let held = [free_listener(), free_listener()];
    let addresses = held.each_ref().map(|listener| listener.local_addr().unwrap());
    drop(held);
    let mut fleet = addresses.map(|address| Instance::new(address, "web"));
    for instance in &mut fleet {
        instance.start(&place).await;
    }
    let mut nginx = Nginx::prepare();
    start(&mut nginx, &addresses, &[]);
    let base = format!("https://localhost:{}", nginx.secure().port());
    let client = trusting(&nginx, "127.0.0.1").build().unwrap();

    let (seconds, pace) = (number("CALSYNC_ROLLING_SECONDS", 5), number("CALSYNC_ROLLING_PACE", 100));
    let apart = Duration::from_micros(1_000_000 * LANES / pace);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut lanes = JoinSet::new();
    for channel in channels {
        lanes.spawn(send(client.clone(), base.clone(), channel, apart, until));
    }
    let mut replaced = 0;
    while Instant::now() < until {
        for instance in &mut fleet {
            instance.stop().await;
            instance.start(&place).await;
            replaced += 1;
        }
    }
    let sent = lanes.join_all().await;
    let taken: u64 = sent.iter().map(|lane| lane.taken).sum();
    let failed: Vec<&String> = sent.iter().flat_map(|lane| &lane.failed).collect();
    let slowest = sent.iter().map(|lane| lane.slowest).max().unwrap();
    let stored: u64 = database.psql("SELECT count(*) FROM webhook_notifications").unwrap().parse().unwrap();
    println!(
        "{replaced} instances replaced in {seconds} s under {pace} notifications a second: {taken} taken, {} failed, \
         {} lost, the slowest after {slowest:?}",
        failed.len(),
        taken.saturating_sub(stored),
    );
    assert!(failed.is_empty(), "{} failed, such as {:?}\n{}", failed.len(), &failed[..1], nginx.log());
    assert!(replaced >= 2 && taken >= pace * seconds / 2, "{replaced} {taken}");
    assert_eq!(stored, taken, "what was acknowledged is there, and nothing twice");
}
