//! What the week shows: one row per case of a clock on the wall, and of a block and whom it holds its time for.

use jiff::civil::Date;

use super::*;
use crate::block::{CalendarRef, Fingerprint, Marker};
use crate::event::{Event, EventKind, Series, When};
use crate::plan::tests::world::{IDENTITY, calendar};
use crate::recurrence::{OriginalStart, Recurrence};

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

fn days(first: &str, count: u8, zone: &str) -> Days {
    Days::new(date(first), count, zone).unwrap()
}

fn timed(start: &str, end: &str) -> Span {
    Span::Timed { start: ts(start), end: ts(end) }
}

fn whole(start: &str, end: &str) -> Span {
    Span::AllDay { start: date(start), end: date(end) }
}

#[test]
fn days_are_few_and_in_a_zone_that_exists() {
    let day = date("2026-11-23");
    assert_eq!(Days::new(day, 0, "UTC"), Err(DaysProblem::Count));
    assert_eq!(Days::new(day, 15, "UTC"), Err(DaysProblem::Count));
    assert_eq!(Days::new(day, 7, "Nowhere/Land"), Err(DaysProblem::Zone("Nowhere/Land".into())));
    for far in ["-000044-03-15", "9999-12-31"] {
        assert_eq!(Days::new(date(far), 14, "Pacific/Kiritimati"), Err(DaysProblem::Date), "{far}");
    }
    let week = days("2026-10-19", 7, "Europe/Vienna");
    assert_eq!(week.window(), Window { from: ts("2026-10-18T22:00:00Z"), to: ts("2026-10-25T23:00:00Z") });
    assert_eq!((week.first(), week.count(), week.zone_name()), (date("2026-10-19"), 7, "Europe/Vienna"));
}

#[test]
fn pieces_are_what_a_clock_on_the_wall_shows() {
    let piece = |(day, from_minute, to_minute)| Piece { day, from_minute, to_minute };
    let vienna = |span, expected: &[(u8, u16, u16)]| {
        let pieces = days("2026-10-24", 3, "Europe/Vienna").pieces(&span);
        assert_eq!(pieces, expected.iter().copied().map(piece).collect::<Vec<_>>(), "{span}");
    };
    vienna(timed("2026-10-24T07:00:00Z", "2026-10-24T08:30:00Z"), &[(0, 540, 630)]);
    // Over midnight, into the day on which the clocks go back.
    vienna(timed("2026-10-24T21:00:00Z", "2026-10-24T23:30:00Z"), &[(0, 1_380, 1_440), (1, 0, 90)]);
    vienna(timed("2026-10-25T09:00:00Z", "2026-10-25T10:00:00Z"), &[(1, 600, 660)]);
    // From 02:45 to 02:15, half an hour later.
    vienna(timed("2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z"), &[(1, 165, 195)]);
    vienna(
        timed("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        &[(0, 0, 1_440), (1, 0, 1_440), (2, 0, 1_440)],
    );
    vienna(timed("2026-10-24T22:00:00Z", "2026-10-24T22:00:00Z"), &[(1, 0, 0)]);
    vienna(timed("2026-10-24T21:00:00Z", "2026-10-24T22:00:00Z"), &[(0, 1_380, 1_440)]);
    // Before and after.
    vienna(timed("2026-10-23T20:00:00Z", "2026-10-23T22:00:00Z"), &[]);
    vienna(timed("2026-10-26T23:00:00Z", "2026-10-26T23:30:00Z"), &[]);
    vienna(whole("2026-10-23", "2026-10-25"), &[(0, 0, 1_440)]);
    vienna(whole("2026-10-26", "2026-10-26"), &[(2, 0, 1_440)]);
    vienna(whole("2026-10-27", "2026-10-28"), &[]);
    // Nobody's midnight: the same dates everywhere.
    for zone in ["Pacific/Kiritimati", "Pacific/Midway", "Asia/Kolkata"] {
        let pieces = days("2026-10-24", 3, zone).pieces(&whole("2026-10-25", "2026-10-26"));
        assert_eq!(pieces, [piece((1, 0, 1_440))], "{zone}");
    }
    // The clock jumps from 02:00 to 03:00.
    let spring = days("2026-03-29", 1, "Europe/Vienna");
    let over = spring.pieces(&timed("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"));
    assert_eq!(over, [piece((0, 90, 210))]);
}

#[test]
fn no_piece_leaves_its_day_whatever_the_zone() {
    for zone in ["Europe/Vienna", "Australia/Lord_Howe", "America/New_York", "Africa/Cairo", "Asia/Kathmandu"]
    {
        for first in ["2026-03-27", "2026-10-23", "2026-04-02", "2026-12-30"] {
            let days = days(first, 5, zone);
            for start in (-30..150).map(|h| days.window().from.plus(jiff::SignedDuration::from_mins(h * 47)))
            {
                for minutes in [0, 5, 60, 181, 3_000] {
                    let end = start.plus(jiff::SignedDuration::from_mins(minutes));
                    let pieces = days.pieces(&Span::Timed { start, end });
                    let sound = |p: &Piece| p.day < 5 && p.from_minute <= p.to_minute && p.to_minute <= 1_440;
                    assert!(pieces.iter().all(sound), "{zone} {start} {minutes}: {pieces:?}");
                    assert!(pieces.windows(2).all(|w| w[0].day + 1 == w[1].day && w[0].to_minute == 1_440));
                    let touches =
                        Span::Timed { start, end }.touches(&days.window(), &jiff::tz::TimeZone::UTC);
                    assert_eq!(!pieces.is_empty(), touches, "{zone} {start} {minutes}");
                }
            }
        }
    }
}

fn event(id: &str, when: When, series: Series) -> Event {
    Event {
        id: id.into(),
        version: None,
        updated: None,
        ical_uid: None,
        when: Some(when),
        series,
        status: Status::Confirmed,
        show_as: ShowAs::Busy,
        response: None,
        kind: EventKind::Default,
        text: None,
    }
}

fn at(start: &str, end: &str) -> When {
    When::Timed { start: ts(start), end: ts(end), zone: Some("Europe/Vienna".into()) }
}

fn observed(id: &str, marker: Option<Marker>, span: Span) -> ObservedBlock {
    ObservedBlock {
        id: id.into(),
        version: None,
        updated: None,
        marker,
        fingerprint: Fingerprint(1),
        span,
        has_guests: false,
        ical_uid: None,
        is_free: false,
    }
}

fn row(correlation: CorrelationId, block: Option<EventId>, state: LedgerState) -> LedgerRow {
    LedgerRow {
        correlation,
        rule: RuleId(uuid::Uuid::from_u128(9)),
        source: CalendarId(uuid::Uuid::from_u128(1)),
        occurrence: OccurrenceKey { event: "e".into(), original: None },
        target: CalendarId(uuid::Uuid::from_u128(2)),
        block,
        generation: 0,
        state,
        wrote: Fingerprint(1),
        echo: Some(Fingerprint(1)),
        span: timed("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"),
        repairs: 0,
        written_at: Some(ts("2026-11-22T08:00:00Z")),
    }
}

fn lane(mirror: &Mirror, ledger: &[LedgerRow]) -> Lane {
    let calendar = calendar(2, "Europe/Vienna");
    let input = LaneInput {
        calendar: &calendar,
        name: &calendar.name,
        mirror,
        ledger,
        identity: &IDENTITY,
        rules: &[],
    };
    Lane::of(&input, &Words::default(), &days("2026-11-23", 7, "Europe/Vienna"))
}

#[test]
fn whom_a_block_holds_its_time_for() {
    let named = |n: &str| CalendarRef { provider: "google".into(), account: "1".into(), calendar: n.into() };
    let key = OccurrenceKey { event: "e".into(), original: None };
    let correlation = IDENTITY.correlation(&named("a"), &key, &named("b"));
    let id = block_event_id(correlation, 0);
    let (ours, theirs) = (IDENTITY.marker(correlation, &id), Identity::new([8; 32]).marker(correlation, &id));
    let span = timed("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z");
    let event = |row: &LedgerRow| Holds::Event {
        source: row.source,
        occurrence: row.occurrence.clone(),
        rule: row.rule,
        correlation: row.correlation,
        written_at: row.written_at,
    };
    let live = row(correlation, Some(id.clone()), LedgerState::Live);
    let waits = row(correlation, None, LedgerState::Creating);
    let gone = row(correlation, Some(id.clone()), LedgerState::Gone);
    let table = [
        ("named by its row", id.as_str(), None, Some(&live), event(&live)),
        ("named and signed", id.as_str(), Some(&ours), Some(&live), event(&live)),
        (
            "the provider chose the id, and its answer is on the way",
            "AAMk1",
            Some(&ours),
            Some(&waits),
            event(&waits),
        ),
        ("ours, and nothing asks for it", id.as_str(), Some(&ours), None, Holds::Nothing),
        ("ours, and given up", id.as_str(), Some(&ours), Some(&gone), Holds::Nothing),
        ("a copy that a person made", "copy1", Some(&ours), Some(&live), Holds::Busy),
        ("another installation's", id.as_str(), Some(&theirs), None, Holds::Busy),
        (
            "another installation's, at a provider that chooses ids",
            "AAMk1",
            Some(&theirs),
            Some(&waits),
            Holds::Busy,
        ),
        ("a mark that lost its text", id.as_str(), None, None, Holds::Busy),
    ];
    for (name, block, marker, row, expected) in table {
        let mut mirror = Mirror::default();
        mirror.blocks.insert(block.into(), observed(block, marker.cloned(), span));
        let ledger: Vec<LedgerRow> = row.cloned().into_iter().collect();
        let lane = lane(&mirror, &ledger);
        let [shown] = lane.blocks.as_slice() else { panic!("{name}: {lane:?}") };
        assert_eq!((&shown.holds, shown.pieces.len()), (&expected, 1), "{name}");
        assert!(lane.events.is_empty(), "{name}: a block is no event");
    }
}

#[test]
fn titles_are_laid_over_by_occurrence_and_nothing_else() {
    let weekly = Recurrence { lines: vec!["RRULE:FREQ=DAILY;COUNT=3".into()] };
    let mut mirror = Mirror::default();
    let single = event("one", at("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"), Series::Single);
    let master = event(
        "many",
        at("2026-11-23T08:00:00Z", "2026-11-23T08:30:00Z"),
        Series::Master { recurrence: weekly },
    );
    let free = Event {
        show_as: ShowAs::Free,
        ..event("free", When::AllDay { start: date("2026-11-25"), end: date("2026-11-26") }, Series::Single)
    };
    for event in [single, master, free] {
        mirror.events.insert(event.id.clone(), event);
    }
    let mut lane = lane(&mirror, &[]);
    let order: Vec<String> = lane.events.iter().map(|e| e.occurrence.to_string()).collect();
    let expected = [
        "many@2026-11-23T08:00:00Z",
        "many@2026-11-24T08:00:00Z",
        "one",
        "free",
        "many@2026-11-25T08:00:00Z",
    ];
    assert_eq!(order, expected, "by day and hour");
    let title = |text: &str| Title::new(text).unwrap();
    let key = |event: &str, original: Option<&str>| OccurrenceKey {
        event: event.into(),
        original: original.map(|at| OriginalStart::At(ts(at))),
    };
    let list = [
        (key("one", None), title("Dentist")),
        (key("many", Some("2026-11-24T08:00:00Z")), title("Stand-up")),
        (key("unknown", None), title("Nobody's")),
    ];
    lane.entitle(Titles { list: list.into(), extent: Extent::Part });
    let titles: Vec<Option<&str>> = lane.events.iter().map(|e| e.title.as_ref().map(Title::expose)).collect();
    assert_eq!(titles, [None, Some("Stand-up"), Some("Dentist"), None, None]);
    assert_eq!(lane.titles, Titling::Some);
    let printed = format!("{lane:?}");
    assert!(!printed.contains("Dentist") && printed.contains("[title]"), "{printed}");
    lane.entitle(Titles { list: BTreeMap::new(), extent: Extent::Whole });
    assert_eq!(lane.titles, Titling::Shown);
}

#[test]
fn a_lane_is_bounded_and_counts_what_it_leaves_out() {
    let mut mirror = Mirror::default();
    let correlation = CorrelationId(uuid::Uuid::nil());
    let marker = IDENTITY.marker(correlation, &"x".into());
    for n in 0..ENTRIES_MAX + 3 {
        let id = format!("e{n:05}");
        let when = at("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z");
        mirror.events.insert(id.as_str().into(), event(&id, when, Series::Single));
        let block =
            observed(&id, Some(marker.clone()), timed("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"));
        mirror.blocks.insert(format!("b{id}").as_str().into(), block);
    }
    let lane = lane(&mirror, &[]);
    assert_eq!((lane.events.len(), lane.blocks.len(), lane.left_out), (ENTRIES_MAX, ENTRIES_MAX, 6));
}

/// The block of an event that became free is still there, and goes: why it goes is that the event is free, unless the plan is held.
#[test]
fn what_becomes_of_an_event_is_said_in_one_word_per_target() {
    use crate::hold::Hold;
    use crate::plan::{Action, ActionKind, Kept, Reason, Skip, SkipReason};
    let gone = row(CorrelationId(uuid::Uuid::from_u128(5)), Some("b".into()), LedgerState::Live);
    let (source, target, rule) = (gone.source, gone.target, gone.rule);
    let key = |event: &str| OccurrenceKey { event: event.into(), original: None };
    let skip = |event: &str, reason| {
        let span = Some(timed("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"));
        Skip { rule, source, occurrence: key(event), span, reason }
    };
    let kept = Kept {
        correlation: CorrelationId(uuid::Uuid::from_u128(6)),
        rule,
        source,
        occurrence: key("kept"),
        span: gone.span,
    };
    let action = Action { kind: ActionKind::Delete, reason: Reason::SourceGone, row: gone, write: None };
    let since = ts("2026-11-22T08:00:00Z");
    let hold = Hold {
        target,
        reason: "too many at once".to_owned(),
        deletions: 1,
        digest: 1,
        since,
        last_agreed_at: since,
        agreed: 0,
        approved: false,
        undone: None,
    };
    let plan = |verdict| Plan {
        target,
        seen_generation: 1,
        actions: vec![action.clone()],
        skips: vec![skip("e", SkipReason::Free), skip("short", SkipReason::TooShort)],
        kept: vec![kept.clone()],
        found: BTreeMap::new(),
        verdict,
    };
    let mut mirror = Mirror::default();
    for id in ["e", "kept", "short", "unheard-of"] {
        let event = event(id, at("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"), Series::Single);
        mirror.events.insert(event.id.clone(), event);
    }
    let rules = [Rule {
        id: rule,
        user: crate::ids::UserId(uuid::Uuid::nil()),
        source,
        target,
        options: Default::default(),
    }];
    let calendar = calendar(1, "Europe/Vienna");
    let said = |verdict| {
        let words = Words::of([&plan(verdict)]);
        let input = LaneInput {
            calendar: &calendar,
            name: &calendar.name,
            mirror: &mirror,
            ledger: &[],
            identity: &IDENTITY,
            rules: &rules,
        };
        let lane = Lane::of(&input, &words, &days("2026-11-23", 7, "Europe/Vienna"));
        let one = |entry: &Entry| match entry.in_targets.as_slice() {
            [told] => format!("{}: {}, {}", entry.occurrence, told.outcome, told.because),
            other => panic!("{other:?}"),
        };
        lane.events.iter().map(one).collect::<Vec<_>>()
    };
    let others = [
        "kept: block, it takes this time",
        "short: no block, it is shorter than the rule's minimum",
        "unheard-of: no block, it is outside the time for which blocks are kept",
    ];
    let lines = |first: &str| -> Vec<String> {
        [first].iter().chain(&others).map(|line| (*line).to_owned()).collect()
    };
    assert_eq!(said(Verdict::Go), lines("e: to be deleted, it is shown as free"));
    assert_eq!(said(Verdict::Hold(hold)), lines("e: to be deleted, held: too many at once"));
}
