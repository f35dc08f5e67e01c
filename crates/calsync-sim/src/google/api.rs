//! The Calendar API as one function: what may go wrong goes wrong, the token and the quota are checked, the method is
//! found, and its answer is put into the form that was asked for.

use calsync_core::time::Ts;
use serde_json::Value;

use super::GoogleFace;
use super::errors::ApiError;
use super::fields::Fields;
use super::ids::version_of;
use super::oauth::Access;
use super::scopes::{Need, Reach, reach};
use super::{Answer, ApiRequest, Reply};
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::journal::By;
use crate::cloud::names::{CalendarId, PersonId};
use crate::cloud::{Cloud, Guard};
use crate::faults::Fault;

/// Query parameters that every method takes (google.md §1).
const COMMON: [&str; 12] = [
    "alt",
    "fields",
    "prettyPrint",
    "quotaUser",
    "key",
    "oauth_token",
    "userIp",
    "access_token",
    "$.xgafv",
    "callback",
    "uploadType",
    "upload_protocol",
];

/// What a method gives back.
#[derive(Debug)]
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) etag: Option<String>,
}

impl Success {
    pub(super) fn of(body: Value) -> Success {
        let etag = body.get("etag").and_then(Value::as_str).map(str::to_owned);
        Success { status: 200, body: Some(body), etag }
    }

    pub(super) fn empty() -> Success {
        Success { status: 204, body: None, etag: None }
    }
}

/// A request of somebody who was let in.
pub(super) struct Call<'a> {
    pub(super) face: &'a GoogleFace,
    pub(super) request: &'a ApiRequest,
    pub(super) who: Access,
    pub(super) now: Ts,
}

impl GoogleFace {
    pub(super) fn api(&self, request: &ApiRequest, path: &[&str]) -> Reply {
        if self.faults.strikes(Fault::DropBefore) {
            return Reply::Dropped;
        }
        if let Some(number) = self.faults.draw(Fault::ErrorBefore) {
            return Reply::Answer(ApiError::backend(number).answer());
        }
        let done = self.admitted(request, path).and_then(|call| {
            let done = call.dispatch(path)?;
            Ok((done, call))
        });
        let (done, call) = match done {
            Ok(done) => done,
            Err(error) => return Reply::Answer(error.answer()),
        };
        if request.method != "GET" {
            if self.faults.strikes(Fault::DropAfterWrite) {
                return Reply::Dropped;
            }
            if let Some(number) = self.faults.draw(Fault::ErrorAfterWrite) {
                return Reply::Answer(ApiError::backend(number).answer());
            }
        }
        Reply::Answer(call.render(done).unwrap_or_else(|error| error.answer()))
    }

    /// Lets a request in, or says why not.
    fn admitted<'a>(&'a self, request: &'a ApiRequest, path: &[&str]) -> Result<Call<'a>, ApiError> {
        let token = request.bearer_token().or_else(|| request.param("access_token"));
        let token = token.ok_or_else(ApiError::no_token)?;
        if self.faults.strikes(Fault::TokenExpired) {
            self.oauth().expire(token);
            return Err(ApiError::auth());
        }
        let now = self.now();
        let who = self.oauth().access(token, now).cloned().ok_or_else(ApiError::auth)?;
        // A patch costs three requests (§3 events.patch).
        let cost = if request.method == "PATCH" && path.contains(&"events") { 3 } else { 1 };
        let mut quota = self.quota();
        if !quota.admit(&format!("project {}", who.project), self.config.requests_per_project, cost, now) {
            return Err(ApiError::project_rate());
        }
        if !quota.admit(
            &format!("user {} {}", who.project, who.person),
            self.config.requests_per_user,
            cost,
            now,
        ) {
            return Err(ApiError::user_rate());
        }
        drop(quota);
        if self.faults.strikes(Fault::TooManyRequests) {
            return Err(ApiError::too_many());
        }
        if let Some(number) = self.faults.draw(Fault::RateLimited) {
            return Err(if number.is_multiple_of(2) { ApiError::rate() } else { ApiError::user_rate() });
        }
        Ok(Call { face: self, request, who, now })
    }
}

impl Call<'_> {
    fn dispatch(&self, path: &[&str]) -> Result<Success, ApiError> {
        match (self.request.method.as_str(), path) {
            ("GET", ["users", "me", "calendarList"]) => self.calendar_list(),
            ("GET", ["users", "me", "calendarList", id]) => self.calendar_list_get(id),
            ("POST", ["users", "me", "calendarList", "watch"]) => self.watch_list(),
            ("GET", ["users", "me", "settings"]) => self.settings(),
            ("GET", ["users", "me", "settings", id]) => self.setting(id),
            ("POST", ["users", "me", "settings", "watch"]) => self.watch_settings(),
            ("GET", ["colors"]) => self.colors(),
            ("POST", ["freeBusy"]) => self.free_busy(),
            ("POST", ["channels", "stop"]) => self.stop(),
            ("GET", ["calendars", id]) => self.calendar_get(id),
            ("GET", ["calendars", id, "events"]) => self.events_list(id),
            ("POST", ["calendars", id, "events"]) => self.insert(id),
            ("POST", ["calendars", id, "events", "import"]) => self.import(id),
            ("POST", ["calendars", id, "events", "watch"]) => self.watch_events(id),
            ("GET", ["calendars", id, "events", event]) => self.event_get(id, event),
            ("PUT", ["calendars", id, "events", event]) => self.update(id, event),
            ("PATCH", ["calendars", id, "events", event]) => self.patch(id, event),
            ("DELETE", ["calendars", id, "events", event]) => self.delete(id, event),
            ("POST", ["calendars", id, "events", event, "move"]) => self.move_event(id, event),
            ("GET", ["calendars", id, "events", event, "instances"]) => self.instances(id, event),
            _ => Err(ApiError::not_found()),
        }
    }

    fn render(&self, done: Success) -> Result<Answer, ApiError> {
        let Some(body) = done.body else { return Ok(Answer::empty(done.status)) };
        let body = match self.request.param("fields") {
            Some(selector) => Fields::parse(selector)?.keep(body),
            None => body,
        };
        let mut answer = Answer::json(done.status, &Value::Null);
        // `prettyPrint` is true unless told otherwise (§1).
        answer.body = match self.request.param("prettyPrint") {
            Some("false") => body.to_string(),
            _ => serde_json::to_string_pretty(&body).unwrap_or_default(),
        };
        Ok(match done.etag {
            Some(etag) => answer.with("etag", etag),
            None => answer,
        })
    }

    /// Refuses query parameters that the method does not have.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let odd = self
            .request
            .query
            .iter()
            .map(|(k, _)| k.as_str())
            .find(|k| !known.contains(k) && !COMMON.contains(k));
        match odd {
            Some(name) => Err(ApiError::bad_request(&format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."
            ))),
            None if self.request.param("alt").is_some_and(|alt| alt != "json") => {
                Err(ApiError::invalid_parameter("alt", "Only alt=json is played here."))
            }
            None => Ok(()),
        }
    }

    /// How far the token reaches for this need.
    pub(super) fn reach(&self, need: Need) -> Result<Reach, ApiError> {
        reach(&self.who.scopes, need)
    }

    /// The calendar's own id: `primary` is the caller's main one (§1, path ids).
    pub(super) fn calendar_id(&self, id: &str) -> CalendarId {
        if id == "primary" { CalendarId::from(self.who.person.as_str()) } else { CalendarId::from(id) }
    }

    /// The calendar for reading its events, and what may be shown of them.
    pub(super) fn readable<'c>(
        &self,
        cloud: &'c Cloud,
        id: &str,
    ) -> Result<(&'c Calendar, AccessRole), ApiError> {
        let reach = self.reach(Need::Events)?;
        let id = self.calendar_id(id);
        let calendar = cloud.calendar_for(&id, &self.who.person, AccessRole::FreeBusyReader)?;
        let role = calendar.role(&self.who.person).ok_or_else(ApiError::not_found)?;
        match reach {
            Reach::TimesOnly => Ok((calendar, AccessRole::FreeBusyReader)),
            Reach::Owned if calendar.owner != self.who.person => Err(ApiError::scope()),
            Reach::Owned | Reach::All => Ok((calendar, role)),
        }
    }

    /// Checks that events may be written, counts the write against its calendar, and says who writes.
    pub(super) fn writing(&self, id: &CalendarId) -> Result<By, ApiError> {
        let reach = self.reach(Need::Writing)?;
        if reach == Reach::Owned {
            let owned =
                self.face.cloud.with(|c| c.calendar(id).is_none_or(|cal| cal.owner == self.who.person));
            if !owned {
                return Err(ApiError::scope());
            }
        }
        // Bursts of writes to one calendar are limited at any time (§9, quotas: operational).
        let limit = self.face.config.writes_per_calendar;
        if !self.face.quota().admit(&format!("writes {id}"), limit, 1, self.now) {
            return Err(ApiError::rate());
        }
        let mut by = By::client(self.who.person.as_str(), &self.who.client);
        by.params = self.request.query.iter().cloned().collect();
        Ok(by)
    }

    /// What `If-Match` demands (§5).
    pub(super) fn guard(&self) -> Result<Guard, ApiError> {
        match self.request.headers.get("if-match").map(|v| v.trim()) {
            None | Some("*") => Ok(Guard::Any),
            Some(etag) => version_of(etag).map(Guard::Version).ok_or_else(ApiError::condition),
        }
    }

    /// The body as a JSON object.
    pub(super) fn body(&self) -> Result<serde_json::Map<String, Value>, ApiError> {
        match serde_json::from_slice(&self.request.body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(ApiError::parse_error()),
        }
    }

    /// Who asks.
    pub(super) fn person(&self) -> &PersonId {
        &self.who.person
    }
}
