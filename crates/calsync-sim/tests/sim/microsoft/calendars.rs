//! microsoft.md §2 and §3: what holds for every call, `/me`, calendars, zones.

use calsync_sim::microsoft::ApiRequest;
use serde_json::{Value, json};

use super::stage::{BOB_TOKEN, Microsoft, OTHERS, code, get, hour, id};
use crate::stage::TOKEN;

#[test]
fn row_me_by_kind_of_account() {
    let ms = Microsoft::new();
    let me = ms.good("me");
    assert_eq!(
        (me["mail"].as_str(), me["userPrincipalName"].as_str()),
        (Some("ann@example.com"), Some("ann@example.com"))
    );
    assert_eq!(id(&me).len(), 36, "a GUID at work");
    let (_, bob) = ms.send_as(BOB_TOKEN, get("me"));
    assert!(bob["mail"].is_null(), "nullable");
    assert!(
        id(&bob).len() == 16 && id(&bob).bytes().all(|b| b.is_ascii_hexdigit()),
        "sixteen hex digits at home"
    );
    let some = ms.good("me?$select=mail");
    assert!(some["mail"].is_string() && some["id"].is_string() && some["displayName"].is_null());
}

#[test]
fn row_calendars_their_fields_and_paging() {
    let ms = Microsoft::new();
    let first = ms.good("me/calendars?$top=2");
    let next = first["@odata.nextLink"].as_str().unwrap();
    assert!(
        next.contains("$skip=2") && next.starts_with("https://graph.microsoft.com/v1.0/me/calendars?"),
        "{next}"
    );
    let all: Vec<Value> = ms.good("me/calendars")["value"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3);
    let main = all.iter().find(|c| c["isDefaultCalendar"] == true).unwrap();
    assert_eq!(
        (&main["name"], &main["canEdit"], &main["hexColor"]),
        (&json!("Calendar"), &json!(true), &json!(""))
    );
    assert_eq!(main["owner"], json!({"name": "Ann", "address": "ann@example.com"}));
    let holidays = all.iter().find(|c| c["name"] == "Holidays").unwrap();
    assert_eq!((&holidays["canEdit"], &holidays["canShare"]), (&json!(false), &json!(false)));
    assert_ne!(holidays["owner"]["address"], "ann@example.com", "shared into the mailbox");
    assert_eq!(ms.good("me/calendar")["id"], main["id"]);
    assert_eq!(ms.good(&format!("me/calendars/{}", id(holidays)))["id"], holidays["id"]);
    assert!(OTHERS.iter().all(|name| all.iter().all(|c| id(c) != *name)), "ids are the server's own");
}

#[test]
fn row_calendar_ids_do_not_depend_on_the_id_form() {
    let ms = Microsoft::new();
    let plain = ms.good("me/calendar");
    let (_, immutable) = ms.send(get("me/calendar").header("prefer", "IdType=\"ImmutableId\""));
    assert_eq!(plain["id"], immutable["id"]);
}

#[test]
fn row_ids_are_case_sensitive_and_go_encoded_into_a_path() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("x", 2));
    assert!(id(&event).ends_with('='));
    let encoded = id(&event).replace('=', "%3D");
    assert_eq!(ms.get(&format!("me/events/{encoded}")).0, 200);
    assert_eq!(ms.get(&format!("me/events('{encoded}')")).0, 200, "OData's other spelling");
    let (status, body) = ms.get(&format!("me/events/{}", encoded.to_lowercase()));
    assert_eq!((status, code(&body)), (400, "ErrorInvalidIdMalformed"));
    let (_, of_bob) = ms.send_as(BOB_TOKEN, get("me/calendar"));
    assert_eq!(ms.get(&format!("me/calendars/{}", id(&of_bob))).0, 404, "of another mailbox");
}

#[test]
fn row_prefer_is_echoed_and_request_ids_come_with_every_answer() {
    let ms = Microsoft::new();
    let request =
        get("me/events").bearer(TOKEN).header("client-request-id", "11111111-2222-4333-8444-555555555555");
    let answer = ms.ask(&request.header("prefer", "outlook.timezone=\"UTC\", odata.maxpagesize=5, foo=bar"));
    let header = |name: &str| answer.headers.iter().find(|(k, _)| *k == name).map(|(_, v)| v.as_str());
    assert_eq!(header("preference-applied"), Some("outlook.timezone=\"UTC\", odata.maxpagesize=5"));
    assert_eq!(header("client-request-id"), Some("11111111-2222-4333-8444-555555555555"));
    assert_eq!(header("request-id").unwrap().len(), 36);
    assert!(header("x-ms-ags-diagnostic").is_some());
    let (status, body) = ms.send(get("me/events").header("prefer", "outlook.timezone=\"Mars/Base\""));
    assert_eq!((status, code(&body)), (400, "TimeZoneNotSupportedException"));
}

#[test]
fn row_401_403_and_unknown_resources() {
    let ms = Microsoft::new();
    let none = ms.ask(&get("me"));
    assert_eq!(
        (none.status, code(&serde_json::from_str(&none.body).unwrap())),
        (401, "InvalidAuthenticationToken")
    );
    assert_eq!(ms.send_as("wrong", get("me")).0, 401);
    let read = ms.face.mint_token(&ms.ann, "app", "Calendars.Read").unwrap();
    assert_eq!(ms.send_as(&read, get("me/events")).0, 200);
    for request in [get("me"), ApiRequest::new("POST", "/v1.0/me/events").json(&hour("x", 2))] {
        let (status, body) = ms.send_as(&read, request);
        assert_eq!((status, code(&body)), (403, "ErrorAccessDenied"));
    }
    ms.face.expire_access_tokens(&ms.ann);
    assert_eq!(ms.send_as(&read, get("me/events")).0, 401);
    assert_eq!(ms.get("me/nonsense").0, 400);
    assert_eq!(ms.get("me/events?$select=nonsense").1["error"]["code"], "RequestBroker--ParseUri");
}

#[test]
fn row_an_account_without_a_mailbox() {
    let ms = Microsoft::new();
    ms.face.set_mailbox(&ms.ann, false);
    let (status, body) = ms.get("me/calendars");
    assert_eq!((status, code(&body)), (404, "MailboxNotEnabledForRESTAPI"));
    assert_eq!(ms.get("me").0, 200);
    ms.face.set_mailbox(&ms.ann, true);
    assert_eq!(ms.get("me/calendars").0, 200);
}

#[test]
fn row_zones_and_mailbox_settings() {
    let ms = Microsoft::new();
    let zones = |what: &str| ms.good(&format!("me/outlook/{what}"))["value"].as_array().unwrap().clone();
    let has = |all: &[Value], name: &str| all.iter().any(|z| z["alias"] == name);
    assert!(has(&zones("supportedTimeZones"), "W. Europe Standard Time"));
    let iana = zones("supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')");
    assert!(has(&iana, "Europe/Berlin") && !has(&iana, "W. Europe Standard Time"));
    assert_eq!(ms.good("me/mailboxSettings")["timeZone"], "W. Europe Standard Time");
    let token = ms.face.mint_token(&ms.ann, "app", "Calendars.Read User.Read").unwrap();
    assert_eq!(ms.send_as(&token, get("me/mailboxSettings")).0, 403, "not in our scopes");
}
