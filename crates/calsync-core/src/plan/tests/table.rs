//! What an event becomes under a rule: one row per case.

use super::model::{Change, End, Long, Repeat, Shown, Spec};
use super::pair::{Pair, meeting, skips};
use crate::block::{BlockBusy, BlockContent, Visibility};
use crate::event::{EventKind, Response, ShowAs, Status};
use crate::ledger::WriteOp;
use crate::plan::{ActionKind, SkipReason};
use crate::ports::Tentativeness;
use crate::rule::{RuleOptions, Tentative, WorkingHours};

/// What one event becomes: the content of its block, or the reason why it has none.
fn becomes(spec: Spec, options: RuleOptions) -> Result<BlockContent, SkipReason> {
    let mut pair = Pair::new(options);
    pair.put(spec);
    one_of(&mut pair)
}

fn one_of(pair: &mut Pair) -> Result<BlockContent, SkipReason> {
    let plan = pair.plan();
    match (plan.actions.as_slice(), skips(&plan).as_slice()) {
        ([action], []) if action.kind == ActionKind::Create => match &action.write {
            Some(WriteOp::Create { content, .. }) => Ok(content.clone()),
            other => panic!("{other:?}"),
        },
        ([], [(_, reason)]) => Err(reason.clone()),
        other => panic!("one block or one reason: {other:#?}"),
    }
}

fn shown(change: impl FnOnce(&mut Shown)) -> Spec {
    let mut spec = meeting("m", 36);
    change(&mut spec.shown);
    spec
}

fn on(change: impl FnOnce(&mut RuleOptions)) -> RuleOptions {
    let mut options = RuleOptions::default();
    change(&mut options);
    options
}

fn hours(days: &[u8], from: u16, to: u16) -> Option<WorkingHours> {
    Some(WorkingHours { zone: "Europe/Vienna".into(), days: days.to_vec(), from_minute: from, to_minute: to })
}

fn span(result: Result<BlockContent, SkipReason>) -> String {
    result.unwrap().span.to_string()
}

#[test]
fn every_reason_for_no_block_has_its_case() {
    let all_day = |days| Spec { long: Long::Days(days), ..meeting("m", 0) };
    let plain = RuleOptions::default;
    let table = [
        (shown(|s| s.show_as = ShowAs::Free), plain(), SkipReason::Free),
        (shown(|s| s.response = Some(Response::Declined)), plain(), SkipReason::Declined),
        (shown(|s| s.kind = EventKind::WorkingLocation), plain(), SkipReason::WorkingLocation),
        (shown(|s| s.kind = EventKind::Birthday), plain(), SkipReason::Birthday),
        (shown(|s| s.kind = EventKind::Unknown), plain(), SkipReason::UnknownKind),
        (
            shown(|s| s.status = Status::Tentative),
            on(|o| o.tentative = Tentative::Skip),
            SkipReason::Tentative,
        ),
        (
            shown(|s| s.response = Some(Response::NeedsAction)),
            on(|o| o.tentative = Tentative::Skip),
            SkipReason::Tentative,
        ),
        (all_day(1), on(|o| o.skip_all_day = true), SkipReason::AllDay),
        (meeting("m", 36), on(|o| o.min_minutes = 61), SkipReason::TooShort),
        (meeting("m", 36), on(|o| o.working_hours = hours(&[1], 0, 540)), SkipReason::OutsideWorkingHours),
        (
            meeting("m", 36),
            on(|o| o.working_hours = hours(&[2, 7], 0, 1440)),
            SkipReason::OutsideWorkingHours,
        ),
        (Spec { long: Long::Minutes(0), ..meeting("m", 36) }, plain(), SkipReason::NoDuration),
        (all_day(0), plain(), SkipReason::NoDuration),
        (Spec { long: Long::Days(-1), ..meeting("m", 96 * 5) }, plain(), SkipReason::NoDuration),
        (Spec { long: Long::Minutes(-15), ..meeting("m", 36) }, plain(), SkipReason::NoDuration),
    ];
    for (spec, options, reason) in table {
        assert_eq!(becomes(spec, options), Err(reason));
    }
}

#[test]
fn the_reasons_that_lie_outside_the_event_have_theirs() {
    let mut pair = Pair::new(RuleOptions::default());
    pair.put(meeting("m", 36));
    pair.target().cloud.put_spec(&meeting("elsewhere", 36));
    let same = Spec { uid: Some("m@example.com".into()), ..meeting("copy", 36) };
    pair.target().cloud.put_spec(&same);
    assert_eq!(one_of(&mut pair), Err(SkipReason::AlreadyInTarget));

    let mut pair = Pair::new(RuleOptions::default());
    pair.put(meeting("m", 36));
    pair.plan();
    pair.world.places[0].calendar.last_full_sync = None;
    assert_eq!(skips(&pair.world.plan(1)), [("m".into(), SkipReason::SourceNotRead)]);
    pair.world.places[0].calendar.last_full_sync = Some(pair.world.now);
    pair.world.places[1].calendar.last_full_sync = None;
    assert_eq!(skips(&pair.world.plan(1)), [("m".into(), SkipReason::TargetNotRead)]);

    let mut pair = Pair::new(RuleOptions::default());
    let repeat = Some(Repeat { every_days: 1, end: End::Never });
    pair.put(Spec { repeat, ..meeting("m", 36) });
    pair.plan();
    let event = pair.world.places[0].mirror.events.get_mut(&"m".into()).unwrap();
    event.series = crate::event::Series::Master {
        recurrence: crate::recurrence::Recurrence { lines: vec!["RRULE:FREQ=SECONDLY".into()] },
    };
    let plan = pair.world.plan(1);
    assert!(matches!(skips(&plan).as_slice(), [(_, SkipReason::Unreadable(_))]), "{:?}", plan.skips);
}

#[test]
fn every_reason_says_something_of_its_own() {
    use SkipReason as S;
    let all = [
        S::Free,
        S::Declined,
        S::WorkingLocation,
        S::Birthday,
        S::UnknownKind,
        S::Tentative,
        S::AllDay,
        S::TooShort,
        S::OutsideWorkingHours,
        S::NoDuration,
        S::AlreadyInTarget,
        S::CopyOfBlock,
        S::Unreadable("x".into()),
        S::SourceNotRead,
        S::TargetNotRead,
        S::LeftToPerson,
        S::HasGuests,
    ];
    let told: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), all.len());
}

#[test]
fn what_takes_time_blocks() {
    let kinds = [EventKind::Default, EventKind::OutOfOffice, EventKind::FocusTime, EventKind::FromMail];
    for kind in kinds {
        assert!(becomes(shown(|s| s.kind = kind), RuleOptions::default()).is_ok(), "{kind:?}");
    }
    let day = becomes(Spec { long: Long::Days(2), ..meeting("m", 0) }, RuleOptions::default());
    assert_eq!(span(day), "2026-11-02/2026-11-04", "dates stay dates");
}

#[test]
fn tentative_is_shown_where_it_can_be() {
    let maybe = [
        shown(|s| s.status = Status::Tentative),
        shown(|s| s.show_as = ShowAs::Tentative),
        shown(|s| s.response = Some(Response::Tentative)),
        shown(|s| s.response = Some(Response::NeedsAction)),
    ];
    for spec in maybe {
        let table = [
            (Tentative::AsTentative, Tentativeness::Shown, BlockBusy::Tentative),
            (Tentative::AsTentative, Tentativeness::NotShown, BlockBusy::Busy),
            (Tentative::AsBusy, Tentativeness::Shown, BlockBusy::Busy),
            (Tentative::AsBusy, Tentativeness::NotShown, BlockBusy::Busy),
        ];
        for (option, target, busy) in table {
            let mut pair = Pair::new(on(|o| o.tentative = option));
            pair.target().tentative = target;
            pair.put(spec.clone());
            assert_eq!(one_of(&mut pair).unwrap().busy, busy, "{option:?} {target:?}");
        }
    }
    let sure =
        becomes(shown(|s| s.response = Some(Response::Accepted)), on(|o| o.tentative = Tentative::Skip));
    assert_eq!(sure.unwrap().busy, BlockBusy::Busy);
}

#[test]
fn the_title_is_the_rules_unless_it_may_copy() {
    let long = "canary-title m";
    let table = [
        ("Busy", false, true, "Busy"),
        ("", false, true, "Busy"),
        (" Away ", false, true, "Away"),
        ("Gone {title}", false, true, "Gone"),
        ("Busy", true, true, long),
        ("Gone: {title}", true, true, "Gone: canary-title m"),
        ("{title}", true, true, long),
        ("{title}", true, false, "Busy"),
        ("Gone {title}", true, false, "Gone"),
        ("Busy", true, false, "Busy"),
    ];
    for (template, copy, titled, expected) in table {
        let options = on(|o| (o.title, o.copy_title) = (template.into(), copy));
        let block = becomes(Spec { titled, ..meeting("m", 36) }, options).unwrap();
        assert_eq!(block.title, expected, "{template:?} {copy} {titled}");
        assert_eq!((block.description, block.location), (None, None));
    }
}

#[test]
fn the_rest_is_copied_one_by_one() {
    let block = becomes(meeting("m", 36), on(|o| o.copy_description = true)).unwrap();
    assert_eq!((block.description.as_deref(), block.location), (Some("canary-description m"), None));
    let block = becomes(meeting("m", 36), on(|o| o.copy_location = true)).unwrap();
    assert_eq!((block.description, block.location.as_deref()), (None, Some("canary-location m")));
    let look = on(|o| (o.visibility, o.colour) = (Visibility::Calendar, Some("9".into())));
    let block = becomes(meeting("m", 36), look).unwrap();
    assert_eq!((block.visibility, block.colour.as_deref()), (Visibility::Calendar, Some("9")));
    let block = becomes(meeting("m", 36), RuleOptions::default()).unwrap();
    assert_eq!(
        (block.visibility, block.colour),
        (Visibility::Private, None),
        "private unless told otherwise"
    );
}

#[test]
fn buffers_widen_timed_events_only() {
    let buffers = |before, after| on(|o| (o.buffer_before_minutes, o.buffer_after_minutes) = (before, after));
    let table = [
        (meeting("m", 36), buffers(0, 0), "2026-11-02T08:00:00Z/2026-11-02T09:00:00Z"),
        (meeting("m", 36), buffers(15, 45), "2026-11-02T07:45:00Z/2026-11-02T09:45:00Z"),
        (meeting("m", 36), buffers(u16::MAX, 0), "2026-11-01T08:00:00Z/2026-11-02T09:00:00Z"),
        (
            Spec { long: Long::Minutes(0), ..meeting("m", 36) },
            buffers(15, 0),
            "2026-11-02T07:45:00Z/2026-11-02T08:00:00Z",
        ),
        (Spec { long: Long::Days(1), ..meeting("m", 0) }, buffers(15, 45), "2026-11-02/2026-11-03"),
    ];
    for (spec, options, expected) in table {
        assert_eq!(span(becomes(spec, options)), expected);
    }
}

#[test]
fn a_block_whose_buffer_reaches_into_the_window_stays() {
    // The window begins on Sunday at midnight, UTC.
    let options = || on(|o| o.buffer_after_minutes = 90);
    let mut pair = Pair::new(options());
    pair.put(Spec { zone: "UTC".into(), ..meeting("m", -24 * 4 - 6) });
    pair.run();
    assert_eq!(pair.blocks().len(), 1, "it ends half an hour before, its buffer an hour after");
    let mut over = Pair::new(options());
    over.put(Spec { zone: "UTC".into(), ..meeting("m", -24 * 4 - 10) });
    over.run();
    assert_eq!(over.blocks().len(), 0);
    // Time goes by, and nothing happens to it.
    let mut pair = Pair::new(options());
    pair.put(Spec { zone: "UTC".into(), ..meeting("m", 24 * 4 - 6) });
    pair.run();
    for _ in 0..5 {
        pair.world.now = pair.world.now.plus(jiff::SignedDuration::from_hours(12));
        assert!(pair.plan().is_empty());
    }
    assert_eq!(pair.blocks().len(), 1);
}

#[test]
fn the_shortest_event_is_measured_in_real_time() {
    // Clocks go forward at 02:00 on 2026-03-29, back at 03:00 on 2026-10-25: that day has 25 hours.
    let day = |options| {
        let mut pair = Pair::new(options);
        pair.world.now = "2026-10-25T12:00:00Z".parse().unwrap();
        pair.put(Spec { long: Long::Days(1), ..meeting("m", -8 * 96) });
        one_of(&mut pair)
    };
    assert!(day(on(|o| o.min_minutes = 25 * 60)).is_ok());
    assert_eq!(day(on(|o| o.min_minutes = 25 * 60 + 1)), Err(SkipReason::TooShort));
    assert!(becomes(meeting("m", 36), on(|o| o.min_minutes = 60)).is_ok());
}

#[test]
fn working_hours_are_those_of_their_own_zone() {
    let at = |quarter, minutes| Spec { long: Long::Minutes(minutes), ..meeting("m", quarter) };
    let office = || hours(&[1, 2, 3, 4, 5], 9 * 60, 17 * 60);
    let in_zone = |zone: &str| office().map(|h| WorkingHours { zone: zone.into(), ..h });
    let table = [
        (at(36, 60), office(), true, "at nine"),
        (at(32, 60), office(), false, "ends at nine"),
        (at(32, 75), office(), true, "ends a quarter past"),
        (at(68, 60), office(), false, "begins at five"),
        (at(67, 60), office(), true, "begins a quarter before five"),
        (at(36, 0), office(), false, "takes no time"),
        (at(5 * 96 + 40, 60), office(), false, "on Saturday"),
        (at(4 * 96 + 80, 60 * 60), office(), false, "Friday evening to Monday at eight"),
        (at(4 * 96 + 80, 62 * 60), office(), true, "Friday evening to Monday at ten"),
        (at(72, 16 * 60), office(), true, "overnight into the morning"),
        (at(72, 14 * 60), office(), false, "overnight, ends before nine"),
        (at(36, 60), in_zone("America/New_York"), false, "nine in Vienna is three in New York"),
        (at(60, 60), in_zone("America/New_York"), true, "three in Vienna is nine in New York"),
        (at(0, 15), hours(&[1], 0, 1440), true, "midnight belongs to the day that begins"),
        (at(96, 15), hours(&[1], 0, 1440), false, "and not to the one that ends"),
        (Spec { long: Long::Days(1), ..meeting("m", 0) }, office(), true, "a whole working day"),
        (Spec { long: Long::Days(2), ..meeting("m", 5 * 96) }, office(), false, "a whole weekend"),
        (
            Spec { long: Long::Days(12), ..meeting("m", 5 * 96) },
            hours(&[5], 0, 1),
            true,
            "more than a week has every day",
        ),
    ];
    for (spec, hours, inside, what) in table {
        let made = becomes(spec, on(|o| o.working_hours = hours.clone()));
        assert_eq!(made.is_ok(), inside, "{what}: {made:?}");
    }
}

#[test]
fn working_hours_follow_the_clock_when_it_changes() {
    // 2026-10-25 is a Sunday; Vienna's clock shows 02:30 twice, at 00:30 and at 01:30 UTC.
    let made = |quarter: i64, from, to| {
        let mut pair = Pair::new(on(|o| o.working_hours = hours(&[7], from, to)));
        pair.world.now = "2026-10-25T12:00:00Z".parse().unwrap();
        pair.put(Spec { zone: "UTC".into(), long: Long::Minutes(15), ..meeting("m", -8 * 96 + quarter) });
        one_of(&mut pair).is_ok()
    };
    assert!(made(2, 120, 180) && made(6, 120, 180), "both of them");
    assert!(!made(8, 120, 180), "03:00");
    assert!(made(8, 180, 240));
}

#[test]
fn the_same_meeting_is_known_by_uid_and_start() {
    let copy = |change: &dyn Fn(&mut Spec)| {
        let mut spec = Spec { uid: Some("m@example.com".into()), ..meeting("copy", 36) };
        change(&mut spec);
        spec
    };
    let table: [(Spec, bool, &str); 8] = [
        (copy(&|_| {}), true, "the same"),
        (copy(&|s| s.long = Long::Minutes(30)), true, "its end was not updated yet"),
        (copy(&|s| s.uid = None), false, "no uid"),
        (copy(&|s| s.uid = Some("other@example.com".into())), false, "another uid"),
        (
            copy(&|s| s.start = s.start.checked_add(jiff::Span::new().minutes(15)).unwrap()),
            false,
            "another time",
        ),
        (copy(&|s| s.shown.response = Some(Response::Declined)), false, "declined there: it holds no time"),
        (copy(&|s| s.shown.show_as = ShowAs::Free), false, "free there"),
        (copy(&|s| s.shown.response = Some(Response::NeedsAction)), true, "not answered there yet"),
    ];
    for (there, same, what) in table {
        let mut pair = Pair::new(RuleOptions::default());
        pair.put(meeting("m", 36));
        pair.target().cloud.put_spec(&there);
        let made = one_of(&mut pair);
        assert_eq!(made == Err(SkipReason::AlreadyInTarget), same, "{what}");
    }
}

#[test]
fn occurrences_of_the_same_series_are_compared_one_by_one() {
    let mut pair = Pair::new(RuleOptions::default());
    let series = Spec { repeat: Some(Repeat { every_days: 1, end: End::Count(3) }), ..meeting("m", 36) };
    pair.put(series.clone());
    let moved = Spec { id: "copy".into(), changes: vec![(1, Change::Moved(120))], ..series };
    pair.target().cloud.put_spec(&moved);
    let plan = pair.plan();
    assert_eq!(plan.actions.len(), 1, "only the one that stands elsewhere there");
    assert_eq!(plan.actions[0].row.span.to_string(), "2026-11-03T08:00:00Z/2026-11-03T09:00:00Z");
}
