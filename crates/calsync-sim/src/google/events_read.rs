//! events.get and events.instances (google.md §3). A deleted event still answers; an occurrence is found by its id
//! whether or not anything about it was ever stored.

use std::sync::Arc;

use calsync_core::time::{Ts, Window};
use jiff::SignedDuration;
use serde_json::Value;

use super::api::{Call, Success};
use super::errors::ApiError;
use super::ids::{etag, version_of};
use super::list_params::{flag, instant, page_size};
use super::list_walk::Place;
use crate::cloud::event::{Event, Kind, slot_suffix};
use crate::cloud::names::EventId;
use crate::pages::{Key, Page};

impl Call<'_> {
    /// events.get, with `If-None-Match` → 304 (§5).
    pub(super) fn event_get(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.only(&["alwaysIncludeEmail", "maxAttendees", "timeZone"])?;
        let event = EventId::from(event);
        let lags = self.face.lagging().remove(&(self.calendar_id(calendar), event.clone()));
        self.face.cloud.with(|cloud| {
            let (cal, role) = self.readable(cloud, calendar)?;
            let found = cloud.event(&cal.id, &event).filter(|_| !lags).ok_or_else(ApiError::not_found)?;
            let known = self.request.headers.get("if-none-match").and_then(|v| version_of(v));
            if known == Some(found.version) {
                return Ok(Success { status: 304, body: None, etag: Some(etag(found.version)) });
            }
            Ok(Success::of(self.view(cal, role)?.full(&found)))
        })
    }

    /// events.instances. Given an occurrence's id it answers for that one only (§3).
    pub(super) fn instances(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.only(&[
            "alwaysIncludeEmail",
            "maxAttendees",
            "maxResults",
            "originalStart",
            "pageToken",
            "showDeleted",
            "timeMax",
            "timeMin",
            "timeZone",
        ])?;
        let (from, to) = (instant(self.request, "timeMin")?, instant(self.request, "timeMax")?);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(ApiError::time_range_empty("timeMax"));
        }
        // Here `timeMin` is inclusive, unlike in lists (§4).
        let from = from.map_or(Ts::MIN, |at| at.minus(SignedDuration::from_micros(1)));
        let window = Window { from, to: to.unwrap_or(Ts::MAX) };
        let size = page_size(self.request)?;
        let place = Place::simple(self.request, &format!("instances {calendar} {event}"))?;
        let deleted_too = flag(self.request, "showDeleted")?;
        self.face.cloud.with(|cloud| {
            let (cal, role) = self.readable(cloud, calendar)?;
            let id = EventId::from(event);
            let found = cloud.event(&cal.id, &id).ok_or_else(ApiError::not_found)?;
            let mut all: Vec<Arc<Event>> = match found.kind {
                Kind::Single => return Err(ApiError::invalid("The event is not recurring.")),
                Kind::Exception { .. } => vec![found],
                Kind::Series => cloud.occurrences(&cal.id, &id, &window, cloud.limits().occurrences)?,
            };
            all.retain(|e| deleted_too || !e.cancelled);
            if let Some(original) = self.request.param("originalStart") {
                let wanted = original_slot(original)?;
                all.retain(|e| e.slot().map(slot_suffix).as_deref() == Some(wanted.as_str()));
            }
            let keyed = all.into_iter().map(|e| (Key(e.instants(&cal.zone).0.micros(), e.id.to_string()), e));
            let page = Page::cut(keyed.filter(|(key, _)| place.is_before(key)), size);
            let view = self.view(cal, role)?;
            let items: Vec<Value> = page.items.iter().map(|e| view.item(e)).collect();
            let mut body = self.list_head(cal, role, &view);
            if !items.is_empty() {
                body["items"] = Value::Array(items);
            }
            if let Some(key) = page.next {
                body["nextPageToken"] = Value::from(Place { after: Some(key), ..place }.token());
            }
            Ok(Success::of(body))
        })
    }
}

/// The slot that `originalStart` names: a date or an instant.
fn original_slot(text: &str) -> Result<String, ApiError> {
    let slot = text.parse().map_err(|_| ApiError::invalid_parameter("originalStart", "Invalid value."))?;
    Ok(slot_suffix(slot))
}
