//! An event as Graph writes it (microsoft.md §4.3), whole or as a delta's stub. It shows what the cloud holds and decides
//! nothing; a fact of Outlook's that the cloud does not have gets the value it has by default.

use calsync_core::zone;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::api::Call;
use super::event_text::plain;
use super::event_times::{shown, stamp};
use super::ids::{change_key, etag, stub_etag};
use super::pattern;
use crate::cloud::Cloud;
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::content::{Content, EventType, Status, Transparency, Visibility, When};
use crate::cloud::event::{Event, Kind, slot_suffix};
use crate::cloud::outlook::Away;
use crate::windows_zones::windows_name;

/// Minutes before the start at which a fresh mailbox reminds (§4.3 `isReminderOn`).
pub(super) const REMINDER_MINUTES: u32 = 15;

/// Characters of `bodyPreview`.
const PREVIEW: usize = 255;

/// How somebody sees a calendar's events.
pub(super) struct View<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) cloud: &'a Cloud,
    pub(super) calendar: &'a Calendar,
}

/// The version that an etag of this event stands for: an exception is a part of its master, so the master's moves with
/// each of them.
pub(super) fn version(calendar: &Calendar, event: &Event) -> u64 {
    match event.kind {
        Kind::Series => calendar.exceptions(&event.id).map(|e| e.version).fold(event.version, u64::max),
        Kind::Single | Kind::Exception { .. } => event.version,
    }
}

/// `showAs` of a content.
pub(crate) fn show_as(content: &Content) -> &'static str {
    match (content.outlook.away, content.event_type) {
        (Some(Away::OutOfOffice), _) | (None, EventType::OutOfOffice) => "oof",
        (Some(Away::WorkingElsewhere), _) | (None, EventType::WorkingLocation) => "workingElsewhere",
        (None, _) => match (content.transparency, content.status) {
            (Transparency::Transparent, _) => "free",
            (Transparency::Opaque, Status::Tentative) => "tentative",
            (Transparency::Opaque, Status::Confirmed) => "busy",
        },
    }
}

impl View<'_> {
    /// A rule's occurrence that nobody touched, as against one that was changed.
    pub(super) fn is_plain_occurrence(&self, event: &Event) -> bool {
        event.series().is_some() && self.calendar.stored(&event.id).is_none()
    }

    /// What a delta shows of an occurrence: seven members and no more (§7).
    pub(super) fn stub(&self, event: &Event) -> Value {
        let (zone, label) = (&self.call.prefer.zone, self.call.prefer.stub_label());
        json!({
            "@odata.type": "#microsoft.graph.event",
            "@odata.etag": stub_etag(event.version),
            "id": self.id(event),
            "seriesMasterId": event.series().map(|s| self.call.event_name(s, &self.calendar.id)),
            "type": "occurrence",
            "start": shown(&event.content.start, zone, label),
            "end": shown(&event.content.end, zone, label),
        })
    }

    /// The id of an event here.
    pub(super) fn id(&self, event: &Event) -> String {
        self.call.event_name(&event.id, &self.calendar.id)
    }

    /// The whole event.
    pub(super) fn full(&self, event: &Event) -> Value {
        let content = &event.content;
        let mut out = self.frame(event);
        let hidden = self.hides(content);
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        let words =
            |text: &Option<String>| if hidden { String::new() } else { text.clone().unwrap_or_default() };
        let subject = if hidden { "Private appointment".to_owned() } else { words(&content.summary) };
        put("subject", subject.into());
        let body = if hidden { &None } else { &content.description };
        put(
            "bodyPreview",
            plain(body.as_deref().unwrap_or(""), content.outlook.body)
                .chars()
                .take(PREVIEW)
                .collect::<String>()
                .into(),
        );
        put("body", self.body(body.as_deref().unwrap_or(""), content.outlook.body));
        let location = words(&content.location);
        put("location", place(&location));
        put("locations", if location.is_empty() { json!([]) } else { json!([place(&location)]) });
        put("categories", if hidden { json!([]) } else { json!(content.outlook.categories) });
        put("attendees", if hidden { json!([]) } else { self.attendees(event) });
        Value::Object(out)
    }

    /// Everything but the words.
    fn frame(&self, event: &Event) -> Map<String, Value> {
        let (content, prefer) = (&event.content, &self.call.prefer);
        let version = version(self.calendar, event);
        let leads = self.calendar.leads(event);
        let kept = &content.outlook.kept;
        let kept = |key: &str, default: Value| kept.get(key).cloned().unwrap_or(default);
        let suffix = event.slot().map(slot_suffix).unwrap_or_default();
        let (on, minutes) = reminder(content);
        let zone_of = |when: &When| match when {
            When::At { zone, .. } => windows_name(zone).unwrap_or(zone).to_owned(),
            When::Day(_) => windows_name(&self.calendar.time_zone).unwrap_or("UTC").to_owned(),
        };
        let kind = match &event.kind {
            Kind::Single => "singleInstance",
            Kind::Series => "seriesMaster",
            Kind::Exception { .. } if self.is_plain_occurrence(event) => "occurrence",
            Kind::Exception { .. } => "exception",
        };
        let id = self.id(event);
        let master = event.series().map(|s| self.call.event_name(s, &self.calendar.id));
        let all = json!({
            "@odata.etag": etag(version),
            "createdDateTime": stamp(event.created),
            "lastModifiedDateTime": stamp(event.updated),
            "changeKey": change_key(version),
            "transactionId": content.outlook.transaction_id,
            "originalStartTimeZone": zone_of(&content.start),
            "originalEndTimeZone": zone_of(&content.end),
            // Equal across copies of a meeting, but not across occurrences (§4.3 `iCalUId`).
            "iCalUId": format!("{}{suffix}", event.ical_uid),
            "uid": &*event.ical_uid,
            "reminderMinutesBeforeStart": minutes,
            "isReminderOn": on,
            "hasAttachments": false,
            "importance": kept("importance", "normal".into()),
            "sensitivity": sensitivity(content),
            "isAllDay": content.start.is_day(),
            "isCancelled": content.outlook.cancelled_by_organizer,
            "isOrganizer": leads,
            "responseRequested": kept("responseRequested", true.into()),
            "seriesMasterId": master,
            "showAs": show_as(content),
            "type": kind,
            "webLink": format!("https://outlook.office365.com/owa/?itemid={}&exvsurl=1&path=/calendar/item", id.replace('=', "%3D")),
            "onlineMeetingUrl": null,
            "isOnlineMeeting": kept("isOnlineMeeting", false.into()),
            "onlineMeetingProvider": "unknown",
            "allowNewTimeProposals": kept("allowNewTimeProposals", true.into()),
            "occurrenceId": event.series().map(|s| format!("OID.{}.{}", self.call.event_name(s, &self.calendar.id), day(&suffix))),
            "isDraft": false,
            "hideAttendees": kept("hideAttendees", false.into()),
            "responseStatus": self.response(event, leads),
            "start": shown(&content.start, &prefer.zone, &prefer.zone_label),
            "end": shown(&content.end, &prefer.zone, &prefer.zone_label),
            "recurrence": if event.kind == Kind::Series { pattern::shown(content) } else { None },
            "organizer": self.organizer(event),
            "onlineMeeting": null,
            "id": id,
        });
        match all {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Whether only times may be shown: private events of calendars that are shared without that right.
    fn hides(&self, content: &Content) -> bool {
        let private = matches!(content.visibility, Visibility::Private | Visibility::Confidential);
        match self.calendar.role(self.call.person()) {
            None | Some(AccessRole::FreeBusyReader) => true,
            Some(AccessRole::Reader | AccessRole::WriterWithoutPrivateAccess) => private,
            Some(AccessRole::Writer | AccessRole::Owner) => false,
        }
    }
}

/// Whether and when it reminds.
fn reminder(content: &Content) -> (bool, u32) {
    match &content.reminders {
        None => (true, REMINDER_MINUTES),
        Some(reminders) => {
            let first = reminders.overrides.first().map(|r| r.minutes);
            (first.is_some() || reminders.use_default, first.unwrap_or(REMINDER_MINUTES))
        }
    }
}

fn sensitivity(content: &Content) -> &'static str {
    match content.visibility {
        Visibility::Private if content.outlook.personal => "personal",
        Visibility::Private => "private",
        Visibility::Confidential => "confidential",
        Visibility::Default | Visibility::Public => "normal",
    }
}

fn place(name: &str) -> Value {
    json!({"displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": if name.is_empty() { "unknown" } else { "private" }})
}

/// The day of a slot's suffix, with dashes.
fn day(suffix: &str) -> String {
    match suffix.get(..8) {
        Some(d) => format!("{}-{}-{}", &d[..4], &d[4..6], &d[6..8]),
        None => String::new(),
    }
}

/// The zone of an authoring time, for whoever compares dates in it.
pub(super) fn authoring_zone(content: &Content) -> TimeZone {
    match &content.start {
        When::At { zone: name, .. } => zone::find_or_utc(name),
        When::Day(_) => TimeZone::UTC,
    }
}
