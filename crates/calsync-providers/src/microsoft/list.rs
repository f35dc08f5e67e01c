//! Listing a calendar's events by `calendarView/delta` (microsoft.md §7), one exchange (or a few at once) per page of the port.
//! Follows links only to Graph as configured, takes no answer for complete that does not prove it, and never changes a link.
//!
//! What a round has seen so far waits in the account between its pages. A round that is not gone on with is forgotten: the
//! next reading begins anew, and nothing is lost but time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use calsync_core::calendar::Cursor;
use calsync_core::ports::{ChangePage, ErrorClass, ListFrom, ListRequest, NextPage, ProviderError};
use calsync_core::time::{Ts, Window};
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use url::Url;

use super::MicrosoftAccount;
use super::error::Operation;
use super::resource::Page;
use super::walk::{Round, Walk};
use crate::items;
use crate::transport::Call;
use crate::wire::Reply;

/// Fingerprint of what a delta link was taken with. Raise the number when ids or times are asked for in another form.
const PARAMS: &str = "m1 IdType=ImmutableId timezone=UTC";
/// The service matches whole days in UTC, wherever the person is: asked for, and not vouched for (§10 row 10).
const MARGIN: SignedDuration = SignedDuration::from_hours(24);
/// How much longer than the window a cursor reaches: the window slides every day, and a delta link never does (§10 row 9).
const SLACK: SignedDuration = SignedDuration::from_hours(48);
/// Longest range that Graph lists (§4.1).
const RANGE_MAX: SignedDuration = SignedDuration::from_hours(24 * 1_825);
/// Occurrences asked for per page of one series.
const INSTANCES_PAGE: &str = "100";
/// Most pages of one series in one window.
const INSTANCES_PAGES_MAX: usize = 50;
/// Series asked about at once: what a mailbox takes (§9).
const SERIES_AT_ONCE: usize = 4;
/// Rounds that may be under way in one account; beyond it the one begun first is forgotten.
const WALKS_MAX: usize = 64;

/// A round that waits for its next page.
struct Waiting {
    calendar: String,
    walk: Walk,
    covers: Window,
    next: Next,
}

/// What a round has yet to do.
enum Next {
    /// A page of deltas.
    Page(Operation, Url),
    /// The series that it must ask about.
    Series(Vec<String>, String),
}

/// The rounds under way, by the name of their next page.
#[derive(Default)]
pub(super) struct Walks {
    state: Mutex<(u64, BTreeMap<u64, Waiting>)>,
}

impl Walks {
    fn put(&self, waiting: Waiting) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1.len() >= WALKS_MAX {
            state.1.pop_first();
        }
        state.0 += 1;
        let name = state.0;
        state.1.insert(name, waiting);
        name.to_string()
    }

    fn take(&self, page: &str, calendar: &str) -> Option<Waiting> {
        let name = page.parse().ok()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1.remove(&name).filter(|waiting| waiting.calendar == calendar)
    }
}

impl MicrosoftAccount {
    pub(super) async fn page_of_changes(
        &self,
        request: ListRequest<'_>,
    ) -> Result<ChangePage, ProviderError> {
        let waiting = match request.page {
            None => self.begin(request)?,
            Some(page) => self.walks.take(page, request.calendar).ok_or_else(|| {
                let detail = "calendarView.delta: this round is not under way (any more)";
                ProviderError::new(ErrorClass::Transient, detail)
            })?,
        };
        let Waiting { calendar, mut walk, covers, next } = waiting;
        let next = match next {
            Next::Page(operation, url) => self.one_page(&mut walk, operation, url).await?,
            Next::Series(open, link) => self.some_series(&mut walk, open, link, covers).await?,
        };
        Ok(match next {
            Next::Series(open, link) if open.is_empty() => {
                let cursor = Cursor { token: link, params: PARAMS.to_owned(), covers };
                self.done(walk.finish(covers), NextPage::Done(Some(cursor)))
            }
            next => {
                let page = self.walks.put(Waiting { calendar, walk, covers, next });
                self.done(Vec::new(), NextPage::Page(page))
            }
        })
    }

    fn done(&self, items: Vec<calsync_core::ports::RemoteItem>, next: NextPage) -> ChangePage {
        ChangePage { items, next, time_zone: None, access: None }
    }

    fn begin(&self, request: ListRequest<'_>) -> Result<Waiting, ProviderError> {
        let calendar = request.calendar.to_owned();
        match request.from {
            ListFrom::Start(window) => {
                let covers = Window { from: window.from, to: window.to.plus(SLACK) };
                let asked = widened(covers);
                if asked.to.since(asked.from) > RANGE_MAX {
                    let detail = "Microsoft lists at most 1825 days: shorten the window";
                    return Err(ProviderError::new(ErrorClass::Invalid, detail));
                }
                let mut url = self.graph(&["me", "calendars", request.calendar, "calendarView", "delta"])?;
                url.set_query(Some(&range(asked)));
                let next = Next::Page(Operation::DeltaStart, url);
                Ok(Waiting { calendar, walk: Walk::new(Round::Full), covers, next })
            }
            ListFrom::Cursor(cursor) => {
                let expired = |why: &str| ProviderError::new(ErrorClass::CursorExpired, why);
                if cursor.params != PARAMS {
                    return Err(expired("the delta link was taken with other parameters"));
                }
                let link = self.own_link(&cursor.token);
                let link =
                    link.map_err(|_| expired("the delta link leads elsewhere than Graph as configured"))?;
                let next = Next::Page(Operation::DeltaLink, link);
                Ok(Waiting { calendar, walk: Walk::new(Round::Changes), covers: cursor.covers, next })
            }
        }
    }

    /// One page of deltas. It may be empty though more follows: only a delta link ends a round.
    async fn one_page(&self, walk: &mut Walk, operation: Operation, url: Url) -> Result<Next, ProviderError> {
        let reply = self.transport.run(&Call::get(operation, url.clone())).await?;
        let page = parse(&reply, operation)?;
        walk.see(&page)?;
        let told = |link: &Option<String>| link.clone().filter(|link| !link.is_empty());
        match (told(&page.next_link), told(&page.delta_link)) {
            (Some(next), _) => {
                let next = self.own_link(&next)?;
                if next == url {
                    return Err(ProviderError::new(
                        ErrorClass::Invalid,
                        "calendarView.delta: the pages do not end",
                    ));
                }
                Ok(Next::Page(Operation::DeltaLink, next))
            }
            (None, Some(link)) => {
                self.own_link(&link)?;
                Ok(Next::Series(walk.open_questions(), link))
            }
            // A walk that stops early must not pass for complete: it would delete what it did not show.
            (None, None) => {
                let detail =
                    "calendarView.delta: the round ended without a delta link, so it may not be complete";
                Err(ProviderError::new(ErrorClass::Transient, detail))
            }
        }
    }

    /// Asks about the next few series.
    async fn some_series(
        &self,
        walk: &mut Walk,
        mut open: Vec<String>,
        link: String,
        covers: Window,
    ) -> Result<Next, ProviderError> {
        let rest = open.split_off(open.len().min(SERIES_AT_ONCE));
        match walk.round() {
            Round::Full => {
                let asked = open.into_iter().map(|id| async move {
                    let answer = self.master(&id).await;
                    (id, answer)
                });
                let answers: Vec<_> = stream::iter(asked).buffered(SERIES_AT_ONCE).collect().await;
                for (id, answer) in answers {
                    let reply = answer?;
                    match reply.status {
                        404 => walk.answer_no_series(&id),
                        _ => walk.answer_master(&id, text(&reply)?),
                    }
                }
            }
            Round::Changes => {
                let asked = open.into_iter().map(|id| async move {
                    let answer = self.occurrences(&id, covers).await;
                    (id, answer)
                });
                let answers: Vec<_> = stream::iter(asked).buffered(SERIES_AT_ONCE).collect().await;
                for (id, answer) in answers {
                    let Some(replies) = answer? else {
                        walk.answer_no_series(&id);
                        continue;
                    };
                    let pages: Result<Vec<_>, _> =
                        replies.iter().map(|reply| parse(reply, Operation::Instances)).collect();
                    walk.answer_occurrences(&id, &pages?)?;
                }
            }
        }
        Ok(Next::Series(rest, link))
    }

    async fn master(&self, id: &str) -> Result<Reply, ProviderError> {
        let url = self.graph(&["me", "events", id])?;
        self.transport.run(&Call::get(Operation::GetEvent, url)).await
    }

    /// Every page of a series' occurrences; `None` if there is no such series (any more).
    async fn occurrences(&self, id: &str, covers: Window) -> Result<Option<Vec<Reply>>, ProviderError> {
        let mut url = self.graph(&["me", "events", id, "instances"])?;
        url.set_query(Some(&format!("{}&$top={INSTANCES_PAGE}", range(widened(covers)))));
        let mut replies = Vec::new();
        while replies.len() < INSTANCES_PAGES_MAX {
            let reply = self.transport.run(&Call::get(Operation::Instances, url.clone())).await?;
            if reply.status == 404 {
                return Ok(None);
            }
            let next = parse(&reply, Operation::Instances)?.next_link.filter(|link| !link.is_empty());
            replies.push(reply);
            match next {
                None => return Ok(Some(replies)),
                Some(link) => url = self.own_link(&link)?,
            }
        }
        Err(ProviderError::new(ErrorClass::Invalid, "events.instances: the pages do not end"))
    }
}

/// The range asked for, so that what lies in `covers` is surely shown.
fn widened(covers: Window) -> Window {
    Window { from: covers.from.minus(MARGIN), to: covers.to.plus(MARGIN) }
}

pub(super) fn range(window: Window) -> String {
    let whole =
        |ts: Ts| ts.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!("startDateTime={}&endDateTime={}", whole(window.from), whole(window.to))
}

fn text(reply: &Reply) -> Result<&str, ProviderError> {
    std::str::from_utf8(&reply.body).map_err(|_| not_one(Operation::GetEvent))
}

/// A page of a collection. What is JSON but no collection must not pass for an empty one.
pub(super) fn parse(reply: &Reply, operation: Operation) -> Result<Page<'_>, ProviderError> {
    let page: Page<'_> = items::object(&reply.body).ok_or_else(|| not_one(operation))?;
    if page.value.is_none() { Err(not_one(operation)) } else { Ok(page) }
}

fn not_one(operation: Operation) -> ProviderError {
    let detail = format!("{}: the answer is not what was asked for", operation.as_str());
    ProviderError::new(ErrorClass::Transient, detail)
}
