//! From the cloud's events to what the adapter of Microsoft makes of Graph's, and from blocks to the cloud's content
//! (microsoft.md §4.3, §5). Pure.

use calsync_core::block::{BlockBusy, BlockContent, MARKER_NAME, Marker, Visibility};
use calsync_core::event::{self as core, EventKind, EventText, Series, ShowAs};
use calsync_core::ids::EventId;
use calsync_core::ports::RemoteEvent;
use calsync_core::time::Span;

use crate::cloud::calendar::Calendar;
use crate::cloud::content::{self, Content, Response, Status, Transparency, When};
use crate::cloud::event::Event;
use crate::cloud::names::PersonId;
use crate::microsoft::event_json::show_as;

/// The type and GUID that stand before the name of the property with a block's marker (§5).
const PROPERTY_HEAD: &str = "String {5d2f3c3e-8f0b-4b0a-9c43-0b7a6d1e52c7} Name ";
/// What a block's key begins with; its marker follows.
const KEY_HEAD: &str = "calsync-";
/// What stands between the categories of a block.
const CATEGORY_SEPARATOR: char = ',';

/// What was asked for beside the event itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its properties as well, as when one event is read by its id.
    Properties,
    /// Nothing: deltas and answers to writes show no properties.
    Nothing,
}

/// The name of the property with a block's marker.
pub(super) fn property() -> String {
    format!("{PROPERTY_HEAD}{MARKER_NAME}")
}

/// The key of a create: its marker, which is the same for each try of it.
pub(super) fn key(marker: &Marker) -> String {
    format!("{KEY_HEAD}{}", marker.0)
}

/// An event that is no master, as the ports tell it.
pub(super) fn remote(event: &Event, calendar: &Calendar, person: &PersonId, asked: Asked) -> RemoteEvent {
    let content = &event.content;
    let shown = show_as(content);
    let series = match event.series() {
        None => Series::Single,
        Some(master) => Series::Occurrence { master: EventId(master.to_string()) },
    };
    // A stub and the whole item of one occurrence tell different versions: neither is taken over.
    let single = series == Series::Single;
    let full = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let text = EventText {
        title: content.summary.clone(),
        description: full(&content.description),
        location: full(&content.location),
    };
    let cancelled = content.outlook.cancelled_by_organizer;
    let colour = content.outlook.categories.join(&CATEGORY_SEPARATOR.to_string());
    RemoteEvent {
        event: core::Event {
            id: EventId(event.id.to_string()),
            version: single.then(|| event.version.to_string()),
            updated: single.then_some(event.updated),
            ical_uid: Some(event.ical_uid.to_string()),
            when: when(content),
            series,
            status: if cancelled { core::Status::Cancelled } else { core::Status::Confirmed },
            show_as: match shown {
                "free" => ShowAs::Free,
                "tentative" => ShowAs::Tentative,
                _ => ShowAs::Busy,
            },
            response: response(event, calendar, person),
            kind: match shown {
                "oof" => EventKind::OutOfOffice,
                "workingElsewhere" => EventKind::WorkingLocation,
                _ => EventKind::Default,
            },
            text: Some(text),
        },
        marker: marker(content, asked),
        visibility: match content.visibility {
            content::Visibility::Private if !content.outlook.personal => Visibility::Private,
            content::Visibility::Confidential => Visibility::Private,
            _ => Visibility::Calendar,
        },
        colour: Some(colour).filter(|colour| !colour.is_empty()),
        has_guests: has_guests(event),
    }
}

/// The organizer is no guest (§4.3 `attendees`).
fn has_guests(event: &Event) -> bool {
    let organizer = event.organizer.email.as_str();
    event.content.attendees.iter().any(|a| !a.email.eq_ignore_ascii_case(organizer))
}

/// The property where it was asked for, else the key, which every whole item shows.
fn marker(content: &Content, asked: Asked) -> Option<Marker> {
    let property = content.private.get(&property()).filter(|_| asked == Asked::Properties);
    let key = content.outlook.transaction_id.as_deref().and_then(|key| key.strip_prefix(KEY_HEAD));
    property.map(String::as_str).or(key).map(|text| Marker(text.to_owned()))
}

/// Who leads a meeting is not asked, also where they are among its guests (§4.3 `responseStatus`).
fn response(event: &Event, calendar: &Calendar, person: &PersonId) -> Option<core::Response> {
    if calendar.leads(event) {
        return None;
    }
    event.content.attendee(person.as_str()).map(|me| match me.response {
        Response::NeedsAction => core::Response::NeedsAction,
        Response::Declined => core::Response::Declined,
        Response::Tentative => core::Response::Tentative,
        Response::Accepted => core::Response::Accepted,
    })
}

/// Occurrences are enumerated, so that nobody needs the zone of a wall clock.
fn when(content: &Content) -> Option<core::When> {
    match (&content.start, &content.end) {
        (When::Day(start), When::Day(end)) => Some(core::When::AllDay { start: *start, end: *end }),
        (When::At { at: start, .. }, When::At { at: end, .. }) => {
            Some(core::When::Timed { start: *start, end: *end, zone: None })
        }
        _ => None,
    }
}

/// A new block as the cloud stores it.
pub(super) fn fresh(block: &BlockContent, marker: &Marker) -> Content {
    let (start, end) = ends(&block.span);
    let mut content = laid_over(block, marker, &Content::new("", start, end));
    content.outlook.transaction_id = Some(key(marker));
    content
}

/// A block laid over what stands there: the key never changes, and guests that somebody invited stay (§4.1, §4.2).
pub(super) fn laid_over(block: &BlockContent, marker: &Marker, known: &Content) -> Content {
    let mut content = known.clone();
    (content.start, content.end) = ends(&block.span);
    content.summary = Some(block.title.clone()).filter(|title| !title.is_empty());
    content.description = block.description.clone().filter(|text| !text.is_empty());
    content.location = block.location.clone().filter(|text| !text.is_empty());
    (content.transparency, content.status) = match block.busy {
        BlockBusy::Busy => (Transparency::Opaque, Status::Confirmed),
        BlockBusy::Tentative => (Transparency::Opaque, Status::Tentative),
        BlockBusy::Free => (Transparency::Transparent, Status::Confirmed),
    };
    content.outlook.away = None;
    content.visibility = match block.visibility {
        Visibility::Private => content::Visibility::Private,
        Visibility::Calendar => content::Visibility::Default,
    };
    content.outlook.personal = false;
    let categories = block.colour.as_deref().unwrap_or_default().split(CATEGORY_SEPARATOR);
    content.outlook.categories =
        categories.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    content.reminders = Some(content::Reminders { use_default: false, overrides: Vec::new() });
    content.private.insert(property(), marker.0.clone());
    content
}

fn ends(span: &Span) -> (When, When) {
    match *span {
        Span::Timed { start, end } => (When::at(start, "UTC"), When::at(end, "UTC")),
        Span::AllDay { start, end } => (When::Day(start), When::Day(end)),
    }
}
