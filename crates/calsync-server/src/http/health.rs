//! `GET /webhooks/health/`: public and cheap. It names nobody and counts nothing that tells an outsider about users.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::Serialize;

use crate::service::Service;

/// A database that does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Notifications older than this should have been served (spec §8).
const BACKLOG_AGE: SignedDuration = SignedDuration::from_mins(5);
/// So many of them are degraded, more are critical (spec §8).
const BACKLOG_DEGRADED: u64 = 5;
const BACKLOG_CRITICAL: u64 = 20;

/// What an outsider may know.
#[derive(Serialize)]
struct Public {
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: &'static str,
    processing: &'static str,
}

/// Answers.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    let before = service.clock.now().minus(BACKLOG_AGE);
    let backlog = tokio::time::timeout(PATIENCE, service.store.backlog(before)).await;
    let (status, database, processing) = match backlog {
        Ok(Ok(n)) if n > BACKLOG_CRITICAL => ("critical", "healthy", "critical"),
        Ok(Ok(n)) if n > BACKLOG_DEGRADED => ("degraded", "healthy", "degraded"),
        Ok(Ok(_)) => ("healthy", "healthy", "healthy"),
        Ok(Err(_)) | Err(_) => ("critical", "critical", "unknown"),
    };
    let code = if status == "critical" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(Public { status, checks: Checks { database, processing } })).into_response()
}
