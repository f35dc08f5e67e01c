//! Graph's events in the vocabulary of `calsync-core` (microsoft.md §4.3, §5 and §7). Pure; never asks anybody anything.
//!
//! Graph enumerates series: each occurrence is an event of its own, known by its own id, which stays the same when it is
//! moved. The master is never an event here (its time is that of its first occurrence, perhaps years ago); what a stub of
//! an occurrence lacks is taken from it.

use calsync_core::block::{Marker, Visibility};
use calsync_core::event::{Event, EventKind, Response, Series, ShowAs, Status, When};
use calsync_core::ids::EventId;
use calsync_core::ports::RemoteEvent;
use calsync_core::time::{Span, Ts};
use jiff::civil::{Date, DateTime};

use super::resource::{EventResource, NamedResource, TimeResource};
use crate::items::{self, Malformed, event_id};
use crate::windows_zone;

/// The named property that holds a block's marker. One id and one name for ever: each name burns a piece of a mailbox's
/// finite supply (microsoft.md §5).
pub const MARKER_PROPERTY: &str = "String {5d2f3c3e-8f0b-4b0a-9c43-0b7a6d1e52c7} Name calsync";
/// What our transaction ids begin with; the marker follows. Delta pages show transaction ids, but no properties.
pub const TRANSACTION_PREFIX: &str = "calsync-";
/// Longest marker kept.
const MARKER_MAX: usize = 255;
/// Most categories read.
const CATEGORIES_MAX: usize = 25;
/// What stands between the categories of a block, where it has several.
const CATEGORY_SEPARATOR: char = ',';

/// One item of a page, read but not yet understood.
pub(super) fn read(json: &str) -> Result<EventResource, Malformed> {
    match items::object::<EventResource>(json.as_bytes()) {
        // A series whose name can be none is never asked about.
        Some(event) if items::is_id(&event.id) => Ok(EventResource {
            series_master_id: event.series_master_id.filter(|id| items::is_id(id)),
            ..event
        }),
        Some(_) => Err(Malformed { id: None, why: "no usable id" }),
        None => {
            let id = named(json).and_then(|named| event_id(named.id));
            Err(Malformed { id, why: "a field has a form we do not know" })
        }
    }
}

/// All that an item tells that can't be read otherwise.
pub(super) fn named(json: &str) -> Option<NamedResource> {
    let named: NamedResource = items::object(json.as_bytes())?;
    Some(NamedResource { series_master_id: named.series_master_id.filter(|id| items::is_id(id)), ..named })
}

/// Whether an item is the master of a series.
pub(super) fn is_master(kind: Option<&str>) -> bool {
    kind == Some("seriesMaster")
}

/// The event of an item that is neither a tombstone nor a master. `master`: that of its series, where it is known.
pub(super) fn event(item: EventResource, master: Option<&EventResource>) -> Result<RemoteEvent, Malformed> {
    let bad = |why| Malformed { id: event_id(item.id.clone()), why };
    let id = event_id(item.id.clone()).ok_or(Malformed { id: None, why: "no usable id" })?;
    let series = series(&item).map_err(bad)?;
    let item_when = when(&item, master).map_err(bad)?;
    Ok(build(id, series, item_when, item, master))
}

fn build(
    id: EventId,
    series: Series,
    when: When,
    item: EventResource,
    master: Option<&EventResource>,
) -> RemoteEvent {
    let marker = marker(&item).or_else(|| master.and_then(marker));
    let show_as = item.show_as.as_deref().or(master.and_then(|m| m.show_as.as_deref()));
    let cancelled = item.is_cancelled.or(master.and_then(|m| m.is_cancelled)) == Some(true);
    let sensitivity = item.sensitivity.as_deref().or(master.and_then(|m| m.sensitivity.as_deref()));
    let single = series == Series::Single;
    let has_guests = item.has_guests.or(master.and_then(|m| m.has_guests)) == Some(true);
    let answered = item.response_status.as_ref().or(master.and_then(|m| m.response_status.as_ref()));
    let event = Event {
        id,
        // A stub and the full item of one occurrence tell different versions and times of change (microsoft.md §4.2): taken
        // over, each would look like news. Only blocks need them, and those are single.
        version: if single { item.etag.clone() } else { None },
        updated: if single {
            item.last_modified_date_time.as_deref().and_then(|t| t.parse().ok())
        } else {
            None
        },
        ical_uid: uid(&item, master),
        when: Some(when),
        series,
        status: if cancelled { Status::Cancelled } else { Status::Confirmed },
        show_as: match show_as {
            Some("free") => ShowAs::Free,
            Some("tentative") => ShowAs::Tentative,
            // `unknown`, and whatever comes later: a busy slot is kept rather than lost.
            _ => ShowAs::Busy,
        },
        response: answered.and_then(|r| response(r.response.as_deref()?)),
        kind: match show_as {
            Some("oof") => EventKind::OutOfOffice,
            Some("workingElsewhere") => EventKind::WorkingLocation,
            _ => EventKind::Default,
        },
        text: text(&item, master),
    };
    let visibility = match sensitivity {
        Some("private" | "confidential") => Visibility::Private,
        _ => Visibility::Calendar,
    };
    let categories = item.categories.or_else(|| master.and_then(|m| m.categories.clone()));
    RemoteEvent { event, marker, visibility, colour: categories.and_then(colour), has_guests }
}

fn response(response: &str) -> Option<Response> {
    match response {
        "accepted" => Some(Response::Accepted),
        "declined" => Some(Response::Declined),
        "tentativelyAccepted" => Some(Response::Tentative),
        "notResponded" => Some(Response::NeedsAction),
        // `none` and `organizer`: nobody asked.
        _ => None,
    }
}

/// The property where it was asked for, else the transaction id, which every full item shows (microsoft.md §4.2).
fn marker(item: &EventResource) -> Option<Marker> {
    let properties = item.single_value_extended_properties.as_deref().unwrap_or_default();
    // The service may spell the braced id in another case.
    let ours = |id: &str| id.eq_ignore_ascii_case(MARKER_PROPERTY);
    let property = properties.iter().find(|p| ours(&p.id)).map(|p| p.value.as_str());
    let key = item.transaction_id.as_deref().and_then(|id| id.strip_prefix(TRANSACTION_PREFIX));
    let text = property.or(key)?;
    Some(Marker(items::bounded(text.to_owned(), MARKER_MAX)))
}

fn uid(item: &EventResource, master: Option<&EventResource>) -> Option<String> {
    let told = |uid: &Option<String>| uid.clone().filter(|uid| !uid.is_empty());
    let of_series = || master.and_then(|m| told(&m.uid).or_else(|| told(&m.ical_uid)));
    let own = || if item.series_master_id.is_none() { told(&item.ical_uid) } else { None };
    // `iCalUId` differs from occurrence to occurrence; the port wants what all of them share.
    told(&item.uid).or_else(of_series).or_else(own)
}

fn text(item: &EventResource, master: Option<&EventResource>) -> Option<calsync_core::event::EventText> {
    let full = |text: &str| Some(text.replace("\r\n", "\n").trim().to_owned()).filter(|t| !t.is_empty());
    let body = item.body.as_ref().or(master.and_then(|m| m.body.as_ref()));
    let location = item.location.as_ref().or(master.and_then(|m| m.location.as_ref()));
    items::text(
        item.subject.clone().or_else(|| master.and_then(|m| m.subject.clone())),
        body.and_then(|b| full(&b.content)),
        location.and_then(|l| full(&l.display_name)),
    )
}

fn colour(categories: Vec<String>) -> Option<String> {
    let named: Vec<String> = categories.into_iter().filter(|c| !c.is_empty()).take(CATEGORIES_MAX).collect();
    (!named.is_empty()).then(|| named.join(&CATEGORY_SEPARATOR.to_string()))
}

/// A block's categories, as its rule names them.
pub(super) fn categories(colour: Option<&str>) -> Vec<&str> {
    let names = colour.unwrap_or_default().split(CATEGORY_SEPARATOR).map(str::trim);
    names.filter(|name| !name.is_empty()).take(CATEGORIES_MAX).collect()
}

fn series(item: &EventResource) -> Result<Series, &'static str> {
    let master = item.series_master_id.clone().and_then(event_id);
    match (item.kind.as_deref(), master) {
        (Some("occurrence" | "exception"), None) => Err("an occurrence that names no series"),
        (Some("singleInstance"), _) | (_, None) => Ok(Series::Single),
        (_, Some(master)) => Ok(Series::Occurrence { master }),
    }
}

/// Start and end. An end before the start is the start (or the day after, for dates).
fn when(item: &EventResource, master: Option<&EventResource>) -> Result<When, &'static str> {
    let start = item.start.as_ref().ok_or("no start")?;
    let end = item.end.as_ref();
    let all_day = item.is_all_day.or(master.and_then(|m| m.is_all_day)) == Some(true);
    if all_day {
        // Floating: midnight on its own dates, whatever zone is named beside them (microsoft.md §4.3).
        let start = date(start)?;
        let next = start.tomorrow().map_err(|_| "a date out of range")?;
        let end = end.map(date).transpose()?.map_or(next, |end| end.max(next));
        return Ok(When::AllDay { start, end });
    }
    let start = instant(start)?;
    let end = end.map(instant).transpose()?.map_or(start, |end| end.max(start));
    // Occurrences are enumerated, so nobody needs the zone of a wall clock.
    Ok(When::Timed { start, end, zone: None })
}

fn date(time: &TimeResource) -> Result<Date, &'static str> {
    let local: DateTime = time.date_time.parse().map_err(|_| "an unreadable date")?;
    Ok(local.date())
}

fn instant(time: &TimeResource) -> Result<Ts, &'static str> {
    // With an offset it needs no zone; Graph writes none, but takes one.
    if let Ok(at) = time.date_time.parse() {
        return Ok(at);
    }
    let local: DateTime = time.date_time.parse().map_err(|_| "an unreadable time")?;
    let named = time.time_zone.as_deref().unwrap_or("UTC");
    let zone = windows_zone::find(named).ok_or("a time in an unknown zone")?;
    let at = zone.to_ambiguous_timestamp(local).compatible().map_err(|_| "a time out of range")?;
    Ok(Ts::from_jiff(at))
}

/// A block's time as we write it: instants in UTC; whole days from midnight to midnight in one zone (microsoft.md §4.3).
pub(super) fn times(span: &Span) -> (TimeResource, TimeResource) {
    let utc = |date_time: String| TimeResource { date_time, time_zone: Some("UTC".to_owned()) };
    let at = |ts: Ts| {
        // Whole seconds, without an offset.
        utc(ts.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string())
    };
    let on = |date: Date| utc(format!("{date}T00:00:00"));
    match *span {
        Span::Timed { start, end } => (at(start), at(end)),
        Span::AllDay { start, end } => (on(start), on(end)),
    }
}

#[cfg(test)]
mod tests;
