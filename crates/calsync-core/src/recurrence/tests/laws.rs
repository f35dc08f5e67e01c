//! Laws of expansion over random rules.

use super::random::{any_rule, local, many, series, some_zone, split_window};
use super::*;
use jiff::tz::AmbiguousOffset;
use proptest::prelude::*;

/// Room enough to walk half a century hour by hour.
const ROOM: Limits = Limits { steps: 5_000_000, occurrences: 100_000 };

fn found(
    approach: Approach,
    start: &SeriesStart,
    rule: &Recurrence,
    window: Window,
    zone: &TimeZone,
) -> Vec<OriginalStart> {
    expand_by(approach, start, rule, &window, zone, &ROOM).unwrap()
}

proptest! {
    #![proptest_config(many(8))]

    #[test]
    fn a_jump_finds_what_a_walk_finds(
        start in series(), rule in any_rule(), (window, _) in split_window(), zone in some_zone(),
    ) {
        let rule = lines(&[&rule.line()]);
        let jumped = found(Approach::Jump, &start, &rule, window, &zone);
        prop_assert_eq!(jumped, found(Approach::Plain, &start, &rule, window, &zone));
    }

    #[test]
    fn results_are_sorted_unique_and_inside(
        start in series(), rule in any_rule(), (window, _) in split_window(), zone in some_zone(),
    ) {
        let found = found(Approach::Jump, &start, &lines(&[&rule.line()]), window, &zone);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        for at in found {
            match at {
                OriginalStart::At(ts) => prop_assert!(window.from <= ts && ts < window.to),
                OriginalStart::On(date) => {
                    let day = crate::time::Span::AllDay { start: date, end: date.tomorrow().unwrap() };
                    prop_assert!(day.touches(&window, &zone));
                }
            }
        }
    }

    #[test]
    fn a_window_is_its_two_halves(
        start in series(), rule in any_rule(), (window, middle) in split_window(), zone in some_zone(),
        exdate in local(),
    ) {
        let exdate = format!("EXDATE;VALUE=DATE:{}", exdate.date().strftime("%Y%m%d"));
        let rule = lines(&[&rule.line(), &exdate, "RDATE:20200229T120000Z"]);
        let whole = found(Approach::Jump, &start, &rule, window, &zone);
        let mut halves = found(Approach::Jump, &start, &rule, Window { to: middle, ..window }, &zone);
        halves.extend(found(Approach::Jump, &start, &rule, Window { from: middle, ..window }, &zone));
        if matches!(start, SeriesStart::AllDay(_)) {
            // A day that the cut goes through touches both halves.
            halves.dedup();
        }
        prop_assert_eq!(whole, halves);
    }

    #[test]
    fn weekly_keeps_the_wall_clock_and_the_weekday(local in local(), zone in some_zone(), interval in 1..4_u32) {
        let start = SeriesStart::Timed { local, zone: zone.clone() };
        let from = Ts::from_jiff(zone.to_ambiguous_timestamp(local).compatible().unwrap());
        let window = Window { from, to: from.plus(jiff::SignedDuration::from_hours(24 * 800)) };
        let rule = lines(&[&format!("RRULE:FREQ=WEEKLY;INTERVAL={interval}")]);
        let found = found(Approach::Jump, &start, &rule, window, &zone);
        prop_assert!(found.len() >= 800 / (7 * interval as usize));
        for (week, at) in found.into_iter().enumerate() {
            let days = i64::try_from(week).unwrap() * i64::from(interval) * 7;
            let nominal = local.checked_add(jiff::Span::new().days(days)).unwrap();
            let OriginalStart::At(at) = at else { panic!("timed") };
            let shown = zone.to_datetime(at.to_jiff());
            let gap = matches!(zone.to_ambiguous_timestamp(nominal).offset(), AmbiguousOffset::Gap { .. });
            prop_assert!(shown == nominal || (gap && shown > nominal), "{} for {}", shown, nominal);
        }
    }

    #[test]
    fn garbage_never_panics(
        texts in proptest::collection::vec("(RRULE|EXDATE|RDATE|EXRULE)[:;](FREQ|BYDAY|TZID|UNTIL|[=,;:/TZP+\"-]|MONTHLY|DAILY|[0-9]{1,9}|\\PC){0,30}", 0..3),
        start in series(),
    ) {
        let rule = Recurrence { lines: texts };
        let expanded = expand(&start, &rule, &window("2026-01-01", "2027-01-01"), &TimeZone::UTC, &Limits::default());
        if let Err(error) = validate(&rule) {
            prop_assert_eq!(expanded.unwrap_err(), error);
        }
    }
}
