//! What the engine asks of a calendar provider. It branches on capabilities and error classes, never on a name.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::block::{BlockBusy, BlockContent, Marker, ObservedBlock, Visibility, is_block, is_block_uid};
use crate::calendar::{Access, Account, Cursor, ListedCalendar};
use crate::event::{Event, ShowAs, Status};
use crate::ids::EventId;
use crate::ports::{Titles, TitlesRequest};
use crate::preview::Pace;
use crate::secret::Secret;
use crate::time::{Ts, Window};

/// Opens accounts: the only place that knows which provider is which.
#[async_trait]
pub trait ProviderDirectory: Send + Sync {
    /// The account, ready to be used.
    async fn open(&self, account: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError>;
}

/// One account at a provider. Waits for its own rate budget; retries nothing that could be done twice.
#[async_trait]
pub trait ProviderAccount: Send + Sync {
    /// What this provider can do.
    fn capabilities(&self) -> Capabilities;

    /// How fast blocks can be written within its budget, for whoever wants to know beforehand.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// The account's calendars, all pages.
    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError>;

    /// One page of a calendar's events.
    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError>;

    /// Makes or changes a block. Sends nothing to anybody.
    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError>;

    /// Removes a block, if it is still `version`. Already gone is success.
    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError>;

    /// What stands under this id.
    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError>;

    /// The titles of what takes place in a window, for the eyes of their owner. Comes back within the request's patience,
    /// whatever the provider does: one that is slower has failed.
    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError>;

    /// Opens a push channel.
    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError>;

    /// Prolongs one in place, where [`Renewal::Extend`] says that this can be done; it also confirms that we may still
    /// read what is watched. `Gone`: the channel is no more, and a new one must be opened.
    async fn renew(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        let detail = format!("channel {} can only be replaced", request.channel);
        Err(ProviderError::new(ErrorClass::Unsupported, detail))
    }

    /// Closes one. Already closed is success.
    async fn stop(&self, channel: &str, resource: &str) -> Result<(), ProviderError>;
}

/// What a provider can do, as data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// We choose the ids of our blocks, which makes a repeated create harmless.
    pub chooses_ids: Ids,
    /// How it pushes, if it does.
    pub push: Option<Push>,
    /// Blocks can be shown as tentative.
    pub tentative: Tentativeness,
    /// Calls that may be under way at once for one account.
    pub concurrent_calls: u8,
    /// How far a full listing reaches.
    pub listing: Listing,
}

/// Who chooses the id of a new event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ids {
    /// We do.
    Client,
    /// The provider does.
    Provider,
}

/// Whether a block can be tentative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tentativeness {
    /// It can.
    Shown,
    /// It can't; tentative blocks are written as busy.
    NotShown,
}

/// How far a full listing reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listing {
    /// Over all of time: the window slides without another listing.
    Unbounded,
    /// Over the window it was asked for: a cursor covers no more than that, and is of no use once the window in force has
    /// slid out of [`Cursor::covers`]. With a series that is told by its pattern come all its changed and cancelled
    /// occurrences, wherever they went: one that is not told shows a ghost at its old place (google.md §7).
    Windowed,
}

/// How a provider pushes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Push {
    /// Longest life of a channel that is worth asking for.
    pub life: SignedDuration,
    /// How its life is prolonged.
    pub renewal: Renewal,
    /// A listing may not know yet of what was pushed: one that shows nothing is asked once more after so long. `None`: it
    /// knows.
    pub outruns_listing: Option<SignedDuration>,
    /// What its deliveries tell.
    pub tells: Tells,
}

/// What the deliveries of a channel tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tells {
    /// That something changed.
    Something,
    /// Which event changed, and to which version or that it is gone: kept with the delivery as [`Told`](crate::echo::Told).
    WhatChanged,
}

/// How a channel's life is prolonged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// By a new channel, before the old one ends.
    Replace,
    /// In place.
    Extend,
}

/// Which page of what.
#[derive(Clone, Copy, Debug)]
pub struct ListRequest<'a> {
    /// The provider's id of the calendar.
    pub calendar: &'a str,
    /// From where.
    pub from: ListFrom<'a>,
    /// The page, as the previous one named it.
    pub page: Option<&'a str>,
}

/// From where a listing starts.
#[derive(Clone, Copy, Debug)]
pub enum ListFrom<'a> {
    /// Everything (where listings are windowed: within this window).
    Start(Window),
    /// What changed since.
    Cursor(&'a Cursor),
}

/// One page of a listing. May be empty though more follows.
#[derive(Clone, Debug)]
pub struct ChangePage {
    /// What it shows.
    pub items: Vec<RemoteItem>,
    /// What follows.
    pub next: NextPage,
    /// The calendar's zone, where the page tells it.
    pub time_zone: Option<String>,
    /// What we may do with the calendar, where the page tells it.
    pub access: Option<Access>,
}

/// What follows a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextPage {
    /// Another page.
    Page(String),
    /// Nothing: the listing is complete. Without a cursor the next one must be full again.
    Done(Option<Cursor>),
}

/// One item of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RemoteItem {
    /// It exists (a cancelled occurrence of a living series counts as existing).
    Present(Box<RemoteEvent>),
    /// It was deleted: an explicit tombstone. Where series are enumerated, it may also name one, or something that was never
    /// told of.
    Gone {
        /// Which.
        id: EventId,
    },
    /// All of a series that is enumerated, as far as `covers` reaches: an occurrence of it that is not among `shown` does
    /// not take place. Some providers tell of a cancelled occurrence in no other way (microsoft.md §7).
    Enumerated {
        /// The series.
        master: EventId,
        /// Its occurrences; each is also an item of its own.
        shown: BTreeSet<EventId>,
        /// The time looked at.
        covers: Window,
    },
}

/// An event with what is needed to see whether it is one of our blocks, and an untouched one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteEvent {
    /// The event, with all its text.
    pub event: Event,
    /// The marker of a block, as found.
    pub marker: Option<Marker>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its colour or category.
    pub colour: Option<String>,
    /// Whether anybody is invited beside the calendar's owner: who, is never kept.
    pub has_guests: bool,
}

impl RemoteEvent {
    /// Whether it is anybody's block, or a copy of one: then it is never mirrored onward. Who was invited to a meeting that was made
    /// of a block has its UID as well: what has guests, or was answered, takes time by itself.
    pub fn is_block(&self) -> bool {
        let has_uid_of_one = || self.event.ical_uid.as_deref().is_some_and(is_block_uid);
        let is_meeting = self.has_guests || self.event.response.is_some();
        is_block(&self.event.id, self.marker.as_ref()) || (!is_meeting && has_uid_of_one())
    }

    /// It, seen as a block. `None` where it has no time.
    pub fn as_block(&self) -> Option<ObservedBlock> {
        let span = self.event.when.as_ref()?.span();
        let text = self.event.text.clone().unwrap_or_default();
        let busy = match (self.event.show_as, self.event.status) {
            (ShowAs::Free, _) => BlockBusy::Free,
            (ShowAs::Tentative, _) | (_, Status::Tentative) => BlockBusy::Tentative,
            _ => BlockBusy::Busy,
        };
        let content = BlockContent {
            span,
            title: text.title.unwrap_or_default(),
            description: text.description,
            location: text.location,
            busy,
            visibility: self.visibility,
            colour: self.colour.clone(),
        };
        Some(ObservedBlock {
            id: self.event.id.clone(),
            version: self.event.version.clone(),
            updated: self.event.updated,
            marker: self.marker.clone(),
            fingerprint: content.fingerprint(),
            span,
            has_guests: self.has_guests,
            ical_uid: self.event.ical_uid.clone().filter(|uid| !is_block_uid(uid)),
            is_free: busy == BlockBusy::Free,
        })
    }
}

/// A block that was put.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutDone {
    /// As it stands now.
    pub block: ObservedBlock,
    /// Whether this call wrote it. One that an earlier try made, whose answer was lost, is only found: no channel tells of it.
    pub written: bool,
}

impl PutDone {
    /// This call wrote it.
    pub fn written(block: ObservedBlock) -> PutDone {
        PutDone { block, written: true }
    }

    /// It stood already.
    pub fn found(block: ObservedBlock) -> PutDone {
        PutDone { block, written: false }
    }
}

/// A block to be made or changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockPut {
    /// Make or change.
    pub mode: PutMode,
    /// Its content.
    pub content: BlockContent,
    /// Its marker.
    pub marker: Marker,
    /// A key that makes a repeated create harmless where the provider chooses ids.
    pub idempotency_key: String,
    /// Whether it was asked for before.
    pub asked: Asked,
}

/// Whether a write was asked for before. One that was may have happened: where the provider chooses ids, it is looked for
/// before it is made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Not as far as we know.
    First,
    /// It was, and how that ended is not known.
    Again,
}

/// Make or change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PutMode {
    /// Make it, under this id where we choose it.
    Create(Option<EventId>),
    /// Change it.
    Update {
        /// Its id.
        id: EventId,
        /// Only if it is still this version.
        version: Option<String>,
    },
}

/// What stands under an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing, and the id is free.
    Nothing,
    /// Something that was deleted: the id stays taken.
    Deleted,
    /// This.
    Present(Box<RemoteEvent>),
}

/// A push channel to be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchRequest {
    /// The provider's id of the calendar.
    pub calendar: String,
    /// The channel's id, where we choose it.
    pub channel: String,
    /// Where to deliver.
    pub url: String,
    /// The channel's secret.
    pub token: Secret,
    /// How long it should live.
    pub life: SignedDuration,
    /// Now.
    pub now: Ts,
}

/// A push channel to be prolonged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenewRequest {
    /// The provider's id of the channel.
    pub channel: String,
    /// The provider's id of what is watched.
    pub resource: String,
    /// How long it should live from now on.
    pub life: SignedDuration,
    /// Now.
    pub now: Ts,
}

/// An open push channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watching {
    /// The channel's id.
    pub channel: String,
    /// The provider's id of what is watched.
    pub resource: String,
    /// When it ends, as the provider says.
    pub expires_at: Ts,
}

/// How an error is to be met. The engine branches on this alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorClass {
    /// It may work in a moment.
    Transient,
    /// Slow down.
    RateLimited,
    /// The grant is dead: its owner must connect again.
    Unauthorized,
    /// Our own client is misconfigured: the operator must act, the user need not.
    Misconfigured,
    /// The thing is not the version we took it for.
    Conflict,
    /// The id is taken.
    Exists,
    /// The cursor is no longer taken: list in full and compare.
    CursorExpired,
    /// The thing is not there (any more).
    Gone,
    /// It may have happened, or not: look before trying again.
    Ambiguous,
    /// The request is wrong; the same one will never work.
    Invalid,
    /// This calendar can't do that at all.
    Unsupported,
    /// It is not allowed, and will not be.
    Permanent,
}

impl ErrorClass {
    /// Its name in statistics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Transient => "transient",
            ErrorClass::RateLimited => "rate_limited",
            ErrorClass::Unauthorized => "unauthorized",
            ErrorClass::Misconfigured => "misconfigured",
            ErrorClass::Conflict => "conflict",
            ErrorClass::Exists => "exists",
            ErrorClass::CursorExpired => "cursor_expired",
            ErrorClass::Gone => "gone",
            ErrorClass::Ambiguous => "ambiguous",
            ErrorClass::Invalid => "invalid",
            ErrorClass::Unsupported => "unsupported",
            ErrorClass::Permanent => "permanent",
        }
    }

    /// Whether the same request can work later without anybody's doing.
    pub const fn passes(self) -> bool {
        matches!(self, ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::Ambiguous)
    }
}

/// What went wrong at a provider: a class to branch on, and words for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderError {
    /// How to meet it.
    pub class: ErrorClass,
    /// What happened, in words. Never a secret, never an event's text.
    pub detail: String,
    /// How long the provider asks us to wait.
    pub retry_after: Option<SignedDuration>,
}

impl ProviderError {
    /// An error of this class.
    pub fn new(class: ErrorClass, detail: impl Into<String>) -> ProviderError {
        ProviderError { class, detail: detail.into(), retry_after: None }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.class.as_str())
    }
}

impl std::error::Error for ProviderError {}
