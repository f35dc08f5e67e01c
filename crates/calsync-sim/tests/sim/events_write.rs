//! google.md §3, §5 and §6: what writes take, keep, drop and refuse.

use calsync_sim::cloud::calendar::AccessRole;
use calsync_sim::cloud::content::Response;
use calsync_sim::cloud::journal::Op;
use calsync_sim::google::ApiRequest;
use serde_json::{Value, json};

use crate::stage::{Google, HOLIDAYS, TEAM, TOKEN, content, fields, hour, reason};

const EVENTS: &str = "calendars/primary/events";

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

#[test]
fn row_shape_of_an_event_defaults_are_absent() {
    let google = Google::new();
    let event = google.insert(&hour("x", 2));
    let keys = fields(&event);
    assert_eq!(
        keys,
        [
            "created",
            "creator",
            "end",
            "etag",
            "eventType",
            "htmlLink",
            "iCalUID",
            "id",
            "kind",
            "organizer",
            "reminders",
            "sequence",
            "start",
            "status",
            "summary",
            "updated",
        ]
    );
    assert!(event["etag"].as_str().unwrap().starts_with('"'));
    assert_eq!(event["organizer"], json!({"email": "ann@example.com", "displayName": "Ann", "self": true}));
    assert_eq!(event["created"], "2026-11-01T08:00:00.000Z");
    assert_eq!(event["iCalUID"], format!("{}@google.com", id(&event)));
}

#[test]
fn row_409_duplicate_and_ids_stay_taken() {
    let google = Google::new();
    let mut body = hour("x", 2);
    body["id"] = json!("cs1k7q0v2m5e8h3b6n9t4d0g");
    google.insert(&body);
    let (status, again) = google.write("POST", EVENTS, &body);
    assert_eq!((status, reason(&again)), (409, "duplicate"));
    assert_eq!(again["error"]["message"], "The requested identifier already exists.");
    let event = format!("{EVENTS}/cs1k7q0v2m5e8h3b6n9t4d0g");
    assert_eq!(google.write("DELETE", &event, &Value::Null).0, 204);
    assert_eq!(google.good(&event)["status"], "cancelled", "a deleted event still answers 200");
    assert_eq!(google.write("POST", EVENTS, &body).0, 409);
    let (status, gone) = google.write("DELETE", &event, &Value::Null);
    assert_eq!((status, reason(&gone)), (410, "deleted"));
    let (status, back) = google.write("PATCH", &event, &json!({"status": "confirmed"}));
    assert_eq!((status, reason(&back)), (403, "forbidden"), "back to life is unreliable");
    let mut same_uid = hour("x", 2);
    same_uid["iCalUID"] = json!("cs1k7q0v2m5e8h3b6n9t4d0g@google.com");
    assert_eq!(google.write("POST", EVENTS, &same_uid).0, 409, "UIDs stay reserved as well");
}

#[test]
fn row_400_invalid_resource_id() {
    let google = Google::new();
    for bad in ["abcd", "with-dash-in-it", "UPPERCASE", "wxyz1"] {
        let mut body = hour("x", 2);
        body["id"] = json!(bad);
        let (status, refused) = google.write("POST", EVENTS, &body);
        assert_eq!((status, reason(&refused)), (400, "invalid"), "{bad}");
        assert_eq!(refused["error"]["message"], "Invalid resource id value.");
    }
}

#[test]
fn row_if_match_412_and_star_forces_and_if_none_match_304() {
    let google = Google::new();
    let event = google.insert(&hour("x", 2));
    let target = format!("/calendar/v3/{EVENTS}/{}", id(&event));
    let old = event["etag"].as_str().unwrap();
    let patch = |etag: &str| {
        let request =
            ApiRequest::new("PATCH", &target).json(&json!({"summary": etag})).header("If-Match", etag);
        google.send(request)
    };
    let (status, new) = patch(old);
    assert_eq!(status, 200);
    let (status, refused) = patch(old);
    assert_eq!((status, reason(&refused)), (412, "conditionNotMet"));
    assert_eq!(patch("\"junk\"").0, 412);
    let get = |etag: &Value| {
        google.ask(
            &ApiRequest::new("GET", &target).bearer(TOKEN).header("if-none-match", etag.as_str().unwrap()),
        )
    };
    assert_eq!((get(&new["etag"]).status, get(&new["etag"]).body.as_str()), (304, ""));
    assert_eq!(get(&event["etag"]).status, 200);
    assert_eq!(patch("*").0, 200);
    let delete = |etag: &str| google.send(ApiRequest::new("DELETE", &target).header("If-Match", etag)).0;
    assert_eq!(delete(old), 412);
    assert_eq!(delete("*"), 204);
}

#[test]
fn row_patch_names_fields_and_put_replaces_all() {
    let google = Google::new();
    let mut body = hour("x", 2);
    body["description"] = json!("words");
    body["transparency"] = json!("transparent");
    body["reminders"] = json!({"useDefault": false, "overrides": []});
    body["source"] = json!({"title": "t", "url": "https://example.com/"});
    let event = google.insert(&body);
    assert_eq!(event["reminders"], json!({"useDefault": false}), "empty arrays are absent");
    let target = format!("{EVENTS}/{}", id(&event));
    let (_, patched) = google.write("PATCH", &target, &json!({"description": null, "visibility": "private"}));
    assert_eq!((&patched["description"], &patched["transparency"]), (&Value::Null, &json!("transparent")));
    assert_eq!((&patched["source"]["title"], &patched["sequence"]), (&json!("t"), &json!(0)));
    let (_, put) = google.write("PUT", &target, &hour("bare", 3));
    assert!(put["transparency"].is_null() && put["visibility"].is_null() && put["source"].is_null());
    assert_eq!(put["sequence"], 1, "a new time is a new revision");
    assert_eq!(put["created"], event["created"]);
    assert_eq!(google.write("PUT", &target, &json!({"summary": "no time"})).0, 400);
}

#[test]
fn row_required_fields_and_times() {
    let google = Google::new();
    let at = |text: &str| json!({"dateTime": text});
    let day = |text: &str| json!({"date": text});
    for (start, end, want) in [
        (Value::Null, at("2026-11-02T10:00:00Z"), "required"),
        (at("2026-11-02T10:00:00Z"), Value::Null, "required"),
        (json!({}), at("2026-11-02T10:00:00Z"), "required"),
        (at("2026-11-02T10:00:00Z"), at("2026-11-02T10:00:00Z"), "timeRangeEmpty"),
        (at("2026-11-02T10:00:00Z"), at("2026-11-02T09:00:00Z"), "timeRangeEmpty"),
        (day("2026-11-02"), day("2026-11-02"), "timeRangeEmpty"),
        (at("2026-11-02T10:00:00"), at("2026-11-02T11:00:00"), "invalid"),
        (day("2026-11-02"), at("2026-11-03T11:00:00Z"), "invalid"),
        (json!({"date": "2026-11-02", "dateTime": "2026-11-02T10:00:00Z"}), day("2026-11-03"), "invalid"),
        (
            json!({"dateTime": "2026-11-02T10:00:00Z", "timeZone": "Mars/Base"}),
            at("2026-11-02T11:00:00Z"),
            "invalid",
        ),
        (day("20261102"), day("2026-11-03"), "invalid"),
        (json!("2026-11-02"), day("2026-11-03"), "invalid"),
    ] {
        let (status, body) = google.write("POST", EVENTS, &json!({"start": start, "end": end}));
        assert_eq!((status, reason(&body)), (400, want), "{start} {end}");
    }
    let request =
        ApiRequest { body: b"{".to_vec(), ..ApiRequest::new("POST", &format!("/calendar/v3/{EVENTS}")) };
    assert_eq!(reason(&google.send(request).1), "parseError");
    let mut series = hour("x", 2);
    series["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    assert_eq!(
        reason(&google.write("POST", EVENTS, &series).1),
        "required",
        "IANA zone mandatory on recurring events"
    );
    series["start"]["timeZone"] = json!("Europe/Vienna");
    for bad in ["DTSTART:20261102T090000Z", "RRULE:FREQ=NEVER"] {
        series["recurrence"] = json!([bad]);
        assert_eq!(google.write("POST", EVENTS, &series).0, 400, "{bad}");
    }
}

#[test]
fn row_extended_properties_drop_cut_and_merge() {
    let google = Google::new();
    let mut body = hour("x", 2);
    body["extendedProperties"] =
        json!({"private": {"n".repeat(44): "a", "n".repeat(45): "b", "v": "v".repeat(1_025)}});
    let event = google.insert(&body);
    let kept = event["extendedProperties"]["private"].as_object().unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept["v"].as_str().unwrap().len(), 1_024);
    let target = format!("{EVENTS}/{}", id(&event));
    let (_, patched) =
        google.write("PATCH", &target, &json!({"extendedProperties": {"private": {"v": null, "w": "1"}}}));
    assert_eq!(patched["extendedProperties"]["private"], json!({"n".repeat(44): "a", "w": "1"}));
    let (_, put) = google.write("PUT", &target, &hour("x", 2));
    assert!(put["extendedProperties"].is_null(), "PUT without them deletes");
    let many: serde_json::Map<_, _> = (0..301).map(|n| (format!("k{n}"), json!("v"))).collect();
    body["extendedProperties"] = json!({"private": many});
    assert_eq!(google.write("POST", EVENTS, &body).0, 400);
}

#[test]
fn row_unknown_and_read_only_fields_are_dropped() {
    let google = Google::new();
    let mut body = hour("x", 2);
    for (key, value) in [
        ("nonsense", json!(1)),
        ("htmlLink", json!("https://example.com/")),
        ("created", json!("2000-01-01T00:00:00Z")),
        ("conferenceData", json!({"conferenceId": "x"})),
        ("guestsCanModify", json!(true)),
        ("guestsCanInviteOthers", json!(true)),
    ] {
        body[key] = value;
    }
    let event = google.insert(&body);
    assert!(
        event["nonsense"].is_null()
            && event["conferenceData"].is_null()
            && event["guestsCanInviteOthers"].is_null()
    );
    assert_eq!(
        (&event["guestsCanModify"], &event["created"]),
        (&json!(true), &json!("2026-11-01T08:00:00.000Z"))
    );
    let (_, with) = google.write("POST", &format!("{EVENTS}?conferenceDataVersion=1"), &body);
    assert_eq!(with["conferenceData"]["conferenceId"], "x");
}

#[test]
fn row_reminders_limits_and_updated_stays() {
    let google = Google::new();
    let event = google.insert(&hour("x", 2));
    google.clock.advance(jiff::SignedDuration::from_secs(60));
    let target = format!("{EVENTS}/{}", id(&event));
    let one = json!({"method": "popup", "minutes": 5});
    let (_, after) =
        google.write("PATCH", &target, &json!({"reminders": {"useDefault": false, "overrides": [one]}}));
    assert_eq!(after["updated"], event["updated"]);
    assert_ne!(after["etag"], event["etag"]);
    for bad in [
        json!({"useDefault": false, "overrides": vec![one.clone(); 6]}),
        json!({"useDefault": true, "overrides": [one]}),
        json!({"useDefault": false, "overrides": [{"method": "popup", "minutes": 40_321}]}),
        json!({"useDefault": false, "overrides": [{"method": "pigeon", "minutes": 1}]}),
    ] {
        let mut body = hour("x", 2);
        body["reminders"] = bad;
        assert_eq!(google.write("POST", EVENTS, &body).0, 400);
    }
}

#[test]
fn row_instances_are_changed_by_their_own_ids() {
    let google = Google::new();
    let series = google.person(|cloud, cal, now| {
        cloud.create_event(cal, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=3"), now).unwrap()
    });
    let first = format!("{EVENTS}/{}_20261102T090000Z", series.id);
    assert_eq!(google.good(&first)["recurringEventId"], series.id.as_str());
    let (status, patched) = google.write("PATCH", &first, &json!({"summary": "changed"}));
    assert_eq!((status, &patched["summary"]), (200, &json!("changed")));
    assert_eq!(google.write("DELETE", &first, &Value::Null).0, 204);
    assert_eq!(google.write("DELETE", &first, &Value::Null).0, 410);
    assert_eq!(google.get(&format!("{EVENTS}/{}_20261102T090001Z", series.id)).0, 404);
    assert_eq!(google.get(&format!("{EVENTS}/{}_20261109T090000Z", series.id)).0, 404);
}

#[test]
fn row_send_updates_is_recorded_and_checked() {
    let google = Google::new();
    let mut body = hour("x", 2);
    body["attendees"] = json!([{"email": "carol@example.org"}]);
    google.write("POST", &format!("{EVENTS}?sendUpdates=none"), &body);
    google.write("POST", &format!("{EVENTS}?sendUpdates=all"), &body);
    google.write("POST", EVENTS, &body);
    assert_eq!(google.write("POST", &format!("{EVENTS}?sendUpdates=some"), &body).0, 400);
    let seen = google.person(|cloud, _, _| {
        let entries = cloud.journal().entries();
        entries.map(|e| (e.op, e.could_have_mailed(), e.client.to_string())).collect::<Vec<_>>()
    });
    assert_eq!(seen, [false, true, true].map(|mailed| (Op::Insert, mailed, "seeded".to_owned())));
}

#[test]
fn row_attendees_self_is_relative_to_the_calendar() {
    let google = Google::new();
    let mut body = hour("x", 2);
    body["attendees"] =
        json!([{"email": "Ann@Example.com", "responseStatus": "accepted"}, {"email": "carol@example.org"}]);
    let event = google.insert(&body);
    assert_eq!(event["attendees"][0]["self"], true);
    assert_eq!(event["attendees"][1], json!({"email": "carol@example.org", "responseStatus": "needsAction"}));
    let (_, team) = google.write("POST", &format!("calendars/{TEAM}/events"), &body);
    assert!(team["attendees"][0]["self"].is_null(), "absent on a secondary calendar");
    assert_eq!(team["organizer"], json!({"email": TEAM, "displayName": "Team", "self": true}));
    let cut = google.good(&format!("{EVENTS}/{}?maxAttendees=1", id(&event)));
    assert_eq!((cut["attendees"].as_array().unwrap().len(), &cut["attendeesOmitted"]), (1, &json!(true)));
}

#[test]
fn row_put_from_a_guests_copy_is_refused_and_patch_is_not() {
    let google = Google::new();
    let bob = "bob@example.com".into();
    google.person(|cloud, _, now| {
        cloud.create_event(&bob, content("Bob's", 3).inviting("ann@example.com"), now).unwrap()
    });
    let (items, _) = google.walk("");
    let target = format!("{EVENTS}/{}", id(&items[0]));
    assert!(items[0]["organizer"]["self"].is_null());
    let (status, body) = google.write("PUT", &target, &hour("mine now", 3));
    assert_eq!((status, reason(&body)), (403, "forbiddenForNonOrganizer"));
    assert_eq!(google.write("PATCH", &target, &json!({"colorId": "3"})).0, 200);
    let answer = json!({"attendees": [{"email": "ann@example.com", "responseStatus": "declined"}]});
    assert_eq!(google.write("PATCH", &target, &answer).0, 200);
    let led = google.person(|cloud, _, _| cloud.event(&bob, &id(&items[0]).into()).unwrap());
    assert_eq!(led.content.attendees[0].response, Response::Declined, "the organizer learns of the answer");
    assert_eq!(led.content.color_id, None);
}

#[test]
fn row_move_leaves_a_stub_and_changes_the_organizer() {
    let google = Google::new();
    let event = google.insert(&hour("x", 2));
    let target = format!("{EVENTS}/{}/move", id(&event));
    assert_eq!(google.write("POST", &target, &Value::Null).0, 400, "destination is required");
    let (status, moved) = google.write("POST", &format!("{target}?destination={TEAM}"), &Value::Null);
    assert_eq!((status, &moved["organizer"]["email"]), (200, &json!(TEAM)));
    let (stubs, _) = google.walk("showDeleted=true");
    let keys = fields(&stubs[0]);
    assert_eq!(keys, ["etag", "id", "kind", "status"], "an id-only stub");
}

#[test]
fn row_import_is_keyed_by_its_uid_and_of_default_type() {
    let google = Google::new();
    let mut body = hour("x", 2);
    assert_eq!(reason(&google.write("POST", &format!("{EVENTS}/import"), &body).1), "required");
    body["iCalUID"] = json!("one@example.org");
    body["organizer"] = json!({"email": "zoe@example.org"});
    let (_, first) = google.write("POST", &format!("{EVENTS}/import"), &body);
    let (status, second) = google.write("POST", &format!("{EVENTS}/import"), &body);
    assert_eq!(
        (status, id(&first), &second["organizer"]["email"]),
        (200, id(&second), &json!("zoe@example.org"))
    );
    body["eventType"] = json!("outOfOffice");
    assert_eq!(google.write("POST", &format!("{EVENTS}/import"), &body).0, 400);
}

#[test]
fn row_event_types_and_access_roles() {
    let google = Google::new();
    let mut gmail = hour("x", 2);
    gmail["eventType"] = json!("fromGmail");
    assert_eq!(google.write("POST", EVENTS, &gmail).0, 400, "cannot be created");
    let mut away = hour("x", 2);
    away["eventType"] = json!("outOfOffice");
    away["outOfOfficeProperties"] = json!({"autoDeclineMode": "declineNone"});
    assert_eq!(
        google.write("POST", &format!("calendars/{TEAM}/events"), &away).0,
        400,
        "primary calendar only"
    );
    let event = google.insert(&away);
    assert_eq!(event["outOfOfficeProperties"]["autoDeclineMode"], "declineNone");
    let change = google.write("PATCH", &format!("{EVENTS}/{}", id(&event)), &json!({"eventType": "default"}));
    assert_eq!(change.0, 400, "immutable");

    let holidays = HOLIDAYS.replace('#', "%23");
    let (status, body) = google.write("POST", &format!("calendars/{holidays}/events"), &hour("x", 2));
    assert_eq!((status, reason(&body)), (403, "requiredAccessLevel"));
    assert_eq!(google.good(&format!("calendars/{holidays}/events"))["accessRole"], "reader");
}

#[test]
fn row_private_events_hide_their_words_from_weak_roles() {
    let google = Google::new();
    google.person(|cloud, _, now| {
        let (bob, ann) = ("bob@example.com".into(), "ann@example.com".into());
        cloud.share(&bob, &ann, Some(AccessRole::Reader), now).unwrap();
        let mut secret = content("Secret", 3);
        secret.visibility = calsync_sim::cloud::content::Visibility::Private;
        secret.private.insert("k".into(), "v".into());
        cloud.create_event(&bob, secret, now).unwrap();
        cloud.create_event(&bob, content("Open", 4), now).unwrap();
    });
    let page = google.good("calendars/bob@example.com/events?singleEvents=true&orderBy=startTime");
    let secret = &page["items"][0];
    assert!(
        secret["summary"].is_null() && secret["extendedProperties"].is_null() && secret["start"].is_object()
    );
    assert_eq!((&secret["visibility"], &page["items"][1]["summary"]), (&json!("private"), &json!("Open")));
}
