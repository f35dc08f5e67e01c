//! A provider in miniature: one calendar with ids that stay taken, versions that guard writes, and a log of changes. It
//! panics when anything is written that calendar-sync did not make, or that has guests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::dice::Dice;
use super::model::Spec;
use crate::block::{BlockBusy, BlockContent, Marker};
use crate::event::{Event, EventText, Series, ShowAs, Status, When};
use crate::ids::EventId;
use crate::ports::{ErrorClass, RemoteEvent, RemoteItem, Standing};
use crate::time::{Span, Ts, Window};

/// One calendar at the provider.
#[derive(Clone, Default)]
pub(crate) struct Cloud {
    pub(crate) items: BTreeMap<EventId, RemoteEvent>,
    /// Earlier words on items, for providers that repeat themselves.
    pub(crate) before: BTreeMap<EventId, RemoteEvent>,
    pub(crate) deleted: BTreeSet<EventId>,
    /// What calendar-sync made.
    pub(crate) made: BTreeSet<EventId>,
    /// Ids touched, in order.
    pub(crate) log: Vec<EventId>,
    pub(crate) clock: i64,
    pub(crate) writes: usize,
    /// It stores titles in its own way.
    pub(crate) normalises: bool,
    /// It chooses the ids of new events.
    pub(crate) chooses_ids: bool,
    /// It does not know any more under which key something was made.
    pub(crate) forgets_keys: bool,
}

impl Cloud {
    pub(crate) fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    fn touch(&mut self, id: &EventId) {
        self.log.push(id.clone());
    }

    /// Puts an item there as a person or another program would.
    pub(crate) fn place(&mut self, mut remote: RemoteEvent) {
        let clock = self.tick();
        remote.event.updated = Some(Ts::from_secs(clock));
        remote.event.version = Some(format!("v{clock}"));
        let id = remote.event.id.clone();
        self.deleted.remove(&id);
        if let Some(old) = self.items.insert(id.clone(), remote) {
            self.before.insert(id.clone(), old);
        }
        self.touch(&id);
    }

    pub(crate) fn remove(&mut self, id: &EventId) {
        if self.items.remove(id).is_some() {
            self.deleted.insert(id.clone());
            self.touch(id);
        }
    }

    /// Puts an entry there as it is now. Changed occurrences that it no longer has go without a word if it changed
    /// itself, else each is told.
    pub(crate) fn put_spec(&mut self, spec: &Spec) {
        let told = spec.remote();
        let news: Vec<RemoteEvent> = told.iter().filter(|remote| !self.stands(remote)).cloned().collect();
        let itself = news.iter().any(|r| r.event.id.as_str() == spec.id);
        let former = self.items.iter().filter(|(_, item)| is_of(item, &spec.id)).map(|(id, _)| id.clone());
        for id in former.filter(|id| told.iter().all(|r| r.event.id != *id)).collect::<Vec<_>>() {
            if itself { drop(self.items.remove(&id)) } else { self.remove(&id) }
        }
        news.into_iter().for_each(|remote| self.place(remote));
    }

    fn stands(&self, remote: &RemoteEvent) -> bool {
        self.items.get(&remote.event.id).is_some_and(|old| {
            let (version, updated) = (old.event.version.clone(), old.event.updated);
            *old == RemoteEvent {
                event: Event { version, updated, ..remote.event.clone() },
                ..remote.clone()
            }
        })
    }

    pub(crate) fn remove_spec(&mut self, id: &str) {
        self.items.retain(|_, item| !is_of(item, id));
        self.remove(&EventId(id.to_owned()));
    }

    /// A complete listing.
    pub(crate) fn list(&self, window: Option<&Window>, zone: &TimeZone) -> Vec<RemoteItem> {
        let shown = |item: &&RemoteEvent| match (&item.event.series, &item.event.when, window) {
            (Series::Master { .. } | Series::Instance { .. }, _, _) | (_, None, _) | (_, _, None) => true,
            (_, Some(when), Some(window)) => when.span().touches(window, zone),
        };
        self.items.values().filter(shown).cloned().map(Box::new).map(RemoteItem::Present).collect()
    }

    /// What changed since a place in the log: in any order, some of it twice, some of it with an older word beside it.
    pub(crate) fn changes(&self, since: usize, dice: &mut Dice) -> Vec<RemoteItem> {
        let mut items = Vec::new();
        for id in self.log[since..].iter().collect::<BTreeSet<_>>() {
            match self.items.get(id) {
                None => items.push(RemoteItem::Gone { id: id.clone() }),
                Some(now) => {
                    items.push(RemoteItem::Present(Box::new(now.clone())));
                    if dice.chance(20) {
                        items.push(RemoteItem::Present(Box::new(self.before.get(id).unwrap_or(now).clone())));
                    }
                }
            }
        }
        dice.shuffle(&mut items);
        items
    }

    pub(crate) fn get(&self, id: &EventId) -> Standing {
        match self.items.get(id) {
            Some(item) => Standing::Present(Box::new(item.clone())),
            None if self.deleted.contains(id) => Standing::Deleted,
            None => Standing::Nothing,
        }
    }

    fn store(&mut self, id: EventId, content: &BlockContent, marker: &Marker) -> RemoteEvent {
        let mut content = content.clone();
        if self.normalises && !content.title.ends_with('.') {
            content.title.push('.');
        }
        self.place(as_remote(id.clone(), &content, marker.clone()));
        self.writes += 1;
        self.items[&id].clone()
    }

    pub(crate) fn create(
        &mut self,
        id: Option<&EventId>,
        content: &BlockContent,
        marker: &Marker,
    ) -> Result<RemoteEvent, ErrorClass> {
        let id = match id {
            Some(id) => id.clone(),
            None => EventId(format!("chosen{}", self.clock + 1)),
        };
        if self.items.contains_key(&id) || self.deleted.contains(&id) {
            return Err(ErrorClass::Exists);
        }
        self.made.insert(id.clone());
        Ok(self.store(id, content, marker))
    }

    /// Refuses what was not made by us with a panic, what is gone or of another version with an error.
    fn guard(&self, id: &EventId, version: Option<&String>) -> Result<(), ErrorClass> {
        assert!(self.made.contains(id), "{id} is not ours");
        match self.items.get(id) {
            None => Err(ErrorClass::Gone),
            Some(item) if version.is_some_and(|v| item.event.version.as_ref() != Some(v)) => {
                Err(ErrorClass::Conflict)
            }
            Some(item) => {
                assert!(!item.has_guests, "the guests of {id} are told");
                Ok(())
            }
        }
    }

    pub(crate) fn update(
        &mut self,
        id: &EventId,
        version: Option<&String>,
        content: &BlockContent,
        marker: &Marker,
    ) -> Result<RemoteEvent, ErrorClass> {
        self.guard(id, version)?;
        Ok(self.store(id.clone(), content, marker))
    }

    pub(crate) fn delete(&mut self, id: &EventId, version: Option<&String>) -> Result<(), ErrorClass> {
        if !self.items.contains_key(id) {
            return Ok(());
        }
        self.guard(id, version)?;
        self.remove(id);
        self.writes += 1;
        Ok(())
    }

    /// What stands there that is not ours, to be compared byte by byte.
    pub(crate) fn others(&self) -> String {
        let others = self.items.iter().filter(|(id, _)| !self.made.contains(*id));
        format!("{:#?}", others.collect::<Vec<_>>())
    }

    /// The blocks that calendar-sync made.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &RemoteEvent> {
        self.items.iter().filter(|(id, _)| self.made.contains(*id)).map(|(_, item)| item)
    }
}

fn is_of(item: &RemoteEvent, series: &str) -> bool {
    matches!(&item.event.series, Series::Instance { master, .. } if master.as_str() == series)
}

/// A block as an event of the provider.
pub(crate) fn as_remote(id: EventId, content: &BlockContent, marker: Marker) -> RemoteEvent {
    let when = match content.span {
        Span::Timed { start, end } => When::Timed { start, end, zone: None },
        Span::AllDay { start, end } => When::AllDay { start, end },
    };
    RemoteEvent {
        event: Event {
            id,
            version: None,
            updated: None,
            ical_uid: None,
            when: Some(when),
            series: Series::Single,
            status: Status::Confirmed,
            show_as: if content.busy == BlockBusy::Tentative { ShowAs::Tentative } else { ShowAs::Busy },
            response: None,
            kind: crate::event::EventKind::Default,
            text: Some(EventText {
                title: Some(content.title.clone()),
                description: content.description.clone(),
                location: content.location.clone(),
            }),
        },
        marker: Some(marker),
        visibility: content.visibility,
        colour: content.colour.clone(),
        has_guests: false,
    }
}
