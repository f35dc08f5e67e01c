//! The query of events.list, read and checked (google.md §4): which combinations are refused, and which events match.

use calsync_core::time::{Ts, Window};
use jiff::tz::TimeZone;

use super::ApiRequest;
use super::errors::ApiError;
use super::event_parse::EVENT_TYPES;
use crate::cloud::content::{Content, EventType};
use crate::cloud::event::Event;
use crate::sealed::fingerprint;

/// Page sizes (§4 `maxResults`).
const SIZE_DEFAULT: usize = 250;
const SIZE_MAX: usize = 2_500;

/// Parameters that exclude `syncToken` (§4 rule 2).
const NOT_WITH_SYNC_TOKEN: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMax",
    "timeMin",
    "updatedMin",
];

/// Parameters whose presence leaves a listing without a sync token (§4 rule 3).
const NO_SYNC_TOKEN_AFTER: [&str; 6] =
    ["iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"];

/// All parameters of events.list; events.watch takes the same.
pub(super) const LISTING: [&str; 18] = [
    "alwaysIncludeEmail",
    "eventTypes",
    "iCalUID",
    "maxAttendees",
    "maxResults",
    "orderBy",
    "pageToken",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "showDeleted",
    "showHiddenInvitations",
    "singleEvents",
    "syncToken",
    "timeMax",
    "timeMin",
    "timeZone",
    "updatedMin",
];

/// In which order a listing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Stable, and nobody's business.
    Unspecified,
    /// By start.
    Start,
    /// By last change.
    Updated,
}

/// What a listing shows.
#[derive(Debug)]
pub(super) struct ListParams {
    pub(super) window: Window,
    pub(super) expanded: bool,
    pub(super) deleted_too: bool,
    pub(super) order: Order,
    pub(super) updated_min: Option<Ts>,
    pub(super) types: Vec<EventType>,
    pub(super) size: usize,
    pub(super) sync_token: Option<String>,
    /// Whether the last page carries a sync token.
    pub(super) gives_token: bool,
    /// What must be equal in every request with the same sync token (§4 rules 2 and 8).
    pub(super) token_mark: String,
    /// What must be equal in every request of the same walk.
    pub(super) walk_mark: String,
    ical_uid: Option<String>,
    terms: Vec<String>,
    private: Vec<(String, String)>,
    shared: Vec<(String, String)>,
}

impl ListParams {
    /// Reads the query of somebody who looks at one calendar; `whose` names both.
    pub(super) fn read(request: &ApiRequest, whose: &str) -> Result<ListParams, ApiError> {
        let (from, to) = (instant(request, "timeMin")?, instant(request, "timeMax")?);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(ApiError::time_range_empty("timeMax"));
        }
        let (expanded, deleted_too) = (flag(request, "singleEvents")?, flag(request, "showDeleted")?);
        let order = match request.param("orderBy") {
            None => Order::Unspecified,
            Some("updated") => Order::Updated,
            Some("startTime") if expanded => Order::Start,
            Some("startTime") => {
                let message = "The requested ordering is not available for the particular query.";
                return Err(ApiError::invalid_parameter("orderBy", message));
            }
            Some(_) => return Err(ApiError::invalid_parameter("orderBy", "Invalid value.")),
        };
        let sync_token = request.param("syncToken").map(str::to_owned);
        if sync_token.is_some() {
            refuse_with_token(request)?;
        }
        let mut types: Vec<EventType> =
            request.params("eventTypes").map(event_type).collect::<Result<_, _>>()?;
        types.sort_unstable();
        types.dedup();
        let hidden = flag(request, "showHiddenInvitations")?;
        let attendees = request.param("maxAttendees").unwrap_or("");
        let token_mark = format!("{whose}|{expanded}|{deleted_too}|{hidden}|{types:?}|{attendees}");
        let unlike_walks =
            ["pageToken", "maxResults", "fields", "prettyPrint", "alt", "key", "quotaUser", "timeZone"];
        let mut walk: Vec<_> =
            request.query.iter().filter(|(k, _)| !unlike_walks.contains(&k.as_str())).collect();
        walk.sort_unstable();
        Ok(ListParams {
            window: Window { from: from.unwrap_or(Ts::MIN), to: to.unwrap_or(Ts::MAX) },
            expanded,
            deleted_too,
            order,
            updated_min: instant(request, "updatedMin")?,
            types,
            size: page_size(request)?,
            gives_token: !NO_SYNC_TOKEN_AFTER.iter().any(|name| request.param(name).is_some()),
            token_mark: fingerprint(&token_mark),
            walk_mark: fingerprint(&format!("{whose}|{walk:?}")),
            sync_token,
            ical_uid: request.param("iCalUID").map(str::to_owned),
            terms: request.param("q").unwrap_or("").split_whitespace().map(str::to_lowercase).collect(),
            private: properties(request, "privateExtendedProperty")?,
            shared: properties(request, "sharedExtendedProperty")?,
        })
    }

    /// Whether an event has what the query asks for, its time and its deletion left aside.
    pub(super) fn matches(&self, event: &Event) -> bool {
        let content = &event.content;
        let has = |wanted: &[(String, String)], have: &std::collections::BTreeMap<String, String>| {
            // The reference says that all constraints must hold, the guide that repeats are alternatives (§4): this is
            // the reference. Who uses one constraint only does not meet the difference.
            wanted.iter().all(|(name, value)| have.get(name) == Some(value))
        };
        self.has_type(event)
            && self.ical_uid.as_ref().is_none_or(|uid| **uid == *event.ical_uid)
            && self.updated_min.is_none_or(|min| event.updated >= min)
            && has(&self.private, &content.private)
            && has(&self.shared, &content.shared)
            && (self.terms.is_empty() || self.found_in(content, &event.organizer.email))
    }

    /// Whether the event is of a type that was asked for.
    pub(super) fn has_type(&self, event: &Event) -> bool {
        self.types.is_empty() || self.types.contains(&event.content.event_type)
    }

    /// Whether the event lies in the window; a series does if any of its occurrences by the rule does.
    pub(super) fn in_window(&self, event: &Event, zone: &TimeZone) -> bool {
        self.window == Window::ALL || event.touches(&self.window, zone)
    }

    fn found_in(&self, content: &Content, organizer: &str) -> bool {
        let texts = [&content.summary, &content.description, &content.location];
        let mut all: String = texts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
        for attendee in &content.attendees {
            all.push('\n');
            all.push_str(&attendee.email);
            all.push('\n');
            all.push_str(attendee.name.as_deref().unwrap_or(""));
        }
        all.push('\n');
        all.push_str(organizer);
        let all = all.to_lowercase();
        self.terms.iter().all(|term| all.contains(term))
    }
}

/// The 400s of a query that brings a sync token (§4 rule 2).
fn refuse_with_token(request: &ApiRequest) -> Result<(), ApiError> {
    if let Some(name) = NOT_WITH_SYNC_TOKEN.into_iter().find(|name| request.param(name).is_some()) {
        let message = "Sync token cannot be used with other query parameters that restrict the result.";
        return Err(ApiError::invalid_parameter(name, message));
    }
    if request.param("showDeleted") == Some("false") {
        return Err(ApiError::invalid_parameter("showDeleted", "Sync token requires deleted entries."));
    }
    Ok(())
}

/// A parameter that is an instant with an offset; what is finer than a second is ignored (§4 `timeMin`).
pub(super) fn instant(request: &ApiRequest, name: &'static str) -> Result<Option<Ts>, ApiError> {
    let Some(text) = request.param(name) else { return Ok(None) };
    let at: Ts = text.parse().map_err(|_| ApiError::bad_request("Bad Request"))?;
    Ok(Some(Ts::from_secs(at.micros().div_euclid(1_000_000))))
}

/// A query parameter that is `true` or `false`; false if it is not there.
pub(super) fn flag(request: &ApiRequest, name: &'static str) -> Result<bool, ApiError> {
    match request.param(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::invalid_parameter(name, &format!("Invalid boolean value: '{other}'."))),
    }
}

/// `maxResults` of a list of events.
pub(super) fn page_size(request: &ApiRequest) -> Result<usize, ApiError> {
    size(request, SIZE_DEFAULT, SIZE_MAX)
}

/// `maxResults` with this default and cap; zero is refused.
pub(super) fn size(request: &ApiRequest, default: usize, cap: usize) -> Result<usize, ApiError> {
    let Some(text) = request.param("maxResults") else { return Ok(default) };
    let wrong = || ApiError::invalid_parameter("maxResults", &format!("Invalid value '{text}'."));
    let size: u32 = text.parse().map_err(|_| wrong())?;
    match usize::try_from(size).unwrap_or(cap) {
        0 => Err(wrong()),
        size => Ok(size.min(cap)),
    }
}

/// A type by its name.
pub(super) fn event_type(name: &str) -> Result<EventType, ApiError> {
    let found = EVENT_TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    found.ok_or_else(|| ApiError::invalid_parameter("eventTypes", &format!("Invalid value '{name}'.")))
}

fn properties(request: &ApiRequest, name: &'static str) -> Result<Vec<(String, String)>, ApiError> {
    let read = |text: &str| {
        let pair = text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        pair.ok_or_else(|| ApiError::invalid_parameter(name, "Must be propertyName=value."))
    };
    request.params(name).map(read).collect()
}
