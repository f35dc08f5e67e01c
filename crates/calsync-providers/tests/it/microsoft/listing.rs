//! Rounds of delta pages, and calendars.

use calsync_core::calendar::Cursor;
use calsync_core::ports::{ErrorClass, ListFrom, Listing, ProviderAccount, RemoteItem};
use calsync_core::time::Window;
use jiff::SignedDuration;
use serde_json::json;

use super::rig::{
    CALENDAR, CALENDAR_SEGMENT, Rig, ids, master, present, refusal, removed, single, stub, whole, window,
};
use crate::rig::{Answer, answer};

fn start() -> ListFrom<'static> {
    ListFrom::Start(window())
}

#[tokio::test]
async fn a_whole_round_and_the_changes_after_it() {
    let rig = Rig::new().await;
    assert_eq!(rig.account.capabilities().listing, Listing::Windowed);
    rig.answers([
        rig.page(json!([single("a", 1)]), "s1"),
        // Empty, and not the end (microsoft.md §7).
        rig.page(json!([]), "s2"),
        rig.last_page(json!([single("b", 2)])),
        rig.last_page(json!([])),
    ]);
    let (items, cursor) = rig.round(start()).await.unwrap();
    assert_eq!(ids(&items), ["a", "b"]);
    assert_eq!(cursor.token, rig.link("$deltatoken=d1"));
    let (items, _) = rig.round(ListFrom::Cursor(&cursor)).await.unwrap();
    assert!(items.is_empty());
    let seen = rig.calls();
    assert_eq!(seen[0].path, format!("/v1.0/me/calendars/{CALENDAR_SEGMENT}/calendarView/delta"));
    assert_eq!(seen[1].query("$skiptoken"), Some("s1"));
    // Links are followed to the letter, in the form that Graph gave them.
    assert_eq!(seen[3].path, format!("/v1.0/me/calendars('{CALENDAR}')/calendarView/delta"));
    assert_eq!(seen[3].query("$deltatoken"), Some("d1"));
}

#[tokio::test]
async fn the_window_is_asked_for_with_a_margin_and_covers_the_days_to_come() {
    let rig = Rig::new().await;
    rig.answers([rig.last_page(json!([]))]);
    let (_, cursor) = rig.round(start()).await.unwrap();
    // The window slides by a day at a time: for two days no new round is needed.
    assert_eq!(cursor.covers.from, window().from);
    assert_eq!(cursor.covers.to, window().to.plus(SignedDuration::from_hours(48)));
    let seen = &rig.calls()[0];
    assert_eq!(seen.query("startDateTime"), Some("2026-11-15T00:00:00Z"));
    assert_eq!(seen.query("endDateTime"), Some("2027-02-19T00:00:00Z"));
    let wide = Window { to: window().to.plus(SignedDuration::from_hours(24 * 1_825)), ..window() };
    let error = rig.round(ListFrom::Start(wide)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert_eq!(rig.calls().len(), 1);
}

#[tokio::test]
async fn a_round_that_stops_early_is_never_complete() {
    let rig = Rig::new().await;
    let table = [
        (vec![answer(200, json!({"value": []}))], ErrorClass::Transient),
        (vec![answer(200, "{}"); 1], ErrorClass::Transient),
        (vec![answer(200, "[]"); 1], ErrorClass::Transient),
        (vec![answer(200, "<html>")], ErrorClass::Transient),
        (vec![answer(200, "").breaks(); 3], ErrorClass::Transient),
        (vec![rig.page(json!([single("a", 1)]), "s1"), refusal(404, "ErrorItemNotFound")], ErrorClass::Gone),
        (
            vec![rig.page(json!([single("a", 1)]), "s1"), refusal(403, "ErrorAccessDenied")],
            ErrorClass::Permanent,
        ),
        (
            vec![answer(200, json!({"value": [{"subject": "x"}], "@odata.deltaLink": rig.link("d")}))],
            ErrorClass::Invalid,
        ),
    ];
    for (answers, class) in table {
        rig.answers(answers);
        assert_eq!(rig.round(start()).await.unwrap_err().class, class);
    }
}

#[tokio::test]
async fn pages_without_end_are_not_walked() {
    let rig = Rig::new().await;
    rig.answers([rig.page(json!([]), "s1"), rig.page(json!([]), "s1")]);
    assert_eq!(rig.round(start()).await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test]
async fn no_token_is_sent_to_another_host() {
    let rig = Rig::new().await;
    let (_, elsewhere) = crate::rig::stage().await;
    let page = |name: &str, link: String| answer(200, json!({"value": [], name: link}));
    let links = [
        format!("{elsewhere}/v1.0/me/calendarView/delta?$skiptoken=x"),
        "https://graph.microsoft.com.example.com/v1.0/me".to_owned(),
        format!("{}/beta/me/calendarView/delta", rig.base),
        "nonsense".to_owned(),
    ];
    for link in links {
        for name in ["@odata.nextLink", "@odata.deltaLink"] {
            rig.answers([page(name, link.clone())]);
            assert_eq!(rig.round(start()).await.unwrap_err().class, ErrorClass::Misconfigured, "{link}");
        }
        let cursor = Cursor { token: link.clone(), ..rig.cursor() };
        let error = rig.round(ListFrom::Cursor(&cursor)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::CursorExpired, "a base that was changed asks for a new round");
    }
    assert_eq!(rig.calls().len(), 8, "none of the links was followed");
}

#[tokio::test]
async fn a_lost_token_by_every_signal_asks_for_a_full_round() {
    let rig = Rig::new().await;
    let signals: Vec<Answer> = vec![
        refusal(410, "SyncStateNotFound"),
        refusal(410, "syncStateNotFound"),
        refusal(404, "SyncStateNotFound"),
        refusal(400, "resyncRequired"),
        answer(410, "").header("location", "/v1.0/me/calendarView/delta?$deltatoken="),
        refusal(400, "BadRequest"),
    ];
    for signal in signals {
        rig.answers([signal]);
        let cursor = rig.cursor();
        let error = rig.round(ListFrom::Cursor(&cursor)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::CursorExpired);
    }
    assert_eq!(rig.calls().len(), 6, "the engine begins the full round, and nothing is followed by itself");
    let other = Cursor { params: "m0".into(), ..rig.cursor() };
    assert_eq!(rig.round(ListFrom::Cursor(&other)).await.unwrap_err().class, ErrorClass::CursorExpired);
}

#[tokio::test]
async fn what_is_asked_of_a_full_round_and_of_changes() {
    let rig = Rig::new().await;
    // A full round shows all occurrences: with their master there is no more to ask.
    rig.answers([rig.last_page(json!([stub("m-1", "m", 7), master("m", "busy")]))]);
    assert_eq!(ids(&rig.full().await), ["m-1"]);
    assert_eq!(rig.calls().len(), 1);
    // One whose master is missing is asked for, once however many stubs it has.
    rig.answers([
        rig.last_page(json!([stub("m-1", "m", 7), stub("m-2", "m", 14)])),
        answer(200, master("m", "busy")),
    ]);
    assert_eq!(ids(&rig.full().await), ["m-1", "m-2"]);
    assert_eq!(rig.calls().len(), 3);
    assert_eq!(rig.calls()[2].path, "/v1.0/me/events/m");
    // It is gone: so are its stubs.
    rig.answers([
        rig.last_page(json!([stub("m-1", "m", 7), single("a", 1)])),
        refusal(404, "ErrorItemNotFound"),
    ]);
    assert_eq!(ids(&rig.full().await), ["a"]);
    // It can't be asked for now: then nothing is known.
    rig.answers([rig.last_page(json!([stub("m-1", "m", 7)]))]);
    rig.answers(vec![refusal(503, "x"); 3]);
    assert_eq!(rig.round(start()).await.unwrap_err().class, ErrorClass::Transient);
}

#[tokio::test]
async fn many_series_are_asked_about_a_few_at_a_time() {
    let rig = Rig::with(|config| config.limits.per_user = 100_000).await;
    let names: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    let items: Vec<_> = names.iter().map(|m| master(m, "busy")).collect();
    rig.answers([rig.last_page(json!(items))]);
    rig.answers(vec![answer(200, json!({"value": []})).after(20); 10]);
    let items = rig.changes().await;
    let enumerated = items.iter().filter(|i| matches!(i, RemoteItem::Enumerated { .. })).count();
    assert_eq!((enumerated, rig.calls().len()), (10, 11));
}

#[tokio::test]
async fn a_series_with_many_occurrences_is_read_to_its_end() {
    let rig = Rig::new().await;
    let next = format!("{}/v1.0/me/events/m/instances?$skip=1", rig.base);
    rig.answers([
        rig.last_page(json!([master("m", "busy")])),
        answer(200, json!({"value": [whole("m-1", "m", 7)], "@odata.nextLink": next})),
        answer(200, json!({"value": [whole("m-2", "m", 14)]})),
    ]);
    let items = rig.changes().await;
    assert_eq!(ids(&items), ["m-1", "m-2"]);
    let asked = &rig.calls()[1];
    assert_eq!(asked.path, "/v1.0/me/events/m/instances");
    assert_eq!(asked.query("startDateTime"), Some("2026-11-15T00:00:00Z"));
    assert_eq!(asked.query("endDateTime"), Some("2027-02-17T00:00:00Z"));
    assert_eq!(rig.calls()[2].query("$skip"), Some("1"));
    // Half of them is none.
    rig.answers([
        rig.last_page(json!([master("m", "busy")])),
        answer(200, json!({"value": [whole("m-1", "m", 7)], "@odata.nextLink": "https://example.com/x"})),
    ]);
    let cursor = rig.cursor();
    assert!(rig.round(ListFrom::Cursor(&cursor)).await.is_err());
}

#[tokio::test]
async fn the_last_word_on_an_id_counts() {
    let rig = Rig::new().await;
    let mut later = single("a", 1);
    later["showAs"] = json!("free");
    rig.answers([
        rig.page(json!([single("a", 1), single("b", 2), removed("c")]), "s1"),
        rig.last_page(json!([later, removed("b"), single("c", 3)])),
    ]);
    let items = rig.changes().await;
    assert_eq!(ids(&items), ["a", "c"]);
    assert_eq!(present(&items)[0].event.show_as, calsync_core::event::ShowAs::Free);
    assert!(items.contains(&RemoteItem::Gone { id: "b".into() }));
}

#[tokio::test]
async fn two_calendars_are_walked_at_once_and_a_lost_walk_is_told() {
    let rig = Rig::new().await;
    rig.answers([rig.page(json!([]), "s1"), rig.page(json!([]), "s2")]);
    let ask = |calendar, page| calsync_core::ports::ListRequest { calendar, from: start(), page };
    let a = rig.account.list_changes(ask(CALENDAR, None)).await.unwrap();
    let b = rig.account.list_changes(ask("B", None)).await.unwrap();
    let (calsync_core::ports::NextPage::Page(a), calsync_core::ports::NextPage::Page(b)) = (a.next, b.next)
    else {
        panic!("more follows")
    };
    assert_ne!(a, b);
    for page in [b.as_str(), "77", "x"] {
        let error = rig.account.list_changes(ask(CALENDAR, Some(page))).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "it is another calendar's, or nobody's");
    }
    rig.answers([rig.last_page(json!([]))]);
    assert!(rig.account.list_changes(ask(CALENDAR, Some(&a))).await.is_ok());
}

#[tokio::test]
async fn all_calendars_of_all_pages() {
    let rig = Rig::new().await;
    let next = format!("{}/v1.0/me/calendars?$skip=100", rig.base);
    rig.answers([
        answer(
            200,
            json!({"value": [{"id": CALENDAR, "name": "Calendar", "isDefaultCalendar": true, "canEdit": true,
                "canShare": true, "owner": {"name": "Ann", "address": "ann@example.com"}}], "@odata.nextLink": next}),
        ),
        answer(200, json!({"value": [{"id": "B", "name": "Bea", "canEdit": false, "canShare": false,
            "owner": {"name": "Bea", "address": "bea@example.com"}}]})),
    ]);
    let calendars = rig.account.list_calendars().await.unwrap();
    let told: Vec<_> =
        calendars.iter().map(|c| (c.remote_id.as_str(), c.primary, c.push_unsupported)).collect();
    assert_eq!(told, [(CALENDAR, true, false), ("B", false, true)]);
    rig.answers([answer(200, json!({"value": [{"id": "A"}], "@odata.nextLink": next})), refusal(403, "x")]);
    assert!(rig.account.list_calendars().await.is_err(), "half a list is none");
    rig.answers([answer(200, json!({"value": [{"name": "no id"}]}))]);
    assert!(rig.account.list_calendars().await.is_err());
    rig.answers([answer(200, "{}")]);
    assert_eq!(rig.account.list_calendars().await.unwrap_err().class, ErrorClass::Transient);
}
