//! Receipt as spec §3 has it: which checks there are, in which order, and what is answered to each.

use calsync_core::ports::Store;
use calsync_core::subscription::SubscriptionStatus;

use crate::channels::{Delivery, REMOTE, TOKEN, confirm, numbers, open, seed};
use crate::place::Place;
use crate::web::{Answer, raw};

/// The body that Google may send at most (spec §3).
const LIMIT: usize = 10 * 1024;

/// A delivery, what is to be answered, and what it is about.
type Case = (Delivery, u16, &'static str, &'static str);

async fn hold_to(place: &Place, cases: Vec<Case>) {
    for (delivery, status, code, what) in cases {
        let answer = delivery.post(place).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body, "", "{what}");
        } else {
            assert_eq!(answer.code(), code, "{what}");
        }
    }
}

#[tokio::test]
async fn each_refusal_has_its_status_and_code() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let good = || channel.delivery(2);
    let nobody = "/webhooks/google/0192a5b0-0000-7000-8000-000000000000/";
    let almost = format!("{}Q", &TOKEN[..TOKEN.len() - 1]);
    let long = "x".repeat(256);
    let token = |value: &str| good().with("X-Goog-Channel-Token", Some(value));
    hold_to(
        &place,
        vec![
            (good().to(nobody), 404, "not_found", "no such calendar"),
            (good().to("/webhooks/google/ada/"), 404, "not_found", "no id at all"),
            (good().to(format!("/webhooks/google/{REMOTE}/")), 404, "not_found", "the provider's id"),
            (good().to("/webhooks/google/%FF%FE/"), 404, "not_found", "a path that is no text"),
            (good().to("/webhooks/google/"), 404, "not_found", "no calendar"),
            (good().with("X-Goog-Message-Number", None), 400, "missing_notification_id", "no number"),
            (
                good().with("X-Goog-Message-Number", Some(" ")),
                400,
                "missing_notification_id",
                "a blank number",
            ),
            (good().with("X-Goog-Channel-ID", None), 400, "missing_channel_id", "no channel"),
            (good().with("X-Goog-Resource-ID", None), 400, "missing_resource_id", "no resource"),
            (good().with("X-Goog-Message-Number", Some(&long)), 400, "malformed_id", "an endless number"),
            (good().with("X-Goog-Channel-ID", Some("a b")), 400, "malformed_id", "a channel of two words"),
            (good().with("X-Goog-Channel-ID", Some("another")), 403, "forbidden", "another channel"),
            (good().with("X-Goog-Resource-ID", Some("another")), 403, "forbidden", "another resource"),
            (good().with("X-Goog-Channel-Token", None), 403, "forbidden", "no token"),
            (token(""), 403, "forbidden", "an empty token"),
            (token(&almost), 403, "forbidden", "a token whose last character is wrong"),
            (token(&TOKEN[..TOKEN.len() - 1]), 403, "forbidden", "a token that lacks its last character"),
            (token(&TOKEN.to_lowercase()), 403, "forbidden", "a token in another case"),
            (good().body(LIMIT + 1), 413, "too_large", "a byte too many"),
            (good().with("X-Goog-Resource-State", None), 200, "", "no state: it asks for a look"),
            (channel.delivery(3).body(LIMIT), 200, "", "the longest body"),
            (channel.delivery(4).with("X-Goog-Resource-State", Some("not_exists")), 200, "", "not_exists"),
        ],
    )
    .await;
    assert_eq!(numbers(&place, &channel).await, [2, 3, 4], "and nothing else was stored");
}

#[tokio::test]
async fn the_first_thing_wrong_is_the_one_that_is_told() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let nobody = "/webhooks/google/0192a5b0-0000-7000-8000-000000000000";
    channel.delivery(2).post(&place).await;
    let wrong = || channel.delivery(2).with("X-Goog-Channel-Token", Some("wrong"));
    let nameless = || wrong().with("X-Goog-Message-Number", None);
    hold_to(
        &place,
        vec![
            (nameless().to(nobody).body(LIMIT + 1), 413, "too_large", "size before number"),
            (nameless().to(nobody), 400, "missing_notification_id", "number before calendar"),
            (nameless().to("/webhooks/google/x"), 400, "missing_notification_id", "also for what is no id"),
            (wrong().to(nobody), 404, "not_found", "calendar before token"),
            (wrong(), 403, "forbidden", "token before duplicate"),
            (channel.delivery(2), 200, "", "a duplicate is welcome"),
        ],
    )
    .await;
    assert_eq!(numbers(&place, &channel).await, [2]);
}

#[tokio::test]
async fn a_slash_at_the_end_is_optional_and_ids_in_capitals_are_the_same() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let id = channel.calendar.to_string();
    let paths = [id.clone(), format!("{id}/"), id.to_uppercase(), format!("{id}?x=1"), format!("{id}/?x=1")];
    for (number, path) in (2..).zip(paths) {
        let answer = channel.delivery(number).to(format!("/webhooks/google/{path}")).post(&place).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert_eq!(numbers(&place, &channel).await, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_confirmation_asks_for_nothing_and_a_change_for_a_look() {
    let place = Place::new();
    let channels = seed(&place, 2).await;
    let _serving = place.serve().await;
    let generation = async |at: usize| {
        let id = channels[at].calendar;
        place.look(async |s| s.calendar(id).await.unwrap().unwrap().dirty_generation).await
    };
    let before = (generation(0).await, generation(1).await);
    assert_eq!(channels[0].delivery(1).post(&place).await.status, 200);
    assert_eq!(channels[1].delivery(2).post(&place).await.status, 200);
    assert_eq!((generation(0).await, generation(1).await), (before.0, before.1 + 1));
    let of = channels[0].calendar;
    let heard = place.look(async |s| s.subscriptions(of).await.unwrap()[0].last_notification_at).await;
    assert!(heard.is_some(), "a confirmation shows that the channel works");
}

#[tokio::test]
async fn a_confirmation_waits_for_nothing() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    assert_eq!(channel.delivery(1).post(&place).await.status, 200);
    let open = place.look(async |s| s.backlog(calsync_core::time::Ts::MAX).await.unwrap()).await;
    assert_eq!(open, 0, "there is nothing to be done about it");
}

#[tokio::test]
async fn only_channels_in_use_and_those_just_replaced_are_believed() {
    let place = Place::new();
    let channels = seed(&place, 4).await;
    let store = place.store().await;
    let replaced = &channels[0];
    let successor = open(&store, replaced.calendar, Some(replaced.id)).await.unwrap();
    store.set_subscription_status(channels[1].id, SubscriptionStatus::Suspended, None).await.unwrap();
    let long_ago = crate::channels::now().minus(jiff::SignedDuration::from_hours(25));
    let ended = &channels[2];
    confirm(&store, ended.id, (&ended.channel, &ended.resource), long_ago).await.unwrap();
    let refused = &channels[3];
    store.set_subscription_status(refused.id, SubscriptionStatus::Failed, None).await.unwrap();
    let serving = place.serve().await;
    hold_to(
        &place,
        vec![
            (replaced.delivery(7), 200, "", "a channel that was just replaced"),
            (successor.delivery(7), 200, "", "the same number by its successor"),
            (channels[1].delivery(2), 403, "forbidden", "suspended"),
            (ended.delivery(2), 403, "forbidden", "past its end"),
            (refused.delivery(2), 403, "forbidden", "refused by its provider"),
        ],
    )
    .await;
    let log = serving.log();
    for why in ["the subscription is suspended", "the subscription has expired"] {
        assert!(log.contains(why), "told apart in the log: {why}\n{log}");
    }
    assert!(!log.contains(TOKEN));
    assert_eq!((numbers(&place, replaced).await, numbers(&place, &successor).await), (vec![7], vec![7]));
    Store::close(&store).await;
}

/// Answers without what differs from request to request.
fn bare(answer: &Answer) -> (u16, String, Vec<String>) {
    let names = answer.headers.iter().map(|(name, _)| name.clone()).collect();
    (answer.status, answer.body.clone(), names)
}

#[tokio::test]
async fn nothing_tells_which_calendars_exist_beyond_the_code() {
    let place = Place::new();
    let channels = seed(&place, 2).await;
    let serving = place.serve().await;
    let good = || channels[0].delivery(2);
    let paths =
        ["/webhooks/google/0192a5b0-0000-7000-8000-000000000000", "/webhooks/google/x", "/nowhere/at/all"];
    let mut missing = Vec::new();
    for path in paths {
        missing.push(bare(&good().to(path).post(&place).await));
    }
    assert!(missing.windows(2).all(|pair| pair[0] == pair[1]), "{missing:#?}");
    let mut refused = Vec::new();
    for wrong in [
        good().with("X-Goog-Channel-Token", Some("wrong")),
        good().with("X-Goog-Channel-ID", Some("wrong")),
        good().with("X-Goog-Resource-ID", Some("wrong")),
        channels[1].delivery(2).with("X-Goog-Channel-ID", Some(&channels[0].channel)),
    ] {
        refused.push(bare(&wrong.post(&place).await));
    }
    assert!(refused.windows(2).all(|pair| pair[0] == pair[1]), "{refused:#?}");
    for (_, body, _) in missing.iter().chain(&refused) {
        for known in [&channels[0].calendar.to_string(), &channels[0].channel, &channels[0].resource, REMOTE]
        {
            assert!(!body.contains(known), "{body}");
        }
    }
    assert!(serving.log().contains("the resource id is not the subscription's"), "the log has more to say");
}

#[tokio::test]
async fn an_oversized_body_is_refused_announced_or_not() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    // Announced: refused by its own word, before a byte of it has come.
    let announced = channel.delivery(2).head("Content-Length: 1000000000\r\n");
    let answer = raw(place.address, &announced).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    // In chunks: refused when it has become too long, though it never ends.
    let mut endless = channel.delivery(3).head("Transfer-Encoding: chunked\r\n");
    for _ in 0..12 {
        endless.extend_from_slice(b"400\r\n");
        endless.extend_from_slice(&[b'x'; 0x400]);
        endless.extend_from_slice(b"\r\n");
    }
    let answer = raw(place.address, &endless).await;
    assert!((answer.status, answer.body.contains("too_large")) == (413, true), "{answer:?}");
    // In chunks, and short enough.
    let mut short = channel.delivery(4).head("Transfer-Encoding: chunked\r\n");
    short.extend_from_slice(b"2\r\n{}\r\n0\r\n\r\n");
    assert_eq!(raw(place.address, &short).await.status, 200);
    assert_eq!(numbers(&place, &channel).await, [4]);
}

#[tokio::test]
async fn malformed_bytes_are_refused_and_the_service_goes_on() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let good = channel.delivery(2);
    let replace = |delivery: &Delivery, from: &str, to: &[u8]| {
        let head = delivery.head("Content-Length: 0\r\n");
        let at = head.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        [&head[..at], to, &head[at + from.len()..]].concat()
    };
    // Bytes that no header may hold, and such as are no text: the value counts as missing.
    let table: [(&str, &[u8], u16); 6] = [
        ("X-Goog-Message-Number: 2", b"X-Goog-Message-Number: \xff\xfe", 400),
        ("X-Goog-Message-Number: 2", b"X-Goog-Message-Number: \0", 400),
        ("X-Goog-Message-Number: 2", b"X-Goog-Message-Number 2", 400),
        (&channel.channel, b"\xc3\x28", 400),
        (TOKEN, b"\xff\xff\xff", 403),
        ("HTTP/1.1", b"HTTP/9.9", 400),
    ];
    for (from, to, status) in table {
        let answer = raw(place.address, &replace(&good, from, to)).await;
        assert_eq!(answer.status, status, "{:?}: {answer:?}", String::from_utf8_lossy(to));
    }
    let crowd = "X-More: x\r\n".repeat(5_000);
    let answer = raw(place.address, &good.head(&crowd)).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    // A client that goes away in the middle, and one that sends no HTTP at all.
    drop(tokio::net::TcpStream::connect(place.address).await.unwrap());
    let nonsense = raw(place.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert_eq!(nonsense.status, 400);
    assert_eq!(good.post(&place).await.status, 200);
    assert_eq!(numbers(&place, &channel).await, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_are_welcome_and_make_one_row() {
    let place = Place::new();
    let channels = seed(&place, 2).await;
    let _serving = place.serve().await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..24 {
        for channel in &channels {
            let (delivery, url) = (channel.delivery(9), place.url(&channel.delivery(9).path));
            posts.spawn(async move {
                let mut request = crate::web::client().post(url);
                for (name, value) in &delivery.headers {
                    request = request.header(name, value);
                }
                request.send().await.unwrap().status().as_u16()
            });
        }
    }
    assert_eq!(posts.join_all().await, [200; 48], "all at once");
    assert_eq!(channels[0].delivery(9).post(&place).await.status, 200, "and one after the other");
    for channel in &channels {
        assert_eq!(numbers(&place, channel).await, [9], "a number is its channel's own");
    }
}
