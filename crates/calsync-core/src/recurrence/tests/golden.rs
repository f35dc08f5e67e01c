//! The golden cases of caldav-ics.md part F and the rows of its part E that concern rules.

use super::*;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

#[test]
fn a_time_in_a_gap_moves_forward_and_comes_back() {
    assert_eq!(
        starts(&timed("2026-03-22T02:30", BERLIN), &["RRULE:FREQ=WEEKLY;COUNT=3"]),
        utc(&["2026-03-22T01:30", "2026-03-29T01:30", "2026-04-05T00:30"])
    );
    // The gap of this zone is at midnight: other engines lose the day.
    assert_eq!(
        starts(&timed("2026-04-23T00:30", "Africa/Cairo"), &["RRULE:FREQ=DAILY;COUNT=3"]),
        utc(&["2026-04-22T22:30", "2026-04-23T22:30", "2026-04-24T21:30"])
    );
}

#[test]
fn an_ambiguous_time_is_the_first() {
    assert_eq!(
        starts(&timed("2026-10-18T02:30", BERLIN), &["RRULE:FREQ=WEEKLY;COUNT=3"]),
        utc(&["2026-10-18T00:30", "2026-10-25T00:30", "2026-11-01T01:30"])
    );
}

#[test]
fn a_gap_of_half_an_hour() {
    assert_eq!(
        starts(&timed("2026-10-03T02:15", "Australia/Lord_Howe"), &["RRULE:FREQ=DAILY;COUNT=3"]),
        utc(&["2026-10-02T15:45", "2026-10-03T15:45", "2026-10-04T15:15"])
    );
}

#[test]
fn until_in_its_three_spellings() {
    let start = timed("2026-03-02T20:00", NEW_YORK);
    let days = ["2026-03-03T01:00", "2026-03-04T01:00", "2026-03-05T01:00"];
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260304T233000Z"]), utc(&days[..2]));
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260304T200000"]), utc(&days));
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260304"]), utc(&days));
    // Inclusive to the second, in both.
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260305T010000Z"]), utc(&days));
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260305T005959Z"]), utc(&days[..2]));
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20260304T195959"]), utc(&days[..2]));
}

#[test]
fn until_in_utc_is_an_instant_even_where_clocks_turn() {
    // 02:30 is 00:30Z on the 25th; 00:45Z is 02:45 the first time, 01:15Z is 02:15 the second time: not before 02:30.
    let start = timed("2026-10-24T02:30", BERLIN);
    let both = utc(&["2026-10-24T00:30", "2026-10-25T00:30"]);
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20261025T004500Z"]), both);
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20261025T011500Z"]), both);
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;UNTIL=20261025T001500Z"]), both[..1]);
}

#[test]
fn until_before_the_start_leaves_the_start() {
    let start = timed("2026-06-01T09:00", "UTC");
    for until in ["20260501T090000Z", "20260501", "20260531T235959", "00010101T000000Z"] {
        assert_eq!(starts(&start, &[&format!("RRULE:FREQ=DAILY;UNTIL={until}")]), utc(&["2026-06-01T09:00"]));
    }
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;INTERVAL=0"]), utc(&["2026-06-01T09:00"]));
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;COUNT=0"]), utc(&["2026-06-01T09:00"]));
    assert_eq!(starts(&start, &[]), utc(&["2026-06-01T09:00"]));
}

#[test]
fn count_counts_before_exceptions() {
    assert_eq!(
        starts(&timed("2026-06-01T09:00", "UTC"), &["RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20260603T090000Z"]),
        utc(&["2026-06-01T09:00", "2026-06-02T09:00", "2026-06-04T09:00", "2026-06-05T09:00"])
    );
}

#[test]
fn leap_days_month_ends_and_last_fridays() {
    assert_eq!(
        starts(&timed("2024-02-29T10:00", "UTC"), &["RRULE:FREQ=YEARLY;COUNT=4"]),
        utc(&["2024-02-29T10:00", "2028-02-29T10:00", "2032-02-29T10:00", "2036-02-29T10:00"])
    );
    assert_eq!(
        starts(&timed("2026-01-31T10:00", "UTC"), &["RRULE:FREQ=MONTHLY;COUNT=4"]),
        utc(&["2026-01-31T10:00", "2026-03-31T10:00", "2026-05-31T10:00", "2026-07-31T10:00"])
    );
    let fridays = utc(&["2026-01-30T22:00", "2026-02-27T22:00", "2026-03-27T21:00", "2026-04-24T21:00"]);
    let start = timed("2026-01-30T17:00", NEW_YORK);
    assert_eq!(starts(&start, &["RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=4"]), fridays);
    assert_eq!(starts(&start, &["RRULE:FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1;COUNT=4"]), fridays);
}

#[test]
fn the_week_start_decides_which_weeks_are_every_other() {
    // The two examples of RFC 5545 §3.8.5.3.
    let rule = |wkst| format!("RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={wkst}");
    let dates = |rule: &str| {
        let window = window("1997-01-01", "1998-01-01");
        let found =
            expand(&all_day("1997-08-05"), &lines(&[rule]), &window, &TimeZone::UTC, &Limits::default());
        found.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(dates(&rule("MO")), ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]);
    assert_eq!(dates(&rule("SU")), ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]);
}

#[test]
fn exceptions_are_compared_as_instants() {
    let start = timed("2026-06-01T09:00", BERLIN);
    let rest = utc(&["2026-06-01T07:00", "2026-06-03T07:00"]);
    for exdate in [
        "EXDATE:20260602T070000Z",
        "EXDATE:20260602T090000",
        "EXDATE;TZID=Europe/Berlin:20260602T090000",
        "EXDATE;TZID=\"Europe/Berlin\":20260602T090000",
        "EXDATE;TZID=America/New_York:20260602T030000",
        "EXDATE;TZID=Customized Time Zone:20260602T090000",
        "EXDATE;VALUE=DATE:20260602",
        "exdate;value=date-time:20260602t070000z",
        "EXDATE:20250101T000000Z,20260602T070000Z,20260602T070000Z",
    ] {
        assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;COUNT=3", exdate]), rest, "{exdate}");
        // Nor does the order of the lines matter.
        assert_eq!(starts(&start, &[exdate, "RRULE:FREQ=DAILY;COUNT=3"]), rest, "{exdate}");
    }
    for exdate in ["EXDATE:20260602T090000Z", "EXDATE:", "EXDATE;VALUE=DATE:20260702"] {
        assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;COUNT=3", exdate]).len(), 3, "{exdate}");
    }
    assert_eq!(
        starts(&start, &["RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260601T070000Z"]),
        utc(&["2026-06-02T07:00"])
    );
}

#[test]
fn a_day_is_excluded_on_the_clock_of_the_series() {
    // 20:00 in New York is the next day in UTC.
    let start = timed("2026-06-01T20:00", NEW_YORK);
    assert_eq!(
        starts(&start, &["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260602"]),
        utc(&["2026-06-02T00:00", "2026-06-04T00:00"])
    );
}

#[test]
fn an_exception_inside_a_gap_still_meets_its_occurrence() {
    let start = timed("2026-03-22T02:30", BERLIN);
    for exdate in ["EXDATE;TZID=Europe/Berlin:20260329T023000", "EXDATE;TZID=Europe/Berlin:20260329T033000"] {
        let found = starts(&start, &["RRULE:FREQ=WEEKLY;COUNT=3", exdate]);
        assert_eq!(found, utc(&["2026-03-22T01:30", "2026-04-05T00:30"]));
    }
}

#[test]
fn dates_can_be_added() {
    let start = timed("2026-06-01T09:00", BERLIN);
    let both = utc(&["2026-06-01T07:00", "2026-06-05T07:00"]);
    for rdate in [
        "RDATE:20260605T070000Z",
        "RDATE;TZID=Europe/Berlin:20260605T090000",
        "RDATE:20260605T090000",
        "RDATE;VALUE=DATE:20260605",
        "RDATE;VALUE=PERIOD:20260605T070000Z/PT1H",
        "RDATE;VALUE=PERIOD:20260605T070000Z/20260605T093000Z",
        "RDATE;TZID=Europe/London;VALUE=PERIOD:20260605T080000/P1D,20260605T080000/PT15M",
        "RDATE:20260601T070000Z,20260605T070000Z",
    ] {
        assert_eq!(starts(&start, &[rdate]), both, "{rdate}");
    }
    assert_eq!(starts(&start, &["RDATE:20260605T070000Z", "EXDATE:20260605T070000Z"]), both[..1]);
}

#[test]
fn a_start_outside_its_rule_is_still_there_once() {
    // 1 June 2026 is a Monday.
    assert_eq!(
        starts(&timed("2026-06-01T09:00", "UTC"), &["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2"]),
        utc(&["2026-06-01T09:00", "2026-06-02T09:00", "2026-06-09T09:00"])
    );
}

#[test]
fn several_rules_are_a_union_and_exrule_subtracts() {
    let start = timed("2026-06-01T09:00", "UTC");
    assert_eq!(
        starts(&start, &["RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"]),
        utc(&["2026-06-01T09:00", "2026-06-02T09:00", "2026-06-03T09:00"])
    );
    assert_eq!(
        starts(&start, &["EXRULE:FREQ=DAILY;INTERVAL=2", "RRULE:FREQ=DAILY;COUNT=4"]),
        utc(&["2026-06-02T09:00", "2026-06-04T09:00"])
    );
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=DAILY;INTERVAL=0"]).len(), 2);
}

#[test]
fn a_start_in_utc_stays_in_utc() {
    assert_eq!(
        starts(&timed("2026-03-28T09:00", "UTC"), &["RRULE:FREQ=DAILY;COUNT=2"]),
        utc(&["2026-03-28T09:00", "2026-03-29T09:00"])
    );
}

#[test]
fn a_split_series_reads_as_its_two_halves() {
    // The last golden case of part F, as clients write it: the tail is a series of its own, the moved one is excluded.
    let head = starts(&timed("2026-06-01T09:00", BERLIN), &["RRULE:FREQ=DAILY;UNTIL=20260602T065959Z"]);
    let tail = starts(
        &timed("2026-06-02T10:00", BERLIN),
        &["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20260604T100000", "RDATE:20260604T160000Z"],
    );
    assert_eq!(
        [head, tail].concat(),
        utc(&["2026-06-01T07:00", "2026-06-02T08:00", "2026-06-03T08:00", "2026-06-04T16:00"])
    );
}
