//! Every row of google.md §6 and §7 as an item, and arbitrary JSON.

use super::*;
use serde_json::{Value, json};

mod arbitrary;

const AROUND: Surroundings<'static> =
    Surroundings { calendar: "ann@example.com", email: "ann@example.com", zone: Some("Europe/Vienna") };

/// An item with these fields over a plain hour.
fn with(fields: Value) -> Value {
    let mut item = json!({
        "id": "abc123",
        "start": {"dateTime": "2026-11-02T09:00:00+01:00"},
        "end": {"dateTime": "2026-11-02T10:00:00+01:00"},
    });
    for (name, value) in fields.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

fn present_in(fields: Value, around: &Surroundings<'_>) -> RemoteEvent {
    match item(&with(fields).to_string(), around) {
        Ok(RemoteItem::Present(event)) => *event,
        other => panic!("{other:?}"),
    }
}

fn present(fields: Value) -> RemoteEvent {
    present_in(fields, &AROUND)
}

fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

fn timed(start: &str, end: &str) -> Option<Span> {
    Some(Span::Timed { start: ts(start), end: ts(end) })
}

#[test]
fn absent_fields_have_their_defaults() {
    let plain = present(json!({}));
    let event = &plain.event;
    assert_eq!(event.when.as_ref().map(When::span), timed("2026-11-02T08:00:00Z", "2026-11-02T09:00:00Z"));
    assert_eq!(
        (event.status, event.show_as, event.kind),
        (Status::Confirmed, ShowAs::Busy, EventKind::Default)
    );
    assert_eq!((&event.series, event.response, &event.text), (&Series::Single, None, &None));
    assert_eq!((plain.marker, plain.visibility, plain.colour), (None, Visibility::Calendar, None));
}

#[test]
fn plain_fields_are_taken_over() {
    let full = present(json!({
        "etag": "\"3540\"", "updated": "2026-11-01T08:00:00.123Z", "iCalUID": "abc123@google.com", "colorId": "7",
        "summary": "S", "description": "D", "location": "L", "visibility": "confidential", "sequence": 3,
        "kind": "calendar#event", "hangoutLink": "x", "organizer": {"self": true}, "somethingNew": {"deep": [1]},
    }));
    assert_eq!(full.event.version.as_deref(), Some("\"3540\""));
    assert_eq!(full.event.updated, Some(ts("2026-11-01T08:00:00.123Z")));
    assert_eq!(full.event.ical_uid.as_deref(), Some("abc123@google.com"));
    let text = full.event.text.unwrap();
    assert_eq!(
        (text.title, text.description, text.location),
        (Some("S".into()), Some("D".into()), Some("L".into()))
    );
    assert_eq!((full.visibility, full.colour.as_deref()), (Visibility::Private, Some("7")));
    for (visibility, expected) in [
        ("private", Visibility::Private),
        ("default", Visibility::Calendar),
        ("public", Visibility::Calendar),
        ("new", Visibility::Calendar),
    ] {
        assert_eq!(present(json!({"visibility": visibility})).visibility, expected);
    }
}

#[test]
fn a_novelty_in_a_side_field_costs_nothing() {
    let odd = json!({
        "etag": 5, "updated": {}, "iCalUID": [], "summary": 1, "description": {}, "location": true, "visibility": 0,
        "colorId": 3, "extendedProperties": "x", "attendees": [{"self": "yes", "email": 1, "responseStatus": []}],
    });
    // Who can't be made out is a guest all the same.
    assert_eq!(present(odd), RemoteEvent { has_guests: true, ..present(json!({})) });
}

#[test]
fn times_in_all_their_forms() {
    let at = |value: &str| json!({"dateTime": value});
    let zoned = |value: &str, zone: &str| json!({"dateTime": value, "timeZone": zone});
    let table = [
        (
            at("2026-11-02T09:00:00Z"),
            at("2026-11-02T10:00:00Z"),
            timed("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z"),
        ),
        (
            zoned("2026-07-02T09:00:00", "America/New_York"),
            zoned("2026-07-02T10:00:00-04:00", "America/New_York"),
            timed("2026-07-02T13:00:00Z", "2026-07-02T14:00:00Z"),
        ),
        // Without offset and zone: the calendar's zone.
        (
            at("2026-11-02T09:00:00"),
            at("2026-11-02T10:00:00"),
            timed("2026-11-02T08:00:00Z", "2026-11-02T09:00:00Z"),
        ),
        // In the gap of spring: moved forward by it.
        (
            at("2026-03-29T02:30:00"),
            at("2026-03-29T03:30:00"),
            timed("2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"),
        ),
        // An end before the start, and no end at all.
        (
            at("2026-11-02T09:00:00Z"),
            at("2026-11-02T08:00:00Z"),
            timed("2026-11-02T09:00:00Z", "2026-11-02T09:00:00Z"),
        ),
        (at("2026-11-02T09:00:00Z"), Value::Null, timed("2026-11-02T09:00:00Z", "2026-11-02T09:00:00Z")),
    ];
    for (start, end, expected) in table {
        let event = present(json!({"start": start, "end": end, "endTimeUnspecified": true})).event;
        assert_eq!(event.when.as_ref().map(When::span), expected, "{start} {end}");
    }
    let event =
        present(json!({"start": {"dateTime": "2026-11-02T09:00:00+01:00", "timeZone": "Europe/Vienna"}}))
            .event;
    assert!(matches!(event.when, Some(When::Timed { zone: Some(zone), .. }) if zone == "Europe/Vienna"));
}

#[test]
fn dates_stay_dates() {
    let day = Date::constant;
    let table = [
        (json!({"date": "2026-11-02"}), json!({"date": "2026-11-04"}), day(2026, 11, 4)),
        (
            json!({"date": "2026-11-02", "timeZone": "Asia/Tokyo"}),
            json!({"date": "2026-11-03"}),
            day(2026, 11, 3),
        ),
        (json!({"date": "2026-11-02"}), json!({"date": "2026-11-02"}), day(2026, 11, 3)),
        (json!({"date": "2026-11-02"}), json!({"date": "2026-10-02"}), day(2026, 11, 3)),
        (json!({"date": "2026-11-02"}), Value::Null, day(2026, 11, 3)),
        (json!({"date": "2026-11-02", "dateTime": null}), json!({"date": "2026-11-03"}), day(2026, 11, 3)),
    ];
    for (start, end, expected) in table {
        let when = present(json!({"start": start, "end": end})).event.when;
        assert_eq!(when, Some(When::AllDay { start: day(2026, 11, 2), end: expected }), "{start} {end}");
    }
}

#[test]
fn what_it_is_and_how_it_shows() {
    let kinds = [
        ("default", EventKind::Default),
        ("outOfOffice", EventKind::OutOfOffice),
        ("focusTime", EventKind::FocusTime),
        ("workingLocation", EventKind::WorkingLocation),
        ("birthday", EventKind::Birthday),
        ("fromGmail", EventKind::FromMail),
        ("holodeck", EventKind::Unknown),
        ("", EventKind::Unknown),
    ];
    for (name, kind) in kinds {
        assert_eq!(present(json!({"eventType": name})).event.kind, kind, "{name}");
    }
    let shows = [("opaque", ShowAs::Busy), ("transparent", ShowAs::Free), ("new", ShowAs::Busy)];
    for (name, show_as) in shows {
        assert_eq!(present(json!({"transparency": name})).event.show_as, show_as, "{name}");
    }
    let states =
        [("confirmed", Status::Confirmed), ("tentative", Status::Tentative), ("new", Status::Confirmed)];
    for (name, status) in states {
        assert_eq!(present(json!({"status": name})).event.status, status, "{name}");
    }
}

#[test]
fn answers_to_invitations() {
    let group = Surroundings { calendar: "c_1@group.calendar.google.com", ..AROUND };
    let primary = Surroundings { calendar: "primary", ..AROUND };
    let bobs = Surroundings { calendar: "bob@example.org", ..AROUND };
    let me = |status: &str| json!({"self": true, "email": "x@example.com", "responseStatus": status});
    let ann = |status: &str| json!({"email": "Ann@Example.com", "responseStatus": status});
    let bob = |status: &str| json!({"email": "BOB@example.org", "responseStatus": status});
    let table = [
        (AROUND, vec![], None),
        (AROUND, vec![me("accepted")], Some(Response::Accepted)),
        (AROUND, vec![me("declined")], Some(Response::Declined)),
        (AROUND, vec![me("tentative")], Some(Response::Tentative)),
        (AROUND, vec![me("needsAction")], Some(Response::NeedsAction)),
        (AROUND, vec![me("somethingNew")], None),
        (AROUND, vec![bob("declined")], None),
        (AROUND, vec![ann("declined"), me("accepted")], Some(Response::Accepted)),
        // `self` missing: the calendar's address, else the account's.
        (AROUND, vec![bob("accepted"), ann("declined")], Some(Response::Declined)),
        (group, vec![bob("accepted"), ann("declined")], Some(Response::Declined)),
        (primary, vec![ann("tentative")], Some(Response::Tentative)),
        (bobs, vec![ann("declined"), bob("accepted")], Some(Response::Accepted)),
        (bobs, vec![ann("declined")], None),
    ];
    for (around, guests, expected) in table {
        let event = present_in(json!({"attendees": guests}), &around).event;
        assert_eq!(event.response, expected, "{around:?} {guests:?}");
    }
}

#[test]
fn whoever_is_not_the_calendars_owner_is_a_guest() {
    let owner = json!({"email": "Ann@example.com", "organizer": true, "responseStatus": "accepted"});
    let myself = json!({"email": "alias@example.com", "self": true});
    let bob = json!({"email": "bob@example.com", "responseStatus": "needsAction"});
    let room = json!({"email": "room@resource.calendar.google.com", "resource": true});
    let (own, second, bobs) = (
        AROUND,
        Surroundings { calendar: "x@group.calendar.google.com", ..AROUND },
        Surroundings { calendar: "bob@example.com", ..AROUND },
    );
    let table = [
        (own, json!({}), false),
        (own, json!({"attendees": null}), false),
        (own, json!({"attendees": []}), false),
        (own, json!({"attendees": [owner]}), false),
        (own, json!({"attendees": [myself]}), false),
        (own, json!({"attendees": [owner, bob]}), true),
        (own, json!({"attendees": [bob]}), true),
        (own, json!({"attendees": [room]}), true),
        // Cut for its length: the owner alone is left of it.
        (own, json!({"attendees": [owner], "attendeesOmitted": true}), true),
        (own, json!({"attendeesOmitted": false}), false),
        // `self` was seen missing there.
        (second, json!({"attendees": [owner]}), false),
        (second, json!({"attendees": [owner, bob]}), true),
        // In somebody else's calendar we are the guest.
        (bobs, json!({"attendees": [bob]}), false),
        (bobs, json!({"attendees": [owner]}), true),
    ];
    for (around, fields, expected) in table {
        let remote = present_in(fields.clone(), &around);
        assert_eq!(remote.has_guests, expected, "{around:?} {fields}");
        assert_eq!(remote.as_block().unwrap().has_guests, expected);
    }
}

#[test]
fn series_and_their_occurrences() {
    let master =
        present(json!({"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20261109T080000Z"]})).event;
    assert!(matches!(master.series, Series::Master { recurrence } if recurrence.lines.len() == 2));
    assert_eq!(present(json!({"recurrence": []})).event.series, Series::Single);
    let at = |text: &str| OriginalStart::At(ts(text));
    let on = OriginalStart::On(Date::constant(2026, 11, 9));
    let table = [
        ("i", json!({"dateTime": "2026-11-09T09:00:00+01:00"}), at("2026-11-09T08:00:00Z")),
        (
            "i",
            json!({"dateTime": "2026-11-09T09:00:00", "timeZone": "Asia/Tokyo"}),
            at("2026-11-09T00:00:00Z"),
        ),
        ("i", json!({"date": "2026-11-09"}), on),
        // Only where nothing else tells: the id's own ending.
        ("abc_20261109T080000Z", Value::Null, at("2026-11-09T08:00:00Z")),
        ("abc_R2_20261109", Value::Null, on),
    ];
    for (id, original, expected) in table {
        for status in ["confirmed", "cancelled"] {
            let fields = json!({
                "id": id, "recurringEventId": "abc", "originalStartTime": original, "status": status,
            });
            let event = present(fields).event;
            assert_eq!(event.series, Series::Instance { master: "abc".into(), original: expected }, "{id}");
            assert_eq!(event.when.is_none(), status == "cancelled");
        }
    }
}

#[test]
fn cancelled_items() {
    let read = |value: Value| item(&value.to_string(), &AROUND);
    let exception = json!({
        "id": "abc_1", "status": "cancelled", "recurringEventId": "abc",
        "originalStartTime": {"dateTime": "2026-11-09T09:00:00+01:00", "timeZone": "Europe/Vienna"},
    });
    let Ok(RemoteItem::Present(event)) = read(exception) else { panic!("it exists") };
    assert_eq!((event.event.status, event.event.when), (Status::Cancelled, None));
    let gone = Ok(RemoteItem::Gone { id: "abc".into() });
    assert_eq!(read(json!({"id": "abc", "status": "cancelled"})), gone);
    assert_eq!(
        read(with(json!({"id": "abc", "status": "cancelled", "recurrence": ["RRULE:FREQ=DAILY"]}))),
        gone
    );
}

#[test]
fn markers() {
    let marked =
        |private: Value| present(json!({"extendedProperties": {"private": private}})).marker.map(|m| m.0);
    assert_eq!(marked(json!({"calsync": "v1.a.b", "other": "x"})), Some("v1.a.b".into()));
    assert_eq!(marked(json!({"other": "x"})), None);
    assert_eq!(marked(json!({"calsync": 1})), Some("1".into()), "somebody marked it, whatever with");
    assert_eq!(marked(json!({"calsync": "é".repeat(2_000)})).unwrap().len(), 1_024);
    assert_eq!(present(json!({"extendedProperties": {"shared": {"calsync": "x"}}})).marker, None);
}

#[test]
fn malformed_items_are_named_where_they_can_be() {
    let named = [
        with(json!({"start": null})),
        with(json!({"start": {}})),
        with(json!({"start": {"dateTime": "soon"}})),
        with(json!({"start": {"date": "2026-13-01"}})),
        with(json!({"start": {"date": "2026-11-02"}})),
        with(json!({"end": {"date": "2026-11-02"}})),
        with(json!({"start": {"dateTime": "2026-11-02T09:00:00", "timeZone": "Nowhere/Land"}})),
        with(json!({"status": 5})),
        with(json!({"recurrence": "RRULE:FREQ=DAILY"})),
        with(json!({"recurringEventId": "x"})),
        with(json!({"recurringEventId": "x", "status": "cancelled"})),
        with(json!({"recurringEventId": ""})),
    ];
    for value in named {
        let bad = item(&value.to_string(), &AROUND).unwrap_err();
        assert_eq!(bad.id, Some("abc123".into()), "{value}");
    }
    let nameless = [
        json!({}),
        json!([]),
        json!(null),
        json!("x"),
        with(json!({"id": 5})),
        with(json!({"id": ""})),
        with(json!({"id": "x".repeat(3_000)})),
    ];
    for value in nameless {
        assert_eq!(item(&value.to_string(), &AROUND).unwrap_err().id, None);
    }
}

#[test]
fn a_stand_in_keeps_what_stands_for_it() {
    use calsync_core::time::Window;
    let RemoteItem::Present(remote) = crate::items::stand_in("abc".into(), "no start") else { panic!() };
    let mut mirror = calsync_core::mirror::Mirror::default();
    mirror.events.insert(remote.event.id.clone(), remote.event);
    let found = mirror.occurrences(&Window::ALL, &jiff::tz::TimeZone::UTC);
    assert!(found.list.is_empty());
    assert_eq!(found.unreadable.len(), 1, "nothing of it may be removed");
    assert!(found.unreadable[0].error.to_string().contains("no start"));
}

#[test]
fn what_we_write_we_read_back() {
    let spans = [
        Span::Timed { start: ts("2026-11-02T09:00:00Z"), end: ts("2026-11-02T10:00:00Z") },
        Span::AllDay { start: Date::constant(2026, 11, 2), end: Date::constant(2026, 11, 4) },
    ];
    for span in spans {
        let (start, end) = times(&span);
        let value = json!({"start": start, "end": end});
        assert_eq!(present(value).event.when.map(|w| w.span()), Some(span));
    }
}
