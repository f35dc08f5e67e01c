//! Titles for their owner's eyes at Microsoft (microsoft.md §4.1, `calendarView`).

use std::time::{Duration, Instant};

use calsync_core::ports::{ErrorClass, Extent, ProviderAccount, ProviderError, Titles};
use serde_json::{Value, json};

use super::rig::{CALENDAR, CALENDAR_SEGMENT, Rig, refusal};
use crate::rig::{Answer, CANARY, answer};
use crate::titles::{request, shown};

async fn ask(rig: &Rig, millis: i64) -> Result<Titles, ProviderError> {
    rig.account.list_titles(request(CALENDAR, millis)).await
}

fn page(rig: &Rig, items: Value, skip: Option<u32>) -> Answer {
    let link = |n| format!("{}/v1.0/me/calendars('{CALENDAR}')/calendarView?$skip={n}", rig.base);
    answer(200, json!({"value": items, "@odata.nextLink": skip.map(link)}))
}

#[tokio::test]
async fn nothing_is_asked_for_but_what_an_occurrence_is_called() {
    let rig = Rig::new().await;
    rig.answers([
        page(&rig, json!([{"id": "S1", "subject": " Dentist ", "@odata.etag": "W/\"x\""}, {"id": "S2", "subject": ""}]), Some(2)),
        page(&rig, json!([]), Some(3)),
        page(&rig, json!([{"id": "M1-o7", "subject": "Weekly"}, {"subject": "nameless"}, {"id": "S3", "subject": 5}, 7]), None),
    ]);
    let titles = ask(&rig, 5_000).await.unwrap();
    assert_eq!(titles.extent, Extent::Whole);
    assert_eq!(shown(&titles), [("M1-o7".to_owned(), "Weekly"), ("S1".to_owned(), "Dentist")]);
    let calls = rig.calls();
    let first = &calls[0];
    assert_eq!(first.path, format!("/v1.0/me/calendars/{CALENDAR_SEGMENT}/calendarView"));
    for (name, value) in [
        ("startDateTime", "2026-11-21T22:00:00Z"),
        ("endDateTime", "2026-12-01T02:00:00Z"),
        ("$select", "subject"),
        ("$top", "100"),
    ] {
        assert_eq!(first.query(name), Some(value));
    }
    // Links do not remember it, and ids of another form would fit nothing (§2).
    assert!(calls.iter().all(|call| call.header("prefer").unwrap().contains("IdType=\"ImmutableId\"")));
    assert_eq!(
        calls.iter().map(|call| call.query("$skip")).collect::<Vec<_>>(),
        [None, Some("2"), Some("3")]
    );
}

#[tokio::test]
async fn pages_are_bounded_and_links_lead_nowhere_else() {
    let rig = Rig::new().await;
    rig.answers((0..30).map(|n| page(&rig, json!([{"id": format!("E{n}"), "subject": "x"}]), Some(n))));
    let titles = ask(&rig, 10_000).await.unwrap();
    assert_eq!((titles.extent, titles.list.len(), rig.calls().len()), (Extent::Part, 20, 20));
    let rig = Rig::new().await;
    rig.answers([answer(
        200,
        json!({"value": [], "@odata.nextLink": "https://elsewhere.example.com/v1.0/me"}),
    )]);
    assert_eq!(ask(&rig, 5_000).await.unwrap_err().class, ErrorClass::Misconfigured);
}

#[tokio::test]
async fn a_slow_provider_holds_nobody_and_a_refusal_repeats_no_word() {
    let rig = Rig::new().await;
    rig.answers([page(&rig, json!([]), None).after(4_000)]);
    let began = Instant::now();
    let error = ask(&rig, 400).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(2_000), "{:?}", began.elapsed());
    assert_eq!(error.detail, "calendarView.list: no answer in the time that somebody waits for it");
    for given in [
        refusal(403, "ErrorAccessDenied"),
        refusal(404, "ErrorItemNotFound"),
        answer(200, json!({"id": CANARY})),
    ] {
        let rig = Rig::new().await;
        rig.answers(vec![given; 3]);
        let error = ask(&rig, 5_000).await.unwrap_err();
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
}
