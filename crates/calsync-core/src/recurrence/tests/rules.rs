//! All-day series, identities as text, windows, and corners of RFC 5545 §3.3.10 beyond the agreed table.

use super::*;
use std::time::Instant;

#[test]
fn all_day_series_are_dates_and_ignore_times() {
    let start = all_day("2026-06-01");
    let three = ["2026-06-01", "2026-06-02", "2026-06-03"];
    for until in ["20260603", "20260603T000000Z", "20260603T235959", "20260603T000000"] {
        assert_eq!(starts(&start, &[&format!("RRULE:FREQ=DAILY;UNTIL={until}")]), three, "{until}");
    }
    for exdate in ["EXDATE;VALUE=DATE:20260602", "EXDATE:20260602", "EXDATE:20260602T000000Z,20260602"] {
        assert_eq!(
            starts(&start, &["RRULE:FREQ=DAILY;COUNT=3", exdate]),
            ["2026-06-01", "2026-06-03"],
            "{exdate}"
        );
    }
    assert_eq!(starts(&start, &["RDATE;VALUE=DATE:20260602,20260603"]), three);
    assert_eq!(starts(&start, &["RDATE;TZID=Asia/Tokyo:20260602T000000", "RDATE:20260603T000000Z"]), three);
    // Several times on one day are one date.
    assert_eq!(starts(&start, &["RRULE:FREQ=DAILY;BYHOUR=8,9;UNTIL=20260603"]), three);
}

#[test]
fn a_date_counts_where_its_day_touches_the_window() {
    let dates = |zone: &str, from: &str, to: &str| {
        let window = Window { from: from.parse().unwrap(), to: to.parse().unwrap() };
        let zone = zone::find(zone).unwrap();
        let rule = lines(&["RRULE:FREQ=DAILY"]);
        let found = expand(&all_day("2026-06-01"), &rule, &window, &zone, &Limits::default()).unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (from, to) = ("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z");
    assert_eq!(dates("UTC", from, to), ["2026-06-10"]);
    assert_eq!(dates("Asia/Tokyo", from, to), ["2026-06-10", "2026-06-11"]);
    assert_eq!(dates("America/New_York", from, to), ["2026-06-09", "2026-06-10"]);
    assert_eq!(
        dates("Pacific/Kiritimati", "2026-06-10T10:00:00Z", "2026-06-10T10:00:00.000001Z"),
        ["2026-06-11"]
    );
    assert_eq!(dates("Pacific/Kiritimati", "2026-06-10T09:59:59Z", "2026-06-10T10:00:00Z"), ["2026-06-10"]);
}

#[test]
fn the_window_is_half_open() {
    let start = timed("2026-06-01T00:00", "UTC");
    let rule = lines(&["RRULE:FREQ=DAILY"]);
    let count = |from, to| {
        expand(&start, &rule, &window(from, to), &TimeZone::UTC, &Limits::default()).unwrap().len()
    };
    assert_eq!(count("2026-06-10", "2026-06-11"), 1);
    assert_eq!(count("2026-05-01", "2026-06-01"), 0);
    assert_eq!(count("2026-05-01", "2026-06-02"), 1);
    assert_eq!(count("2026-06-10", "2026-06-10"), 0);
    assert_eq!(count("2026-06-10", "2026-06-01"), 0);
}

#[test]
fn identities_are_texts() {
    for (text, value) in [
        ("2026-11-02T09:00:00Z", OriginalStart::At("2026-11-02T09:00:00Z".parse().unwrap())),
        ("2026-11-02", OriginalStart::On("2026-11-02".parse().unwrap())),
    ] {
        assert_eq!(value.to_string(), text);
        assert_eq!(text.parse::<OriginalStart>().unwrap(), value);
        let json = format!("\"{text}\"");
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<OriginalStart>(&json).unwrap(), value);
    }
    for text in ["", "20261102", "2026-11-02T09:00:00", "2026-13-02", "soon"] {
        assert!(text.parse::<OriginalStart>().is_err(), "{text}");
    }
    assert_eq!(serde_json::to_string(&lines(&["RRULE:FREQ=DAILY"])).unwrap(), r#"["RRULE:FREQ=DAILY"]"#);
}

#[test]
fn weeks_of_the_year_reach_over_its_ends() {
    // RFC 5545 §3.8.5.3, and the missing day taken from DTSTART.
    let dates = |start: &str, rule: &str, from: &str, to: &str| {
        let found =
            expand(&all_day(start), &lines(&[rule]), &window(from, to), &TimeZone::UTC, &Limits::default())
                .unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let twentieth = ["1997-05-12", "1998-05-11", "1999-05-17"];
    assert_eq!(
        dates("1997-05-12", "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-01-01", "2000-01-01"),
        twentieth
    );
    assert_eq!(dates("1997-05-12", "RRULE:FREQ=YEARLY;BYWEEKNO=20", "1997-01-01", "2000-01-01"), twentieth);
    // Week 1 of 2026 begins on 29 December 2025, and a window that ends on the 30th must see it.
    let first = "RRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO";
    assert_eq!(dates("2024-01-01", first, "2025-12-29", "2025-12-30"), ["2025-12-29"]);
    assert_eq!(dates("2024-01-01", first, "2024-12-01", "2026-01-31"), ["2024-12-30", "2025-12-29"]);
    // Week 53 of 2026 ends on 3 January 2027.
    assert_eq!(
        dates("2020-01-05", "RRULE:FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", "2027-01-01", "2027-02-01"),
        ["2027-01-03"]
    );
}

#[test]
fn skip_only_beside_a_gregorian_scale() {
    let start = all_day("2026-01-31");
    let skip = |rule: &str| starts(&start, &[rule]);
    let omit = ["2026-01-31", "2026-03-31", "2026-05-31"];
    assert_eq!(skip("RRULE:FREQ=MONTHLY;COUNT=3;SKIP=FORWARD"), omit);
    assert_eq!(skip("RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;COUNT=3"), omit);
    assert_eq!(
        skip("RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;COUNT=3;SKIP=BACKWARD"),
        ["2026-01-31", "2026-02-28", "2026-03-31"]
    );
    assert_eq!(
        skip("RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;COUNT=3;SKIP=FORWARD"),
        ["2026-01-31", "2026-03-01", "2026-03-31"]
    );
    assert!(try_expand(&start, &["RRULE:RSCALE=HEBREW;FREQ=MONTHLY;COUNT=3"]).is_err());
}

#[test]
fn hours_run_on_the_wall_clock() {
    assert_eq!(
        starts(&timed("2026-10-25T01:00", "Europe/Berlin"), &["RRULE:FREQ=HOURLY;COUNT=3"]),
        utc(&["2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T02:00"])
    );
    // In spring 02:00 moves onto 03:00, and both are one.
    assert_eq!(
        starts(&timed("2026-03-29T01:00", "Europe/Berlin"), &["RRULE:FREQ=HOURLY;COUNT=4"]),
        utc(&["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"])
    );
    let long_ago = timed("1990-01-01T00:30", "UTC");
    let rule = lines(&["RRULE:FREQ=HOURLY;INTERVAL=5"]);
    let day =
        expand(&long_ago, &rule, &window("2026-06-01", "2026-06-02"), &TimeZone::UTC, &Limits::default());
    assert!((4..=5).contains(&day.unwrap().len()));
}

#[test]
fn a_day_that_a_zone_left_out_harms_nobody() {
    // Samoa had no 30 December 2011.
    let apia = timed("2011-12-28T09:00", "Pacific/Apia");
    let rule = lines(&["RRULE:FREQ=DAILY;COUNT=5"]);
    let found = expand(&apia, &rule, &window("2011-12-01", "2012-02-01"), &TimeZone::UTC, &Limits::default())
        .unwrap();
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts, utc(&["2011-12-28T19:00", "2011-12-29T19:00", "2011-12-30T19:00", "2011-12-31T19:00"]));
}

#[test]
fn fractions_of_a_second_stay() {
    let found = starts(&timed("2026-06-01T09:00:00.25", "UTC"), &["RRULE:FREQ=DAILY;COUNT=2"]);
    assert_eq!(found, ["2026-06-01T09:00:00.25Z", "2026-06-02T09:00:00.25Z"]);
}

#[test]
fn a_century_of_days_costs_nothing() {
    let start = timed("1926-01-01T09:00", "Europe/Vienna");
    let rule = lines(&["RRULE:FREQ=DAILY", "EXDATE:20261124T080000Z"]);
    let window = window("2026-11-21", "2027-02-20");
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(expand(&start, &rule, &window, &TimeZone::UTC, &Limits::default()).unwrap().len(), 90);
    }
    let each = begun.elapsed() / 20;
    println!("daily since 1926, 91 days: {each:?}");
    // Generous: this shows that the century is not walked, not how fast a busy machine is.
    assert!(each.as_millis() < 20, "{each:?}");
}
