//! Writes of events: create, patch, delete, and the answers to invitations (microsoft.md §4.1, §4.2). They read the
//! request, call one write of the cloud and write the answer; what holds for a write is the cloud's business.

use std::sync::Arc;

use calsync_core::time::Window;
use jiff::SignedDuration;
use serde_json::Map;
use serde_json::Value;

use super::api::{Call, Success};
use super::errors::GraphError;
use super::event_json::{View, authoring_zone, version};
use super::event_parse::{fresh, laid_over};
use super::ids::read_event_id;
use super::{Account, LAGGING_MAX};
use crate::cloud::calendar::Calendar;
use crate::cloud::content::{Content, Response};
use crate::cloud::event::{Event, Kind};
use crate::cloud::journal::{By, Op};
use crate::cloud::names::{CalendarId, EventId};
use crate::cloud::{Cloud, Guard, Ids};
use crate::faults::Fault;
use crate::sealed::fingerprint;

/// What the look-alike's iCalendar UIDs begin with, as Outlook's do.
const UID_HEAD: &str = "040000008200E00074C5B7101A82E008";

/// How far apart neighbours of one series are looked for.
const NEIGHBOURS: SignedDuration = SignedDuration::from_hours(24 * 400);

/// A creation that is remembered by its `transactionId` (§4.2).
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    calendar: CalendarId,
    event: EventId,
    body: String,
}

impl Call<'_> {
    /// `POST …/events`: the server chooses id and iCalUId, whatever the body says.
    pub(super) fn create(&self, calendar: &CalendarId) -> Result<Success, GraphError> {
        let map = self.body()?;
        let content = fresh(&map)?;
        let key = content.outlook.transaction_id.as_ref().map(|id| format!("{} {id}", self.who.mailbox));
        let digest = fingerprint(&format!("{calendar} {}", Value::Object(map)));
        if let Some(key) = &key
            && let Some(done) = self.replayed(key, &digest)?
        {
            return Ok(done);
        }
        self.name_properties(&content)?;
        let (done, event) = self.face.cloud.with(|cloud| {
            let id = EventId::from(cloud.fresh_id(26));
            let ical_uid = format!("{UID_HEAD}{}", cloud.fresh_id(48).to_ascii_uppercase());
            let ids = Ids { id: Some(id), ical_uid: Some(ical_uid) };
            let after = cloud.insert(&self.by(), calendar, ids, content, self.now)?.after;
            let body = self.shown(cloud, calendar, &after)?;
            self.touch(cloud, calendar, &after);
            Ok::<_, GraphError>((Success::created(body), after))
        })?;
        let mut state = self.face.state();
        if let Some(key) = key {
            let (calendar, event) = (calendar.clone(), event.id.clone());
            state.transactions.put(key, Transaction { calendar, event, body: digest });
        }
        drop(state);
        if self.face.faults.strikes(Fault::ReplicationLag) {
            let mut state = self.face.state();
            if state.lagging.len() < LAGGING_MAX {
                state.lagging.insert((calendar.clone(), event.id.clone()));
            }
        }
        Ok(done)
    }

    /// The event that this `transactionId` made, if it stands: the same body gets it again, another one is refused. How
    /// long Graph remembers is not known (§12); here it forgets with the event.
    fn replayed(&self, key: &str, digest: &str) -> Result<Option<Success>, GraphError> {
        let Some(known) = self.face.state().transactions.get(key).cloned() else { return Ok(None) };
        self.face.cloud.with(|cloud| {
            let Some(event) = cloud.event(&known.calendar, &known.event).filter(|e| !e.cancelled) else {
                return Ok(None);
            };
            if known.body != digest {
                let message =
                    "Your request can't be completed. The TransactionId has been used for another event.";
                let status = self.face.config.duplicate_transaction_status;
                return Err(GraphError::new(status, "ErrorDuplicateTransactionId", message));
            }
            Ok(Some(Success::created(self.shown(cloud, &known.calendar, &event)?)))
        })
    }

    /// `PATCH …/events/{id}`: what is not named stays.
    pub(super) fn patch(&self, within: Option<&CalendarId>, id: &str) -> Result<Success, GraphError> {
        let map: Map<String, Value> = self.body()?;
        self.face.cloud.with(|cloud| {
            let (calendar, event) = self.found(cloud, within, id)?;
            let cal = self.readable(cloud, &calendar)?;
            self.check_guard(version(cal, &event))?;
            let content = laid_over(&map, &event.content)?;
            self.name_properties(&content)?;
            if crosses(cloud, cal, &event, &content)? {
                return Err(GraphError::crossing());
            }
            let by = self.by();
            let after =
                cloud.replace(&by, &calendar, &event.id, (Guard::Any, Op::Patch), content, self.now)?.after;
            let body = self.shown(cloud, &calendar, &after)?;
            self.touch(cloud, &calendar, &after);
            Ok(Success::of(body))
        })
    }

    /// `DELETE …/events/{id}`: the second time 404, or 400 for a personal account (§4.1).
    pub(super) fn delete(&self, within: Option<&CalendarId>, id: &str) -> Result<Success, GraphError> {
        self.face.cloud.with(|cloud| {
            let (calendar, event) = self.found(cloud, within, id).map_err(|error| {
                let mine = read_event_id(id).is_some_and(|name| name.mailbox == self.who.mailbox);
                if self.account == Account::Personal && mine {
                    GraphError::invalid("Your request can't be completed.")
                } else {
                    error
                }
            })?;
            let cal = self.readable(cloud, &calendar)?;
            self.check_guard(version(cal, &event))?;
            cloud.delete(&self.by(), &calendar, &event.id, Guard::Any, self.now)?;
            Ok(Success::empty(204))
        })
    }

    /// `POST …/accept`, `/tentativelyAccept`, `/decline`, `/cancel`: 202 whatever `If-Match` says; what was declined
    /// disappears (§4.1).
    pub(super) fn respond(
        &self,
        within: Option<&CalendarId>,
        id: &str,
        answer: &str,
    ) -> Result<Success, GraphError> {
        self.face.cloud.with(|cloud| {
            let (calendar, event) = self.found(cloud, within, id)?;
            let leads = self.readable(cloud, &calendar)?.leads(&event);
            let answer = match (answer, leads) {
                ("cancel", true) => {
                    cloud.delete(&self.by(), &calendar, &event.id, Guard::Any, self.now)?;
                    return Ok(Success::empty(202));
                }
                ("cancel", false) => return Err(GraphError::denied()),
                (_, true) => {
                    return Err(GraphError::invalid(
                        "You can't respond to this meeting because you're the meeting organizer.",
                    ));
                }
                ("accept", _) => Response::Accepted,
                ("decline", _) => Response::Declined,
                _ => Response::Tentative,
            };
            cloud.respond(self.person(), &event.id, answer, self.now)?;
            if answer == Response::Declined {
                cloud.delete(
                    &By::person(self.person().as_str()),
                    &calendar,
                    &event.id,
                    Guard::Any,
                    self.now,
                )?;
            }
            Ok(Success::empty(202))
        })
    }

    fn shown(&self, cloud: &Cloud, calendar: &CalendarId, event: &Arc<Event>) -> Result<Value, GraphError> {
        let cal = cloud.calendar(calendar).ok_or_else(GraphError::not_found)?;
        // Extended properties are not echoed (§5).
        let mut out = View { call: self, cloud, calendar: cal }.full(event);
        let context = format!(
            "users('{}')/calendars('{}')/events/$entity",
            self.who.user_id,
            super::ids::calendar_id(&self.who.mailbox, calendar)
        );
        out["@odata.context"] = self.context(&context).into();
        Ok(out)
    }

    /// The server may touch what was written, right after it (§4.2 `changeKey`).
    fn touch(&self, cloud: &mut Cloud, calendar: &CalendarId, event: &Event) {
        if self.face.faults.strikes(Fault::ServerTouch) {
            // An occurrence that only its rule makes cannot be touched, and need not be.
            let _ = cloud.touch(calendar, &event.id, self.now);
        }
    }

    /// Notes the names of extended properties, which no mailbox gives back (§5 named-property quota).
    fn name_properties(&self, content: &Content) -> Result<(), GraphError> {
        let mut state = self.face.state();
        let names = state.named.entry(self.person().clone()).or_default();
        for id in content.private.keys().filter(|id| id.contains('{')) {
            if !names.contains(id) && names.len() >= self.face.config.named_properties {
                let message = "The mailbox holds as many named properties as it can.";
                return Err(GraphError::new(507, "ErrorQuotaExceeded", message));
            }
            names.insert(id.clone());
        }
        Ok(())
    }
}

/// Whether an occurrence would reach or cross a neighbour's day (§4.3, moving one occurrence).
fn crosses(cloud: &Cloud, cal: &Calendar, event: &Event, content: &Content) -> Result<bool, GraphError> {
    let Kind::Exception { series, .. } = &event.kind else { return Ok(false) };
    if content.start == event.content.start && content.end == event.content.end {
        return Ok(false);
    }
    let Some(master) = cal.live_series(series) else { return Ok(false) };
    let zone = authoring_zone(&master.content);
    let (was, _) = event.instants(&zone);
    let window = Window { from: was.minus(NEIGHBOURS), to: was.plus(NEIGHBOURS) };
    let mut all = cloud.occurrences_in(&cal.id, series, (&window, &zone), usize::MAX)?;
    all.retain(|e| !e.cancelled || e.id == event.id);
    all.sort_by_key(|e| e.slot());
    let Some(at) = all.iter().position(|e| e.id == event.id) else { return Ok(false) };
    let day = |e: &Event| e.content.start.instant(&zone).to_jiff().to_zoned(zone.clone()).date();
    let new = content.start.instant(&zone).to_jiff().to_zoned(zone.clone()).date();
    let before = at.checked_sub(1).and_then(|n| all.get(n)).is_some_and(|e| new <= day(e));
    let after = all.get(at + 1).is_some_and(|e| new >= day(e));
    Ok(before || after)
}
