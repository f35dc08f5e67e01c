//! `GET …/events/{id}` (microsoft.md §4.1), with the exceptions and the cancelled days of a master if asked for (§4.3).
//! What was deleted is not found: Graph keeps no tombstones to be read.

use calsync_core::time::Window;
use serde_json::{Value, json};

use super::api::{Call, Success};
use super::errors::GraphError;
use super::event_json::{View, authoring_zone};
use super::events_list::MEMBERS;
use super::ids::read_event_id;
use super::list_params::{Expand, selected};
use crate::cloud::event::{Kind, Slot};
use crate::cloud::names::CalendarId;

impl Call<'_> {
    /// One event by its id of either form.
    pub(super) fn event(&self, within: Option<&CalendarId>, id: &str) -> Result<Success, GraphError> {
        let (select, expand) =
            (selected(self.request, &MEMBERS, "microsoft.graph.event")?, Expand::read(self.request)?);
        let lags = |calendar: &CalendarId| {
            let event = read_event_id(id).map(|name| name.event);
            event.is_some_and(|event| self.face.state().lagging.remove(&(calendar.clone(), event)))
        };
        let wanted = |name: &str| select.as_deref().is_some_and(|s| s.iter().any(|n| n == name));
        self.face.cloud.with(|cloud| {
            let (calendar, event) = self.found(cloud, within, id)?;
            if lags(&calendar) {
                return Err(GraphError::not_found());
            }
            let cal = self.readable(cloud, &calendar)?;
            let view = View { call: self, cloud, calendar: cal };
            let mut out = self.rendered(&view, &event, &expand, select.as_deref());
            if event.kind == Kind::Series {
                if wanted("cancelledOccurrences") {
                    let zone = authoring_zone(&event.content);
                    let day = |slot: Slot| match slot {
                        Slot::On(date) => date.to_string(),
                        Slot::At(at) => at.to_jiff().to_zoned(zone.clone()).date().to_string(),
                    };
                    let cancelled =
                        cal.exceptions(&event.id).filter(|e| e.cancelled).filter_map(|e| e.slot());
                    let name = |slot| format!("OID.{}.{}", view.id(&event), day(slot));
                    out["cancelledOccurrences"] = json!(cancelled.map(name).collect::<Vec<_>>());
                }
                if expand.exceptions {
                    let standing = cal.exceptions(&event.id).filter(|e| !e.cancelled);
                    let standing = standing.filter(|e| e.touches(&Window::ALL, &cal.zone));
                    out["exceptionOccurrences"] = Value::Array(standing.map(|e| view.full(e)).collect());
                }
            }
            out["@odata.context"] =
                self.context(&format!("users('{}')/events/$entity", self.who.user_id)).into();
            Ok(Success::of(out))
        })
    }
}
