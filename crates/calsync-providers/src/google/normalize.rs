//! Google's events in the vocabulary of `calsync-core` (google.md §6 and §7). Pure; never asks anybody anything.
//!
//! An item that can't be read costs neither its page nor a block. Where its id can be read it becomes an event whose
//! repetition is unreadable: the planner then removes nothing that stands for it, makes nothing new, and says so in
//! `explain`. Where not even the id can be read, the page fails: it must not count towards a complete listing.

use calsync_core::block::{MARKER_NAME, Marker, Visibility};
use calsync_core::calendar::Access;
use calsync_core::event::{Event, EventKind, Response, Series, ShowAs, Status, When};
use calsync_core::ids::EventId;
use calsync_core::ports::{RemoteEvent, RemoteItem};
use calsync_core::recurrence::{OriginalStart, Recurrence};
use calsync_core::time::{Span, Ts};
use calsync_core::zone;
use jiff::civil::{Date, DateTime};

use super::resource::{AttendeeResource, EventResource, NamedResource, TimeResource};
use crate::items::{Malformed, bounded, event_id, object, same_address, text};

/// Longest marker kept: Google cuts property values here (google.md §6).
const MARKER_MAX: usize = 1_024;
/// Group, import and holiday calendars; anything else with an `@` is a person's or a resource's main calendar.
const GROUP_CALENDARS: &str = ".calendar.google.com";

/// What an item's meaning depends on beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Google's id of the calendar, `primary` included.
    pub calendar: &'a str,
    /// The account's address.
    pub email: &'a str,
    /// The calendar's zone, as the page tells it.
    pub zone: Option<&'a str>,
}

/// One item of a listing, or the answer to a read or write of one event.
pub fn item(json: &str, around: &Surroundings<'_>) -> Result<RemoteItem, Malformed> {
    let resource: EventResource = match object(json.as_bytes()) {
        Some(resource) => resource,
        None => {
            let id = object::<NamedResource>(json.as_bytes()).and_then(|named| event_id(named.id));
            return Err(Malformed { id, why: "a field has a form we do not know" });
        }
    };
    let Some(id) = event_id(resource.id.clone()) else {
        return Err(Malformed { id: None, why: "no usable id" });
    };
    convert(&id, resource, around).map_err(|why| Malformed { id: Some(id), why })
}

/// What a role allows. New roles appear (google.md §3): an unknown one may read.
pub(super) fn access(role: &str) -> Access {
    match role {
        "none" | "freeBusyReader" => Access::FreeBusy,
        "writer" | "writerWithoutPrivateAccess" => Access::Write,
        "owner" => Access::Owner,
        _ => Access::Read,
    }
}

fn convert(id: &EventId, r: EventResource, around: &Surroundings<'_>) -> Result<RemoteItem, &'static str> {
    let cancelled = r.status.as_deref() == Some("cancelled");
    if cancelled && r.recurring_event_id.is_none() {
        // "Only the id is sure": deleted, or moved to another calendar (google.md §6).
        return Ok(RemoteItem::Gone { id: id.clone() });
    }
    let series = series(id, &r, around)?;
    let guests = r.attendees.as_deref();
    // A list is cut for its length (google.md §6 `attendeesOmitted`).
    let has_guests =
        r.attendees_omitted == Some(true) || guests.is_some_and(|guests| has_guests(guests, around));
    let event = Event {
        id: id.clone(),
        // Of a cancelled occurrence nothing but its identity is sure: keep no more, so that it always reads the same.
        when: if cancelled { None } else { Some(when(&r, around)?) },
        series,
        status: match r.status.as_deref() {
            Some("cancelled") => Status::Cancelled,
            Some("tentative") => Status::Tentative,
            _ => Status::Confirmed,
        },
        show_as: if r.transparency.as_deref() == Some("transparent") { ShowAs::Free } else { ShowAs::Busy },
        response: guests.and_then(|guests| response(guests, around)),
        kind: kind(r.event_type.as_deref()),
        text: text(r.summary, r.description, r.location),
        version: r.etag,
        updated: r.updated.and_then(|updated| updated.parse().ok()),
        ical_uid: r.ical_uid.filter(|uid| !uid.is_empty()),
    };
    let private = r.extended_properties.and_then(|properties| properties.private);
    let marker = private.as_ref().and_then(|private| private.get(MARKER_NAME)).map(marker);
    let visibility = match r.visibility.as_deref() {
        Some("private" | "confidential") => Visibility::Private,
        _ => Visibility::Calendar,
    };
    Ok(RemoteItem::Present(Box::new(RemoteEvent {
        event,
        marker,
        visibility,
        colour: r.color_id,
        has_guests,
    })))
}

fn kind(event_type: Option<&str>) -> EventKind {
    match event_type {
        None | Some("default") => EventKind::Default,
        Some("outOfOffice") => EventKind::OutOfOffice,
        Some("focusTime") => EventKind::FocusTime,
        Some("workingLocation") => EventKind::WorkingLocation,
        Some("birthday") => EventKind::Birthday,
        Some("fromGmail") => EventKind::FromMail,
        Some(_) => EventKind::Unknown,
    }
}

fn marker(value: &serde_json::Value) -> Marker {
    // Whatever its form, it says that somebody marked this event.
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Marker(bounded(text, MARKER_MAX))
}

pub(super) fn series(
    id: &EventId,
    r: &EventResource,
    around: &Surroundings<'_>,
) -> Result<Series, &'static str> {
    if let Some(master) = &r.recurring_event_id {
        let master = event_id(master.clone()).ok_or("no usable id of its series")?;
        let original = match &r.original_start_time {
            Some(time) => match read(time, around)? {
                Point::At(at) => OriginalStart::At(at),
                Point::On(date) => OriginalStart::On(date),
            },
            None => original_of(id).ok_or("no original start")?,
        };
        return Ok(Series::Instance { master, original });
    }
    match &r.recurrence {
        Some(lines) if !lines.is_empty() => {
            Ok(Series::Master { recurrence: Recurrence { lines: lines.clone() } })
        }
        _ => Ok(Series::Single),
    }
}

/// The original start that an instance id ends in. Not documented (google.md §7), so only where nothing else tells.
fn original_of(id: &EventId) -> Option<OriginalStart> {
    let (_, suffix) = id.as_str().rsplit_once('_')?;
    if let Some(utc) = suffix.strip_suffix('Z').filter(|s| s.len() == 15) {
        let at = DateTime::strptime("%Y%m%dT%H%M%S", utc).ok()?;
        return Some(OriginalStart::At(Ts::from_jiff(
            at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
        )));
    }
    (suffix.len() == 8).then(|| Date::strptime("%Y%m%d", suffix).ok().map(OriginalStart::On))?
}

/// An instant or a date.
enum Point {
    At(Ts),
    On(Date),
}

fn read(time: &TimeResource, around: &Surroundings<'_>) -> Result<Point, &'static str> {
    if let Some(text) = &time.date_time {
        if let Ok(at) = text.parse() {
            return Ok(Point::At(at));
        }
        // An offset may be missing where a zone is named (google.md §6).
        let local: DateTime = text.parse().map_err(|_| "an unreadable time")?;
        let zone = time
            .time_zone
            .as_deref()
            .or(around.zone)
            .and_then(zone::find)
            .ok_or("a time in an unknown zone")?;
        let at = zone.to_ambiguous_timestamp(local).compatible().map_err(|_| "a time out of range")?;
        return Ok(Point::At(Ts::from_jiff(at)));
    }
    let date = time.date.as_deref().ok_or("neither a time nor a date")?;
    date.parse().map(Point::On).map_err(|_| "an unreadable date")
}

/// Start and end. An end that is missing, or lies before the start, is the start (or the day after, for dates): other
/// calendars hold such events. A filler end (`endTimeUnspecified`) is taken as it is: it is what Google shows.
fn when(r: &EventResource, around: &Surroundings<'_>) -> Result<When, &'static str> {
    let start = r.start.as_ref().ok_or("no start")?;
    let end = r.end.as_ref().map(|end| read(end, around)).transpose()?;
    match (read(start, around)?, end) {
        (Point::At(start_at), end) => {
            let end = match end {
                Some(Point::At(end)) => end.max(start_at),
                None => start_at,
                Some(Point::On(_)) => return Err("a time with a date for its end"),
            };
            Ok(When::Timed { start: start_at, end, zone: start.time_zone.clone().filter(|z| !z.is_empty()) })
        }
        (Point::On(start), end) => {
            let next = start.tomorrow().map_err(|_| "a date out of range")?;
            let end = match end {
                Some(Point::On(end)) => end.max(next),
                None => next,
                Some(Point::At(_)) => return Err("a date with a time for its end"),
            };
            Ok(When::AllDay { start, end })
        }
    }
}

/// What the calendar's owner answered. `self` was seen missing on secondary calendars (google.md §6): then the address
/// decides. On another person's calendar our own address does not: their event is not declined because we declined.
fn response(guests: &[AttendeeResource], around: &Surroundings<'_>) -> Option<Response> {
    let with = |address: &str| guests.iter().find(|guest| has_address(guest, address));
    let owner = guests.iter().find(|guest| guest.is_self == Some(true));
    let owner = owner.or_else(|| with(around.calendar));
    let owner = owner.or_else(|| if is_somebody_elses(around) { None } else { with(around.email) })?;
    match owner.response_status.as_deref()? {
        "accepted" => Some(Response::Accepted),
        "declined" => Some(Response::Declined),
        "tentative" => Some(Response::Tentative),
        "needsAction" => Some(Response::NeedsAction),
        _ => None,
    }
}

/// Whether anybody is invited beside the calendar's owner: who has guests is listed among them by Google's own pages.
fn has_guests(guests: &[AttendeeResource], around: &Surroundings<'_>) -> bool {
    let is_owner = |guest: &AttendeeResource| {
        guest.is_self == Some(true)
            || has_address(guest, around.calendar)
            || (!is_somebody_elses(around) && has_address(guest, around.email))
    };
    !guests.iter().all(is_owner)
}

fn has_address(guest: &AttendeeResource, address: &str) -> bool {
    guest.email.as_deref().is_some_and(|email| same_address(email, address))
}

fn is_somebody_elses(around: &Surroundings<'_>) -> bool {
    let calendar = around.calendar;
    calendar.contains('@') && !calendar.ends_with(GROUP_CALENDARS) && !same_address(calendar, around.email)
}

/// A block's time as we write it: instants in UTC, dates as dates.
pub(super) fn times(span: &Span) -> (TimeResource, TimeResource) {
    let at = |ts: Ts| TimeResource { date_time: Some(ts.to_string()), ..TimeResource::default() };
    let on = |date: Date| TimeResource { date: Some(date.to_string()), ..TimeResource::default() };
    match *span {
        Span::Timed { start, end } => (at(start), at(end)),
        Span::AllDay { start, end } => (on(start), on(end)),
    }
}

#[cfg(test)]
mod tests;
