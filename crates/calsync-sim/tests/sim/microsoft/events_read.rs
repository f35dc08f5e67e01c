//! microsoft.md §4.1 and §4.3: lists, views, instances, ids and zones on read.

use calsync_sim::cloud::calendar::AccessRole;
use calsync_sim::cloud::content::{Content, Visibility};
use calsync_sim::cloud::event::Slot;
use serde_json::{Value, json};

use super::stage::{Microsoft, code, get, hour, id, main_of};
use crate::stage::{TEAM, content, ts};

const VIEW: &str = "me/calendarView?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z";

fn rows(page: &Value) -> &Vec<Value> {
    page["value"].as_array().unwrap()
}

/// A daily series of four from 2 November, its second occurrence moved, its third cancelled.
fn series(ms: &Microsoft) -> String {
    let id = ms.person(|cloud, cal, now| {
        let series =
            cloud.create_event(cal, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=4"), now).unwrap();
        let slot = |day: u8| Slot::At(ts(&format!("2026-11-{day:02}T09:00:00Z")));
        let to = content("", 3);
        cloud
            .move_occurrence(
                cal,
                (&series.id, slot(3)),
                (
                    to.end.clone(),
                    calsync_sim::cloud::content::When::at(ts("2026-11-03T11:00:00Z"), "Europe/Vienna"),
                ),
                now,
            )
            .unwrap();
        cloud.cancel_occurrence(cal, &series.id, slot(4), now).unwrap();
        series.id.clone()
    });
    ms.id(&id)
}

#[test]
fn row_events_are_singles_and_masters_and_a_view_is_expanded() {
    let ms = Microsoft::new();
    series(&ms);
    ms.create(&hour("one", 20));
    let types =
        |page: &Value| rows(page).iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut events = types(&ms.good("me/events"));
    events.sort();
    assert_eq!(events, ["seriesMaster", "singleInstance"]);
    let view = ms.good(VIEW);
    assert_eq!(
        types(&view),
        ["occurrence", "exception", "occurrence", "singleInstance"],
        "cancelled ones are absent"
    );
    let first = &rows(&view)[0];
    for key in ["subject", "showAs", "iCalUId", "organizer", "seriesMasterId", "changeKey"] {
        assert!(!first[key].is_null(), "{key}: a view has whole events");
    }
    assert_ne!(rows(&view)[0]["iCalUId"], rows(&view)[2]["iCalUId"], "different per occurrence");
    assert_eq!(rows(&view)[0]["uid"], rows(&view)[2]["uid"], "the same for the series");
}

#[test]
fn row_page_size_is_ten_and_skip_is_positional() {
    let ms = Microsoft::new();
    for day in 1..=12 {
        ms.create(&hour("x", day));
    }
    let page = ms.good(VIEW);
    assert_eq!(rows(&page).len(), 10);
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.contains("$skip=10") && next.contains("startDateTime=2026-11-01"), "{next}");
    assert_eq!(rows(&ms.good(&next[next.find("me/").unwrap()..])).len(), 2);
    assert_eq!(rows(&ms.good(&format!("{VIEW}&$top=100"))).len(), 12);
    let (_, few) = ms.send(get(VIEW).header("prefer", "odata.maxpagesize=3"));
    assert_eq!(rows(&few).len(), 3);
    assert_eq!(ms.get(&format!("{VIEW}&$top=nonsense")).0, 400);
}

#[test]
fn row_a_view_needs_both_ends_and_no_more_than_1825_days() {
    let ms = Microsoft::new();
    for target in [
        "me/calendarView",
        "me/calendarView?startDateTime=2026-11-01T00:00:00Z",
        "me/calendarView?startDateTime=2026-11-01T00:00:00Z&endDateTime=2032-11-01T00:00:00Z",
        "me/calendarView?startDateTime=soon&endDateTime=2026-12-01T00:00:00Z",
    ] {
        let (status, body) = ms.get(target);
        assert_eq!((status, code(&body)), (400, "ErrorInvalidRequest"), "{target}");
    }
    ms.create(&hour("x", 2));
    let local = "me/calendarView?startDateTime=2026-11-02T09:30:00&endDateTime=2026-11-02T10:00:00";
    let (_, page) = ms.send(get(local).header("prefer", "outlook.timezone=\"Asia/Tokyo\""));
    assert_eq!(rows(&page).len(), 1, "no offset is UTC, whatever zone is preferred");
}

#[test]
fn row_instances_of_a_series() {
    let ms = Microsoft::new();
    let master = series(&ms);
    let range = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z";
    let page = ms.good(&format!("me/events/{master}/instances?{range}"));
    assert_eq!(rows(&page).len(), 3);
    assert!(rows(&page).iter().all(|e| e["seriesMasterId"] == master.as_str()));
    assert_eq!(ms.get(&format!("me/events/{master}/instances")).0, 400);
    let single = ms.create(&hour("x", 20));
    assert_eq!(ms.get(&format!("me/events/{}/instances?{range}", id(&single))).0, 400);
}

#[test]
fn row_cancelled_and_changed_instances_of_a_master() {
    let ms = Microsoft::new();
    let master = series(&ms);
    let one = ms.good(&format!(
        "me/events/{master}?$select=cancelledOccurrences,exceptionOccurrences&$expand=exceptionOccurrences"
    ));
    assert_eq!(one["cancelledOccurrences"], json!([format!("OID.{master}.2026-11-04")]));
    assert_eq!(one["exceptionOccurrences"][0]["type"], "exception");
    assert!(one["@odata.etag"].is_string() && one["subject"].is_null(), "$select still gives the etag");
}

#[test]
fn row_a_masters_times_are_its_first_and_its_pattern_is_outlooks() {
    let ms = Microsoft::new();
    let body = json!({
        "subject": "s",
        "start": {"dateTime": "2024-01-08T10:00:00", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2024-01-08T10:30:00", "timeZone": "W. Europe Standard Time"},
        "recurrence": {
            "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
            "range": {"type": "noEnd", "startDate": "2024-01-08"},
        },
    });
    let master = ms.create(&body);
    assert_eq!(
        (&master["type"], &master["start"]["dateTime"]),
        (&json!("seriesMaster"), &json!("2024-01-08T09:00:00.0000000"))
    );
    assert_eq!(master["recurrence"]["pattern"]["dayOfMonth"], 0, "unused numbers are 0");
    assert_eq!(master["recurrence"]["range"]["recurrenceTimeZone"], "W. Europe Standard Time");
    assert_eq!(master["originalStartTimeZone"], "W. Europe Standard Time");
    let view = ms.good(VIEW);
    let starts: Vec<_> = rows(&view).iter().map(|e| e["start"]["dateTime"].as_str().unwrap()).collect();
    assert_eq!(starts.len(), 5);
    assert_eq!(starts[0], "2026-11-02T09:00:00.0000000");
}

#[test]
fn row_read_zone_is_utc_unless_preferred() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("x", 2));
    for (zone, want) in [
        ("Europe/Vienna", "2026-11-02T10:00:00.0000000"),
        ("Tokyo Standard Time", "2026-11-02T18:00:00.0000000"),
    ] {
        let (_, seen) = ms.send(
            get(&format!("me/events/{}", id(&event)))
                .header("prefer", &format!("outlook.timezone=\"{zone}\"")),
        );
        assert_eq!(seen["start"], json!({"dateTime": want, "timeZone": zone}));
    }
}

#[test]
fn row_immutable_ids_follow_a_move_and_default_ids_do_not() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("x", 2));
    let immutable = |target: &str| ms.send(get(target).header("prefer", "IdType=\"ImmutableId\""));
    let (_, seen) = immutable(&format!("me/events/{}", id(&event)));
    assert_ne!(seen["id"], event["id"], "the two forms do not compare equal");
    let stored = ms.person(|cloud, cal, _| cloud.live_events(cal)[0].id.clone());
    ms.person(|cloud, cal, now| cloud.move_to_calendar(cal, &TEAM.into(), &stored, now).unwrap());
    assert_eq!(ms.get(&format!("me/events/{}", id(&event))).0, 404);
    let (status, moved) = immutable(&format!("me/events/{}", id(&seen)));
    assert_eq!((status, &moved["id"]), (200, &seen["id"]));
    let body = json!({"inputIds": [id(&seen), "junk"], "sourceIdType": "restImmutableEntryId", "targetIdType": "restId"});
    let (_, both) = ms.write("POST", "me/translateExchangeIds", &body);
    assert_eq!(ms.get(&format!("me/events/{}", both["value"][0]["targetId"].as_str().unwrap())).0, 200);
    assert!(both["value"][1]["errorDetails"].is_object());
}

#[test]
fn row_filters_and_orders() {
    let ms = Microsoft::new();
    for (subject, day) in [("b", 2), ("a", 3), ("c", 4)] {
        ms.create(&hour(subject, day));
    }
    let subjects = |query: &str| {
        rows(&ms.good(&format!("me/events?{query}")))
            .iter()
            .map(|e| e["subject"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(subjects("$orderby=subject"), "abc");
    assert_eq!(subjects("$orderby=start/dateTime%20desc"), "cab");
    assert_eq!(subjects("$filter=start/dateTime%20ge%20'2026-11-03T00:00:00'&$orderby=start/dateTime"), "ac");
    assert_eq!(ms.get("me/events?$filter=nonsense").1["error"]["code"], "ErrorInvalidUrlQueryFilter");
}

#[test]
fn row_a_meeting_that_its_organizer_cancelled_still_stands() {
    let ms = Microsoft::new();
    let stored = ms.person(|cloud, cal, now| cloud.create_event(cal, content("x", 2), now).unwrap());
    let cancel = |c: &mut Content| c.outlook.cancelled_by_organizer = true;
    ms.person(|cloud, cal, now| cloud.edit_event(cal, &stored.id, now, cancel).unwrap());
    assert_eq!(ms.good(&format!("me/events/{}", ms.id(&stored.id)))["isCancelled"], true);
}

#[test]
fn row_private_events_of_shared_calendars_show_no_words() {
    let ms = Microsoft::new();
    let (bobs, now) = (main_of(&ms.bob), ms.clock.now());
    let mut secret = content("Secret", 2);
    secret.visibility = Visibility::Private;
    ms.face.cloud().with(|cloud| {
        cloud.create_event(&bobs, secret, now).unwrap();
        cloud.create_event(&bobs, content("Open", 3), now).unwrap();
        cloud.share(&bobs, &ms.ann, Some(AccessRole::Reader), now).unwrap();
        cloud.edit_list(&ms.ann, &bobs, now, |_| ()).unwrap();
    });
    let shared = ms.face.calendar_id_for(&ms.ann, &bobs);
    let list = ms.good(&format!("me/calendars/{shared}/events"));
    assert_eq!(rows(&list).len(), 2);
    assert!(list.to_string().contains("Open") && !list.to_string().contains("Secret"), "{list}");
}
