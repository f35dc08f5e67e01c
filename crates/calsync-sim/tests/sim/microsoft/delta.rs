//! microsoft.md §7: what the rounds of a delta hold.

use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::event::Slot;
use calsync_sim::microsoft::{MicrosoftConfig, Vanished};
use serde_json::{Value, json};

use super::stage::{Microsoft, NOVEMBER, hour, id, kind};
use crate::stage::{content, fields, ts};

fn daily(count: u8) -> Content {
    content("s", 2).repeating(&format!("RRULE:FREQ=DAILY;COUNT={count}"))
}

fn slot(day: u8) -> Slot {
    Slot::At(ts(&format!("2026-11-{day:02}T09:00:00Z")))
}

#[test]
fn row_masters_singles_exceptions_are_whole_and_occurrences_are_stubs() {
    let ms = Microsoft::new();
    ms.create(&hour("one", 20));
    ms.person(|cloud, cal, now| {
        let series = cloud.create_event(cal, daily(3), now).unwrap();
        let to = (When::at(ts("2026-11-03T12:00:00Z"), "UTC"), When::at(ts("2026-11-03T13:00:00Z"), "UTC"));
        cloud.move_occurrence(cal, (&series.id, slot(3)), to, now).unwrap();
    });
    let round = ms.round(NOVEMBER, "");
    let mut kinds = round.kinds();
    kinds.sort_unstable();
    assert_eq!(kinds, ["exception", "occurrence", "occurrence", "seriesMaster", "singleInstance"]);
    let stub = round.items.iter().find(|e| kind(e) == "occurrence").unwrap();
    let keys = fields(stub);
    assert_eq!(
        keys,
        ["@odata.etag", "@odata.type", "end", "id", "seriesMasterId", "start", "type"],
        "seven and no more"
    );
    let master = round.items.iter().find(|e| kind(e) == "seriesMaster").unwrap();
    assert_eq!(stub["seriesMasterId"], master["id"]);
    assert_ne!(stub["@odata.etag"], master["@odata.etag"], "an etag of another form");
    for item in round.items.iter().filter(|e| kind(e) != "occurrence") {
        assert!(item["showAs"].is_string() && item["subject"].is_string(), "{item}");
    }
    assert!(round.items.iter().all(|e| e["singleValueExtendedProperties"].is_null()), "not in a delta");
}

#[test]
fn row_transaction_ids_and_categories_are_in_a_delta() {
    let ms = Microsoft::new();
    let mut body = hour("x", 2);
    body["transactionId"] = json!("calsync-1");
    body["categories"] = json!(["calendar-sync"]);
    ms.create(&body);
    let item = ms.round(NOVEMBER, "").items[0].clone();
    assert_eq!(
        (&item["transactionId"], &item["categories"][0]),
        (&json!("calsync-1"), &json!("calendar-sync"))
    );
}

#[test]
fn row_stubs_bear_windows_names_of_zones() {
    let ms = Microsoft::new();
    ms.person(|cloud, cal, now| cloud.create_event(cal, daily(2), now).unwrap());
    let round = ms.round(NOVEMBER, "outlook.timezone=\"Europe/Vienna\"");
    let zone = |of: &str| round.items.iter().find(|e| kind(e) == of).unwrap()["start"]["timeZone"].clone();
    assert_eq!(
        (zone("seriesMaster"), zone("occurrence")),
        (json!("Europe/Vienna"), json!("W. Europe Standard Time"))
    );
    let stub = round.items.iter().find(|e| kind(e) == "occurrence").unwrap();
    assert_eq!(stub["start"]["dateTime"], "2026-11-02T10:00:00.0000000", "and the time is that zone's");
    let utc = ms.round(NOVEMBER, "outlook.timezone=\"UTC\"");
    assert!(utc.items.iter().all(|e| e["start"]["timeZone"] == "UTC"));
}

#[test]
fn row_removed_for_deletions_moves_and_things_outside_the_window() {
    let ms = Microsoft::new();
    let (gone, away) = (ms.create(&hour("gone", 2)), ms.create(&hour("away", 3)));
    let link = ms.round(NOVEMBER, "").link;
    ms.write("DELETE", &format!("me/events/{}", id(&gone)), &Value::Null);
    let at = |h: u8| json!({"dateTime": format!("2027-03-01T{h:02}:00:00"), "timeZone": "UTC"});
    ms.write("PATCH", &format!("me/events/{}", id(&away)), &json!({"start": at(9), "end": at(10)}));
    let outside = ms.create(&json!({"subject": "outside", "start": at(9), "end": at(10)}));
    let round = ms.round(&link, "");
    assert_eq!(round.kinds(), ["removed"; 3]);
    let ids: Vec<_> = round.items.iter().map(id).collect();
    assert_eq!(ids, [id(&gone), id(&away), id(&outside)], "the last one was never told");
    let removed =
        json!({"@odata.type": "#microsoft.graph.event", "id": id(&gone), "@removed": {"reason": "deleted"}});
    assert_eq!(round.items[0], removed);
}

#[test]
fn row_a_cancelled_occurrence_may_be_told_by_its_master_alone() {
    for (vanished, want) in
        [(Vanished::Silent, vec!["seriesMaster"]), (Vanished::Told, vec!["seriesMaster", "removed"])]
    {
        let ms = Microsoft::with(MicrosoftConfig { vanished, ..MicrosoftConfig::default() });
        let series = ms.person(|cloud, cal, now| cloud.create_event(cal, daily(3), now).unwrap());
        let link = ms.round(NOVEMBER, "").link;
        ms.person(|cloud, cal, now| cloud.cancel_occurrence(cal, &series.id, slot(3), now).unwrap());
        let round = ms.round(&link, "");
        assert_eq!(round.kinds(), want);
        let range = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z";
        let left = ms.good(&format!("me/events/{}/instances?{range}", id(&round.items[0])));
        assert_eq!(left["value"].as_array().unwrap().len(), 2, "the instances tell");
    }
}

#[test]
fn row_editing_a_series_tells_all_its_occurrences_again() {
    let ms = Microsoft::new();
    let series = ms.person(|cloud, cal, now| cloud.create_event(cal, daily(4), now).unwrap());
    let link = ms.round(NOVEMBER, "").link;
    ms.person(|cloud, cal, now| {
        cloud.edit_event(cal, &series.id, now, |c| c.summary = Some("t".into())).unwrap()
    });
    assert_eq!(
        ms.round(&link, "").kinds(),
        ["seriesMaster", "occurrence", "occurrence", "occurrence", "occurrence"]
    );
    ms.person(|cloud, cal, now| {
        cloud
            .edit_event(cal, &series.id, now, |c| c.recurrence = vec!["RRULE:FREQ=DAILY;COUNT=2".into()])
            .unwrap()
    });
    let shorter = ms.round(&link, "");
    assert!(!shorter.kinds().contains(&"removed"), "those that are no more are not told");
}

#[test]
fn row_a_deleted_series_is_removed_as_one() {
    let ms = Microsoft::new();
    let series = ms.person(|cloud, cal, now| cloud.create_event(cal, daily(4), now).unwrap());
    let link = ms.round(NOVEMBER, "").link;
    ms.person(|cloud, cal, now| cloud.cancel_event(cal, &series.id, now).unwrap());
    let round = ms.round(&link, "");
    assert_eq!((round.kinds(), id(&round.items[0])), (vec!["removed"], ms.id(&series.id).as_str()));
}

#[test]
fn row_the_same_id_comes_several_times_in_a_round() {
    let ms = Microsoft::new();
    let series = ms.person(|cloud, cal, now| cloud.create_event(cal, daily(4), now).unwrap());
    let link = ms.round(NOVEMBER, "").link;
    for day in [3, 4] {
        ms.person(|cloud, cal, now| {
            cloud
                .edit_event(
                    cal,
                    &calsync_sim::cloud::event::Event::occurrence_id(&series.id, slot(day)),
                    now,
                    |c| c.summary = Some("x".into()),
                )
                .unwrap()
        });
    }
    assert_eq!(ms.round(&link, "").kinds(), ["seriesMaster", "exception", "seriesMaster", "exception"]);
}

#[test]
fn row_only_a_delta_link_ends_a_round_and_page_size_is_preferred() {
    let ms = Microsoft::new();
    for day in 1..=7 {
        ms.create(&hour("x", day));
    }
    assert_eq!(ms.round(NOVEMBER, "odata.maxpagesize=3").pages, [3, 3, 1]);
    for day in 8..=12 {
        ms.create(&hour("x", day));
    }
    assert_eq!(ms.round(NOVEMBER, "").pages, [10, 2], "ten without a word");
}

#[test]
fn row_what_changes_during_a_round_belongs_to_the_next() {
    let ms = Microsoft::new();
    let made: Vec<Value> = (1..=6).map(|day| ms.create(&hour("x", day))).collect();
    let request = |target: &str| {
        calsync_sim::microsoft::ApiRequest::new("GET", target).header("prefer", "odata.maxpagesize=2")
    };
    let (_, first) = ms.send(request(NOVEMBER));
    for event in &made {
        ms.write("PATCH", &format!("me/events/{}", id(event)), &json!({"subject": "y"}));
    }
    let rest =
        ms.round(super::stage::path_of(first["@odata.nextLink"].as_str().unwrap()), "odata.maxpagesize=2");
    assert_eq!(first["value"].as_array().unwrap().len() + rest.items.len(), 6, "nothing is skipped");
    assert_eq!(ms.round(&rest.link, "").items.len(), 6, "and nothing lost");
}
