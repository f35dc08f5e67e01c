//! Deliveries that tell nothing new. Every write of ours comes back as a delivery; where that names the event and what became
//! of it, our picture of the calendar may hold it already, and reading the calendar would show nothing else. Pure: it
//! compares, and believes nothing that a store or a listing has not said. In doubt the calendar is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Series;
use crate::ids::EventId;
use crate::mirror::Mirror;
use crate::ports::RemoteItem;

/// Where a stored delivery keeps what it told.
const KEY: &str = "told";

/// What a delivery tells of one event, where it tells more than that something changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It has come to this version, which moves with every change to it.
    Stands {
        /// Which.
        event: EventId,
        /// To which version.
        version: String,
    },
    /// It is gone, and its id is never used again.
    Gone {
        /// Which.
        event: EventId,
    },
}

impl Told {
    /// What deliveries told last of each event, the earliest delivery first.
    pub fn last(all: impl IntoIterator<Item = Told>) -> Vec<Told> {
        let named = |told: &Told| match told {
            Told::Stands { event, .. } | Told::Gone { event } => event.clone(),
        };
        let last: BTreeMap<EventId, Told> = all.into_iter().map(|told| (named(&told), told)).collect();
        last.into_values().collect()
    }

    /// Puts it among what is kept of a delivery.
    pub fn keep(&self, payload: &mut Map<String, Value>) {
        payload.insert(KEY.to_owned(), serde_json::json!(self));
    }

    /// What a stored delivery told, if it did.
    pub fn read(payload: &Value) -> Option<Told> {
        Told::deserialize(payload.get(KEY)?).ok()
    }

    /// Whether a listing that showed these items has come as far as this, or our picture had before. One that lags behind the push
    /// shows other things, or nothing (microsoft.md §7).
    pub fn is_reached(&self, shown: &[RemoteItem], known: &Mirror) -> bool {
        let is_version = |found: Option<&String>, version: &String| found == Some(version);
        match self {
            Told::Stands { event, version } => {
                let block = known.blocks.get(event).and_then(|block| block.version.as_ref());
                let single = known.events.get(event).and_then(|event| event.version.as_ref());
                let says = |item: &RemoteItem| match item {
                    // In this version; or in one that is new to us, for it may have moved on, and a push may name a version in other
                    // words (microsoft.md §4.2). Shown as it was known, it is shown as it was before the push.
                    RemoteItem::Present(remote) if remote.event.id == *event => {
                        let shown = remote.event.version.as_ref();
                        is_version(shown, version) || shown != block.or(single)
                    }
                    RemoteItem::Present(remote) => remote.event.series_id() == event,
                    // It went, or is told by its occurrences, which have versions of their own.
                    RemoteItem::Gone { id } => id == event,
                    RemoteItem::Enumerated { master, .. } => master == event,
                };
                is_version(block, version) || is_version(single, version) || shown.iter().any(says)
            }
            Told::Gone { event } => {
                let says = |item: &RemoteItem| matches!(item, RemoteItem::Gone { id } if id == event);
                self.is_known(known) || shown.iter().any(says)
            }
        }
    }

    /// Whether a listing that shows just this would change nothing in our picture. Of events it is never said: a change to one
    /// occurrence may be told of the whole series (microsoft.md §8.2).
    pub fn is_known(&self, mirror: &Mirror) -> bool {
        match self {
            Told::Stands { event, version } => {
                mirror.blocks.get(event).is_some_and(|block| block.version.as_ref() == Some(version))
            }
            Told::Gone { event } => {
                let of_series = |series: &Series| match series {
                    Series::Instance { master, .. } | Series::Occurrence { master } => master == event,
                    Series::Single | Series::Master { .. } => false,
                };
                !mirror.blocks.contains_key(event)
                    && !mirror.events.contains_key(event)
                    && !mirror.events.values().any(|e| of_series(&e.series))
            }
        }
    }
}

/// What asks for a reading of a calendar whose channel tells what changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// How often it was made dirty since it was last served. Each delivery does so once, and so does whoever else asks.
    pub raised: i64,
    /// The deliveries that the run serves.
    pub told: &'a [Option<Told>],
    /// Failures behind it, of the calendar in a row or of one of the deliveries.
    pub failures: u32,
}

impl Asked<'_> {
    /// Whether nothing but deliveries asks, for the first time, and each names what it tells of. Only then our picture can
    /// answer: what a person or a failure asked for, and what was told without a name, needs a reading.
    pub fn names_all(&self) -> bool {
        let counted = i64::try_from(self.told.len()).is_ok_and(|told| told > 0 && told == self.raised);
        counted && self.failures == 0 && self.told.iter().all(Option::is_some)
    }

    /// Whether all that is told is known.
    pub fn is_known(&self, mirror: &Mirror) -> bool {
        self.names_all() && self.told.iter().flatten().all(|told| told.is_known(mirror))
    }
}

#[cfg(test)]
mod tests;
