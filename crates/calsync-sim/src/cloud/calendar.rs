//! People, calendars, and who may see what. It holds events but decides nothing about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::time::Ts;
use jiff::tz::TimeZone;

use super::event::{Event, Kind};
use super::log::ChangeLog;
use super::names::{CalendarId, EventId, PersonId};

/// What somebody may do in a calendar, weakest first (google.md §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessRole {
    /// See when it is busy.
    FreeBusyReader,
    /// Read, but not the words of private events.
    Reader,
    /// Write, but not read the words of private events.
    WriterWithoutPrivateAccess,
    /// Read and write everything.
    Writer,
    /// Share it and delete it.
    Owner,
}

/// How a calendar stands in somebody's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Not shown, but still there.
    pub hidden: bool,
    /// Taken out of the list (google.md §10 row 8).
    pub deleted: bool,
    /// Ticked in the person's own view.
    pub selected: bool,
    /// The person's own name for it.
    pub summary_override: Option<String>,
    /// Colour by number.
    pub color_id: Option<String>,
    /// Version of the entry, as with events.
    pub version: u64,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account's address.
    pub id: PersonId,
    /// The number that stays when the address changes.
    pub sub: String,
    /// The name.
    pub name: String,
    pub(super) list: BTreeMap<CalendarId, ListEntry>,
    pub(super) list_log: ChangeLog<CalendarId>,
}

impl Person {
    /// The calendars in the person's list, with those taken out of it.
    pub fn list(&self) -> &BTreeMap<CalendarId, ListEntry> {
        &self.list
    }

    /// What changed in the list after what.
    pub fn list_log(&self) -> &ChangeLog<CalendarId> {
        &self.list_log
    }
}

/// What a new calendar is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCalendar {
    /// Its id.
    pub id: CalendarId,
    /// Its name.
    pub summary: String,
    /// IANA name of its zone.
    pub time_zone: String,
    /// Whose it is.
    pub owner: PersonId,
    /// Whether the provider fills it, as with holidays: read only, and never watched (google.md §8).
    pub origin: Origin,
}

/// Who fills a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// People.
    People,
    /// The provider itself.
    Generated,
}

/// A calendar with everything in it.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Its id.
    pub id: CalendarId,
    /// Its name.
    pub summary: String,
    /// Words about it.
    pub description: Option<String>,
    /// IANA name of its zone.
    pub time_zone: Arc<str>,
    /// The zone of that name.
    pub zone: TimeZone,
    /// Whose it is.
    pub owner: PersonId,
    /// Whether it is its owner's main calendar.
    pub primary: bool,
    /// Who fills it.
    pub origin: Origin,
    /// Deleted with everything in it.
    pub deleted: bool,
    /// When anything in it last changed.
    pub updated: Ts,
    /// Version of the calendar itself.
    pub version: u64,
    pub(super) acl: BTreeMap<PersonId, AccessRole>,
    pub(super) events: BTreeMap<EventId, Arc<Event>>,
    pub(super) previous: BTreeMap<EventId, Arc<Event>>,
    pub(super) log: ChangeLog<EventId>,
    /// iCalendar UIDs in use, deleted ones included: they stay reserved (google.md §5).
    pub(super) uids: BTreeMap<Arc<str>, EventId>,
    /// Ids of purged events: they stay taken as well.
    pub(super) purged: BTreeSet<EventId>,
}

impl Calendar {
    /// What this person may do here.
    pub fn role(&self, person: &PersonId) -> Option<AccessRole> {
        if self.deleted {
            return None;
        }
        if *person == self.owner { Some(AccessRole::Owner) } else { self.acl.get(person).copied() }
    }

    /// The event as stored: never an occurrence that only the rule of its series makes.
    pub fn stored(&self, id: &EventId) -> Option<&Arc<Event>> {
        self.events.get(id)
    }

    /// The event as it was before its latest change, if it was there.
    pub fn previous(&self, id: &EventId) -> Option<&Arc<Event>> {
        self.previous.get(id)
    }

    /// All stored events after this id, in the order of ids: singles, masters, exceptions and tombstones.
    pub fn stored_after<'a>(
        &'a self,
        after: Option<&EventId>,
    ) -> impl Iterator<Item = &'a Arc<Event>> + use<'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, |id| Excluded(id.clone()));
        self.events.range((from, Unbounded)).map(|(_, event)| event)
    }

    /// The singles, masters and exceptions that are not cancelled.
    pub fn live(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.values().filter(|event| !event.cancelled)
    }

    /// What changed after what.
    pub fn log(&self) -> &ChangeLog<EventId> {
        &self.log
    }

    /// The stored exceptions of a series, cancelled ones included.
    pub fn exceptions<'a>(&'a self, series: &'a EventId) -> impl Iterator<Item = &'a Arc<Event>> {
        // Ids of exceptions begin with the master's id and an underscore. A split series may be named so as well.
        let prefix = format!("{series}_");
        let from = EventId::from(prefix.as_str());
        self.events
            .range(from..)
            .take_while(move |(id, _)| id.as_str().starts_with(&prefix))
            .map(|(_, event)| event)
            .filter(move |event| event.series() == Some(series))
    }

    /// The event that has this iCalendar UID, of a series its master.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Event>> {
        self.uids.get(uid).and_then(|id| self.events.get(id))
    }

    /// Whether this id cannot be given to a new event.
    pub fn is_taken(&self, id: &EventId) -> bool {
        self.events.contains_key(id) || self.purged.contains(id)
    }

    /// Whether this calendar leads the event, as against holding a guest's copy of it.
    pub fn leads(&self, event: &Event) -> bool {
        event.organizer.email.eq_ignore_ascii_case(self.id.as_str())
    }

    /// The live series with this id.
    pub fn live_series(&self, id: &EventId) -> Option<&Arc<Event>> {
        self.events.get(id).filter(|event| !event.cancelled && event.kind == Kind::Series)
    }
}
