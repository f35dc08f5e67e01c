//! Tests of the recurrence module: what they share. The agreed cases are in `golden`, malice in `hostile`, laws and
//! comparisons with engines of others in `laws` and `engines`.

mod engines;
mod golden;
mod hostile;
mod laws;
mod random;
mod rules;

use super::*;
use crate::zone;

/// A timed series, by its wall clock and zone.
pub(super) fn timed(local: &str, zone: &str) -> SeriesStart {
    SeriesStart::Timed { local: local.parse().unwrap(), zone: zone::find(zone).unwrap() }
}

pub(super) fn all_day(date: &str) -> SeriesStart {
    SeriesStart::AllDay(date.parse().unwrap())
}

pub(super) fn lines(lines: &[&str]) -> Recurrence {
    Recurrence { lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

pub(super) fn window(from: &str, to: &str) -> Window {
    let at = |s: &str| format!("{s}T00:00:00Z").parse().unwrap();
    Window { from: at(from), to: at(to) }
}

/// Expands through a window of the years around the usual cases, seen from UTC.
pub(super) fn try_expand(start: &SeriesStart, rule: &[&str]) -> Result<Vec<OriginalStart>, RecurrenceError> {
    expand(start, &lines(rule), &window("2020-01-01", "2037-01-01"), &TimeZone::UTC, &Limits::default())
}

/// The same as texts, to compare with.
pub(super) fn starts(start: &SeriesStart, rule: &[&str]) -> Vec<String> {
    try_expand(start, rule).unwrap().iter().map(ToString::to_string).collect()
}

/// Completes texts such as `2026-03-22T01:30` to instants.
pub(super) fn utc(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| format!("{text}:00Z")).collect()
}
