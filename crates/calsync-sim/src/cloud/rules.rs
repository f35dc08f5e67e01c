//! What holds for whatever is written: who may write where, and which contents make sense. It looks and never writes.

use super::calendar::{AccessRole, Calendar, Origin};
use super::content::{Content, EventType, Party, Transparency};
use super::event::Event;
use super::journal::By;
use super::names::CalendarId;
use super::watch::Provider;
use super::{Cloud, CloudError, series};

/// The calendar, if its content may be changed by this writer.
pub(super) fn writable<'a>(
    cloud: &'a Cloud,
    by: &By,
    calendar: &CalendarId,
) -> Result<&'a Calendar, CloudError> {
    let cal = cloud.calendar_for(calendar, &by.person, AccessRole::WriterWithoutPrivateAccess)?;
    if cal.origin == Origin::Generated { Err(CloudError::Forbidden) } else { Ok(cal) }
}

/// Refuses when the calendar is full.
pub(super) fn room(calendar: &Calendar, bound: usize) -> Result<(), CloudError> {
    if calendar.events.len() < bound { Ok(()) } else { Err(CloudError::Full) }
}

/// Whether the organizer lets guests change the event.
pub(super) fn guests_can_modify(event: &Event) -> bool {
    event.content.extra.get("guestsCanModify").and_then(serde_json::Value::as_bool).unwrap_or(false)
}

/// Who leads what is made in this calendar: its owner on the main one, else the calendar itself (google.md §6).
pub(super) fn leader(cloud: &Cloud, calendar: &Calendar) -> Party {
    let owner = cloud.people.get(&calendar.owner).map(|p| p.name.clone());
    let name = if calendar.primary { owner } else { Some(calendar.summary.clone()) };
    Party { email: calendar.id.to_string(), name }
}

/// What holds for whatever is written (google.md §6).
pub(super) fn check(
    content: &Content,
    calendar: &Calendar,
    before: Option<&Event>,
    rules: Provider,
) -> Result<(), CloudError> {
    let Some(span) = content.span() else {
        return Err(CloudError::Invalid("Start and end times must either both be date or both be dateTime."));
    };
    let (start, end) = span.instants(&calendar.zone);
    // Microsoft takes an event without length (microsoft.md §4.3).
    let point = start == end && rules == Provider::Microsoft && !span.is_all_day();
    if end <= start && !point {
        return Err(CloudError::EmptyRange);
    }
    if before.is_some_and(|e| e.series().is_some()) && !content.recurrence.is_empty() {
        return Err(CloudError::Invalid("A single occurrence cannot repeat."));
    }
    series::check_rule(content)?;
    let kind = content.event_type;
    if before.is_some_and(|e| e.content.event_type != kind) {
        return Err(CloudError::Invalid("The event type cannot be changed."));
    }
    let timed_and_main = calendar.primary && !span.is_all_day();
    match kind {
        EventType::OutOfOffice | EventType::FocusTime if !timed_and_main => {
            Err(CloudError::Invalid("This event type needs a timed event on a primary calendar."))
        }
        EventType::WorkingLocation if content.transparency != Transparency::Transparent => {
            Err(CloudError::Invalid("A working location event must be transparent."))
        }
        EventType::Birthday if !span.is_all_day() || content.transparency != Transparency::Transparent => {
            Err(CloudError::Invalid("A birthday must be all day and transparent."))
        }
        EventType::FromGmail if before.is_none() => {
            Err(CloudError::Invalid("Events from Gmail cannot be created using this API method."))
        }
        _ => Ok(()),
    }
}
