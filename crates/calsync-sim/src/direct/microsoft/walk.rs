//! Rounds of deltas on their way to a listing (microsoft.md §7), as the adapter walks them: the last word on each id counts,
//! and each series that a round of changes touches is enumerated anew, because a cancelled occurrence shows nowhere else
//! (§10 row 4).
//!
//! What a round has seen waits in the account between its pages; the listing comes on the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::calendar::Cursor;
use calsync_core::ids::EventId;
use calsync_core::ports::{
    ChangePage, ErrorClass, ListFrom, ListRequest, NextPage, ProviderError, RemoteItem,
};
use calsync_core::time::Window;
use jiff::SignedDuration;

use super::MicrosoftDirect;
use super::convert::{Asked, remote};
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::event::{Event, Kind};
use crate::cloud::names::{CalendarId, EventId as RemoteId};
use crate::cloud::{Cloud, CloudError};
use crate::direct::{Call, PAGE, error, from_cloud};
use crate::faults::Fault;
use crate::microsoft::delta_token::Round;
use crate::microsoft::rows::{self, Item};

/// Fingerprint of what a cursor was taken with.
const PARAMS: &str = "direct-microsoft";
/// The service matches whole days in UTC: asked for, and not vouched for (§10 row 10).
const MARGIN: SignedDuration = SignedDuration::from_hours(24);
/// How much longer than the window a cursor reaches (§10 row 9).
const SLACK: SignedDuration = SignedDuration::from_hours(48);
/// Series asked about at once.
const SERIES_AT_ONCE: usize = 4;

/// A round that waits for its next page.
struct Waiting {
    calendar: CalendarId,
    covers: Window,
    seen: Seen,
    next: Next,
}

/// What a round has yet to do.
enum Next {
    /// A page of deltas.
    Page(Round),
    /// The series that it must ask about; then it reaches up to a change of this number.
    Series(Vec<RemoteId>, u64),
}

/// The rounds under way, by the name of their next page.
#[derive(Default)]
pub(super) struct Walks {
    state: Mutex<(u64, BTreeMap<u64, Waiting>)>,
}

impl Walks {
    fn put(&self, waiting: Waiting) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let name = state.0;
        state.1.insert(name, waiting);
        name.to_string()
    }

    fn take(&self, page: &str) -> Option<Waiting> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1.remove(&page.parse().ok()?)
    }
}

/// What a round has seen so far.
#[derive(Default)]
struct Seen {
    /// The latest word on each id; nothing: gone.
    items: BTreeMap<RemoteId, Option<Arc<Event>>>,
    /// Ids of which more than one thing was told, with the word before the last.
    before: BTreeMap<RemoteId, Option<Arc<Event>>>,
    /// Those that were told by a stub.
    stubs: BTreeSet<RemoteId>,
    /// Series of which anything was seen.
    touched: BTreeSet<RemoteId>,
    /// Series that were enumerated: their occurrences.
    enumerated: BTreeMap<RemoteId, BTreeSet<RemoteId>>,
}

impl Seen {
    fn see(&mut self, item: &Item) {
        match item {
            Item::Removed(id) => self.put(id, None),
            Item::Full(master) if master.kind == Kind::Series => {
                self.touched.insert(master.id.clone());
                // It may have been a single event a page ago.
                self.items.remove(&master.id);
                self.before.remove(&master.id);
            }
            Item::Full(event) => {
                self.touched.extend(event.series().cloned());
                self.stubs.remove(&event.id);
                self.put(&event.id, Some(event));
            }
            Item::Stub(event) => {
                self.touched.extend(event.series().cloned());
                self.stubs.insert(event.id.clone());
                self.put(&event.id, Some(event));
            }
        }
    }

    fn put(&mut self, id: &RemoteId, word: Option<&Arc<Event>>) {
        if let Some(last) = self.items.insert(id.clone(), word.cloned()) {
            self.before.insert(id.clone(), last);
        }
    }

    /// The answer: every occurrence of a series. Newer than any page.
    fn answer(&mut self, series: &RemoteId, occurrences: Vec<Arc<Event>>) {
        self.forget_occurrences(series, |_, _| true);
        self.enumerated.insert(series.clone(), occurrences.iter().map(|e| e.id.clone()).collect());
        self.items.extend(occurrences.into_iter().map(|event| (event.id.clone(), Some(event))));
    }

    /// The answer: there is no such series (any more). Its stubs went with it; what came whole stands by itself, as for
    /// somebody who was invited to one occurrence only.
    fn answer_no_series(&mut self, series: &RemoteId) {
        self.forget_occurrences(series, |stubs, id| stubs.contains(id));
        let of_series = |event: &Arc<Event>| event.series() == Some(series);
        let left = self.items.values().flatten().filter(|e| of_series(e)).map(|e| e.id.clone());
        self.enumerated.insert(series.clone(), left.collect());
    }

    fn forget_occurrences(
        &mut self,
        series: &RemoteId,
        which: impl Fn(&BTreeSet<RemoteId>, &RemoteId) -> bool,
    ) {
        let goes = |event: &Arc<Event>| event.series() == Some(series) && which(&self.stubs, &event.id);
        let gone: Vec<_> = self.items.values().flatten().filter(|e| goes(e)).map(|e| e.id.clone()).collect();
        for id in gone {
            self.items.remove(&id);
            self.before.remove(&id);
        }
    }

    fn open_questions(&self) -> Vec<RemoteId> {
        self.touched.iter().filter(|id| !self.enumerated.contains_key(*id)).cloned().collect()
    }
}

impl MicrosoftDirect {
    pub(super) fn page_of_changes(&self, request: &ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        let Waiting { calendar, covers, mut seen, next } = match request.page {
            None => self.begin(request)?,
            Some(page) => self
                .walks
                .take(page)
                .ok_or_else(|| error(ErrorClass::Transient, "this round is not under way (any more)"))?,
        };
        let next = match next {
            Next::Page(round) => self.one_page(&calendar, &mut seen, round)?,
            Next::Series(open, upto) => self.some_series(&calendar, &mut seen, open, upto, covers)?,
        };
        match next {
            Next::Series(open, upto) if open.is_empty() => {
                let cursor = Cursor { token: upto.to_string(), params: PARAMS.to_owned(), covers };
                Ok(page(self.listing(&calendar, seen, covers)?, NextPage::Done(Some(cursor))))
            }
            next => {
                let name = self.walks.put(Waiting { calendar, covers, seen, next });
                Ok(page(Vec::new(), NextPage::Page(name)))
            }
        }
    }

    fn begin(&self, request: &ListRequest<'_>) -> Result<Waiting, ProviderError> {
        let calendar = CalendarId::from(request.calendar);
        let of = request.calendar;
        let last = self.look_at(&calendar, |_, cal| Ok(cal.log().last()))?;
        let (covers, round) = match request.from {
            ListFrom::Start(window) => {
                let covers = Window { from: window.from, to: window.to.plus(SLACK) };
                (covers, Round::initial(of, widened(covers), last))
            }
            ListFrom::Cursor(cursor) => {
                let number = cursor.token.parse().ok().filter(|_| cursor.params == PARAMS);
                let since =
                    number.ok_or_else(|| error(ErrorClass::CursorExpired, "the delta link is another's"))?;
                (cursor.covers, Round::changes(of, widened(cursor.covers), since, last))
            }
        };
        Ok(Waiting { calendar, covers, seen: Seen::default(), next: Next::Page(round) })
    }

    /// One page of deltas. It may be empty though more follows.
    fn one_page(
        &self,
        calendar: &CalendarId,
        seen: &mut Seen,
        mut round: Round,
    ) -> Result<Next, ProviderError> {
        let (faults, vanished) = (&self.caller.skin.faults, self.caller.skin.vanished);
        let begun = round.since.is_some() || round.after.is_some();
        let found = self.caller.call(Call::Read, || {
            self.look_at(calendar, |cloud, cal| {
                if begun && rows::lost(cal, &round, faults).is_some() {
                    return Err(error(ErrorClass::CursorExpired, "the delta link is too old"));
                }
                rows::lag(&mut round, faults);
                rows::page(cloud, cal, &round, (vanished, PAGE), faults).map_err(|e| from_cloud(&e))
            })
        })?;
        for item in &found.items {
            seen.see(item);
        }
        Ok(match found.next {
            Some(key) => Next::Page(round.next(key)),
            // A full round shows every occurrence.
            None if round.since.is_none() => Next::Series(Vec::new(), round.upto),
            None => Next::Series(seen.open_questions(), round.upto),
        })
    }

    /// Asks about the next few series.
    fn some_series(
        &self,
        calendar: &CalendarId,
        seen: &mut Seen,
        mut open: Vec<RemoteId>,
        upto: u64,
        covers: Window,
    ) -> Result<Next, ProviderError> {
        let rest = open.split_off(open.len().min(SERIES_AT_ONCE));
        for series in open {
            let answer = self.caller.call(Call::Read, || {
                self.look_at(calendar, |cloud, cal| match cal.live_series(&series) {
                    None => Ok(None),
                    Some(_) if self.caller.skin.faults.strikes(Fault::SeriesEmpty) => Ok(Some(Vec::new())),
                    Some(master) => rows::taking_place(cloud, cal, master, &widened(covers))
                        .map(Some)
                        .map_err(|e| from_cloud(&e)),
                })
            })?;
            match answer {
                Some(occurrences) => seen.answer(&series, occurrences),
                None => seen.answer_no_series(&series),
            }
        }
        Ok(Next::Series(rest, upto))
    }

    /// The listing. By a fault an id comes twice, first with the word before the last.
    fn listing(
        &self,
        calendar: &CalendarId,
        seen: Seen,
        covers: Window,
    ) -> Result<Vec<RemoteItem>, ProviderError> {
        let faults = &self.caller.skin.faults;
        let named = |id: &RemoteId| EventId(id.to_string());
        let shown = self.look_at(calendar, |_, cal| {
            let item = |id: &RemoteId, word: &Option<Arc<Event>>| match word {
                None => RemoteItem::Gone { id: named(id) },
                Some(event) => {
                    let told = remote(event, cal, &self.caller.person, Asked::Nothing);
                    RemoteItem::Present(Box::new(told))
                }
            };
            let mut shown = Vec::with_capacity(seen.items.len());
            for (id, word) in &seen.items {
                let single = word.as_ref().is_none_or(|event| event.series().is_none());
                let before = seen.before.get(id).filter(|_| single && faults.strikes(Fault::DuplicateItem));
                shown.extend(before.map(|before| item(id, before)));
                shown.push(item(id, word));
            }
            Ok(shown)
        })?;
        let enumerated = seen.enumerated.iter().map(|(master, shown)| RemoteItem::Enumerated {
            master: named(master),
            shown: shown.iter().map(named).collect(),
            covers,
        });
        Ok(shown.into_iter().chain(enumerated).collect())
    }

    /// The calendar, if it may be read.
    fn look_at<T>(
        &self,
        calendar: &CalendarId,
        look: impl FnOnce(&Cloud, &Calendar) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        self.caller.skin.cloud.with(|cloud| {
            let found = cloud.calendar_for(calendar, &self.caller.person, AccessRole::Reader);
            let found = found.map_err(|cause| match cause {
                // What somebody may not see is not there for them (§9).
                CloudError::Forbidden => from_cloud(&CloudError::NoSuchCalendar),
                other => from_cloud(&other),
            })?;
            look(cloud, found)
        })
    }
}

/// Graph tells neither the calendar's zone nor what may be done with it.
fn page(items: Vec<RemoteItem>, next: NextPage) -> ChangePage {
    ChangePage { items, next, time_zone: None, access: None }
}

/// The range asked for, so that what lies in `covers` is surely shown.
fn widened(covers: Window) -> Window {
    Window { from: covers.from.minus(MARGIN), to: covers.to.plus(MARGIN) }
}
