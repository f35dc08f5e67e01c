//! Receipt over HTTP: cap the body, let the provider's parser read the claim, hand it to the engine, and answer only
//! when it is on disk. The order of checks and the status codes are those of spec §3.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_engine::{Accepted, Refusal};
use calsync_providers::google::notification;

use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::{Verdict, capped, health};
use crate::service::Service;

/// Seconds after which a provider may try again when its delivery could not be stored here.
const RETRY_AFTER_STORE: u64 = 5;

/// The routes that need the service.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/webhooks/google/{calendar}", post(google))
        .route("/webhooks/health", get(health::health))
        .with_state(service)
}

/// The routes of an instance that takes no notifications. One that strays here is to be sent again, not given up: the
/// next try may find another instance.
pub fn probes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/webhooks/google/{calendar}", post(elsewhere))
        .route("/webhooks/health", get(health::health))
        .with_state(service)
}

async fn elsewhere() -> ApiError {
    ApiError::unavailable("this instance takes no notifications", RETRY_AFTER_STORE)
}

/// `POST /webhooks/google/{calendar}/`: Google Calendar push.
async fn google(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    calendar: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // A path that is no text comes to the checks like any other: it names nothing, and is told so in its turn.
    let calendar = calendar.as_ref().map_or("", |path| path.as_str());
    match receive_google(&service, calendar, &headers, body).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => refuse(&service, client, error).await.into_response(),
    }
}

async fn receive_google(
    service: &Service,
    calendar: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), ApiError> {
    let body = capped(headers, body, service.settings.webhooks.max_body_bytes).await?;
    let named = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let claim = notification::parse(named, body.len()).map_err(|refusal| {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        ApiError::new(status, refusal.code(), refusal.to_string())
    })?;
    // Something that is no id of ours names nothing that exists.
    let calendar: CalendarId = calendar.parse().map_err(|_| ApiError::not_found())?;
    match service.engine.accept_notification(ProviderKind::Google, calendar, claim).await {
        Ok(Accepted::Stored) => {
            service.wake();
            Ok(())
        }
        Ok(Accepted::Duplicate) => Ok(()),
        Err(Refusal::Unknown) => Err(ApiError::not_found()),
        Err(Refusal::Distrusted(why)) => {
            tracing::warn!(%calendar, %why, "a notification was refused");
            Err(ApiError::forbidden())
        }
        Err(Refusal::Store(error)) => {
            tracing::error!(%error, "a notification could not be stored; its provider is asked to try again");
            Err(ApiError::unavailable("the notification could not be stored", RETRY_AFTER_STORE))
        }
    }
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
