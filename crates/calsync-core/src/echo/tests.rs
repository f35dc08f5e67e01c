//! What is known is not read again, and whatever is not known is.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::block::{Fingerprint, ObservedBlock};
use crate::event::{Event, EventKind, ShowAs, Status, TextPolicy, When};
use crate::mirror::{FoldContext, Listed};
use crate::ports::RemoteItem;
use crate::time::{Span, Ts};

fn span() -> Span {
    Span::Timed { start: Ts::from_secs(1_000_000), end: Ts::from_secs(1_003_600) }
}

fn block(id: &str, version: Option<&str>) -> ObservedBlock {
    ObservedBlock {
        id: id.into(),
        version: version.map(str::to_owned),
        updated: None,
        marker: None,
        fingerprint: Fingerprint(1),
        span: span(),
        has_guests: false,
        ical_uid: None,
        is_free: false,
    }
}

fn event(id: &str, series: Series) -> Event {
    Event {
        id: id.into(),
        version: Some("7".to_owned()),
        updated: None,
        ical_uid: None,
        when: Some(When::Timed {
            start: Ts::from_secs(1_000_000),
            end: Ts::from_secs(1_003_600),
            zone: Some("UTC".to_owned()),
        }),
        series,
        status: Status::Confirmed,
        show_as: ShowAs::Busy,
        response: None,
        kind: EventKind::Default,
        text: None,
    }
}

/// A block, one whose version nobody told, an event, and an occurrence of a series that is enumerated.
fn mirror() -> Mirror {
    let blocks = [block("block", Some("5")), block("untold", None)];
    let events =
        [event("event", Series::Single), event("first", Series::Occurrence { master: "series".into() })];
    Mirror {
        blocks: blocks.into_iter().map(|b| (b.id.clone(), b)).collect(),
        events: events.into_iter().map(|e| (e.id.clone(), e)).collect(),
    }
}

fn stands(event: &str, version: &str) -> Told {
    Told::Stands { event: event.into(), version: version.to_owned() }
}

fn gone(event: &str) -> Told {
    Told::Gone { event: event.into() }
}

/// microsoft.md §7: a listing may lag behind the push that asked for it.
#[test]
fn what_a_listing_has_not_come_to_is_looked_for_again() {
    let of = |event: Event, version: &str| {
        let event = Event { version: Some(version.to_owned()), ..event };
        RemoteItem::Present(Box::new(crate::ports::RemoteEvent {
            event,
            marker: None,
            visibility: crate::block::Visibility::Private,
            colour: None,
            has_guests: false,
        }))
    };
    let single = |id: &str, version: &str| of(event(id, Series::Single), version);
    let occurrence = || of(event("first", Series::Occurrence { master: "series".into() }), "7");
    let listed = |master: &str| RemoteItem::Enumerated {
        master: master.into(),
        shown: BTreeSet::new(),
        covers: crate::time::Window::ALL,
    };
    let went = |id: &str| RemoteItem::Gone { id: id.into() };
    let table = [
        (stands("block", "5"), vec![], true, "known before"),
        (stands("event", "7"), vec![], true, "known before"),
        (stands("event", "8"), vec![], false, "not shown"),
        (stands("event", "8"), vec![single("other", "1")], false, "something else was shown"),
        (stands("event", "8"), vec![single("event", "7")], false, "shown as it was before"),
        (stands("event", "8"), vec![single("event", "8")], true, "shown"),
        (stands("event", "8"), vec![single("event", "9")], true, "it has moved on since"),
        (stands("event", "stub"), vec![single("event", "8")], true, "the version is told in other words"),
        (stands("block", "6"), vec![single("block", "5")], false, "shown as it was before"),
        (stands("fresh", "1"), vec![single("fresh", "x")], true, "new"),
        (stands("fresh", "1"), vec![went("fresh")], true, "it came and went"),
        (stands("series", "8"), vec![listed("series")], true, "told by its occurrences"),
        (stands("series", "8"), vec![occurrence()], true, "told by one of them"),
        (stands("series", "8"), vec![listed("other")], false, "another series"),
        (gone("block"), vec![], false, "it stands in our picture"),
        (gone("block"), vec![went("block")], true, "shown"),
        (gone("other"), vec![], true, "never known"),
    ];
    for (told, shown, reached, why) in table {
        assert_eq!(told.is_reached(&shown, &mirror()), reached, "{why}: {told:?}");
    }
    let last = Told::last([stands("a", "1"), gone("b"), stands("a", "2")]);
    assert_eq!(last, [stands("a", "2"), gone("b")]);
}

#[test]
fn only_what_our_picture_shows_is_known() {
    let table = [
        (stands("block", "5"), true, "a write of ours comes back"),
        (stands("block", "6"), false, "somebody changed our block"),
        (stands("block", "4"), false, "an old word: who knows"),
        (stands("untold", ""), false, "nobody told its version"),
        (stands("event", "7"), false, "an event may be a series whose occurrence changed"),
        (stands("other", "5"), false, "never seen"),
        (gone("other"), true, "we removed it, or never knew it"),
        (gone("block"), false, "somebody removed our block"),
        (gone("event"), false, "somebody removed an event"),
        (gone("first"), false, "somebody removed an occurrence"),
        (gone("series"), false, "somebody removed a series"),
    ];
    for (told, known, why) in table {
        assert_eq!(told.is_known(&mirror()), known, "{why}");
    }
}

#[test]
fn whatever_else_asks_is_read_for() {
    let (ours, theirs) = (Some(stands("block", "5")), Some(stands("other", "1")));
    let table = [
        (1, vec![ours.clone()], 0, true, "one write of ours"),
        (2, vec![ours.clone(), Some(gone("other"))], 0, true, "two of them"),
        (2, vec![ours.clone()], 0, false, "somebody else asks as well, or was not served"),
        (1, vec![ours.clone(), ours.clone()], 0, false, "one of them was counted before"),
        (2, vec![ours.clone(), theirs], 0, false, "one of them is news"),
        (2, vec![ours.clone(), None], 0, false, "one of them names nothing"),
        (1, vec![ours], 1, false, "something failed before"),
        (1, vec![], 0, false, "nobody told anything"),
        (0, vec![], 0, false, "nobody asked"),
    ];
    for (raised, told, failures, known, why) in table {
        assert_eq!(Asked { raised, told: &told, failures }.is_known(&mirror()), known, "{why}");
    }
}

#[test]
fn what_is_kept_is_read_again() {
    for told in [stands("a", "W/\"DwAA\""), gone("b")] {
        let mut payload = Map::new();
        told.keep(&mut payload);
        assert_eq!(Told::read(&Value::Object(payload)), Some(told));
    }
    for other in [serde_json::json!({}), Value::Null, serde_json::json!({"told": 5, "event": "a"})] {
        assert_eq!(Told::read(&other), None);
    }
}

proptest! {
    /// A tombstone that is called known changes nothing when it is listed, whatever our picture is.
    #[test]
    fn a_known_tombstone_changes_nothing(
        events in proptest::collection::vec((0u8..6, 0u8..4, 0u8..6), 0..6),
        blocks in proptest::collection::btree_set(0u8..6, 0..3),
        id in 0u8..6,
    ) {
        let name = |n: u8| format!("e{n}");
        let blocks: BTreeSet<String> = blocks.into_iter().map(name).collect();
        let events = events.into_iter().map(|(id, sort, master)| {
            let master = EventId(name(master));
            let series = match sort {
                0 => Series::Single,
                1 => Series::Master { recurrence: crate::recurrence::Recurrence { lines: Vec::new() } },
                _ => Series::Occurrence { master },
            };
            event(&name(id), series)
        });
        let events = events.filter(|e| !blocks.contains(e.id.as_str()));
        let mirror = Mirror {
            events: events.map(|e| (e.id.clone(), e)).collect(),
            blocks: blocks.iter().map(|id| (EventId(id.clone()), block(id, Some("1")))).collect(),
        };
        let id = EventId(name(id));
        let none = BTreeSet::new();
        let context = FoldContext {
            our_blocks: &none,
            texts: TextPolicy::default(),
            forget_before: Ts::from_secs(0),
        };
        let delta = mirror.fold(&[RemoteItem::Gone { id: id.clone() }], Listed::Changes, &context);
        if (Told::Gone { event: id }).is_known(&mirror) {
            prop_assert!(delta.is_empty(), "{delta:?}");
        }
    }
}
