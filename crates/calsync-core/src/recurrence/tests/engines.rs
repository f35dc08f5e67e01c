//! Comparison with two engines of others, in naive time: the crate `rrule` (a port of python-dateutil) and the bare
//! expander of `ical`, which this module uses but never from DTSTART and never with a rule as it came.

use super::random::{End, RandomRule, any_rule, local, many, plain_rule};
use super::*;
use ical::recur::expand::IcalRecurExpand;
use ical::recur::{IcalRecurDateTime, IcalRecurRule};
use proptest::prelude::*;

/// How many years to compare: enough for the rare rules, and not so many that the others are slow.
fn years(rule: &RandomRule) -> i16 {
    match rule.freq {
        "HOURLY" => 1,
        "DAILY" => 2,
        "WEEKLY" => 5,
        _ => 13,
    }
}

fn utc_window(local: DateTime, years: i16) -> Window {
    let at = |dt: DateTime| Ts::from_jiff(TimeZone::UTC.to_timestamp(dt).unwrap());
    Window { from: at(local), to: at(local.with().year(local.year() + years).day(1).build().unwrap()) }
}

/// Our own, as seconds, without the first start, which the others leave out where the rule does not match it.
fn ours(local: DateTime, rule: &RandomRule, window: &Window) -> Vec<i64> {
    let start = SeriesStart::Timed { local, zone: TimeZone::UTC };
    let limits = Limits { steps: 5_000_000, occurrences: 200_000 };
    let found = expand(&start, &lines(&[&rule.line()]), window, &TimeZone::UTC, &limits).unwrap();
    found
        .into_iter()
        .map(|at| if let OriginalStart::At(ts) = at { ts.millis() / 1000 } else { panic!() })
        .skip(1)
        .collect()
}

/// The first place after a moment where the two lists part.
fn first_difference(ours: &[i64], theirs: &[i64], after: i64) -> Option<(Option<i64>, Option<i64>)> {
    let later = |list: &[i64]| list.iter().copied().filter(|at| *at > after).collect::<Vec<_>>();
    let (ours, theirs) = (later(ours), later(theirs));
    let longest = ours.len().max(theirs.len());
    (0..longest).map(|i| (ours.get(i).copied(), theirs.get(i).copied())).find(|(a, b)| a != b)
}

proptest! {
    #![proptest_config(many(2))]

    #[test]
    fn agrees_with_rrule(local in local(), rule in plain_rule()) {
        // It refuses the fifth weekday from the end of a month and the 53rd from that of a year, which do exist.
        let refused = if rule.freq == "MONTHLY" { "-5" } else { "-53" };
        prop_assume!(!rule.by_day.iter().any(|day| day.starts_with(refused)));
        // Of a list with bare and numbered weekdays it wants both to hold (python-dateutil too). By RFC 5545 §3.3.10 a
        // BYDAY list is a union: `1MO,MO` is every Monday.
        let numbered = rule.by_day.iter().filter(|day| day.len() > 2).count();
        prop_assume!(numbered == 0 || numbered == rule.by_day.len());
        let text = format!("DTSTART:{}\nRRULE:{}", local.strftime("%Y%m%dT%H%M%SZ"), rule.value());
        let window = utc_window(local, years(&rule));
        let set: Result<rrule::RRuleSet, _> = text.parse();
        let set = match set {
            Ok(set) => set,
            // It refuses UNTIL before DTSTART, where we leave the start alone (caldav-ics.md part E).
            Err(error) => {
                prop_assert!(matches!(rule.end, End::Until(_)), "{}: {}", text, error);
                prop_assert!(ours(local, &rule, &window).is_empty());
                return Ok(());
            }
        };
        // Of a WEEKLY rule with BYSETPOS it takes the first week from DTSTART on, as python-dateutil does. By RFC 5545
        // §3.3.10 positions count within the whole week from WKST on, so the first week and COUNT cannot be compared.
        let torn_week = rule.freq == "WEEKLY" && !rule.by_set_pos.is_empty();
        prop_assume!(!(torn_week && matches!(rule.end, End::Count(_))));
        let (first, end) = (window.from.millis() / 1000, window.to.millis() / 1000);
        let theirs: Vec<i64> =
            set.into_iter().map(|at| at.timestamp()).take_while(|at| *at < end).filter(|at| *at != first).collect();
        let after = if torn_week { first + 7 * 86_400 } else { first };
        prop_assert_eq!(first_difference(&ours(local, &rule, &window), &theirs, after), None, "{}", text);
    }

    #[test]
    fn agrees_with_the_bare_expander(local in local(), rule in any_rule()) {
        // It takes all seven days of a week for BYWEEKNO alone; RFC 5545 §3.3.10 takes the day of DTSTART.
        let lonely_week = rule.more.contains("BYWEEKNO") && rule.by_day.is_empty() && rule.by_month_day.is_empty();
        prop_assume!(!(lonely_week && rule.freq == "YEARLY"));
        // Starts that SKIP pushes into the next period it may yield twice, and counts both.
        prop_assume!(!rule.more.contains("SKIP=FORWARD"));
        let window = utc_window(local, years(&rule));
        let end = window.to.millis() / 1000;
        let [month, day, hour, minute] = [local.month(), local.day(), local.hour(), local.minute()].map(i8::unsigned_abs);
        let start = IcalRecurDateTime { year: i32::from(local.year()), month, day, hour, minute, second: 0 };
        let theirs: Vec<i64> = IcalRecurExpand::new(IcalRecurRule::parse(&rule.value()).unwrap(), start)
            .map(|at| at.seconds())
            .take_while(|at| *at < end)
            .filter(|at| *at != start.seconds())
            .collect();
        let difference = first_difference(&ours(local, &rule, &window), &theirs, start.seconds());
        prop_assert_eq!(difference, None, "{} {}", local, rule.line());
    }
}
