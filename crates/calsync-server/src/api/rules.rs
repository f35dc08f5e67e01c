//! Rules: every cell of the grid, what changes would do, and the changes, all of them or none.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::ids::CalendarId;
use calsync_core::rule::{Cell, RuleChanges, RuleDefaults};
use calsync_engine::{EngineError, RulesChanged, RulesError, RulesPreview, Thought};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Caller;
use super::read::{Body, invalid};
use crate::http::ApiError;
use crate::service::Service;
use crate::web::answer;

/// A user's rules.
#[derive(Serialize, ToSchema)]
pub(super) struct Rules {
    /// Every cell: each calendar with each other one.
    cells: Vec<Cell>,
    /// What new calendars begin with.
    defaults: RuleDefaults,
}

/// What somebody thinks of doing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Thinking {
    /// Changes of rules.
    #[serde(default)]
    changes: RuleChanges,
    /// Calendars to be enabled.
    #[serde(default)]
    enable: Vec<CalendarId>,
}

fn refused(error: RulesError) -> ApiError {
    match error {
        RulesError::Engine(error) => answer::engine(error),
        RulesError::Conflict(_) => ApiError::new(StatusCode::CONFLICT, "conflict", error.to_string()),
        RulesError::Refused(problems) => {
            let told = problems.iter().map(|p| format!("{} → {}: {}", p.source, p.target, p.problem));
            invalid(told.collect::<Vec<_>>().join("; "))
        }
        RulesError::BadDefaults(problems) => {
            invalid(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
    }
}

/// All rules
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules",
    responses((status = 200, description = "The grid.", body = Rules)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
) -> Result<Json<Rules>, ApiError> {
    let grid = service.engine.rules(user.id).await.map_err(answer::engine)?;
    Ok(Json(Rules { cells: grid.cells, defaults: grid.defaults }))
}

/// Change rules
///
/// All of the changes happen, or none. A change that names the print of the cell it was made from is refused if somebody changed
/// that cell since.
#[utoipa::path(post, path = "/api/v1/rules", tag = "rules", request_body = RuleChanges,
    responses(
        (status = 200, description = "They are in force.", body = RulesChanged)))]
pub(super) async fn change(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Body(changes): Body<RuleChanges>,
) -> Result<Json<RulesChanged>, ApiError> {
    let changed = service.engine.change_rules(user.id, &changes, &user.email).await.map_err(refused)?;
    service.wake();
    Ok(Json(changed))
}

/// What changes of rules would do
#[utoipa::path(post, path = "/api/v1/rules/preview", tag = "rules", request_body = Thinking,
    responses(
        (status = 200, description = "Nothing was changed.", body = RulesPreview)))]
pub(super) async fn preview(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Body(thinking): Body<Thinking>,
) -> Result<Json<RulesPreview>, ApiError> {
    let thought = Thought { changes: thinking.changes, enable: thinking.enable };
    match service.engine.preview_rules(user.id, &thought).await {
        Err(RulesError::Engine(EngineError::NotFound(what))) => Err(invalid(format!("there is no {what}"))),
        told => told.map(Json).map_err(refused),
    }
}

/// Set what new calendars begin with
#[utoipa::path(put, path = "/api/v1/rules/defaults", tag = "rules", request_body = RuleDefaults,
    responses(
        (status = 200, description = "They are set.", body = RuleDefaults)))]
pub(super) async fn put_defaults(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Body(defaults): Body<RuleDefaults>,
) -> Result<Json<RuleDefaults>, ApiError> {
    service.engine.set_rule_defaults(user.id, (&defaults, None), &user.email).await.map_err(refused)?;
    Ok(Json(defaults))
}
