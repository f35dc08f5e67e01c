//! Handshake, changes and lifecycle events (microsoft.md §8.1 to §8.3); and whatever else may be posted.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Ts = Ts::from_secs(1_794_902_400);

fn change() -> Value {
    json!({
        "subscriptionId": "8b1c0000-0000-4000-8000-000000000001", "subscriptionExpirationDateTime": "2026-11-08T00:00:00+00:00",
        "changeType": "updated", "resource": "Users/u1/Events/AAMk1", "clientState": "hunter2", "tenantId": "t1",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "@odata.id": "Users/u1/Events/AAMk1",
            "@odata.etag": "W/\"DwAA\"", "id": "AAMk1"},
    })
}

fn lifecycle(event: &str) -> Value {
    json!({
        "subscriptionId": "8b1c0000-0000-4000-8000-000000000001", "subscriptionExpirationDateTime": "2026-11-08T00:00:00Z",
        "tenantId": "t1", "clientState": "hunter2", "lifecycleEvent": event,
    })
}

fn with(mut item: Value, name: &str, value: Value) -> Value {
    item[name] = value;
    item
}

fn read_at(items: &[Value], now: Ts) -> Deliveries {
    parse(json!({"value": items}).to_string().as_bytes(), now).unwrap()
}

fn read(items: &[Value]) -> Deliveries {
    read_at(items, NOW)
}

fn key_of(item: &Value, now: Ts) -> String {
    read_at(std::slice::from_ref(item), now).items[0].claim.notification_id.clone()
}

#[test]
fn a_change_is_read() {
    let read = read(&[change()]);
    let Delivery { claim, news } = &read.items[0];
    assert_eq!(
        (claim.channel.as_str(), *news),
        ("8b1c0000-0000-4000-8000-000000000001", ChannelNews::Nothing)
    );
    assert_eq!((claim.resource.as_str(), claim.wants), (claim.channel.as_str(), Wants::Sync));
    assert_eq!(claim.token, Some(Secret::new("hunter2")));
    assert!(claim.notification_id.len() <= calsync_core::notification::NOTIFICATION_ID_MAX);
    let kept = format!("{} {}", claim.payload, claim.headers);
    assert!(!kept.contains("hunter2") && !kept.contains("u1"), "{kept}");
    assert!(!format!("{read:?}").contains("hunter2"));
}

#[test]
fn each_item_is_a_claim_of_its_own_and_a_bad_one_costs_only_itself() {
    let forged = with(change(), "clientState", json!("wrong"));
    let other = with(change(), "subscriptionId", json!("another"));
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"subscriptionId": 5}),
        json!({"subscriptionId": " "}),
    ];
    let nameless = with(change(), "subscriptionId", json!("a b"));
    let items = [&odd[..], &[change(), nameless, forged, other, lifecycle("missed")]].concat();
    let read = read(&items);
    assert_eq!((read.items.len(), read.unreadable), (4, 7));
    let tokens: Vec<_> = read.items.iter().map(|d| d.claim.token.clone().unwrap()).collect();
    assert_eq!(tokens[1], Secret::new("wrong"), "whether it is believed is not ours to say");
}

#[test]
fn what_lifecycle_events_say() {
    let table = [
        ("reauthorizationRequired", ChannelNews::RenewNow),
        ("subscriptionRemoved", ChannelNews::Ended),
        ("missed", ChannelNews::Missed),
        ("somethingNew", ChannelNews::Missed),
    ];
    for (event, news) in table {
        let read = read(&[lifecycle(event)]);
        assert_eq!((read.items[0].news, read.items[0].claim.wants), (news, Wants::Sync), "{event}");
    }
}

#[test]
fn a_delivery_repeated_has_the_same_key_and_another_change_has_another() {
    let later = NOW.plus(jiff::SignedDuration::from_hours(4));
    let other_etag = with(change(), "resourceData", json!({"id": "AAMk1", "@odata.etag": "W/\"DwAB\""}));
    let other_event = with(change(), "resourceData", json!({"id": "AAMk2", "@odata.etag": "W/\"DwAA\""}));
    let deleted = with(change(), "changeType", json!("deleted"));
    let gone = with(with(change(), "changeType", json!("deleted")), "resourceData", json!({"id": "AAMk1"}));
    let elsewhere = with(change(), "subscriptionId", json!("another"));
    let named = with(change(), "id", json!("n1"));
    let named_again = with(change(), "id", json!("n2"));
    let all = [change(), other_etag, other_event, deleted, gone, elsewhere, named, named_again];
    for (n, item) in all.iter().enumerate() {
        assert_eq!(key_of(item, NOW), key_of(item, later), "redelivered within four hours: {item}");
        for other in &all[n + 1..] {
            assert_ne!(key_of(item, NOW), key_of(other, NOW), "{item} {other}");
        }
    }
    // Noise about the same item differs in nothing that counts.
    let renamed =
        with(with(change(), "resource", json!("users('u1')/events('AAMk1')")), "tenantId", json!("t2"));
    assert_eq!(key_of(&change(), NOW), key_of(&renamed, NOW));
}

#[test]
fn what_cannot_be_told_apart_is_not_swallowed() {
    let soon = NOW.plus(jiff::SignedDuration::from_secs(5));
    let later = NOW.plus(jiff::SignedDuration::from_mins(2));
    let bare = with(change(), "resourceData", Value::Null);
    for item in
        [lifecycle("missed"), lifecycle("subscriptionRemoved"), lifecycle("reauthorizationRequired"), bare]
    {
        assert_eq!(key_of(&item, NOW), key_of(&item, soon), "doubled at once: {item}");
        assert_ne!(key_of(&item, NOW), key_of(&item, later), "a second one counts: {item}");
    }
}

#[test]
fn refusals_have_codes() {
    let many = json!({"value": vec![json!({}); ITEMS_MAX + 1]}).to_string();
    let table: [(&[u8], Refusal); 8] = [
        (b"", Refusal::NotNotifications),
        (b"{}", Refusal::NotNotifications),
        (b"[]", Refusal::NotNotifications),
        (b"{\"value\":5}", Refusal::NotNotifications),
        (b"{\"value\":[{]}", Refusal::NotNotifications),
        (b"\xff\xfe", Refusal::NotNotifications),
        (&vec![b' '; BODY_MAX + 1], Refusal::BodyTooLarge),
        (many.as_bytes(), Refusal::TooManyItems),
    ];
    for (body, refusal) in table {
        assert_eq!(parse(body, NOW), Err(refusal), "{:.40}", String::from_utf8_lossy(body));
        assert!(matches!(refusal.status(), 400 | 413) && !refusal.code().is_empty());
    }
    assert_eq!(parse(b"{\"value\":[]}", NOW), Ok(Deliveries::default()));
    assert_eq!(parse(b"{\"value\":[],\"validationTokens\":[\"x\"]}", NOW), Ok(Deliveries::default()));
}

#[test]
fn a_body_of_a_megabyte_is_read() {
    let items = 1_100;
    let read = read(&vec![change(); items]);
    assert_eq!(read.items.len(), items);
    let keys: std::collections::BTreeSet<_> = read.items.iter().map(|d| &d.claim.notification_id).collect();
    assert_eq!(keys.len(), 1, "said a thousand times, it is said once");
}

#[test]
fn the_handshake_is_answered_with_the_token_decoded_once() {
    let table = [
        ("", None),
        ("a=b", None),
        ("validationtoken=x", None),
        (
            "validationToken=Validation%3A+Testing+client+application+reachability",
            Some(Ok("Validation: Testing client application reachability")),
        ),
        ("source=graph&validationToken=abc%2Fdef%3D%3D", Some(Ok("abc/def=="))),
        ("validationToken=%2541", Some(Ok("%41"))),
        ("validationToken=a&validationToken=b", Some(Ok("a"))),
        ("validationToken=", Some(Err(Refusal::BadValidationToken))),
        ("validationToken=%3Cscript%3Ealert(1)%3C/script%3E", Some(Err(Refusal::BadValidationToken))),
        ("validationToken=<b>", Some(Err(Refusal::BadValidationToken))),
        ("validationToken=a%0D%0ASet-Cookie:%20x", Some(Err(Refusal::BadValidationToken))),
        ("validationToken=%00", Some(Err(Refusal::BadValidationToken))),
        ("validationToken=%FF", Some(Err(Refusal::BadValidationToken))),
    ];
    for (query, expected) in table {
        assert_eq!(validation_token(query), expected.map(|e| e.map(str::to_owned)), "{query}");
    }
    let token = |len: usize| validation_token(&format!("validationToken={}", "x".repeat(len)));
    assert!(matches!(token(VALIDATION_TOKEN_MAX), Some(Ok(_))));
    for len in [VALIDATION_TOKEN_MAX + 1, 10 * 1024, 1024 * 1024] {
        assert_eq!(token(len), Some(Err(Refusal::BadValidationToken)), "{len}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("updated")),
        Just(json!("missed")),
    ];
    let keys = prop::sample::select(vec![
        "subscriptionId",
        "clientState",
        "id",
        "changeType",
        "lifecycleEvent",
        "resourceData",
        "@odata.etag",
        "value",
        "subscriptionExpirationDateTime",
    ]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_breaks_it(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = parse(&body, NOW);
    }

    #[test]
    fn whatever_the_items_are_the_good_one_is_read(items in prop::collection::vec(any_value(), 0..6), at in 0_usize..6) {
        let mut all = items.clone();
        all.insert(at.min(items.len()), change());
        let read = read(&all);
        prop_assert_eq!(read.items.len() + read.unreadable, all.len());
        prop_assert!(read.items.iter().any(|d| d.claim.token == Some(Secret::new("hunter2"))));
        for Delivery { claim, .. } in &read.items {
            prop_assert!(claim.notification_id.len() <= 64 && claim.channel.len() <= ID_MAX);
            prop_assert!(claim.payload.to_string().len() <= 8 * KEPT_MAX * 6);
        }
    }

    #[test]
    fn no_query_breaks_the_handshake(query in any::<String>()) {
        if let Some(Ok(token)) = validation_token(&query) {
            prop_assert!(token.len() <= VALIDATION_TOKEN_MAX);
            prop_assert!(!token.contains(['<', '>', '\r', '\n', '\0']));
        }
    }

    #[test]
    fn any_plain_token_comes_back_unchanged(token in "[A-Za-z0-9 :/+=%.,-]{1,200}") {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("validationToken", &token).finish();
        prop_assert_eq!(validation_token(&query), Some(Ok(token)));
    }
}

#[test]
fn what_stands_in_brackets_is_no_collection_and_no_item() {
    let now = Ts::from_secs(0);
    for body in ["[[]]", "[[{\"subscriptionId\":\"s\"}]]", " [[]]"] {
        assert_eq!(parse(body.as_bytes(), now), Err(Refusal::NotNotifications), "{body}");
    }
    let read = parse(br#"{"value":[["s","state"],{"subscriptionId":"s"}]}"#, now).unwrap();
    assert_eq!((read.items.len(), read.unreadable), (1, 1));
}
