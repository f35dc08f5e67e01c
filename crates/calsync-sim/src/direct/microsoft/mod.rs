//! The skin that behaves as the adapter of Microsoft does over Graph (microsoft.md, docs/providers/microsoft.md): cursors that
//! cover a window, series that are enumerated, ids chosen by the provider, channels prolonged in place. What a delta tells
//! is the look-alike's own (`microsoft::rows`); what the adapter makes of it is played here.

mod channels;
mod convert;
mod titles;
mod walk;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use calsync_core::calendar::{Access, ListedCalendar};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, Ids as WhoNames, ListRequest, Listing, ProviderAccount,
    ProviderError, Push, PutDone, PutMode, RenewRequest, Renewal, Standing, Tells, Tentativeness, Titles,
    TitlesRequest, WatchRequest, Watching,
};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::{Call, Caller};
use crate::cloud::calendar::{AccessRole, Calendar, Origin};
use crate::cloud::content::Content;
use crate::cloud::names::{CalendarId, EventId as RemoteId};
use crate::kept::Kept;
use walk::Walks;

pub(super) use channels::{befall, hears};

/// Creations whose key is remembered.
const KEYS_MAX: usize = 100_000;

/// What this side remembers beside the cloud.
pub(super) struct Memory {
    /// Creations by mailbox and key (§4.2 `transactionId`).
    keys: Kept<Made>,
    /// New events whose first reading fails.
    lagging: BTreeSet<(CalendarId, RemoteId)>,
    /// When channels last asked to be renewed.
    asked: BTreeMap<String, Ts>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { keys: Kept::of(KEYS_MAX), lagging: BTreeSet::new(), asked: BTreeMap::new() }
    }
}

/// A creation that is remembered.
#[derive(Debug, Clone)]
struct Made {
    calendar: CalendarId,
    event: RemoteId,
    content: Content,
}

/// One person's account.
pub(super) struct MicrosoftDirect {
    caller: Caller,
    walks: Walks,
}

impl MicrosoftDirect {
    pub(super) fn new(caller: Caller) -> MicrosoftDirect {
        MicrosoftDirect { caller, walks: Walks::default() }
    }

    /// A calendar as Graph lists it (§3), and as the adapter reads that: no zone of its own, push for one's own only.
    fn listed(&self, calendar: &Calendar) -> Option<ListedCalendar> {
        let role = calendar.role(&self.caller.person)?;
        let mine = calendar.owner == self.caller.person;
        let (by_people, may_share) = (calendar.origin == Origin::People, mine);
        let may_edit = by_people && role >= AccessRole::WriterWithoutPrivateAccess;
        Some(ListedCalendar {
            remote_id: calendar.id.to_string(),
            name: if calendar.primary && mine { "Calendar".to_owned() } else { calendar.summary.clone() },
            time_zone: "UTC".to_owned(),
            colour: None,
            access: match (may_edit, may_share) {
                (true, true) => Access::Owner,
                (true, false) => Access::Write,
                _ => Access::Read,
            },
            primary: calendar.primary && mine,
            push_unsupported: !mine,
        })
    }
}

#[async_trait]
impl ProviderAccount for MicrosoftDirect {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chooses_ids: WhoNames::Provider,
            push: Some(Push {
                life: channels::LIFE,
                renewal: Renewal::Extend,
                outruns_listing: Some(SignedDuration::from_secs(10)),
                tells: Tells::WhatChanged,
            }),
            tentative: Tentativeness::Shown,
            concurrent_calls: 4,
            listing: Listing::Windowed,
        }
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.caller.calendars(|calendar| self.listed(calendar))
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        self.page_of_changes(&request)
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        let calendar = CalendarId::from(calendar);
        match &put.mode {
            PutMode::Create(chosen) => self.create(&calendar, chosen.as_ref(), put),
            PutMode::Update { id, version } => self.change(id, version.as_deref(), put).map(PutDone::written),
        }
    }

    async fn delete_block(
        &self,
        _calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.delete(id, version)
    }

    async fn get_block(&self, _calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.get(id)
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.caller.call(Call::Read, || self.titles(&request))
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.open_channel(request)
    }

    async fn renew(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        self.prolong_channel(request)
    }

    async fn stop(&self, channel: &str, _resource: &str) -> Result<(), ProviderError> {
        self.close_channel(channel)
    }
}
