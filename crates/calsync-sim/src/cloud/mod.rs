//! The calendar cloud: people, calendars, events, channels, as one deterministic state machine. It takes the time and
//! a seed from outside, does no I/O and speaks no provider's language: the skins (`google`, `microsoft` and the in-process
//! `direct`) do that over the same state.

mod acts;
pub mod calendar;
pub mod content;
pub mod event;
mod invite;
pub mod journal;
pub mod log;
pub mod names;
pub mod outlook;
mod rules;
mod series;
mod setup;
mod shared;
pub mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::time::Ts;

use crate::rng::Rng;
use calendar::{AccessRole, Calendar, Person};
use event::Event;
use journal::Journal;
use names::{CalendarId, EventId, PersonId};
use watch::{Provider, Resource, Watch, WatchLimits};

pub use acts::Answer;
pub use shared::SharedCloud;
pub use write::{Guard, Ids, Imported, Written};

/// How much a cloud may hold. Google's own figures where there are any (google.md §9, calendar use limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in one calendar, tombstones included.
    pub events_per_calendar: usize,
    /// Calendars.
    pub calendars: usize,
    /// People.
    pub people: usize,
    /// Open channels.
    pub channels: usize,
    /// Notices that wait to be taken, per provider.
    pub outbox: usize,
    /// Writes of programs that are remembered.
    pub journal: usize,
    /// Occurrences that one expansion may make.
    pub occurrences: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            events_per_calendar: 100_000,
            calendars: 200_000,
            people: 200_000,
            channels: 400_000,
            outbox: 1_000_000,
            journal: 1_000_000,
            occurrences: 2_500,
        }
    }
}

/// Why the cloud did not do what was asked. The skins turn these into their provider's errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Nobody has this address.
    #[error("nobody has this address")]
    NoSuchPerson,
    /// No such calendar, or none that the person may see.
    #[error("no such calendar")]
    NoSuchCalendar,
    /// There never was such an event, or it was purged.
    #[error("no such event")]
    NoSuchEvent,
    /// The event is deleted already.
    #[error("the event is deleted")]
    Deleted,
    /// The person may not do this here.
    #[error("not allowed to do this in the calendar")]
    Forbidden,
    /// Only the organizer may do this.
    #[error("only the organizer may do this")]
    NotOrganizer,
    /// The id or the iCalendar UID is taken.
    #[error("the identifier is taken")]
    Duplicate,
    /// It is not the version that the writer believed to change.
    #[error("the event has changed")]
    Changed,
    /// It ends before or when it starts.
    #[error("the time range is empty")]
    EmptyRange,
    /// Something in it makes no sense; says what.
    #[error("{0}")]
    Invalid(&'static str),
    /// A limit of use is reached.
    #[error("a limit of use is reached")]
    Full,
}

/// The whole cloud.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub(crate) people: BTreeMap<PersonId, Person>,
    pub(crate) calendars: BTreeMap<CalendarId, Calendar>,
    watch: Watch,
    journal: Journal,
    rng: Rng,
    version: u64,
    limits: Limits,
}

impl Cloud {
    /// An empty cloud. The same seed and the same calls give the same cloud.
    pub fn new(seed: u64, limits: Limits) -> Cloud {
        Cloud {
            people: BTreeMap::new(),
            calendars: BTreeMap::new(),
            watch: Watch::default(),
            journal: Journal::default(),
            rng: Rng::new(seed),
            version: 0,
            limits,
        }
    }

    /// The person with this address.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.get(id)
    }

    /// Everybody.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The calendar with this id, even a deleted one.
    pub fn calendar(&self, id: &CalendarId) -> Option<&Calendar> {
        self.calendars.get(id)
    }

    /// All calendars, deleted ones too.
    pub fn calendars(&self) -> impl Iterator<Item = &Calendar> {
        self.calendars.values()
    }

    /// The calendar, if this person may do at least `least` in it.
    ///
    /// # Errors
    /// `NoSuchCalendar` if they may not even see it, `Forbidden` if they may do less.
    pub fn calendar_for(
        &self,
        id: &CalendarId,
        who: &PersonId,
        least: AccessRole,
    ) -> Result<&Calendar, CloudError> {
        let calendar = self.calendars.get(id).ok_or(CloudError::NoSuchCalendar)?;
        match calendar.role(who) {
            None => Err(CloudError::NoSuchCalendar),
            Some(role) if role < least => Err(CloudError::Forbidden),
            Some(_) => Ok(calendar),
        }
    }

    /// The live events that stand in a calendar: singles, masters, and exceptions that take place.
    pub fn live_events(&self, calendar: &CalendarId) -> Vec<Arc<Event>> {
        self.calendars.get(calendar).map(|c| c.live().cloned().collect()).unwrap_or_default()
    }

    /// The event as a reader by id finds it: stored, or an occurrence that the rule of a live series makes.
    pub fn event(&self, calendar: &CalendarId, id: &EventId) -> Option<Arc<Event>> {
        series::resolve(self.calendars.get(calendar)?, id)
    }

    /// What programs have written.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The channels.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes up to `most` of one provider's waiting notices, oldest first.
    pub fn take_notices(&mut self, provider: Provider, most: usize) -> Vec<watch::Notice> {
        self.watch.take(provider, most)
    }

    /// The bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// A fresh id of Google's letters, from the cloud's own seed.
    pub fn fresh_id(&mut self, len: usize) -> String {
        self.rng.letters(len)
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn tell(&mut self, resource: &Resource, touched: Option<(watch::Change, &Arc<Event>)>, at: Ts) {
        let event = touched.map(|(_, event)| event);
        // What happens to one occurrence is, to some, something that happens to the series (microsoft.md §8.2).
        let touched = touched.map(|(change, event)| match (event.series(), resource) {
            (Some(series), Resource::Events(calendar)) => {
                let master = self.calendars.get(calendar).and_then(|cal| cal.stored(series));
                // An exception is a part of its master, so the master's version moves with each of them: else two changes
                // of one series would be told in the same words, and the second be taken for an echo of the first.
                let moved = |m: &Arc<Event>| Arc::new(Event { version: event.version, ..(**m).clone() });
                (watch::Change::Updated, master.map_or_else(|| Arc::clone(event), moved))
            }
            _ => (change, Arc::clone(event)),
        });
        let news = watch::News {
            resource,
            event: event.map(|e| &e.id),
            event_type: event.map(|e| e.content.event_type),
            touched,
            at,
        };
        let limits = self.watch_limits();
        self.watch.tell(&news, &mut self.rng, limits);
    }

    fn watch_limits(&self) -> WatchLimits {
        WatchLimits { channels: self.limits.channels, outbox: self.limits.outbox }
    }
}
