//! Graph's resources as they stand on the wire: only the fields that we read or write. Never decides what they mean.
//!
//! Fields on which time and identity hang are read strictly; a wrong type in any other is taken for absence, so that a
//! novelty at Microsoft costs no event.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::items::loose;

/// A page of any collection. Items are kept as text, so that one bad item costs only itself.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    #[serde(borrow, default)]
    pub(super) value: Option<Vec<&'a RawValue>>,
    #[serde(default, rename = "@odata.nextLink")]
    pub(super) next_link: Option<String>,
    #[serde(default, rename = "@odata.deltaLink")]
    pub(super) delta_link: Option<String>,
}

/// An event (microsoft.md §4.3): full, or a stub of a delta page with little more than times.
#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventResource {
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose", rename = "@odata.etag")]
    pub(super) etag: Option<String>,
    /// Whatever it holds, it says that this is a tombstone.
    #[serde(default, rename = "@removed")]
    pub(super) removed: Option<Value>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) series_master_id: Option<String>,
    #[serde(default)]
    pub(super) start: Option<TimeResource>,
    #[serde(default)]
    pub(super) end: Option<TimeResource>,
    #[serde(default)]
    pub(super) is_all_day: Option<bool>,
    #[serde(default)]
    pub(super) is_cancelled: Option<bool>,
    #[serde(default)]
    pub(super) show_as: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) sensitivity: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) response_status: Option<ResponseResource>,
    /// Whether anybody is invited: the organizer's own copy leaves him out (microsoft.md §4.3). Who it is, is never kept.
    #[serde(default, deserialize_with = "has_any", rename = "attendees")]
    pub(super) has_guests: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) last_modified_date_time: Option<String>,
    #[serde(default, deserialize_with = "loose", rename = "iCalUId")]
    pub(super) ical_uid: Option<String>,
    /// Undeclared; the same for a whole series, unlike `iCalUId`.
    #[serde(default, deserialize_with = "loose")]
    pub(super) uid: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) transaction_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) subject: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) body: Option<BodyResource>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) location: Option<LocationResource>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) categories: Option<Vec<String>>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) single_value_extended_properties: Option<Vec<PropertyResource>>,
}

/// Whether a list has anything in it. One of a form that we do not know has: to write to a meeting is worse than to leave it.
fn has_any<'de, D: Deserializer<'de>>(list: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(list)? {
        Value::Null => None,
        Value::Array(all) => Some(!all.is_empty()),
        _ => Some(true),
    })
}

/// All that is needed to name an item that can't be read otherwise.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NamedResource {
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) series_master_id: Option<String>,
    #[serde(default, deserialize_with = "loose", rename = "type")]
    pub(super) kind: Option<String>,
}

/// A wall-clock time without an offset, and the zone of that clock.
#[derive(Deserialize, Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeResource {
    pub(super) date_time: String,
    #[serde(default)]
    pub(super) time_zone: Option<String>,
}

/// What the calendar's owner answered.
#[derive(Deserialize, Clone)]
pub(super) struct ResponseResource {
    #[serde(default, deserialize_with = "loose")]
    pub(super) response: Option<String>,
}

/// A description; asked for as text.
#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct BodyResource {
    #[serde(default)]
    pub(super) content_type: String,
    #[serde(default)]
    pub(super) content: String,
}

/// A place.
#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct LocationResource {
    #[serde(default)]
    pub(super) display_name: String,
}

/// A named property (microsoft.md §5).
#[derive(Deserialize, Serialize, Clone)]
pub(super) struct PropertyResource {
    pub(super) id: String,
    pub(super) value: String,
}

/// A calendar (microsoft.md §3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarResource {
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) hex_color: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) can_edit: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) can_share: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) is_default_calendar: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) owner: Option<OwnerResource>,
}

/// Whose calendar it is.
#[derive(Deserialize)]
pub(super) struct OwnerResource {
    #[serde(default, deserialize_with = "loose")]
    pub(super) address: Option<String>,
}

/// The signed-in person.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserResource {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) mail: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) user_principal_name: Option<String>,
}

/// A subscription (microsoft.md §8).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionResource {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) resource: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) notification_url: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) expiration_date_time: Option<String>,
}

/// A block as we write it (microsoft.md §4.3, "Mirror create"). What is not here is never sent: no guests, no meeting, no
/// conference. Everything that is here is always sent, for a PATCH leaves what is absent as it was.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockResource<'a> {
    pub(super) subject: &'a str,
    pub(super) body: BodyResource,
    pub(super) location: LocationResource,
    pub(super) start: TimeResource,
    pub(super) end: TimeResource,
    pub(super) is_all_day: bool,
    pub(super) show_as: &'static str,
    pub(super) sensitivity: &'static str,
    pub(super) is_reminder_on: bool,
    pub(super) categories: Vec<&'a str>,
    pub(super) single_value_extended_properties: [PropertyResource; 1],
    /// Only in a create; it can't be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction_id: Option<String>,
}
