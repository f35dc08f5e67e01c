//! A round as pages make it, without a server.

use super::*;
use calsync_core::event::Series;
use proptest::prelude::*;
use serde_json::{Value, json};

fn window() -> Window {
    Window { from: "2026-11-01T00:00:00Z".parse().unwrap(), to: "2027-02-01T00:00:00Z".parse().unwrap() }
}

fn item(id: &str, kind: &str, master: Option<&str>, full: bool) -> Value {
    let mut item = json!({
        "id": id, "type": kind, "seriesMasterId": master,
        "start": {"dateTime": "2026-12-01T09:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-01T10:00:00", "timeZone": "UTC"},
    });
    if full {
        item["showAs"] = json!("busy");
    }
    item
}

fn see(walk: &mut Walk, items: &[Value]) -> Result<(), ProviderError> {
    let text = json!({"value": items}).to_string();
    walk.see(&serde_json::from_str(&text).unwrap())
}

fn shown(items: &[RemoteItem]) -> Vec<String> {
    let name = |item: &RemoteItem| match item {
        RemoteItem::Present(e) if matches!(e.event.series, Series::Master { .. }) => {
            format!("?{}", e.event.id)
        }
        RemoteItem::Present(e) => e.event.id.to_string(),
        RemoteItem::Gone { id } => format!("-{id}"),
        RemoteItem::Enumerated { master, shown, .. } => format!("{master}:{}", shown.len()),
    };
    items.iter().map(name).collect()
}

#[test]
fn what_can_be_named_costs_only_itself() {
    let mut walk = Walk::new(Round::Full);
    let bad = json!({"id": "b", "start": 5});
    see(&mut walk, &[bad, item("a", "singleInstance", None, true)]).unwrap();
    assert_eq!(shown(&walk.finish(window())), ["a", "?b"], "a stand-in removes nothing");
    let error = see(&mut Walk::new(Round::Full), &[json!({"subject": "canary"})]).unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert!(!error.detail.contains("canary"));
}

#[test]
fn a_master_that_cannot_be_read_leaves_its_occurrences_as_they_are() {
    let mut walk = Walk::new(Round::Full);
    let bad = json!({"id": "m", "type": "seriesMaster", "isAllDay": "perhaps"});
    see(
        &mut walk,
        &[bad, item("m-1", "occurrence", Some("m"), false), item("m-2", "exception", Some("m"), true)],
    )
    .unwrap();
    assert!(walk.open_questions().is_empty(), "asking again would give the same");
    assert_eq!(shown(&walk.finish(window())), ["?m-1", "m-2"]);
}

#[test]
fn an_event_that_turned_into_a_series_is_no_event() {
    let mut walk = Walk::new(Round::Changes);
    see(&mut walk, &[item("a", "singleInstance", None, true)]).unwrap();
    see(&mut walk, &[item("a", "seriesMaster", None, true)]).unwrap();
    assert_eq!(walk.open_questions(), ["a"]);
    walk.answer_occurrences("a", &[]).unwrap();
    assert!(walk.open_questions().is_empty());
    assert_eq!(shown(&walk.finish(window())), ["a:0"]);
}

#[test]
fn the_series_itself_has_the_last_word_on_its_occurrences() {
    let mut walk = Walk::new(Round::Changes);
    let stubs = [item("m-1", "occurrence", Some("m"), false), item("m-2", "occurrence", Some("m"), false)];
    see(&mut walk, &stubs).unwrap();
    let answer =
        json!({"value": [item("m-2", "exception", Some("m"), true), {"id": "m-3", "start": 5}]}).to_string();
    walk.answer_occurrences("m", &[serde_json::from_str(&answer).unwrap()]).unwrap();
    assert_eq!(shown(&walk.finish(window())), ["m-2", "?m-3", "m:2"]);
}

#[test]
fn what_shows_another_series_is_no_answer() {
    let mut walk = Walk::new(Round::Changes);
    see(&mut walk, &[item("m", "seriesMaster", None, true)]).unwrap();
    let others = json!({"value": [item("n-1", "occurrence", Some("n"), true)]}).to_string();
    let error = walk.answer_occurrences("m", &[serde_json::from_str(&others).unwrap()]).unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(walk.open_questions(), ["m"], "nothing is known of it yet");
}

#[test]
fn an_id_that_can_be_none_names_neither_an_event_nor_a_series() {
    for id in [String::new(), "x".repeat(2_049)] {
        for odd in [json!({"id": id, "@removed": {}}), item(&id, "seriesMaster", None, true)] {
            let error = see(&mut Walk::new(Round::Changes), &[odd]).unwrap_err();
            assert_eq!(error.class, ErrorClass::Invalid);
        }
        let mut walk = Walk::new(Round::Changes);
        see(
            &mut walk,
            &[
                item("a", "occurrence", Some(&id), false),
                json!({"id": "b", "start": 5, "seriesMasterId": id}),
            ],
        )
        .unwrap();
        assert!(walk.open_questions().is_empty(), "there is nothing to ask about");
        assert_eq!(shown(&walk.finish(window())), ["?a", "?b"]);
    }
}

#[test]
fn a_round_too_long_is_told() {
    let mut walk = Walk::new(Round::Full);
    let many: Vec<Value> = (0..=ITEMS_MAX).map(|n| json!({"id": n.to_string(), "@removed": {}})).collect();
    assert_eq!(see(&mut walk, &many).unwrap_err().class, ErrorClass::Invalid);
}

fn any_item() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec!["singleInstance", "occurrence", "exception", "seriesMaster"]);
    let ids = prop::sample::select(vec!["a", "b", "c", "d"]);
    (ids.clone(), kinds, prop::option::of(ids), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(id, kind, master, full, removed)| {
            if removed {
                json!({"id": id, "@removed": {"reason": "deleted"}})
            } else {
                item(id, kind, master, full)
            }
        },
    )
}

proptest! {
    /// Wherever a round is cut into pages, it means the same.
    #[test]
    fn pages_may_be_cut_anywhere(items in prop::collection::vec(any_item(), 0..12), cut in 0_usize..12, full in any::<bool>()) {
        let round = if full { Round::Full } else { Round::Changes };
        let (mut one, mut two) = (Walk::new(round), Walk::new(round));
        see(&mut one, &items).unwrap();
        let cut = cut.min(items.len());
        see(&mut two, &items[..cut]).unwrap();
        see(&mut two, &items[cut..]).unwrap();
        prop_assert_eq!(one.open_questions(), two.open_questions());
        prop_assert_eq!(one.finish(window()), two.finish(window()));
    }

    /// No stub is told as an event before its master is known, and no master ever.
    #[test]
    fn every_question_is_asked_before_the_end(items in prop::collection::vec(any_item(), 0..12), full in any::<bool>()) {
        let round = if full { Round::Full } else { Round::Changes };
        let mut walk = Walk::new(round);
        see(&mut walk, &items).unwrap();
        for id in walk.open_questions() {
            walk.answer_no_series(&id);
        }
        prop_assert!(walk.open_questions().is_empty());
        for item in walk.finish(window()) {
            if let RemoteItem::Gone { id } = item {
                let tombstone = |i: &Value| i["id"] == id.as_str() && i.get("@removed").is_some();
                prop_assert!(items.iter().any(tombstone), "{id} is gone without a word");
            }
        }
    }
}
