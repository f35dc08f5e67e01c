//! Pages of events as the providers answer them, read by the adapters, and one event of Google's by itself.

use std::collections::BTreeSet;

use calsync_core::calendar::Cursor;
use calsync_core::event::{Series, When};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    ChangePage, ListFrom, ListRequest, NextPage, ProviderAccount, ProviderError, RemoteEvent, RemoteItem,
};
use calsync_core::time::{Ts, Window};
use calsync_providers::google::{Surroundings, normalize_item};
use jiff::SignedDuration;
use serde_json::Value;

use crate::NOW;
use crate::answers::{Stage, on_stage, parts};
use crate::material::{cuts, has_canary, is_object, is_quiet, plant};

/// Longest id of an event that an adapter takes.
const ID_MAX: usize = 2_048;
/// Most pages of a round that are followed.
const PAGES_MAX: usize = 16;
/// What an event's words stand under.
const WORDS: [&str; 6] = ["summary", "description", "location", "subject", "content", "displayName"];
/// A calendar's id, at Google and at Microsoft.
const CALENDAR: [&str; 2] = ["ann@example.com", "AAMkAGI2TGuLAAA="];

/// One item of a listing of Google's.
pub fn google_event(data: &[u8]) {
    let Ok(json) = std::str::from_utf8(data) else { return };
    let around =
        Surroundings { calendar: CALENDAR[0], email: "ann@example.com", zone: Some("Europe/Vienna") };
    let read = normalize_item(json, &around);
    assert_eq!(read, normalize_item(json, &around));
    let told: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    match &read {
        Ok(item) => google_item(item, &told),
        Err(bad) => assert!(bad.id.as_ref().is_none_or(is_id), "{bad:?}"),
    }
    for cut in cuts(data) {
        let half = std::str::from_utf8(cut).unwrap_or_default();
        assert!(
            normalize_item(half, &around).is_err_and(|bad| bad.id.is_none()),
            "half an event passes for one"
        );
    }
}

/// A page of Google's.
pub fn google_listing(data: &[u8]) {
    on_stage(|stage| {
        let cursor = Cursor { token: "t0".to_owned(), ..google_cursor(stage) };
        let told: Option<Value> = serde_json::from_slice(data).ok();
        for from in [ListFrom::Start(Window::ALL), ListFrom::Cursor(&cursor)] {
            match google_page(stage, data, from) {
                Ok(page) => {
                    // What nobody reads of a page may be none of JSON's texts.
                    if let Some(told) = &told {
                        google_page_is_right(&page, told, matches!(from, ListFrom::Start(_)));
                    }
                }
                Err(error) => is_quiet(&error.to_string()),
            }
        }
        for cut in cuts(data).take(2) {
            let half = google_page(stage, cut, ListFrom::Cursor(&cursor));
            assert!(half.is_err(), "half a listing passes for a whole one: {half:?}");
        }
        if let Some(mut told) = told.filter(|_| !has_canary(data))
            && plant(&mut told, &WORDS)
            && let Err(error) = google_page(stage, told.to_string().as_bytes(), ListFrom::Start(Window::ALL))
        {
            is_quiet(&error.to_string());
        }
    });
}

/// A round of Microsoft's: its pages, and the series that are asked about on the way.
pub fn microsoft_listing(data: &[u8]) {
    on_stage(|stage| {
        let answers: Vec<Vec<u8>> = parts(data).into_iter().map(|part| stage.here(part)).collect();
        let cursor = microsoft_cursor(format!("{}/v1.0/me/calendarView/delta?$deltatoken=d0", stage.base));
        for from in [ListFrom::Start(window()), ListFrom::Cursor(&cursor)] {
            match microsoft_round(stage, &answers, from) {
                Ok((items, cursor)) => microsoft_round_is_right(&items, &answers, &cursor, stage),
                Err(error) => is_quiet(&error.to_string()),
            }
            for cut in cuts(&answers[0]).take(1) {
                let half = microsoft_round(stage, &[cut.to_vec()], from);
                assert!(half.is_err(), "half a listing passes for a whole one: {half:?}");
            }
        }
        let planted: Vec<Vec<u8>> = answers.iter().map(|answer| planted(answer)).collect();
        if !has_canary(data)
            && let Err(error) = microsoft_round(stage, &planted, ListFrom::Start(window()))
        {
            is_quiet(&error.to_string());
        }
    });
}

/// Where a reading goes on, as it is stored: it is asked for to the letter, and of nobody but the provider as configured.
pub fn cursors(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    on_stage(|stage| {
        let cursor = Cursor { token: token.to_owned(), ..google_cursor(stage) };
        let stored = serde_json::to_string(&cursor).expect("a cursor is plain data");
        assert_eq!(serde_json::from_str::<Cursor>(&stored).ok().as_ref(), Some(&cursor));
        let request = ListRequest { calendar: CALENDAR[0], from: ListFrom::Cursor(&cursor), page: None };
        let (_, asked) = stage.play([b"{}".to_vec()], stage.at_google.list_changes(request));
        let asked = asked.iter().find(|target| target.contains("/events")).expect("Google is asked");
        let sent = url::Url::parse(&format!("{}{asked}", stage.base)).expect("a target is part of a URL");
        let sent: Vec<_> = sent.query_pairs().filter(|(name, _)| name == "syncToken").collect();
        assert!(sent.len() == 1 && sent[0].1 == token, "{token:?} is sent as {sent:?}");

        let link = String::from_utf8_lossy(&stage.here(data)).into_owned();
        let cursor = microsoft_cursor(link);
        let request = ListRequest { calendar: CALENDAR[1], from: ListFrom::Cursor(&cursor), page: None };
        let (answer, asked) = stage.play([b"{}".to_vec()], stage.at_microsoft.list_changes(request));
        let error = answer.expect_err("an answer that is no page");
        is_quiet(&error.to_string());
        assert!(asked.iter().all(|t| t.starts_with("/v1.0/") || t.contains("/oauth2/")), "{asked:?}");
    });
}

fn google_cursor(stage: &Stage) -> Cursor {
    let page = google_page(stage, br#"{"nextSyncToken":"t"}"#, ListFrom::Start(Window::ALL));
    match page.map(|page| page.next) {
        Ok(NextPage::Done(Some(cursor))) => cursor,
        other => panic!("an empty calendar's listing is complete: {other:?}"),
    }
}

fn google_page(stage: &Stage, body: &[u8], from: ListFrom<'_>) -> Result<ChangePage, ProviderError> {
    let request = ListRequest { calendar: CALENDAR[0], from, page: None };
    stage.play([body.to_vec()], stage.at_google.list_changes(request)).0
}

fn google_page_is_right(page: &ChangePage, told: &Value, full: bool) {
    assert!(told.is_object(), "what is no object passes for a page: {told}");
    let items = told["items"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(items.len(), page.items.len(), "every item counts");
    for (item, told) in page.items.iter().zip(items) {
        google_item(item, told);
    }
    match &page.next {
        NextPage::Page(next) => assert_eq!(told["nextPageToken"].as_str(), Some(next.as_str())),
        NextPage::Done(Some(cursor)) => {
            assert_eq!(told["nextSyncToken"].as_str(), Some(cursor.token.as_str()))
        }
        NextPage::Done(None) => assert!(!full, "a full listing without a token passes for complete"),
    }
}

fn google_item(item: &RemoteItem, told: &Value) {
    match item {
        RemoteItem::Present(event) => {
            assert_eq!(told["id"].as_str(), Some(event.event.id.as_str()));
            is_event(event);
        }
        RemoteItem::Gone { id } => {
            assert_eq!(told["id"].as_str(), Some(id.as_str()));
            assert_eq!(told["status"].as_str(), Some("cancelled"), "only a tombstone is gone");
        }
        RemoteItem::Enumerated { .. } => panic!("Google tells series by their pattern"),
    }
}

fn is_id(id: &EventId) -> bool {
    !id.as_str().is_empty() && id.as_str().len() <= ID_MAX
}

fn is_event(remote: &RemoteEvent) {
    let event = &remote.event;
    assert!(is_id(&event.id), "an id of {} bytes", event.id.as_str().len());
    match &event.series {
        Series::Instance { master, .. } | Series::Occurrence { master } => assert!(is_id(master)),
        Series::Single | Series::Master { .. } => {}
    }
    match &event.when {
        Some(When::Timed { start, end, .. }) => assert!(start <= end),
        Some(When::AllDay { start, end }) => assert!(start < end),
        None => assert!(matches!(event.series, Series::Instance { .. }), "{event:?}"),
    }
    assert_eq!(remote.as_block().is_some(), event.when.is_some());
    let stored = serde_json::to_string(event).expect("an event is plain data");
    assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(event), "what is stored reads the same");
}

fn window() -> Window {
    Window { from: NOW, to: NOW.plus(SignedDuration::from_hours(24 * 90)) }
}

fn microsoft_cursor(token: String) -> Cursor {
    let params = "m1 IdType=ImmutableId timezone=UTC".to_owned();
    Cursor { token, params, covers: Window { from: Ts::from_secs(0), ..window() } }
}

fn microsoft_round(
    stage: &Stage,
    answers: &[Vec<u8>],
    from: ListFrom<'_>,
) -> Result<(Vec<RemoteItem>, Cursor), ProviderError> {
    let walk = async {
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = ListRequest { calendar: CALENDAR[1], from, page: page.as_deref() };
            let found = stage.at_microsoft.list_changes(request).await?;
            items.extend(found.items);
            match found.next {
                NextPage::Page(next) => page = Some(next),
                NextPage::Done(cursor) => return Ok((items, cursor.expect("a round ends with a link"))),
            }
        }
        panic!("the walk does not end");
    };
    stage.play(answers.iter().cloned(), walk).0
}

fn microsoft_round_is_right(items: &[RemoteItem], answers: &[Vec<u8>], cursor: &Cursor, stage: &Stage) {
    let ours = format!("{}/v1.0/", stage.base);
    // Case and dots are for the URL's own rules to settle.
    let leads = url::Url::parse(&cursor.token).is_ok_and(|link| link.as_str().starts_with(&ours));
    assert!(leads, "the next reading leads elsewhere: {}", cursor.token);
    is_object(&answers[0]);
    let removed = removed(answers);
    let mut named = BTreeSet::new();
    for item in items {
        match item {
            RemoteItem::Present(event) => {
                is_event(event);
                assert!(named.insert(&event.event.id), "an id twice: {:?}", event.event.id);
            }
            RemoteItem::Gone { id } => {
                assert!(is_id(id), "an id of {} bytes", id.as_str().len());
                assert!(removed.contains(id.as_str()), "only a tombstone is gone: {id:?}");
                assert!(named.insert(id), "an id twice: {id:?}");
            }
            RemoteItem::Enumerated { .. } => {}
        }
    }
    for item in items {
        if let RemoteItem::Enumerated { master, shown, .. } = item {
            assert!(is_id(master), "an id of {} bytes", master.as_str().len());
            assert!(shown.iter().all(|id| named.contains(id)), "an occurrence that is shown, and is no item");
        }
    }
}

/// The ids of all tombstones of the answers.
fn removed(answers: &[Vec<u8>]) -> BTreeSet<String> {
    let pages = answers.iter().filter_map(|answer| serde_json::from_slice::<Value>(answer).ok());
    let items = pages.flat_map(|page| page["value"].as_array().cloned().unwrap_or_default());
    let gone = items.filter(|item| !item["@removed"].is_null());
    gone.filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

fn planted(answer: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(answer) {
        Ok(mut value) => {
            plant(&mut value, &WORDS);
            value.to_string().into_bytes()
        }
        Err(_) => answer.to_vec(),
    }
}
