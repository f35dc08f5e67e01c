//! One round of delta pages on its way to a listing (microsoft.md §7): the latest word on each id, the series that were
//! touched, and what must still be asked before the round means anything. Pure; asks nobody itself.
//!
//! A full round shows every occurrence, so that it only needs the masters of its stubs. A round of changes does not show a
//! cancelled occurrence anywhere, so that each series it touches is enumerated anew (§10 row 4).

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::ids::EventId;
use calsync_core::ports::{ErrorClass, ProviderError, RemoteItem};
use calsync_core::time::Window;

use super::normalize;
use super::resource::{EventResource, Page};
use crate::items::{self, Malformed};

/// Most items of one round. Beyond it we would rather say so than run out of memory.
const ITEMS_MAX: usize = 50_000;

/// What sort of round it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Round {
    /// Everything in the window.
    Full,
    /// What changed.
    Changes,
}

/// The latest word on one id.
enum Seen {
    Gone,
    Item(Box<EventResource>),
    /// It can't be read.
    Bad(&'static str),
}

/// One round.
pub(super) struct Walk {
    round: Round,
    items: BTreeMap<String, Seen>,
    masters: BTreeMap<String, Option<EventResource>>,
    /// Series of which anything was seen.
    touched: BTreeSet<String>,
    /// Series that were enumerated: their occurrences.
    enumerated: BTreeMap<String, BTreeSet<EventId>>,
}

impl Walk {
    pub(super) fn new(round: Round) -> Walk {
        Walk {
            round,
            items: BTreeMap::new(),
            masters: BTreeMap::new(),
            touched: BTreeSet::new(),
            enumerated: BTreeMap::new(),
        }
    }

    /// Takes a page in. The same id may come again, also as a tombstone: the last word counts.
    pub(super) fn see(&mut self, page: &Page<'_>) -> Result<(), ProviderError> {
        for raw in page.value.iter().flatten() {
            self.see_one(raw.get())?;
        }
        if self.items.len() > ITEMS_MAX {
            let detail = format!("calendarView.delta: more than {ITEMS_MAX} items in one window");
            return Err(ProviderError::new(ErrorClass::Invalid, detail));
        }
        Ok(())
    }

    fn see_one(&mut self, json: &str) -> Result<(), ProviderError> {
        let item = match normalize::read(json) {
            Ok(item) => item,
            Err(Malformed { id: None, why }) => {
                // It must not count towards a complete listing.
                let detail = format!("calendarView.delta: an item can't even be named ({why})");
                return Err(ProviderError::new(ErrorClass::Invalid, detail));
            }
            Err(Malformed { id: Some(id), why }) => {
                self.see_bad(id, why, json);
                return Ok(());
            }
        };
        if item.removed.is_some() {
            self.masters.remove(&item.id);
            self.items.insert(item.id, Seen::Gone);
            return Ok(());
        }
        if normalize::is_master(item.kind.as_deref()) {
            self.touched.insert(item.id.clone());
            // It may have been a single event a page ago.
            self.items.remove(&item.id);
            self.masters.insert(item.id.clone(), Some(item));
            return Ok(());
        }
        self.touched.extend(item.series_master_id.clone());
        self.items.insert(item.id.clone(), Seen::Item(Box::new(item)));
        Ok(())
    }

    fn see_bad(&mut self, id: EventId, why: &'static str, json: &str) {
        tracing::warn!(why, "an event can't be read: its blocks stay as they are");
        let named = normalize::named(json);
        if named.as_ref().is_some_and(|n| normalize::is_master(n.kind.as_deref())) {
            self.touched.insert(id.0.clone());
            self.masters.insert(id.0, None);
            return;
        }
        self.touched.extend(named.and_then(|n| n.series_master_id));
        self.items.insert(id.0, Seen::Bad(why));
    }

    /// The series that must be asked for before the round is complete: masters in a full round, all occurrences in one of
    /// changes.
    pub(super) fn open_questions(&self) -> Vec<String> {
        match self.round {
            Round::Full => {
                let of_stubs = self.items.values().filter_map(|seen| match seen {
                    Seen::Item(item) if is_stub(item) => item.series_master_id.clone(),
                    Seen::Item(_) | Seen::Gone | Seen::Bad(_) => None,
                });
                let unknown: BTreeSet<String> =
                    of_stubs.filter(|id| !self.masters.contains_key(id)).collect();
                unknown.into_iter().collect()
            }
            Round::Changes => {
                self.touched.iter().filter(|id| !self.enumerated.contains_key(*id)).cloned().collect()
            }
        }
    }

    /// What sort of round it is.
    pub(super) fn round(&self) -> Round {
        self.round
    }

    /// The answer to a question of a full round: the master.
    pub(super) fn answer_master(&mut self, id: &str, json: &str) {
        self.masters.insert(id.to_owned(), normalize::read(json).ok());
    }

    /// The answer to any question: there is no such series (any more). Its stubs went with it, and the round was too early to
    /// say so; what came whole stands by itself, as for somebody who was invited to one occurrence only.
    pub(super) fn answer_no_series(&mut self, id: &str) {
        self.drop_occurrences(id, is_stub);
        let of_series = |item: &EventResource| item.series_master_id.as_deref() == Some(id);
        let left = self.items.iter().filter_map(|(own, seen)| match seen {
            Seen::Item(item) if of_series(item) => Some(EventId(own.clone())),
            Seen::Item(_) | Seen::Gone | Seen::Bad(_) => None,
        });
        let left = left.collect();
        if self.round == Round::Changes {
            self.enumerated.insert(id.to_owned(), left);
        }
    }

    /// The answer to a question of a round of changes: every occurrence of the series, whole. Newer than any page. One that
    /// names another series answers another question: taken for this one, it would call off all that it does not show.
    pub(super) fn answer_occurrences(&mut self, id: &str, pages: &[Page<'_>]) -> Result<(), ProviderError> {
        self.drop_occurrences(id, |_| true);
        let mut shown = BTreeSet::new();
        for raw in pages.iter().flat_map(|page| page.value.iter().flatten()) {
            match normalize::read(raw.get()) {
                Ok(item) if item.series_master_id.as_deref().is_some_and(|other| other != id) => {
                    let detail = "events.instances: the answer shows another series than the one asked for";
                    return Err(ProviderError::new(ErrorClass::Transient, detail));
                }
                Ok(item) => {
                    shown.insert(EventId(item.id.clone()));
                    self.items.insert(item.id.clone(), Seen::Item(Box::new(item)));
                }
                Err(Malformed { id: Some(occurrence), why }) => {
                    shown.insert(occurrence.clone());
                    self.items.insert(occurrence.0, Seen::Bad(why));
                }
                Err(Malformed { id: None, why }) => {
                    let detail = format!("events.instances: an item can't even be named ({why})");
                    return Err(ProviderError::new(ErrorClass::Invalid, detail));
                }
            }
        }
        self.enumerated.insert(id.to_owned(), shown);
        Ok(())
    }

    fn drop_occurrences(&mut self, master: &str, which: impl Fn(&EventResource) -> bool) {
        self.items.retain(|_, seen| match seen {
            Seen::Item(item) => item.series_master_id.as_deref() != Some(master) || !which(item),
            Seen::Gone | Seen::Bad(_) => true,
        });
    }

    /// The listing. `covers`: the time that the round speaks of.
    pub(super) fn finish(self, covers: Window) -> Vec<RemoteItem> {
        let mut listed = Vec::with_capacity(self.items.len() + self.enumerated.len());
        for (id, seen) in self.items {
            listed.push(match seen {
                Seen::Gone => RemoteItem::Gone { id: EventId(id) },
                Seen::Bad(why) => items::stand_in(EventId(id), why),
                Seen::Item(item) => present(id, *item, &self.masters),
            });
        }
        let enumerated = self.enumerated.into_iter();
        listed.extend(enumerated.map(|(master, shown)| RemoteItem::Enumerated {
            master: EventId(master),
            shown,
            covers,
        }));
        listed
    }
}

/// Whether it says when, and no more (microsoft.md §7, "Content observed").
fn is_stub(item: &EventResource) -> bool {
    item.show_as.is_none()
}

fn present(id: String, item: EventResource, masters: &BTreeMap<String, Option<EventResource>>) -> RemoteItem {
    let master = item.series_master_id.as_ref().and_then(|id| masters.get(id));
    // A stub of a series whose master can't be read says when, but not whether it takes anybody's time.
    if matches!(master, Some(None)) && is_stub(&item) {
        return items::stand_in(EventId(id), "its series can't be read");
    }
    match normalize::event(item, master.and_then(Option::as_ref)) {
        Ok(event) => RemoteItem::Present(Box::new(event)),
        Err(bad) => {
            tracing::warn!(why = bad.why, "an event can't be read: its blocks stay as they are");
            items::stand_in(EventId(id), bad.why)
        }
    }
}

#[cfg(test)]
mod tests;
