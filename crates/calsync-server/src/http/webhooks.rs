//! Receipt over HTTP: cap the body, let the provider's parser read the claim, hand it to the engine, and answer only
//! when it is on disk. The order of checks and the status codes are those of spec §3.

mod google;
mod microsoft;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use calsync_core::ports::StoreError;

use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::{Verdict, health, monitoring, openapi, verification};
use crate::service::Service;

/// Seconds after which a provider may try again when its delivery could not be stored here.
const RETRY_AFTER_STORE: u64 = 5;

/// The routes that need the service.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/webhooks/google/{calendar}", post(google::take))
        .route("/webhooks/microsoft/{calendar}", post(microsoft::take).get(microsoft::shake_hands))
        .route("/{file}", any(verification::file))
        .merge(watched(&service))
        .with_state(service)
}

/// The routes of an instance that takes no notifications. One that strays here is to be sent again, not given up: the
/// next try may find another instance.
pub fn probes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/webhooks/google/{calendar}", post(elsewhere))
        .route("/webhooks/microsoft/{calendar}", post(elsewhere))
        .merge(watched(&service))
        .with_state(service)
}

/// How well it is: asked of every instance, whatever its roles.
fn watched(service: &Arc<Service>) -> Router<Arc<Service>> {
    let guard = from_fn_with_state(service.clone(), monitoring::guard);
    let behind = Router::new()
        .route("/webhooks/monitoring/health", get(monitoring::health))
        .route("/webhooks/monitoring/dashboard", get(monitoring::dashboard))
        .route_layer(guard);
    Router::new()
        .route("/webhooks/health", get(health::health))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi::openapi))
        .merge(behind)
}

async fn elsewhere() -> ApiError {
    ApiError::unavailable("this instance takes no notifications", RETRY_AFTER_STORE)
}

/// A path that is no text comes to the checks like any other: it names nothing, and is told so in its turn.
fn named(calendar: &Result<Path<String>, PathRejection>) -> &str {
    calendar.as_ref().map_or("", |path| path.as_str())
}

fn not_stored(error: &StoreError) -> ApiError {
    tracing::error!(%error, "a notification could not be stored; its provider is asked to try again");
    ApiError::unavailable("the notification could not be stored", RETRY_AFTER_STORE)
}

/// Only who fails authentication is counted: providers send from few addresses (spec §3).
async fn refuse(service: &Service, client: ClientAddr, error: ApiError) -> ApiError {
    if !matches!(error.status(), StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return error;
    }
    match service.limiter.failed(client, service.clock.now()).await {
        Verdict::Pass => error,
        Verdict::Refuse { retry_after } => ApiError::rate_limited(retry_after),
    }
}
