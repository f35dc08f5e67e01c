//! What goes wrong on purpose at Graph's side: each fault does what its contract row says, and nothing else.

use calsync_sim::faults::Fault;
use calsync_sim::microsoft::{ApiRequest, Reply};
use serde_json::json;

use super::stage::{Microsoft, NOVEMBER, code, get, hour, id, kind};
use crate::stage::TOKEN;

fn count(ms: &Microsoft) -> usize {
    ms.person(|cloud, cal, _| cloud.live_events(cal).len())
}

#[test]
fn fault_an_ambiguous_create_is_mended_by_its_transaction_id() {
    let ms = Microsoft::new();
    let mut body = hour("x", 2);
    body["transactionId"] = json!("calsync-1");
    ms.faults.force(Fault::ErrorBefore, 1);
    assert!(ms.write("POST", "me/events", &body).0 >= 500);
    assert_eq!(count(&ms), 0);
    ms.faults.force(Fault::ErrorAfterWrite, 1);
    assert!(ms.write("POST", "me/events", &body).0 >= 500);
    assert_eq!(count(&ms), 1, "it took effect");
    let request = ApiRequest::new("POST", "/v1.0/me/events").bearer(TOKEN).json(&body);
    ms.faults.force(Fault::DropAfterWrite, 1);
    assert_eq!(ms.reply(&request), Reply::Dropped);
    ms.faults.force(Fault::DropBefore, 1);
    assert_eq!(ms.reply(&request), Reply::Dropped);
    assert_eq!(ms.write("POST", "me/events", &body).0, 201);
    assert_eq!(count(&ms), 1, "one event all the while");
    ms.faults.force(Fault::ErrorAfterWrite, 1);
    assert_eq!(ms.get("me/events").0, 200, "reads are not writes");
}

#[test]
fn fault_an_expired_token_stays_expired() {
    let ms = Microsoft::new();
    let token = ms.face.mint_token(&ms.ann, "app", "User.Read").unwrap();
    ms.faults.force(Fault::TokenExpired, 1);
    let ask = || ms.send_as(&token, get("me")).0;
    assert_eq!([ask(), ask()], [401, 401]);
}

#[test]
fn fault_replication_lag_hides_a_new_event_once_and_a_delta_may_lag() {
    let ms = Microsoft::new();
    ms.faults.force(Fault::ReplicationLag, 1);
    let event = ms.create(&hour("x", 2));
    let target = format!("me/events/{}", id(&event));
    let (status, body) = ms.get(&target);
    assert_eq!((status, code(&body), ms.get(&target).0), (404, "ErrorItemNotFound", 200));
    let round = ms.round(NOVEMBER, "");
    ms.create(&hour("y", 3));
    ms.faults.force(Fault::DeltaLag, 1);
    let empty = ms.round(&round.link, "");
    assert!(empty.items.is_empty(), "an empty round proves nothing");
    assert_eq!(ms.round(&empty.link, "").kinds(), ["singleInstance"], "and loses nothing");
}

#[test]
fn fault_short_and_empty_pages_lose_nothing() {
    let ms = Microsoft::new();
    let start = ms.round(NOVEMBER, "").link;
    for day in 1..=20 {
        ms.create(&hour("x", day));
    }
    for fault in [Fault::ShortPage, Fault::EmptyPage] {
        ms.faults.set_rate(fault, 500_000);
    }
    for from in [NOVEMBER, &start] {
        let round = ms.round(from, "odata.maxpagesize=6");
        let mut ids: Vec<_> = round.items.iter().map(|e| id(e).to_owned()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), round.items.len()), (20, 20));
        assert!(round.pages.contains(&0), "{:?}", round.pages);
    }
}

#[test]
fn fault_items_come_twice_the_older_first_and_strangers_are_removed() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("old", 2));
    let link = ms.round(NOVEMBER, "").link;
    ms.write("PATCH", &format!("me/events/{}", id(&event)), &json!({"subject": "new"}));
    ms.faults.force(Fault::DuplicateItem, 1);
    ms.faults.force(Fault::StrayRemoval, 1);
    let round = ms.round(&link, "");
    assert_eq!(kind(&round.items[0]), "removed");
    let subjects: Vec<_> = round.items[1..].iter().map(|e| e["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["old", "new"], "the last one wins");
    assert_eq!(round.items[1]["id"], round.items[2]["id"]);
}

#[test]
fn fault_the_server_touches_what_was_written() {
    let ms = Microsoft::new();
    ms.faults.force(Fault::ServerTouch, 1);
    let event = ms.create(&hour("x", 2));
    let again = ms.good(&format!("me/events/{}", id(&event)));
    assert_ne!(again["@odata.etag"], event["@odata.etag"], "another etag");
    assert_eq!(
        (&again["subject"], &again["start"]),
        (&event["subject"], &event["start"]),
        "and nothing else"
    );
}
