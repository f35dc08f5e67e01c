//! Counts the calls that go through an account, for the run log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use calsync_core::calendar::ListedCalendar;
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, ListRequest, ProviderAccount, ProviderError, PutDone, RenewRequest,
    Standing, Titles, TitlesRequest, WatchRequest, Watching,
};
use calsync_core::preview::Pace;

/// An account that counts.
pub(crate) struct Counted {
    inner: Arc<dyn ProviderAccount>,
    calls: AtomicU32,
}

impl Counted {
    pub(crate) fn new(inner: Arc<dyn ProviderAccount>) -> Counted {
        Counted { inner, calls: AtomicU32::new(0) }
    }

    /// Calls made since this was last asked.
    pub(crate) fn take_calls(&self) -> u32 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn count(&self) -> &dyn ProviderAccount {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }
}

#[async_trait]
impl ProviderAccount for Counted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn pace(&self) -> Pace {
        self.inner.pace()
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.count().list_calendars().await
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        self.count().list_changes(request).await
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        self.count().put_block(calendar, put).await
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.count().delete_block(calendar, id, version).await
    }

    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.count().get_block(calendar, id).await
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.count().list_titles(request).await
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.count().watch(request).await
    }

    async fn renew(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        self.count().renew(request).await
    }

    async fn stop(&self, channel: &str, resource: &str) -> Result<(), ProviderError> {
        self.count().stop(channel, resource).await
    }
}
