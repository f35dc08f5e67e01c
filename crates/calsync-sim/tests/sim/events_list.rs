//! google.md §4 (events.list, sync tokens) and §7 (recurrence in lists).

use calsync_sim::cloud::content::EventType;
use calsync_sim::cloud::event::{Event, Slot};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::stage::{Google, content, fields, hour, reason, ts};

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
}

fn starts(items: &[Value]) -> Vec<&str> {
    items.iter().map(|e| e["start"]["dateTime"].as_str().unwrap()).collect()
}

fn weekly(google: &Google) -> String {
    let series = google.person(|cloud, cal, now| {
        cloud.create_event(cal, content("Weekly", 2).repeating("RRULE:FREQ=WEEKLY;COUNT=4"), now).unwrap()
    });
    series.id.to_string()
}

fn slot(day: u8) -> Slot {
    Slot::At(ts(&format!("2026-11-{day:02}T09:00:00Z")))
}

#[test]
fn row_max_results_default_250_cap_2500() {
    let google = Google::new();
    google.person(|cloud, cal, now| {
        for _ in 0..2_600 {
            cloud.create_event(cal, content("x", 3), now).unwrap();
        }
    });
    let count = |query: &str| {
        let page = google.good(&format!("calendars/primary/events?{query}"));
        (page["items"].as_array().unwrap().len(), page["nextPageToken"].is_string())
    };
    assert_eq!(count(""), (250, true));
    assert_eq!(count("maxResults=9999"), (2_500, true));
    assert_eq!(count("maxResults=1"), (1, true));
    for bad in ["0", "-1", "x"] {
        assert_eq!(google.get(&format!("calendars/primary/events?maxResults={bad}")).0, 400);
    }
    let (all, token) = google.walk("maxResults=700");
    assert!(all.len() == 2_600 && token.is_some());
}

#[test]
fn row_next_sync_token_only_on_the_last_page_and_changes_while_paging_are_not_lost() {
    let google = Google::new();
    let made: Vec<_> =
        (1..=5).map(|day| google.insert(&hour("x", day))["id"].as_str().unwrap().to_owned()).collect();
    let first = google.good("calendars/primary/events?maxResults=2&showDeleted=true");
    assert!(first["nextPageToken"].is_string() && first["nextSyncToken"].is_null());
    // Between two pages one event goes and one comes.
    let gone = ids(first["items"].as_array().unwrap())[0].clone();
    google.write("DELETE", &format!("calendars/primary/events/{gone}"), &Value::Null);
    let new = google.insert(&hour("new", 9))["id"].as_str().unwrap().to_owned();
    let mut page = first;
    while let Some(token) = page["nextPageToken"].as_str() {
        page =
            google.good(&format!("calendars/primary/events?maxResults=2&showDeleted=true&pageToken={token}"));
    }
    let token = page["nextSyncToken"].as_str().unwrap();
    let (delta, _) = google.walk(&format!("showDeleted=true&syncToken={token}"));
    let delta = ids(&delta);
    assert!(delta.contains(&gone) && delta.contains(&new) && delta.len() == 2, "{delta:?} of {made:?}");
}

#[test]
fn row_parameters_that_are_illegal_with_a_sync_token() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    for query in [
        "iCalUID=x",
        "orderBy=updated",
        "privateExtendedProperty=a%3Db",
        "sharedExtendedProperty=a%3Db",
        "q=x",
        "timeMin=2026-11-01T00:00:00Z",
        "timeMax=2026-11-01T00:00:00Z",
        "updatedMin=2026-11-01T00:00:00Z",
        "showDeleted=false",
    ] {
        let (status, body) = google.get(&format!("calendars/primary/events?syncToken={token}&{query}"));
        assert_eq!(status, 400, "{query}: {body}");
    }
    let (status, _) = google.get(&format!("calendars/primary/events?syncToken={token}&singleEvents=true"));
    assert_eq!(status, 400, "every other parameter must equal the first request");
    assert_eq!(google.get(&format!("calendars/primary/events?syncToken={token}&maxResults=7")).0, 200);
}

#[test]
fn row_initial_request_may_have_a_window_and_filters_leave_no_token() {
    let google = Google::new();
    let window = "timeMin=2026-11-02T00:00:00Z&timeMax=2026-11-04T00:00:00Z";
    let token = google.walk(window).1.unwrap();
    google.insert(&hour("outside", 20));
    let (delta, _) = google.walk(&format!("syncToken={token}"));
    assert_eq!(delta.len(), 1, "a delta is not limited to the first window (rule 4)");
    for query in ["orderBy=updated", "q=x", "updatedMin=2026-11-01T00:00:00Z", "iCalUID=x"] {
        assert_eq!(google.walk(query).1, None, "{query}");
    }
}

#[test]
fn row_410_full_sync_required_when_the_token_expired_or_rights_changed() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    google.person(|cloud, cal, _| cloud.expire_sync_tokens(cal));
    let (status, body) = google.get(&format!("calendars/primary/events?syncToken={token}"));
    assert_eq!((status, reason(&body)), (410, "fullSyncRequired"));
    assert_eq!(body["error"]["errors"][0]["location"], "syncToken");

    let token = google.walk("").1.unwrap();
    google.person(|cloud, cal, now| cloud.share(cal, &"bob@example.com".into(), None, now).unwrap());
    assert_eq!(google.get(&format!("calendars/primary/events?syncToken={token}")).0, 410);
}

#[test]
fn row_410_on_any_page_voids_the_whole_walk() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    for day in 1..=4 {
        google.insert(&hour("x", day));
    }
    let page = google.good(&format!("calendars/primary/events?maxResults=2&syncToken={token}"));
    let next = page["nextPageToken"].as_str().unwrap();
    let target = format!("calendars/primary/events?maxResults=2&syncToken={token}&pageToken={next}");
    assert_eq!(google.get(&target).0, 200);
    google.person(|cloud, cal, _| cloud.expire_sync_tokens(cal));
    assert_eq!(google.get(&target).0, 410);
}

#[test]
fn row_tokens_belong_to_user_calendar_and_parameters() {
    let google = Google::new();
    let token = google.walk("").1.unwrap();
    assert_eq!(google.get(&format!("calendars/{}/events?syncToken={token}", crate::stage::TEAM)).0, 400);
    assert_eq!(google.get("calendars/primary/events?syncToken=junk").0, 400);
    assert_eq!(google.get("calendars/primary/events?pageToken=junk").0, 400);
}

#[test]
fn row_time_min_and_max_bound_end_and_start_exclusively() {
    let google = Google::new();
    google.insert(&hour("x", 2));
    let found = |from: &str, to: &str| google.walk(&format!("timeMin={from}&timeMax={to}")).0.len();
    assert_eq!(found("2026-11-02T10:00:00Z", "2026-11-03T00:00:00Z"), 0);
    assert_eq!(found("2026-11-02T09:59:59Z", "2026-11-03T00:00:00Z"), 1);
    assert_eq!(found("2026-11-01T00:00:00Z", "2026-11-02T09:00:00Z"), 0);
    assert_eq!(found("2026-11-01T00:00:00Z", "2026-11-02T09:00:01Z"), 1);
    assert_eq!(found("2026-11-01T00:00:00%2B01:00", "2026-11-02T09:00:00.999Z"), 0, "millis are ignored");
    let (status, body) =
        google.get("calendars/primary/events?timeMin=2026-11-02T00:00:00Z&timeMax=2026-11-02T00:00:00Z");
    assert_eq!((status, reason(&body)), (400, "timeRangeEmpty"));
    assert_eq!(
        google.get("calendars/primary/events?timeMin=2026-11-02T00:00:00").0,
        400,
        "offset is mandatory"
    );
}

#[test]
fn row_single_events_false_lists_masters_and_exceptions() {
    let google = Google::new();
    let series = weekly(&google);
    google.person(|cloud, cal, now| {
        cloud.cancel_occurrence(cal, &series.as_str().into(), slot(9), now).unwrap()
    });
    let (items, _) = google.walk("");
    assert_eq!(ids(&items), [series.clone(), format!("{series}_20261109T090000Z")]);
    let cancelled = &items[1];
    assert_eq!(cancelled["status"], "cancelled", "in any case, without showDeleted");
    let keys = fields(cancelled);
    assert_eq!(keys, ["etag", "id", "kind", "originalStartTime", "recurringEventId", "status"]);
    assert_eq!(cancelled["originalStartTime"]["dateTime"], "2026-11-09T10:00:00+01:00");
}

#[test]
fn row_single_events_true_lists_instances_never_masters() {
    let google = Google::new();
    let series = weekly(&google);
    google.person(|cloud, cal, now| {
        cloud.cancel_occurrence(cal, &series.as_str().into(), slot(9), now).unwrap()
    });
    let (items, _) = google.walk("singleEvents=true&orderBy=startTime&maxResults=2");
    let expected = ["2026-11-02T10:00:00+01:00", "2026-11-16T10:00:00+01:00", "2026-11-23T10:00:00+01:00"];
    assert_eq!(starts(&items), expected);
    assert!(items.iter().all(|e| e["recurringEventId"] == series.as_str() && e["recurrence"].is_null()));
    let (items, _) = google.walk("singleEvents=true&showDeleted=true");
    assert_eq!(items.iter().filter(|e| e["status"] == "cancelled").count(), 1);
}

#[test]
fn row_show_deleted_with_single_events_gives_instances_of_deleted_series() {
    let google = Google::new();
    let series = weekly(&google);
    google.person(|cloud, cal, now| cloud.cancel_event(cal, &series.as_str().into(), now).unwrap());
    assert!(google.walk("").0.is_empty() && google.walk("singleEvents=true").0.is_empty());
    assert_eq!(
        ids(&google.walk("showDeleted=true").0),
        [series.as_str()],
        "one master, no item per instance (§7)"
    );
    let (items, _) = google.walk("showDeleted=true&singleEvents=true");
    assert_eq!(items.len(), 4);
    assert!(items.iter().all(|e| e["status"] == "cancelled" && e["recurringEventId"] == series.as_str()));
}

#[test]
fn row_order_by() {
    let google = Google::new();
    for day in [5, 3, 4] {
        google.clock.advance(SignedDuration::from_secs(1));
        google.insert(&hour(&day.to_string(), day));
    }
    let names = |query: &str| {
        let (items, _) = google.walk(query);
        items.iter().map(|e| e["summary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("orderBy=startTime&singleEvents=true&maxResults=1"), ["3", "4", "5"]);
    assert_eq!(names("orderBy=updated&maxResults=2"), ["5", "3", "4"]);
    assert_eq!(google.get("calendars/primary/events?orderBy=startTime").0, 400);
}

#[test]
fn row_updated_min_includes_deletions_and_has_a_limit() {
    let google = Google::new();
    let old = google.insert(&hour("old", 3));
    google.clock.advance(SignedDuration::from_hours(1));
    google.insert(&hour("new", 4));
    google.write(
        "DELETE",
        &format!("calendars/primary/events/{}", old["id"].as_str().unwrap()),
        &Value::Null,
    );
    assert_eq!(google.walk("updatedMin=2026-11-01T08:30:00Z").0.len(), 2);
    assert_eq!(google.walk("updatedMin=2026-11-01T09:00:01Z").0.len(), 0);
    let (status, body) = google.get("calendars/primary/events?updatedMin=2026-09-01T00:00:00Z");
    assert_eq!((status, reason(&body)), (410, "updatedMinTooLongAgo"));
}

#[test]
fn row_event_types_and_the_other_filters() {
    let google = Google::new();
    google.person(|cloud, cal, now| {
        let mut away = content("Away", 3);
        away.event_type = EventType::OutOfOffice;
        cloud.create_event(cal, away, now).unwrap();
    });
    google.insert(&json!({"summary": "Dentist", "location": "Main Street", "start": {"date": "2026-11-05"},
        "end": {"date": "2026-11-06"}, "attendees": [{"email": "carol@example.org"}],
        "extendedProperties": {"private": {"a": "1"}, "shared": {"b": "2"}}}));
    let count = |query: &str| google.walk(query).0.len();
    assert_eq!(count(""), 2);
    assert_eq!(count("eventTypes=default"), 1);
    assert_eq!(count("eventTypes=default&eventTypes=outOfOffice"), 2);
    assert_eq!(count("eventTypes=focusTime"), 0);
    for (query, n) in [
        ("q=dentist", 1),
        ("q=carol+MAIN", 1),
        ("q=nobody", 0),
        ("privateExtendedProperty=a%3D1", 1),
        ("privateExtendedProperty=b%3D2", 0),
        ("sharedExtendedProperty=b%3D2", 1),
        ("privateExtendedProperty=a%3D1&sharedExtendedProperty=b%3D3", 0),
    ] {
        assert_eq!(count(query), n, "{query}");
    }
    assert_eq!(google.get("calendars/primary/events?eventTypes=party").0, 400);
}

#[test]
fn row_time_zone_changes_rendering_only() {
    let google = Google::new();
    google.insert(&hour("x", 2));
    for (query, start, zone) in [
        ("", "2026-11-02T10:00:00+01:00", "Europe/Vienna"),
        ("?timeZone=UTC", "2026-11-02T09:00:00Z", "UTC"),
        ("?timeZone=Asia/Kolkata", "2026-11-02T14:30:00+05:30", "Asia/Kolkata"),
    ] {
        let page = google.good(&format!("calendars/primary/events{query}"));
        assert_eq!(
            (page["items"][0]["start"]["dateTime"].as_str(), page["timeZone"].as_str()),
            (Some(start), Some(zone))
        );
        assert_eq!(page["items"][0]["start"]["timeZone"], "UTC", "what it was written in");
    }
    assert_eq!(google.get("calendars/primary/events?timeZone=Nowhere").0, 400);
}

#[test]
fn row_window_traps_an_exception_counts_where_it_stands() {
    let google = Google::new();
    let series = weekly(&google);
    let moved = google.person(|cloud, cal, now| {
        let to = content("", 30);
        cloud.move_occurrence(cal, (&series.as_str().into(), slot(9)), (to.start, to.end), now).unwrap()
    });
    assert_eq!(moved.id, Event::occurrence_id(&series.as_str().into(), slot(9)));
    let listed = |from: u8, to: u8| {
        ids(&google.walk(&format!("timeMin=2026-11-{from:02}T00:00:00Z&timeMax=2026-11-{to:02}T00:00:00Z")).0)
    };
    assert_eq!(
        listed(8, 11),
        [series.as_str()],
        "moved out: not returned, though the rule has a ghost there"
    );
    let last = google.walk("timeMin=2026-11-29T00:00:00Z").0;
    assert_eq!(ids(&last), [moved.id.as_str()], "moved in: without its master");
}

#[test]
fn row_expanded_delta_tells_a_touched_series_instance_by_instance() {
    let google = Google::new();
    let series = google.person(|cloud, cal, now| {
        cloud.create_event(cal, content("Endless", 2).repeating("RRULE:FREQ=WEEKLY"), now).unwrap()
    });
    let window = "singleEvents=true&timeMin=2026-11-01T00:00:00Z&timeMax=2026-12-01T00:00:00Z";
    let (items, token) = google.walk(window);
    assert_eq!(items.len(), 5);
    google.person(|cloud, cal, now| cloud.edit_event(cal, &series.id, now, |c| c.summary = None).unwrap());
    let (delta, _) = google.walk(&format!("singleEvents=true&maxResults=100&syncToken={}", token.unwrap()));
    assert_eq!(delta.len(), 730, "far beyond the first window (rules 4 and 9)");
}

#[test]
fn row_dst_a_series_keeps_its_wall_clock() {
    let google = Google::new();
    let (status, series) = google.write(
        "POST",
        "calendars/primary/events",
        &json!({
            "start": {"dateTime": "2026-10-24T14:00:00", "timeZone": "Europe/Vienna"},
            "end": {"dateTime": "2026-10-24T15:00:00", "timeZone": "Europe/Vienna"},
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
        }),
    );
    assert_eq!(status, 200, "{series}");
    let found =
        google.good(&format!("calendars/primary/events/{}/instances", series["id"].as_str().unwrap()));
    let found = found["items"].as_array().unwrap();
    let wall = ["2026-10-24T14:00:00+02:00", "2026-10-25T14:00:00+01:00", "2026-10-26T14:00:00+01:00"];
    assert_eq!(starts(found), wall);
}
