//! What operators may see, for programs: behind the configured token, or an access token or session of somebody of the staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use calsync_core::secret::constant_time_eq;
use sha2::{Digest, Sha256};

use super::bearer;
use super::error::ApiError;
use crate::api;
use crate::monitoring;
use crate::service::Service;
use crate::web::{Watcher, not_staff};

/// Lets in whoever shows the token of the configuration, an access token of somebody of the staff, or their session. A token that
/// is shown must be the right one, whoever shows it.
pub(super) async fn guard_for_staff(
    state: State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(given) = bearer::given(request.headers()) {
        return match api::user_of(&given, &state.0).await {
            Ok(Some(user)) if user.is_staff => next.run(request).await,
            Ok(Some(_)) => not_staff().into_response(),
            Ok(None) => guard(state, request, next).await,
            Err(error) => error.into_response(),
        };
    }
    let (mut parts, body) = request.into_parts();
    let asked = Watcher::asked(&mut parts, &state.0).await;
    request = Request::from_parts(parts, body);
    match asked {
        Ok(Some(watcher)) if watcher.0.user.is_staff => next.run(request).await,
        Ok(Some(_)) => not_staff().into_response(),
        Ok(None) => guard(state, request, next).await,
        Err(error) => error.into_response(),
    }
}

/// Lets in whoever shows the token.
pub(super) async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let given = bearer::given(request.headers());
    let known = match (&given, &service.settings.monitoring.token) {
        // Digests: neither a token's length nor its beginning can be learnt from the time this takes.
        (Some(given), Some(wanted)) => constant_time_eq(
            &Sha256::digest(given.expose().as_bytes()),
            &Sha256::digest(wanted.expose().as_bytes()),
        ),
        _ => false,
    };
    if known {
        return next.run(request).await;
    }
    let message = "show the monitoring token as a bearer token";
    bearer::refuse(&service, request.extensions(), given.as_ref(), message).await.into_response()
}

/// `GET /webhooks/monitoring/health/`.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    Json(monitoring::document(&service).await).into_response()
}

/// `GET /webhooks/monitoring/dashboard/`.
pub(super) async fn dashboard(State(service): State<Arc<Service>>) -> Response {
    match monitoring::dashboard(&service).await {
        Ok(dashboard) => Json(dashboard).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the dashboard could not be filled");
            ApiError::unavailable("the database does not answer", 5).into_response()
        }
    }
}
