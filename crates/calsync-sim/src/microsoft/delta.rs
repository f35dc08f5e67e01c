//! `calendarView/delta` (microsoft.md §7): rounds over one calendar and one window, with everything that makes them hard
//! to read: stubs, events told again, removals of things nobody knew, pages without anything, tokens that are lost.

use std::sync::Arc;

use calsync_core::time::Window;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::api::{Call, Success};
use super::delta_token::Round;
use super::errors::GraphError;
use super::event_json::View;
use super::events_list::{range, taking_place};
use super::ids::calendar_id;
use super::list_params::encode;
use super::{Links, Vanished};
use crate::cloud::Cloud;
use crate::cloud::calendar::Calendar;
use crate::cloud::event::{Event, Kind};
use crate::cloud::names::{CalendarId, EventId};
use crate::faults::Fault;
use crate::pages::{Key, Page};

/// Page size without a word, and the largest.
const SIZE_DEFAULT: usize = 10;
const SIZE_MAX: usize = 1_000;

/// Empty pages that may follow each other by fault.
const EMPTY_MAX: u8 = 2;

/// Query options that a delta refuses (§7).
const REFUSED: [&str; 5] = ["$select", "$expand", "$filter", "$orderby", "$search"];

/// One line of a page.
#[derive(Debug, Clone)]
enum Item {
    Full(Arc<Event>),
    Stub(Arc<Event>),
    Removed(EventId),
}

type Row = (Key, Item);

impl Call<'_> {
    /// `GET …/calendarView/delta`.
    pub(super) fn delta(&self, calendar: &CalendarId) -> Result<Success, GraphError> {
        if let Some(name) = REFUSED.iter().find(|name| self.request.param(name).is_some()) {
            let message = format!(
                "The following parameters are not supported with change tracking over the 'CalendarView' resource: '{name}'."
            );
            return Err(GraphError::new(400, "ErrorInvalidUrlQuery", &message));
        }
        let of = format!("{} {calendar}", self.who.mailbox);
        self.face.cloud.with(|cloud| {
            let cal = self.readable(cloud, calendar)?;
            let log = cal.log();
            let mut round = match Round::of_query(self.request, &of, log.last())? {
                None => Round::initial(&of, range(self.request)?, log.last()),
                Some(round) => {
                    self.check_token(cal, &round)?;
                    round
                }
            };
            // A delta can lag behind the change: an empty round proves nothing (§7).
            if let (Some(since), None) = (round.since, &round.after)
                && self.face.faults.strikes(Fault::ReplicationLag)
            {
                round.upto = since;
            }
            let page = self.delta_page(cloud, cal, &round)?;
            let view = View { call: self, cloud, calendar: cal };
            let mut value: Vec<Value> = page.items.iter().map(|item| written(&view, item)).collect();
            self.trouble(&view, &page.items, &mut value);
            let mut body = json!({"@odata.context": self.context("Collection(event)"), "value": value});
            let (name, token) = match page.next {
                Some(key) => ("@odata.nextLink", format!("$skiptoken={}", round.skip_token(key))),
                None => ("@odata.deltaLink", format!("$deltatoken={}", round.delta_token())),
            };
            body[name] = format!("{}?{token}", self.delta_path(&cal.id)).into();
            Ok(Success::of(body))
        })
    }

    /// The address of a calendar's delta; links may change form (§2).
    fn delta_path(&self, calendar: &CalendarId) -> String {
        let id = encode(&calendar_id(&self.who.mailbox, calendar));
        match self.face.config.links {
            Links::Keyed => format!("{}/v1.0/me/calendars('{id}')/calendarView/delta", self.base),
            Links::Slashed => format!("{}/v1.0/me/calendars/{id}/calendarView/delta", self.base),
        }
    }

    /// Whether what a token stands for can still be told. The ways in which it is refused differ (§7 expiry).
    fn check_token(&self, cal: &Calendar, round: &Round) -> Result<(), GraphError> {
        let log = cal.log();
        let lost = round.since.is_some_and(|at| !log.reaches(at)) || !log.reaches(round.upto);
        let number = match (lost, self.face.faults.draw(Fault::SyncTokenLost)) {
            (true, _) => 0,
            (false, Some(number)) => number,
            (false, None) => return Ok(()),
        };
        Err(match number % 3 {
            0 => GraphError::sync_state(),
            1 => {
                let time =
                    |at: calsync_core::time::Ts| at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                let Window { from, to } = round.window;
                let (path, from, to) = (self.delta_path(&cal.id), time(from), time(to));
                GraphError::resync(format!("{path}?startDateTime={from}&endDateTime={to}&$deltatoken="))
            }
            _ => GraphError { status: 400, code: "syncStateNotFound", ..GraphError::sync_state() },
        })
    }

    fn delta_page(&self, cloud: &Cloud, cal: &Calendar, round: &Round) -> Result<Page<Item>, GraphError> {
        let most = self.prefer.page_size.unwrap_or(SIZE_DEFAULT).min(SIZE_MAX);
        let size = match self.face.faults.draw(Fault::ShortPage) {
            Some(number) => 1 + usize::try_from(number % most as u64).unwrap_or(0),
            None => most,
        };
        // A page may hold nothing, and yet lead on (§7).
        if round.empty < EMPTY_MAX && self.face.faults.strikes(Fault::EmptyPage) {
            let here = round.after.clone().unwrap_or(Key(i64::MIN, String::new()));
            return Ok(Page { items: Vec::new(), next: Some(here) });
        }
        match round.since {
            None => self.everything(cloud, cal, round, size),
            Some(since) => self.changes(cloud, cal, round, (since, size)),
        }
    }

    /// All that stands in the window, by id: singles, masters, and what their series make there.
    fn everything(
        &self,
        cloud: &Cloud,
        cal: &Calendar,
        round: &Round,
        size: usize,
    ) -> Result<Page<Item>, GraphError> {
        // The event at which the last page ended may have left some of its occurrences for this one.
        let stands =
            round.after.as_ref().and_then(|key| key.1.split('\n').next()).filter(|id| !id.is_empty());
        let stands = stands.map(EventId::from);
        let again = stands.as_ref().and_then(|id| cal.stored(id));
        let mut rows: Vec<Row> = Vec::new();
        for event in again.into_iter().chain(cal.stored_after(stands.as_ref())) {
            if rows.len() > size {
                break;
            }
            let found = match event.kind {
                _ if event.cancelled => continue,
                Kind::Exception { .. } => continue,
                Kind::Single if event.touches(&round.window, &TimeZone::UTC) => {
                    vec![Item::Full(Arc::clone(event))]
                }
                Kind::Single => continue,
                Kind::Series => series_rows(cloud, cal, event, &round.window)?,
            };
            let key = |item: &Item| Key(0, format!("{}\n{}", event.id, sort_key(item, &event.id)));
            rows.extend(
                found.into_iter().map(|item| (key(&item), item)).filter(|(key, _)| round.is_before(key)),
            );
        }
        Ok(Page::cut(rows.into_iter(), size))
    }

    /// What changed since, in the order of changes.
    fn changes(
        &self,
        cloud: &Cloud,
        cal: &Calendar,
        round: &Round,
        (since, size): (u64, usize),
    ) -> Result<Page<Item>, GraphError> {
        let reached = round.after.as_ref().and_then(|key| u64::try_from(key.0).ok());
        let reached = reached.map_or(since, |n| n.saturating_sub(1).max(since));
        let mut rows: Vec<Row> = Vec::new();
        for (number, id) in cal.log().between(reached, round.upto) {
            if rows.len() > size {
                break;
            }
            let Some(event) = cal.stored(id) else { continue };
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            let master = event.series().unwrap_or(&event.id);
            let key = |item: &Item| Key(number, sort_key(item, master));
            let mut found: Vec<Row> =
                self.change(cloud, cal, event, &round.window)?.into_iter().map(|i| (key(&i), i)).collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            rows.extend(found.into_iter().filter(|(key, _)| round.is_before(key)));
        }
        Ok(Page::cut(rows.into_iter(), size))
    }

    /// What one changed thing looks like to somebody who watches the window.
    fn change(
        &self,
        cloud: &Cloud,
        cal: &Calendar,
        event: &Arc<Event>,
        window: &Window,
    ) -> Result<Vec<Item>, GraphError> {
        let told = self.face.config.vanished == Vanished::Told;
        let inside = event.touches(window, &TimeZone::UTC);
        Ok(match &event.kind {
            Kind::Single if !event.cancelled && inside => vec![Item::Full(Arc::clone(event))],
            // Gone, moved out of the window, or never inside: all the same word (§7).
            Kind::Single => vec![Item::Removed(event.id.clone())],
            Kind::Series if event.cancelled => {
                let mut gone = vec![Item::Removed(event.id.clone())];
                if told {
                    gone.extend(
                        taking_place(cloud, cal, event, window)?.iter().map(|e| Item::Removed(e.id.clone())),
                    );
                }
                gone
            }
            // Editing a series tells all its occurrences again (§10 row 5).
            Kind::Series => {
                let rows = series_rows(cloud, cal, event, window)?;
                if rows.is_empty() { vec![Item::Removed(event.id.clone())] } else { rows }
            }
            Kind::Exception { series, .. } => {
                // Whatever happens to one occurrence happens to its master too; that an occurrence is gone may be all
                // that is told (§10 row 4).
                let mut rows: Vec<Item> =
                    cal.live_series(series).map(|m| Item::Full(Arc::clone(m))).into_iter().collect();
                match (event.cancelled, inside) {
                    (false, true) => rows.push(Item::Full(Arc::clone(event))),
                    (false, false) => rows.push(Item::Removed(event.id.clone())),
                    (true, _) if told => rows.push(Item::Removed(event.id.clone())),
                    (true, _) => {}
                }
                rows
            }
        })
    }

    /// Things told twice, perhaps once as they were, and things removed that nobody knew (§7).
    fn trouble(&self, view: &View<'_>, items: &[Item], value: &mut Vec<Value>) {
        let faults = &self.face.faults;
        if let Some(number) = faults.draw(Fault::DuplicateItem).filter(|_| !items.is_empty()) {
            let at = usize::try_from(number % items.len() as u64).unwrap_or(0);
            let older = match &items[at] {
                Item::Full(event) => view.calendar.previous(&event.id).filter(|e| !e.cancelled),
                Item::Stub(_) | Item::Removed(_) => None,
            };
            // The last one wins, so an older one comes first.
            let copy = older
                .map_or_else(|| written(view, &items[at]), |e| written(view, &Item::Full(Arc::clone(e))));
            value.insert(at, copy);
        }
        if faults.strikes(Fault::ExceptionsFirst) {
            // Occurrences before their master; nothing says in which order they come.
            let masters = |v: &Value| v["type"] == "seriesMaster";
            value.sort_by_key(masters);
        }
        if let Some(number) = faults.draw(Fault::StrayRemoval) {
            let stray = Item::Removed(EventId::from(format!("stray{number}")));
            value.insert(0, written(view, &stray));
        }
    }
}

/// A series in a window: its master whole, untouched occurrences as stubs, exceptions whole. Nothing if it makes nothing
/// there.
fn series_rows(
    cloud: &Cloud,
    cal: &Calendar,
    master: &Arc<Event>,
    window: &Window,
) -> Result<Vec<Item>, GraphError> {
    let found = taking_place(cloud, cal, master, window)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = vec![Item::Full(Arc::clone(master))];
    rows.extend(
        found.into_iter().map(|e| if cal.stored(&e.id).is_some() { Item::Full(e) } else { Item::Stub(e) }),
    );
    rows.sort_by_key(|row| sort_key(row, &master.id));
    Ok(rows)
}

/// The master first, then the rest by id.
fn sort_key(item: &Item, master: &EventId) -> String {
    let id = match item {
        Item::Full(event) | Item::Stub(event) => &event.id,
        Item::Removed(id) => id,
    };
    format!("{}{id}", if id == master { '0' } else { '1' })
}

fn written(view: &View<'_>, item: &Item) -> Value {
    match item {
        Item::Full(event) => {
            let mut out = view.full(event);
            out["@odata.type"] = "#microsoft.graph.event".into();
            out
        }
        Item::Stub(event) => view.stub(event),
        Item::Removed(id) => json!({
            "@odata.type": "#microsoft.graph.event",
            "id": view.call.event_name(id, &view.calendar.id),
            "@removed": {"reason": "deleted"},
        }),
    }
}
