//! Some days in a person's zone, and which parts of them a stretch of time takes. Whole days stay on their dates, whatever
//! zone is asked for. Pure.

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::{Span, Ts, Window, day_start};
use crate::zone;

/// Most days shown at once.
pub const DAYS_MAX: u8 = 14;
/// Minutes of a day on the clock.
const DAY_MINUTES: u16 = 24 * 60;
/// How far beyond the days something may lie elsewhere that lies in them here: a whole day, by the distance between two zones.
const ELSEWHERE: SignedDuration = SignedDuration::from_hours(26);

/// Some days in a row, in one zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Days {
    first: Date,
    count: u8,
    zone: TimeZone,
    name: String,
}

/// What is wrong with the days asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DaysProblem {
    /// None, or too many.
    #[error("ask for 1 to {DAYS_MAX} days")]
    Count,
    /// A zone that nobody knows.
    #[error("{0:?} is no IANA time zone such as Europe/Vienna")]
    Zone(String),
    /// Days at the end of time.
    #[error("there is no such date")]
    Date,
}

/// The part of one day that something takes, as a clock on the wall there shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, ToSchema)]
#[schema(as = DayPiece)]
pub struct Piece {
    /// Which day, counted from the first one asked for, which is 0.
    pub day: u8,
    /// First minute of the day.
    pub from_minute: u16,
    /// First minute after it; 1440 is the day's end.
    pub to_minute: u16,
}

impl Days {
    /// So many days from this one on.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(first: Date, count: u8, zone_name: &str) -> Result<Days, DaysProblem> {
        if !(1..=DAYS_MAX).contains(&count) {
            return Err(DaysProblem::Count);
        }
        let zone = zone::find(zone_name).ok_or_else(|| DaysProblem::Zone(zone_name.to_owned()))?;
        // Far from where the time-zone library can't place a date any more.
        if !(1..=9_998).contains(&first.year()) {
            return Err(DaysProblem::Date);
        }
        Ok(Days { first, count, zone, name: zone_name.to_owned() })
    }

    /// The first day.
    pub fn first(&self) -> Date {
        self.first
    }

    /// How many.
    pub fn count(&self) -> u8 {
        self.count
    }

    /// The zone's name, as asked for.
    pub fn zone_name(&self) -> &str {
        &self.name
    }

    /// The day of this number.
    pub fn date(&self, day: u8) -> Date {
        let later = jiff::Span::new().days(i64::from(day));
        // The year is checked, and the days are few.
        self.first.checked_add(later).unwrap_or(self.first)
    }

    /// From the first midnight there to the last.
    pub fn window(&self) -> Window {
        let at = |day| day_start(self.date(day), &self.zone);
        Window { from: at(0), to: at(self.count) }
    }

    /// All that may touch these days, for whoever takes whole days for another zone's.
    pub fn reach(&self) -> Window {
        let Window { from, to } = self.window();
        Window { from: from.minus(ELSEWHERE), to: to.plus(ELSEWHERE) }
    }

    /// What of these days a span takes, in order; nothing if it does not touch them. What has no length takes a piece without
    /// length.
    pub fn pieces(&self, span: &Span) -> Vec<Piece> {
        let touched = |day: &u8| match *span {
            Span::AllDay { start, end } => {
                let date = self.date(*day);
                // A date's end that is not after its start is none.
                let takes = start <= date && (date < end || date == start);
                takes.then_some(Piece { day: *day, from_minute: 0, to_minute: DAY_MINUTES })
            }
            Span::Timed { .. } => self.piece(*day, span),
        };
        (0..self.count).filter_map(|day| touched(&day)).collect()
    }

    fn piece(&self, day: u8, span: &Span) -> Option<Piece> {
        let at = |day| day_start(self.date(day), &self.zone);
        let window = Window { from: at(day), to: at(day + 1) };
        if !span.touches(&window, &self.zone) {
            return None;
        }
        let (start, end) = span.instants(&self.zone);
        let clock = |ts: Ts| {
            let there = ts.to_jiff().to_zoned(self.zone.clone());
            u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).unwrap_or_default()
        };
        let from_minute = if start <= window.from { 0 } else { clock(start) };
        let to_minute = if end >= window.to { DAY_MINUTES } else { clock(end) };
        // An hour that comes twice can end before it began, on the wall: then its real length counts.
        let length = u16::try_from(end.since(start).as_mins()).unwrap_or(DAY_MINUTES);
        let to_minute = if to_minute < from_minute {
            from_minute.saturating_add(length).min(DAY_MINUTES)
        } else {
            to_minute
        };
        Some(Piece { day, from_minute, to_minute })
    }
}
