//! What was answered 200 is on disk: nothing that ends the program after the answer can lose it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::channels::{numbers, seed};
use crate::place::Place;
use crate::web::client;

/// How often the program is killed.
const KILLS: u64 = 6;
/// Deliveries under way at the same time.
const LANES: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let mut acknowledged: BTreeSet<u64> = BTreeSet::new();
    for kill in 0..KILLS {
        let serving = place.serve().await;
        let client = client();
        let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let mut lanes = tokio::task::JoinSet::new();
        for lane in 0..LANES {
            let (client, channel, answered) = (client.clone(), channel.clone(), answered.clone());
            let target = place.url(&channel.delivery(2).path);
            lanes.spawn(async move {
                for round in 0.. {
                    let number = 10 + kill * 1_000_000 + round * LANES + lane;
                    let mut request = client.post(&target);
                    for (name, value) in &channel.delivery(number).headers {
                        request = request.header(name, value);
                    }
                    match request.send().await {
                        Ok(answer) if answer.status() == 200 => answered.send(number).unwrap(),
                        Ok(answer) => panic!("{}", answer.status()),
                        // It is dead.
                        Err(_) => return,
                    }
                }
            });
        }
        drop(answered);
        let enough = 100 + 37 * usize::try_from(kill).unwrap();
        let mut now: BTreeSet<u64> = BTreeSet::new();
        while now.len() < enough {
            now.insert(answers.recv().await.expect("it answers"));
        }
        serving.kill();
        // What it had answered before it died counts as well.
        while let Some(number) = answers.recv().await {
            now.insert(number);
        }
        lanes.join_all().await;
        acknowledged.append(&mut now);
        let stored: BTreeSet<u64> = numbers(&place, &channel).await.into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "after kill {kill}: {} of {} lost", lost.len(), acknowledged.len());
    }
    println!("{KILLS} kills, {} acknowledged, none lost", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_it_answers_what_it_took_and_ends_well() {
    let mut place = Place::new();
    place.set("SERVER__SHUTDOWN_SECONDS", 5);
    let channel = seed(&place, 1).await.remove(0);
    let mut serving = place.serve().await;
    let mut lanes = tokio::task::JoinSet::new();
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for lane in 0..LANES {
        let (client, channel, answered) = (client(), channel.clone(), answered.clone());
        let target = place.url(&channel.delivery(2).path);
        lanes.spawn(async move {
            for round in 0.. {
                let number = 10 + round * LANES + lane;
                let mut request = client.post(&target);
                for (name, value) in &channel.delivery(number).headers {
                    request = request.header(name, value);
                }
                match request.send().await {
                    Ok(answer) => answered.send((number, answer.status().as_u16())).unwrap(),
                    Err(_) => return,
                }
            }
        });
    }
    drop(answered);
    let mut codes = Vec::new();
    while codes.len() < 100 {
        codes.push(answers.recv().await.expect("it answers"));
    }
    let began = Instant::now();
    serving.ask_to_stop();
    let status = serving.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", serving.log());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    while let Some(answer) = answers.recv().await {
        codes.push(answer);
    }
    lanes.join_all().await;
    assert!(codes.iter().all(|(_, code)| *code == 200), "{codes:?}");
    let stored: BTreeSet<u64> = numbers(&place, &channel).await.into_iter().collect();
    assert!(codes.iter().all(|(number, _)| stored.contains(number)));
    assert!(serving.log().contains("calendar-sync has stopped"), "{}", serving.log());
    // Nothing is left to be replayed: the log was folded into the database when it closed.
    assert!(!place.path("calendar-sync.db-wal").exists(), "closed, not just ended");
}
