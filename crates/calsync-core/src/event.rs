//! Events as providers tell them, in one vocabulary. Only what a busy mirror must understand is kept: no attendee, no
//! organizer, and no text unless a rule asks for it (spec §5).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::EventId;
use crate::recurrence::{OriginalStart, Recurrence, SeriesStart};
use crate::time::{Span, Ts};
use crate::zone;

/// A single event, the master of a series, or one changed or cancelled occurrence of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The provider's id in this calendar.
    pub id: EventId,
    /// The provider's version (etag), where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the provider last changed it. An older one never overwrites a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Ts>,
    /// The meeting's iCalendar UID: equal in all guests' copies and in all occurrences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ical_uid: Option<String>,
    /// When it is. `None` only for a cancelled occurrence, of which providers tell no more than its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Its place in a series.
    #[serde(default)]
    pub series: Series,
    /// Confirmed, tentative or cancelled.
    #[serde(default)]
    pub status: Status,
    /// Shown as busy or free.
    #[serde(default)]
    pub show_as: ShowAs,
    /// What the calendar's owner answered, if invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// What sort of entry it is.
    #[serde(default)]
    pub kind: EventKind,
    /// Title, description, location: kept only for calendars with a rule that copies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<EventText>,
}

impl Event {
    /// The series that it belongs to or is; a single event's own id.
    pub fn series_id(&self) -> &EventId {
        match &self.series {
            Series::Single | Series::Master { .. } => &self.id,
            Series::Occurrence { master } | Series::Instance { master, .. } => master,
        }
    }

    /// What is kept in place of an event of which only the id can be read: one whose repetition is unreadable. The planner
    /// removes nothing that stands for it, makes nothing new, and says so in `explain`.
    pub fn unreadable(id: EventId, why: &str) -> Event {
        let when = match UNKNOWN_TIME {
            Span::Timed { start, end } => When::Timed { start, end, zone: None },
            Span::AllDay { start, end } => When::AllDay { start, end },
        };
        Event {
            id,
            version: None,
            updated: None,
            ical_uid: None,
            when: Some(when),
            series: Series::Master { recurrence: Recurrence { lines: vec![format!("{UNREADABLE}{why}")] } },
            status: Status::Confirmed,
            show_as: ShowAs::Busy,
            response: None,
            kind: EventKind::Default,
            text: None,
        }
    }

    /// Whether it is kept in place of one that can't be read.
    pub fn is_unreadable(&self) -> bool {
        let Series::Master { recurrence } = &self.series else { return false };
        recurrence.lines.first().is_some_and(|line| line.starts_with(UNREADABLE))
    }
}

/// The time that stands for one that can't be read.
pub const UNKNOWN_TIME: Span =
    Span::AllDay { start: Date::constant(1970, 1, 1), end: Date::constant(1970, 1, 2) };

/// How the pattern begins of what can't be read. No line of a recurrence does.
const UNREADABLE: &str = "unreadable event: ";

/// When an event (for a master: its first occurrence) takes place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum When {
    /// Between two instants; `zone` is the IANA name in which a series keeps its wall-clock time.
    Timed {
        /// First instant.
        start: Ts,
        /// First instant after it.
        end: Ts,
        /// Zone of the start, where the provider names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Whole days, end exclusive.
    AllDay {
        /// First day.
        start: Date,
        /// First day after it.
        end: Date,
    },
}

impl When {
    /// The time it takes, without the zone.
    pub fn span(&self) -> Span {
        match *self {
            When::Timed { start, end, .. } => Span::Timed { start, end },
            When::AllDay { start, end } => Span::AllDay { start, end },
        }
    }

    /// The first start of a series: wall clock in its own zone, else in the calendar's.
    pub fn series_start(&self, calendar_zone: &TimeZone) -> SeriesStart {
        match self {
            When::Timed { start, zone, .. } => {
                let zone = zone.as_deref().and_then(zone::find).unwrap_or_else(|| calendar_zone.clone());
                SeriesStart::Timed { local: start.to_jiff().to_zoned(zone.clone()).datetime(), zone }
            }
            When::AllDay { start, .. } => SeriesStart::AllDay(*start),
        }
    }

    /// The start as the identity of an occurrence.
    pub fn original_start(&self) -> OriginalStart {
        match *self {
            When::Timed { start, .. } => OriginalStart::At(start),
            When::AllDay { start, .. } => OriginalStart::On(start),
        }
    }
}

/// An event's place in a series.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Series {
    /// Not part of one.
    #[default]
    Single,
    /// The series itself; we expand it.
    Master {
        /// How it repeats.
        recurrence: Recurrence,
    },
    /// One occurrence of a series whose provider enumerates them and keeps the pattern to itself. Its own id is its
    /// identity: it stays the same when the occurrence is moved, and says nothing of where it stood (microsoft.md §4.3).
    Occurrence {
        /// The series it belongs to; no event of this id is ever told.
        master: EventId,
    },
    /// One occurrence that differs from the pattern.
    Instance {
        /// The series it belongs to.
        master: EventId,
        /// Where it stood by the pattern: its identity, constant when it is moved.
        original: OriginalStart,
    },
}

/// The event's own state.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = EventStatus)]
pub enum Status {
    /// It takes place.
    #[default]
    Confirmed,
    /// It may take place.
    Tentative,
    /// It does not take place.
    Cancelled,
}

/// How the event shows in its own calendar.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ShowAs {
    /// The person is free.
    Free,
    /// Tentatively busy.
    Tentative,
    /// Busy.
    #[default]
    Busy,
}

/// The calendar owner's answer to an invitation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Coming.
    Accepted,
    /// Not coming.
    Declined,
    /// Perhaps.
    Tentative,
    /// Not answered yet.
    NeedsAction,
}

/// What sort of entry it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An ordinary event.
    #[default]
    Default,
    /// Out of office: blocks.
    OutOfOffice,
    /// Focus time: blocks.
    FocusTime,
    /// Where somebody works: never blocks.
    WorkingLocation,
    /// A birthday: never blocks.
    Birthday,
    /// Made by the provider out of a mail: blocks.
    FromMail,
    /// A kind newer than this program: never blocks, and is counted as such.
    Unknown,
}

/// Text of an event that a rule may copy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EventText {
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// Which of an event's texts may be kept at all: the union of what the rules from its calendar copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TextPolicy {
    /// Titles may be stored.
    pub title: bool,
    /// Descriptions may be stored.
    pub description: bool,
    /// Locations may be stored.
    pub location: bool,
}

impl TextPolicy {
    /// What may be kept by either.
    pub fn or(self, other: TextPolicy) -> TextPolicy {
        TextPolicy {
            title: self.title || other.title,
            description: self.description || other.description,
            location: self.location || other.location,
        }
    }

    /// The text without what may not be kept.
    pub fn strip(self, text: Option<EventText>) -> Option<EventText> {
        let text = text?;
        let kept = EventText {
            title: text.title.filter(|_| self.title),
            description: text.description.filter(|_| self.description),
            location: text.location.filter(|_| self.location),
        };
        (kept != EventText::default()).then_some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_the_wall_clock_of_its_own_zone() {
        let start: Ts = "2026-07-01T07:00:00Z".parse().unwrap();
        let when = |zone: Option<&str>| When::Timed { start, end: start, zone: zone.map(str::to_owned) };
        let calendar = crate::zone::find("America/New_York").unwrap();
        let table = [
            (Some("Europe/Vienna"), "2026-07-01T09:00:00"),
            (None, "2026-07-01T03:00:00"),
            // A name that nobody knows: the calendar's own zone is the best guess.
            (Some("Customized Time Zone"), "2026-07-01T03:00:00"),
        ];
        for (zone, wall) in table {
            match when(zone).series_start(&calendar) {
                SeriesStart::Timed { local, .. } => assert_eq!(local.to_string(), wall),
                other => panic!("{other:?}"),
            }
            assert_eq!(when(zone).original_start(), OriginalStart::At(start));
        }
        let day = "2026-07-01".parse().unwrap();
        let days = When::AllDay { start: day, end: day };
        assert_eq!(days.series_start(&calendar), SeriesStart::AllDay(day));
        assert_eq!(days.original_start(), OriginalStart::On(day));
    }

    #[test]
    fn text_is_kept_piece_by_piece_or_not_at_all() {
        let piece = |on: bool| on.then(|| "x".to_owned());
        let text = |t, d, l| EventText { title: piece(t), description: piece(d), location: piece(l) };
        for bits in 0..8u8 {
            let (title, description, location) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
            let policy = TextPolicy { title, description, location };
            let kept = policy.strip(Some(text(true, true, true)));
            assert_eq!(kept, (bits > 0).then(|| text(title, description, location)), "{bits}");
            assert_eq!(policy.strip(kept.clone()), kept, "nothing more to strip");
            assert_eq!(policy.or(TextPolicy::default()), policy);
            assert_eq!(policy.strip(None), None);
        }
    }
}
