//! The mirror's laws: whatever the order, repetition and mixture of listings, it shows what the provider last showed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::block::{BlockBusy, BlockContent, Marker, OccurrenceKey, Visibility, block_event_id};
use crate::plan::tests::cloud::{Cloud, as_remote};
use crate::plan::tests::dice::{Dice, seeds};
use crate::plan::tests::model::{self, CANARIES, Change, End, Long, Repeat, Spec};
use crate::plan::tests::world::{IDENTITY, calendar};

mod enumerated;
mod places;

const NOBODY: &BTreeSet<EventId> = &BTreeSet::new();

pub(super) fn context() -> FoldContext<'static> {
    FoldContext { our_blocks: NOBODY, texts: TextPolicy::default(), forget_before: Ts::MIN }
}

fn today() -> jiff::civil::DateTime {
    "2026-10-23T00:00:00".parse().unwrap()
}

fn present(remote: RemoteEvent) -> RemoteItem {
    RemoteItem::Present(Box::new(remote))
}

pub(super) fn fold(mirror: &mut Mirror, items: &[RemoteItem], listed: Listed) -> MirrorDelta {
    let delta = mirror.fold(items, listed, &context());
    mirror.apply(&delta);
    assert!(mirror.fold(items, listed, &context()).is_empty(), "the same listing again changes something");
    delta
}

fn cloud(dice: &mut Dice) -> (Cloud, Vec<Spec>) {
    let mut cloud = Cloud::default();
    let specs: Vec<Spec> =
        (0..dice.below(9)).map(|n| model::spec(dice, today(), format!("e{n}"), 0)).collect();
    specs.iter().for_each(|s| cloud.put_spec(s));
    (cloud, specs)
}

fn everything(cloud: &Cloud) -> Mirror {
    let mut mirror = Mirror::default();
    fold(&mut mirror, &cloud.list(None, &calendar(1, "UTC").zone()), Listed::Everything(Window::ALL));
    mirror
}

#[test]
fn changes_in_any_order_and_number_lead_where_a_full_listing_leads() {
    seeds(600, |_, dice| {
        let (mut cloud, mut specs) = cloud(dice);
        let mut mirror = if dice.chance(50) { Mirror::default() } else { everything(&cloud) };
        let mut read_to = if mirror == Mirror::default() { 0 } else { cloud.log.len() };
        for _ in 0..6 {
            for _ in 0..=dice.below(4) {
                let fresh = model::spec(dice, today(), format!("n{}", cloud.clock), 0);
                match (specs.len(), dice.below(4)) {
                    (0, _) | (_, 0) => specs.push(fresh),
                    (n, 1) => {
                        let gone = specs.swap_remove(dice.below(n));
                        cloud.remove_spec(&gone.id);
                        continue;
                    }
                    (n, 2) => {
                        let at = dice.below(n);
                        model::change(dice, &mut specs[at]);
                        specs.swap(at, n - 1);
                    }
                    (n, _) => {
                        let at = dice.below(n);
                        specs[at] = Spec { id: specs[at].id.clone(), ..fresh };
                        specs.swap(at, n - 1);
                    }
                }
                cloud.put_spec(specs.last().unwrap());
            }
            if dice.chance(60) {
                let items = cloud.changes(read_to, dice);
                let before = mirror.clone();
                if fold(&mut mirror, &items, Listed::Changes).exceptions_in_doubt {
                    mirror = before;
                    fold(
                        &mut mirror,
                        &cloud.list(None, &jiff::tz::TimeZone::UTC),
                        Listed::Everything(Window::ALL),
                    );
                }
                read_to = cloud.log.len();
                assert_eq!(mirror, everything(&cloud));
            }
        }
        // Late and doubled words about what still stands change nothing.
        let mut late: Vec<RemoteItem> = cloud
            .before
            .values()
            .filter(|r| cloud.items.contains_key(&r.event.id))
            .cloned()
            .map(present)
            .collect();
        dice.shuffle(&mut late);
        let items = cloud.changes(read_to, dice);
        let doubt = fold(&mut mirror, &items, Listed::Changes).exceptions_in_doubt;
        if !doubt {
            fold(&mut mirror, &late, Listed::Changes);
            assert_eq!(mirror, everything(&cloud), "an older word overwrote a newer one");
        }
    });
}

#[test]
fn the_pages_of_a_listing_may_be_cut_and_mixed_anyhow() {
    seeds(300, |_, dice| {
        let (cloud, _) = cloud(dice);
        let mut items = cloud.changes(0, dice);
        let whole = Mirror::default().fold(&items, Listed::Changes, &context());
        dice.shuffle(&mut items);
        let doubled: Vec<RemoteItem> = items.iter().chain(&items).cloned().collect();
        assert_eq!(whole, Mirror::default().fold(&doubled, Listed::Changes, &context()));
        let mut mirror = Mirror::default();
        for item in items {
            fold(&mut mirror, &[item], Listed::Changes);
        }
        assert_eq!(mirror, everything(&cloud));
    });
}

#[test]
fn nothing_goes_but_by_a_tombstone_or_a_complete_listing() {
    seeds(200, |_, dice| {
        let (cloud, _) = cloud(dice);
        let full = everything(&cloud);
        let mut mirror = full.clone();
        // Part of a listing, an empty one, and tombstones of things unknown.
        let mut items = cloud.list(None, &jiff::tz::TimeZone::UTC);
        items.truncate(dice.below(4));
        items.push(RemoteItem::Gone { id: "unknown".into() });
        assert!(fold(&mut mirror, &items, Listed::Changes).is_empty());
        assert!(fold(&mut mirror, &[], Listed::Changes).is_empty());
        assert_eq!(mirror, full);
        // A complete listing of another time takes away only what that time must have shown.
        let far = Window { from: Ts::from_secs(4_000_000_000), to: Ts::from_secs(4_000_000_001) };
        let delta = mirror.fold(&[], Listed::Everything(far), &context());
        let masters =
            |id: &EventId| matches!(full.events[id].series, Series::Master { .. } | Series::Instance { .. });
        assert!(delta.gone.iter().all(masters), "{:?}", delta.gone);
        let delta = mirror.fold(&[], Listed::Everything(Window::ALL), &context());
        assert_eq!(delta.gone.len(), full.events.len());
    });
}

fn single(id: &str) -> Spec {
    Spec {
        id: id.into(),
        uid: None,
        start: today(),
        zone: "Europe/Vienna".into(),
        long: Long::Minutes(60),
        repeat: None,
        changes: Vec::new(),
        shown: model::busy(),
        titled: true,
        updated: 10,
    }
}

pub(super) fn series(changes: &[(i64, Change)]) -> Spec {
    let repeat = Some(Repeat { every_days: 1, end: End::Never });
    Spec { repeat, changes: changes.to_vec(), ..single("s") }
}

fn told(spec: &Spec) -> Vec<RemoteItem> {
    spec.remote().into_iter().map(present).collect()
}

#[test]
fn an_older_word_changes_nothing_not_even_by_a_cancellation_or_a_time_long_past() {
    let mut mirror = Mirror::default();
    fold(&mut mirror, &told(&single("a")), Listed::Changes);
    let older = |change: fn(&mut Event)| {
        let mut remote = Spec { updated: 9, ..single("a") }.remote().remove(0);
        change(&mut remote.event);
        present(remote)
    };
    let over =
        |e: &mut Event| e.when = Some(crate::event::When::Timed { start: Ts::MIN, end: Ts::MIN, zone: None });
    for item in [older(|_| {}), older(|e| e.status = Status::Cancelled), older(over)] {
        let context = FoldContext { forget_before: Ts::from_secs(1), ..context() };
        assert!(mirror.fold(&[item], Listed::Changes, &context).is_empty());
    }
    let newer = Spec { updated: 11, ..single("a") }.remote().remove(0);
    let cancelled =
        RemoteEvent { event: Event { status: Status::Cancelled, ..newer.event.clone() }, ..newer };
    assert_eq!(mirror.fold(&[present(cancelled)], Listed::Changes, &context()).gone, ["a".into()]);
}

#[test]
fn a_series_takes_its_exceptions_with_it() {
    let mut mirror = Mirror::default();
    fold(&mut mirror, &told(&series(&[(1, Change::Cancelled), (2, Change::Moved(60))])), Listed::Changes);
    assert_eq!(mirror.events.len(), 3);
    let gone = [RemoteItem::Gone { id: "s".into() }];
    let delta = fold(&mut mirror.clone(), &gone, Listed::Changes);
    assert_eq!(delta.gone, ["s".into(), "s_1".into(), "s_2".into()]);
    assert!(!delta.exceptions_in_doubt);
    // By absence too, however far the exceptions stand from the time that was listed.
    let far = Window { from: Ts::from_secs(4_000_000_000), to: Ts::from_secs(4_000_000_001) };
    assert_eq!(mirror.fold(&[], Listed::Everything(far), &context()).gone.len(), 3);
}

#[test]
fn an_exception_shown_beside_the_tombstone_of_its_series_stands_and_is_in_doubt() {
    let mut mirror = Mirror::default();
    let spec = series(&[(1, Change::Moved(60))]);
    fold(&mut mirror, &told(&spec), Listed::Changes);
    let exception = told(&spec).remove(1);
    for items in [[exception.clone(), gone("s")], [gone("s"), exception]] {
        let delta = mirror.fold(&items, Listed::Changes, &context());
        assert_eq!(delta.gone, ["s".into()]);
        assert!(delta.exceptions_in_doubt, "only a full listing can tell");
    }
}

/// google.md §4 rule 7: one id may come twice, and once as it was before. Of a tombstone nobody says when it was.
#[test]
fn what_is_told_to_be_gone_and_to_stand_is_in_doubt() {
    let mut mirror = Mirror::default();
    fold(&mut mirror, &told(&single("a")), Listed::Changes);
    let old = told(&single("a")).remove(0);
    for items in [[gone("a"), old.clone()], [old, gone("a")]] {
        assert!(mirror.fold(&items, Listed::Changes, &context()).exceptions_in_doubt);
    }
    assert!(!mirror.fold(&[gone("a"), gone("a")], Listed::Changes, &context()).exceptions_in_doubt);
}

fn gone(id: &str) -> RemoteItem {
    RemoteItem::Gone { id: id.into() }
}

#[test]
fn an_edited_series_puts_its_exceptions_in_doubt() {
    let mut mirror = Mirror::default();
    let spec = series(&[(1, Change::Moved(60))]);
    fold(&mut mirror, &told(&spec), Listed::Changes);
    let edited = |change: fn(&mut Spec)| {
        let mut new = Spec { updated: 20, ..spec.clone() };
        change(&mut new);
        vec![told(&new).remove(0)]
    };
    let doubt = |items: &[RemoteItem]| mirror.fold(items, Listed::Changes, &context()).exceptions_in_doubt;
    assert!(doubt(&edited(|s| s.long = Long::Minutes(30))));
    assert!(doubt(&edited(|s| s.repeat = Some(Repeat { every_days: 7, end: End::Never }))));
    assert!(doubt(&edited(|s| s.repeat = None)));
    assert!(!doubt(&edited(|s| s.shown.show_as = crate::event::ShowAs::Free)));
    let mut other = Mirror::default();
    fold(&mut other, &told(&series(&[])), Listed::Changes);
    assert!(!other.fold(&edited(|s| s.repeat = None), Listed::Changes, &context()).exceptions_in_doubt);
}

/// A block with everything that makes it one.
fn block(n: u32, marked: Option<&crate::block::Identity>) -> RemoteEvent {
    let key = OccurrenceKey { event: "x".into(), original: None };
    let correlation = IDENTITY.correlation(&calendar(1, "UTC").remote, &key, &calendar(2, "UTC").remote);
    let id = block_event_id(correlation, n);
    let start = Ts::from_secs(1_800_000_000);
    let content = BlockContent {
        span: Span::Timed { start, end: start.plus(jiff::SignedDuration::from_hours(1)) },
        title: "Busy".into(),
        description: None,
        location: None,
        busy: BlockBusy::Busy,
        visibility: Visibility::Private,
        colour: None,
    };
    let marker = marked.map_or(Marker(String::new()), |identity| identity.marker(correlation, &id));
    let mut remote = as_remote(id, &content, marker);
    remote.marker = remote.marker.filter(|_| marked.is_some());
    remote
}

#[test]
fn blocks_never_pass_for_events() {
    let other = crate::block::Identity::new([9; 32]);
    let plain =
        |id: &str| RemoteEvent { event: Event { id: id.into(), ..block(0, None).event }, ..block(0, None) };
    let known_by = |uid: &str| {
        let event = Event { ical_uid: Some(uid.to_owned()), ..plain("subscribed").event };
        RemoteEvent { event, marker: None, ..plain("subscribed") }
    };
    let invited = |uid: &str| {
        let known = known_by(uid);
        let response = Some(crate::event::Response::NeedsAction);
        RemoteEvent { event: Event { response, ..known.event.clone() }, ..known }
    };
    let named: BTreeSet<EventId> = ["provider-chose-it".into()].into();
    let table: BTreeMap<&str, (RemoteEvent, bool)> = [
        ("ours", (block(0, Some(&IDENTITY)), true)),
        ("another installation's", (block(1, Some(&other)), true)),
        ("its marker was stripped", (block(2, None), true)),
        ("only the ledger knows", (plain("provider-chose-it"), true)),
        ("a copy", (RemoteEvent { marker: block(0, Some(&IDENTITY)).marker, ..plain("copy") }, true)),
        ("a copy by subscription", (known_by("cs1kkqifjo9h8hkd1ov2gps6l5jvsg0@google.com"), true)),
        ("one without the provider's name", (known_by("cs1kkqifjo9h8hkd1ov2gps6l5jvsg12"), true)),
        (
            "an invitation to what was made of one",
            (invited("cs1kkqifjo9h8hkd1ov2gps6l5jvsg0@google.com"), false),
        ),
        ("an event", (plain("event"), false)),
        ("one that is called like ours", (known_by("cs1-meeting@google.com"), false)),
    ]
    .into();
    for (what, (remote, is_block)) in table {
        let items = [present(remote)];
        // As the engine does: the ledger is asked only of strangers, and not at all where there are none.
        let strangers = Mirror::default().strangers(&items);
        let known = named.iter().filter(|id| strangers.contains(id)).cloned().collect();
        let context = FoldContext { our_blocks: &known, ..context() };
        let unsure = !is_block || what == "only the ledger knows";
        assert_eq!(!strangers.is_empty(), unsure, "{what}");
        let delta = Mirror::default().fold(&items, Listed::Changes, &context);
        assert_eq!(
            (delta.blocks.len(), delta.created.len()),
            if is_block { (1, 0) } else { (0, 1) },
            "{what}"
        );
    }
}

#[test]
fn an_event_that_turns_out_to_be_a_block_is_no_event_any_more() {
    let mut mirror = Mirror::default();
    let marked = block(0, Some(&IDENTITY));
    let mut bare = RemoteEvent { marker: None, ..marked.clone() };
    bare.event.id = "b".into();
    fold(&mut mirror, &[present(bare.clone())], Listed::Changes);
    assert_eq!((mirror.events.len(), mirror.blocks.len()), (1, 0));
    let marked = RemoteEvent { event: bare.event.clone(), ..marked };
    fold(&mut mirror, &[present(marked)], Listed::Changes);
    assert_eq!((mirror.events.len(), mirror.blocks.len()), (0, 1));
    fold(&mut mirror, &[present(bare)], Listed::Changes);
    assert_eq!((mirror.events.len(), mirror.blocks.len()), (0, 1), "once a block, always a block");
    fold(&mut mirror, &[gone("b")], Listed::Changes);
    assert_eq!(mirror, Mirror::default());
}

#[test]
fn text_is_kept_only_where_a_rule_copies_it_and_goes_when_none_does_any_more() {
    let items = told(&single("a"));
    let stored = |mirror: &Mirror, texts| {
        let mut mirror = mirror.clone();
        mirror.apply(&mirror.fold(
            &items,
            Listed::Everything(Window::ALL),
            &FoldContext { texts, ..context() },
        ));
        (CANARIES.map(|c| serde_json::to_string(&mirror).unwrap().contains(c)), mirror)
    };
    let all = TextPolicy { title: true, description: true, location: true };
    let none = TextPolicy::default();
    assert_eq!(stored(&Mirror::default(), none).0, [false; 3]);
    assert_eq!(stored(&Mirror::default(), TextPolicy { title: true, ..none }).0, [true, false, false]);
    assert_eq!(stored(&Mirror::default(), TextPolicy { description: true, ..none }).0, [false, true, false]);
    assert_eq!(stored(&Mirror::default(), TextPolicy { location: true, ..none }).0, [false, false, true]);
    let (_, full) = stored(&Mirror::default(), all);
    let (left, stripped) = stored(&full, none);
    assert_eq!(left, [false; 3]);
    assert_eq!(stored(&stripped, all).0, [true; 3]);
}

#[test]
fn what_is_over_is_not_kept_but_series_are() {
    let late = Ts::from_secs(1_900_000_000);
    let context = FoldContext { forget_before: late, ..context() };
    let items: Vec<_> =
        told(&single("a")).into_iter().chain(told(&series(&[(1, Change::Moved(5))]))).collect();
    let delta = Mirror::default().fold(&items, Listed::Changes, &context);
    let kept: Vec<&str> = delta.created.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(kept, ["s", "s_1"]);
}
