//! Reading calendars for a preview: everything in the window, into memory, bounded in pages and time. Nothing of it is stored,
//! and what can't be read says why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::calendar::{Access, Calendar};
use calsync_core::event::TextPolicy;
use calsync_core::ids::{CalendarId, EventId};
use calsync_core::mirror::{FoldContext, Listed, Mirror};
use calsync_core::ports::{
    ErrorClass, ListFrom, ListRequest, Listing, NextPage, ProviderAccount, ProviderError, UserState,
};
use calsync_core::rule::Rule;
use calsync_core::time::{Ts, Window};
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;

use super::Unread;
use crate::access::Accounts;
use crate::{Engine, EngineError};

/// Pages of one calendar: tens of thousands of events.
const PAGES_MAX: usize = 50;
/// No page is asked for later than this after the beginning. The last one takes as long as its provider lets it.
const TIME_MAX: SignedDuration = SignedDuration::from_secs(20);
/// Calendars that are read at once.
const AT_ONCE: usize = 4;

/// What reading showed.
pub(super) struct LookedAt {
    pub(super) mirrors: BTreeMap<CalendarId, Arc<Mirror>>,
    pub(super) unread: Vec<Unread>,
    /// Zone and access, where a page told them.
    told: BTreeMap<CalendarId, (Option<String>, Option<Access>)>,
    at: Ts,
}

impl LookedAt {
    /// The calendars as if they had been read by now.
    pub(super) fn show(&self, state: &mut UserState) {
        for calendar in state.calendars.iter_mut().filter(|c| self.mirrors.contains_key(&c.id)) {
            (calendar.last_full_sync, calendar.cursor) = (Some(self.at), None);
            if let Some((zone, access)) = self.told.get(&calendar.id) {
                calendar.time_zone = zone.clone().unwrap_or_else(|| calendar.time_zone.clone());
                calendar.access = access.unwrap_or(calendar.access);
            }
        }
    }
}

/// One calendar, read to its end.
struct Live {
    mirror: Mirror,
    zone: Option<String>,
    access: Option<Access>,
}

impl Engine {
    /// Reads these calendars, each by itself: one that can't be read stops no other.
    pub(super) async fn read_live(
        &self,
        calendars: &[Calendar],
        rules: &[Rule],
        accounts: &Accounts,
    ) -> Result<LookedAt, EngineError> {
        let at = self.clock.now();
        let reading = calendars.iter().map(|calendar| async move {
            let from_here = rules.iter().filter(|r| r.source == calendar.id);
            let texts = from_here.fold(TextPolicy::default(), |all, r| all.or(r.options.text_policy()));
            (calendar.id, self.read_one_live(calendar, texts, accounts, at.plus(TIME_MAX)).await)
        });
        let mut read = stream::iter(reading.collect::<Vec<_>>()).buffered(AT_ONCE);
        let (mut mirrors, mut told, mut unread) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        while let Some((id, result)) = read.next().await {
            match result {
                Ok(live) => {
                    mirrors.insert(id, Arc::new(live.mirror));
                    told.insert(id, (live.zone, live.access));
                }
                Err(EngineError::Provider(error)) => {
                    unread.push(Unread { calendar: id, because: error.detail });
                }
                Err(other) => return Err(other),
            }
        }
        Ok(LookedAt { mirrors, unread, told, at })
    }

    async fn read_one_live(
        &self,
        calendar: &Calendar,
        texts: TextPolicy,
        accounts: &Accounts,
        until: Ts,
    ) -> Result<Live, EngineError> {
        let account = accounts.of(calendar)?;
        let window = self.window();
        let mut live = Live { mirror: Mirror::default(), zone: None, access: None };
        let items = self.all_pages(calendar, account.as_ref(), &mut live, (window, until)).await?;
        let covered = match account.capabilities().listing {
            Listing::Unbounded => Window::ALL,
            Listing::Windowed => window,
        };
        let ledger = self.store.ledger(calendar.id).await?;
        let our_blocks: BTreeSet<EventId> = ledger.iter().filter_map(|row| row.block.clone()).collect();
        let context = FoldContext { our_blocks: &our_blocks, texts, forget_before: window.from };
        let delta = live.mirror.fold(&items, Listed::Everything(covered), &context);
        live.mirror.apply(&delta);
        Ok(live)
    }

    async fn all_pages(
        &self,
        calendar: &Calendar,
        account: &dyn ProviderAccount,
        live: &mut Live,
        (window, until): (Window, Ts),
    ) -> Result<Vec<calsync_core::ports::RemoteItem>, ProviderError> {
        let (mut items, mut page) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            if self.clock.now() >= until {
                return Err(too_much("there was no time to read it to its end"));
            }
            let from = ListFrom::Start(window);
            let request = ListRequest { calendar: &calendar.remote.calendar, from, page: page.as_deref() };
            let answer = account.list_changes(request).await?;
            items.extend(answer.items);
            live.zone = answer.time_zone.or(live.zone.take());
            live.access = answer.access.or(live.access);
            match answer.next {
                NextPage::Done(_) => return Ok(items),
                NextPage::Page(next) => page = Some(next),
            }
        }
        Err(too_much("it has too many events to read it for a preview"))
    }
}

fn too_much(why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Transient, why)
}
