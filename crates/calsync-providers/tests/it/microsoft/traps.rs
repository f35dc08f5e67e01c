//! The behaviours that bite (microsoft.md §10), each under its number, as far as they concern the adapter. Row 14 stands in
//! `writing`, rows 7 and 16 in `watching`, row 19 in `accounts`; rows 13 and 15 are the engine's (the
//! worlds of `calsync-sim`), row 18 is the server's (`service/reach.rs`).

use calsync_core::calendar::Cursor;
use calsync_core::event::{Series, ShowAs, When};
use calsync_core::ports::{ListFrom, ProviderAccount, RemoteItem};
use calsync_core::time::Span;
use serde_json::json;

use super::rig::{
    Rig, exception, ids, master, person, present, refusal, removed, single, stub, whole, window,
};
use crate::rig::answer;

/// Every preference of every call.
fn preferences(rig: &Rig) -> Vec<String> {
    rig.calls().iter().map(|call| call.header("prefer").unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn trap_1_stubs_are_joined_with_their_master() {
    let rig = Rig::new().await;
    rig.answers([
        rig.page(json!([stub("m-1", "m", 7), stub("f-1", "f", 8)]), "s1"),
        rig.last_page(json!([master("m", "oof"), master("f", "free"), stub("m-2", "m", 14)])),
    ]);
    let items = rig.full().await;
    let told: Vec<_> = present(&items)
        .iter()
        .map(|e| (e.event.id.as_str(), e.event.show_as, e.event.kind, e.event.ical_uid.as_deref()))
        .collect();
    use calsync_core::event::EventKind::{Default, OutOfOffice};
    assert_eq!(
        told,
        [
            ("f-1", ShowAs::Free, Default, Some("uid-f")),
            ("m-1", ShowAs::Busy, OutOfOffice, Some("uid-m")),
            ("m-2", ShowAs::Busy, OutOfOffice, Some("uid-m")),
        ]
    );
}

#[tokio::test]
async fn trap_2_a_master_is_never_an_event() {
    let rig = Rig::new().await;
    rig.answers([rig.last_page(json!([master("m", "busy")]))]);
    assert!(rig.full().await.is_empty(), "its time is that of 2012");
    rig.answers([rig.last_page(json!([master("m", "busy")])), answer(200, json!({"value": []}))]);
    assert!(ids(&rig.changes().await).is_empty());
}

#[tokio::test]
async fn trap_3_tombstones_of_things_never_seen_are_told_and_harm_nobody() {
    let rig = Rig::new().await;
    rig.answers([
        rig.last_page(json!([removed("never"), {"id": "moved", "@removed": {"reason": "changed"}}]))
    ]);
    let items = rig.full().await;
    let gone = |id: &str| RemoteItem::Gone { id: id.into() };
    assert_eq!(items, [gone("moved"), gone("never")]);
    // The mirror looks the id up before it believes that anything is gone.
    let context = calsync_core::mirror::FoldContext {
        our_blocks: &std::collections::BTreeSet::new(),
        texts: calsync_core::event::TextPolicy::default(),
        forget_before: window().from,
    };
    let listed = calsync_core::mirror::Listed::Changes;
    assert!(calsync_core::mirror::Mirror::default().fold(&items, listed, &context).is_empty());
}

#[tokio::test]
async fn trap_4_a_deleted_occurrence_is_found_by_reading_its_series() {
    let rig = Rig::new().await;
    // The round tells no more than that the master was touched.
    rig.answers([
        rig.last_page(json!([master("m", "busy")])),
        answer(200, json!({"value": [whole("m-1", "m", 7), whole("m-3", "m", 21)]})),
    ]);
    let items = rig.changes().await;
    assert_eq!(ids(&items), ["m-1", "m-3"]);
    let shown = ["m-1".into(), "m-3".into()].into();
    assert!(items.contains(&RemoteItem::Enumerated { master: "m".into(), shown, covers: window() }));
    // Any item of a series counts: an exception, a stub.
    for touched in [exception("m-1", "m", 8), stub("m-1", "m", 7)] {
        rig.answers([
            rig.last_page(json!([touched])),
            answer(200, json!({"value": [exception("m-1", "m", 8)]})),
        ]);
        let items = rig.changes().await;
        assert_eq!(ids(&items), ["m-1"], "what the series shows is newer than the round");
        assert!(matches!(items.last(), Some(RemoteItem::Enumerated { .. })));
    }
    // The whole series is gone.
    rig.answers([
        rig.last_page(json!([stub("m-1", "m", 7), removed("m")])),
        refusal(404, "ErrorItemNotFound"),
    ]);
    let items = rig.changes().await;
    assert!(ids(&items).is_empty());
    assert!(matches!(items.last(), Some(RemoteItem::Enumerated { shown, .. }) if shown.is_empty()));
}

#[tokio::test]
async fn trap_4_somebody_invited_to_one_occurrence_keeps_it() {
    let rig = Rig::new().await;
    rig.answers([rig.last_page(json!([exception("x-1", "x", 7)])), refusal(404, "ErrorItemNotFound")]);
    let items = rig.changes().await;
    assert_eq!(ids(&items), ["x-1"]);
    assert!(
        matches!(items.last(), Some(RemoteItem::Enumerated { shown, .. }) if shown.contains(&"x-1".into()))
    );
}

#[tokio::test]
async fn trap_5_a_series_sent_again_reads_the_same() {
    let rig = Rig::new().await;
    rig.answers([rig.last_page(json!([master("m", "busy"), stub("m-1", "m", 7)]))]);
    let full = rig.full().await;
    rig.answers([
        rig.last_page(json!([master("m", "busy"), stub("m-1", "m", 7)])),
        answer(200, json!({"value": [whole("m-1", "m", 7)]})),
    ]);
    let again = rig.changes().await;
    let (before, after) = (&present(&full)[0].event, &present(&again)[0].event);
    // Stub and full item have different etags, times of change and UIDs: none of them may look like news.
    assert_eq!((before.version.as_ref(), before.updated), (None, None));
    assert_eq!((before, &before.ical_uid), (after, &Some("uid-m".to_owned())));
}

#[tokio::test]
async fn trap_6_every_call_asks_for_ids_that_do_not_change_and_for_utc() {
    let rig = Rig::new().await;
    rig.answers([
        rig.page(json!([]), "s1"),
        rig.last_page(json!([stub("m-1", "m", 7)])),
        answer(200, master("m", "busy")),
        rig.last_page(json!([stub("m-1", "m", 7)])),
        answer(200, json!({"value": []})),
        answer(200, json!({"value": []})),
        refusal(404, "ErrorItemNotFound"),
        refusal(404, "ErrorItemNotFound"),
        answer(201, json!({"id": "s", "expirationDateTime": "2026-11-22T00:00:00Z"})),
        answer(200, json!({"id": "s", "expirationDateTime": "2026-11-22T00:00:00Z"})),
        answer(204, ""),
    ]);
    rig.full().await;
    rig.changes().await;
    let (account, id) = (&rig.account, &"e".into());
    account.list_calendars().await.unwrap();
    account.get_block("c", id).await.unwrap();
    account.delete_block("c", id, None).await.unwrap();
    account.watch(&super::watching::request()).await.unwrap();
    account.renew(&super::watching::renewal()).await.unwrap();
    account.stop("s", "s").await.unwrap();
    let preferences = preferences(&rig);
    assert_eq!(preferences.len(), 11);
    for prefer in preferences {
        for part in
            ["IdType=\"ImmutableId\"", "outlook.timezone=\"UTC\"", "outlook.body-content-type=\"text\""]
        {
            assert!(prefer.contains(part), "{prefer}");
        }
    }
    let names: std::collections::BTreeSet<_> =
        rig.calls().iter().map(|c| c.header("client-request-id").unwrap().to_owned()).collect();
    assert_eq!(names.len(), 11, "each call has a name of its own");
}

#[tokio::test]
async fn trap_8_calendars_shared_in_are_polled() {
    let rig = Rig::new().await;
    let hers = json!({"id": "B", "name": "Bea", "canEdit": true, "canShare": false, "owner": {"address": "bea@example.com"}});
    rig.answers([answer(200, json!({"value": [hers]}))]);
    assert!(rig.account.list_calendars().await.unwrap()[0].push_unsupported);
    // Where we could not know, the refusal says so.
    rig.answers([refusal(403, "ErrorAccessDenied")]);
    let error = rig.account.watch(&super::watching::request()).await.unwrap_err();
    assert_eq!(error.class, calsync_core::ports::ErrorClass::Unsupported);
    assert_eq!(person().email, "ann@example.com");
}

#[tokio::test]
async fn trap_9_changes_are_read_in_the_window_of_their_token() {
    let rig = Rig::new().await;
    rig.answers([rig.last_page(json!([single("a", 1)]))]);
    let (_, cursor) = rig.round(ListFrom::Cursor(&rig.cursor())).await.unwrap();
    assert_eq!(cursor.covers, window(), "a new token of an old round covers no more than that round");
    assert_eq!(cursor.token, rig.link("$deltatoken=d1"));
    assert!(rig.calls()[0].query("startDateTime").is_none(), "a link is never changed");
    let _ = Cursor { covers: window(), ..cursor };
}

#[tokio::test]
async fn trap_10_whole_days_float() {
    let rig = Rig::new().await;
    let day = |zone: &str| json!({"dateTime": "2026-12-24T00:00:00.0000000", "timeZone": zone});
    let mut items = Vec::new();
    for (id, zone) in [("a", "UTC"), ("b", "W. Europe Standard Time"), ("c", "tzone://Microsoft/Custom")] {
        let mut item = single(id, 24);
        item["isAllDay"] = json!(true);
        item["start"] = day(zone);
        item["end"] = json!({"dateTime": "2026-12-25T00:00:00.0000000", "timeZone": zone});
        items.push(item);
    }
    rig.answers([rig.last_page(json!(items))]);
    let date = jiff::civil::Date::constant(2026, 12, 24);
    for event in present(&rig.full().await) {
        assert_eq!(
            event.event.when,
            Some(When::AllDay { start: date, end: date.tomorrow().unwrap() }),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn trap_11_zone_names_of_both_families() {
    let rig = Rig::new().await;
    let mut windows = stub("m-1", "m", 7);
    windows["start"] =
        json!({"dateTime": "2026-12-07T09:00:00.0000000", "timeZone": "W. Europe Standard Time"});
    windows["end"] = json!({"dateTime": "2026-12-07T10:00:00.0000000", "timeZone": "Europe/Vienna"});
    let mut custom = stub("m-2", "m", 14);
    custom["start"]["timeZone"] = json!("tzone://Microsoft/Custom");
    rig.answers([rig.last_page(json!([master("m", "busy"), windows, custom, single("a", 1)]))]);
    let items = rig.full().await;
    let events = present(&items);
    assert_eq!(ids(&items), ["a", "m-1", "m-2"]);
    let at = |t: &str| t.parse().unwrap();
    let span = Span::Timed { start: at("2026-12-07T08:00:00Z"), end: at("2026-12-07T09:00:00Z") };
    assert_eq!(events[1].event.when.as_ref().map(When::span), Some(span));
    // An unknown zone poisons that event alone, and removes nothing that stands for it.
    assert!(
        matches!(&events[2].event.series, Series::Master { recurrence } if recurrence.lines[0].contains("zone"))
    );
}

#[tokio::test]
async fn trap_12_our_own_blocks_are_known_in_a_round_without_properties() {
    let rig = Rig::new().await;
    let mut block = single("b", 1);
    block["transactionId"] = json!("calsync-v1.00ff.11aa");
    let mut outlooks = single("o", 2);
    outlooks["transactionId"] = json!("localevent:6a0f0c1e-1111-4222-8333-444455556666");
    // Somebody made a series out of a block: its occurrences must not be mirrored onward either.
    let mut made = master("m", "busy");
    made["transactionId"] = json!("calsync-v1.00ff.22bb");
    rig.answers([rig.last_page(json!([block, outlooks, made, stub("m-1", "m", 7)]))]);
    let items = rig.full().await;
    let marks: Vec<_> = present(&items).iter().map(|e| e.marker.as_ref().map(|m| m.0.as_str())).collect();
    assert_eq!(marks, [Some("v1.00ff.11aa"), Some("v1.00ff.22bb"), None]);
}

#[tokio::test]
async fn trap_17_personal_accounts_refuse_what_they_lack_in_their_own_way() {
    let rig = Rig::new().await;
    rig.answers([refusal(401, "UnknownError")]);
    let error = rig.round(ListFrom::Start(window())).await.unwrap_err();
    assert_eq!(error.class, calsync_core::ports::ErrorClass::Unsupported, "the account itself is well");
    assert_eq!(rig.token_calls().len(), 1);
}
