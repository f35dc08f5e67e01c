//! `calendarView/delta` (microsoft.md §7): rounds over one calendar and one window, with everything that makes them hard
//! to read: stubs, events told again, removals of things nobody knew, pages without anything, tokens that are lost.

use calsync_core::time::Window;
use serde_json::{Value, json};

use super::Links;
use super::api::{Call, Success};
use super::delta_token::Round;
use super::errors::GraphError;
use super::event_json::View;
use super::events_list::range;
use super::ids::calendar_id;
use super::list_params::encode;
use super::rows::{self, Item};
use crate::cloud::calendar::Calendar;
use crate::cloud::names::CalendarId;

/// Page size without a word, and the largest.
const SIZE_DEFAULT: usize = 10;
const SIZE_MAX: usize = 1_000;

/// Query options that a delta refuses (§7).
const REFUSED: [&str; 5] = ["$select", "$expand", "$filter", "$orderby", "$search"];

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
            rows::lag(&mut round, &self.face.faults);
            let most = self.prefer.page_size.unwrap_or(SIZE_DEFAULT).min(SIZE_MAX);
            let page = rows::page(cloud, cal, &round, (self.face.config.vanished, most), &self.face.faults)?;
            let view = View { call: self, cloud, calendar: cal };
            let value: Vec<Value> = page.items.iter().map(|item| written(&view, item)).collect();
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
        let Some(number) = rows::lost(cal, round, &self.face.faults) else { return Ok(()) };
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
