//! events.insert, .update, .patch, .delete, .import, .move (google.md §3 and §5). They read the request, call one
//! write of the cloud and write the answer; what holds for a write is the cloud's business.

use std::sync::Arc;

use calsync_core::zone;
use serde_json::{Map, Value};

use super::api::{Call, Success};
use super::errors::ApiError;
use super::event_json::View;
use super::event_parse::{Feature, Setting, content, merge};
use super::ids::is_event_id;
use super::{LAGGING_MAX, event_json};
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::content::Party;
use crate::cloud::event::Event;
use crate::cloud::journal::Op;
use crate::cloud::names::{CalendarId, EventId};
use crate::cloud::{Cloud, CloudError, Ids, Imported};
use crate::faults::Fault;

/// Query parameters of writes.
const WRITING: [&str; 8] = [
    "alwaysIncludeEmail",
    "conferenceDataVersion",
    "eventLabelVersion",
    "maxAttendees",
    "sendNotifications",
    "sendUpdates",
    "supportsAttachments",
    "destination",
];

impl Call<'_> {
    /// events.insert: 409 if the id or the UID was ever used (§5).
    pub(super) fn insert(&self, calendar: &str) -> Result<Success, ApiError> {
        self.checked_params()?;
        let id = self.calendar_id(calendar);
        let by = self.writing(&id)?;
        let body = self.body()?;
        let ids = Ids { id: chosen_id(&body)?, ical_uid: string(&body, "iCalUID")? };
        let done = self.face.cloud.with(|cloud| {
            let cal = cloud.calendar_for(&id, self.person(), AccessRole::FreeBusyReader)?;
            let content = content(&body, self.reading(cal))?;
            let after = cloud.insert(&by, &id, ids, content, self.now)?.after;
            self.shown(cloud, &id, &after)
        })?;
        if self.face.faults.strikes(Fault::ReplicationLag)
            && let Some(event) = done.body.as_ref().and_then(|b| b.get("id")).and_then(Value::as_str)
        {
            let mut lagging = self.face.lagging();
            if lagging.len() < LAGGING_MAX {
                lagging.insert((id, EventId::from(event)));
            }
        }
        Ok(done)
    }

    /// events.update: what is not named is reset.
    pub(super) fn update(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.put(calendar, event, Op::Update, |_, body| Value::Object(body))
    }

    /// events.patch: what is not named stays.
    pub(super) fn patch(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.put(calendar, event, Op::Patch, |mut known, body| {
            merge(&mut known, &Value::Object(body));
            known
        })
    }

    fn put(
        &self,
        calendar: &str,
        event: &str,
        op: Op,
        combine: impl FnOnce(Value, Map<String, Value>) -> Value,
    ) -> Result<Success, ApiError> {
        self.checked_params()?;
        let (id, event) = (self.calendar_id(calendar), EventId::from(event));
        let by = self.writing(&id)?;
        let (body, guard) = (self.body()?, self.guard()?);
        self.face.cloud.with(|cloud| {
            let cal = cloud.calendar_for(&id, self.person(), AccessRole::FreeBusyReader)?;
            let known = cloud.event(&id, &event).ok_or_else(ApiError::not_found)?;
            let setting = self.reading(cal);
            let whole = combine(self.writable_form(cal, &known), body);
            let Value::Object(mut whole) = whole else { return Err(ApiError::parse_error()) };
            if whole.get("status").and_then(Value::as_str) == Some("cancelled") && !known.cancelled {
                // Cancelling by status is a deletion.
                let after = cloud.delete(&by, &id, &event, guard, self.now)?.after;
                return self.shown(cloud, &id, &after);
            }
            whole
                .entry("eventType")
                .or_insert_with(|| event_json::event_type(known.content.event_type).into());
            let mut content = content(&whole, setting)?;
            content.outlook = known.content.outlook.clone();
            match cloud.replace(&by, &id, &event, (guard, op), content, self.now) {
                Ok(written) => self.shown(cloud, &id, &written.after),
                // Back to life by PUT or PATCH is unreliable, 403 is reported (§5): here it never works.
                Err(CloudError::Deleted) => Err(ApiError::forbidden()),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// events.delete: 204, the second time 410 `deleted`.
    pub(super) fn delete(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.checked_params()?;
        let id = self.calendar_id(calendar);
        let by = self.writing(&id)?;
        let guard = self.guard()?;
        self.face.cloud.with(|cloud| cloud.delete(&by, &id, &EventId::from(event), guard, self.now))?;
        Ok(Success::empty())
    }

    /// events.import: a private copy, keyed by the mandatory `iCalUID`.
    pub(super) fn import(&self, calendar: &str) -> Result<Success, ApiError> {
        self.checked_params()?;
        let id = self.calendar_id(calendar);
        let by = self.writing(&id)?;
        let body = self.body()?;
        let ical_uid = string(&body, "iCalUID")?.ok_or_else(|| ApiError::required("Missing iCalUID."))?;
        let organizer = body.get("organizer").and_then(|o| {
            let name = o.get("displayName").and_then(Value::as_str).map(str::to_owned);
            Some(Party { email: o.get("email")?.as_str()?.to_owned(), name })
        });
        self.face.cloud.with(|cloud| {
            let cal = cloud.calendar_for(&id, self.person(), AccessRole::FreeBusyReader)?;
            let content = content(&body, self.reading(cal))?;
            let after = cloud.import(&by, &id, Imported { ical_uid, organizer, content }, self.now)?.after;
            self.shown(cloud, &id, &after)
        })
    }

    /// events.move: the event at its destination; the source keeps an id-only stub.
    pub(super) fn move_event(&self, calendar: &str, event: &str) -> Result<Success, ApiError> {
        self.checked_params()?;
        let destination = self.request.param("destination");
        let to = destination.ok_or_else(|| ApiError::required("Required parameter: destination"))?;
        let (from, to) = (self.calendar_id(calendar), self.calendar_id(to));
        let by = self.writing(&from)?;
        self.writing(&to)?;
        let guard = self.guard()?;
        self.face.cloud.with(|cloud| {
            let moved = cloud.move_event(&by, (&from, &to), &EventId::from(event), guard, self.now)?;
            self.shown(cloud, &to, &moved.after)
        })
    }

    fn checked_params(&self) -> Result<(), ApiError> {
        self.only(&WRITING)?;
        let known = |v: &str| matches!(v, "all" | "externalOnly" | "none");
        match self.request.param("sendUpdates") {
            Some(odd) if !known(odd) => {
                Err(ApiError::invalid_parameter("sendUpdates", &format!("Invalid value: {odd}")))
            }
            _ => Ok(()),
        }
    }

    fn reading<'c>(&self, calendar: &'c Calendar) -> Setting<'c> {
        let known =
            |name| if self.request.param(name) == Some("1") { Feature::Known } else { Feature::Unknown };
        Setting {
            calendar_zone: &calendar.time_zone,
            conferences: known("conferenceDataVersion"),
            labels: known("eventLabelVersion"),
        }
    }

    /// The event in full, as a patch is laid over it.
    fn writable_form(&self, calendar: &Calendar, event: &Arc<Event>) -> Value {
        let creator = crate::cloud::names::PersonId::from(event.creator.email.as_str());
        let zone = calendar.zone.clone();
        View { calendar, role: AccessRole::Owner, who: &creator, zone, max_attendees: None }.full(event)
    }

    fn shown(&self, cloud: &Cloud, calendar: &CalendarId, event: &Arc<Event>) -> Result<Success, ApiError> {
        let calendar = cloud.calendar(calendar).ok_or_else(ApiError::not_found)?;
        let role = calendar.role(self.person()).ok_or_else(ApiError::not_found)?;
        Ok(Success::of(self.view(calendar, role)?.full(event)))
    }

    /// How the caller sees a calendar's events, by `timeZone` and `maxAttendees` of the query.
    pub(super) fn view<'v>(&'v self, calendar: &'v Calendar, role: AccessRole) -> Result<View<'v>, ApiError> {
        let zone = match self.request.param("timeZone") {
            None => calendar.zone.clone(),
            Some(name) => zone::find(name)
                .ok_or_else(|| ApiError::invalid_parameter("timeZone", "Invalid time zone."))?,
        };
        let max_attendees = self.request.param("maxAttendees").map(|n| {
            n.parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| ApiError::invalid_parameter("maxAttendees", "Invalid value."))
        });
        Ok(View { calendar, role, who: self.person(), zone, max_attendees: max_attendees.transpose()? })
    }
}

/// The id that the program chose, if it did (§5).
fn chosen_id(body: &Map<String, Value>) -> Result<Option<EventId>, ApiError> {
    match string(body, "id")? {
        Some(id) if is_event_id(&id) => Ok(Some(EventId::from(id))),
        Some(_) => Err(ApiError::invalid("Invalid resource id value.")),
        None => Ok(None),
    }
}

fn string(body: &Map<String, Value>, key: &str) -> Result<Option<String>, ApiError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (1..=1_024).contains(&text.len()) => Ok(Some(text.clone())),
        Some(_) if key == "id" => Err(ApiError::invalid("Invalid resource id value.")),
        Some(_) => Err(ApiError::invalid(&format!("Invalid value for: {key}"))),
    }
}
