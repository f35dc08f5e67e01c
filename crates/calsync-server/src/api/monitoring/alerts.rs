//! Alerts, and silences over them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::alert::{Alert, AlertKind, Silence};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::caller::StaffCaller;
use crate::api::pages;
use crate::api::read::{Body, Named, invalid};
use crate::http::{ApiError, Params};
use crate::service::Service;
use crate::web::answer;

/// Longest reason, in characters.
const WHY_MAX: usize = 200;
/// Longest silence, in hours.
const HOURS_MAX: u16 = 720;

/// How many.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// At most so many; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Alerts and silences.
#[derive(Serialize, ToSchema)]
pub(super) struct Alerts {
    /// Open ones and those that were, the last opened first.
    alerts: Vec<Alert>,
    /// Silences that are in force or to come.
    silences: Vec<Silence>,
}

/// Alerts, the last opened first, and silences
#[utoipa::path(get, path = "/api/v1/monitoring/alerts", tag = "monitoring", params(Wanted),
    responses((status = 200, description = "The last of them.", body = Alerts)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Alerts>, ApiError> {
    let limit = pages::rows(wanted.limit)?;
    let asked = tokio::try_join!(service.store.alerts(limit), service.engine.silences());
    let (alerts, silences) = asked.map_err(answer::store)?;
    Ok(Json(Alerts { alerts, silences }))
}

/// For how long nobody need be told, of what, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Silencing {
    /// Of this kind; otherwise of all.
    kind: Option<String>,
    /// For so long.
    #[schema(minimum = 1, maximum = 720)]
    hours: u16,
    /// For whoever wonders later.
    #[schema(min_length = 1, max_length = 200)]
    why: String,
}

/// Silence alerts for a time
#[utoipa::path(post, path = "/api/v1/monitoring/silences", tag = "monitoring", request_body = Silencing,
    responses((status = 201, description = "Nobody is told until then.", body = Silence)))]
pub(super) async fn silence(
    State(service): State<Arc<Service>>,
    StaffCaller(user): StaffCaller,
    Body(asked): Body<Silencing>,
) -> Result<(StatusCode, Json<Silence>), ApiError> {
    let kind = match asked.kind.as_deref() {
        None => None,
        Some(name) => Some(AlertKind::parse(name).ok_or_else(|| {
            let all = AlertKind::ALL.map(AlertKind::as_str).join(", ");
            invalid(format!("kind: there are {all}"))
        })?),
    };
    if !(1..=HOURS_MAX).contains(&asked.hours) {
        return Err(invalid(format!("hours: 1 to {HOURS_MAX}")));
    }
    let why = asked.why.trim();
    if why.is_empty() || why.chars().count() > WHY_MAX || why.contains(char::is_control) {
        return Err(invalid(format!("why: 1 to {WHY_MAX} characters on one line")));
    }
    let (kind, lasts) = (kind.map(AlertKind::as_str), SignedDuration::from_hours(asked.hours.into()));
    let silence = service.engine.silence(kind, lasts, &user.email, why).await.map_err(answer::engine)?;
    Ok((StatusCode::CREATED, Json(silence)))
}

/// End a silence
#[utoipa::path(delete, path = "/api/v1/monitoring/silences/{id}", tag = "monitoring", params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is over.")))]
pub(super) async fn end_silence(
    State(service): State<Arc<Service>>,
    StaffCaller(user): StaffCaller,
    Named(id): Named<Uuid>,
) -> Result<StatusCode, ApiError> {
    let ended = service.engine.end_silence(id, &user.email).await.map_err(answer::engine)?;
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found()) }
}
