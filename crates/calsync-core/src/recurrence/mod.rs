//! Recurrence: the one place that knows how a series repeats (caldav-ics.md part B, google.md §7, RFC 5545 §3.3.10
//! and §3.8.5). It turns the lines of a rule into original starts inside a window. It never reads a clock, never asks
//! the host for a zone, and never knows about moved or cancelled instances: those are the caller's.
//!
//! How it is done: rules are walked in *naive* local time by the library `ical` (which parses the parts and tests the
//! days), and only the results meet a zone, here, through `jiff` ("compatible": a wall time inside a gap moves forward
//! by it, an ambiguous one is the first; RFC 5545 §3.3.5). `walk` keeps the library away from long walks.
//!
//! Readings where the RFC is silent or contradicts itself, decided once:
//! - DTSTART is always an instance, also if the rule does not match it ("undefined", RFC 5545 §3.8.5.3). COUNT then
//!   still counts what the rule itself yields: a busy slot is kept rather than lost, as python-dateutil does.
//! - `UNTIL` as a DATE on a timed series lasts to the end of that local day. `UNTIL` in UTC is compared as an instant.
//! - `RDATE;VALUE=DATE` on a timed series means that day at the series' own time of day.
//! - On an all-day series only the date part of a date-time counts, as it is written.
//! - `BYWEEKNO` without a day takes the weekday of DTSTART (RFC 5545 §3.3.10, "retrieved from the DTSTART property").
//! - HOURLY is walked on the wall clock like the rest, so the repeated hour of autumn counts once.

mod error;
mod line;
mod rule;
mod series;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{NotAnInstant, Ts, Window};

pub use error::{LineProblem, RecurrenceError};
use line::{Line, Written};
use rule::Rule;
use series::Series;
use walk::{Approach, Reach};

/// Where an occurrence of a series originally stood: its identity, constant when it is moved.
///
/// Within one series all are instants or all are dates; the order between the two kinds means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginalStart {
    /// Of a timed series: the instant.
    At(Ts),
    /// Of an all-day series: the date, which has no zone.
    On(Date),
}

impl fmt::Display for OriginalStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginalStart::At(ts) => fmt::Display::fmt(ts, f),
            OriginalStart::On(date) => fmt::Display::fmt(date, f),
        }
    }
}

impl FromStr for OriginalStart {
    type Err = NotAnInstant;
    fn from_str(s: &str) -> Result<OriginalStart, NotAnInstant> {
        // "2026-11-02" and nothing else is a date: the library would also read a date out of longer texts.
        match s.parse::<Date>() {
            Ok(date) if s.len() == "2026-11-02".len() => Ok(OriginalStart::On(date)),
            _ => s.parse().map(OriginalStart::At),
        }
    }
}

impl Serialize for OriginalStart {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OriginalStart {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<OriginalStart, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a series repeats, as the provider tells it: RRULE, EXRULE, RDATE, EXDATE lines without DTSTART, unfolded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recurrence {
    /// One content line each, such as `RRULE:FREQ=WEEKLY` or `EXDATE;TZID=Europe/Vienna:20261102T090000`.
    pub lines: Vec<String>,
}

/// The first start of a series, as its provider wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesStart {
    /// At a wall-clock time that stays the same when the clocks of the zone change.
    Timed {
        /// The wall-clock time.
        local: DateTime,
        /// The zone whose clock it is.
        zone: TimeZone,
    },
    /// On a date, wherever one is.
    AllDay(Date),
}

/// How far one expansion may go. Beyond either bound it fails: half a series must never look like a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Days (for HOURLY: hours) that the walk of one rule may look at, times the times of day that the rule names.
    pub steps: u32,
    /// Occurrences inside the window, before exceptions are taken away.
    pub occurrences: u32,
}

impl Limits {
    /// Five centuries of days: enough for a COUNT that began in any living person's time, and a few milliseconds.
    pub const STEPS: u32 = 200_000;
    /// Half a year of hours. The busiest series of a real calendar has a few hundred in the longest window.
    pub const OCCURRENCES: u32 = 5_000;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: Self::STEPS, occurrences: Self::OCCURRENCES }
    }
}

/// The original starts of the series inside `[window.from, window.to)`, sorted, without duplicates. For an all-day
/// series: the dates whose day in `calendar_zone` touches the window. The caller widens the window by the event's
/// length, and takes moved or cancelled instances from elsewhere.
pub fn expand(
    start: &SeriesStart,
    rule: &Recurrence,
    window: &Window,
    calendar_zone: &TimeZone,
    limits: &Limits,
) -> Result<Vec<OriginalStart>, RecurrenceError> {
    expand_by(Approach::Jump, start, rule, window, calendar_zone, limits)
}

/// Checks that the lines parse, without asking what they amount to.
pub fn validate(rule: &Recurrence) -> Result<(), RecurrenceError> {
    line::parse_all(rule).map(drop)
}

/// `expand`, with the choice how to get near the window; tests show that both ways agree.
fn expand_by(
    approach: Approach,
    start: &SeriesStart,
    rule: &Recurrence,
    window: &Window,
    calendar_zone: &TimeZone,
    limits: &Limits,
) -> Result<Vec<OriginalStart>, RecurrenceError> {
    let lines = line::parse_all(rule)?;
    let series = Series::new(start, *window, calendar_zone)?;
    let mut found = Found { starts: BTreeSet::new(), max: limits.occurrences };
    if window.from >= window.to {
        return Ok(Vec::new());
    }

    if let Some(first) = series.original(series.first) {
        found.add(first, &series, 0)?;
    }
    for (number, line) in &lines {
        match line {
            Line::Rule(rule) => {
                each_of(approach, rule, &series, limits, *number, |at| found.add(at, &series, *number))?
            }
            Line::Dates(list) => {
                let zone = series.zone_of(list.tzid.as_deref());
                for at in list.dates.iter().filter_map(|written| series.written(written, &zone)) {
                    found.add(at, &series, *number)?;
                }
            }
            Line::ExRule(_) | Line::ExDates(_) => {}
        }
    }
    // Exceptions last, whatever the order of the lines (RFC 5545 §3.8.5.1: they win over every inclusion).
    let mut without_days = BTreeSet::new();
    for (number, line) in &lines {
        match line {
            Line::ExRule(rule) => each_of(approach, rule, &series, limits, *number, |at| {
                found.starts.remove(&at);
                Ok(())
            })?,
            Line::ExDates(list) => {
                let zone = series.zone_of(list.tzid.as_deref());
                for written in &list.dates {
                    match written {
                        // On a timed series a DATE takes the whole local day (caldav-ics.md part B).
                        Written::Day(day) => drop(without_days.insert(*day)),
                        _ => drop(series.written(written, &zone).map(|at| found.starts.remove(&at))),
                    }
                }
            }
            Line::Rule(_) | Line::Dates(_) => {}
        }
    }
    if !without_days.is_empty() {
        found.starts.retain(|at| !without_days.contains(&series.local_day(at)));
    }
    Ok(found.starts.into_iter().collect())
}

/// Calls `each` with every original start that one rule yields around the window.
fn each_of(
    approach: Approach,
    rule: &Rule,
    series: &Series<'_>,
    limits: &Limits,
    number: usize,
    mut each: impl FnMut(OriginalStart) -> Result<(), RecurrenceError>,
) -> Result<(), RecurrenceError> {
    let (last, not_after) = series.until(rule.until.as_ref());
    let reach = Reach { from: series.from, to: last.map_or(series.to, |last| last.min(series.to)) };
    let complete = walk::walk(approach, rule, series.first, &reach, limits.steps, |local| {
        match series.original(local) {
            Some(OriginalStart::At(ts)) if not_after.is_some_and(|bound| ts > bound) => Ok(()),
            Some(at) => each(at),
            None => Ok(()),
        }
    })?;
    if complete { Ok(()) } else { Err(RecurrenceError::TooManySteps { number, max: limits.steps }) }
}

/// What was found so far, bounded.
struct Found {
    starts: BTreeSet<OriginalStart>,
    max: u32,
}

impl Found {
    /// Keeps a start that lies inside the window.
    fn add(&mut self, at: OriginalStart, series: &Series<'_>, number: usize) -> Result<(), RecurrenceError> {
        if series.holds(&at) {
            self.starts.insert(at);
        }
        if self.starts.len() > self.max as usize {
            return Err(RecurrenceError::TooManyOccurrences { number, max: self.max });
        }
        Ok(())
    }
}
