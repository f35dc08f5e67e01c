//! Lists of events: `events` (singles and masters), `calendarView` (expanded) and `instances` (microsoft.md §4.1). Deltas
//! are another matter: see `delta`. Days of all-day events are matched from midnight to midnight UTC (§4.3).

use std::sync::Arc;

use calsync_core::time::{Ts, Window};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::api::{Call, Success};
use super::errors::GraphError;
use super::event_json::View;
use super::extended;
use super::filter::Filter;
use super::list_params::{Expand, Order, Paging, keep_selected, order, selected};
use super::rows::taking_place;
use crate::cloud::Cloud;
use crate::cloud::calendar::Calendar;
use crate::cloud::event::{Event, Kind};
use crate::cloud::names::CalendarId;
use crate::wire::ApiRequest;

/// The widest range of a calendar view (§4.1 limits).
const RANGE_MAX: SignedDuration = SignedDuration::from_hours(24 * 1_825);

/// Members of an event that can be selected.
pub(super) const MEMBERS: [&str; 52] = [
    "allowNewTimeProposals",
    "attachments",
    "attendees",
    "body",
    "bodyPreview",
    "calendar",
    "cancelledOccurrences",
    "categories",
    "changeKey",
    "createdDateTime",
    "end",
    "exceptionOccurrences",
    "extensions",
    "hasAttachments",
    "hideAttendees",
    "iCalUId",
    "id",
    "importance",
    "instances",
    "isAllDay",
    "isCancelled",
    "isDraft",
    "isOnlineMeeting",
    "isOrganizer",
    "isReminderOn",
    "lastModifiedDateTime",
    "location",
    "locations",
    "multiValueExtendedProperties",
    "occurrenceId",
    "onlineMeeting",
    "onlineMeetingProvider",
    "onlineMeetingUrl",
    "organizer",
    "originalEndTimeZone",
    "originalStart",
    "originalStartTimeZone",
    "recurrence",
    "reminderMinutesBeforeStart",
    "responseRequested",
    "responseStatus",
    "sensitivity",
    "seriesMasterId",
    "showAs",
    "singleValueExtendedProperties",
    "start",
    "subject",
    "transactionId",
    "type",
    "uid",
    "webLink",
    "internetMessageId",
];

/// What a list of events is to show.
pub(super) struct Listing {
    paging: Paging,
    select: Option<Vec<String>>,
    expand: Expand,
    filter: Filter,
    order: (Order, bool),
}

impl Listing {
    fn read(call: &Call<'_>, default: Order) -> Result<Listing, GraphError> {
        let request = call.request;
        Ok(Listing {
            paging: Paging::read(request, &call.prefer)?,
            select: selected(request, &MEMBERS, "microsoft.graph.event")?,
            expand: Expand::read(request)?,
            filter: Filter::read(request.param("$filter"))?,
            order: order(request, default)?,
        })
    }

    fn sort(&self, events: &mut [Arc<Event>]) {
        let (by, down) = self.order;
        events.sort_by(|a, b| {
            let start = |e: &Event| e.instants(&TimeZone::UTC).0;
            let order = match by {
                Order::Start => start(a).cmp(&start(b)),
                Order::Subject => a.content.summary.cmp(&b.content.summary),
                Order::Created => a.created.cmp(&b.created),
                Order::Modified => a.updated.cmp(&b.updated),
            };
            let order = if down { order.reverse() } else { order };
            order.then_with(|| a.id.cmp(&b.id))
        });
    }
}

impl Call<'_> {
    /// `GET …/events`: singles and masters, never occurrences.
    pub(super) fn events(&self, calendar: &CalendarId) -> Result<Success, GraphError> {
        let listing = Listing::read(self, Order::Created)?;
        self.face.cloud.with(|cloud| {
            let cal = self.readable(cloud, calendar)?;
            let live = cal.live().filter(|e| e.series().is_none() && listing.filter.passes(e)).cloned();
            self.listed(cloud, cal, &listing, live.collect())
        })
    }

    /// `GET …/calendarView`: singles, occurrences and exceptions that touch the range.
    pub(super) fn calendar_view(&self, calendar: &CalendarId) -> Result<Success, GraphError> {
        let window = range(self.request)?;
        if window.to.since(window.from) > RANGE_MAX {
            let message = "Your request can't be completed. The range between the start and end dates is greater than the allowed range. Maximum number of days: 1825";
            return Err(GraphError::invalid(message));
        }
        let listing = Listing::read(self, Order::Start)?;
        self.face.cloud.with(|cloud| {
            let cal = self.readable(cloud, calendar)?;
            let mut found = Vec::new();
            for event in cal.live() {
                match event.kind {
                    Kind::Single => {
                        found.extend(event.touches(&window, &TimeZone::UTC).then(|| Arc::clone(event)))
                    }
                    Kind::Series => found.extend(taking_place(cloud, cal, event, &window)?),
                    // Exceptions come with their series.
                    Kind::Exception { .. } => {}
                }
            }
            found.retain(|e| listing.filter.passes(e));
            self.listed(cloud, cal, &listing, found)
        })
    }

    /// `GET …/events/{id}/instances`: one series; cancelled instances are simply absent.
    pub(super) fn instances(&self, within: Option<&CalendarId>, id: &str) -> Result<Success, GraphError> {
        let window = range(self.request)?;
        let listing = Listing::read(self, Order::Start)?;
        self.face.cloud.with(|cloud| {
            let (calendar, event) = self.found(cloud, within, id)?;
            if event.kind != Kind::Series {
                return Err(GraphError::invalid("The object is not a recurring series master."));
            }
            let cal = self.readable(cloud, &calendar)?;
            let mut found = taking_place(cloud, cal, &event, &window)?;
            found.retain(|e| listing.filter.passes(e));
            self.listed(cloud, cal, &listing, found)
        })
    }

    fn listed(
        &self,
        cloud: &Cloud,
        cal: &Calendar,
        listing: &Listing,
        mut events: Vec<Arc<Event>>,
    ) -> Result<Success, GraphError> {
        listing.sort(&mut events);
        let view = View { call: self, cloud, calendar: cal };
        // Only the page itself is written out.
        let Paging { top, skip } = listing.paging;
        let shown = |(at, event): (usize, &Arc<Event>)| {
            let on_page = at >= skip && at < skip.saturating_add(top);
            if on_page {
                self.rendered(&view, event, &listing.expand, listing.select.as_deref())
            } else {
                Value::Null
            }
        };
        let rows: Vec<Value> = events.iter().enumerate().map(shown).collect();
        let context = format!(
            "users('{}')/calendars('{}')/events",
            self.who.user_id,
            super::ids::calendar_id(&self.who.mailbox, &cal.id)
        );
        Ok(Success::of(listing.paging.page(self, rows, &context)))
    }

    /// An event with what was asked to be laid open, and only the members that were selected.
    pub(super) fn rendered(
        &self,
        view: &View<'_>,
        event: &Event,
        expand: &Expand,
        select: Option<&[String]>,
    ) -> Value {
        let mut out = view.full(event);
        // Nobody has seen it hold anything but null (§4.3 `originalStart`).
        if select.is_some_and(|s| s.iter().any(|name| name == "originalStart")) {
            out["originalStart"] = Value::Null;
        }
        keep_selected(&mut out, select);
        if let Some(properties) = extended::shown(&event.content.private, &expand.properties) {
            out["singleValueExtendedProperties"] = properties;
        }
        out
    }
}

/// `startDateTime` and `endDateTime`: both are needed, and without an offset they are UTC (§4.1).
pub(super) fn range(request: &ApiRequest) -> Result<Window, GraphError> {
    let side = |name: &str| {
        let text = request.param(name).filter(|t| !t.is_empty());
        let text = text.ok_or_else(|| {
            GraphError::invalid("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
        })?;
        instant(text).ok_or_else(|| {
            GraphError::invalid(&format!("The value '{text}' of parameter '{name}' is invalid."))
        })
    };
    let window = Window { from: side("startDateTime")?, to: side("endDateTime")? };
    if window.to < window.from {
        return Err(GraphError::invalid("The end of the window lies before its start."));
    }
    Ok(window)
}

fn instant(text: &str) -> Option<Ts> {
    if let Ok(at) = text.parse::<Ts>() {
        return Some(at);
    }
    let zoned = text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Ts::from_jiff(zoned.timestamp()))
}
