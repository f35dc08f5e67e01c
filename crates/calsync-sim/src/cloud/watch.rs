//! Who wants to be told of changes, and what is to be told. It makes notices and never sends them: a skin takes them
//! from the outbox and delivers them in its provider's form.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use calsync_core::time::Ts;

use super::content::EventType;
use super::event::Event;
use super::names::{CalendarId, ClientId, EventId, PersonId};
use crate::rng::Rng;

/// Whose form a channel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// Google Calendar.
    Google,
    /// Microsoft Graph.
    Microsoft,
}

impl Provider {
    /// All of them.
    pub const ALL: [Provider; 2] = [Provider::Google, Provider::Microsoft];

    /// Its name to people.
    pub const fn name(self) -> &'static str {
        match self {
            Provider::Google => "Google",
            Provider::Microsoft => "Microsoft",
        }
    }
}

/// What can be watched (google.md §8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The events of a calendar.
    Events(CalendarId),
    /// Who may see a calendar.
    Acl(CalendarId),
    /// A person's list of calendars.
    CalendarList(PersonId),
    /// A person's settings.
    Settings(PersonId),
}

/// A wish to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Whose form it has.
    pub provider: Provider,
    /// The project within which its id is unique.
    pub project: String,
    /// Its id.
    pub id: String,
    /// The program that made it.
    pub client: ClientId,
    /// In whose name.
    pub person: PersonId,
    /// What it watches.
    pub resource: Resource,
    /// The provider's id of what it watches: the same for all channels on it.
    pub resource_id: String,
    /// Where notices go.
    pub address: String,
    /// What is echoed with every notice.
    pub token: Option<String>,
    /// When it ends by itself.
    pub expires: Ts,
    /// The only types of events it tells of; empty = all.
    pub event_types: Vec<EventType>,
    /// What a Microsoft subscription says beside that.
    pub terms: Option<Terms>,
}

/// The terms of a Microsoft subscription (microsoft.md §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The resource as it was asked for.
    pub resource: String,
    /// The only sorts of changes it tells of.
    pub changes: BTreeSet<Change>,
    /// `changeType` as it was asked for.
    pub change_type: String,
    /// Where lifecycle notices go, if anywhere.
    pub lifecycle_address: Option<String>,
    /// Whether its notices carry immutable ids.
    pub immutable_ids: bool,
}

/// What happened to an event, as whoever watches the calendar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It came.
    Created,
    /// It, or one occurrence of it, is no longer as it was.
    Updated,
    /// It went.
    Deleted,
}

/// What befell a subscription itself (microsoft.md §8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifecycle {
    /// It ends soon, or its token does.
    ReauthorizationRequired,
    /// It is gone.
    SubscriptionRemoved,
    /// Notices were thrown away.
    Missed,
}

/// Why there is a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The channel was made.
    Opened,
    /// Something changed; of events, which.
    Changed(Option<EventId>),
    /// Something befell the channel itself.
    Lifecycle(Lifecycle),
}

/// Something to be told to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// To whom.
    pub channel: Arc<Channel>,
    /// 1 for the first; grows, with gaps.
    pub number: u64,
    /// Why.
    pub cause: Cause,
    /// What happened to which event; of a series, all that happens to one occurrence happens to it.
    pub touched: Option<(Change, Arc<Event>)>,
    /// When it arose.
    pub at: Ts,
}

/// Why a channel was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// The id was used before in the same project, even if that channel is stopped.
    IdTaken,
    /// More channels than the cloud bears.
    TooMany,
}

#[derive(Debug, Clone)]
struct Open {
    channel: Arc<Channel>,
    number: u64,
}

/// All channels, and the notices that wait to be taken.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    open: BTreeMap<Resource, Vec<Open>>,
    where_is: BTreeMap<(String, String), Resource>,
    used: BTreeSet<(String, String)>,
    outbox: BTreeMap<Provider, VecDeque<Notice>>,
    dropped: u64,
}

impl Watch {
    /// Channels that are open now, expired ones included until something happens on them.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.open.values().flatten().map(|open| &open.channel)
    }

    /// The open channel with this id.
    pub fn find(&self, project: &str, id: &str) -> Option<&Arc<Channel>> {
        let resource = self.where_is.get(&(project.to_owned(), id.to_owned()))?;
        self.open.get(resource)?.iter().map(|open| &open.channel).find(|c| c.project == project && c.id == id)
    }

    /// Notices of one provider that wait.
    pub fn waiting_for(&self, provider: Provider) -> usize {
        self.outbox.get(&provider).map_or(0, VecDeque::len)
    }

    /// Notices that wait.
    pub fn waiting(&self) -> usize {
        self.outbox.values().map(VecDeque::len).sum()
    }

    /// Notices thrown away because the outbox was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes up to `most` of one provider's notices, oldest first.
    pub fn take(&mut self, provider: Provider, most: usize) -> Vec<Notice> {
        let Some(queue) = self.outbox.get_mut(&provider) else { return Vec::new() };
        queue.drain(..most.min(queue.len())).collect()
    }

    pub(super) fn open(
        &mut self,
        channel: Channel,
        now: Ts,
        limits: WatchLimits,
    ) -> Result<Arc<Channel>, NotOpened> {
        let key = (channel.project.clone(), channel.id.clone());
        if self.used.contains(&key) {
            return Err(NotOpened::IdTaken);
        }
        if self.where_is.len() >= limits.channels || self.used.len() >= limits.channels.saturating_mul(10) {
            return Err(NotOpened::TooMany);
        }
        let channel = Arc::new(channel);
        self.used.insert(key.clone());
        self.where_is.insert(key, channel.resource.clone());
        let on_it = self.open.entry(channel.resource.clone()).or_default();
        on_it.push(Open { channel: Arc::clone(&channel), number: 1 });
        // Microsoft asks beforehand whether anybody is there, and says nothing afterwards (microsoft.md §8.1).
        if channel.provider == Provider::Google {
            let (cause, touched) = (Cause::Opened, None);
            let notice = Notice { channel: Arc::clone(&channel), number: 1, cause, touched, at: now };
            self.post(notice, limits.outbox);
        }
        Ok(channel)
    }

    /// Tells a channel something about itself.
    pub(super) fn tell_of(&mut self, channel: &Arc<Channel>, what: Lifecycle, now: Ts, limits: WatchLimits) {
        let cause = Cause::Lifecycle(what);
        let notice = Notice { channel: Arc::clone(channel), number: 0, cause, touched: None, at: now };
        self.post(notice, limits.outbox);
    }

    /// Changes an open channel, as Microsoft's can be: to end later, or to lead elsewhere.
    pub(super) fn amend(
        &mut self,
        project: &str,
        id: &str,
        edit: impl FnOnce(&mut Channel),
    ) -> Option<Arc<Channel>> {
        let resource = self.where_is.get(&(project.to_owned(), id.to_owned()))?;
        let open = self.open.get_mut(resource)?;
        let open = open.iter_mut().find(|o| o.channel.project == project && o.channel.id == id)?;
        let mut channel = (*open.channel).clone();
        edit(&mut channel);
        open.channel = Arc::new(channel);
        Some(Arc::clone(&open.channel))
    }

    pub(super) fn stop(&mut self, project: &str, id: &str) -> Option<Arc<Channel>> {
        let resource = self.where_is.remove(&(project.to_owned(), id.to_owned()))?;
        let on_it = self.open.get_mut(&resource)?;
        let at = on_it.iter().position(|o| o.channel.project == project && o.channel.id == id)?;
        let gone = on_it.remove(at);
        if on_it.is_empty() {
            self.open.remove(&resource);
        }
        Some(gone.channel)
    }

    pub(super) fn tell(&mut self, change: &News<'_>, rng: &mut Rng, limits: WatchLimits) {
        let Some(on_it) = self.open.get_mut(change.resource) else { return };
        let where_is = &mut self.where_is;
        on_it.retain(|open| {
            let alive = open.channel.expires > change.at;
            if !alive {
                where_is.remove(&(open.channel.project.clone(), open.channel.id.clone()));
            }
            alive
        });
        let mut notices = Vec::new();
        for open in on_it.iter_mut() {
            let types = &open.channel.event_types;
            if change.event_type.is_some_and(|t| !types.is_empty() && !types.contains(&t)) {
                continue;
            }
            let told = change.touched.as_ref().map(|(change, _)| *change);
            let terms = open.channel.terms.as_ref();
            if terms.is_some_and(|terms| told.is_some_and(|change| !terms.changes.contains(&change))) {
                continue;
            }
            // Numbers grow but are not consecutive (google.md §8): a gap must prove nothing.
            open.number += 1 + rng.below(3);
            let channel = Arc::clone(&open.channel);
            let cause = Cause::Changed(change.event.cloned());
            let touched = change.touched.clone();
            notices.push(Notice { channel, number: open.number, cause, touched, at: change.at });
        }
        for notice in notices {
            self.post(notice, limits.outbox);
        }
    }

    fn post(&mut self, notice: Notice, bound: usize) {
        let queue = self.outbox.entry(notice.channel.provider).or_default();
        if queue.len() >= bound {
            queue.pop_front();
            self.dropped += 1;
        }
        queue.push_back(notice);
    }
}

/// How much [`Watch`] may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct WatchLimits {
    pub(super) channels: usize,
    pub(super) outbox: usize,
}

/// Something that happened to a resource.
#[derive(Debug)]
pub(super) struct News<'a> {
    pub(super) resource: &'a Resource,
    pub(super) event: Option<&'a EventId>,
    pub(super) event_type: Option<EventType>,
    pub(super) touched: Option<(Change, Arc<Event>)>,
    pub(super) at: Ts,
}
