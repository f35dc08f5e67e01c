//! An event as Google writes it (google.md §6). Empty lists and default values are left out, times stand in the zone
//! that was asked for, and who may not read the words does not get them.

use calsync_core::time::Ts;
use data_encoding::BASE64URL_NOPAD;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::ids::etag;
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::content::{Attendee, EventType, Party, Response, Status, Transparency, Visibility, When};
use crate::cloud::event::{Event, Kind, Slot};
use crate::cloud::names::PersonId;

/// How somebody sees a calendar's events.
pub(super) struct View<'a> {
    pub(super) calendar: &'a Calendar,
    pub(super) role: AccessRole,
    pub(super) who: &'a PersonId,
    /// The zone in which times are written: `timeZone` of the query, or the calendar's.
    pub(super) zone: TimeZone,
    pub(super) max_attendees: Option<usize>,
}

/// An instant as Google writes `created` and `updated`.
pub(super) fn stamp(at: Ts) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// An instant on the clocks of `zone`, with its offset; `Z` in UTC.
pub(super) fn local(at: Ts, zone: &TimeZone) -> String {
    let zoned = at.to_jiff().to_zoned(zone.clone());
    if zoned.offset().is_zero() && *zone == TimeZone::UTC {
        zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

impl View<'_> {
    /// The event in a list: of a deleted one only the id is sure (§6 `status`), and only the id is given.
    pub(super) fn item(&self, event: &Event) -> Value {
        let bare = json!({"kind": "calendar#event", "etag": etag(event.version), "id": event.id.as_str(), "status": "cancelled"});
        match (&event.kind, event.cancelled) {
            (_, false) => self.full(event),
            (Kind::Exception { series, slot }, true) => {
                let mut bare = bare;
                bare["recurringEventId"] = json!(series.as_str());
                bare["originalStartTime"] = self.original(event, *slot);
                bare
            }
            (_, true) => bare,
        }
    }

    /// The event by its id: a deleted one still answers, with `status: cancelled` (§3 events.get).
    pub(super) fn full(&self, event: &Event) -> Value {
        let mut out = self.times(event);
        if self.hides(event) {
            out.insert("visibility".into(), "private".into());
        } else {
            self.words(event, &mut out);
        }
        Value::Object(out)
    }

    /// Whether only times may be shown (§6: private events under weak roles come with details hidden).
    fn hides(&self, event: &Event) -> bool {
        let private = matches!(event.content.visibility, Visibility::Private | Visibility::Confidential);
        match self.role {
            AccessRole::FreeBusyReader => true,
            AccessRole::Reader | AccessRole::WriterWithoutPrivateAccess => private,
            AccessRole::Writer | AccessRole::Owner => false,
        }
    }

    fn times(&self, event: &Event) -> Map<String, Value> {
        let content = &event.content;
        let eid = BASE64URL_NOPAD.encode(format!("{} {}", event.id, self.calendar.id).as_bytes());
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("kind", "calendar#event".into());
        put("etag", etag(event.version).into());
        put("id", event.id.as_str().into());
        let status = match (event.cancelled, content.status) {
            (true, _) => "cancelled",
            (false, Status::Tentative) => "tentative",
            (false, Status::Confirmed) => "confirmed",
        };
        put("status", status.into());
        put("htmlLink", format!("https://www.google.com/calendar/event?eid={eid}").into());
        put("created", stamp(event.created).into());
        put("updated", stamp(event.updated).into());
        put("iCalUID", (&*event.ical_uid).into());
        put("sequence", event.sequence.into());
        put("start", self.when(&content.start));
        put("end", self.when(&content.end));
        put("organizer", self.party(&event.organizer));
        put("creator", self.party(&event.creator));
        put("eventType", event_type(content.event_type).into());
        if !content.recurrence.is_empty() {
            put("recurrence", content.recurrence.clone().into());
        }
        if let Kind::Exception { series, slot } = &event.kind {
            put("recurringEventId", series.as_str().into());
            put("originalStartTime", self.original(event, *slot));
        }
        if content.transparency == Transparency::Transparent {
            put("transparency", "transparent".into());
        }
        out
    }

    fn words(&self, event: &Event, out: &mut Map<String, Value>) {
        let content = &event.content;
        out.extend(content.extra.clone());
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        let texts = [
            ("summary", &content.summary),
            ("description", &content.description),
            ("location", &content.location),
            ("colorId", &content.color_id),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                put(key, text.as_str().into());
            }
        }
        match content.visibility {
            Visibility::Default => {}
            Visibility::Public => put("visibility", "public".into()),
            Visibility::Private => put("visibility", "private".into()),
            Visibility::Confidential => put("visibility", "confidential".into()),
        }
        if !content.attendees.is_empty() {
            let shown = self.attendees(event);
            if shown.len() < content.attendees.len() {
                put("attendeesOmitted", true.into());
            }
            if !shown.is_empty() {
                put("attendees", Value::Array(shown));
            }
        }
        let properties: Map<String, Value> = [("private", &content.private), ("shared", &content.shared)]
            .into_iter()
            .filter(|(_, map)| !map.is_empty())
            .map(|(key, map)| (key.to_owned(), json!(map)))
            .collect();
        if !properties.is_empty() {
            put("extendedProperties", properties.into());
        }
        put("reminders", reminders(event));
        // `source` is shown only to the account that made it (§6).
        if let Some(source) = content.source.as_ref().filter(|_| event.creator.email == self.who.as_str()) {
            put("source", json!({"title": source.title, "url": source.url}));
        }
    }

    /// One end of an event.
    pub(super) fn when(&self, when: &When) -> Value {
        match when {
            When::Day(date) => json!({"date": date.to_string()}),
            When::At { at, zone } => json!({"dateTime": local(*at, &self.zone), "timeZone": &**zone}),
        }
    }

    fn original(&self, event: &Event, slot: Slot) -> Value {
        match slot {
            Slot::On(date) => json!({"date": date.to_string()}),
            Slot::At(at) => {
                // The zone of the series, not of the exception, which may have been moved to another.
                let master = event.series().and_then(|id| self.calendar.stored(id));
                let zone = match master.map_or(&event.content.start, |m| &m.content.start) {
                    When::At { zone, .. } => zone.clone(),
                    When::Day(_) => self.calendar.time_zone.clone(),
                };
                json!({"dateTime": local(at, &self.zone), "timeZone": &*zone})
            }
        }
    }

    /// Organizer or creator; `self` is relative to the calendar, not to who asks (§6).
    fn party(&self, party: &Party) -> Value {
        let mut out = json!({"email": party.email});
        if let Some(name) = &party.name {
            out["displayName"] = json!(name);
        }
        if party.email.eq_ignore_ascii_case(self.calendar.id.as_str()) {
            out["self"] = json!(true);
        }
        out
    }

    /// The guests; if there are more than were asked for, only this calendar's own (§6 `attendeesOmitted`).
    fn attendees(&self, event: &Event) -> Vec<Value> {
        let all = &event.content.attendees;
        let own = |a: &Attendee| a.email.eq_ignore_ascii_case(self.calendar.id.as_str());
        let cut = self.max_attendees.is_some_and(|most| all.len() > most);
        all.iter().filter(|a| !cut || own(a)).map(|a| self.attendee(event, a, own(a))).collect()
    }

    fn attendee(&self, event: &Event, attendee: &Attendee, own: bool) -> Value {
        let mut out = Value::Object(attendee.extra.clone());
        out["email"] = json!(attendee.email);
        if let Some(name) = &attendee.name {
            out["displayName"] = json!(name);
        }
        let flags = [
            ("self", own),
            ("organizer", attendee.email.eq_ignore_ascii_case(&event.organizer.email)),
            ("optional", attendee.optional),
            ("resource", attendee.resource),
        ];
        for (key, _) in flags.into_iter().filter(|(_, set)| *set) {
            out[key] = json!(true);
        }
        out["responseStatus"] = json!(response(attendee.response));
        out
    }
}

fn reminders(event: &Event) -> Value {
    let Some(reminders) = &event.content.reminders else { return json!({"useDefault": true}) };
    let mut out = json!({"useDefault": reminders.use_default});
    if !reminders.overrides.is_empty() {
        let all = reminders.overrides.iter().map(|r| json!({"method": r.method, "minutes": r.minutes}));
        out["overrides"] = Value::Array(all.collect());
    }
    out
}

pub(super) fn event_type(kind: EventType) -> &'static str {
    match kind {
        EventType::Default => "default",
        EventType::OutOfOffice => "outOfOffice",
        EventType::FocusTime => "focusTime",
        EventType::WorkingLocation => "workingLocation",
        EventType::Birthday => "birthday",
        EventType::FromGmail => "fromGmail",
    }
}

fn response(response: Response) -> &'static str {
    match response {
        Response::NeedsAction => "needsAction",
        Response::Declined => "declined",
        Response::Tentative => "tentative",
        Response::Accepted => "accepted",
    }
}

/// How a role is called.
pub(super) fn role_name(role: AccessRole) -> &'static str {
    match role {
        AccessRole::FreeBusyReader => "freeBusyReader",
        AccessRole::Reader => "reader",
        AccessRole::WriterWithoutPrivateAccess => "writerWithoutPrivateAccess",
        AccessRole::Writer => "writer",
        AccessRole::Owner => "owner",
    }
}
