//! freebusy.query (google.md §3): when calendars are busy, merged, without a word about why. A calendar that cannot be
//! told of gets its own error in an answer that is otherwise good.

use calsync_core::time::{Ts, Window};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::api::{Call, Success};
use super::errors::ApiError;
use super::event_json::{local, stamp};
use super::scopes::Need;
use crate::cloud::Cloud;
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::content::{EventType, Response, Transparency};
use crate::cloud::event::{Event, Kind};

/// Bounds of one query.
const CALENDARS_MAX: usize = 50;
const REACH_MAX: SignedDuration = SignedDuration::from_hours(24 * 95);

impl Call<'_> {
    /// freebusy.query.
    pub(super) fn free_busy(&self) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::FreeBusy)?;
        let body = self.body()?;
        let time = |name: &'static str| {
            let text = body.get(name).and_then(Value::as_str);
            let text = text.ok_or_else(|| ApiError::required(&format!("Missing {name}.")))?;
            text.parse::<Ts>().map_err(|_| ApiError::bad_request("Bad Request"))
        };
        let window = Window { from: time("timeMin")?, to: time("timeMax")? };
        if window.to <= window.from {
            return Err(ApiError::time_range_empty("timeMax"));
        }
        if window.to.since(window.from) > REACH_MAX {
            return Err(ApiError::time_range_too_long());
        }
        let zone = match body.get("timeZone").and_then(Value::as_str) {
            None => jiff::tz::TimeZone::UTC,
            Some(name) => {
                calsync_core::zone::find(name).ok_or_else(|| ApiError::invalid("Invalid time zone."))?
            }
        };
        let items = body.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut calendars = Map::new();
        for (at, item) in items.iter().enumerate() {
            let Some(id) = item.get("id").and_then(Value::as_str) else {
                return Err(ApiError::required("Missing id."));
            };
            let told = if at >= CALENDARS_MAX {
                json!({"errors": [{"domain": "global", "reason": "tooManyCalendarsRequested"}], "busy": []})
            } else {
                self.face.cloud.with(|cloud| {
                    match cloud.calendar_for(&self.calendar_id(id), self.person(), AccessRole::FreeBusyReader)
                    {
                        Ok(calendar) => {
                            let show = |at: Ts| Value::from(local(at, &zone));
                            let busy = merged(busy(cloud, calendar, &window), &window);
                            let busy =
                                busy.into_iter().map(|(s, e)| json!({"start": show(s), "end": show(e)}));
                            json!({"busy": busy.collect::<Vec<_>>()})
                        }
                        Err(_) => json!({"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}),
                    }
                })
            };
            calendars.insert(id.to_owned(), told);
        }
        Ok(Success::of(json!({
            "kind": "calendar#freeBusy",
            "timeMin": stamp(window.from),
            "timeMax": stamp(window.to),
            "calendars": calendars,
        })))
    }
}

/// The stretches that events of the calendar take in the window.
fn busy(cloud: &Cloud, calendar: &Calendar, window: &Window) -> Vec<(Ts, Ts)> {
    let mut found = Vec::new();
    for event in calendar.live() {
        match event.kind {
            Kind::Single => found.extend(taken(calendar, event, window)),
            // Exceptions come with their series.
            Kind::Exception { .. } => {}
            Kind::Series => {
                let all = cloud.occurrences(&calendar.id, &event.id, window, usize::MAX).unwrap_or_default();
                found.extend(all.iter().filter_map(|e| taken(calendar, e, window)));
            }
        }
    }
    found
}

fn taken(calendar: &Calendar, event: &Event, window: &Window) -> Option<(Ts, Ts)> {
    let content = &event.content;
    let declined = content.attendee(calendar.id.as_str()).is_some_and(|a| a.response == Response::Declined);
    let blocks = !event.cancelled
        && content.transparency == Transparency::Opaque
        && !matches!(content.event_type, EventType::WorkingLocation | EventType::Birthday)
        && !declined;
    let (start, end) = event.instants(&calendar.zone);
    (blocks && event.touches(window, &calendar.zone)).then(|| (start.max(window.from), end.min(window.to)))
}

/// Joins stretches that overlap or touch.
fn merged(mut all: Vec<(Ts, Ts)>, window: &Window) -> Vec<(Ts, Ts)> {
    all.sort_unstable();
    let mut out: Vec<(Ts, Ts)> = Vec::new();
    for (start, end) in all.into_iter().filter(|(start, end)| start < end && *start < window.to) {
        match out.last_mut() {
            Some((_, last)) if *last >= start => *last = end.max(*last),
            _ => out.push((start, end)),
        }
    }
    out
}
