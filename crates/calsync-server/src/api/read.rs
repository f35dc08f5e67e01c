//! What a request brings, read strictly: its body, the ids in its path (its query: see `http::Params`). What cannot be read is refused in JSON, with
//! words that say what is wrong.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::BODY_MAX;
use crate::http::ApiError;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// What the path names. What is no id is nothing that is here.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(JsonRejection::JsonDataError(error)) => Err(invalid(plainly(&error.body_text()))),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                let message = "send JSON, with content-type: application/json";
                Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message))
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::too_large(BODY_MAX))
            }
            Err(error) => Err(ApiError::bad_request(plainly(&error.body_text()))),
        }
    }
}

/// What is wrong with a body, without what a library puts before it.
fn plainly(told: &str) -> String {
    const LIBRARY: [&str; 2] = [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
    ];
    let left = LIBRARY.iter().find_map(|prefix| told.strip_prefix(prefix));
    format!("the body cannot be read: {}", left.unwrap_or(told))
}

/// It can be read, and cannot be meant.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named<T>, ApiError> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(path)| Named(path)).map_err(|_| ApiError::not_found())
    }
}
