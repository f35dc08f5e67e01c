//! A series seen through a window: where naive local time meets the zone. Never reads a rule.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::line::Written;
use super::{OriginalStart, RecurrenceError, SeriesStart};
use crate::time::{Span, Ts, Window};
use crate::zone;

/// How far the naive window reaches beyond the real one: more than any zone's distance from UTC plus any jump of its
/// clocks (Samoa left out a whole day in 2011).
const MARGIN: SignedDuration = SignedDuration::from_hours(48);

/// A series, its window and the zones that matter.
pub(super) struct Series<'a> {
    /// The first start, naive; midnight if all-day.
    pub(super) first: DateTime,
    /// Nothing before this naive time can lie in the window.
    pub(super) from: DateTime,
    /// Nothing after this naive time can.
    pub(super) to: DateTime,
    /// The zone of a timed series.
    zone: Option<&'a TimeZone>,
    window: Window,
    calendar_zone: &'a TimeZone,
}

impl<'a> Series<'a> {
    pub(super) fn new(
        start: &'a SeriesStart,
        window: Window,
        calendar_zone: &'a TimeZone,
    ) -> Result<Series<'a>, RecurrenceError> {
        let (first, zone) = match start {
            SeriesStart::Timed { local, zone } => (*local, Some(zone)),
            SeriesStart::AllDay(date) => (date.to_datetime(Time::midnight()), None),
        };
        if !(1..=9999).contains(&first.year()) {
            return Err(RecurrenceError::StartOutOfRange);
        }
        let there = zone.unwrap_or(calendar_zone);
        let from = there.to_datetime(window.from.to_jiff()).saturating_sub(MARGIN);
        let to = there.to_datetime(window.to.to_jiff()).saturating_add(MARGIN);
        Ok(Series { first, from, to, zone, window, calendar_zone })
    }

    /// The identity of the start at this naive time; `None` past the end of time.
    pub(super) fn original(&self, local: DateTime) -> Option<OriginalStart> {
        match self.zone {
            Some(zone) => instant(local, zone).map(OriginalStart::At),
            None => Some(OriginalStart::On(local.date())),
        }
    }

    /// The identity that a written date means, `zone` being that of its line.
    pub(super) fn written(&self, written: &Written, zone: &TimeZone) -> Option<OriginalStart> {
        let Some(own) = self.zone else { return Some(OriginalStart::On(written.day())) };
        match written {
            Written::Day(day) => instant(day.to_datetime(self.first.time()), own),
            Written::Local(at) => instant(*at, zone),
            Written::Utc(at) => instant(*at, &TimeZone::UTC),
        }
        .map(OriginalStart::At)
    }

    /// The zone of a line: the one it names, or that of the series if it names none that we know (caldav-ics.md part
    /// B asks for more ways to find one; they need the whole calendar object and are its reader's).
    pub(super) fn zone_of(&self, tzid: Option<&str>) -> TimeZone {
        let named = tzid.filter(|_| self.zone.is_some()).and_then(zone::find);
        named.or_else(|| self.zone.cloned()).unwrap_or(TimeZone::UTC)
    }

    /// UNTIL as a bound on naive time, and, if it was written in UTC, on instants too: where clocks go back, two
    /// instants share one naive time and only the second bound tells them apart.
    pub(super) fn until(&self, until: Option<&Written>) -> (Option<DateTime>, Option<Ts>) {
        let Some(until) = until else { return (None, None) };
        let end_of = |day: Date| Some(day.to_datetime(Time::MAX));
        match (until, self.zone) {
            (_, None) => (end_of(until.day()), None),
            (Written::Day(day), _) => (end_of(*day), None),
            (Written::Local(at), _) => (Some(*at), None),
            (Written::Utc(at), Some(zone)) => match instant(*at, &TimeZone::UTC) {
                Some(ts) => (Some(zone.to_datetime(ts.to_jiff()).saturating_add(MARGIN)), Some(ts)),
                None => (None, None),
            },
        }
    }

    /// Whether a start lies inside the window.
    pub(super) fn holds(&self, at: &OriginalStart) -> bool {
        match *at {
            OriginalStart::At(ts) => self.window.from <= ts && ts < self.window.to,
            OriginalStart::On(date) => {
                let next = date.tomorrow().unwrap_or(Date::MAX);
                Span::AllDay { start: date, end: next }.touches(&self.window, self.calendar_zone)
            }
        }
    }

    /// The day on which a start falls, on the clock of the series.
    pub(super) fn local_day(&self, at: &OriginalStart) -> Date {
        match (at, self.zone) {
            (OriginalStart::At(ts), Some(zone)) => zone.to_datetime(ts.to_jiff()).date(),
            (OriginalStart::At(ts), None) => TimeZone::UTC.to_datetime(ts.to_jiff()).date(),
            (OriginalStart::On(date), _) => *date,
        }
    }
}

/// A wall-clock time as an instant: in a gap, moved forward by it; ambiguous, the first (RFC 5545 §3.3.5).
fn instant(local: DateTime, zone: &TimeZone) -> Option<Ts> {
    zone.to_ambiguous_timestamp(local).compatible().ok().map(Ts::from_jiff)
}
