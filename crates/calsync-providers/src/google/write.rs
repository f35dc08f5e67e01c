//! Writing, removing and reading one block (google.md §5, §6 and §11). Every write is silent (`sendUpdates=none`), names no
//! guest and no reminder, and is sent as a whole, so that nothing of an earlier version is left.

use calsync_core::block::{BlockBusy, MARKER_NAME, ObservedBlock, Visibility};
use calsync_core::event::Status;
use calsync_core::ids::EventId;
use calsync_core::ports::{BlockPut, ErrorClass, ProviderError, PutMode, RemoteItem, Standing};
use reqwest::Method;
use url::Url;

use super::GoogleAccount;
use super::error::Operation;
use super::normalize::{self, Surroundings};
use super::resource::{BlockResource, MarkerResource, RemindersResource};
use crate::transport::Call;

/// Shortest and longest id that may be chosen, and its letters: base32hex (google.md §5).
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 5..=1_024;
/// Longest property value: Google cuts longer ones without a word, and a cut marker proves nothing.
const MARKER_MAX: usize = 1_024;

impl GoogleAccount {
    pub(super) async fn put(&self, calendar: &str, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        if put.marker.0.len() > MARKER_MAX {
            return Err(invalid("the marker is longer than Google keeps"));
        }
        let (operation, method, parts, id, if_match) = match &put.mode {
            PutMode::Create(Some(id)) if may_be_chosen(id) => {
                let parts = vec!["calendars", calendar, "events"];
                (Operation::InsertEvent, Method::POST, parts, Some(id.as_str()), None)
            }
            // Without an id of ours a repeated insert would make a second block.
            PutMode::Create(_) => return Err(invalid("a new block needs an id that Google takes")),
            PutMode::Update { id, version } => {
                let parts = vec!["calendars", calendar, "events", id.as_str()];
                (Operation::UpdateEvent, Method::PUT, parts, None, version.as_deref())
            }
        };
        let url = silent(self.api(&parts)?);
        let body = serde_json::to_vec(&resource(put, id))
            .map_err(|_| invalid("the block can't be written as JSON"))?;
        let call = Call { operation, method, url, body: Some(body), if_match, writes_to: Some(calendar) };
        let reply = self.transport.run(&call).await?;
        // What Google returned, not what was sent: it normalises (google.md §10 row 6).
        match self.read_event(&reply.body, calendar) {
            Some(RemoteItem::Present(event)) if event.event.status != Status::Cancelled => event.as_block(),
            _ => None,
        }
        .ok_or_else(|| {
            let detail = format!("{}: done, but the answer is not the block", operation.as_str());
            ProviderError::new(ErrorClass::Ambiguous, detail)
        })
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
            url: silent(self.api(&["calendars", calendar, "events", id.as_str()])?),
            body: None,
            if_match: version,
            writes_to: Some(calendar),
        };
        self.transport.run(&call).await.map(drop)
    }

    /// What stands under an id. A block just made can be missing for a moment (google.md §10 row 4): whether to look again
    /// is the caller's to say.
    pub(super) async fn get(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        let url = self.api(&["calendars", calendar, "events", id.as_str()])?;
        let reply = self.transport.run(&Call::get(Operation::GetEvent, url)).await?;
        match reply.status {
            404 => return Ok(Standing::Nothing),
            410 => return Ok(Standing::Deleted),
            _ => {}
        }
        match self.read_event(&reply.body, calendar) {
            Some(RemoteItem::Present(event)) if event.event.status == Status::Cancelled => {
                Ok(Standing::Deleted)
            }
            Some(RemoteItem::Present(event)) => Ok(Standing::Present(event)),
            Some(RemoteItem::Gone { .. }) => Ok(Standing::Deleted),
            Some(RemoteItem::Enumerated { .. }) | None => {
                Err(ProviderError::new(ErrorClass::Invalid, "events.get: the answer is not an event"))
            }
        }
    }

    fn read_event(&self, body: &[u8], calendar: &str) -> Option<RemoteItem> {
        let around = Surroundings { calendar, email: &self.email, zone: None };
        normalize::item(std::str::from_utf8(body).ok()?, &around).ok()
    }
}

fn may_be_chosen(id: &EventId) -> bool {
    let id = id.as_str();
    ID_LENGTHS.contains(&id.len()) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v'))
}

fn silent(mut url: Url) -> Url {
    url.query_pairs_mut().append_pair("sendUpdates", "none");
    url
}

fn resource<'a>(put: &'a BlockPut, id: Option<&'a str>) -> BlockResource<'a> {
    let content = &put.content;
    let (start, end) = normalize::times(&content.span);
    BlockResource {
        id,
        summary: &content.title,
        description: content.description.as_deref(),
        location: content.location.as_deref(),
        start,
        end,
        status: if content.busy == BlockBusy::Tentative { "tentative" } else { "confirmed" },
        transparency: if content.busy == BlockBusy::Free { "transparent" } else { "opaque" },
        visibility: match content.visibility {
            Visibility::Private => "private",
            Visibility::Calendar => "default",
        },
        color_id: content.colour.as_deref(),
        reminders: RemindersResource { use_default: false, overrides: [] },
        extended_properties: MarkerResource { private: [(MARKER_NAME, put.marker.0.as_str())].into() },
    }
}

fn invalid(why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, why)
}
