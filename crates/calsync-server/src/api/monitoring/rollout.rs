//! Who uses push: the flags, what a change of them would do, and the change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::ports::Switch;
use calsync_core::rollout::{Change, Phase, Rollout, Typed};
use calsync_core::time::Ts;
use calsync_engine::Preview;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::caller::StaffCaller;
use crate::api::read::{Body, invalid};
use crate::http::ApiError;
use crate::service::Service;
use crate::web::answer;

/// The flags, and where they come from.
#[derive(Serialize, ToSchema)]
pub(super) struct Flags {
    flags: Rollout,
    /// Which of the five presets they are.
    phase: Option<Phase>,
    /// When they were changed last; not at all, where they are those of the configuration.
    changed_at: Option<Ts>,
    changed_by: Option<String>,
    /// Every calendar was gone through with them.
    applied: bool,
}

async fn flags(service: &Service) -> Result<Flags, ApiError> {
    let report = service.engine.rollout_report(0).await.map_err(answer::engine)?;
    let (changed_at, changed_by) = report.changed.unzip();
    Ok(Flags {
        phase: report.flags.phase(),
        flags: report.flags,
        changed_at,
        changed_by,
        applied: report.applied,
    })
}

/// The flags
#[utoipa::path(get, path = "/api/v1/monitoring/rollout", tag = "monitoring",
    responses((status = 200, description = "The flags in force.", body = Flags)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
) -> Result<Json<Flags>, ApiError> {
    flags(&service).await.map(Json)
}

/// A change of the flags: a preset first, then whatever else is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RolloutChange)]
pub(super) struct Asked {
    phase: Option<Phase>,
    /// The global switch.
    webhooks: Option<bool>,
    /// By calendar.
    #[schema(maximum = 100)]
    percentage: Option<u8>,
    /// By user.
    #[schema(maximum = 100)]
    user_percentage: Option<u8>,
    /// Addresses that are let in whatever the percentages say.
    #[serde(default)]
    add: Vec<String>,
    /// Addresses that are no longer.
    #[serde(default)]
    remove: Vec<String>,
    /// The flags that it was made from: with other ones in force, nothing is changed.
    made_from: Option<Rollout>,
}

impl Asked {
    fn change(&self) -> Result<Change, ApiError> {
        let text = |n: Option<u8>| n.map(|n| n.to_string());
        let (percentage, user_percentage) = (text(self.percentage), text(self.user_percentage));
        let typed = Typed {
            webhooks: self.webhooks.map(|on| if on { Switch::On } else { Switch::Off }),
            percentage: percentage.as_deref(),
            user_percentage: user_percentage.as_deref(),
            add: &self.add,
            remove: &self.remove,
        };
        let change = Change::of(&typed).map_err(|problems| invalid(problems.join("; ")))?;
        let change = Change { phase: self.phase, ..change };
        if change == Change::default() { Err(invalid("nothing was asked for")) } else { Ok(change) }
    }

    fn fits(&self, now: &Rollout) -> Result<(), ApiError> {
        match &self.made_from {
            Some(seen) if seen != now => {
                let message = "somebody changed the flags since: look at them again";
                Err(ApiError::new(StatusCode::CONFLICT, "conflict", message))
            }
            _ => Ok(()),
        }
    }
}

/// What a change of the flags would do
#[utoipa::path(post, path = "/api/v1/monitoring/rollout/preview", tag = "monitoring", request_body = Asked,
    responses(
        (status = 200, description = "Nothing was changed.", body = Preview)))]
pub(super) async fn preview(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Body(asked): Body<Asked>,
) -> Result<Json<Preview>, ApiError> {
    let change = asked.change()?;
    let told = service.engine.preview_rollout(|flags| change.apply(flags), |_| ()).await;
    let told = told.map_err(answer::engine)?;
    asked.fits(&told.before)?;
    match change.objection(&told.before) {
        Some(objection) => Err(invalid(objection)),
        None => Ok(Json(told)),
    }
}

/// Change the flags
///
/// On every instance within seconds. Whoever is let out is polled at once, and their channels are closed in the background.
#[utoipa::path(post, path = "/api/v1/monitoring/rollout", tag = "monitoring", request_body = Asked,
    responses(
        (status = 200, description = "They are in force.", body = Flags)))]
pub(super) async fn change(
    State(service): State<Arc<Service>>,
    StaffCaller(user): StaffCaller,
    Body(asked): Body<Asked>,
) -> Result<Json<Flags>, ApiError> {
    let change = asked.change()?;
    let now = flags(&service).await?.flags;
    asked.fits(&now)?;
    if let Some(objection) = change.objection(&now) {
        return Err(invalid(objection));
    }
    let changed =
        service.engine.change_rollout(&user.email, &change.words(), |flags| change.apply(flags)).await;
    changed.map_err(answer::engine)?;
    service.tend();
    flags(&service).await.map(Json)
}
