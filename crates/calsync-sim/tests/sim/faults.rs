//! What goes wrong on purpose: each fault does what its contract row says, and nothing else.

use calsync_sim::faults::Fault;
use calsync_sim::google::{ApiRequest, Reply};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::stage::{Google, TOKEN, content, hour, reason, ts};

const EVENTS: &str = "calendars/primary/events";

fn count(google: &Google) -> usize {
    google.person(|cloud, cal, _| cloud.live_events(cal).len())
}

#[test]
fn fault_error_before_does_nothing_and_error_after_write_has_done_it() {
    let google = Google::new();
    google.faults.force(Fault::ErrorBefore, 1);
    let (status, body) = google.write("POST", EVENTS, &hour("x", 2));
    assert!(matches!(status, 500 | 503) && reason(&body) == "backendError");
    assert_eq!(count(&google), 0);
    google.faults.force(Fault::ErrorAfterWrite, 1);
    assert!(matches!(google.write("POST", EVENTS, &hour("x", 2)).0, 500 | 503));
    assert_eq!(count(&google), 1, "it took effect");
    google.faults.force(Fault::ErrorAfterWrite, 1);
    assert_eq!(google.get(EVENTS).0, 200, "reads are not writes");
}

#[test]
fn fault_drop_before_and_after() {
    let google = Google::new();
    let request =
        ApiRequest::new("POST", &format!("/calendar/v3/{EVENTS}")).bearer(TOKEN).json(&hour("x", 2));
    for (fault, made) in [(Fault::DropBefore, 0), (Fault::DropAfterWrite, 1)] {
        google.faults.force(fault, 1);
        assert_eq!(google.face.reply(&request), Reply::Dropped);
        assert_eq!(count(&google), made);
    }
}

#[test]
fn fault_rates_and_expired_tokens() {
    let google = Google::new();
    google.faults.force(Fault::TooManyRequests, 1);
    let (status, body) = google.get("colors");
    assert_eq!((status, reason(&body)), (429, "rateLimitExceeded"));
    google.faults.force(Fault::RateLimited, 1);
    let (status, body) = google.get("colors");
    assert!(status == 403 && reason(&body).ends_with("ateLimitExceeded"));
    let scope = "https://www.googleapis.com/auth/calendar";
    let token = google.face.mint_token(&"ann@example.com".into(), "app", scope).unwrap();
    let ask = || google.ask(&ApiRequest::new("GET", "/calendar/v3/colors").bearer(&token)).status;
    google.faults.force(Fault::TokenExpired, 1);
    assert_eq!([ask(), ask()], [401, 401], "and stays so");
}

#[test]
fn fault_sync_token_lost() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    google.faults.force(Fault::SyncTokenLost, 1);
    let (status, body) = google.get(&format!("{EVENTS}?syncToken={token}"));
    assert_eq!((status, reason(&body)), (410, "fullSyncRequired"));
}

#[test]
fn fault_short_and_empty_pages_lose_nothing() {
    let google = Google::new();
    for day in 1..=20 {
        google.insert(&hour("x", day));
    }
    let token = google.walk("maxResults=1").1.unwrap();
    google.person(|cloud, cal, now| {
        for event in cloud.live_events(cal) {
            cloud.cancel_event(cal, &event.id, now).unwrap();
        }
    });
    for fault in [Fault::ShortPage, Fault::EmptyPage] {
        google.faults.set_rate(fault, 500_000);
    }
    for query in ["showDeleted=true", "showDeleted=true&singleEvents=true", &format!("syncToken={token}")] {
        let (items, next) = google.walk(&format!("maxResults=6&{query}"));
        let mut ids: Vec<_> = items.iter().map(|e| e["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() == 20 && items.len() == 20 && next.is_some(), "{query}: {}", items.len());
    }
    google.faults.force(Fault::EmptyPage, 1);
    let page = google.good(&format!("{EVENTS}?showDeleted=true"));
    assert!(page["items"].is_null() && page["nextPageToken"].is_string() && page["nextSyncToken"].is_null());
    assert!(google.faults.fired()[&Fault::EmptyPage] > 1);
}

#[test]
fn fault_replication_lag_hides_a_new_event_once() {
    let google = Google::new();
    google.faults.force(Fault::ReplicationLag, 1);
    let event = google.insert(&hour("x", 2));
    let target = format!("{EVENTS}/{}", event["id"].as_str().unwrap());
    assert_eq!([google.get(&target).0, google.get(&target).0], [404, 200]);
}

#[test]
fn fault_duplicate_items_are_told_apart_by_updated() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    let event = google.insert(&hour("old", 2));
    google.clock.advance(SignedDuration::from_secs(10));
    google.write("PATCH", &format!("{EVENTS}/{}", event["id"].as_str().unwrap()), &json!({"summary": "new"}));
    google.faults.force(Fault::DuplicateItem, 1);
    let (items, _) = google.walk(&format!("syncToken={token}"));
    assert_eq!(items.len(), 2);
    let latest = items.iter().max_by_key(|e| e["updated"].as_str().unwrap().to_owned()).unwrap();
    assert_eq!(latest["summary"], "new");
    assert!(items.iter().any(|e| e["summary"] == "old"));
}

#[test]
fn fault_exceptions_come_before_or_without_their_master() {
    let google = Google::new();
    let series = google.person(|cloud, cal, now| {
        let series =
            cloud.create_event(cal, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=3"), now).unwrap();
        let slot = calsync_sim::cloud::event::Slot::At(ts("2026-11-03T09:00:00Z"));
        cloud.cancel_occurrence(cal, &series.id, slot, now).unwrap();
        series
    });
    google.faults.force(Fault::ExceptionsFirst, 1);
    let (items, _) = google.walk("");
    assert_eq!(items[0]["recurringEventId"], series.id.as_str());
    let page: Value = google.good(&format!("{EVENTS}?maxResults=1"));
    assert_eq!(page["items"][0]["id"], series.id.as_str(), "a page of the master without its exception");
}
