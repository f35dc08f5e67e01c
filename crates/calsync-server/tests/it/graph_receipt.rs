//! Receipt of what Graph sends, as spec §3 and microsoft.md §8 have it: bodies of many items, and what is believed.

use std::time::{Duration, Instant};

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Store;
use calsync_core::subscription::SubscriptionStatus;
use serde_json::{Value, json};

use crate::channels::{Channel, TOKEN, open_at, seed_at, stored_of};
use crate::graph::{NOWHERE, post, serve_web, shake, taking, with};
use crate::graph_handshake::is_echo;
use crate::place::Place;
use crate::web::raw;

/// Graph takes an answer of more than three seconds for none.
const IN_TIME: Duration = Duration::from_secs(3);
/// The largest body (spec §3).
const LIMIT: usize = 1024 * 1024;

#[tokio::test]
async fn a_body_that_is_none_is_refused_whole() {
    let (place, channels, _serving) = taking(1).await;
    let channel = &channels[0];
    let good = channel.item("E1", "k1");
    let fills = |length: usize| {
        let empty = json!({"value": [good], "more": ""}).to_string();
        json!({"value": [good], "more": "x".repeat(length - empty.len())}).to_string()
    };
    let short = ["resource", "resourceData", "subscriptionExpirationDateTime"];
    let short = short.into_iter().fold(good.clone(), |item, member| with(item, member, ()));
    let many = json!({"value": vec![short; 5_000]});
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"".into(), 400, "malformed_body"),
        (b"value".into(), 400, "malformed_body"),
        (b"<value/>".into(), 400, "malformed_body"),
        (b"\xff\xfe".into(), 400, "malformed_body"),
        (b"null".into(), 400, "malformed_body"),
        (b"[]".into(), 400, "malformed_body"),
        (b"{}".into(), 400, "malformed_body"),
        (b"{\"value\":null}".into(), 400, "malformed_body"),
        (b"{\"value\":{}}".into(), 400, "malformed_body"),
        (b"{\"value\":\"x\"}".into(), 400, "malformed_body"),
        (b"{\"value\":[".into(), 400, "malformed_body"),
        (format!("{}x", json!({"value": [good]})).into(), 400, "malformed_body"),
        ("[".repeat(100_000).into(), 400, "malformed_body"),
        (format!("{{\"value\":{}", "[".repeat(100_000)).into(), 400, "malformed_body"),
        (many.to_string().into(), 413, "too_many_items"),
    ];
    for (body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = post(&place, &channel.path(), body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown}");
    }
    // Too long by its own word, before a byte of it has come; and in chunks, when the first byte too many has.
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", channel.path());
    let announced = format!("{head}Content-Length: {}\r\n\r\n", LIMIT + 1);
    let mut endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", LIMIT + 1).into_bytes();
    endless.extend(fills(LIMIT + 1).bytes());
    for bytes in [announced.as_bytes(), &endless] {
        let answer = raw(place.address, bytes).await;
        assert!((answer.status, answer.body.contains("too_large")) == (413, true), "{answer:?}");
    }
    assert_eq!(channel.events(&place).await, [""; 0]);
    assert_eq!(channel.tell(&place, &[]).await.status, 202, "nothing happened, and it is said well");
    let answer = post(&place, &channel.path(), fills(LIMIT)).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""), "the longest body");
    assert_eq!(channel.events(&place).await, ["E1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_items_are_stored_in_time_and_one_bad_item_costs_only_itself() {
    let (place, channels, serving) = taking(2).await;
    let channel = &channels[0];
    let items: Vec<Value> = (0..1_000).map(|n| channel.item(&format!("E{n:04}"), "k1")).collect();
    let began = Instant::now();
    assert_eq!(channel.tell(&place, &items).await.status, 202);
    let took = began.elapsed();
    assert!(took < IN_TIME, "{took:?}");
    println!("1,000 items were stored in {took:?}");
    assert_eq!(channel.events(&place).await.len(), 1_000);
    let good = |n: usize| channels[1].item(&format!("G{n}"), "k1");
    let wrong = || channels[1].item("BAD", "k1");
    let bad = [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!({"value": []}),
        with(wrong(), "subscriptionId", ()),
        with(wrong(), "subscriptionId", json!(7)),
        with(wrong(), "subscriptionId", " "),
        with(wrong(), "subscriptionId", "x".repeat(256)),
        with(wrong(), "subscriptionId", "8b1c0000-0000-4000-8000-000000000000"),
        with(wrong(), "clientState", "wrong"),
        with(wrong(), "clientState", json!({"x": 1})),
        channel.item("BAD", "k1"),
    ];
    for (n, bad) in bad.into_iter().enumerate() {
        // What is odd in other places of an item does no harm.
        let odd = with(with(good(n), "tenantId", json!(7)), "resource", json!([1]));
        let answer =
            channels[1].tell(&place, &[odd, bad.clone(), with(good(n + 100), "more", json!({}))]).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{bad}");
        let stored = channels[1].events(&place).await;
        assert_eq!(stored.len(), 2 * (n + 1), "after {bad}: {stored:?}");
    }
    assert!(!channels[1].events(&place).await.contains(&"BAD".to_owned()), "believed by nobody");
    assert!(!serving.log().contains(TOKEN), "{}", serving.log());
}

#[tokio::test]
async fn items_of_the_old_subscription_and_of_the_new_one_come_together() {
    let place = Place::new();
    let channels = seed_at(&place, ProviderKind::Microsoft, 3).await;
    let (old, suspended, other) = (&channels[0], &channels[1], &channels[2]);
    let store = place.store().await;
    let new = open_at(&store, ProviderKind::Microsoft, old.calendar, Some(old.id)).await.unwrap();
    store.set_subscription_status(suspended.id, SubscriptionStatus::Suspended, None).await.unwrap();
    Store::close(&store).await;
    let serving = serve_web(&place).await;
    let items = [old.item("E1", "k1"), new.item("E1", "k1"), other.item("E2", "k1"), new.item("E3", "k1")];
    assert_eq!(old.tell(&place, &items).await.status, 202);
    assert_eq!(suspended.tell(&place, &[suspended.item("E4", "k1")]).await.status, 202);
    assert_eq!(
        (old.events(&place).await, new.events(&place).await),
        (vec!["E1".into()], vec!["E1".into(), "E3".into()])
    );
    assert_eq!(other.events(&place).await, [""; 0], "it is another calendar's, and has its own address");
    assert_eq!(suspended.events(&place).await, [""; 0]);
    assert!(serving.log().contains("the subscription is suspended"), "{}", serving.log());
}

#[tokio::test]
async fn a_stranger_is_told_nothing_stores_nothing_and_is_sent_away_in_the_end() {
    let mut place = Place::new();
    place.set("RATE_LIMIT__MAX_REQUESTS", 12);
    place.set("RATE_LIMIT__WINDOW_SECONDS", 600);
    let channels = seed_at(&place, ProviderKind::Microsoft, 2).await;
    let channel = &channels[0];
    let serving = serve_web(&place).await;
    let good = || channel.item("E1", "k1");
    let almost = format!("{}Q", &TOKEN[..TOKEN.len() - 1]);
    let strangers = [
        (channel.path(), with(good(), "clientState", almost.as_str())),
        (channel.path(), with(good(), "clientState", &TOKEN[..TOKEN.len() - 1])),
        (channel.path(), with(good(), "clientState", format!("{TOKEN}x"))),
        (channel.path(), with(good(), "clientState", TOKEN.to_lowercase())),
        (channel.path(), with(good(), "clientState", ())),
        (channel.path(), with(good(), "clientState", "")),
        (channel.path(), with(good(), "clientState", "x".repeat(100_000))),
        (channel.path(), with(channel.lifecycle("subscriptionRemoved"), "clientState", "wrong")),
        (channel.path(), with(good(), "subscriptionId", "8b1c0000-0000-4000-8000-000000000000")),
        (channels[1].path(), good()),
        (NOWHERE.to_owned(), good()),
        ("/webhooks/microsoft/ada/".to_owned(), good()),
    ];
    for (path, item) in &strangers {
        let answer = post(&place, path, json!({"value": [item]}).to_string()).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{path} {item}");
    }
    for (path, item) in &strangers[..3] {
        let answer = post(&place, path, json!({"value": [item]}).to_string()).await;
        assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"), "{item}");
        assert!((1..=700).contains(&answer.header("retry-after").unwrap().parse::<u64>().unwrap()));
    }
    assert_eq!((channel.events(&place).await.len(), channels[1].events(&place).await.len()), (0, 0));
    let active = place.look(async |s| s.subscriptions(channel.calendar).await.unwrap()[0].status).await;
    assert_eq!(active, SubscriptionStatus::Active, "nobody was believed who said that it is gone");
    // From the very address that is sent away.
    assert_eq!(channel.tell(&place, &[good()]).await.status, 202);
    assert_eq!(
        channel.tell(&place, &[with(good(), "clientState", "x"), channel.item("E2", "k")]).await.status,
        202
    );
    assert_eq!(channel.events(&place).await, ["E1", "E2"]);
    is_echo(&shake(&place, "POST", &channel.path(), "validationToken=x").await, "x");
    // Four thousand guesses in one body are one line of the log, and don't keep anybody waiting.
    let guess = |n: usize| with(good(), "clientState", format!("guess-{n}"));
    let began = Instant::now();
    let guesses: Vec<Value> = (0..3_000).map(|n| with(guess(n), "resourceData", ())).collect();
    assert_eq!(channel.tell(&place, &guesses).await.status, 429);
    let unknown = |n: usize| with(with(good(), "resourceData", ()), "subscriptionId", format!("x-{n}"));
    let told = began.elapsed();
    assert_eq!(channel.tell(&place, &(0..3_000).map(unknown).collect::<Vec<_>>()).await.status, 429);
    println!(
        "3,000 guesses at a subscription took {told:?}, at as many that there are not {:?}",
        began.elapsed() - told
    );
    let log = serving.log();
    assert!(log.matches("the channel token is missing or wrong").count() < 20, "{log}");
    assert!(log.contains("the channel token is missing or wrong"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains(&almost), "{log}");
}

/// Whether a whole reading of the calendar is asked for, and how often a look was.
async fn asked(place: &Place, channel: &Channel) -> (bool, i64) {
    let calendar = place.look(async |s| s.calendar(channel.calendar).await.unwrap().unwrap()).await;
    (calendar.full_due, calendar.dirty_generation)
}

#[tokio::test]
async fn what_befell_the_subscription_is_heeded() {
    let (place, channels, _serving) = taking(5).await;
    let status = async |channel: &Channel| {
        let all = place.look(async |s| s.subscriptions(channel.calendar).await.unwrap()).await;
        all.iter().find(|s| s.id == channel.id).unwrap().status
    };
    for (channel, (what, full, stays)) in channels.iter().zip([
        ("reauthorizationRequired", false, SubscriptionStatus::Active),
        ("subscriptionRemoved", true, SubscriptionStatus::Expired),
        ("missed", true, SubscriptionStatus::Active),
        ("somethingNobodyHasHeardOf", true, SubscriptionStatus::Active),
        ("", true, SubscriptionStatus::Active),
    ]) {
        let before = asked(&place, channel).await;
        // It has no resource, and a stray one does no harm.
        let item = channel.lifecycle(what);
        assert_eq!(channel.tell(&place, std::slice::from_ref(&item)).await.status, 202, "{what}");
        let after = asked(&place, channel).await;
        assert_eq!((before.0, after.0), (false, full), "{what}");
        assert!(after.1 > before.1, "{what}: somebody looks");
        assert_eq!(status(channel).await, stays, "{what}");
        assert_eq!(channel.tell(&place, &[with(item, "resource", json!({}))]).await.status, 202, "{what}");
        let stored = stored_of(&place, channel).await;
        assert!(stored.iter().all(|n| n.payload["lifecycleEvent"] == what), "{stored:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_again_is_welcome_and_stored_once_and_another_change_is_another() {
    let (place, channels, _serving) = taking(2).await;
    let bodies: Vec<_> = channels
        .iter()
        .map(|c| (c.path(), json!({"value": [c.item("E1", "k1"), c.item("E1", "k1")]})))
        .collect();
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..12 {
        for (path, body) in &bodies {
            let request = crate::web::client().post(place.url(path)).body(body.to_string());
            posts.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
    }
    assert_eq!(posts.join_all().await, [202; 24], "all at once");
    let channel = &channels[0];
    assert_eq!(channel.tell(&place, &[channel.item("E1", "k1")]).await.status, 202, "and once more");
    for channel in &channels {
        assert_eq!(channel.events(&place).await, ["E1"]);
    }
    let nameless = |etag: Option<&str>| {
        let data = etag.map_or(json!({}), |etag| json!({"@odata.etag": etag}));
        with(channel.item("x", "x"), "resourceData", data)
    };
    for (item, count, what) in [
        (channel.item("E1", "k2"), 2, "a second change of the same event"),
        (with(channel.item("E1", "k2"), "changeType", "deleted"), 3, "its end"),
        (channel.item("E2", "k2"), 4, "another event"),
        (with(channel.item("E2", "k2"), "id", "lsgTZMr9KwAAA"), 5, "an item with an id of its own"),
        (with(channel.item("E2", "k2"), "id", "lsgTZMr9KwAAA"), 5, "that one again"),
        (nameless(Some("W/\"k9\"")), 6, "an event without an id"),
        (nameless(None), 7, "one of which nothing is said"),
        (with(channel.item("E2", "k2"), "resourceData", ()), 7, "within the minute, that is the same"),
    ] {
        assert_eq!(channel.tell(&place, &[item]).await.status, 202, "{what}");
        let stored = channel.events(&place).await;
        // A minute may have ended in between.
        assert!(stored.len() == count || (count == 7 && stored.len() == 8), "{what}: {stored:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_sent_again_and_nothing_is_half_done() {
    let (place, channels, serving) = taking(1).await;
    let channel = &channels[0];
    // One row of the middle of a body can't be written.
    place.sql(
        "CREATE TRIGGER sick BEFORE INSERT ON webhook_notifications WHEN NEW.payload LIKE '%E500%' \
         BEGIN SELECT RAISE(ABORT, 'sick'); END",
    );
    let items: Vec<Value> = (0..1_000).map(|n| channel.item(&format!("E{n}"), "k1")).collect();
    let refused = channel.tell(&place, &items).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let told = serving.log().matches("its provider is asked to try again").count();
    assert_eq!(told, 1, "once, and not for each item");
    let stored = channel.events(&place).await;
    assert!(!stored.contains(&"E500".to_owned()));
    place.sql("DROP TRIGGER sick");
    assert_eq!(channel.tell(&place, &items).await.status, 202, "the same again");
    let mut stored = channel.events(&place).await;
    stored.dedup();
    assert_eq!(stored.len(), 1_000, "each once");
    // It was stored that something was missed, and could not be asked for: Graph tells it again, and then it is.
    place.sql(
        "CREATE TRIGGER sick BEFORE UPDATE OF full_due ON calendars WHEN NEW.full_due = 1 \
         BEGIN SELECT RAISE(ABORT, 'sick'); END",
    );
    assert_eq!(channel.tell(&place, &[channel.lifecycle("missed")]).await.status, 503);
    assert!(!asked(&place, channel).await.0);
    place.sql("DROP TRIGGER sick");
    assert_eq!(channel.tell(&place, &[channel.lifecycle("missed")]).await.status, 202);
    assert!(asked(&place, channel).await.0);
    // Somebody else writes for a long time.
    let locked = place.lock();
    let refused = channel.tell(&place, &[channel.item("E1", "k2")]).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    drop(locked);
    assert_eq!(channel.tell(&place, &[channel.item("E1", "k2")]).await.status, 202);
}
