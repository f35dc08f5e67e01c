//! Series that their provider enumerates: each occurrence stands for itself, and a list of them all says which are gone.

use super::*;
use crate::event::{EventKind, ShowAs, When};
use crate::time::Span;

fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

fn window() -> Window {
    Window { from: ts("2026-11-01T00:00:00Z"), to: ts("2026-12-01T00:00:00Z") }
}

fn event(id: &str, day: u8, series: Series) -> RemoteItem {
    let start = ts(&format!("2026-11-{day:02}T09:00:00Z"));
    let end = start.plus(jiff::SignedDuration::from_hours(1));
    let event = Event {
        id: id.into(),
        version: None,
        updated: None,
        ical_uid: None,
        when: Some(When::Timed { start, end, zone: None }),
        series,
        status: Status::Confirmed,
        show_as: ShowAs::Busy,
        response: None,
        kind: EventKind::Default,
        text: None,
    };
    present(RemoteEvent {
        event,
        marker: None,
        visibility: Visibility::Private,
        colour: None,
        has_guests: false,
    })
}

fn occurrence(id: &str, day: u8) -> RemoteItem {
    event(id, day, Series::Occurrence { master: "m".into() })
}

fn all_of(shown: &[&str]) -> RemoteItem {
    let shown = shown.iter().map(|id| EventId::from(*id)).collect();
    RemoteItem::Enumerated { master: "m".into(), shown, covers: window() }
}

fn weekly() -> Mirror {
    let mut mirror = Mirror::default();
    let items =
        [occurrence("m-1", 2), occurrence("m-2", 9), occurrence("m-3", 16), event("s", 3, Series::Single)];
    fold(&mut mirror, &items, Listed::Everything(window()));
    mirror
}

fn ids(mirror: &Mirror) -> Vec<&str> {
    mirror.events.keys().map(EventId::as_str).collect()
}

#[test]
fn an_occurrence_keeps_its_identity_wherever_it_goes() {
    let mut mirror = weekly();
    let utc = jiff::tz::TimeZone::UTC;
    let keys = |mirror: &Mirror| -> Vec<(OccurrenceKey, Span)> {
        mirror.occurrences(&window(), &utc).list.into_iter().map(|o| (o.key, o.span)).collect()
    };
    let before = keys(&mirror);
    assert_eq!(before.len(), 4);
    fold(&mut mirror, &[occurrence("m-2", 11)], Listed::Changes);
    let after = keys(&mirror);
    let same: Vec<_> = before.iter().zip(&after).map(|(a, b)| a.0 == b.0).collect();
    assert_eq!(same, [true; 4], "it is known by its id alone");
    assert_ne!(before[1].1, after[1].1);
}

#[test]
fn what_a_whole_series_does_not_show_is_gone() {
    let mut mirror = weekly();
    let delta = fold(
        &mut mirror,
        &[occurrence("m-1", 2), occurrence("m-3", 16), all_of(&["m-1", "m-3"])],
        Listed::Changes,
    );
    assert_eq!((delta.gone, delta.exceptions_in_doubt), (vec!["m-2".into()], false));
    assert_eq!(ids(&mirror), ["m-1", "m-3", "s"]);
    // Only as far as it was looked at.
    fold(&mut mirror, &[event("m-9", 30, Series::Occurrence { master: "m".into() })], Listed::Changes);
    let early = Window { to: ts("2026-11-10T00:00:00Z"), ..window() };
    let none = RemoteItem::Enumerated { master: "m".into(), shown: BTreeSet::new(), covers: early };
    fold(&mut mirror, &[none], Listed::Changes);
    assert_eq!(ids(&mirror), ["m-3", "m-9", "s"]);
}

#[test]
fn a_tombstone_of_a_series_alone_leaves_a_doubt_and_deletes_nothing() {
    let gone = || RemoteItem::Gone { id: "m".into() };
    let mut mirror = weekly();
    let delta = fold_once(&mirror, &[gone()]);
    assert!(delta.exceptions_in_doubt && delta.gone.is_empty(), "{delta:?}");
    let tombs = ["m-1", "m-2", "m-3"].map(|id| RemoteItem::Gone { id: id.into() });
    let delta = fold_once(&mirror, &[vec![gone()], tombs.to_vec()].concat());
    assert!(!delta.exceptions_in_doubt, "each of its occurrences is accounted for");
    let delta = fold_once(&mirror, &[gone(), all_of(&[])]);
    assert!(!delta.exceptions_in_doubt && delta.gone.len() == 3, "{delta:?}");
    fold(&mut mirror, &[gone(), all_of(&[])], Listed::Changes);
    assert_eq!(ids(&mirror), ["s"]);
    assert!(fold_once(&mirror, &[gone()]).is_empty(), "nothing is known of it any more");
}

#[test]
fn a_single_event_may_become_a_series_and_the_other_way_round() {
    let mut mirror = weekly();
    let items = [
        event("s-1", 3, Series::Occurrence { master: "s".into() }),
        RemoteItem::Enumerated { master: "s".into(), shown: ["s-1".into()].into(), covers: window() },
    ];
    fold(&mut mirror, &items, Listed::Changes);
    assert_eq!(ids(&mirror), ["m-1", "m-2", "m-3", "s-1"]);
    let delta = fold_once(&mirror, &[event("m", 2, Series::Single)]);
    assert!(delta.exceptions_in_doubt, "its occurrences may stand or not");
}

#[test]
fn occurrences_that_are_over_are_not_kept() {
    let context = FoldContext { forget_before: ts("2026-11-10T00:00:00Z"), ..context() };
    let delta =
        Mirror::default().fold(&[occurrence("m-1", 2), occurrence("m-3", 16)], Listed::Changes, &context);
    assert_eq!(delta.created.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["m-3"]);
}

fn fold_once(mirror: &Mirror, items: &[RemoteItem]) -> MirrorDelta {
    mirror.fold(items, Listed::Changes, &context())
}
