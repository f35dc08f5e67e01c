//! Lines that mean harm or nothing: they fail with words, or cost little.

use super::*;
use std::time::Instant;

fn problem(rule: &str) -> String {
    let error = try_expand(&timed("2026-06-01T09:00", "UTC"), &[rule]).unwrap_err();
    assert_eq!(validate(&lines(&[rule])).unwrap_err(), error, "both say the same");
    let text = error.to_string();
    assert!(text.starts_with("recurrence line 1"), "{text}");
    assert!(text.len() < 200, "{text}");
    text
}

#[test]
fn lines_that_are_refused() {
    for rule in [
        "",
        " ",
        ":",
        "RRULE",
        "RRULE:",
        "RRULE:;;;=;",
        "RRULE:FREQ",
        "RRULE:FREQ=",
        "RRULE:FREQ=FORTNIGHTLY",
        "RRULE:COUNT=3",
        "FREQ=DAILY",
        "DTSTART:20260601T090000Z",
        "RRULE:FREQ=DAILY;INTERVAL=-1",
        "RRULE:FREQ=DAILY;INTERVAL=",
        "RRULE:FREQ=DAILY;COUNT=3.5",
        "RRULE:FREQ=DAILY;COUNT=many",
        "RRULE:FREQ=DAILY;UNTIL=tomorrow",
        "RRULE:FREQ=DAILY;UNTIL=20260230",
        "RRULE:FREQ=DAILY;UNTIL=+0260301",
        "RRULE:FREQ=DAILY;UNTIL=20260301T250000Z",
        "RRULE:FREQ=DAILY;BYDAY=XX",
        "RRULE:FREQ=DAILY;BYDAY=€€",
        "RRULE:FREQ=MONTHLY;BYDAY=99999999999MO",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=0",
        "RRULE:FREQ=YEARLY;BYMONTH=13",
        "RRULE:FREQ=YEARLY;BYSETPOS=-2147483648",
        "RRULE:FREQ=DAILY;BYHOUR=24",
        "EXDATE:yesterday",
        "EXDATE:2026-06-02",
        "EXDATE:20260602T0900",
        "RDATE:20260602T090000Z/",
        "RDATE:20260602T090000Z/never",
        "RDATE:\u{1F4C5}\u{1F4C5}",
        "\u{0}\u{1}\u{2}",
        "EXDATE;TZID=\"Europe/Berlin:20260602T090000",
    ] {
        problem(rule);
    }
    assert!(problem("RRULE:FREQ=SECONDLY").contains("too frequent"));
    assert!(problem("RRULE:FREQ=MINUTELY;INTERVAL=1440").contains("too frequent"));
    assert!(problem("RRULE:RSCALE=CHINESE;FREQ=YEARLY").contains("GREGORIAN"));
    assert!(problem(&format!("RRULE:FREQ=WEEKLY;BYDAY={}", vec!["MO"; 10_000].join(","))).contains("longer"));
    assert!(
        problem(&format!("RRULE:FREQ=WEEKLY;BYDAY={}", vec!["MO"; 500].join(","))).contains("more than 400")
    );
    assert!(problem(&format!("EXDATE:{}", "20260602,".repeat(5_000))).contains("more than 4000"));
    assert!(problem(&"RRULE:".repeat(100_000)).contains("longer"));
    assert!(problem("\n\u{7f}injected").contains("??injected"), "control characters do not reach a log");
}

#[test]
fn too_many_lines_are_refused() {
    let start = timed("2026-06-01T09:00", "UTC");
    assert!(matches!(try_expand(&start, &["EXDATE:"; 2_001]), Err(RecurrenceError::TooManyLines { .. })));
    assert!(try_expand(&start, &["EXDATE:"; 2_000]).is_ok());
    let rules = ["RRULE:FREQ=DAILY;COUNT=1"; 9];
    assert_eq!(try_expand(&start, &rules), Err(RecurrenceError::TooManyRules { number: 9, max: 8 }));
    assert_eq!(try_expand(&timed("0000-06-01T09:00", "UTC"), &[]), Err(RecurrenceError::StartOutOfRange));
}

#[test]
fn the_error_names_the_line() {
    let error =
        validate(&lines(&["RRULE:FREQ=DAILY", "EXDATE:20260602T090000Z", "EXDATE:gone"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "recurrence line 3 (EXDATE:gone): not a date or date-time such as 20261102 or 20261102T090000Z"
    );
}

#[test]
fn rules_that_never_meet_leave_the_start() {
    for rule in [
        "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=DAILY;BYSETPOS=2",
        "RRULE:FREQ=MONTHLY;BYSETPOS=300",
        "RRULE:FREQ=MONTHLY;BYDAY=9MO",
        "RRULE:FREQ=YEARLY;BYDAY=0MO",
        "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1",
        "RRULE:FREQ=DAILY;INTERVAL=4294967295",
        "RRULE:FREQ=HOURLY;INTERVAL=4294967295",
        "RRULE:FREQ=WEEKLY;INTERVAL=4294967295;COUNT=4294967295",
        "RRULE:FREQ=MONTHLY;INTERVAL=99999999999999999999999999",
        "RRULE:FREQ=YEARLY;INTERVAL=99999999999999999999999999;COUNT=7",
    ] {
        for more in ["", ";COUNT=3", ";UNTIL=99991231T235959Z", ";UNTIL=99991231"] {
            let rule = if rule.contains("COUNT") { rule.to_owned() } else { format!("{rule}{more}") };
            let begun = Instant::now();
            assert_eq!(
                starts(&timed("2026-06-01T09:00", "UTC"), &[&rule]),
                utc(&["2026-06-01T09:00"]),
                "{rule}"
            );
            assert!(begun.elapsed().as_millis() < 200, "{rule} took {:?}", begun.elapsed());
        }
    }
    assert_eq!(starts(&all_day("2026-06-01"), &["RRULE:FREQ=DAILY;BYSETPOS=1;COUNT=2"]).len(), 2);
}

#[test]
fn both_bounds_hold() {
    let limits = Limits { steps: 50, occurrences: 10 };
    let by = |rule: &str, limits: &Limits| {
        let start = timed("2026-06-01T09:00", "UTC");
        expand(&start, &lines(&[rule]), &window("2026-06-01", "2027-06-01"), &TimeZone::UTC, limits)
    };
    assert_eq!(by("RRULE:FREQ=DAILY;COUNT=10", &limits).unwrap().len(), 10);
    assert_eq!(
        by("RRULE:FREQ=DAILY;COUNT=11", &limits),
        Err(RecurrenceError::TooManyOccurrences { number: 1, max: 10 })
    );
    let steps = Err(RecurrenceError::TooManySteps { number: 1, max: 50 });
    assert_eq!(by("RRULE:FREQ=DAILY;BYMONTH=4", &limits), steps);
    assert_eq!(by("RRULE:FREQ=YEARLY", &limits), steps);
    // A COUNT that is reached early needs no more steps, however wide the window.
    assert_eq!(by("RRULE:FREQ=DAILY;COUNT=3", &limits).unwrap().len(), 3);
    assert_eq!(by("RRULE:FREQ=DAILY;UNTIL=20260603", &limits).unwrap().len(), 3);
    assert!(by("RRULE:FREQ=DAILY", &Limits { steps: 0, occurrences: 0 }).is_err());
    assert!(by("RRULE:FREQ=DAILY", &Limits { steps: u32::MAX, occurrences: u32::MAX }).is_ok());
}

#[test]
fn the_dearest_rules_stay_cheap() {
    let every = |n: u8| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let all_times = format!("BYHOUR={};BYMINUTE={};BYSECOND={}", every(24), every(60), every(60));
    let year_days = (1..=366).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    for rule in [
        format!("RRULE:FREQ=YEARLY;{all_times}"),
        format!("RRULE:FREQ=YEARLY;BYDAY=MO,TU;{all_times}"),
        format!("RRULE:FREQ=DAILY;{all_times};COUNT=4000000000"),
        format!("RRULE:FREQ=HOURLY;BYMINUTE={};BYSECOND={}", every(60), every(60)),
        format!("RRULE:FREQ=HOURLY;BYYEARDAY={year_days};COUNT=4000000000"),
        format!("RRULE:FREQ=YEARLY;BYYEARDAY={year_days};BYDAY=-54MO;COUNT=4000000000"),
        "RRULE:FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2;COUNT=4000000000".to_owned(),
        "RRULE:FREQ=HOURLY;BYMONTHDAY=31;BYMONTH=2;COUNT=1".to_owned(),
        "RRULE:FREQ=HOURLY;BYSETPOS=2;COUNT=1".to_owned(),
        "RRULE:FREQ=DAILY".to_owned(),
    ] {
        for start in [timed("0001-01-01T00:00", "Pacific/Apia"), timed("9999-12-31T23:59:59", "UTC")] {
            let begun = Instant::now();
            let found = expand(&start, &lines(&[&rule]), &Window::ALL, &TimeZone::UTC, &Limits::default());
            let took = begun.elapsed();
            let excerpt: String = rule.chars().take(50).collect();
            assert!(took.as_millis() < 400, "{excerpt} took {took:?}");
            assert!(found.map_or(true, |f| f.len() <= Limits::OCCURRENCES as usize));
        }
    }
}
