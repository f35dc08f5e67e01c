//! Calendars: how each stands, and what its owner can have done to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::calendar::{Access, Leaving};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::leaving::Share;
use calsync_core::overview;
use calsync_core::ports::Wish;
use calsync_core::schedule::Method;
use calsync_core::time::Ts;
use calsync_engine::CalendarOverview;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::read::Named;
use crate::http::{ApiError, Error};
use crate::service::Service;
use crate::web::{answer, switch_on};

/// A calendar, and how it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Calendar {
    id: CalendarId,
    account: AccountId,
    name: String,
    /// The provider's own id of it.
    remote_id: String,
    /// IANA name of its time zone.
    time_zone: String,
    /// The provider's colour.
    colour: Option<String>,
    /// What the account may do with it.
    access: Access,
    /// Takes part.
    sync_enabled: bool,
    /// Why it does not, while something is still to be done about that, or must not be.
    leaving: Option<Leaving>,
    /// How it stands: the gravest that is known.
    standing: overview::State,
    /// How it is kept up to date.
    method: Method,
    /// Until when its push channel lasts.
    watched_until: Option<Ts>,
    /// When a run on it last succeeded.
    last_synced_at: Option<Ts>,
    /// Writes wait for it.
    writes_wait: bool,
}

impl From<CalendarOverview> for Calendar {
    fn from(one: CalendarOverview) -> Calendar {
        let CalendarOverview { calendar, state, method, subscription, hold: _, writes_wait } = one;
        Calendar {
            id: calendar.id,
            account: calendar.account,
            name: calendar.name,
            remote_id: calendar.remote.calendar,
            time_zone: calendar.time_zone,
            colour: calendar.colour,
            access: calendar.access,
            sync_enabled: calendar.sync_enabled,
            leaving: calendar.leaving,
            standing: state,
            method,
            watched_until: subscription.map(|subscription| subscription.expires_at),
            last_synced_at: calendar.last_synced_at,
            writes_wait,
        }
    }
}

/// Blocks that go when a calendar is disabled.
#[derive(Serialize, ToSchema)]
pub(super) struct Goes {
    /// How many.
    blocks: usize,
    /// Whose they are, and where they stand.
    shares: Vec<Share>,
}

impl Goes {
    pub(super) fn of(shares: Vec<Share>) -> Goes {
        Goes { blocks: shares.iter().map(|share| share.blocks).sum(), shares }
    }
}

/// What was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct Asked {
    /// Calendars that are looked at now.
    calendars: Vec<CalendarId>,
}

/// Whether something was approved.
#[derive(Serialize, ToSchema)]
pub(super) struct Approved {
    /// `false`: nothing was held, or somebody approved it before.
    approved: bool,
}

async fn calendar(service: &Service, user: UserId, id: CalendarId) -> Result<Json<Calendar>, ApiError> {
    let accounts = service.engine.overview(user).await.map_err(answer::engine)?;
    let found = accounts.into_iter().flat_map(|one| one.calendars).find(|one| one.calendar.id == id);
    found.map(|one| Json(one.into())).ok_or_else(ApiError::not_found)
}

/// One calendar
#[utoipa::path(get, path = "/api/v1/calendars/{id}", tag = "calendars", params(("id" = CalendarId, Path)),
    responses((status = 200, description = "The calendar.", body = Calendar)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<Json<Calendar>, ApiError> {
    calendar(&service, user.id, id).await
}

/// Let a calendar take part
#[utoipa::path(post, path = "/api/v1/calendars/{id}/enable", tag = "calendars", params(("id" = CalendarId, Path)),
    responses((status = 200, description = "It takes part.", body = Calendar)))]
pub(super) async fn enable(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<Json<Calendar>, ApiError> {
    switch_on(&service, &user, &[id]).await?;
    calendar(&service, user.id, id).await
}

/// Which blocks would go, were a calendar disabled
#[utoipa::path(get, path = "/api/v1/calendars/{id}/disable", tag = "calendars", params(("id" = CalendarId, Path)),
    responses((status = 200, description = "Nothing was changed.", body = Goes)))]
pub(super) async fn preview_disabling(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<Json<Goes>, ApiError> {
    let shares = service.engine.preview_leaving(user.id, id).await.map_err(answer::engine)?;
    Ok(Json(Goes::of(shares)))
}

/// Disable a calendar
///
/// Its blocks are removed from the others, and theirs from it, in the background; events stay untouched.
#[utoipa::path(post, path = "/api/v1/calendars/{id}/disable", tag = "calendars", params(("id" = CalendarId, Path)),
    responses((status = 202, description = "Its blocks are being removed.", body = Calendar)))]
pub(super) async fn disable(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<(StatusCode, Json<Calendar>), ApiError> {
    let left = service.engine.leave_calendar((user.id, id), Leaving::Disabled, &user.email).await;
    left.map_err(answer::engine)?;
    service.wake();
    Ok((StatusCode::ACCEPTED, calendar(&service, user.id, id).await?))
}

/// Look at a calendar now
#[utoipa::path(post, path = "/api/v1/calendars/{id}/sync", tag = "calendars", params(("id" = CalendarId, Path)),
    responses(
        (status = 202, description = "It is looked at now.", body = Asked),
        (status = 409, description = "It takes no part.", body = Error)))]
pub(super) async fn sync(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<(StatusCode, Json<Asked>), ApiError> {
    let _theirs = calendar(&service, user.id, id).await?;
    let calendars = look_now(&service, (user.id, &user.email), Some(id)).await?;
    if calendars.is_empty() {
        let message = "this calendar takes no part: enable it first";
        return Err(ApiError::new(StatusCode::CONFLICT, "disabled", message));
    }
    Ok((StatusCode::ACCEPTED, Json(Asked { calendars })))
}

/// Look at all calendars now
#[utoipa::path(post, path = "/api/v1/sync", tag = "calendars",
    responses((status = 202, description = "They are looked at now.", body = Asked)))]
pub(super) async fn sync_all(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
) -> Result<(StatusCode, Json<Asked>), ApiError> {
    let calendars = look_now(&service, (user.id, &user.email), None).await?;
    Ok((StatusCode::ACCEPTED, Json(Asked { calendars })))
}

async fn look_now(
    service: &Service,
    (user, who): (UserId, &str),
    which: Option<CalendarId>,
) -> Result<Vec<CalendarId>, ApiError> {
    let only = which.map(|id| BTreeSet::from([id]));
    let asked = service.engine.look_now(user, (only.as_ref(), Wish::Changes), who).await;
    service.wake();
    asked.map_err(answer::engine)
}

/// Approve what the brake holds in a calendar
///
/// Where many blocks would be removed at once, the plan waits for a second look or for this word.
#[utoipa::path(post, path = "/api/v1/calendars/{id}/approve", tag = "calendars", params(("id" = CalendarId, Path)),
    responses((status = 200, description = "Whether there was something to approve.", body = Approved)))]
pub(super) async fn approve(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<CalendarId>,
) -> Result<Json<Approved>, ApiError> {
    let approved = service.engine.approve_hold((user.id, id), &user.email).await.map_err(answer::engine)?;
    service.wake();
    Ok(Json(Approved { approved }))
}
