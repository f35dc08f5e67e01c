//! google.md §1 and §3: calendarList, calendars, freeBusy, settings, partial responses, batch.

use calsync_sim::google::ApiRequest;
use serde_json::{Value, json};

use crate::stage::{Google, HOLIDAYS, TEAM, TOKEN, content, hour, reason};

const LIST: &str = "users/me/calendarList";

fn ids(body: &Value) -> Vec<&str> {
    body["items"].as_array().into_iter().flatten().map(|e| e["id"].as_str().unwrap()).collect()
}

#[test]
fn row_calendar_list_pages_filters_and_shape() {
    let google = Google::new();
    let all = google.good(LIST);
    assert_eq!(ids(&all), ["ann@example.com", HOLIDAYS, TEAM]);
    assert_eq!(
        (&all["items"][0]["primary"], &all["items"][0]["accessRole"]),
        (&json!(true), &json!("owner"))
    );
    assert!(all["items"][1]["primary"].is_null() && all["nextPageToken"].is_null());
    let first = google.good(&format!("{LIST}?maxResults=2"));
    let next = first["nextPageToken"].as_str().unwrap();
    assert!(first["nextSyncToken"].is_null());
    assert_eq!(ids(&google.good(&format!("{LIST}?maxResults=2&pageToken={next}"))), [TEAM]);
    assert_eq!(ids(&google.good(&format!("{LIST}?minAccessRole=owner"))), ["ann@example.com", TEAM]);
    assert_eq!(google.get(&format!("{LIST}?minAccessRole=king")).0, 400);
}

#[test]
fn row_calendar_list_sync_includes_deleted_and_hidden_but_no_renames() {
    let google = Google::new();
    let token = google.good(LIST)["nextSyncToken"].as_str().unwrap().to_owned();
    google.person(|cloud, _, now| {
        cloud.rename_calendar(&TEAM.into(), "New name").unwrap();
        cloud
            .edit_list(&"ann@example.com".into(), &HOLIDAYS.into(), now, |entry| entry.hidden = true)
            .unwrap();
    });
    let delta = google.good(&format!("{LIST}?syncToken={token}"));
    assert_eq!(ids(&delta), [HOLIDAYS], "a change of the title alone makes no entry");
    assert_eq!(ids(&google.good(LIST)), ["ann@example.com", TEAM]);
    assert_eq!(ids(&google.good(&format!("{LIST}?showHidden=true"))).len(), 3);
    google.person(|cloud, _, now| cloud.delete_calendar(&TEAM.into(), now).unwrap());
    let delta = google.good(&format!("{LIST}?syncToken={}", delta["nextSyncToken"].as_str().unwrap()));
    assert_eq!(delta["items"][0]["deleted"], true);
    assert_eq!(google.get(&format!("calendars/{TEAM}/events")).0, 404, "its events simply stop");
    for illegal in ["minAccessRole=owner", "showOwnOrganizationOnly=true", "showDeleted=false"] {
        assert_eq!(google.get(&format!("{LIST}?syncToken={token}&{illegal}")).0, 400, "{illegal}");
    }
    google.person(|cloud, _, _| cloud.expire_list_tokens(&"ann@example.com".into()));
    let (status, body) = google.get(&format!("{LIST}?syncToken={token}"));
    assert_eq!((status, reason(&body)), (410, "fullSyncRequired"));
}

#[test]
fn row_primary_is_the_callers_main_calendar() {
    let google = Google::new();
    assert_eq!(google.good("calendars/primary")["id"], "ann@example.com");
    assert_eq!(google.good("calendars/ann%40example.com")["timeZone"], "Europe/Vienna");
    assert_eq!(google.good(&format!("{LIST}/primary"))["primary"], true);
    assert_eq!(google.get("calendars/bob@example.com").0, 404);
}

#[test]
fn row_free_busy() {
    let google = Google::new();
    google.person(|cloud, cal, now| {
        cloud.create_event(cal, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=2"), now).unwrap();
        let mut free = content("free", 2);
        free.transparency = calsync_sim::cloud::content::Transparency::Transparent;
        (free.start, free.end) = (content("", 4).start, content("", 4).end);
        cloud.create_event(cal, free, now).unwrap();
    });
    let mut over = hour("over", 2);
    over["start"]["dateTime"] = json!("2026-11-02T09:30:00Z");
    over["end"]["dateTime"] = json!("2026-11-02T11:00:00Z");
    google.insert(&over);
    let ask = |from: &str, to: &str| {
        let items = json!([{"id": "primary"}, {"id": "zoe@example.org"}]);
        google.write("POST", "freeBusy", &json!({"timeMin": from, "timeMax": to, "items": items}))
    };
    let (status, body) = ask("2026-11-02T09:15:00Z", "2026-11-05T00:00:00Z");
    assert_eq!(status, 200, "{body}");
    let busy = json!([
        {"start": "2026-11-02T09:15:00Z", "end": "2026-11-02T11:00:00Z"},
        {"start": "2026-11-03T09:00:00Z", "end": "2026-11-03T10:00:00Z"},
    ]);
    assert_eq!(body["calendars"]["primary"]["busy"], busy);
    assert_eq!(body["calendars"]["zoe@example.org"]["errors"][0]["reason"], "notFound");
    assert_eq!(reason(&ask("2026-11-02T00:00:00Z", "2027-11-02T00:00:00Z").1), "timeRangeTooLong");
    assert_eq!(reason(&ask("2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z").1), "timeRangeEmpty");
}

#[test]
fn row_fields_pretty_print_alt_and_unknown_parameters() {
    let google = Google::new();
    google.insert(&hour("x", 2));
    let part = google.good("calendars/primary/events?fields=items(id,status),nextSyncToken");
    assert_eq!(part.as_object().unwrap().len(), 2);
    assert_eq!(part["items"][0].as_object().unwrap().len(), 2);
    assert_eq!(google.get("calendars/primary/events?fields=items(").0, 400);
    let body = |query: &str| {
        let request = ApiRequest::new("GET", &format!("/calendar/v3/colors?{query}")).bearer(TOKEN);
        google.ask(&request).body
    };
    assert!(body("").contains('\n') && !body("prettyPrint=false&alt=json").contains('\n'));
    assert_eq!(google.get("calendars/primary/events?maxresults=1").0, 400);
}

#[test]
fn row_batch_answers_each_part_by_its_content_id() {
    let google = Google::new();
    let event = google.insert(&hour("x", 2));
    let body = format!(
        "--b1\r\nContent-Type: application/http\r\nContent-ID: <one>\r\n\r\nGET /calendar/v3/calendars/primary/events/{} HTTP/1.1\r\n\r\n\r\n\
         --b1\r\nContent-Type: application/http\r\nContent-ID: <two>\r\n\r\nPOST /calendar/v3/calendars/primary/events\r\nContent-Type: application/json\r\n\r\n{}\r\n\
         --b1\r\nContent-Type: application/http\r\n\r\nGET /calendar/v3/calendars/nobody/events\r\n\r\n\
         --b1--\r\n",
        event["id"].as_str().unwrap(),
        hour("y", 3)
    );
    let request = ApiRequest { body: body.into_bytes(), ..ApiRequest::new("POST", "/batch/calendar/v3") };
    let request = request.header("content-type", "multipart/mixed; boundary=\"b1\"").bearer(TOKEN);
    let answer = google.ask(&request);
    assert_eq!(answer.status, 200);
    let kind = answer.content_type.unwrap();
    let mark = format!("--{}", kind.split_once("boundary=").unwrap().1);
    let parts: Vec<&str> = answer.body.split(mark.as_str()).collect();
    assert_eq!(parts.len(), 5, "{}", answer.body);
    assert!(parts[1].contains("<response-one>") && parts[1].contains("HTTP/1.1 200 OK"));
    assert!(parts[2].contains("<response-two>") && parts[2].contains("\"y\""));
    assert!(parts[3].contains("HTTP/1.1 404") && !parts[3].contains("Content-ID"));
    assert_eq!(parts[4].trim(), "--");
    let empty = ApiRequest::new("POST", "/batch/calendar/v3").bearer(TOKEN);
    assert_eq!(google.ask(&empty).status, 400);
}
