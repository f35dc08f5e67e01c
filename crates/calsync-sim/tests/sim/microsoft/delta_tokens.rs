//! microsoft.md §7: tokens of a delta, what is baked into them, and how they are lost.

use calsync_sim::faults::Fault;
use calsync_sim::microsoft::{ApiRequest, Links, MicrosoftConfig};
use jiff::SignedDuration;
use serde_json::Value;

use super::stage::{BOB_TOKEN, Microsoft, NOVEMBER, code, hour, path_of};
use crate::stage::TOKEN;

fn get(ms: &Microsoft, link: &str) -> (u16, Value) {
    ms.send(ApiRequest::new("GET", path_of(link)))
}

#[test]
fn row_links_name_the_calendar_in_either_form_and_are_absolute() {
    for (links, form) in [(Links::Keyed, "/v1.0/me/calendars('"), (Links::Slashed, "/v1.0/me/calendars/")] {
        let ms = Microsoft::with(MicrosoftConfig { links, ..MicrosoftConfig::default() });
        let link = ms.round(NOVEMBER, "").link;
        assert!(link.starts_with(&format!("https://graph.microsoft.com{form}")), "{link}");
        assert_eq!(get(&ms, &link).0, 200);
        let request = ApiRequest::new("GET", NOVEMBER).bearer(TOKEN).header("host", "127.0.0.1:9001");
        assert!(
            ms.ask(&request).body.contains(&format!("http://127.0.0.1:9001{form}")),
            "back to where it was asked"
        );
    }
}

#[test]
fn row_the_window_is_in_the_token_and_never_slides() {
    let ms = Microsoft::new();
    let link = ms.round(NOVEMBER, "").link;
    ms.clock.advance(SignedDuration::from_hours(24 * 60));
    ms.create(&hour("x", 2));
    let repeated = format!("{link}&startDateTime=2030-01-01T00:00:00Z&endDateTime=2030-02-01T00:00:00Z");
    assert_eq!(ms.round(&repeated, "").kinds(), ["singleInstance"]);
}

#[test]
fn row_each_calendar_has_its_own_token() {
    let ms = Microsoft::new();
    let team = ms.calendar("Team");
    let target = format!(
        "/v1.0/me/calendars/{team}/calendarView/delta()?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z"
    );
    let link = ms.round(&target, "").link;
    ms.write("POST", &format!("me/calendars/{team}/events"), &hour("x", 2));
    assert_eq!(ms.round(&link, "").kinds(), ["singleInstance"]);
    assert!(ms.round(NOVEMBER, "").items.is_empty());
    let swapped = format!("/v1.0/me/calendarView/delta?{}", link.split_once('?').unwrap().1);
    assert_eq!(get(&ms, &swapped).0, 400);
    let theirs = ms.send_as(BOB_TOKEN, ApiRequest::new("GET", path_of(&link)));
    assert_eq!(theirs.0, 404);
}

#[test]
fn row_badly_formed_tokens_are_400() {
    let ms = Microsoft::new();
    for token in ["$deltatoken=junk", "$skiptoken=junk", "$deltatoken=a&$skiptoken=b"] {
        let (status, body) = get(&ms, &format!("/v1.0/me/calendarView/delta?{token}"));
        assert_eq!((status, code(&body)), (400, "BadRequest"), "{token}");
        assert_eq!(body["error"]["message"], "Badly formed token.");
    }
}

#[test]
fn row_tokens_are_lost_in_three_ways() {
    let ms = Microsoft::new();
    ms.create(&hour("x", 2));
    let link = ms.round(NOVEMBER, "").link;
    ms.faults.force(Fault::SyncTokenLost, 40);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = ms.ask(&ApiRequest::new("GET", path_of(&link)).bearer(TOKEN));
        let location = answer.headers.iter().find(|(k, _)| *k == "location").map(|(_, v)| v.clone());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        seen.insert((answer.status, code(&body).to_owned(), location));
    }
    let seen: Vec<_> = seen.into_iter().collect();
    let names: Vec<_> =
        seen.iter().map(|(status, code, to)| (*status, code.as_str(), to.is_some())).collect();
    assert_eq!(
        names,
        [(400, "syncStateNotFound", false), (410, "SyncStateNotFound", false), (410, "resyncRequired", true)]
    );
    let location = seen[2].2.as_ref().unwrap();
    assert!(location.ends_with("$deltatoken="), "an empty token: {location}");
    assert_eq!(ms.round(location, "").kinds(), ["singleInstance"], "everything anew");
}

#[test]
fn row_410_when_the_calendar_forgot() {
    let ms = Microsoft::new();
    let link = ms.round(NOVEMBER, "").link;
    ms.person(|cloud, cal, _| cloud.expire_sync_tokens(cal));
    let (status, body) = get(&ms, &link);
    assert_eq!((status, code(&body)), (410, "SyncStateNotFound"));
    assert_eq!(get(&ms, NOVEMBER).0, 200);
}

#[test]
fn row_no_select_expand_filter_orderby_search() {
    let ms = Microsoft::new();
    for name in
        ["$select=id", "$expand=extensions", "$filter=subject eq 'x'", "$orderby=subject", "$search=x"]
    {
        let (status, body) = get(&ms, &format!("{NOVEMBER}&{}", name.replace(' ', "%20")));
        assert_eq!((status, code(&body)), (400, "ErrorInvalidUrlQuery"), "{name}");
    }
    assert_eq!(get(&ms, "/v1.0/me/calendarView/delta").0, 400, "both ends are needed");
    assert_eq!(get(&ms, "/v1.0/me/events/delta").0, 400, "beta only");
}

#[test]
fn row_the_id_form_is_not_in_the_token() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("x", 2));
    let link = ms.round(NOVEMBER, "").link;
    ms.write(
        "PATCH",
        &format!("me/events/{}", super::stage::id(&event)),
        &serde_json::json!({"subject": "y"}),
    );
    let (plain, immutable) = (ms.round(&link, ""), ms.round(&link, "IdType=\"ImmutableId\""));
    assert_eq!(plain.items[0]["id"], event["id"]);
    assert_ne!(immutable.items[0]["id"], event["id"], "turned on later, with the same link");
}
