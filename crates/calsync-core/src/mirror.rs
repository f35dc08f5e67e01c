//! The mirror: our stored observation of one calendar, as its provider tells it. Events, and blocks of ours apart from
//! them. Any order or repetition of observations gives the same mirror; nothing is ever dropped for any reason but an
//! explicit tombstone or a complete listing that lacks it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::block::ObservedBlock;
use crate::event::{Event, Series, Status, TextPolicy};
use crate::ids::EventId;
use crate::ports::{RemoteEvent, RemoteItem};
use crate::recurrence::OriginalStart;
use crate::time::{Span, Ts, Window};

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
    /// a full listing tells which of them still stand. Likewise where a series is enumerated, and its tombstone came
    /// without one for each of its occurrences. Or one thing was told to be gone, and to stand: a tombstone does not say when.
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
    /// Ids under which our ledger has blocks in this calendar: the first proof that a block is ours. Only those that the
    /// listing's own [`strangers`](Mirror::strangers) have are asked for.
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
        let mut fold = Fold {
            mirror: self,
            exceptions: OnceCell::new(),
            series_gone: Vec::new(),
            dragged: Vec::new(),
            delta: MirrorDelta::default(),
        };
        for (id, seen) in &next.items {
            match seen {
                Some(remote) => fold.present(remote, context),
                None => fold.gone(id),
            }
        }
        for (master, (shown, covers)) in &next.enumerated {
            fold.not_enumerated(master, shown, covers);
        }
        if let Listed::Everything(window) = listed {
            fold.absent(&next.items, &window);
        }
        fold.finish(&next)
    }

    /// Of what a listing shows, that of which only the ledger can say whether it is a block of ours. Mostly that is nothing:
    /// then the ledger need not be looked at.
    pub fn strangers<'a>(&self, items: &'a [RemoteItem]) -> BTreeSet<&'a EventId> {
        let shown = items.iter().filter_map(|item| match item {
            RemoteItem::Present(remote) => Some(remote),
            RemoteItem::Gone { .. } | RemoteItem::Enumerated { .. } => None,
        });
        let strange =
            shown.filter(|remote| !remote.is_block() && !self.blocks.contains_key(&remote.event.id));
        strange.map(|remote| &remote.event.id).collect()
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

/// One listing on its way into the mirror.
struct Fold<'a> {
    mirror: &'a Mirror,
    /// Exceptions and enumerated occurrences by series; only some listings ask for them.
    exceptions: OnceCell<BTreeMap<&'a EventId, Vec<&'a EventId>>>,
    /// Series that we know occurrences of, and that are told to be none (any more).
    series_gone: Vec<EventId>,
    /// Exceptions of series that are gone.
    dragged: Vec<EventId>,
    delta: MirrorDelta,
}

impl<'a> Fold<'a> {
    fn present(&mut self, remote: &RemoteEvent, context: &FoldContext<'_>) {
        let id = &remote.event.id;
        if remote.is_block() || context.our_blocks.contains(id) || self.mirror.blocks.contains_key(id) {
            self.present_block(remote);
        } else {
            self.present_event(remote, context);
        }
    }

    fn present_block(&mut self, remote: &RemoteEvent) {
        let id = &remote.event.id;
        let known = self.mirror.blocks.get(id);
        if known.is_some_and(|known| older(remote.event.updated, known.updated)) {
            return;
        }
        // A cancelled block tells only its id: it is gone.
        match remote.as_block().filter(|_| remote.event.status != Status::Cancelled) {
            None => self.gone(id),
            Some(mut block) => {
                if let Some(known) = known.filter(|_| remote.event.is_unreadable()) {
                    // It stands, and where it stood; whether anybody was invited meanwhile nobody can say.
                    block = ObservedBlock { has_guests: true, ..known.clone() };
                }
                if known != Some(&block) {
                    self.delta.blocks.push(block);
                }
                if self.mirror.events.contains_key(id) {
                    self.delta.gone.push(id.clone());
                }
            }
        }
    }

    fn present_event(&mut self, remote: &RemoteEvent, context: &FoldContext<'_>) {
        let id = &remote.event.id;
        let known = self.mirror.events.get(id);
        // Before anything else: an old word must not remove what a newer one showed.
        if known.is_some_and(|known| older(remote.event.updated, known.updated)) {
            return;
        }
        // What can't be read does not say which occurrence it is: it stays the one that it was, lest the series show that one
        // at its old place again.
        let in_series =
            |known: &Event| matches!(known.series, Series::Instance { .. } | Series::Occurrence { .. });
        if remote.event.is_unreadable() && known.is_some_and(in_series) {
            return;
        }
        if remote.event.series == Series::Single {
            self.no_series(id);
        }
        let mut event = remote.event.clone();
        event.text = context.texts.strip(event.text);
        if event.status == Status::Cancelled && !matches!(event.series, Series::Instance { .. }) {
            return self.gone(id);
        }
        if is_over(&event, context.forget_before) {
            return self.gone(id);
        }
        match known {
            None => self.delta.created.push(event),
            Some(known) if *known == event => {}
            Some(known) => {
                let pattern_moved = known.series != event.series || known.when != event.when;
                self.delta.exceptions_in_doubt |= pattern_moved && !self.exceptions_of(id).is_empty();
                self.delta.updated.push(event);
            }
        }
    }

    fn exceptions_of(&self, series: &EventId) -> &[&'a EventId] {
        let mirror = self.mirror;
        let by_series = self.exceptions.get_or_init(|| {
            let mut by_series: BTreeMap<&EventId, Vec<&EventId>> = BTreeMap::new();
            for event in mirror.events.values() {
                if let Series::Instance { master, .. } | Series::Occurrence { master } = &event.series {
                    by_series.entry(master).or_default().push(&event.id);
                }
            }
            by_series
        });
        by_series.get(series).map_or(&[], Vec::as_slice)
    }

    fn gone(&mut self, id: &EventId) {
        if self.mirror.blocks.contains_key(id) {
            self.delta.blocks_gone.push(id.clone());
        }
        let mirror = self.mirror;
        if let Some(event) = mirror.events.get(id) {
            self.delta.gone.push(id.clone());
            // A series that is gone takes its exceptions with it: the provider sends no item for each (google.md §7).
            if matches!(event.series, Series::Master { .. }) {
                let exceptions: Vec<EventId> = self.exceptions_of(id).iter().map(|e| (*e).clone()).collect();
                self.dragged.extend(exceptions);
            }
        } else {
            self.no_series(id);
        }
    }

    /// What was an enumerated series is one no longer.
    fn no_series(&mut self, id: &EventId) {
        let mirror = self.mirror;
        let enumerated = |id: &&EventId| {
            mirror.events.get(*id).is_some_and(|e| matches!(e.series, Series::Occurrence { .. }))
        };
        if self.exceptions_of(id).iter().any(enumerated) {
            self.series_gone.push(id.clone());
        }
    }

    /// Of an enumerated series, what is not among its occurrences does not take place; nor does itself, which may have
    /// been a single event until now.
    fn not_enumerated(&mut self, master: &EventId, shown: &BTreeSet<EventId>, covers: &Window) {
        if self.mirror.events.contains_key(master) {
            self.delta.gone.push(master.clone());
        }
        if self.mirror.blocks.contains_key(master) {
            self.delta.blocks_gone.push(master.clone());
        }
        let utc = jiff::tz::TimeZone::UTC;
        let inside = |event: &Event| event.when.as_ref().is_none_or(|when| when.span().touches(covers, &utc));
        let known = self.exceptions_of(master).iter().filter(|id| !shown.contains(**id));
        let gone: Vec<EventId> = known
            .filter(|id| self.mirror.events.get(**id).is_some_and(inside))
            .map(|id| (*id).clone())
            .collect();
        self.delta.gone.extend(gone);
    }

    /// What a complete listing does not show is gone, as far as the listing reached.
    fn absent(&mut self, seen: &BTreeMap<EventId, Option<Box<RemoteEvent>>>, window: &Window) {
        let utc = jiff::tz::TimeZone::UTC;
        let covered = |event: &Event| match (&event.series, &event.when) {
            // A master's own time is that of its first occurrence, perhaps years before any window.
            (Series::Master { .. }, _) => true,
            (_, Some(when)) => when.span().touches(window, &utc),
            // A cancelled occurrence tells no time but the one it had.
            (Series::Instance { original, .. }, None) => place(original).touches(window, &utc),
            (Series::Single | Series::Occurrence { .. }, None) => true,
        };
        let absent = self.mirror.events.values().filter(|e| !seen.contains_key(&e.id) && covered(e));
        for event in absent {
            self.gone(&event.id);
        }
        let absent =
            self.mirror.blocks.values().filter(|b| !seen.contains_key(&b.id) && b.span.touches(window, &utc));
        self.delta.blocks_gone.extend(absent.map(|b| b.id.clone()));
    }

    /// Puts the answer in order. An exception that this very listing shows is not dragged away by its series: which of
    /// the two words is the later one only a full listing can tell.
    fn finish(mut self, latest: &Latest) -> MirrorDelta {
        let is_shown = |id: &EventId| matches!(latest.items.get(id), Some(Some(_)));
        for master in std::mem::take(&mut self.series_gone) {
            // Unless each of its occurrences is accounted for, nobody knows which of them still stand.
            let told = |id: &&EventId| latest.items.contains_key(*id) || self.delta.gone.contains(*id);
            let known = self.exceptions_of(&master);
            self.delta.exceptions_in_doubt |= !known.iter().all(told);
        }
        let (shown, dragged): (Vec<EventId>, Vec<EventId>) = self.dragged.into_iter().partition(is_shown);
        self.delta.exceptions_in_doubt |= !shown.is_empty() || latest.contradicts_itself;
        self.delta.gone.extend(dragged);
        for gone in [&mut self.delta.gone, &mut self.delta.blocks_gone] {
            gone.sort_unstable();
            gone.dedup();
        }
        self.delta
    }
}

/// Where an occurrence stood by its pattern.
fn place(original: &OriginalStart) -> Span {
    match *original {
        OriginalStart::At(start) => Span::Timed { start, end: start },
        OriginalStart::On(start) => Span::AllDay { start, end: start.tomorrow().unwrap_or(start) },
    }
}

/// The latest word on each id: one id may occur twice in a listing (google.md §4 rule 7).
#[derive(Default)]
struct Latest {
    items: BTreeMap<EventId, Option<Box<RemoteEvent>>>,
    /// Something was told to be gone, and to stand, in one listing.
    contradicts_itself: bool,
    /// Series that were enumerated: their occurrences, and the time looked at.
    enumerated: BTreeMap<EventId, (BTreeSet<EventId>, Window)>,
}

impl Latest {
    fn see(&mut self, item: &RemoteItem) {
        match item {
            RemoteItem::Gone { id } => {
                let before = self.items.insert(id.clone(), None);
                self.contradicts_itself |= matches!(before, Some(Some(_)));
            }
            RemoteItem::Enumerated { master, shown, covers } => {
                self.enumerated.insert(master.clone(), (shown.clone(), *covers));
            }
            RemoteItem::Present(remote) => {
                let known = self.items.get(&remote.event.id);
                self.contradicts_itself |= matches!(known, Some(None));
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

/// Whether an event can never matter again: it stands for itself alone, and is over. A day's margin covers every zone on earth.
pub fn is_over(event: &Event, before: Ts) -> bool {
    const MARGIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(26);
    let (Series::Single | Series::Occurrence { .. }) = event.series else { return false };
    let Some(when) = &event.when else { return false };
    when.span().instants(&jiff::tz::TimeZone::UTC).1.plus(MARGIN) < before
}

#[cfg(test)]
mod tests;
