//! Listing events and calendars.

use std::time::Duration;

use calsync_core::calendar::{Access, Cursor};
use calsync_core::ports::{
    ChangePage, ErrorClass, ListFrom, ListRequest, Listing, NextPage, ProviderAccount, ProviderError,
};
use calsync_core::time::Window;
use serde_json::json;

use crate::rig::{Rig, answer, refusal};

const CALENDAR: &str = "en.austrian#holiday@group.v.calendar.google.com";

async fn list(rig: &Rig, from: ListFrom<'_>, page: Option<&str>) -> Result<ChangePage, ProviderError> {
    rig.account.list_changes(ListRequest { calendar: CALENDAR, from, page }).await
}

fn start() -> ListFrom<'static> {
    ListFrom::Start(Window::ALL)
}

fn page(next: &str, token: &str) -> crate::rig::Answer {
    let item = json!({"id": "a", "start": {"date": "2026-11-02"}, "end": {"date": "2026-11-03"}});
    let mut page = json!({"kind": "calendar#events", "items": [item], "timeZone": "Europe/Vienna", "accessRole": "reader"});
    page[next] = json!(token);
    answer(200, page)
}

#[tokio::test]
async fn a_whole_walk_and_the_delta_after_it() {
    let rig = Rig::new().await;
    assert_eq!(rig.account.capabilities().listing, Listing::Unbounded);
    rig.answers([
        page("nextPageToken", "p2"),
        page("nextSyncToken", "s1"),
        page("nextPageToken", "p3"),
        page("nextSyncToken", "s2"),
    ]);
    let first = list(&rig, start(), None).await.unwrap();
    assert_eq!(first.next, NextPage::Page("p2".into()));
    assert_eq!(
        (first.time_zone.as_deref(), first.access, first.items.len()),
        (Some("Europe/Vienna"), Some(Access::Read), 1)
    );
    let NextPage::Done(Some(cursor)) = list(&rig, start(), Some("p2")).await.unwrap().next else {
        panic!("done")
    };
    assert_eq!((cursor.token.as_str(), cursor.covers), ("s1", Window::ALL));
    list(&rig, ListFrom::Cursor(&cursor), None).await.unwrap();
    list(&rig, ListFrom::Cursor(&cursor), Some("p3")).await.unwrap();

    let seen = rig.calls();
    let tokens: Vec<_> = seen.iter().map(|s| (s.query("pageToken"), s.query("syncToken"))).collect();
    assert_eq!(tokens, [(None, None), (Some("p2"), None), (None, Some("s1")), (Some("p3"), Some("s1"))]);
    for call in &seen {
        assert_eq!(
            call.path,
            "/calendar/v3/calendars/en.austrian%23holiday%40group.v.calendar.google.com/events"
        );
        let rest: Vec<_> = call.query.iter().filter(|(n, _)| !n.ends_with("Token")).cloned().collect();
        let same = [("prettyPrint", "false"), ("singleEvents", "false"), ("maxResults", "500")];
        assert_eq!(rest, same.map(|(n, v)| (n.to_owned(), v.to_owned())), "the same on every page and delta");
    }
}

#[tokio::test]
async fn a_cursor_of_other_parameters_is_worthless() {
    let rig = Rig::new().await;
    let cursor = Cursor { token: "s1".into(), params: "g0".into(), covers: Window::ALL };
    assert_eq!(
        list(&rig, ListFrom::Cursor(&cursor), None).await.unwrap_err().class,
        ErrorClass::CursorExpired
    );
    assert!(rig.seen().is_empty());
}

#[tokio::test]
async fn a_lost_token_on_any_page_asks_for_a_full_listing() {
    let rig = Rig::new().await;
    rig.answers([page("nextSyncToken", "s1"), page("nextPageToken", "p2"), refusal(410, "fullSyncRequired")]);
    let NextPage::Done(Some(cursor)) = list(&rig, start(), None).await.unwrap().next else { panic!("done") };
    list(&rig, ListFrom::Cursor(&cursor), None).await.unwrap();
    let error = list(&rig, ListFrom::Cursor(&cursor), Some("p2")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::CursorExpired);
}

#[tokio::test]
async fn reads_are_tried_three_times() {
    let rig = Rig::new().await;
    rig.answers([refusal(503, "backendError"), answer(502, "<html>"), page("nextSyncToken", "s1")]);
    assert!(list(&rig, start(), None).await.is_ok());
    rig.answers(vec![refusal(500, "backendError"); 3]);
    assert_eq!(list(&rig, start(), None).await.unwrap_err().class, ErrorClass::Transient);
    assert_eq!(rig.calls().len(), 6);
    let stats = rig.recorder.drain();
    assert_eq!(stats.len(), 1);
    assert_eq!(
        (stats[0].calls, stats[0].quota_used, stats[0].errors["transient"]),
        (7, 6, 5),
        "tokens cost no quota"
    );
}

#[tokio::test]
async fn a_long_wait_is_not_sat_out() {
    let rig = Rig::new().await;
    rig.answers([refusal(503, "backendError").header("retry-after", "120")]);
    let error = list(&rig, start(), None).await.unwrap_err();
    assert_eq!(
        (error.class, error.retry_after),
        (ErrorClass::Transient, Some(jiff::SignedDuration::from_secs(120)))
    );
    assert_eq!(rig.calls().len(), 1);
}

#[tokio::test]
async fn no_answer_is_never_an_empty_calendar() {
    let rig = Rig::with(|config| config.body_limit = 200).await;
    let table = [
        (vec![answer(200, "").breaks(); 3], ErrorClass::Transient, 3),
        (vec![answer(200, "x".repeat(300))], ErrorClass::Invalid, 1),
        (vec![answer(200, "{}")], ErrorClass::Transient, 1),
        (vec![answer(302, "").header("location", "/stolen")], ErrorClass::Misconfigured, 1),
        (vec![refusal(404, "notFound")], ErrorClass::Gone, 1),
    ];
    for (answers, class, calls) in table {
        let before = rig.calls().len();
        rig.answers(answers);
        let error = list(&rig, start(), None).await.unwrap_err();
        assert_eq!((error.class, rig.calls().len() - before), (class, calls), "{error}");
    }
    assert!(rig.calls().iter().all(|c| c.path != "/stolen"), "redirects are not followed");
}

#[tokio::test]
async fn no_answer_in_time_is_tried_again() {
    let rig = Rig::with(|config| config.timeout = Duration::from_secs(1)).await;
    rig.answers([page("nextSyncToken", "s1").after(20_000), page("nextSyncToken", "s2")]);
    let NextPage::Done(Some(cursor)) = list(&rig, start(), None).await.unwrap().next else { panic!("done") };
    assert_eq!(cursor.token, "s2");
}

#[tokio::test]
async fn all_calendars_of_all_pages() {
    let rig = Rig::with(|config| config.limits.per_user = 100_000).await;
    let of = |items: serde_json::Value, next: Option<&str>| {
        answer(
            200,
            json!({"kind": "calendar#calendarList", "items": items, "nextPageToken": next, "nextSyncToken": null}),
        )
    };
    rig.answers([
        of(json!([{"id": "ann@example.com", "primary": true, "accessRole": "owner", "timeZone": "Europe/Vienna"}]), Some("p2")),
        of(json!([]), Some("p3")),
        of(json!([{"id": CALENDAR, "summary": "Holidays", "hidden": true, "accessRole": "reader"}, {"id": "x", "deleted": true}]), None),
    ]);
    let calendars = rig.account.list_calendars().await.unwrap();
    let ids: Vec<_> =
        calendars.iter().map(|c| (c.remote_id.as_str(), c.primary, c.push_unsupported)).collect();
    assert_eq!(ids, [("ann@example.com", true, false), (CALENDAR, false, true)]);
    let seen = rig.calls();
    assert_eq!(seen[0].path, "/calendar/v3/users/me/calendarList");
    assert_eq!((seen[0].query("showHidden"), seen[0].query("maxResults")), (Some("true"), Some("250")));
    assert_eq!(seen[2].query("pageToken"), Some("p3"));

    rig.answers([
        of(json!([{"id": "a"}]), Some("p2")),
        refusal(500, "x"),
        refusal(500, "x"),
        refusal(500, "x"),
    ]);
    assert!(rig.account.list_calendars().await.is_err(), "half a list is none");
    rig.answers(vec![of(json!([]), Some("p")); 100]);
    assert_eq!(
        rig.account.list_calendars().await.unwrap_err().class,
        ErrorClass::Invalid,
        "pages without end"
    );
}
