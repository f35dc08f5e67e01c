//! What the log of the running program says: one line for a piece of work, by which a notification can be followed, and
//! nothing about a system in which nothing happens.

use serde_json::Value;
use std::time::Duration;

use crate::place::{PATIENCE, Place, Serving, until};
use calsync_sim::faults::Fault;

use crate::world::{SOON, World, hour};

/// Lines with this message.
pub(crate) fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

fn json(place: &mut Place) {
    place.set("LOG__FORMAT", "json");
    place.set("SYNC__POLL_SECONDS", "1");
}

const RECEIVED: &str = "received";
const DONE: &str = "a calendar was brought up to date";

/// The run that served a notification which was received.
async fn followed(serving: &Serving) -> (Value, Value) {
    until("a notification can be followed", PATIENCE, async || {
        let log = serving.log();
        let runs = lines(&log, DONE).into_iter().filter(|run| run["blocks"] == 1);
        let mut pairs = runs.flat_map(|run| {
            let named = |receipt: &Value| {
                let id = receipt["notifications"].as_str().unwrap().trim_matches(['[', ']']).to_owned();
                run["notifications"].as_str().unwrap().contains(&id).then(|| (receipt.clone(), run.clone()))
            };
            lines(&log, RECEIVED).iter().filter_map(named).collect::<Vec<_>>()
        });
        pairs.next()
    })
    .await
}

/// Nothing has been worth a line for a while.
async fn is_at_rest(serving: &Serving) {
    until("nothing happens", PATIENCE, async || {
        let before = serving.log().len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        (serving.log().len() == before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_can_be_followed_from_its_receipt_to_the_block() {
    let (mut world, main, work) = World::with_ada(43).await;
    world.place.make_public();
    json(&mut world.place);
    let mut serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    // What the channels' confirmations led to would find it before its own notification comes.
    is_at_rest(&serving).await;
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, SOON).await;
    let (receipt, run) = followed(&serving).await;
    assert_eq!((&receipt["level"], &run["level"]), (&"INFO".into(), &"INFO".into()));
    assert_eq!((&receipt["provider"], &receipt["stored"]), (&"google".into(), &1.into()));
    assert_eq!(receipt["calendar"], run["calendar"]);
    assert_eq!((&run["kind"], &run["trigger"]), (&"webhook".into(), &"notification".into()));
    for number in ["served", "events", "blocks"] {
        assert_eq!(run[number], 1, "{run}");
    }
    assert!(run["calls"].as_u64() >= Some(2) && run["ms"].is_u64(), "{run}");
    assert!(run["run"].is_string() && run["user"].is_string(), "{run}");
    // It is alone: its name would only be in the way.
    assert_eq!((&receipt["instance"], &run["instance"]), (&Value::Null, &Value::Null));
    // The echo of the write is looked at, and from then on nothing happens but polling, every second.
    is_at_rest(&serving).await;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_has_its_line() {
    let (mut world, main, work) = World::with_ada(44).await;
    json(&mut world.place);
    let serving = world.place.serve().await;
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, SOON).await;
    // Every call fails for a while.
    // A write fails, and with it the run that it was for.
    world.sim.faults().force(Fault::TooManyRequests, 1_000);
    world.make(&main, hour("Dentist", 30));
    let runs = until("a run failed", PATIENCE, async || {
        Some(lines(&serving.log(), "a run failed")).filter(|runs| !runs.is_empty())
    })
    .await;
    for line in &runs {
        assert_eq!(line["level"], "WARN");
        assert!(line["error"].is_string() && line["user"].is_string(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_fill_no_log() {
    let mut place = Place::new();
    json(&mut place);
    place.set("RATE_LIMIT__MAX_REQUESTS", 3);
    let channels = crate::channels::seed(&place, 1).await;
    let serving = place.serve().await;
    for number in 2..12 {
        let guess = channels[0].delivery(number).with("X-Goog-Channel-Token", Some("guessed"));
        guess.post(&place).await;
    }
    let log = serving.log();
    let refused = lines(&log, "a notification was refused");
    assert_eq!(refused.len(), 3, "{log}");
    assert!(refused[0]["why"].is_string() && refused[0]["client"].is_string(), "{}", refused[0]);
}
