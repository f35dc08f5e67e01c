//! Counts calls to the provider, by kind.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use calsync_core::calendar::{Account, ListedCalendar};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, ListRequest, ProviderAccount, ProviderDirectory, ProviderError,
    PutDone, RenewRequest, Standing, Titles, TitlesRequest, WatchRequest, Watching,
};
use calsync_core::preview::Pace;
use serde::Serialize;

/// Calls, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(in crate::cli::bench) struct Calls {
    /// Listings of events. The simulated provider's pages are small; at our 500 events a page each of these
    /// listings is one call, and so it is counted.
    pub(in crate::cli::bench) listings: u64,
    /// Blocks made, changed or removed.
    pub(in crate::cli::bench) writes: u64,
    /// Blocks looked at.
    pub(in crate::cli::bench) looks: u64,
    /// Channels opened.
    pub(in crate::cli::bench) opened: u64,
    /// Channels prolonged in place.
    pub(in crate::cli::bench) prolonged: u64,
    /// Channels closed.
    pub(in crate::cli::bench) closed: u64,
    /// Listings of calendars.
    pub(in crate::cli::bench) calendar_lists: u64,
}

impl Calls {
    /// All of them.
    pub(in crate::cli::bench) fn total(self) -> u64 {
        self.listings + self.writes + self.looks + self.channels() + self.calendar_lists
    }

    /// Those about channels.
    pub(in crate::cli::bench) fn channels(self) -> u64 {
        self.opened + self.prolonged + self.closed
    }

    /// Both.
    pub(in crate::cli::bench) fn plus(self, other: Calls) -> Calls {
        Calls {
            listings: self.listings + other.listings,
            writes: self.writes + other.writes,
            looks: self.looks + other.looks,
            opened: self.opened + other.opened,
            prolonged: self.prolonged + other.prolonged,
            closed: self.closed + other.closed,
            calendar_lists: self.calendar_lists + other.calendar_lists,
        }
    }

    /// In words.
    pub(in crate::cli::bench) fn tell(self) -> String {
        let rest = self.looks + self.channels() + self.calendar_lists;
        format!("{} listings, {} blocks written, {rest} other", self.listings, self.writes)
    }
}

/// A directory whose accounts count.
#[derive(Clone)]
pub(in crate::cli::bench) struct Counted<T> {
    inner: T,
    calls: Arc<Mutex<Calls>>,
}

impl<T> Counted<T> {
    pub(in crate::cli::bench) fn new(inner: T) -> Counted<T> {
        Counted { inner, calls: Arc::default() }
    }

    /// Calls since this was last asked.
    pub(in crate::cli::bench) fn take(&self) -> Calls {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, kind: fn(&mut Calls) -> &mut u64) -> &T {
        *kind(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner)) += 1;
        &self.inner
    }
}

#[async_trait]
impl<T: ProviderDirectory> ProviderDirectory for Counted<T> {
    async fn open(&self, account: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        let inner = self.inner.open(account).await?;
        Ok(Arc::new(Counted { inner, calls: self.calls.clone() }))
    }
}

#[async_trait]
impl ProviderAccount for Counted<Arc<dyn ProviderAccount>> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn pace(&self) -> Pace {
        self.inner.pace()
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.count(|c| &mut c.calendar_lists).list_calendars().await
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        let account = if request.page.is_none() { self.count(|c| &mut c.listings) } else { &self.inner };
        account.list_changes(request).await
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        self.count(|c| &mut c.writes).put_block(calendar, put).await
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.count(|c| &mut c.writes).delete_block(calendar, id, version).await
    }

    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.count(|c| &mut c.looks).get_block(calendar, id).await
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.count(|c| &mut c.looks).list_titles(request).await
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.count(|c| &mut c.opened).watch(request).await
    }

    async fn renew(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        self.count(|c| &mut c.prolonged).renew(request).await
    }

    async fn stop(&self, channel: &str, resource: &str) -> Result<(), ProviderError> {
        self.count(|c| &mut c.closed).stop(channel, resource).await
    }
}
