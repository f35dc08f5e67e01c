//! google.md §9: errors, and quotas on minutes that slide; §2.4: scopes.

use calsync_sim::google::{ApiRequest, GoogleConfig};
use jiff::SignedDuration;
use serde_json::Value;

use crate::stage::{Google, TEAM, hour, reason};

fn ask(google: &Google, token: &str, target: &str) -> (u16, Value) {
    let answer = google.ask(&ApiRequest::new("GET", &format!("/calendar/v3/{target}")).bearer(token));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn row_401_without_with_a_wrong_and_with_an_expired_token() {
    let google = Google::new();
    let none = google.ask(&ApiRequest::new("GET", "/calendar/v3/colors"));
    let body: Value = serde_json::from_str(&none.body).unwrap();
    assert_eq!((none.status, &body["error"]["status"]), (401, &"UNAUTHENTICATED".into()));
    let (status, body) = ask(&google, "wrong", "colors");
    assert_eq!((status, reason(&body)), (401, "authError"));
    assert_eq!(body["error"]["errors"][0]["location"], "Authorization");
    let scope = "https://www.googleapis.com/auth/calendar";
    let token = google.face.mint_token(&"ann@example.com".into(), "app", scope).unwrap();
    assert_eq!(ask(&google, &token, "colors").0, 200);
    google.clock.advance(SignedDuration::from_secs(3_600));
    assert_eq!(ask(&google, &token, "colors").0, 401);
    let token = google.face.mint_token(&"ann@example.com".into(), "app", scope).unwrap();
    google.face.expire_access_tokens(&"ann@example.com".into());
    assert_eq!(ask(&google, &token, "colors").0, 401);
}

#[test]
fn row_403_insufficient_scope_in_envelope_b() {
    let google = Google::new();
    let mint = |scope: &str| {
        let scope = format!("https://www.googleapis.com/auth/{scope}");
        google.face.mint_token(&"ann@example.com".into(), "app", &scope).unwrap()
    };
    let events = mint("calendar.events");
    let (status, body) = ask(&google, &events, "users/me/calendarList");
    assert_eq!((status, reason(&body)), (403, "insufficientPermissions"));
    assert_eq!(body["error"]["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    assert_eq!(ask(&google, &events, "calendars/primary/events").0, 200);
    assert_eq!(ask(&google, &mint("calendar.calendarlist.readonly"), "users/me/calendarList").0, 200);
    let read_only = mint("calendar.events.readonly");
    let write = ApiRequest::new("POST", "/calendar/v3/calendars/primary/events")
        .bearer(&read_only)
        .json(&hour("x", 2));
    assert_eq!(google.ask(&write).status, 403);

    google.insert(&hour("Words", 2));
    let (_, times) = ask(&google, &mint("calendar.events.freebusy"), "calendars/primary/events");
    assert!(times["items"][0]["summary"].is_null() && times["items"][0]["start"].is_object());
    let owned = mint("calendar.events.owned");
    assert_eq!(ask(&google, &owned, &format!("calendars/{TEAM}/events")).0, 200);
    let holidays = crate::stage::HOLIDAYS.replace('#', "%23");
    assert_eq!(ask(&google, &owned, &format!("calendars/{holidays}/events")).0, 403);
}

#[test]
fn row_quota_per_user_on_a_sliding_minute() {
    let google = Google::with(GoogleConfig { requests_per_user: 5, ..GoogleConfig::default() });
    for _ in 0..5 {
        assert_eq!(google.get("colors").0, 200);
    }
    let (status, body) = google.get("colors");
    assert_eq!((status, reason(&body)), (403, "userRateLimitExceeded"));
    google.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(google.get("colors").0, 403);
    google.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(google.get("colors").0, 200);
}

#[test]
fn row_quota_per_project_counts_everybody_and_a_patch_counts_three() {
    let google = Google::with(GoogleConfig { requests_per_project: 5, ..GoogleConfig::default() });
    let event = google.insert(&hour("x", 2));
    let target = format!("calendars/primary/events/{}", event["id"].as_str().unwrap());
    assert_eq!(google.write("PATCH", &target, &serde_json::json!({"summary": "y"})).0, 200);
    assert_eq!(google.get("colors").0, 200);
    let (status, body) = google.get("colors");
    assert_eq!((status, reason(&body)), (403, "rateLimitExceeded"));
    assert_eq!(body["error"]["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
}

#[test]
fn row_bursts_of_writes_to_one_calendar_are_limited() {
    let google = Google::with(GoogleConfig { writes_per_calendar: 3, ..GoogleConfig::default() });
    for day in 1..=3 {
        google.insert(&hour("x", day));
    }
    let (status, body) = google.write("POST", "calendars/primary/events", &hour("x", 4));
    assert_eq!((status, reason(&body)), (403, "rateLimitExceeded"));
    assert_eq!(google.write("POST", &format!("calendars/{TEAM}/events"), &hour("x", 4)).0, 200);
}

#[test]
fn row_404_not_found() {
    let google = Google::new();
    for target in
        ["nonsense", "calendars/zoe@example.org/events", "calendars/primary/events/neverwas", "calendars"]
    {
        let (status, body) = google.get(target);
        assert_eq!((status, reason(&body)), (404, "notFound"), "{target}");
    }
}
