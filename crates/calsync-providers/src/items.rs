//! What every provider's normaliser needs: bounded ids and texts, fields whose type may change without notice, and what
//! stands in for an item that can't be read. Pure.

use calsync_core::block::Visibility;
use calsync_core::event::{Event, EventText};
use calsync_core::ids::EventId;
use calsync_core::ports::{RemoteEvent, RemoteItem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// Longest event id taken. Google's end at 1024 and a suffix (google.md §5), Microsoft's at some 300.
const ID_MAX: usize = 2_048;
/// Longest title or location kept, in bytes.
const LINE_MAX: usize = 4 * 1024;
/// Longest description kept, in bytes.
const DESCRIPTION_MAX: usize = 64 * 1024;

/// An item that can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Its id, if at least that can be read.
    pub id: Option<EventId>,
    /// What is wrong. Never an event's text.
    pub why: &'static str,
}

/// What stands in for an item of which only the id can be read.
pub(crate) fn stand_in(id: EventId, why: &str) -> RemoteItem {
    RemoteItem::Present(Box::new(RemoteEvent {
        event: Event::unreadable(id, why),
        marker: None,
        visibility: Visibility::Private,
        colour: None,
        // Nobody can say: it is left alone until it can be read.
        has_guests: true,
    }))
}

/// An object. What stands in brackets is none, though serde would take its parts for fields in their order: `[[]]` must not pass
/// for a page that holds nothing.
pub(crate) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// An id that can be one.
pub(crate) fn event_id(id: String) -> Option<EventId> {
    is_id(&id).then_some(EventId(id))
}

/// Whether an id can be one.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_MAX
}

/// Texts within their bounds; `None` where there is none at all.
pub(crate) fn text(
    title: Option<String>,
    description: Option<String>,
    location: Option<String>,
) -> Option<EventText> {
    let text = EventText {
        title: title.map(|t| bounded(t, LINE_MAX)),
        description: description.map(|t| bounded(t, DESCRIPTION_MAX)),
        location: location.map(|t| bounded(t, LINE_MAX)),
    };
    (text != EventText::default()).then_some(text)
}

pub(crate) fn bounded(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

/// Whether two addresses are one person's.
pub(crate) fn same_address(a: &str, b: &str) -> bool {
    !a.is_empty() && a.to_lowercase() == b.to_lowercase()
}

/// For serde: a wrong type is taken for absence.
pub(crate) fn loose<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(d)?).ok())
}
