//! What was done to the user's calendars, write by write, and undoing a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use calsync_core::ids::{CalendarId, RunId};
use calsync_core::journal::{Activity, After, Filter, Idle};
use calsync_core::ports::Bookmark;
use calsync_core::time::Ts;
use calsync_engine::{Partly, RunDetail, UndoReport};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::pages;
use super::read::{Body, Named};
use crate::http::{ApiError, Params};
use crate::service::Service;
use crate::web::answer;

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Those of this calendar, or that wrote into it.
    calendar: Option<CalendarId>,
    /// Those that began then or later.
    since: Option<Ts>,
    /// Also those that wrote nothing.
    #[serde(default)]
    idle: bool,
    /// Rows of a page; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// The newest first.
    runs: Vec<Activity>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Runs, the newest first
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(Wanted),
    responses((status = 200, description = "A page of them.", body = Runs)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Runs>, ApiError> {
    let idle = if wanted.idle { Idle::Shown } else { Idle::Hidden };
    let filter = Filter { user: user.id, calendar: wanted.calendar, since: wanted.since, idle };
    let after = pages::after(wanted.after.as_deref())?;
    let after = after.map(|at| After { started_at: Ts::from_micros(at.value), run: RunId(at.id) });
    let limit = pages::rows(wanted.limit)?;
    let page = service.engine.activity(&filter, after, limit).await.map_err(answer::engine)?;
    let next = page.next.map(|next| Bookmark { value: next.started_at.micros(), id: next.run.0 });
    Ok(Json(Runs { runs: page.runs, next: next.map(pages::spelled) }))
}

/// One run, with every write and its receipt
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 200, description = "The run.", body = RunDetail)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<RunId>,
) -> Result<Json<RunDetail>, ApiError> {
    service.engine.run(user.id, id).await.map(Json).map_err(answer::engine)
}

/// What undoing a run would do
#[utoipa::path(get, path = "/api/v1/runs/{id}/undo", tag = "runs", params(("id" = RunId, Path)),
    responses((status = 200, description = "Nothing was changed.", body = UndoReport)))]
pub(super) async fn preview_undo(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<RunId>,
) -> Result<Json<UndoReport>, ApiError> {
    service.engine.preview_undo(user.id, id).await.map(Json).map_err(answer::engine)
}

/// How far undoing goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Undo what can be, where not all of it can. Otherwise nothing is undone then.
    #[serde(default)]
    partly: bool,
}

/// Undo a run
///
/// Its blocks are put back as they were before it, and nothing else is written into those calendars until somebody approves.
#[utoipa::path(post, path = "/api/v1/runs/{id}/undo", tag = "runs", params(("id" = RunId, Path)), request_body = How,
    responses(
        (status = 200, description = "What is written. Without `by` nothing was begun: `not` says why.", body = UndoReport)))]
pub(super) async fn undo(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<RunId>,
    Body(how): Body<How>,
) -> Result<Json<UndoReport>, ApiError> {
    let partly = if how.partly { Partly::Allow } else { Partly::Refuse };
    let undone = service.engine.undo(user.id, id, partly, &user.email).await.map_err(answer::engine)?;
    service.wake();
    Ok(Json(undone))
}
