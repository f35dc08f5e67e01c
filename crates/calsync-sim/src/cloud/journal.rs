//! Every write that a program made through a provider's interface, with what stood there before and after: from it an
//! oracle sees whether anybody's own event was touched, and whether anybody could have been mailed. It records, and
//! refuses nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use calsync_core::time::Ts;

use super::event::Event;
use super::names::{CalendarId, ClientId, EventId, PersonId};
use super::watch::Provider;

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// A new event.
    Insert,
    /// The whole event replaced.
    Update,
    /// Some fields replaced.
    Patch,
    /// Deleted, or one occurrence cancelled.
    Delete,
    /// A private copy made or refreshed.
    Import,
    /// Taken away to another calendar.
    MoveOut,
    /// Brought here from another calendar.
    MoveIn,
}

/// Who writes: a person by their own hand, or a program in their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// In whose name.
    pub person: PersonId,
    /// Which program, if it is one.
    pub client: Option<ClientId>,
    /// The query's parameters, such as `sendUpdates`.
    pub params: BTreeMap<String, String>,
    /// Whose rules the write keeps where providers differ.
    pub rules: Provider,
}

impl By {
    /// The person's own hand.
    pub fn person(email: &str) -> By {
        By { person: PersonId::from(email), client: None, params: BTreeMap::new(), rules: Provider::Google }
    }

    /// A program in the person's name.
    pub fn client(email: &str, client: &str) -> By {
        By { client: Some(ClientId::from(client)), ..By::person(email) }
    }
}

/// One write of a program.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Ts,
    /// Which program.
    pub client: ClientId,
    /// In whose name.
    pub person: PersonId,
    /// Where.
    pub calendar: CalendarId,
    /// Which event.
    pub event: EventId,
    /// What was done.
    pub op: Op,
    /// What stood there; nothing for a new event.
    pub before: Option<Arc<Event>>,
    /// What stands there now.
    pub after: Arc<Event>,
    /// The query's parameters.
    pub params: BTreeMap<String, String>,
}

impl Entry {
    /// The addresses of everybody else who has to do with the event, before or after.
    pub fn guests(&self) -> impl Iterator<Item = &str> {
        let both = self.before.iter().chain(std::iter::once(&self.after));
        let all = both.flat_map(|event| event.content.attendees.iter().map(|a| a.email.as_str()));
        all.filter(|email| !email.eq_ignore_ascii_case(self.person.as_str()))
    }

    /// Whether mail may have gone out: there are guests, and it was not expressly said to send none. Without a word
    /// some mail may go regardless (google.md §3, write params).
    pub fn could_have_mailed(&self) -> bool {
        let silent = self.params.get("sendUpdates").is_some_and(|v| v == "none");
        !silent && self.guests().next().is_some()
    }
}

/// The latest writes of programs, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    dropped: u64,
}

impl Journal {
    /// All that is still known.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many older ones were dropped to keep the journal within its bound. An oracle wants 0 here.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn push(&mut self, entry: Entry, bound: usize) {
        if self.entries.len() >= bound {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }
}
