//! Google's error bodies: envelope A of the Calendar backend, envelope B of the front end that checks tokens (google.md
//! §9). Every refusal of the look-alike is made here, so that its status, domain and reason stand in one place.

use serde_json::{Value, json};

use super::Answer;
use crate::cloud::CloudError;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// Who says so: `global`, `calendar`, `usageLimits`, `push`.
    pub domain: &'static str,
    /// Why, in one word to branch on.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
    location: Option<(Place, &'static str)>,
    front_end: Option<FrontEnd>,
}

/// Where in the request the cause lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Parameter,
    Header,
}

/// What envelope B adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrontEnd {
    NoToken,
    Scope,
    Rate,
}

impl FrontEnd {
    /// `status`, and the reason in `details`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            FrontEnd::NoToken => ("UNAUTHENTICATED", "CREDENTIALS_MISSING"),
            FrontEnd::Scope => ("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            FrontEnd::Rate => ("PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED"),
        }
    }
}

impl ApiError {
    fn new(status: u16, domain: &'static str, reason: &'static str, message: &str) -> ApiError {
        ApiError { status, domain, reason, message: message.to_owned(), location: None, front_end: None }
    }

    fn at(self, place: Place, name: &'static str) -> ApiError {
        ApiError { location: Some((place, name)), ..self }
    }

    /// The same in envelope B.
    fn in_envelope_b(self, front_end: FrontEnd) -> ApiError {
        ApiError { front_end: Some(front_end), ..self }
    }

    pub(super) fn invalid(message: &str) -> ApiError {
        ApiError::new(400, "global", "invalid", message)
    }

    pub(super) fn invalid_parameter(name: &'static str, message: &str) -> ApiError {
        ApiError::new(400, "global", "invalidParameter", message).at(Place::Parameter, name)
    }

    pub(super) fn bad_request(message: &str) -> ApiError {
        ApiError::new(400, "global", "badRequest", message)
    }

    pub(super) fn parse_error() -> ApiError {
        ApiError::new(400, "global", "parseError", "Parse Error")
    }

    pub(super) fn required(message: &str) -> ApiError {
        ApiError::new(400, "global", "required", message)
    }

    pub(super) fn time_range_empty(name: &'static str) -> ApiError {
        ApiError::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty.")
            .at(Place::Parameter, name)
    }

    pub(super) fn time_range_too_long() -> ApiError {
        ApiError::new(400, "calendar", "timeRangeTooLong", "The requested time range is too long.")
    }

    pub(super) fn auth() -> ApiError {
        ApiError::new(401, "global", "authError", "Invalid Credentials").at(Place::Header, "Authorization")
    }

    pub(super) fn no_token() -> ApiError {
        let message = "Request is missing required authentication credential.";
        let refusal = ApiError::new(401, "global", "required", message).at(Place::Header, "Authorization");
        refusal.in_envelope_b(FrontEnd::NoToken)
    }

    pub(super) fn scope() -> ApiError {
        let message = "Request had insufficient authentication scopes.";
        let refusal = ApiError::new(403, "global", "insufficientPermissions", message);
        refusal.in_envelope_b(FrontEnd::Scope)
    }

    pub(super) fn user_rate() -> ApiError {
        ApiError::new(403, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded")
    }

    pub(super) fn rate() -> ApiError {
        ApiError::new(403, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
    }

    pub(super) fn project_rate() -> ApiError {
        ApiError::rate().in_envelope_b(FrontEnd::Rate)
    }

    pub(super) fn too_many() -> ApiError {
        ApiError::new(429, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
    }

    pub(super) fn usage_limits() -> ApiError {
        ApiError::new(403, "usageLimits", "quotaExceeded", "Calendar usage limits exceeded.")
    }

    pub(super) fn forbidden() -> ApiError {
        ApiError::new(403, "global", "forbidden", "Forbidden")
    }

    pub(super) fn access_level() -> ApiError {
        let message = "You need to have writer access to this calendar.";
        ApiError::new(403, "calendar", "requiredAccessLevel", message)
    }

    pub(super) fn not_organizer() -> ApiError {
        let message = "Shared properties can only be changed by the organizer of the event.";
        ApiError::new(403, "calendar", "forbiddenForNonOrganizer", message)
    }

    pub(super) fn not_found() -> ApiError {
        ApiError::new(404, "global", "notFound", "Not Found")
    }

    pub(super) fn no_channel(id: &str, project: &str) -> ApiError {
        ApiError::new(404, "global", "notFound", &format!("Channel '{id}' not found for project '{project}'"))
    }

    pub(super) fn duplicate() -> ApiError {
        ApiError::new(409, "global", "duplicate", "The requested identifier already exists.")
    }

    pub(super) fn deleted() -> ApiError {
        ApiError::new(410, "global", "deleted", "Resource has been deleted")
    }

    pub(super) fn full_sync_required() -> ApiError {
        let message = "Sync token is no longer valid, a full sync is required.";
        ApiError::new(410, "calendar", "fullSyncRequired", message).at(Place::Parameter, "syncToken")
    }

    pub(super) fn updated_min_too_long_ago() -> ApiError {
        let message = "The requested minimum modification time lies too far in the past.";
        ApiError::new(410, "calendar", "updatedMinTooLongAgo", message).at(Place::Parameter, "updatedMin")
    }

    pub(super) fn condition() -> ApiError {
        ApiError::new(412, "global", "conditionNotMet", "Precondition Failed").at(Place::Header, "If-Match")
    }

    /// 500 or 503, as the number says.
    pub(super) fn backend(number: u64) -> ApiError {
        let (status, message) =
            if number.is_multiple_of(2) { (500, "Backend Error") } else { (503, "Service Unavailable") };
        ApiError::new(status, "global", "backendError", message)
    }

    pub(super) fn push(reason: &'static str, status: u16, message: &str) -> ApiError {
        ApiError::new(status, "global", reason, message)
    }

    pub(super) fn push_not_supported() -> ApiError {
        let message = "Push notifications are not supported by this resource.";
        ApiError::new(400, "calendar", "pushNotSupportedForRequestedResource", message)
    }

    /// The answer that carries it.
    pub fn answer(&self) -> Answer {
        let mut inner = json!({"message": self.message, "domain": self.domain, "reason": self.reason});
        if let Some((place, name)) = self.location {
            inner["locationType"] = Value::from(if place == Place::Header { "header" } else { "parameter" });
            inner["location"] = Value::from(name);
        }
        let mut error = json!({"errors": [inner], "code": self.status, "message": self.message});
        if let Some((status, reason)) = self.front_end.map(FrontEnd::words) {
            error["status"] = Value::from(status);
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {"service": "calendar-json.googleapis.com"},
            }]);
        }
        let answer = Answer::json(self.status, &json!({"error": error}));
        if self.status == 401 {
            answer.with("www-authenticate", "Bearer realm=\"https://accounts.google.com/\"".into())
        } else {
            answer
        }
    }
}

impl From<CloudError> for ApiError {
    fn from(error: CloudError) -> ApiError {
        match error {
            CloudError::NoSuchPerson | CloudError::NoSuchCalendar | CloudError::NoSuchEvent => {
                ApiError::not_found()
            }
            CloudError::Deleted => ApiError::deleted(),
            CloudError::Forbidden => ApiError::access_level(),
            CloudError::NotOrganizer => ApiError::not_organizer(),
            CloudError::Duplicate => ApiError::duplicate(),
            CloudError::Changed => ApiError::condition(),
            CloudError::EmptyRange => ApiError::time_range_empty("endTime"),
            CloudError::Invalid(what) => ApiError::invalid(what),
            CloudError::Full => ApiError::usage_limits(),
        }
    }
}
