//! The mirror: our stored observation of one calendar, as its provider tells it. Events, and blocks of ours apart from
//! them. Any order or repetition of observations gives the same mirror; nothing is ever dropped for any reason but an
//! explicit tombstone or a complete listing that lacks it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::block::{Identity, ObservedBlock, Origin};
use crate::event::{Event, Series, Status, TextPolicy};
use crate::ids::EventId;
use crate::ports::{RemoteEvent, RemoteItem};
use crate::time::{Ts, Window};

pub use expand::{Occurrence, Occurrences, Unreadable};

mod expand;

/// Our picture of one calendar.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Mirror {
    /// Real events, masters and exceptions, by id.
    pub events: BTreeMap<EventId, Event>,
    /// Blocks, by id: those our ledger names, and those that are marked as somebody's.
    pub blocks: BTreeMap<EventId, ObservedBlock>,
}

/// What a listing changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MirrorDelta {
    /// Events new to us.
    pub created: Vec<Event>,
    /// Events that changed.
    pub updated: Vec<Event>,
    /// Events gone.
    pub gone: Vec<EventId>,
    /// Blocks new or changed.
    pub blocks: Vec<ObservedBlock>,
    /// Blocks gone.
    pub blocks_gone: Vec<EventId>,
    /// A series with known exceptions was edited. Providers drop such exceptions without a word (google.md §7), so only
    /// a full listing tells which of them still stand.
    pub exceptions_in_doubt: bool,
}

impl MirrorDelta {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == MirrorDelta::default()
    }
}

/// What a listing was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    /// Only what changed: what it does not show is as it was.
    Changes,
    /// Everything that touches this window, all pages: what it does not show is gone.
    Everything(Window),
}

/// What folding a listing needs to know beside it.
pub struct FoldContext<'a> {
    /// Our own mark.
    pub identity: &'a Identity,
    /// Ids under which our ledger has blocks in this calendar: the first proof that a block is ours.
    pub our_blocks: &'a BTreeSet<EventId>,
    /// Which texts may be kept.
    pub texts: TextPolicy,
    /// Single events that ended before this are not kept: time only moves forward, and if they are moved into the
    /// window again the provider says so.
    pub forget_before: Ts,
}

impl Mirror {
    /// What `items` change. Pure: apply the answer with [`Mirror::apply`].
    pub fn fold(&self, items: &[RemoteItem], listed: Listed, context: &FoldContext<'_>) -> MirrorDelta {
        let mut next = Latest::default();
        for item in items {
            next.see(item);
        }
        let mut delta = MirrorDelta::default();
        for (id, seen) in &next.items {
            match seen {
                Some(remote) => self.fold_present(remote, context, &mut delta),
                None => self.fold_gone(id, &mut delta),
            }
        }
        if let Listed::Everything(window) = listed {
            self.fold_absent(&next.items, &window, &mut delta);
        }
        delta
    }

    fn fold_present(&self, remote: &RemoteEvent, context: &FoldContext<'_>, delta: &mut MirrorDelta) {
        let id = &remote.event.id;
        let origin = context.identity.origin(id, remote.marker.as_ref());
        if context.our_blocks.contains(id) || self.blocks.contains_key(id) || origin != Origin::Event {
            // A cancelled block tells only its id: it is gone.
            match remote.as_block().filter(|_| remote.event.status != Status::Cancelled) {
                None => self.fold_gone(id, delta),
                Some(block) => {
                    if self.blocks.get(id).is_none_or(|known| *known != block && !older(block.updated, known.updated)) {
                        delta.blocks.push(block);
                    }
                    if self.events.contains_key(id) {
                        delta.gone.push(id.clone());
                    }
                }
            }
            return;
        }
        let mut event = remote.event.clone();
        event.text = context.texts.strip(event.text);
        if event.status == Status::Cancelled && !matches!(event.series, Series::Instance { .. }) {
            return self.fold_gone(id, delta);
        }
        if is_over(&event, context.forget_before) {
            return self.fold_gone(id, delta);
        }
        match self.events.get(id) {
            None => delta.created.push(event),
            Some(known) if older(event.updated, known.updated) || *known == event => {}
            Some(known) => {
                let pattern_moved = known.series != event.series || known.when != event.when;
                delta.exceptions_in_doubt |= pattern_moved && self.has_exceptions(id);
                delta.updated.push(event);
            }
        }
    }

    fn has_exceptions(&self, series: &EventId) -> bool {
        self.exceptions_of(series).next().is_some()
    }

    fn exceptions_of<'a>(&'a self, series: &'a EventId) -> impl Iterator<Item = &'a Event> {
        self.events.values().filter(move |e| matches!(&e.series, Series::Instance { master, .. } if master == series))
    }

    fn fold_gone(&self, id: &EventId, delta: &mut MirrorDelta) {
        if self.blocks.contains_key(id) {
            delta.blocks_gone.push(id.clone());
        }
        if self.events.contains_key(id) {
            delta.gone.push(id.clone());
        }
        // A series that is gone takes its exceptions with it: the provider sends no item for each (google.md §7).
        if matches!(self.events.get(id), Some(Event { series: Series::Master { .. }, .. })) {
            delta.gone.extend(self.exceptions_of(id).map(|e| e.id.clone()));
        }
    }

    /// What a complete listing does not show is gone, as far as the listing reached.
    fn fold_absent(&self, seen: &BTreeMap<EventId, Option<Box<RemoteEvent>>>, window: &Window, delta: &mut MirrorDelta) {
        let covered = |event: &Event| match (&event.series, &event.when) {
            // A master's own time is that of its first occurrence, perhaps years before any window.
            (Series::Master { .. }, _) | (_, None) => true,
            (_, Some(when)) => when.span().touches(window, &jiff::tz::TimeZone::UTC),
        };
        let absent = self.events.values().filter(|e| !seen.contains_key(&e.id) && covered(e)).map(|e| e.id.clone());
        delta.gone.extend(absent);
        let utc = jiff::tz::TimeZone::UTC;
        let absent = self.blocks.values().filter(|b| !seen.contains_key(&b.id) && b.span.touches(window, &utc));
        delta.blocks_gone.extend(absent.map(|b| b.id.clone()));
        delta.gone.sort_unstable();
        delta.gone.dedup();
    }

    /// Takes a delta over.
    pub fn apply(&mut self, delta: &MirrorDelta) {
        for id in &delta.gone {
            self.events.remove(id);
        }
        for id in &delta.blocks_gone {
            self.blocks.remove(id);
        }
        for event in delta.created.iter().chain(&delta.updated) {
            self.events.insert(event.id.clone(), event.clone());
        }
        for block in &delta.blocks {
            self.blocks.insert(block.id.clone(), block.clone());
        }
    }
}

/// The latest word on each id: one id may occur twice in a listing (google.md §4 rule 7).
#[derive(Default)]
struct Latest {
    items: BTreeMap<EventId, Option<Box<RemoteEvent>>>,
}

impl Latest {
    fn see(&mut self, item: &RemoteItem) {
        match item {
            RemoteItem::Gone { id } => {
                self.items.insert(id.clone(), None);
            }
            RemoteItem::Present(remote) => {
                let known = self.items.get(&remote.event.id);
                let outdated = known.is_some_and(|k| {
                    k.as_ref().is_some_and(|k| older(remote.event.updated, k.event.updated))
                });
                if !outdated {
                    self.items.insert(remote.event.id.clone(), Some(remote.clone()));
                }
            }
        }
    }
}

/// Whether `a` is certainly an older word than `b`.
fn older(a: Option<Ts>, b: Option<Ts>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a < b)
}

/// Whether an event can never matter again: single, and over. A day's margin covers every zone on earth.
fn is_over(event: &Event, before: Ts) -> bool {
    const MARGIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(26);
    let Series::Single = event.series else { return false };
    let Some(when) = &event.when else { return false };
    when.span().instants(&jiff::tz::TimeZone::UTC).1.plus(MARGIN) < before
}
