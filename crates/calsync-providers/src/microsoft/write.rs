//! Making, changing, removing and reading one block (microsoft.md §4, §5). Every block is private, names no guest and rings
//! no bell, so that no mail is ever sent about it; a change sends it whole, so that nothing of an earlier version is left.
//!
//! Graph chooses the ids. A create carries a key of ours (`transactionId`), which makes a repeated one harmless while Graph
//! remembers it; how long that is nobody knows, so that one whose outcome is not known is looked for before it is repeated.

use calsync_core::block::{BlockBusy, BlockContent, ObservedBlock, Visibility};
use calsync_core::event::{Series, Status};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    Asked, BlockPut, ErrorClass, ProviderError, PutDone, PutMode, RemoteEvent, Standing,
};
use reqwest::Method;
use url::Url;

use super::MicrosoftAccount;
use super::error::Operation;
use super::list;
use super::normalize::{self, MARKER_PROPERTY, TRANSACTION_PREFIX};
use super::resource::{BlockResource, BodyResource, LocationResource, PropertyResource};
use crate::address::encode;
use crate::transport::Call;
use crate::wire::Reply;

/// Longest marker sent: a key with it must stay a short text.
const MARKER_MAX: usize = 200;
/// Tries of one create, each after a look.
const CREATE_TRIES: u32 = 2;
/// Events with one marker that are looked at: the block, and copies that people made of it.
const FOUND_MAX: usize = 5;

impl MicrosoftAccount {
    pub(super) async fn put(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        let marker = &put.marker.0;
        let tame = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if marker.is_empty() || marker.len() > MARKER_MAX || !marker.bytes().all(tame) {
            return Err(invalid("the marker is not one that Graph keeps as it is"));
        }
        match &put.mode {
            PutMode::Create(None) => self.create(calendar, put).await,
            PutMode::Create(Some(_)) => Err(invalid("Graph chooses the ids of new blocks")),
            PutMode::Update { id, version } => {
                self.change(calendar, id, version.as_deref(), put).await.map(PutDone::written)
            }
        }
    }

    /// Makes a block, at most once whatever happens on the way.
    async fn create(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        if put.asked == Asked::Again
            && let Some(made) = self.made_before(calendar, put).await?
        {
            return Ok(PutDone::found(made));
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.create_once(calendar, put).await {
                Err(error) if matches!(error.class, ErrorClass::Ambiguous | ErrorClass::Exists) => error,
                done => return done.map(PutDone::written),
            };
            // A 503 was seen although the event was stored (§4.2): look first.
            match self.made_before(calendar, put).await {
                Ok(Some(made)) => return Ok(PutDone::found(made)),
                // Nothing is there: the same key once more makes one block, not two.
                Ok(None) if error.class == ErrorClass::Ambiguous && tries < CREATE_TRIES => {}
                // The key was used, and what it made is gone. The first time it may only be too new to be found.
                Ok(None) if error.class == ErrorClass::Exists && put.asked == Asked::Again => {
                    return Err(error);
                }
                // Neither the call nor the look gave an answer, so nothing is concluded.
                Ok(None) | Err(_) => return Err(ProviderError { class: ErrorClass::Ambiguous, ..error }),
            }
        }
    }

    async fn create_once(&self, calendar: &str, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        let call = Call {
            operation: Operation::CreateEvent,
            method: Method::POST,
            url: self.graph(&["me", "calendars", calendar, "events"])?,
            body: Some(json(&resource(put, Key::Sent))?),
            if_match: None,
            writes_to: Some(calendar),
        };
        let reply = self.transport.run(&call).await?;
        self.observed(&reply, Operation::CreateEvent)
    }

    /// The block that an earlier try made, brought to the content that is wanted now.
    async fn made_before(
        &self,
        calendar: &str,
        put: &BlockPut,
    ) -> Result<Option<ObservedBlock>, ProviderError> {
        let Some(found) = self.find(calendar, put).await? else { return Ok(None) };
        let Some(block) = found.as_block() else { return Ok(None) };
        // Somebody was invited to it meanwhile: a change would mail them.
        if block.has_guests || block.fingerprint == put.content.fingerprint() {
            return Ok(Some(block));
        }
        self.change(calendar, &block.id, block.version.as_deref(), put).await.map(Some)
    }

    /// The event that was made under this put's key. The marker finds it, the key proves it: a person's copy may carry the
    /// marker too, under a key of its own, and is theirs (§5, "copies").
    async fn find(&self, calendar: &str, put: &BlockPut) -> Result<Option<RemoteEvent>, ProviderError> {
        let key = key(put);
        let mut proven = None;
        for id in self.ids_with_marker(calendar, &put.marker.0).await? {
            let Some((remote, found_key)) = self.look(&id).await? else { continue };
            if found_key.as_deref() == Some(key.as_str()) && remote.event.status != Status::Cancelled {
                proven = Some(remote);
            }
        }
        Ok(proven)
    }

    async fn ids_with_marker(&self, calendar: &str, marker: &str) -> Result<Vec<String>, ProviderError> {
        let filter = format!(
            "singleValueExtendedProperties/Any(ep: ep/id eq '{MARKER_PROPERTY}' and ep/value eq '{marker}')"
        );
        let query = format!("$filter={}&$select=id&$top={FOUND_MAX}", encode(&filter));
        let ask = async |parts: &[&str]| {
            let mut url = self.graph(parts)?;
            url.set_query(Some(&query));
            self.transport.run(&Call::get(Operation::FindEvents, url)).await
        };
        let reply = match ask(&["me", "calendars", calendar, "events"]).await {
            // Documented for the mailbox as a whole; below a calendar it works, as far as anybody saw (§5).
            Err(error) if error.class == ErrorClass::Invalid => ask(&["me", "events"]).await?,
            asked => asked?,
        };
        let page = list::parse(&reply, Operation::FindEvents)?;
        let named = page.value.iter().flatten().take(FOUND_MAX).filter_map(|raw| normalize::named(raw.get()));
        Ok(named.map(|n| n.id).collect())
    }

    async fn change(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
        put: &BlockPut,
    ) -> Result<ObservedBlock, ProviderError> {
        let call = Call {
            operation: Operation::UpdateEvent,
            method: Method::PATCH,
            url: self.graph(&["me", "events", id.as_str()])?,
            body: Some(json(&resource(put, Key::Kept))?),
            if_match: version,
            writes_to: Some(calendar),
        };
        let reply = self.transport.run(&call).await?;
        self.observed(&reply, Operation::UpdateEvent)
    }

    pub(super) async fn delete(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        let call = Call {
            operation: Operation::DeleteEvent,
            method: Method::DELETE,
            url: self.graph(&["me", "events", id.as_str()])?,
            body: None,
            if_match: version,
            writes_to: Some(calendar),
        };
        let reply = self.transport.run(&call).await?;
        if reply.status != 400 {
            return Ok(());
        }
        // Personal accounts answer so to a second delete (§10 row 14); so they do to a request that is wrong.
        match self.look(id.as_str()).await? {
            None => Ok(()),
            Some(_) => {
                Err(invalid("events.delete: the request is not accepted (400), and the event still stands"))
            }
        }
    }

    /// What stands under an id. Graph's ids are never used again, so that what was deleted is simply not there.
    pub(super) async fn get(&self, id: &EventId) -> Result<Standing, ProviderError> {
        Ok(match self.look(id.as_str()).await? {
            None => Standing::Nothing,
            Some((remote, _)) if remote.event.status == Status::Cancelled => Standing::Deleted,
            Some((remote, _)) => Standing::Present(Box::new(remote)),
        })
    }

    /// An event with its marker, and the key it was made under.
    async fn look(&self, id: &str) -> Result<Option<(RemoteEvent, Option<String>)>, ProviderError> {
        let mut url: Url = self.graph(&["me", "events", id])?;
        let filter = encode(&format!("id eq '{MARKER_PROPERTY}'"));
        url.set_query(Some(&format!("$expand=singleValueExtendedProperties($filter={filter})")));
        let reply = self.transport.run(&Call::get(Operation::GetEvent, url)).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let not_one = || ProviderError::new(ErrorClass::Invalid, "events.get: the answer is not an event");
        let text = std::str::from_utf8(&reply.body).map_err(|_| not_one())?;
        let item = normalize::read(text).map_err(|_| not_one())?;
        let key = item.transaction_id.clone();
        let remote = normalize::event(item, None).map_err(|_| not_one())?;
        Ok(Some((remote, key)))
    }

    /// What Graph returned, not what was sent: it normalises. Properties are not echoed (§5), the key is.
    fn observed(&self, reply: &Reply, operation: Operation) -> Result<ObservedBlock, ProviderError> {
        let text = std::str::from_utf8(&reply.body).ok();
        let item = text.and_then(|text| normalize::read(text).ok());
        let remote = item.and_then(|item| normalize::event(item, None).ok());
        let stands =
            remote.filter(|r| r.event.status != Status::Cancelled && r.event.series == Series::Single);
        stands.and_then(|r| r.as_block()).ok_or_else(|| {
            let detail = format!("{}: done, but the answer is not the block", operation.as_str());
            ProviderError::new(ErrorClass::Ambiguous, detail)
        })
    }
}

/// Whether a block's key is sent with it: only when it is made, for it can't be changed (§4.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Sent,
    Kept,
}

/// The key of a create: the same for each try of it, another for the block that comes after it. It is the marker, which is
/// made of just that: so a delta page, which shows no properties, shows whose block this is.
fn key(put: &BlockPut) -> String {
    format!("{TRANSACTION_PREFIX}{}", put.marker.0)
}

fn resource(put: &BlockPut, with: Key) -> BlockResource<'_> {
    let content: &BlockContent = &put.content;
    let (start, end) = normalize::times(&content.span);
    BlockResource {
        subject: &content.title,
        body: BodyResource {
            content_type: "text".to_owned(),
            content: content.description.clone().unwrap_or_default(),
        },
        location: LocationResource { display_name: content.location.clone().unwrap_or_default() },
        start,
        end,
        is_all_day: content.span.is_all_day(),
        show_as: match content.busy {
            BlockBusy::Busy => "busy",
            BlockBusy::Tentative => "tentative",
            BlockBusy::Free => "free",
        },
        sensitivity: match content.visibility {
            Visibility::Private => "private",
            Visibility::Calendar => "normal",
        },
        is_reminder_on: false,
        categories: normalize::categories(content.colour.as_deref()),
        single_value_extended_properties: [PropertyResource {
            id: MARKER_PROPERTY.to_owned(),
            value: put.marker.0.clone(),
        }],
        transaction_id: (with == Key::Sent).then(|| key(put)),
    }
}

fn json(resource: &BlockResource<'_>) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(resource).map_err(|_| invalid("the block can't be written as JSON"))
}

fn invalid(why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, why)
}
