//! Instants, dates and spans, with the two rules that keep calendars right: instants are compared as instants
//! (UTC, microseconds), and all-day dates stay dates. Never reads a clock.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// An instant: microseconds since 1970-01-01T00:00:00Z. Truncated to microseconds at birth, so that every store
/// returns exactly what it was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Ts(i64);

/// Microseconds in one second.
const MICROS: i64 = 1_000_000;

impl Ts {
    /// The earliest instant that can be written as a date of four digits' year: 0001-01-01T00:00:00Z.
    pub const MIN: Ts = Ts(-62_135_596_800 * MICROS);
    /// The latest one: 9999-12-30T22:00:00Z, the end of what the time-zone library can place in every zone.
    pub const MAX: Ts = Ts(253_402_207_200 * MICROS);

    /// From microseconds since the epoch, clamped to the range that can be written as a date.
    pub const fn from_micros(micros: i64) -> Ts {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Ts(micros)
        }
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Ts {
        Self::from_micros(secs.saturating_mul(MICROS))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant in the time-zone library's own type.
    pub fn to_jiff(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).expect("Ts is always within the library's range")
    }

    /// From the time-zone library's type, truncated to microseconds.
    pub fn from_jiff(ts: Timestamp) -> Ts {
        Ts::from_micros(ts.as_microsecond())
    }

    /// This much later (or earlier, if negative); stays in range.
    pub fn plus(self, by: SignedDuration) -> Ts {
        let micros =
            i64::try_from(by.as_micros()).unwrap_or(if by.is_negative() { i64::MIN } else { i64::MAX });
        Ts::from_micros(self.0.saturating_add(micros))
    }

    /// This much earlier; stays in range.
    pub fn minus(self, by: SignedDuration) -> Ts {
        self.plus(-by)
    }

    /// How long after `earlier` this is; negative if before it.
    pub fn since(self, earlier: Ts) -> SignedDuration {
        SignedDuration::from_micros(self.0 - earlier.0)
    }

    /// The last midnight in UTC at or before this instant.
    pub fn floor_day(self) -> Ts {
        const DAY: i64 = 86_400 * MICROS;
        Ts(self.0.div_euclid(DAY) * DAY)
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_jiff(), f)
    }
}

impl fmt::Debug for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 instant such as 2026-11-02T09:00:00Z: {0}")]
pub struct NotAnInstant(String);

impl FromStr for Ts {
    type Err = NotAnInstant;
    fn from_str(s: &str) -> Result<Ts, NotAnInstant> {
        s.parse::<Timestamp>().map(Ts::from_jiff).map_err(|e| NotAnInstant(e.to_string()))
    }
}

impl Serialize for Ts {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ts {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Ts, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The time something takes: from its start up to, and without, its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Span {
    /// Between two instants. `end >= start`.
    Timed {
        /// First instant.
        start: Ts,
        /// First instant after it.
        end: Ts,
    },
    /// Whole days, wherever one is. `end > start`, exclusive.
    AllDay {
        /// First day.
        start: Date,
        /// First day after it.
        end: Date,
    },
}

impl Span {
    /// The instants this takes for somebody in `zone`. All-day dates have no zone of their own (google.md §6).
    pub fn instants(&self, zone: &TimeZone) -> (Ts, Ts) {
        match *self {
            Span::Timed { start, end } => (start, end),
            Span::AllDay { start, end } => (day_start(start, zone), day_start(end, zone)),
        }
    }

    /// Whether any of it lies inside the window, for somebody in `zone`. A span without length counts at its start.
    pub fn touches(&self, window: &Window, zone: &TimeZone) -> bool {
        let (start, end) = self.instants(zone);
        start < window.to && (end > window.from || (start == end && start >= window.from))
    }

    /// Whole minutes from start to end.
    pub fn minutes(&self, zone: &TimeZone) -> i64 {
        let (start, end) = self.instants(zone);
        end.since(start).as_mins()
    }

    /// Whether these are dates.
    pub fn is_all_day(&self) -> bool {
        matches!(self, Span::AllDay { .. })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Timed { start, end } => write!(f, "{start}/{end}"),
            Span::AllDay { start, end } => write!(f, "{start}/{end}"),
        }
    }
}

/// The instant at which `date` begins in `zone` (after a midnight that a clock change swallowed: the first instant
/// that the day has).
pub fn day_start(date: Date, zone: &TimeZone) -> Ts {
    if *zone == TimeZone::UTC
        && let Ok(midnight) = zone.to_timestamp(date.to_datetime(Time::midnight()))
    {
        // No clock ever changes there, and most dates are placed there to be compared with a window.
        return Ts::from_jiff(midnight);
    }
    match date.to_zoned(zone.clone()).and_then(|z| z.start_of_day()) {
        Ok(zoned) => Ts::from_jiff(zoned.timestamp()),
        // Only reachable at the very ends of the calendar (years -9999 and 9999).
        Err(_) if date.year() > 0 => Ts::MAX,
        Err(_) => Ts::MIN,
    }
}

/// A stretch of time that we look at: from `from` up to, and without, `to`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// First instant inside.
    pub from: Ts,
    /// First instant after it.
    pub to: Ts,
}

impl Window {
    /// All of time.
    pub const ALL: Window = Window { from: Ts::MIN, to: Ts::MAX };

    /// The sync window of spec §5 at `now`: whole UTC days, so that it slides once a day and not with every call.
    pub fn sliding(now: Ts, past_days: u16, future_days: u16) -> Window {
        let today = now.floor_day();
        Window {
            from: today.minus(SignedDuration::from_hours(24 * i64::from(past_days))),
            to: today.plus(SignedDuration::from_hours(24 * (i64::from(future_days) + 1))),
        }
    }

    /// The part that both cover, if any.
    pub fn intersect(self, other: Window) -> Option<Window> {
        let both = Window { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone;

    #[test]
    fn instants_survive_text() {
        for text in ["2026-11-02T09:00:00Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"] {
            let ts: Ts = text.parse().unwrap();
            assert_eq!(ts.to_string(), text);
            assert_eq!(Ts::from_micros(ts.micros()), ts);
        }
        assert_eq!("2026-11-02T10:00:00+01:00".parse::<Ts>().unwrap().to_string(), "2026-11-02T09:00:00Z");
        assert!("2026-11-02".parse::<Ts>().is_err());
    }

    #[test]
    fn the_ends_of_time_hold() {
        assert_eq!(Ts::MAX.plus(SignedDuration::from_hours(1)), Ts::MAX);
        assert_eq!(Ts::MIN.minus(SignedDuration::MAX), Ts::MIN);
        let _ = (Ts::MAX.to_jiff(), Ts::MIN.to_jiff());
        for id in ["Pacific/Kiritimati", "Pacific/Midway", "Europe/Vienna"] {
            let z = zone::find(id).unwrap();
            let _ = (Ts::MAX.to_jiff().to_zoned(z.clone()), Ts::MIN.to_jiff().to_zoned(z));
        }
    }

    #[test]
    fn a_day_is_23_or_25_hours_when_clocks_change() {
        let vienna = zone::find("Europe/Vienna").unwrap();
        let day = |y, m, d| Span::AllDay {
            start: Date::constant(y, m, d),
            end: Date::constant(y, m, d).tomorrow().unwrap(),
        };
        assert_eq!(day(2026, 3, 29).minutes(&vienna), 23 * 60);
        assert_eq!(day(2026, 10, 25).minutes(&vienna), 25 * 60);
    }

    #[test]
    fn the_window_slides_by_whole_days() {
        let w = |s: &str| Window::sliding(s.parse().unwrap(), 1, 90);
        assert_eq!(w("2026-11-22T00:00:00Z"), w("2026-11-22T23:59:59Z"));
        assert_eq!(w("2026-11-22T12:00:00Z").from.to_string(), "2026-11-21T00:00:00Z");
        assert_eq!(w("2026-11-22T12:00:00Z").to.to_string(), "2027-02-21T00:00:00Z");
    }
}
