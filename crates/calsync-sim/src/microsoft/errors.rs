//! Graph's error bodies (microsoft.md §9). Every refusal of the look-alike's Graph side is made here, so that its status
//! and code stand in one place. The login endpoints have an envelope of their own: see `aadsts`.

use serde_json::json;

use crate::cloud::CloudError;
use crate::wire::Answer;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// The HTTP status.
    pub status: u16,
    /// Why, in one word.
    pub code: &'static str,
    /// Why, in words.
    pub message: String,
    /// `Retry-After`, in whatever form it came today.
    pub retry_after: Option<String>,
    /// Where to go instead.
    pub location: Option<String>,
}

/// What goes round every answer: the ids of the request, and the time.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) request_id: String,
    pub(super) client_request_id: String,
    /// Without a zone, as Graph writes it (§9).
    pub(super) date: String,
}

impl GraphError {
    pub(super) fn new(status: u16, code: &'static str, message: &str) -> GraphError {
        GraphError { status, code, message: message.to_owned(), retry_after: None, location: None }
    }

    /// 400 `ErrorInvalidRequest`.
    pub(super) fn invalid(message: &str) -> GraphError {
        GraphError::new(400, "ErrorInvalidRequest", message)
    }

    /// 400 `BadRequest`.
    pub(super) fn bad_request(message: &str) -> GraphError {
        GraphError::new(400, "BadRequest", message)
    }

    /// A query that cannot be read.
    pub(super) fn parse_uri(message: &str) -> GraphError {
        GraphError::new(400, "RequestBroker--ParseUri", message)
    }

    /// A body that cannot be read.
    pub(super) fn unreadable() -> GraphError {
        GraphError::bad_request(
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        )
    }

    pub(super) fn time_zone(name: &str) -> GraphError {
        let message = format!(
            "A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'."
        );
        GraphError::new(400, "TimeZoneNotSupportedException", &message)
    }

    pub(super) fn malformed_id() -> GraphError {
        GraphError::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    }

    pub(super) fn crossing() -> GraphError {
        let message = "Modified occurrence is crossing or overlapping adjacent occurrence.";
        GraphError::new(400, "ErrorOccurrenceCrossingBoundary", message)
    }

    pub(super) fn bad_token() -> GraphError {
        GraphError::bad_request("Badly formed token.")
    }

    pub(super) fn auth(message: &str) -> GraphError {
        GraphError::new(401, "InvalidAuthenticationToken", message)
    }

    pub(super) fn denied() -> GraphError {
        GraphError::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    pub(super) fn not_found() -> GraphError {
        GraphError::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    pub(super) fn no_such_resource(what: &str) -> GraphError {
        GraphError::bad_request(&format!("Resource not found for the segment '{what}'."))
    }

    /// §9: no Exchange Online mailbox.
    pub(super) fn no_mailbox() -> GraphError {
        let message = "REST API is not yet supported for this mailbox.";
        GraphError::new(404, "MailboxNotEnabledForRESTAPI", message)
    }

    pub(super) fn length_required() -> GraphError {
        GraphError::new(411, "UnknownError", "Length Required")
    }

    pub(super) fn changed() -> GraphError {
        let message =
            "The change key passed in the request does not match the current change key for the item.";
        GraphError::new(412, "ErrorIrresolvableConflict", message)
    }

    /// §7 expiry; the casing as it was seen.
    pub(super) fn sync_state() -> GraphError {
        let message = "The sync state generation is not found.";
        GraphError::new(410, "SyncStateNotFound", message)
    }

    /// §7: 410 with a place to begin anew.
    pub(super) fn resync(location: String) -> GraphError {
        let error = GraphError::new(410, "resyncRequired", "Resync required.");
        GraphError { location: Some(location), ..error }
    }

    pub(super) fn throttled(retry_after: Option<String>) -> GraphError {
        let error = GraphError::new(429, "TooManyRequests", "Too many requests.");
        GraphError { retry_after, ..error }
    }

    pub(super) fn concurrency(retry_after: Option<String>) -> GraphError {
        let message = "Application is over its MailboxConcurrency limit.";
        GraphError { retry_after, ..GraphError::new(429, "ApplicationThrottled", message) }
    }

    /// The ways in which the service fails (§9), as the number says.
    pub(super) fn backend(number: u64) -> GraphError {
        match number % 4 {
            0 => GraphError::new(500, "ErrorInternalServerError", "An internal server error occurred."),
            1 => GraphError::new(
                503,
                "ErrorInternalServerTransientError",
                "An internal server error occurred. Try again later.",
            ),
            2 => GraphError::new(504, "UnknownError", ""),
            _ => GraphError::new(
                503,
                "ConcurrentItemSave",
                "The item was saved by somebody else at the same time.",
            ),
        }
    }

    /// The answer that carries it.
    pub(super) fn answer(&self, stamp: &Stamp) -> Answer {
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": stamp.date,
                "request-id": stamp.request_id,
                "client-request-id": stamp.client_request_id,
            },
        }});
        let mut answer = Answer::json(self.status, &body);
        if let Some(wait) = &self.retry_after {
            answer = answer.with("retry-after", wait.clone());
        }
        if let Some(location) = &self.location {
            answer = answer.with("location", location.clone());
        }
        if self.status == 401 {
            answer = answer.with("www-authenticate", "Bearer realm=\"\"".to_owned());
        }
        answer
    }
}

impl From<CloudError> for GraphError {
    fn from(error: CloudError) -> GraphError {
        match error {
            CloudError::NoSuchPerson => GraphError::no_mailbox(),
            CloudError::NoSuchCalendar | CloudError::NoSuchEvent | CloudError::Deleted => {
                GraphError::not_found()
            }
            CloudError::Forbidden | CloudError::NotOrganizer => GraphError::denied(),
            CloudError::Duplicate => GraphError::new(
                409,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
            ),
            CloudError::Changed => GraphError::changed(),
            CloudError::EmptyRange => GraphError::invalid("The start time must be before the end time."),
            CloudError::Invalid(what) => GraphError::invalid(what),
            CloudError::Full => GraphError::new(507, "ErrorQuotaExceeded", "The mailbox is full."),
        }
    }
}
