//! How series repeat, and the names and times of calendars: recurrence lines, zones of both families, instants and dates.

use calsync_core::recurrence::{self, Limits, OriginalStart, Recurrence, SeriesStart};
use calsync_core::time::{Ts, Window};
use calsync_core::zone;
use calsync_providers::windows_zone;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::NOW;
use crate::material::pairs;

/// Small ones: here the bounds are to be met, and an input is to cost little.
const LIMITS: Limits = Limits { steps: 3_000, occurrences: 400 };
/// A window of so many days is looked at.
const DAYS: i64 = 120;
/// Longest words of an error: a line of the log.
const WORDS_MAX: usize = 300;

/// The start of a series in the first line, and the zone after a space; then its recurrence lines.
pub fn recurrence(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let start = start(lines.next().unwrap_or_default());
    let rule = Recurrence { lines: lines.map(str::to_owned).collect() };
    let stored = serde_json::to_string(&rule).expect("lines are plain data");
    assert_eq!(serde_json::from_str::<Recurrence>(&stored).ok().as_ref(), Some(&rule));
    let window = Window { from: NOW, to: NOW.plus(SignedDuration::from_hours(24 * DAYS)) };
    let all = expanded(&start, &rule, window);
    match &all {
        Ok(starts) => {
            assert!(starts.is_sorted() && starts.windows(2).all(|two| two[0] != two[1]), "{starts:?}");
            assert!(starts.len() <= LIMITS.occurrences as usize);
            assert!(recurrence::validate(&rule).is_ok(), "lines that can't be read amount to something");
            for at in starts {
                assert_eq!(at.to_string().parse().as_ref(), Ok(at), "what is written reads the same");
                assert!(
                    !matches!(at, OriginalStart::At(at) if *at < window.from || *at >= window.to),
                    "{at:?}"
                );
            }
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() <= WORDS_MAX && !words.contains(char::is_control), "{words:?}");
        }
    }
    // Two halves are the whole. A day of no time of its own may touch both.
    let middle = NOW.plus(SignedDuration::from_hours(24 * DAYS / 2));
    let halves = (
        expanded(&start, &rule, Window { to: middle, ..window }),
        expanded(&start, &rule, Window { from: middle, ..window }),
    );
    if let (Ok(all), (Ok(mut first), Ok(second))) = (all, halves) {
        first.extend(second);
        first.dedup();
        assert_eq!(first, all, "two halves are not the whole");
    }
}

fn expanded(
    start: &SeriesStart,
    rule: &Recurrence,
    window: Window,
) -> Result<Vec<OriginalStart>, recurrence::RecurrenceError> {
    recurrence::expand(start, rule, &window, &TimeZone::UTC, &LIMITS)
}

fn start(line: &str) -> SeriesStart {
    let (local, zone) = line.split_once(' ').unwrap_or((line, "UTC"));
    if let Some(date) = local.parse::<Date>().ok().filter(|_| local.len() == 10) {
        return SeriesStart::AllDay(date);
    }
    let local = local.parse().unwrap_or(DateTime::constant(2026, 11, 2, 9, 0, 0, 0));
    SeriesStart::Timed { local, zone: zone::find_or_utc(zone) }
}

/// The names of zones, one a line, and instants and dates after a colon.
pub fn times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for name in text.lines() {
        let found = windows_zone::find(name);
        assert_eq!(found, windows_zone::find(&name.to_ascii_uppercase()), "case means nothing: {name:?}");
        assert_eq!(found, windows_zone::find(&format!(" {name} ")), "space means nothing: {name:?}");
        if let Some(known) = zone::find(name) {
            assert_eq!(found, Some(known), "both families agree: {name:?}");
        }
    }
    for text in text.lines().chain(pairs(text, '=').into_iter().map(|(_, value)| value)) {
        if let Ok(at) = text.parse::<Ts>() {
            assert_eq!(at.to_string().parse().as_ref(), Ok(&at), "{text:?}");
            assert!((Ts::MIN..=Ts::MAX).contains(&at));
        }
        if let Ok(start) = text.parse::<OriginalStart>() {
            assert_eq!(start.to_string().parse().as_ref(), Ok(&start), "{text:?}");
        }
    }
}
