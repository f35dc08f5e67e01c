//! Titles for their owner's eyes: how little is asked for, what each answer leads to, and how long somebody waits.

use std::time::{Duration, Instant};

use calsync_core::block::OccurrenceKey;
use calsync_core::ports::{ErrorClass, Extent, ProviderAccount, ProviderError, Titles, TitlesRequest};
use calsync_core::recurrence::OriginalStart;
use calsync_core::time::Window;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::rig::{Answer, CANARY, Rig, answer, refusal};

fn window() -> Window {
    Window { from: "2026-11-21T22:00:00Z".parse().unwrap(), to: "2026-12-01T02:00:00Z".parse().unwrap() }
}

pub(crate) fn request(calendar: &str, millis: i64) -> TitlesRequest<'_> {
    TitlesRequest { calendar, window: window(), patience: SignedDuration::from_millis(millis) }
}

/// Titles as text, by occurrence.
pub(crate) fn shown(titles: &Titles) -> Vec<(String, &str)> {
    titles.list.iter().map(|(key, title)| (key.to_string(), title.expose())).collect()
}

async fn ask(rig: &Rig, millis: i64) -> Result<Titles, ProviderError> {
    rig.account.list_titles(request("ann@example.com", millis)).await
}

fn page(items: Value, next: Option<&str>) -> Answer {
    let mut page = json!({"kind": "calendar#events", "timeZone": "Europe/Vienna", "items": items});
    if let Some(next) = next {
        page["nextPageToken"] = json!(next);
    }
    answer(200, page)
}

#[tokio::test]
async fn nothing_is_asked_for_but_what_an_occurrence_is_called() {
    let rig = Rig::new().await;
    rig.answers([
        page(json!([{"id": "one", "summary": " Dentist "}, {"id": "untitled"}]), Some("p2")),
        // Empty pages come in the middle of a walk (google.md §4).
        page(json!([]), Some("p3")),
        page(
            json!([
                {"id": "m_20261124T080000Z", "summary": "Stand-up", "recurringEventId": "m",
                    "originalStartTime": {"dateTime": "2026-11-24T09:00:00+01:00", "timeZone": "Europe/Vienna"}},
                {"id": "w_20261125", "summary": "Fair", "recurringEventId": "w", "originalStartTime": {"date": "2026-11-25"}},
                {"summary": "nameless"},
                {"id": "odd", "summary": {"of": "another form"}},
                "no object at all",
            ]),
            None,
        ),
    ]);
    let titles = ask(&rig, 5_000).await.unwrap();
    assert_eq!(titles.extent, Extent::Whole);
    let expected = [
        ("m@2026-11-24T08:00:00Z".to_owned(), "Stand-up"),
        ("one".to_owned(), "Dentist"),
        ("w@2026-11-25".to_owned(), "Fair"),
    ];
    assert_eq!(shown(&titles), expected);
    let of_days = OriginalStart::On("2026-11-25".parse().unwrap());
    assert!(titles.list.contains_key(&OccurrenceKey { event: "w".into(), original: Some(of_days) }));
    let calls = rig.calls();
    let tokens: Vec<Option<&str>> = calls.iter().map(|call| call.query("pageToken")).collect();
    assert_eq!(tokens, [None, Some("p2"), Some("p3")]);
    for call in &calls {
        assert_eq!(call.path, "/calendar/v3/calendars/ann%40example.com/events");
        for (name, value) in [
            ("singleEvents", "true"),
            ("timeMin", "2026-11-21T22:00:00Z"),
            ("timeMax", "2026-12-01T02:00:00Z"),
            ("fields", "kind,timeZone,nextPageToken,items(id,summary,recurringEventId,originalStartTime)"),
        ] {
            assert_eq!(call.query(name), Some(value));
        }
        assert_eq!(call.query("syncToken"), None, "it is no listing of changes");
    }
    assert_eq!(rig.recorder.drain()[0].calls, 3 + 1, "each is counted, with the purchase of a token");
}

#[tokio::test]
async fn pages_are_bounded() {
    let rig = Rig::new().await;
    rig.answers((0..9).map(|n| page(json!([{"id": format!("e{n}"), "summary": "x"}]), Some("again"))));
    let titles = ask(&rig, 5_000).await.unwrap();
    assert_eq!((titles.extent, titles.list.len(), rig.calls().len()), (Extent::Part, 4, 4));
}

#[tokio::test]
async fn a_slow_provider_holds_nobody_and_its_call_is_counted() {
    let rig = Rig::new().await;
    rig.answers([page(json!([]), Some("p2")).after(50), page(json!([]), None).after(4_000)]);
    let began = Instant::now();
    let error = ask(&rig, 600).await.unwrap_err();
    let took = began.elapsed();
    assert!((Duration::from_millis(600)..Duration::from_millis(2_000)).contains(&took), "{took:?}");
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(error.detail, "events.list: no answer in the time that somebody waits for it");
    let [minute] = rig.recorder.drain().try_into().unwrap();
    assert_eq!((minute.calls, minute.quota_used), (2 + 1, 2), "also the one that was given up, and a token");
    assert_eq!(minute.errors.values().sum::<u64>(), 1);
}

#[tokio::test]
async fn titles_take_their_share_of_the_budget() {
    // Six units a minute hold one in the beginning.
    let rig = Rig::with(|config| {
        config.limits.per_user = 6;
        config.limits.max_wait = Duration::from_millis(50);
    })
    .await;
    rig.answers([page(json!([]), None)]);
    ask(&rig, 5_000).await.unwrap();
    let error = ask(&rig, 5_000).await.unwrap_err();
    assert_eq!((error.class, rig.calls().len()), (ErrorClass::RateLimited, 1));
}

#[tokio::test]
async fn neither_a_refusal_nor_a_bad_page_repeats_a_word() {
    let rig = Rig::new().await;
    for given in [
        refusal(403, "forbidden"),
        refusal(404, "notFound"),
        answer(200, json!({"kind": "calendar#acl", "items": [{"id": "a", "summary": CANARY}]})),
        answer(200, CANARY),
    ] {
        rig.answers([given]);
        let error = ask(&rig, 5_000).await.unwrap_err();
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
    rig.answers([page(json!([{"id": "a", "summary": CANARY}]), None)]);
    let titles = ask(&rig, 5_000).await.unwrap();
    assert_eq!(shown(&titles), [("a".to_owned(), CANARY)]);
    assert!(!format!("{titles:?}").contains(CANARY));
}
