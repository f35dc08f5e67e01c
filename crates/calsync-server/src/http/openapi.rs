//! `GET /openapi.json`: what this service answers over HTTP, for programs. The document is docs/openapi.json; tests hold the
//! answers to it.

use axum::http::header;
use axum::response::IntoResponse;

/// The document.
pub const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// Answers.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
