//! Tables of how a rule stands after a step, and of when changes happened; properties of the buckets and of whole histories.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::{Event, EventKind, Series, ShowAs, Status};
use crate::mirror::{Listed, MirrorDelta};
use crate::time::Window;

const RULE: RuleId = RuleId(Uuid::from_u128(1));
const SOURCE: CalendarId = CalendarId(Uuid::from_u128(2));
const TARGET: CalendarId = CalendarId(Uuid::from_u128(3));

fn at(minute: i64) -> Ts {
    Ts::from_secs(1_795_000_000 + minute * 60)
}

fn seen(source: SourceSeen, target: TargetSeen, next_look: Option<i64>) -> Seen {
    let calendars = Some((source, target));
    Seen { rule: RULE, source: SOURCE, target: TARGET, calendars, next_look: next_look.map(at) }
}

fn pace(minute: i64) -> Pace {
    Pace { now: at(minute), took: SignedDuration::ZERO, promise: PROMISE }
}

/// What is known after these, each at its minute.
fn after(steps: &[(i64, Seen)]) -> Freshness {
    let step = |known: Option<Freshness>, (minute, seen): &(i64, Seen)| {
        Some(after_step(known.as_ref(), seen, &pace(*minute)))
    };
    steps.iter().fold(None, step).unwrap()
}

#[test]
fn a_rule_is_trusted_until_its_next_look_and_given_time_when_something_is_outstanding() {
    use SourceSeen::{Failed, NotLooked, Read, Unreadable};
    use Standing as S;
    use TargetSeen::{Done, Held, Moving, NotTried, Refused, Waiting};
    let read = Read(at(0));
    let known = NotLooked(Some(at(0)));
    let first = (0, seen(read, Done, Some(360)));
    let paused = Seen { calendars: None, ..seen(read, Done, None) };
    // Steps, and how it stands then: since when, when it was right, until when something is promised.
    type Row<'a> = (&'a str, &'a [(i64, Seen)], (Standing, i64, Option<i64>, Option<i64>));
    let table: [Row<'_>; 18] = [
        ("read, and nothing to do", &[first], (S::Right, 0, Some(0), Some(370))),
        ("never looked at again", &[(0, seen(read, Done, None))], (S::Right, 0, Some(0), Some(10))),
        ("looked at others", &[first, (9, seen(known, Done, Some(360)))], (S::Right, 0, Some(0), Some(370))),
        ("the first reading fails", &[(0, seen(Failed, Done, Some(1)))], (S::Unread, 0, None, Some(10))),
        ("not read yet", &[(0, seen(NotLooked(None), Done, Some(1)))], (S::Unread, 0, None, Some(10))),
        (
            "a reading fails",
            &[first, (90, seen(Failed, Done, Some(91)))],
            (S::Unread, 90, Some(0), Some(100)),
        ),
        (
            "and again: its time runs from the first",
            &[first, (90, seen(Failed, Done, Some(91))), (96, seen(Failed, Done, Some(111)))],
            (S::Unread, 90, Some(0), Some(100)),
        ),
        (
            "nobody has tried again",
            &[first, (90, seen(Failed, Done, Some(91))), (95, seen(known, Done, Some(111)))],
            (S::Unread, 90, Some(0), Some(100)),
        ),
        (
            "it is read again",
            &[first, (90, seen(Failed, Done, Some(91))), (95, seen(Read(at(95)), Done, Some(400)))],
            (S::Right, 95, Some(95), Some(410)),
        ),
        ("a first filling", &[(0, seen(read, Moving, Some(0)))], (S::Filling, 0, None, Some(10))),
        (
            "goes on",
            &[(0, seen(read, Moving, Some(0))), (9, seen(known, Moving, Some(9)))],
            (S::Filling, 0, None, Some(19)),
        ),
        (
            "and stands still",
            &[
                (0, seen(read, Moving, Some(0))),
                (9, seen(known, Waiting, Some(9))),
                (15, seen(known, NotTried, None)),
            ],
            (S::Waiting, 9, None, Some(10)),
        ),
        (
            "writes fail",
            &[first, (90, seen(Read(at(90)), Waiting, Some(91)))],
            (S::Waiting, 90, Some(0), Some(100)),
        ),
        (
            "held: told of already",
            &[first, (90, seen(Read(at(90)), Held, Some(95)))],
            (S::Held, 90, Some(0), None),
        ),
        ("refused", &[first, (90, seen(Read(at(90)), Refused, Some(150)))], (S::Refused, 90, Some(0), None)),
        (
            "and not tried since",
            &[
                first,
                (90, seen(Read(at(90)), Refused, Some(150))),
                (95, seen(Read(at(95)), NotTried, Some(150))),
            ],
            (S::Refused, 90, Some(0), None),
        ),
        (
            "unreadable until it is read",
            &[first, (90, seen(Unreadable, Done, None)), (95, seen(known, Done, None))],
            (S::Unreadable, 90, Some(0), None),
        ),
        ("an account is of no use", &[first, (90, paused)], (S::Paused, 90, Some(0), None)),
    ];
    for (what, steps, (standing, since, right_at, promised)) in table {
        let found = after(steps);
        let expected = (standing, at(since), right_at.map(at), promised.map(at));
        assert_eq!((found.standing, found.since, found.right_at, found.promised_until), expected, "{what}");
        assert_eq!(found.promised_until.is_some(), standing.promises(), "{what}");
    }
}

/// What was known of other calendars, of a time before, or before a reading says nothing any more.
#[test]
fn what_is_over_is_not_held_against_a_rule() {
    use SourceSeen::{NotLooked, Read, Unreadable};
    use TargetSeen::{Done, NotTried};
    let first = (0, seen(Read(at(0)), Done, Some(360)));
    let read_since =
        after(&[(90, seen(Unreadable, Done, None)), (95, seen(NotLooked(Some(at(93))), Done, None))]);
    assert_eq!((read_since.standing, read_since.since), (Standing::Right, at(95)));
    let elsewhere = Seen { target: SOURCE, ..seen(Read(at(9)), NotTried, Some(360)) };
    let refused = (0, seen(Read(at(0)), TargetSeen::Refused, Some(360)));
    assert_eq!(
        after(&[refused, (9, elsewhere)]).standing,
        Standing::Waiting,
        "another target refused nothing"
    );
    assert_eq!(after(&[first, (9, elsewhere)]).right_at, None, "and was never right");
    let overdue = after(&[(30, seen(Read(at(30)), Done, Some(20)))]);
    assert_eq!(overdue.promised_until, Some(at(40)), "a look that was due counts from now");
    let older = after(&[(9, seen(Read(at(9)), Done, None)), (10, seen(Read(at(5)), Done, None))]);
    assert_eq!(older.right_at, Some(at(9)), "a reading that began before says nothing new");
}

/// With hundreds of blocks in each, steps take long: the next one does, too.
#[test]
fn who_is_slow_is_given_more_time() {
    let slow = Pace { took: SignedDuration::from_mins(19), ..pace(0) };
    let found = after_step(None, &seen(SourceSeen::Read(at(0)), TargetSeen::Moving, Some(0)), &slow);
    assert_eq!(found.promised_until, Some(at(48)));
    let back = Pace { took: SignedDuration::from_mins(-19), ..pace(0) };
    let found = after_step(None, &seen(SourceSeen::Read(at(0)), TargetSeen::Moving, Some(0)), &back);
    assert_eq!(found.promised_until, Some(at(10)), "a clock that was set back gives and takes nothing");
}

/// What says nothing new is not written down a hundred times in a storm.
#[test]
fn only_news_is_written() {
    let first = after(&[(0, seen(SourceSeen::Read(at(0)), TargetSeen::Done, Some(360)))]);
    let soon = Freshness {
        right_at: Some(at(0).plus(SignedDuration::from_secs(59))),
        promised_until: Some(at(370).plus(SignedDuration::from_secs(59))),
        ..first
    };
    assert!(first.is_news(None) && !first.is_news(Some(&first)) && !soon.is_news(Some(&first)));
    for other in [
        Freshness { right_at: Some(at(1)), ..first },
        Freshness { promised_until: Some(at(369)), ..first },
        Freshness { promised_until: None, ..first },
        Freshness { standing: Standing::Waiting, ..first },
        Freshness { target: SOURCE, ..first },
    ] {
        assert!(other.is_news(Some(&first)), "{other:?}");
    }
    assert!(!first.is_behind(at(370)) && first.is_behind(at(371)));
}

fn event(id: &str, series: Series, updated: Option<Ts>) -> Event {
    Event {
        id: id.into(),
        version: None,
        updated,
        ical_uid: None,
        when: None,
        series,
        status: Status::Confirmed,
        show_as: ShowAs::Busy,
        response: None,
        kind: EventKind::Default,
        text: None,
    }
}

/// Of an event that was changed at a minute, or never said when; seen at minute 100, after a look at minute 90.
fn origin(updated: Option<i64>, look: Look<'_>) -> Option<Ts> {
    let event = event("x", Series::Single, updated.map(at));
    let delta = MirrorDelta { updated: vec![event], ..MirrorDelta::default() };
    Origins::of(&delta, &look).get(&"x".into())
}

#[test]
fn a_change_happened_when_its_provider_says_so_within_reason() {
    let changes = Look { began_at: at(100), since: Some(at(90)), listed: Listed::Changes, told: &[] };
    let all = Look { listed: Listed::Everything(Window::ALL), ..changes };
    let told = [at(97), at(98)];
    let announced = Look { told: &told, ..changes };
    let ahead = [at(120)];
    let long_ago = [at(10), at(97)];
    let reversed = Look { since: Some(at(200)), told: &told, ..changes };
    let rows: [(&str, Option<i64>, Look<'_>, Option<i64>); 14] = [
        ("told by the provider", Some(95), changes, Some(95)),
        ("found by a full reading", Some(95), all, Some(95)),
        ("just before the last look, which did not show it", Some(85), changes, Some(85)),
        ("a clock that is ahead", Some(140), changes, Some(100)),
        ("no later than it was announced", Some(140), announced, Some(98)),
        ("announced by a clock that was ahead", Some(140), Look { told: &ahead, ..changes }, Some(100)),
        ("never told: when it was announced", None, announced, Some(97)),
        ("never told nor announced", None, changes, None),
        ("older than can be believed, and announced", Some(10), announced, Some(97)),
        ("what the window slid to", Some(10), all, None),
        ("what the window slid to, and something was announced", Some(10), Look { told: &told, ..all }, None),
        ("announced long before the last look", None, Look { told: &long_ago, ..changes }, Some(80)),
        ("the last look lies ahead: a clock was set back", None, reversed, Some(100)),
        ("a first reading", Some(95), Look { since: None, ..changes }, None),
    ];
    for (what, updated, look, expected) in rows {
        assert_eq!(origin(updated, look), expected.map(at), "{what}");
    }
    let gone = MirrorDelta { gone: vec!["x".into()], ..MirrorDelta::default() };
    let of = |look: Look<'_>| Origins::of(&gone, &look).get(&"x".into());
    assert_eq!((of(announced), of(changes), of(Look { told: &told, ..all })), (Some(at(97)), None, None));
    // An occurrence that was moved: its block is known by the series. The earliest of several counts.
    let moved = |id: &str, minute| event(id, Series::Occurrence { master: "s".into() }, Some(at(minute)));
    let created = vec![moved("a", 97), moved("b", 96), moved("c", 98)];
    let delta = MirrorDelta { created, ..MirrorDelta::default() };
    assert_eq!(Origins::of(&delta, &changes).get(&"s".into()), Some(at(96)));
}

fn delay(ms: i64) -> Delay {
    let written_at = Ts::from_secs(1_795_000_000);
    Delay { rule: RULE, happened_at: written_at.minus(SignedDuration::from_millis(ms)), written_at }
}

fn delays(ms: &[i64]) -> Delays {
    let all: Vec<Delay> = ms.iter().map(|ms| delay(*ms)).collect();
    tally(&all).into_iter().map(|one| (one.bucket, one.count)).collect()
}

#[test]
fn the_table_of_quantiles() {
    let of = |ms: &[i64]| delays(ms).quantiles();
    assert_eq!(of(&[]), Quantiles::default());
    assert_eq!(of(&[0]).p50_ms, Some(100));
    assert_eq!(of(&[-5_000]).p99_ms, Some(100), "never negative");
    assert_eq!(of(&[399, 400]).p99_ms, Some(500));
    let all: Vec<i64> = (1..=100).map(|n| n * 1_000).collect();
    let found = of(&all);
    assert_eq!(
        (found.changes, found.p50_ms, found.p95_ms, found.p99_ms),
        (100, Some(51_200), Some(102_400), Some(102_400))
    );
    let year = of(&[365 * 86_400_000]).p50_ms.unwrap();
    assert!(year > 86_400_000, "the last bucket is longer than a day: {year}");
    assert_eq!(tally(&[delay(365 * 86_400_000)])[0].bucket, BUCKETS - 1, "and there is none beyond");
    // What another version wrote down, or somebody asks for in jest.
    let odd: Delays = [(u8::MAX, 1)].into_iter().collect();
    assert_eq!(odd.quantile_ms(50), Some(year));
    let few = delays(&[0, 1_000]);
    assert_eq!((few.quantile_ms(0), few.quantile_ms(255)), (few.quantile_ms(1), few.quantile_ms(100)));
    assert_eq!((few.quantile_ms(0), few.quantile_ms(100)), (Some(100), Some(1_200)));
}

proptest! {
    /// A quantile is never told better than it is, and at most a quarter worse.
    #[test]
    fn quantiles_are_close(mut ms in prop::collection::vec(0_i64..80_000_000, 1..200), percent in 1_u8..=100) {
        let found = delays(&ms).quantile_ms(percent).unwrap();
        ms.sort_unstable();
        let at = (ms.len() * usize::from(percent)).div_ceil(100).max(1) - 1;
        let exact = u64::try_from(ms[at]).unwrap();
        prop_assert!(found > exact, "{found} of {exact}");
        prop_assert!(found <= exact + exact / 4 + 200, "{found} of {exact}");
    }

    /// However they are split into hours, rules and instances, they add up to the same.
    #[test]
    fn delays_add_up(a in prop::collection::vec(0_i64..80_000_000, 0..50), b in prop::collection::vec(0_i64..80_000_000, 0..50)) {
        let both: Vec<i64> = a.iter().chain(&b).copied().collect();
        let mut sum = Delays::default();
        for part in [&a, &b] {
            let part: Vec<Delay> = part.iter().map(|ms| delay(*ms)).collect();
            tally(&part).into_iter().for_each(|one| sum.add(one.bucket, one.count));
        }
        prop_assert_eq!(sum, delays(&both));
    }

    /// Whatever happens: nothing is right later than it was read, no promise outlasts what is outstanding, and what is
    /// outstanding for longer than the promise is behind.
    #[test]
    fn no_promise_hides_what_is_outstanding(steps in prop::collection::vec((0_usize..4, 0_usize..6, 1_i64..30), 1..40)) {
        let mut known: Option<Freshness> = None;
        let (mut minute, mut read, mut outstanding) = (0, None, None::<i64>);
        for (source, target, wait) in steps {
            minute += wait;
            let source = [SourceSeen::Read(at(minute)), SourceSeen::Failed, SourceSeen::Unreadable, SourceSeen::NotLooked(read)][source];
            let target = [TargetSeen::Done, TargetSeen::Moving, TargetSeen::Waiting, TargetSeen::NotTried, TargetSeen::Held, TargetSeen::Refused][target];
            let now = after_step(known.as_ref(), &seen(source, target, Some(minute + 5)), &pace(minute));
            if let SourceSeen::Read(at) = source {
                read = Some(at);
            }
            prop_assert!(now.right_at <= read && now.right_at >= known.and_then(|k| k.right_at));
            prop_assert_eq!(now.promised_until.is_some(), now.standing.promises());
            outstanding = match now.standing {
                Standing::Waiting | Standing::Unread => outstanding.or(Some(minute)),
                _ => None,
            };
            if let Some(since) = outstanding {
                prop_assert!(now.is_behind(at(since + 10).plus(SignedDuration::from_micros(1))));
            }
            known = Some(now);
        }
    }
}
