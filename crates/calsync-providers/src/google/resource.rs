//! Google's resources as they stand on the wire: only the fields that we read or write. Never decides what they mean.
//!
//! Fields on which time and identity hang are read strictly; a wrong type in any other is taken for absence, so that a
//! novelty at Google costs no event.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::items::loose;

/// A page of `events.list`. Items are kept as text, so that one bad item costs only itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventsPage<'a> {
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
    #[serde(default)]
    pub(super) next_sync_token: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) time_zone: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) access_role: Option<String>,
}

/// An event (google.md §6).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventResource {
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) etag: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) updated: Option<String>,
    #[serde(default, deserialize_with = "loose", rename = "iCalUID")]
    pub(super) ical_uid: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) summary: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) location: Option<String>,
    #[serde(default)]
    pub(super) start: Option<TimeResource>,
    #[serde(default)]
    pub(super) end: Option<TimeResource>,
    #[serde(default)]
    pub(super) recurrence: Option<Vec<String>>,
    #[serde(default)]
    pub(super) recurring_event_id: Option<String>,
    #[serde(default)]
    pub(super) original_start_time: Option<TimeResource>,
    #[serde(default)]
    pub(super) transparency: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) visibility: Option<String>,
    #[serde(default)]
    pub(super) event_type: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) color_id: Option<String>,
    #[serde(default)]
    pub(super) attendees: Option<Vec<AttendeeResource>>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) attendees_omitted: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) extended_properties: Option<PropertiesResource>,
}

/// All that is needed to name an item that can't be read otherwise.
#[derive(Deserialize)]
pub(super) struct NamedResource {
    pub(super) id: String,
}

/// A date, or a date-time with an offset, a zone, or both.
#[derive(Deserialize, Serialize, Default, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeResource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
}

/// A guest. Only to find out what the calendar's owner answered, and whether there is another; never kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttendeeResource {
    #[serde(default, deserialize_with = "loose", rename = "self")]
    pub(super) is_self: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) email: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) response_status: Option<String>,
}

/// Extended properties; the shared ones are not ours to read.
#[derive(Deserialize)]
pub(super) struct PropertiesResource {
    #[serde(default, deserialize_with = "loose")]
    pub(super) private: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A page of `calendarList.list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarsPage {
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) items: Option<Vec<CalendarResource>>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

/// An entry of the calendar list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarResource {
    pub(super) id: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) summary: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) summary_override: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) time_zone: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) background_color: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) access_role: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) primary: Option<bool>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) deleted: Option<bool>,
}

/// What `events.watch` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelResource {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) resource_id: String,
    /// Documented as a number, sent as a decimal string (google.md §8).
    #[serde(default)]
    pub(super) expiration: Option<serde_json::Value>,
}

/// A block as we write it (google.md §6, "minimal mirror write"). What is not here is never sent: no guests, no
/// conference, no `sequence`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockResource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<&'a str>,
    pub(super) start: TimeResource,
    pub(super) end: TimeResource,
    pub(super) status: &'static str,
    pub(super) transparency: &'static str,
    pub(super) visibility: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) color_id: Option<&'a str>,
    pub(super) reminders: RemindersResource,
    pub(super) extended_properties: MarkerResource<'a>,
}

/// Silence: neither the calendar's default reminders nor any of our own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemindersResource {
    pub(super) use_default: bool,
    pub(super) overrides: [(); 0],
}

/// The marker among the private properties.
#[derive(Serialize)]
pub(super) struct MarkerResource<'a> {
    pub(super) private: std::collections::BTreeMap<&'static str, &'a str>,
}
