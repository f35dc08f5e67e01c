//! What a request gets that cannot be served: `{"error":{"code","message"}}`, always the same shape, and never a word
//! about which calendars exist.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Somebody is at work on it: it is no error, and over soon.
pub(crate) const BUSY: &str = "busy";

/// An answer that says no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<u64>,
    perhaps_done: bool,
}

/// Said of a change of which nobody knows whether it was made.
const LOOK_FIRST: &str = "whether it was done is not certain: look before you do it again";

impl ApiError {
    /// No, with this status; `code` is for programs, `message` for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), retry_after: None, perhaps_done: false }
    }

    /// The request is not one that we understand.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// It did not prove where it comes from.
    pub fn forbidden() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", "the request could not be authenticated")
    }

    /// It shows no token that opens this.
    pub fn unauthorized(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// There is nothing there.
    pub fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    /// The body is longer than `limit` bytes.
    pub fn too_large(limit: usize) -> ApiError {
        let message = format!("the body is longer than the {limit} bytes allowed");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// Too many failures; one more is heard in `retry_after` seconds.
    pub fn rate_limited(retry_after: u64) -> ApiError {
        let message = format!("too many requests: try again in {retry_after} s");
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        ApiError { retry_after: Some(retry_after), ..error }
    }

    /// Somebody is at work on just this; one may ask again in `retry_after` seconds.
    pub fn busy(retry_after: u64) -> ApiError {
        let message = format!("somebody is at work on this just now: try again in {retry_after} s");
        ApiError { retry_after: Some(retry_after), ..ApiError::new(StatusCode::CONFLICT, BUSY, message) }
    }

    /// We can't just now; the sender should try again in `retry_after` seconds.
    pub fn unavailable(message: impl Into<String>, retry_after: u64) -> ApiError {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        ApiError { retry_after: Some(retry_after), ..error }
    }

    /// It broke off somewhere: what was asked for may have been done all the same.
    #[must_use]
    pub fn perhaps_done(self) -> ApiError {
        ApiError { perhaps_done: true, ..self }
    }

    /// The same, as an answer to whoever asked by this method: who only looked need not be told what may have been done.
    #[must_use]
    pub fn to(self, method: &Method) -> ApiError {
        if !self.perhaps_done || method.is_safe() {
            return self;
        }
        let message = format!("{}; {LOOK_FIRST}", self.message);
        ApiError { message, perhaps_done: false, ..self }
    }

    /// Something broke that should not have. What it was is in the log, not here.
    pub fn internal() -> ApiError {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here; it has been logged",
        )
    }

    /// Its status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says to people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its code.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

/// What a request gets that cannot be served.
#[derive(Serialize, ToSchema)]
pub(crate) struct Error<'a> {
    error: Told<'a>,
}

/// What stands against it.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorTold)]
struct Told<'a> {
    /// For programs.
    code: &'a str,
    /// For people.
    message: &'a str,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Error { error: Told { code: self.code, message: &self.message } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1: it says how to be let in.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For whoever shows it in another form.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_for_a_change_that_broke_off_is_told_to_look_first() {
        let broke_off = || ApiError::unavailable("this took too long", 5).perhaps_done();
        assert_eq!(broke_off().to(&Method::GET).message(), "this took too long");
        let told = broke_off().to(&Method::POST);
        assert_eq!(told.message(), format!("this took too long; {LOOK_FIRST}"));
        assert_eq!(told.clone().to(&Method::POST), told, "once");
        let refused = ApiError::busy(2);
        assert_eq!(refused.clone().to(&Method::POST), refused);
    }
}
