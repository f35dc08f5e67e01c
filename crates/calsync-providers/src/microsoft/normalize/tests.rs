//! Every row of microsoft.md §4.3 as an item, and arbitrary JSON.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An item with these fields over a plain hour.
fn with(fields: Value) -> Value {
    let mut item = json!({
        "id": "AAMk=", "type": "singleInstance",
        "start": {"dateTime": "2026-11-02T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-11-02T10:00:00.0000000", "timeZone": "UTC"},
    });
    for (name, value) in fields.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

fn told(fields: Value) -> Result<RemoteEvent, &'static str> {
    let item = read(&with(fields).to_string()).map_err(|bad| bad.why)?;
    event(item, None).map_err(|bad| bad.why)
}

fn present(fields: Value) -> RemoteEvent {
    told(fields).unwrap()
}

fn timed(start: &str, end: &str) -> Option<Span> {
    Some(Span::Timed { start: start.parse().unwrap(), end: end.parse().unwrap() })
}

fn at(date_time: &str, zone: Option<&str>) -> Value {
    json!({"dateTime": date_time, "timeZone": zone})
}

#[test]
fn absent_fields_have_their_defaults() {
    let plain = present(json!({}));
    let event = &plain.event;
    assert_eq!(event.when.as_ref().map(When::span), timed("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z"));
    assert_eq!(
        (event.status, event.show_as, event.kind),
        (Status::Confirmed, ShowAs::Busy, EventKind::Default)
    );
    assert_eq!((&event.series, event.response, &event.text), (&Series::Single, None, &None));
    assert_eq!((plain.marker, plain.visibility, plain.colour), (None, Visibility::Calendar, None));
}

#[test]
fn what_takes_time_and_what_does_not() {
    use EventKind::{Default, OutOfOffice, WorkingLocation};
    let table = [
        ("free", ShowAs::Free, Default),
        ("tentative", ShowAs::Tentative, Default),
        ("busy", ShowAs::Busy, Default),
        ("oof", ShowAs::Busy, OutOfOffice),
        // Never blocks, and `explain` says why.
        ("workingElsewhere", ShowAs::Busy, WorkingLocation),
        ("unknown", ShowAs::Busy, Default),
        ("somethingNew", ShowAs::Busy, Default),
    ];
    for (value, show_as, kind) in table {
        let event = present(json!({"showAs": value})).event;
        assert_eq!((event.show_as, event.kind), (show_as, kind), "{value}");
    }
}

#[test]
fn who_may_see_it() {
    for (value, visibility) in [
        ("normal", Visibility::Calendar),
        ("personal", Visibility::Calendar),
        ("private", Visibility::Private),
        ("confidential", Visibility::Private),
        ("somethingNew", Visibility::Calendar),
    ] {
        assert_eq!(present(json!({"sensitivity": value})).visibility, visibility, "{value}");
    }
}

#[test]
fn what_the_owner_answered() {
    for (value, response) in [
        ("none", None),
        ("organizer", None),
        ("accepted", Some(Response::Accepted)),
        ("declined", Some(Response::Declined)),
        ("tentativelyAccepted", Some(Response::Tentative)),
        ("notResponded", Some(Response::NeedsAction)),
        ("somethingNew", None),
    ] {
        let status = json!({"response": value, "time": "0001-01-01T00:00:00Z"});
        assert_eq!(present(json!({"responseStatus": status})).event.response, response, "{value}");
    }
}

/// An organizer's own copy leaves the organizer out: whoever is listed is somebody else, rooms included.
#[test]
fn whoever_is_listed_is_a_guest() {
    let bob = json!({"type": "required", "emailAddress": {"address": "bob@example.com"}});
    let table = [
        (json!({}), false),
        (json!({"attendees": null}), false),
        (json!({"attendees": []}), false),
        (json!({"attendees": [bob]}), true),
        // Of a form that nobody knows.
        (json!({"attendees": [5]}), true),
        (json!({"attendees": {"new": "form"}}), true),
    ];
    for (fields, expected) in table {
        let remote = present(fields.clone());
        assert_eq!(remote.has_guests, expected, "{fields}");
        assert_eq!(remote.as_block().unwrap().has_guests, expected);
    }
    let stub = read(&with(json!({"type": "occurrence", "seriesMasterId": "M"})).to_string()).unwrap();
    for (guests, expected) in [(json!([]), false), (json!([bob]), true)] {
        let master = read(&with(json!({"type": "seriesMaster", "attendees": guests})).to_string()).unwrap();
        assert_eq!(
            event(stub.clone(), Some(&master)).unwrap().has_guests,
            expected,
            "its series' are its own"
        );
    }
}

#[test]
fn cancelled_by_the_organizer() {
    assert_eq!(present(json!({"isCancelled": true})).event.status, Status::Cancelled);
    assert_eq!(present(json!({"isCancelled": false})).event.status, Status::Confirmed);
}

#[test]
fn times_in_all_their_forms() {
    let table = [
        (
            at("2026-07-02T09:00:00", Some("UTC")),
            at("2026-07-02T10:00:00.0000000", None),
            timed("2026-07-02T09:00:00Z", "2026-07-02T10:00:00Z"),
        ),
        (
            at("2026-07-02T09:00:00.0000000", Some("W. Europe Standard Time")),
            at("2026-07-02T10:00:00.0000000", Some("Europe/Vienna")),
            timed("2026-07-02T07:00:00Z", "2026-07-02T08:00:00Z"),
        ),
        // The week in which America has changed its clocks and Europe has not.
        (
            at("2026-03-10T09:00:00", Some("Eastern Standard Time")),
            at("2026-03-10T15:00:00", Some("Romance Standard Time")),
            timed("2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z"),
        ),
        // In the gap of spring: moved forward by it.
        (
            at("2026-03-29T02:30:00", Some("Europe/Vienna")),
            at("2026-03-29T03:30:00", Some("Europe/Vienna")),
            timed("2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"),
        ),
        (
            at("2026-07-02T09:00:00Z", Some("UTC")),
            Value::Null,
            timed("2026-07-02T09:00:00Z", "2026-07-02T09:00:00Z"),
        ),
        // No length, and an end before the start.
        (
            at("2026-07-02T09:00:00", None),
            at("2026-07-02T09:00:00", None),
            timed("2026-07-02T09:00:00Z", "2026-07-02T09:00:00Z"),
        ),
        (
            at("2026-07-02T09:00:00", None),
            at("2026-07-02T08:00:00", None),
            timed("2026-07-02T09:00:00Z", "2026-07-02T09:00:00Z"),
        ),
    ];
    for (start, end, expected) in table {
        let event = present(json!({"start": start, "end": end})).event;
        assert_eq!(event.when.as_ref().map(When::span), expected, "{start} {end}");
    }
    for (start, why) in [
        (at("2026-07-02T09:00:00", Some("tzone://Microsoft/Custom")), "a time in an unknown zone"),
        (at("tomorrow", Some("UTC")), "an unreadable time"),
        (Value::Null, "no start"),
        (json!(5), "a field has a form we do not know"),
    ] {
        assert_eq!(told(json!({"start": start})).err(), Some(why), "{start}");
    }
}

#[test]
fn whole_days_stay_dates_in_any_zone() {
    let day = Date::constant;
    for zone in ["UTC", "Tokyo Standard Time", "Pacific Standard Time", "tzone://Microsoft/Custom"] {
        for (end, expected) in [
            (at("2026-11-04T00:00:00", Some(zone)), day(2026, 11, 4)),
            (at("2026-11-02T00:00:00", Some(zone)), day(2026, 11, 3)),
            (Value::Null, day(2026, 11, 3)),
        ] {
            let start = at("2026-11-02T00:00:00.0000000", Some(zone));
            let event = present(json!({"isAllDay": true, "start": start, "end": end})).event;
            assert_eq!(
                event.when,
                Some(When::AllDay { start: day(2026, 11, 2), end: expected }),
                "{zone} {end}"
            );
        }
    }
}

#[test]
fn occurrences_and_exceptions_are_known_by_their_own_id() {
    for kind in ["occurrence", "exception"] {
        let event = present(json!({"type": kind, "seriesMasterId": "M", "originalStart": null})).event;
        assert_eq!(event.series, Series::Occurrence { master: "M".into() }, "{kind}");
        assert!(told(json!({"type": kind})).is_err(), "{kind} of no series");
    }
    assert_eq!(
        present(json!({"type": "singleInstance", "seriesMasterId": null})).event.series,
        Series::Single
    );
    assert_eq!(present(json!({"type": "somethingNew"})).event.series, Series::Single);
    assert!(is_master(Some("seriesMaster")) && !is_master(None));
}

#[test]
fn what_a_stub_lacks_is_its_masters() {
    let master = json!({
        "id": "M", "type": "seriesMaster", "showAs": "oof", "sensitivity": "private", "isAllDay": true, "subject": "S",
        "responseStatus": {"response": "accepted"}, "uid": "U", "iCalUId": "I", "categories": ["Red"],
        "transactionId": "calsync-v1.a.b", "isCancelled": true, "body": {"content": "D"}, "location": {"displayName": "L"},
    });
    let master = read(&master.to_string()).unwrap();
    let stub = json!({
        "id": "o", "type": "occurrence", "seriesMasterId": "M", "@odata.etag": "W/\"DwAA\"",
        "start": at("2026-11-02T00:00:00", Some("UTC")), "end": at("2026-11-03T00:00:00", Some("UTC")),
    });
    let joined = event(read(&stub.to_string()).unwrap(), Some(&master)).unwrap();
    let e = &joined.event;
    assert_eq!(
        (e.show_as, e.kind, e.response),
        (ShowAs::Busy, EventKind::OutOfOffice, Some(Response::Accepted))
    );
    assert_eq!((e.ical_uid.as_deref(), e.status, &e.version), (Some("U"), Status::Cancelled, &None));
    assert!(matches!(e.when, Some(When::AllDay { .. })));
    let text = e.text.clone().unwrap();
    assert_eq!(
        (text.title, text.description, text.location),
        (Some("S".into()), Some("D".into()), Some("L".into()))
    );
    assert_eq!((joined.visibility, joined.colour.as_deref()), (Visibility::Private, Some("Red")));
    assert_eq!(joined.marker, Some(Marker("v1.a.b".into())));
    // What it tells itself comes first.
    let mut own = stub;
    own["showAs"] = json!("free");
    own["isCancelled"] = json!(false);
    own["isAllDay"] = json!(false);
    let own = event(read(&own.to_string()).unwrap(), Some(&master)).unwrap().event;
    assert_eq!((own.show_as, own.status), (ShowAs::Free, Status::Confirmed));
    assert!(matches!(own.when, Some(When::Timed { .. })));
}

#[test]
fn a_meeting_is_known_by_what_all_its_occurrences_share() {
    let uid = |fields| present(fields).event.ical_uid;
    assert_eq!(uid(json!({"uid": "U", "iCalUId": "I"})).as_deref(), Some("U"));
    assert_eq!(uid(json!({"iCalUId": "I"})).as_deref(), Some("I"));
    assert_eq!(
        uid(json!({"type": "occurrence", "seriesMasterId": "M", "iCalUId": "I"})),
        None,
        "it differs for each"
    );
    assert_eq!(uid(json!({"uid": ""})), None);
}

#[test]
fn texts_read_the_same_however_they_are_ended() {
    let text = |body: &str| present(json!({"body": {"contentType": "text", "content": body}})).event.text;
    assert_eq!(text("a\r\nb\r\n").unwrap().description.as_deref(), Some("a\nb"));
    assert_eq!(text("\r\n"), None);
    let long = present(json!({"subject": "x".repeat(100_000)})).event.text.unwrap();
    assert_eq!(long.title.unwrap().len(), 4 * 1024);
}

#[test]
fn markers_by_property_and_by_key() {
    let property =
        |id: &str| json!([{"id": "String {0} Name other", "value": "x"}, {"id": id, "value": "v1.p.p"}]);
    let mark = |fields| present(fields).marker.map(|m| m.0);
    assert_eq!(
        mark(json!({"singleValueExtendedProperties": property(MARKER_PROPERTY)})).as_deref(),
        Some("v1.p.p")
    );
    let both = json!({"singleValueExtendedProperties": property(MARKER_PROPERTY), "transactionId": "calsync-v1.k.k"});
    assert_eq!(mark(both).as_deref(), Some("v1.p.p"));
    assert_eq!(mark(json!({"transactionId": "calsync-v1.k.k"})).as_deref(), Some("v1.k.k"));
    for none in [json!({}), json!({"transactionId": "localevent:1"}), json!({"transactionId": 5})] {
        assert_eq!(mark(none), None);
    }
    assert_eq!(
        mark(json!({"transactionId": format!("calsync-{}", "x".repeat(10_000))})).unwrap().len(),
        MARKER_MAX
    );
}

#[test]
fn a_novelty_in_a_side_field_costs_nothing() {
    let odd = json!({
        "@odata.etag": 5, "lastModifiedDateTime": {}, "iCalUId": [], "uid": 1, "subject": 1, "body": "x", "location": 5,
        "categories": "x", "sensitivity": 0, "responseStatus": 1, "transactionId": [], "attendees": [5],
        "singleValueExtendedProperties": {}, "somethingNew": {"deep": [1]},
    });
    // Who can't be made out is a guest all the same.
    assert_eq!(present(odd), RemoteEvent { has_guests: true, ..present(json!({})) });
}

#[test]
fn blocks_are_written_as_instants_in_utc_and_days_as_midnights() {
    let span = Span::Timed {
        start: "2026-11-02T09:00:00.5Z".parse().unwrap(),
        end: "2026-11-02T10:00:00Z".parse().unwrap(),
    };
    let (start, end) = times(&span);
    assert_eq!(
        (start.date_time.as_str(), end.date_time.as_str()),
        ("2026-11-02T09:00:00", "2026-11-02T10:00:00")
    );
    assert_eq!(start.time_zone.as_deref(), Some("UTC"));
    let (start, end) =
        times(&Span::AllDay { start: Date::constant(2026, 11, 2), end: Date::constant(2026, 11, 3) });
    assert_eq!(
        (start.date_time.as_str(), end.date_time.as_str()),
        ("2026-11-02T00:00:00", "2026-11-03T00:00:00")
    );
    assert_eq!(start.time_zone, end.time_zone);
}

#[test]
fn categories_there_and_back() {
    assert_eq!(categories(None), Vec::<&str>::new());
    assert_eq!(categories(Some("Red")), ["Red"]);
    assert_eq!(categories(Some("Red, Blue,,")), ["Red", "Blue"]);
    assert_eq!(present(json!({"categories": ["Red", "Blue"]})).colour.as_deref(), Some("Red,Blue"));
    assert_eq!(present(json!({"categories": []})).colour, None);
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        Just("occurrence".to_owned()),
        Just("seriesMaster".to_owned()),
        Just("2026-11-02T09:00:00.0000000".to_owned()),
        Just("9999-12-31T23:59:59".to_owned()),
        Just("-9999-01-01T00:00:00".to_owned()),
        Just("W. Europe Standard Time".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "id",
        "type",
        "seriesMasterId",
        "start",
        "end",
        "dateTime",
        "timeZone",
        "isAllDay",
        "isCancelled",
        "showAs",
        "sensitivity",
        "responseStatus",
        "response",
        "transactionId",
        "uid",
        "iCalUId",
        "body",
        "content",
        "location",
        "displayName",
        "categories",
        "@removed",
        "@odata.etag",
        "lastModifiedDateTime",
    ]);
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_breaks_it(value in arbitrary_json(), id in "[A-Za-z=]{1,8}") {
        let _ = read(&value.to_string());
        let mut named = value;
        if let Some(map) = named.as_object_mut() {
            map.insert("id".into(), Value::from(id.clone()));
            // Whatever the rest is: it is that item, or it is told as malformed under its name.
            match read(&named.to_string()).and_then(|item| event(item, None)) {
                Ok(event) => {
                    prop_assert_eq!(event.event.id.as_str(), id.as_str());
                    let _ = event.as_block();
                    if let Some(When::Timed { start, end, .. }) = event.event.when { prop_assert!(start <= end) }
                    if let Some(When::AllDay { start, end }) = event.event.when { prop_assert!(start < end) }
                }
                Err(bad) => prop_assert_eq!(bad.id, Some(EventId(id))),
            }
        }
    }

    #[test]
    fn no_bytes_break_it(text in any::<String>()) {
        let _ = read(&text);
    }
}
