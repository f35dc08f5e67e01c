//! From the cloud's events to the ports' vocabulary, and from blocks to the cloud's content. Pure.

use calsync_core::block::{BlockBusy, BlockContent, MARKER_NAME, Marker, Visibility};
use calsync_core::event::{self as core, EventKind, EventText, Series, ShowAs};
use calsync_core::ids::EventId;
use calsync_core::ports::{RemoteEvent, RemoteItem};
use calsync_core::recurrence::Recurrence;
use calsync_core::time::Span;

use crate::cloud::calendar::Calendar;
use crate::cloud::content::{self, Content, EventType, Response, Status, Transparency, When};
use crate::cloud::event::{Event, Kind};

/// Where a walk through pages stands: the log number it reads up to, and what it showed last.
pub(super) struct Walk {
    pub(super) upto: u64,
    after: Option<String>,
}

impl Walk {
    /// From a page token, or the start of a walk that sees everything up to `last`.
    pub(super) fn parse(page: Option<&str>, last: u64) -> Walk {
        let parsed = page.and_then(|token| {
            let (upto, after) = token.split_once('/')?;
            Some(Walk { upto: upto.parse().ok()?, after: Some(after.to_owned()).filter(|a| !a.is_empty()) })
        });
        parsed.unwrap_or(Walk { upto: last, after: None })
    }

    fn token(&self, after: Option<&str>) -> String {
        format!("{}/{}", self.upto, after.unwrap_or_default())
    }
}

/// One page, and the token of the next: everything that stands (`since` none), or what changed since.
pub(super) fn page(
    calendar: &Calendar,
    person: &str,
    since: Option<u64>,
    walk: &Walk,
    size: usize,
) -> (Vec<RemoteItem>, Option<String>) {
    let name = calendar.id.as_str();
    match since {
        None => {
            let after = walk.after.as_deref().map(Into::into);
            let shown = |event: &&std::sync::Arc<Event>| match event.series() {
                None => !event.cancelled,
                // Cancelled occurrences of living series come even without showDeleted (google.md §4).
                Some(series) => calendar.live_series(series).is_some(),
            };
            let all: Vec<_> = calendar.stored_after(after.as_ref()).filter(shown).take(size + 1).collect();
            let items = all.iter().take(size).map(|event| item(event, name, person)).collect();
            let more = all.len() > size;
            let last = all.iter().take(size).next_back().map(|e| e.id.as_str());
            (items, more.then(|| walk.token(last.or(walk.after.as_deref()))))
        }
        Some(number) => {
            let from = walk.after.as_deref().and_then(|n| n.parse().ok()).unwrap_or(number);
            let changed: Vec<_> = calendar.log().between(from, walk.upto).take(size + 1).collect();
            let found = changed.iter().take(size);
            let items =
                found.filter_map(|(_, id)| calendar.stored(id)).map(|e| item(e, name, person)).collect();
            let more = changed.len() > size;
            let last = changed.iter().take(size).next_back().map_or(from, |(n, _)| *n);
            (items, more.then(|| walk.token(Some(&last.to_string()))))
        }
    }
}

fn item(event: &Event, calendar: &str, person: &str) -> RemoteItem {
    if event.is_tombstone() {
        return RemoteItem::Gone { id: EventId(event.id.to_string()) };
    }
    RemoteItem::Present(Box::new(remote(event, calendar, person)))
}

/// The event as the ports tell it.
pub(super) fn remote(event: &Event, calendar: &str, person: &str) -> RemoteEvent {
    let content = &event.content;
    let series = match &event.kind {
        Kind::Single => Series::Single,
        Kind::Series => Series::Master { recurrence: Recurrence { lines: content.recurrence.clone() } },
        Kind::Exception { series, slot } => {
            Series::Instance { master: EventId(series.to_string()), original: *slot }
        }
    };
    let status = match (event.cancelled, content.status) {
        (true, _) => core::Status::Cancelled,
        (_, Status::Tentative) => core::Status::Tentative,
        _ => core::Status::Confirmed,
    };
    let mine = content.attendee(calendar).or_else(|| content.attendee(person));
    let text = EventText {
        title: content.summary.clone(),
        description: content.description.clone(),
        location: content.location.clone(),
    };
    RemoteEvent {
        event: core::Event {
            id: EventId(event.id.to_string()),
            version: Some(event.version.to_string()),
            updated: Some(event.updated),
            ical_uid: Some(event.ical_uid.to_string()),
            when: (!event.cancelled).then(|| when(content)).flatten(),
            series,
            status,
            show_as: match content.transparency {
                Transparency::Opaque => ShowAs::Busy,
                Transparency::Transparent => ShowAs::Free,
            },
            response: mine.map(|a| response(a.response)),
            kind: kind(content.event_type),
            text: Some(text),
        },
        marker: content.private.get(MARKER_NAME).map(|text| Marker(text.clone())),
        visibility: match content.visibility {
            content::Visibility::Private | content::Visibility::Confidential => Visibility::Private,
            _ => Visibility::Calendar,
        },
        colour: content.color_id.clone(),
        has_guests: content.attendees.iter().any(|a| ![calendar, person].contains(&a.email.as_str())),
    }
}

fn when(content: &Content) -> Option<core::When> {
    match (&content.start, &content.end) {
        (When::Day(start), When::Day(end)) => Some(core::When::AllDay { start: *start, end: *end }),
        (When::At { at: start, zone }, When::At { at: end, .. }) => {
            Some(core::When::Timed { start: *start, end: *end, zone: Some(zone.to_string()) })
        }
        _ => None,
    }
}

fn response(response: Response) -> core::Response {
    match response {
        Response::NeedsAction => core::Response::NeedsAction,
        Response::Declined => core::Response::Declined,
        Response::Tentative => core::Response::Tentative,
        Response::Accepted => core::Response::Accepted,
    }
}

fn kind(kind: EventType) -> EventKind {
    match kind {
        EventType::Default => EventKind::Default,
        EventType::OutOfOffice => EventKind::OutOfOffice,
        EventType::FocusTime => EventKind::FocusTime,
        EventType::WorkingLocation => EventKind::WorkingLocation,
        EventType::Birthday => EventKind::Birthday,
        EventType::FromGmail => EventKind::FromMail,
    }
}

/// A block as the cloud stores it.
pub(super) fn content(block: &BlockContent, marker: &Marker) -> Content {
    let (start, end) = match block.span {
        Span::Timed { start, end } => (When::at(start, "UTC"), When::at(end, "UTC")),
        Span::AllDay { start, end } => (When::Day(start), When::Day(end)),
    };
    let mut content = Content::new(&block.title, start, end);
    content.description = block.description.clone();
    content.location = block.location.clone();
    content.status = match block.busy {
        BlockBusy::Tentative => Status::Tentative,
        BlockBusy::Busy | BlockBusy::Free => Status::Confirmed,
    };
    content.visibility = match block.visibility {
        Visibility::Private => content::Visibility::Private,
        Visibility::Calendar => content::Visibility::Default,
    };
    content.color_id = block.colour.clone();
    content.reminders = Some(content::Reminders { use_default: false, overrides: Vec::new() });
    content.private.insert(MARKER_NAME.to_owned(), marker.0.clone());
    content
}
