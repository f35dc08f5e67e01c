//! One event as it stands in one calendar: its content, whose it is, and which version of it this is. It is a value:
//! the cloud makes a new one for every change and never alters one that was handed out.

use std::sync::Arc;

use calsync_core::recurrence::OriginalStart;
use calsync_core::time::{Ts, Window, day_start};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::content::{Content, Party, When};
use super::names::EventId;

/// The time at which a series has an occurrence by its rule: the occurrence's identity, whatever became of it
/// (google.md §7: key on `originalStartTime`).
pub type Slot = OriginalStart;

/// The end of an occurrence's id: `20261109T080000Z` or `20261109` (google.md §7).
pub fn slot_suffix(slot: Slot) -> String {
    match slot {
        Slot::On(date) => date.strftime("%Y%m%d").to_string(),
        Slot::At(at) => at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string(),
    }
}

/// The slot that an id's end names. Only the two exact shapes: a parser that forgives would make two ids of one
/// occurrence.
pub fn parse_slot(suffix: &str) -> Option<Slot> {
    let slot = match suffix.len() {
        8 => Slot::On(Date::strptime("%Y%m%d", suffix).ok()?),
        16 => {
            let at = DateTime::strptime("%Y%m%dT%H%M%SZ", suffix).ok()?;
            Slot::At(Ts::from_jiff(at.to_zoned(TimeZone::UTC).ok()?.timestamp()))
        }
        _ => return None,
    };
    (slot_suffix(slot) == suffix).then_some(slot)
}

/// The instant a slot stands for, to somebody whose calendar is in `zone`.
pub fn slot_instant(slot: Slot, zone: &TimeZone) -> Ts {
    match slot {
        Slot::On(date) => day_start(date, zone),
        Slot::At(at) => at,
    }
}

/// What an event is among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Stands alone.
    Single,
    /// The master of a series.
    Series,
    /// One occurrence of a series that differs from it, or was cancelled.
    Exception {
        /// The master.
        series: EventId,
        /// Which occurrence.
        slot: Slot,
    },
}

/// An event in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id in this calendar.
    pub id: EventId,
    /// Alone, series or exception.
    pub kind: Kind,
    /// A single event or a series that is deleted; an exception that does not take place.
    pub cancelled: bool,
    /// What is written in it.
    pub content: Content,
    /// The name that all copies and all occurrences share.
    pub ical_uid: Arc<str>,
    /// How often it was rescheduled.
    pub sequence: u32,
    /// When it was made.
    pub created: Ts,
    /// When it was last changed (a change of reminders alone does not count, google.md §6).
    pub updated: Ts,
    /// Grows with every change anywhere in the cloud: the etag.
    pub version: u64,
    /// Who leads it. On a secondary calendar that is the calendar itself.
    pub organizer: Party,
    /// Who made it.
    pub creator: Party,
}

impl Event {
    /// The series it is an exception of.
    pub fn series(&self) -> Option<&EventId> {
        match &self.kind {
            Kind::Exception { series, .. } => Some(series),
            Kind::Single | Kind::Series => None,
        }
    }

    /// Which occurrence of its series it is.
    pub fn slot(&self) -> Option<Slot> {
        match self.kind {
            Kind::Exception { slot, .. } => Some(slot),
            Kind::Single | Kind::Series => None,
        }
    }

    /// Deleted for good, as against one occurrence that does not take place.
    pub fn is_tombstone(&self) -> bool {
        self.cancelled && self.series().is_none()
    }

    /// First instant, and the first after it, for a calendar in `zone`.
    pub fn instants(&self, zone: &TimeZone) -> (Ts, Ts) {
        (self.content.start.instant(zone), self.content.end.instant(zone))
    }

    /// Whether its own (not its series') time lies in the window: `end > from` and `start < to`, both exclusive
    /// (google.md §4 `timeMin`/`timeMax`). One without length counts at its start.
    pub fn touches(&self, window: &Window, zone: &TimeZone) -> bool {
        let (start, end) = self.instants(zone);
        start < window.to && (end > window.from || (start == end && start >= window.from))
    }

    /// The id of the occurrence of `series` at `slot`.
    pub fn occurrence_id(series: &EventId, slot: Slot) -> EventId {
        EventId::from(format!("{series}_{}", slot_suffix(slot)))
    }

    /// The occurrence at `slot` as the rule makes it, out of its master.
    pub fn occurrence(&self, slot: Slot) -> Event {
        let mut content = self.content.clone();
        content.recurrence.clear();
        let (start, end) = self.ends_at(slot);
        (content.start, content.end) = (start, end);
        Event {
            id: Event::occurrence_id(&self.id, slot),
            kind: Kind::Exception { series: self.id.clone(), slot },
            content,
            ..self.clone()
        }
    }

    /// When the occurrence at `slot` starts and ends by the rule. A timed one keeps its exact length over a clock
    /// change, one of whole days its number of days.
    fn ends_at(&self, slot: Slot) -> (When, When) {
        match (slot, &self.content.start, &self.content.end) {
            (Slot::On(day), When::Day(start), When::Day(end)) => {
                let days = (*end - *start).get_days();
                (When::Day(day), When::Day(day.saturating_add(days.days())))
            }
            (Slot::At(at), When::At { at: start, zone }, When::At { at: end, zone: end_zone }) => {
                let (zone, end_zone) = (zone.clone(), end_zone.clone());
                (When::At { at, zone }, When::At { at: at.plus(end.since(*start)), zone: end_zone })
            }
            _ => (self.content.start.clone(), self.content.end.clone()),
        }
    }

    /// How long it is, in a calendar of `zone`.
    pub fn length(&self, zone: &TimeZone) -> SignedDuration {
        let (start, end) = self.instants(zone);
        end.since(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrence_ids_as_in_section_7() {
        let at: Ts = "2026-11-09T08:00:00Z".parse().unwrap();
        for (slot, text) in
            [(Slot::At(at), "20261109T080000Z"), (Slot::On(Date::constant(2026, 11, 9)), "20261109")]
        {
            assert_eq!(slot_suffix(slot), text);
            assert_eq!(parse_slot(text), Some(slot));
        }
        for bad in
            ["", "2026110", "20261309", "R20261109T080000", "20261109T080000", "20261109T250000Z", "2026 109"]
        {
            assert_eq!(parse_slot(bad), None, "{bad}");
        }
    }
}
