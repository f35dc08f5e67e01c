//! events.list: full walks and deltas (google.md §4). A delta tells every change since its token whatever window the
//! first listing had (rule 4), and a sync token stands only on a last page (rule 1).

use std::sync::Arc;

use calsync_core::time::Window;
use serde_json::{Value, json};

use super::api::{Call, Success};
use super::errors::ApiError;
use super::event_json::{View, role_name, stamp};
use super::list_params::{LISTING, ListParams, Order};
use super::list_walk::{Place, SyncPoint};
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::event::{Event, Kind};
use crate::cloud::{Cloud, CloudError};
use crate::faults::Fault;
use crate::pages::{Key, Page};

/// Occurrences of one series in a listing without an end: about two years of days. Google's own number is unknown;
/// about 700 of a weekly series were seen (§4 rule 4).
const SERIES_MAX: usize = 730;

/// Occurrences of a deleted series in an expanded listing: about six months of weeks (§4 rule 9).
const DELETED_SERIES_MAX: usize = 26;

/// Empty pages that may follow each other by fault.
const EMPTY_MAX: u8 = 2;

impl Call<'_> {
    /// events.list.
    pub(super) fn events_list(&self, calendar: &str) -> Result<Success, ApiError> {
        self.only(&LISTING)?;
        let id = self.calendar_id(calendar);
        let params = ListParams::read(self.request, &format!("{} {id}", self.person()))?;
        let oldest = self.now.minus(self.face.config.updated_min_reaches);
        if params.updated_min.is_some_and(|min| min < oldest) {
            return Err(ApiError::updated_min_too_long_ago());
        }
        self.face.cloud.with(|cloud| {
            let (cal, role) = self.readable(cloud, calendar)?;
            let place = self.place(cal, &params)?;
            let page = self.page(cloud, cal, &params, &place)?;
            let view = self.view(cal, role)?;
            let mut items: Vec<Value> = page.items.iter().map(|event| view.item(event)).collect();
            if place.since.is_some() {
                self.double(cal, &view, &page.items, &mut items);
            }
            if self.face.faults.strikes(Fault::ExceptionsFirst) {
                items.reverse();
            }
            let mut body = self.list_head(cal, role, &view);
            if !items.is_empty() {
                body["items"] = Value::Array(items);
            }
            match page.next {
                Some(key) => {
                    let stands = place.after.as_ref() == Some(&key);
                    let next =
                        Place { after: Some(key), empty: if stands { place.empty + 1 } else { 0 }, ..place };
                    body["nextPageToken"] = Value::from(next.token());
                }
                None if params.gives_token => {
                    let point = SyncPoint { of: params.token_mark.clone(), at: place.upto };
                    body["nextSyncToken"] = Value::from(point.token());
                }
                None => {}
            }
            Ok(Success::of(body))
        })
    }

    /// Where the walk stands. Whatever becomes of the token on the way, 410 voids the whole walk (§4 rules 5 and 6).
    fn place(&self, cal: &Calendar, params: &ListParams) -> Result<Place, ApiError> {
        let log = cal.log();
        let since = match &params.sync_token {
            None => None,
            Some(token) => {
                let point = SyncPoint::of_token(token, &params.token_mark)?;
                if self.face.faults.strikes(Fault::SyncTokenLost) || !log.reaches(point.at) {
                    return Err(ApiError::full_sync_required());
                }
                Some(point.at)
            }
        };
        match Place::of_token(self.request, &params.walk_mark)? {
            None => Ok(Place::start(&params.walk_mark, since, log.last())),
            Some(place) if log.reaches(place.upto) => Ok(place),
            Some(_) => Err(ApiError::full_sync_required()),
        }
    }

    fn page(
        &self,
        cloud: &Cloud,
        cal: &Calendar,
        params: &ListParams,
        place: &Place,
    ) -> Result<Page<Arc<Event>>, CloudError> {
        let size = match self.face.faults.draw(Fault::ShortPage) {
            // Short pages are legal at any time (§4 `maxResults`).
            Some(number) => 1 + usize::try_from(number % params.size as u64).unwrap_or(0),
            None => params.size,
        };
        if place.empty < EMPTY_MAX && self.face.faults.strikes(Fault::EmptyPage) {
            // A page that holds nothing and leads to where it stands.
            let here = place.after.clone().unwrap_or(Key(i64::MIN, String::new()));
            return Ok(Page { items: Vec::new(), next: Some(here) });
        }
        match (place.since, params.expanded || params.order != Order::Unspecified) {
            (Some(since), _) => delta(cloud, cal, params, place, since, size),
            (None, true) => sorted(cloud, cal, params, place, size),
            (None, false) => {
                let after = place.after.as_ref().map(|key| key.1.as_str().into());
                let rest = cal.stored_after(after.as_ref()).filter(|e| listed(cal, params, e));
                Ok(Page::cut(rest.map(|e| (Key(0, e.id.to_string()), Arc::clone(e))), size))
            }
        }
    }

    /// Repeats one item, as a delta may (§4 rule 7): as it is, or as it was before with its older `updated`.
    fn double(&self, cal: &Calendar, view: &View<'_>, events: &[Arc<Event>], items: &mut Vec<Value>) {
        let Some(number) = self.face.faults.draw(Fault::DuplicateItem).filter(|_| !events.is_empty()) else {
            return;
        };
        let at = usize::try_from(number % events.len() as u64).unwrap_or(0);
        let older = cal.previous(&events[at].id);
        // Only what `updated` can tell apart: tombstones have none.
        let older = older.filter(|e| e.updated < events[at].updated && !e.cancelled && !events[at].cancelled);
        let copy = view.item(older.unwrap_or(&events[at]));
        items.insert(if number & (1 << 40) == 0 { at } else { at + 1 }, copy);
    }

    /// What stands around the items.
    pub(super) fn list_head(&self, cal: &Calendar, role: AccessRole, view: &View<'_>) -> Value {
        let mut head = json!({
            "kind": "calendar#events",
            "etag": format!("\"p3{}0\"", cal.log().last()),
            "summary": cal.summary,
            "updated": stamp(cal.updated),
            "timeZone": view.zone.iana_name().unwrap_or(&cal.time_zone),
            "accessRole": role_name(role),
        });
        if let Some(description) = &cal.description {
            head["description"] = json!(description);
        }
        if role == AccessRole::Owner && cal.primary {
            head["defaultReminders"] = json!([{"method": "popup", "minutes": 10}]);
        }
        head
    }
}

/// Whether a stored event stands in a listing that is not expanded.
fn listed(cal: &Calendar, params: &ListParams, event: &Event) -> bool {
    // Cancelled occurrences of live series come in any case (§4 `showDeleted`); deletions always with `updatedMin`.
    let shown = !event.is_tombstone() || params.deleted_too || params.updated_min.is_some();
    let in_window = match event.kind {
        Kind::Series if params.window != Window::ALL => cal.series_touches(event, &params.window),
        _ => params.in_window(event, &cal.zone),
    };
    shown && params.matches(event) && in_window
}

/// A full listing that is expanded, or in an order.
fn sorted(
    cloud: &Cloud,
    cal: &Calendar,
    params: &ListParams,
    place: &Place,
    size: usize,
) -> Result<Page<Arc<Event>>, CloudError> {
    let mut all: Vec<(Key, Arc<Event>)> = Vec::new();
    let key = |event: &Event| {
        let number = match params.order {
            Order::Unspecified => 0,
            Order::Start => event.instants(&cal.zone).0.micros(),
            Order::Updated => event.updated.micros(),
        };
        Key(number, event.id.to_string())
    };
    for event in cal.stored_after(None) {
        if !params.expanded {
            all.extend(listed(cal, params, event).then(|| (key(event), Arc::clone(event))));
            continue;
        }
        let deleted_shown = params.deleted_too || params.updated_min.is_some();
        match event.kind {
            Kind::Single if (event.cancelled && !deleted_shown) || !params.in_window(event, &cal.zone) => {}
            Kind::Single => all.extend(params.matches(event).then(|| (key(event), Arc::clone(event)))),
            // Exceptions come with their series.
            Kind::Exception { .. } => {}
            Kind::Series if event.cancelled && !deleted_shown => {}
            Kind::Series => {
                let most = most(params, event);
                let found = cloud.occurrences(&cal.id, &event.id, &params.window, most)?.into_iter();
                let found = found.filter(|e| (!e.cancelled || deleted_shown) && params.matches(e));
                all.extend(found.map(|e| (key(&e), e)));
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Page::cut(all.into_iter().filter(|(key, _)| place.is_before(key)), size))
}

/// How many occurrences of a series one listing shows.
fn most(params: &ListParams, series: &Event) -> usize {
    match (series.cancelled, params.window == Window::ALL) {
        (true, _) => DELETED_SERIES_MAX,
        (false, true) => SERIES_MAX,
        (false, false) => usize::MAX,
    }
}

/// What changed since a token, in the order of changes, deletions always among it.
fn delta(
    cloud: &Cloud,
    cal: &Calendar,
    params: &ListParams,
    place: &Place,
    since: u64,
    size: usize,
) -> Result<Page<Arc<Event>>, CloudError> {
    // The change at which the last page ended may have left some of its occurrences for this one.
    let reached = place
        .after
        .as_ref()
        .and_then(|key| u64::try_from(key.0).ok())
        .map_or(since, |n| n.saturating_sub(1).max(since));
    let mut found: Vec<(Key, Arc<Event>)> = Vec::new();
    for (number, id) in cal.log().between(reached, place.upto) {
        if found.len() > size {
            break;
        }
        let Some(event) = cal.stored(id).filter(|e| params.has_type(e)) else { continue };
        let key = |e: &Event| Key(i64::try_from(number).unwrap_or(i64::MAX), e.id.to_string());
        let mut items = match event.kind {
            Kind::Series if params.expanded => {
                cloud.occurrences(&cal.id, id, &Window::ALL, most(params, event))?
            }
            _ => vec![Arc::clone(event)],
        };
        items.sort_by(|a, b| a.id.cmp(&b.id));
        found.extend(items.into_iter().map(|e| (key(&e), e)).filter(|(key, _)| place.is_before(key)));
    }
    Ok(Page::cut(found.into_iter(), size))
}
