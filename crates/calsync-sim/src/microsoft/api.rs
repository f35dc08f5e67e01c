//! Graph as one function: what may go wrong goes wrong, the token and the limits are checked, the call is found, and its
//! answer gets the headers that every answer has.

use calsync_core::time::Ts;
use serde_json::{Map, Value};

use super::errors::GraphError;
use super::ids::{read_calendar_id, read_event_id, version_of};
use super::oauth::Access;
use super::prefer::Prefer;
use super::{Account, MicrosoftFace, Who};
use crate::cloud::Cloud;
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::event::Event;
use crate::cloud::journal::By;
use crate::cloud::names::{CalendarId, EventId, PersonId};
use crate::cloud::watch::Provider;
use crate::faults::Fault;
use crate::wire::{Answer, ApiRequest, Reply};

/// What a call gives back.
#[derive(Debug)]
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Success {
    pub(super) fn of(body: Value) -> Success {
        Success { status: 200, body: Some(body) }
    }

    pub(super) fn created(body: Value) -> Success {
        Success { status: 201, body: Some(body) }
    }

    pub(super) fn empty(status: u16) -> Success {
        Success { status, body: None }
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// By itself.
    Alone,
    /// As a part of a batch, which has lengths for none of them.
    Batch,
}

/// A request of somebody who was let in.
pub(super) struct Call<'a> {
    pub(super) face: &'a MicrosoftFace,
    pub(super) request: &'a ApiRequest,
    pub(super) access: Access,
    pub(super) who: Who,
    pub(super) account: Account,
    pub(super) prefer: Prefer,
    pub(super) now: Ts,
    pub(super) base: String,
}

impl MicrosoftFace {
    pub(super) async fn api(&self, request: &ApiRequest, path: &[&str]) -> Reply {
        self.api_via(request, path, Via::Alone).await
    }

    pub(super) async fn api_via(&self, request: &ApiRequest, path: &[&str], via: Via) -> Reply {
        let stamp = self.stamp(request);
        if self.faults.strikes(Fault::DropBefore) {
            return Reply::Dropped;
        }
        let done = match self.faults.draw(Fault::ErrorBefore) {
            Some(number) => Err(GraphError::backend(number)),
            None => self.done(request, path, via).await,
        };
        if done.is_ok() && request.method != "GET" {
            if self.faults.strikes(Fault::DropAfterWrite) {
                return Reply::Dropped;
            }
            if let Some(number) = self.faults.draw(Fault::ErrorAfterWrite) {
                return Reply::Answer(GraphError::backend(number).answer(&stamp));
            }
        }
        let answer = done.unwrap_or_else(|error| error.answer(&stamp));
        let answer = answer
            .with("request-id", stamp.request_id)
            .with("client-request-id", stamp.client_request_id)
            .with("x-ms-ags-diagnostic", "{\"ServerInfo\":{\"DataCenter\":\"Simulated\"}}".to_owned());
        Reply::Answer(answer)
    }

    async fn done(&self, request: &ApiRequest, path: &[&str], via: Via) -> Result<Answer, GraphError> {
        let call = self.admitted(request)?;
        // A call may be seen by nobody, and yet count against the four at the same time (§9).
        let _flight = self.begin(&call.access.client, call.person())?;
        if let Some(number) = self.faults.draw(Fault::TooManyRequests) {
            return Err(GraphError::throttled(self.retry_after(Some(number))));
        }
        if let Some(number) = self.faults.draw(Fault::RateLimited) {
            let refusal = GraphError::concurrency(self.retry_after(Some(number)));
            // Sometimes 503 for the same (§9).
            return Err(GraphError { status: if number.is_multiple_of(3) { 503 } else { 429 }, ..refusal });
        }
        // A POST without a body must say so (§2).
        let says_length =
            ["content-length", "transfer-encoding"].iter().any(|h| request.headers.contains_key(*h));
        if request.method == "POST" && request.body.is_empty() && !says_length && via == Via::Alone {
            return Err(GraphError::length_required());
        }
        if !self.config.latency.is_zero() {
            tokio::time::sleep(self.config.latency).await;
        }
        let done = call.dispatch(path).await?;
        let mut answer = match done.body {
            None => Answer::empty(done.status),
            Some(body) => Answer {
                content_type: Some(
                    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8".to_owned(),
                ),
                ..Answer::json(done.status, &body)
            },
        };
        if done.status == 201
            && let Some(location) = call.location(path, &answer.body)
        {
            answer = answer.with("location", location);
        }
        if !call.prefer.applied.is_empty() {
            answer = answer.with("preference-applied", call.prefer.applied.join(", "));
        }
        Ok(answer)
    }

    /// Lets a request in, or says why not.
    fn admitted<'a>(&'a self, request: &'a ApiRequest) -> Result<Call<'a>, GraphError> {
        let token = request.bearer_token().filter(|t| !t.is_empty());
        let token = token.ok_or_else(|| GraphError::auth("Access token is empty."))?;
        if self.faults.strikes(Fault::TokenExpired) {
            self.oauth().expire(token);
            return Err(GraphError::auth("Lifetime validation failed, the token is expired."));
        }
        let now = self.now();
        let access = self.oauth().access(token, now).cloned();
        let access =
            access.ok_or_else(|| GraphError::auth("Lifetime validation failed, the token is expired."))?;
        let (who, account) = (self.who(&access.person), self.account(&access.person));
        let (prefer, base) = (Prefer::read(request)?, self.base(request));
        Ok(Call { face: self, request, access, who, account, prefer, now, base })
    }
}

impl Call<'_> {
    /// Who asks.
    pub(super) fn person(&self) -> &PersonId {
        &self.access.person
    }

    /// The caller's default calendar.
    pub(super) fn main_calendar(&self) -> CalendarId {
        CalendarId::from(self.person().as_str())
    }

    /// The calendar that an id in a path stands for.
    pub(super) fn calendar_of(&self, id: &str) -> Result<CalendarId, GraphError> {
        let (mailbox, calendar) = read_calendar_id(id).ok_or_else(GraphError::malformed_id)?;
        if mailbox == self.who.mailbox { Ok(calendar) } else { Err(GraphError::not_found()) }
    }

    /// The calendar for reading.
    pub(super) fn readable<'c>(&self, cloud: &'c Cloud, id: &CalendarId) -> Result<&'c Calendar, GraphError> {
        Ok(cloud.calendar_for(id, self.person(), AccessRole::FreeBusyReader)?)
    }

    /// The live event that an id in a path stands for, and the calendar it is in. `within` is the calendar that the
    /// path names, if it names one.
    pub(super) fn found(
        &self,
        cloud: &Cloud,
        within: Option<&CalendarId>,
        id: &str,
    ) -> Result<(CalendarId, std::sync::Arc<Event>), GraphError> {
        let name = read_event_id(id).ok_or_else(GraphError::malformed_id)?;
        if name.mailbox != self.who.mailbox {
            return Err(GraphError::not_found());
        }
        let live = |calendar: &CalendarId| {
            let cal = cloud.calendar_for(calendar, self.person(), AccessRole::FreeBusyReader).ok()?;
            cloud.event(&cal.id, &name.event).filter(|e| !e.cancelled).map(|e| (cal.id.clone(), e))
        };
        let found = match &name.calendar {
            Some(calendar) => live(calendar),
            // An immutable id follows its event through the mailbox (§10 row 6).
            None => cloud.person(self.person()).and_then(|p| p.list().keys().find_map(live)),
        };
        let found = found.filter(|(calendar, _)| within.is_none_or(|within| within == calendar));
        found.ok_or_else(GraphError::not_found)
    }

    /// Who writes, by Microsoft's rules. A write about guests always mails them (§4.1).
    pub(super) fn by(&self) -> By {
        let mut by = By::client(self.person().as_str(), &self.access.client);
        by.rules = Provider::Microsoft;
        by.params.insert("sendUpdates".to_owned(), "all".to_owned());
        by
    }

    /// Refuses when `If-Match` names another version than the one that stands (§4.2).
    pub(super) fn check_guard(&self, version: u64) -> Result<(), GraphError> {
        match self.request.headers.get("if-match").map(|v| v.trim()) {
            None | Some("*") => Ok(()),
            Some(etag) if version_of(etag) == Some(version) => Ok(()),
            Some(_) => Err(GraphError::changed()),
        }
    }

    /// The body as a JSON object.
    pub(super) fn body(&self) -> Result<Map<String, Value>, GraphError> {
        let kind = self.request.headers.get("content-type").map_or("", String::as_str);
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            return Err(GraphError::new(
                415,
                "UnsupportedMediaType",
                "The content type must be application/json.",
            ));
        }
        match serde_json::from_slice(&self.request.body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(GraphError::unreadable()),
        }
    }

    /// `@odata.context` of an answer.
    pub(super) fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#{what}", self.base)
    }

    /// Names an event in a context or a notice.
    pub(super) fn event_name(&self, event: &EventId, calendar: &CalendarId) -> String {
        super::ids::event_id(self.prefer.ids, &self.who.mailbox, calendar, event)
    }

    fn location(&self, path: &[&str], body: &str) -> Option<String> {
        let body: Value = serde_json::from_str(body).ok()?;
        let id = body.get("id")?.as_str()?;
        Some(format!("{}/v1.0/{}('{id}')", self.base, path.join("/")))
    }
}
