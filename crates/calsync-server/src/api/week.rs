//! Some days of the user's calendars.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use calsync_core::week::{DAYS_MAX, Days};
use calsync_engine::{Viewer, Week};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;

use super::caller::Caller;
use crate::http::{ApiError, Params, a_date};
use crate::service::Service;
use crate::web::answer;

/// Which days.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The first day.
    #[serde(deserialize_with = "a_date")]
    from: Date,
    /// How many.
    #[param(minimum = 1, maximum = 14)]
    #[serde(default = "seven")]
    days: u8,
    /// IANA name of the zone in which these are days; UTC, if nothing is said.
    #[serde(default = "utc")]
    zone: String,
}

// What the document says.
const _: () = assert!(DAYS_MAX == 14);

const fn seven() -> u8 {
    7
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Events and blocks of some days, and why each is there or is not
///
/// Titles are asked for at the providers for this answer alone; they are not kept.
#[utoipa::path(get, path = "/api/v1/week", tag = "calendars", params(Wanted),
    responses((status = 200, description = "Each calendar.", body = Week)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Week>, ApiError> {
    let days = Days::new(wanted.from, wanted.days, &wanted.zone);
    let days = days.map_err(|problem| ApiError::bad_request(problem.to_string()))?;
    service.engine.week(user.id, &days, Viewer::Owner).await.map(Json).map_err(answer::engine)
}
