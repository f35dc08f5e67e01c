//! microsoft.md §4.2, §4.3 and §5: what writes take, keep, wrap and refuse.

use calsync_sim::cloud::event::Slot;
use calsync_sim::cloud::journal::Op;
use calsync_sim::microsoft::{ApiRequest, MicrosoftConfig};
use serde_json::{Value, json};

use super::stage::{BOB_TOKEN, Microsoft, PROPERTY, code, get, hour, id, with};
use crate::stage::{HOLIDAYS, TOKEN, content, ts};

fn event(value: &Value) -> String {
    format!("me/events/{}", id(value))
}

#[test]
fn row_the_server_chooses_the_ids() {
    let ms = Microsoft::new();
    let made = ms.create(&with(hour("x", 2), &json!({"id": "mine", "iCalUId": "mine@example.com"})));
    assert!(id(&made) != "mine" && made["iCalUId"] != "mine@example.com");
    let etag = made["@odata.etag"].as_str().unwrap();
    assert_eq!(etag, format!("W/\"{}\"", made["changeKey"].as_str().unwrap()));
    assert_eq!(made["start"], json!({"dateTime": "2026-11-02T09:00:00.0000000", "timeZone": "UTC"}));
    assert_eq!(
        (&made["type"], &made["showAs"], &made["isOrganizer"]),
        (&json!("singleInstance"), &json!("busy"), &json!(true))
    );
    assert_eq!((&made["isReminderOn"], &made["reminderMinutesBeforeStart"]), (&json!(true), &json!(15)));
}

#[test]
fn row_transaction_id_same_body_same_event_other_body_refused() {
    let ms = Microsoft::new();
    let body = with(hour("x", 2), &json!({"transactionId": "calsync-1"}));
    let first = ms.create(&body);
    assert_eq!(ms.create(&body)["id"], first["id"]);
    let (status, refused) = ms.write("POST", "me/events", &with(body.clone(), &json!({"subject": "y"})));
    assert_eq!((status, code(&refused)), (409, "ErrorDuplicateTransactionId"));
    assert_eq!(ms.person(|cloud, cal, _| cloud.live_events(cal).len()), 1);
    let (_, patched) = ms.write("PATCH", &event(&first), &json!({"transactionId": "other"}));
    assert_eq!(patched["transactionId"], "calsync-1", "immutable");
    assert_eq!(ms.good(&event(&first))["transactionId"], "calsync-1", "and readable");
    let (status, _) = ms.send_as(BOB_TOKEN, ApiRequest::new("POST", "/v1.0/me/events").json(&body));
    assert_eq!(status, 201, "each mailbox by itself");
    let seen = MicrosoftConfig { duplicate_transaction_status: 400, ..MicrosoftConfig::default() };
    let ms = Microsoft::with(seen);
    ms.create(&body);
    assert_eq!(
        ms.write("POST", "me/events", &with(body, &json!({"subject": "y"}))).0,
        400,
        "nobody has seen which"
    );
}

#[test]
fn row_412_on_a_stale_etag() {
    let ms = Microsoft::new();
    let made = ms.create(&hour("x", 2));
    let old = made["@odata.etag"].as_str().unwrap();
    let send = |method: &str, etag: &str, body: &Value| {
        let request = ApiRequest::new(method, &format!("/v1.0/{}", event(&made))).json(body);
        ms.send(request.header("If-Match", etag))
    };
    let (status, new) = send("PATCH", old, &json!({"subject": "y"}));
    assert_eq!(status, 200);
    let (status, refused) = send("PATCH", old, &json!({"subject": "z"}));
    assert_eq!((status, code(&refused)), (412, "ErrorIrresolvableConflict"));
    assert_eq!(send("DELETE", old, &Value::Null).0, 412);
    assert_eq!(send("PATCH", "*", &json!({"subject": "y"})).0, 200);
    assert_eq!(send("PATCH", "W/\"junk\"", &json!({})).0, 412);
    assert_eq!(
        ms.write("PATCH", &event(&made), &json!({"subject": "w"})).0,
        200,
        "without a word the last one wins"
    );
    assert_eq!(send("DELETE", new["@odata.etag"].as_str().unwrap(), &Value::Null).0, 412);
}

#[test]
fn row_a_change_of_an_occurrence_moves_its_masters_etag() {
    let ms = Microsoft::new();
    let series = ms.person(|c, cal, now| {
        c.create_event(cal, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=3"), now).unwrap()
    });
    let target = format!("me/events/{}", ms.id(&series.id));
    let before = ms.good(&target);
    ms.person(|c, cal, now| {
        c.cancel_occurrence(cal, &series.id, Slot::At(ts("2026-11-03T09:00:00Z")), now).unwrap()
    });
    let after = ms.good(&target);
    assert_ne!(before["changeKey"], after["changeKey"]);
    let patch = ApiRequest::new("PATCH", &format!("/v1.0/{target}")).json(&json!({"subject": "t"}));
    assert_eq!(ms.send(patch.clone().header("if-match", before["@odata.etag"].as_str().unwrap())).0, 412);
    assert_eq!(ms.send(patch.header("if-match", after["@odata.etag"].as_str().unwrap())).0, 200);
}

#[test]
fn row_a_second_delete_is_404_at_work_and_400_at_home() {
    let ms = Microsoft::new();
    let made = ms.create(&hour("x", 2));
    let delete =
        |token: &str, target: &str| ms.send_as(token, ApiRequest::new("DELETE", &format!("/v1.0/{target}")));
    assert_eq!(delete(TOKEN, &event(&made)).0, 204);
    let (status, body) = delete(TOKEN, &event(&made));
    assert_eq!((status, code(&body)), (404, "ErrorItemNotFound"));
    let (_, of_bob) = ms.send_as(BOB_TOKEN, ApiRequest::new("POST", "/v1.0/me/events").json(&hour("x", 2)));
    assert_eq!(delete(BOB_TOKEN, &event(&of_bob)).0, 204);
    let (status, body) = delete(BOB_TOKEN, &event(&of_bob));
    assert_eq!((status, code(&body)), (400, "ErrorInvalidRequest"));
    let (status, body) = ms.send_as(BOB_TOKEN, get(&event(&of_bob)));
    assert_eq!((status, code(&body)), (404, "ErrorItemNotFound"), "a GET tells");
}

#[test]
fn row_patch_merges() {
    let ms = Microsoft::new();
    let body = json!({
        "showAs": "tentative", "sensitivity": "private", "categories": ["calendar-sync"], "isReminderOn": false,
        "location": {"displayName": "Room 1"}, "body": {"contentType": "text", "content": "a < b"},
        "importance": "high",
    });
    let made = ms.create(&with(hour("x", 2), &body));
    assert_eq!((&made["isReminderOn"], &made["location"]["displayName"]), (&json!(false), &json!("Room 1")));
    let wrapped = made["body"]["content"].as_str().unwrap();
    assert!(
        made["body"]["contentType"] == "html" && wrapped.contains("<body>") && wrapped.contains("a &lt; b")
    );
    let (_, patched) = ms.write("PATCH", &event(&made), &json!({"subject": "y"}));
    for key in [
        "showAs",
        "sensitivity",
        "categories",
        "location",
        "importance",
        "start",
        "end",
        "body",
        "isReminderOn",
    ] {
        assert_eq!(patched[key], made[key], "{key}");
    }
    let (_, text) = ms.send(get(&event(&made)).header("prefer", "outlook.body-content-type=\"text\""));
    assert_eq!(text["body"], json!({"contentType": "text", "content": "a < b"}));
    let (_, moved) = ms.write(
        "PATCH",
        &event(&made),
        &json!({"end": {"dateTime": "2026-11-02T12:00:00", "timeZone": "UTC"}}),
    );
    assert_eq!(
        (&moved["start"], &moved["end"]["dateTime"]),
        (&made["start"], &json!("2026-11-02T12:00:00.0000000"))
    );
}

#[test]
fn row_show_as_and_sensitivity_come_back_as_they_went() {
    let ms = Microsoft::new();
    for word in ["free", "tentative", "busy", "oof", "workingElsewhere"] {
        assert_eq!(ms.create(&with(hour("x", 2), &json!({"showAs": word})))["showAs"], word);
    }
    for word in ["normal", "personal", "private", "confidential"] {
        assert_eq!(ms.create(&with(hour("x", 2), &json!({"sensitivity": word})))["sensitivity"], word);
    }
    assert_eq!(ms.write("POST", "me/events", &with(hour("x", 2), &json!({"showAs": "asleep"}))).0, 400);
}

#[test]
fn row_all_day_needs_midnights_in_one_zone_and_floats() {
    let ms = Microsoft::new();
    let day = |start: &str, end: &str, zone: &str| json!({"subject": "x", "isAllDay": true, "start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone}});
    let made = ms.create(&day("2026-11-02T00:00:00", "2026-11-03T00:00:00", "Europe/Vienna"));
    for zone in ["UTC", "America/New_York", "Asia/Kolkata"] {
        let (_, seen) = ms.send(get(&event(&made)).header("prefer", &format!("outlook.timezone=\"{zone}\"")));
        assert_eq!(seen["start"], json!({"dateTime": "2026-11-02T00:00:00.0000000", "timeZone": zone}));
    }
    let (status, body) =
        ms.write("POST", "me/events", &day("2026-11-02T01:00:00", "2026-11-03T00:00:00", "UTC"));
    assert_eq!(status, 400);
    assert!(body["error"]["message"].as_str().unwrap().contains("needs to be set to midnight"));
    assert_eq!(
        ms.write("POST", "me/events", &day("2026-11-02T00:00:00", "2026-11-02T00:00:00", "UTC")).0,
        400
    );
    let view = |from: &str, to: &str| {
        let all = ms.good(&format!("me/calendarView?startDateTime=2026-11-{from}&endDateTime=2026-11-{to}"));
        all["value"].as_array().unwrap().len()
    };
    assert_eq!(view("01T20:00:00Z", "01T23:30:00Z"), 0, "matched from midnight UTC, not Vienna's");
    assert_eq!(view("02T23:30:00Z", "03T05:00:00Z"), 1);
}

#[test]
fn row_zero_length_is_taken_and_inverted_is_not() {
    let ms = Microsoft::new();
    let at = |h: u8| json!({"dateTime": format!("2026-11-02T{h:02}:00:00"), "timeZone": "UTC"});
    assert_eq!(ms.write("POST", "me/events", &json!({"start": at(9), "end": at(9)})).0, 201);
    assert_eq!(ms.write("POST", "me/events", &json!({"start": at(9), "end": at(8)})).0, 400);
    let unzoned = json!({"dateTime": "2026-11-02T09:00:00"});
    assert_eq!(ms.write("POST", "me/events", &json!({"start": unzoned, "end": unzoned})).0, 400);
    let mars = json!({"dateTime": "2026-11-02T09:00:00", "timeZone": "Mars"});
    let (_, body) = ms.write("POST", "me/events", &json!({"start": mars, "end": mars}));
    assert_eq!(code(&body), "TimeZoneNotSupportedException");
    assert_eq!(ms.write("POST", "me/events", &json!({"subject": "x"})).0, 400);
}

#[test]
fn row_extended_properties_are_set_expanded_and_found() {
    let ms = Microsoft::new();
    let tag = |value: &str| json!({"singleValueExtendedProperties": [{"id": PROPERTY, "value": value}]});
    let made = ms.create(&with(hour("x", 2), &tag("m1:Abc")));
    assert!(made["singleValueExtendedProperties"].is_null(), "not echoed");
    ms.create(&hour("y", 3));
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expand =
        format!("$expand={}", encode(&format!("singleValueExtendedProperties($filter=id eq '{PROPERTY}')")));
    let one = ms.good(&format!("{}?{expand}", event(&made)));
    assert_eq!(one["singleValueExtendedProperties"], json!([{"id": PROPERTY, "value": "m1:Abc"}]));
    let all = ms.good(&format!("me/events?{expand}"));
    let tagged =
        all["value"].as_array().unwrap().iter().filter(|e| e["singleValueExtendedProperties"].is_array());
    assert_eq!(tagged.count(), 1);
    let find = |value: &str, name: &str| {
        let id = PROPERTY.replace("CalSyncOrigin", name);
        let filter =
            format!("singleValueExtendedProperties/Any(ep: ep/id eq '{id}' and ep/value eq '{value}')");
        ms.good(&format!("me/events?$filter={}", encode(&filter)))["value"].as_array().unwrap().len()
    };
    assert_eq!(
        [find("m1:Abc", "CalSyncOrigin"), find("M1:ABC", "CalSyncOrigin")],
        [1, 1],
        "values whatever their case"
    );
    assert_eq!([find("m1:other", "CalSyncOrigin"), find("m1:Abc", "calsyncorigin")], [0, 0], "names not");
    ms.write("PATCH", &event(&made), &tag("m2"));
    assert_eq!(find("m2", "CalSyncOrigin"), 1);
    assert_eq!(
        ms.write(
            "PATCH",
            &event(&made),
            &json!({"singleValueExtendedProperties": [{"id": "x", "value": "y"}]})
        )
        .0,
        400
    );
}

#[test]
fn row_names_of_extended_properties_are_never_given_back() {
    let ms = Microsoft::with(MicrosoftConfig { named_properties: 1, ..MicrosoftConfig::default() });
    let tag = |name: &str| {
        let id = PROPERTY.replace("CalSyncOrigin", name);
        with(hour("x", 2), &json!({"singleValueExtendedProperties": [{"id": id, "value": "v"}]}))
    };
    let made = ms.create(&tag("One"));
    ms.send(ApiRequest::new("DELETE", &format!("/v1.0/{}", event(&made))));
    ms.create(&tag("One"));
    let (status, body) = ms.write("POST", "me/events", &tag("Two"));
    assert_eq!((status, code(&body), ms.face.named_properties(&ms.ann)), (507, "ErrorQuotaExceeded", 1));
}

#[test]
fn row_an_occurrence_may_not_cross_a_neighbours_day() {
    let ms = Microsoft::new();
    let series = ms.person(|c, cal, now| {
        c.create_event(cal, content("s", 2).repeating("RRULE:FREQ=WEEKLY;COUNT=4"), now).unwrap()
    });
    let target = format!(
        "me/events/{}/instances?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-31T00:00:00Z",
        ms.id(&series.id)
    );
    let second = ms.good(&target)["value"][1].clone();
    let to = |day: u8| {
        let at = |h: u8| json!({"dateTime": format!("2026-11-{day:02}T{h:02}:00:00"), "timeZone": "UTC"});
        ms.write("PATCH", &event(&second), &json!({"start": at(12), "end": at(13)}))
    };
    let (status, body) = to(16);
    assert_eq!((status, code(&body)), (400, "ErrorOccurrenceCrossingBoundary"));
    assert_eq!(to(2).0, 400);
    let (status, moved) = to(12);
    assert_eq!(
        (status, &moved["type"], &moved["id"]),
        (200, &json!("exception"), &second["id"]),
        "the same id"
    );
}

#[test]
fn row_read_only_calendars_and_types_of_bodies() {
    let ms = Microsoft::new();
    let holidays = ms.calendar("Holidays");
    let (status, body) = ms.write("POST", &format!("me/calendars/{holidays}/events"), &hour("x", 2));
    assert_eq!((status, code(&body)), (403, "ErrorAccessDenied"), "{HOLIDAYS}");
    let plain = ApiRequest { body: b"{}".to_vec(), ..ApiRequest::new("POST", "/v1.0/me/events") };
    assert_eq!(ms.send(plain.clone()).0, 415);
    let broken = ApiRequest { body: b"{".to_vec(), ..plain }.header("content-type", "application/json");
    assert_eq!(ms.send(broken).0, 400);
}

#[test]
fn row_writes_with_guests_may_mail_and_are_on_record() {
    let ms = Microsoft::new();
    let guests = json!([{"emailAddress": {"address": "bob@example.org", "name": "Bob"}, "type": "optional"}]);
    let made = ms.create(&with(hour("meeting", 2), &json!({"attendees": guests})));
    assert_eq!(made["attendees"][0]["emailAddress"]["address"], "bob@example.org");
    let (_, of_bob) = ms.send_as(BOB_TOKEN, get("me/events"));
    let copy = &of_bob["value"][0];
    assert_ne!(id(copy), id(&made), "an id of their own");
    assert_eq!((&copy["iCalUId"], &copy["isOrganizer"]), (&made["iCalUId"], &json!(false)));
    assert_eq!(copy["responseStatus"], json!({"response": "notResponded", "time": "0001-01-01T00:00:00Z"}));
    let organizer = &copy["attendees"][0];
    assert_eq!(
        (&organizer["emailAddress"]["address"], &organizer["status"]["response"]),
        (&json!("ann@example.com"), &json!("none"))
    );
    let post = |what: &str| {
        let request = ApiRequest::new("POST", &format!("/v1.0/{}/{what}", event(copy)))
            .json(&json!({"sendResponse": false}));
        ms.send_as(BOB_TOKEN, request.header("if-match", "W/\"stale\"")).0
    };
    assert_eq!(post("accept"), 202, "whatever If-Match says");
    assert_eq!(ms.good(&event(&made))["attendees"][0]["status"]["response"], "accepted");
    assert_eq!(post("decline"), 202);
    assert_eq!(ms.send_as(BOB_TOKEN, get(&event(copy))).0, 404, "a declined event disappears");
    let mailed =
        ms.face.cloud().with(|c| c.journal().entries().any(|e| e.op == Op::Insert && e.could_have_mailed()));
    assert!(mailed);
}
