//! What a person can write into an event: its time, words, guests and marks. It knows nothing of versions, of other
//! copies or of how a provider spells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::time::{Span, Ts, day_start};
use calsync_core::zone;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::outlook::Outlook;

/// One end of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A date without a zone, as all-day events have.
    Day(Date),
    /// An instant, and the name of the zone in which it was meant.
    At {
        /// The instant, in whole seconds.
        at: Ts,
        /// IANA name; a series repeats by this zone's wall clock (google.md §7).
        zone: Arc<str>,
    },
}

impl When {
    /// An instant in the zone of this name.
    pub fn at(at: Ts, zone: &str) -> When {
        When::At { at, zone: Arc::from(zone) }
    }

    /// The instant it stands for, to somebody whose calendar is in `zone`.
    pub fn instant(&self, zone: &TimeZone) -> Ts {
        match self {
            When::Day(date) => day_start(*date, zone),
            When::At { at, .. } => *at,
        }
    }

    /// Whether it is a date.
    pub fn is_day(&self) -> bool {
        matches!(self, When::Day(_))
    }

    /// The zone in which it was meant, if it has one.
    pub fn zone(&self) -> Option<TimeZone> {
        match self {
            When::Day(_) => None,
            When::At { zone, .. } => Some(zone::find_or_utc(zone)),
        }
    }
}

/// Whether it is certain. That it does not take place at all is a matter of the event, not of what is written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It takes place.
    #[default]
    Confirmed,
    /// It may take place.
    Tentative,
}

/// Whether it takes the time of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transparency {
    /// Busy.
    #[default]
    Opaque,
    /// Free.
    Transparent,
}

/// Who may read its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// As the calendar says.
    #[default]
    Default,
    /// Everybody who sees the calendar.
    Public,
    /// Only who may write to the calendar.
    Private,
    /// The old word for private.
    Confidential,
}

/// What sort of thing it is (google.md §6, `eventType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum EventType {
    /// An ordinary event.
    #[default]
    Default,
    /// Away, declining invitations by itself.
    OutOfOffice,
    /// Time kept free for work.
    FocusTime,
    /// Where somebody works that day.
    WorkingLocation,
    /// A birthday.
    Birthday,
    /// Made by the provider out of a mail.
    FromGmail,
}

/// What a guest answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Response {
    /// Nothing yet.
    #[default]
    NeedsAction,
    /// No.
    Declined,
    /// Maybe.
    Tentative,
    /// Yes.
    Accepted,
}

/// Somebody by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// The address.
    pub email: String,
    /// The name, if known.
    pub name: Option<String>,
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendee {
    /// The address.
    pub email: String,
    /// The name, if given.
    pub name: Option<String>,
    /// The answer.
    pub response: Response,
    /// Whether the guest may stay away.
    pub optional: bool,
    /// Whether it is a room or a thing.
    pub resource: bool,
    /// Known fields that the cloud does not look at, such as `comment`.
    pub extra: Map<String, Value>,
}

/// One reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// `popup` or `email`.
    pub method: String,
    /// How long before the start.
    pub minutes: u32,
}

/// The reminders of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminders {
    /// Whether the calendar's own reminders apply.
    pub use_default: bool,
    /// Those of the event.
    pub overrides: Vec<Reminder>,
}

/// Where it came from, as its writer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Words.
    pub title: String,
    /// An http(s) address.
    pub url: String,
}

/// Everything that can be written into an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// First instant or day.
    pub start: When,
    /// First instant or day after it.
    pub end: When,
    /// RRULE, EXRULE, RDATE and EXDATE lines; empty unless it is a series.
    pub recurrence: Vec<String>,
    /// The title.
    pub summary: Option<String>,
    /// The long text.
    pub description: Option<String>,
    /// The place.
    pub location: Option<String>,
    /// Confirmed or tentative.
    pub status: Status,
    /// Busy or free.
    pub transparency: Transparency,
    /// Who may read it.
    pub visibility: Visibility,
    /// What sort of thing it is; never changes.
    pub event_type: EventType,
    /// The guests.
    pub attendees: Vec<Attendee>,
    /// Properties on this copy only.
    pub private: BTreeMap<String, String>,
    /// Properties on every copy.
    pub shared: BTreeMap<String, String>,
    /// Reminders, if any were set.
    pub reminders: Option<Reminders>,
    /// Colour by number.
    pub color_id: Option<String>,
    /// Where it came from.
    pub source: Option<Source>,
    /// Every other known field of Google's, kept as it came.
    pub extra: Map<String, Value>,
    /// What only Microsoft knows of it.
    pub outlook: Outlook,
}

impl Content {
    /// An ordinary event that takes this time.
    pub fn new(summary: &str, start: When, end: When) -> Content {
        Content {
            start,
            end,
            recurrence: Vec::new(),
            summary: Some(summary.to_owned()),
            description: None,
            location: None,
            status: Status::default(),
            transparency: Transparency::default(),
            visibility: Visibility::default(),
            event_type: EventType::default(),
            attendees: Vec::new(),
            private: BTreeMap::new(),
            shared: BTreeMap::new(),
            reminders: None,
            color_id: None,
            source: None,
            extra: Map::new(),
            outlook: Outlook::default(),
        }
    }

    /// An ordinary event between two instants, meant in the zone of this name.
    pub fn timed(summary: &str, start: Ts, end: Ts, zone: &str) -> Content {
        Content::new(summary, When::at(start, zone), When::at(end, zone))
    }

    /// An ordinary event of whole days, `end` exclusive.
    pub fn all_day(summary: &str, start: Date, end: Date) -> Content {
        Content::new(summary, When::Day(start), When::Day(end))
    }

    /// The same, repeating by this rule, such as `RRULE:FREQ=WEEKLY`.
    #[must_use]
    pub fn repeating(mut self, line: &str) -> Content {
        self.recurrence.push(line.to_owned());
        self
    }

    /// The same, with one more guest who has not answered.
    #[must_use]
    pub fn inviting(mut self, email: &str) -> Content {
        self.attendees.push(Attendee { email: email.to_owned(), ..Attendee::default() });
        self
    }

    /// The time it takes; `None` if one end is a date and the other is not.
    pub fn span(&self) -> Option<Span> {
        match (&self.start, &self.end) {
            (When::Day(start), When::Day(end)) => Some(Span::AllDay { start: *start, end: *end }),
            (When::At { at: start, .. }, When::At { at: end, .. }) => {
                Some(Span::Timed { start: *start, end: *end })
            }
            _ => None,
        }
    }

    /// The guest with this address, whatever its case.
    pub fn attendee(&self, email: &str) -> Option<&Attendee> {
        self.attendees.iter().find(|a| a.email.eq_ignore_ascii_case(email))
    }
}
