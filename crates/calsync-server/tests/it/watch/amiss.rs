//! What can be amiss with those who are told and those who ask: channels that hang, refuse or are forbidden hold up nobody else;
//! tokens that are wrong lead nowhere; many who ask at once cost as much as one.

use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};
use calsync_testbed::postgres::{Cluster, ClusterOptions};
use futures_util::future::join_all;
use serde_json::Value;

use super::{Ear, IN_TIME, STAFF, calm, health, health_is, monitoring, seldom};
use crate::alerting::MARKER;
use crate::alerting::receiver::{Receiver, Reply};
use crate::place::Place;

/// More channels fail than anybody is told of singly.
const BREAK: &str = "UPDATE webhook_subscriptions SET failure_count = 6 WHERE id IN (SELECT id FROM webhook_subscriptions LIMIT 7)";
const FAILURES: &str = "subscription_failures";
/// What a page of somebody else's looks like.
const PAGE: &str = "<!DOCTYPE html><html><body><h1>Sorry</h1></body></html>";

/// How the message about this kind fares on the way of this name.
fn delivery(place: &Place, kind: &str, channel: &str) -> Option<Value> {
    let listed = place.run(&["alerts", "list", "--json"]).expect(0).json();
    let all = listed["deliveries"].as_array().unwrap().clone();
    all.into_iter()
        .find(|d| d["message"]["kind"] == kind && d["channel"].as_str().unwrap().starts_with(channel))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_hang_or_refuse_hold_up_nobody_and_are_shown() {
    let mail = MailServer::start(MailTls::Off, None);
    let cases = [
        ("429 Slow down\r\nretry-after: 7", "pending", "429"),
        ("404 Not Found\r\ncontent-type: text/html", "failed", "404"),
        // A page of whoever stands in between may be gone in a moment.
        ("200 OK\r\ncontent-type: text/html", "pending", "something else stands at this URL"),
    ];
    let mut stages = Vec::new();
    for (number, (head, state, words)) in cases.into_iter().enumerate() {
        let slack = Receiver::start(Reply::Says(head, PAGE.to_owned())).await;
        let mut place = Place::new();
        let ear = Ear::of(&mut place, &mail, &format!("amiss{number}")).await;
        place.set("ALERTS__SLACK", slack.url());
        calm(&place, 20).await;
        let serving = place.serve().await;
        health_is(&place, 200, "healthy", Instant::now()).await;
        stages.push((place, ear, slack, serving, state, words));
    }
    // It greets nobody from now on.
    mail.pause();
    let living = stages.iter().map(|(place, ear, slack, _, state, words)| async {
        place.sql(BREAK);
        let since = Instant::now();
        seldom("the webhook is there", IN_TIME, async || (ear.hooks(FAILURES).len() == 1).then_some(()))
            .await;
        let took = since.elapsed();
        let tried = seldom("slack was tried", IN_TIME, async || {
            delivery(place, FAILURES, "slack").filter(|d| d["attempts"].as_u64() > Some(0))
        })
        .await;
        assert!(slack.knocks() > 0);
        let mailed = seldom("mail was tried", IN_TIME, async || {
            delivery(place, FAILURES, "email").filter(|d| d["attempts"].as_u64() > Some(0))
        })
        .await;
        assert_eq!((mailed["state"].as_str(), ear.letters(FAILURES).len()), (Some("pending"), 0), "{mailed}");
        (took, tried, *state, *words)
    });
    for (took, tried, state, words) in join_all(living).await {
        println!("the webhook took {:.0} s beside {}", took.as_secs_f64(), tried["error"]);
        assert!(took < IN_TIME);
        assert_eq!(tried["state"], state, "{tried}");
        assert!(tried["error"].as_str().unwrap().contains(words), "{tried}");
    }
    mail.resume();
    let since = Instant::now();
    for (place, ear, _, serving, ..) in &stages {
        let most = Duration::from_secs(120);
        seldom("mail arrives in the end", most, async || (ear.letters(FAILURES).len() == 1).then_some(()))
            .await;
        let text = place.run(&["alerts", "list"]).expect(0).out;
        assert!(text.contains("subscription_failures opened by slack"), "{text}");
        for secret in [MARKER, STAFF] {
            assert!(!text.contains(secret) && !serving.log().contains(secret), "{}", serving.log());
        }
        assert_eq!(ear.hooks(FAILURES).len(), 1, "the one that arrived is not sent again");
    }
    println!("mail arrived {:.0} s after its server went on", since.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_into_the_private_network_is_refused_at_the_check_and_when_sent() {
    let inside = Receiver::start(Reply::Says("200 OK", String::new())).await;
    let mut place = Place::new();
    place.run(&["migrate"]).expect(0);
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    place.set("ALERTS__WEBHOOK", inside.url());
    let refused =
        place.run(&["config", "check"]).expect(3).says(&["alerts.webhook", "alerts.allowed_networks"]);
    assert!(!refused.err.contains(MARKER) && !refused.out.contains(MARKER), "{}", refused.err);
    // A name says nothing at the check; where it leads is seen when something is sent.
    place.set("ALERTS__WEBHOOK", inside.url().replace("127.0.0.1", "localhost"));
    place.run(&["config", "check"]).expect(0);
    let tested = place.run(&["alerts", "test", "--json"]).expect(1);
    assert!(
        tested.json()[0]["error"].as_str().unwrap().contains("alerts.allowed_networks"),
        "{}",
        tested.out
    );
    assert!(!tested.out.contains(MARKER) && !tested.err.contains(MARKER), "{}", tested.out);
    assert_eq!(inside.knocks(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitoring_lets_in_who_shows_the_token_and_slows_down_who_guesses() {
    const GUESS: &str = "a-guess-that-is-wrong";
    let mut place = Place::new();
    place.set("MONITORING__TOKEN", STAFF);
    place.set("RATE_LIMIT__MAX_REQUESTS", 5);
    place.set("LOG__LEVEL", "trace");
    place.run(&["migrate"]).expect(0);
    let serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    for route in ["health", "dashboard"] {
        let nobody = monitoring(&place, route, None).await;
        assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(nobody.code(), "unauthorized");
        assert_eq!(monitoring(&place, route, Some(STAFF)).await.status, 200);
    }
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(monitoring(&place, "health", Some(GUESS)).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let slowed = monitoring(&place, "dashboard", Some(GUESS)).await;
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() > 0, "{slowed:?}");
    assert_eq!(monitoring(&place, "health", Some(STAFF)).await.status, 200, "who is known is never refused");
    let log = serving.log();
    assert!(!log.contains(STAFF) && !log.contains(GUESS), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_ask_at_once_cost_what_one_costs() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let url = cluster.create_database("sync");
    cluster.psql("sync", "ALTER DATABASE sync SET log_statement = 'all'").unwrap();
    let place = Place::on(&url);
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let _serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    let asked = || cluster.log().matches("FROM schema_version").count();
    // What was found out for the look above lives for a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let before = asked();
    let began = Instant::now();
    let answers = join_all((0..50).map(|_| health(&place))).await;
    let took = began.elapsed();
    assert!(answers.iter().all(|answer| answer.status == 200));
    let asked = asked() - before;
    // Figures live for a second, and the watch looks too.
    let most = usize::try_from(took.as_secs()).unwrap() + 3;
    println!("50 who asked within {took:.1?} cost {asked} sets of questions");
    assert!((1..=most).contains(&asked), "{asked} sets of questions in {took:?}");
}
