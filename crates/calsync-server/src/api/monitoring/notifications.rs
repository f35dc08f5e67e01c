//! What providers delivered, and another try at one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId, RunId, SubscriptionId};
use calsync_core::notification::{ProcessingStatus, Served};
use calsync_core::ports::{NotificationQuery, NotificationSeen, Recent};
use calsync_core::time::Ts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::caller::StaffCaller;
use crate::api::pages;
use crate::api::read::Named;
use crate::http::{ApiError, Error, Params};
use crate::service::Service;
use crate::web::{answer, without_secrets};

/// Which notifications.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// In this state.
    #[param(inline)]
    status: Option<ProcessingStatus>,
    /// From this provider.
    #[param(inline)]
    provider: Option<ProviderKind>,
    /// About this calendar.
    calendar: Option<CalendarId>,
    /// Received then or later.
    from: Option<Ts>,
    /// Received before.
    to: Option<Ts>,
    /// Rows of a page; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// A notification, briefly.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationBrief)]
pub(super) struct Brief {
    id: NotificationId,
    received_at: Ts,
    provider: ProviderKind,
    calendar: CalendarId,
    status: ProcessingStatus,
    /// From receipt to the last block written, in milliseconds.
    took_ms: Option<i64>,
    error: Option<String>,
}

impl From<Recent> for Brief {
    fn from(row: Recent) -> Brief {
        let Recent { id, received_at, provider, calendar, status, took_ms, error } = row;
        Brief { id, received_at, provider, calendar, status, took_ms, error }
    }
}

/// A page of notifications.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationPage)]
pub(super) struct Page {
    /// The newest first.
    notifications: Vec<Brief>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Notifications, the newest first
#[utoipa::path(get, path = "/api/v1/monitoring/notifications", tag = "monitoring", params(Wanted),
    responses((status = 200, description = "A page of them.", body = Page)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page>, ApiError> {
    let query = NotificationQuery {
        status: wanted.status,
        provider: wanted.provider,
        calendar: wanted.calendar,
        from: wanted.from,
        to: wanted.to,
        after: pages::after(wanted.after.as_deref())?,
        limit: pages::rows(wanted.limit)?,
    };
    let page = service.store.notification_page(&query).await.map_err(answer::store)?;
    let (notifications, next) = pages::told(page, Brief::from);
    Ok(Json(Page { notifications, next }))
}

/// A notification with all that is known of it. Tokens and whatever else is named like a secret are left out.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationDetail)]
pub(super) struct Detail {
    id: NotificationId,
    /// The provider's id of it.
    notification_id: String,
    provider: ProviderKind,
    subscription: SubscriptionId,
    calendar: CalendarId,
    calendar_name: String,
    user: String,
    status: ProcessingStatus,
    received_at: Ts,
    processing_started_at: Option<Ts>,
    processing_completed_at: Option<Ts>,
    next_retry_at: Option<Ts>,
    took_ms: Option<i64>,
    /// Failed tries so far.
    retry_count: u32,
    error: Option<String>,
    /// What came of it.
    served: Served,
    run: Option<RunId>,
    headers: Value,
    payload: Value,
}

impl From<NotificationSeen> for Detail {
    fn from(seen: NotificationSeen) -> Detail {
        let NotificationSeen { notification: n, calendar, name, user, provider } = seen;
        Detail {
            id: n.id,
            notification_id: n.notification_id,
            provider,
            subscription: n.subscription,
            calendar,
            calendar_name: name,
            user,
            status: n.status,
            received_at: n.received_at,
            processing_started_at: n.processing_started_at,
            processing_completed_at: n.processing_completed_at,
            next_retry_at: n.next_retry_at,
            took_ms: n.processing_time_ms,
            retry_count: n.retry_count,
            error: n.error_message,
            served: n.served,
            run: n.run,
            headers: without_secrets(n.headers),
            payload: without_secrets(n.payload),
        }
    }
}

/// One notification
#[utoipa::path(get, path = "/api/v1/monitoring/notifications/{id}", tag = "monitoring", params(("id" = NotificationId, Path)),
    responses((status = 200, description = "The notification.", body = Detail)))]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Named(id): Named<NotificationId>,
) -> Result<Json<Detail>, ApiError> {
    let seen = service.store.notification(id).await.map_err(answer::store)?;
    seen.map(|seen| Json(seen.into())).ok_or_else(ApiError::not_found)
}

/// Process a notification once more
#[utoipa::path(post, path = "/api/v1/monitoring/notifications/{id}/replay", tag = "monitoring",
    params(("id" = NotificationId, Path)),
    responses(
        (status = 202, description = "It is pending again.", body = Detail),
        (status = 409, description = "It waits already, or somebody is at work on it.", body = Error)))]
pub(super) async fn replay(
    State(service): State<Arc<Service>>,
    StaffCaller(user): StaffCaller,
    Named(id): Named<NotificationId>,
) -> Result<(StatusCode, Json<Detail>), ApiError> {
    let seen = service.store.notification(id).await.map_err(answer::store)?;
    seen.ok_or_else(ApiError::not_found)?;
    if service.engine.replay(id, &user.email).await.map_err(answer::engine)?.is_none() {
        let message = "nothing was changed: it waits already, or somebody is at work on it";
        return Err(ApiError::new(StatusCode::CONFLICT, "at_work", message));
    }
    service.wake();
    let seen = service.store.notification(id).await.map_err(answer::store)?;
    let seen = seen.ok_or_else(ApiError::not_found)?;
    Ok((StatusCode::ACCEPTED, Json(seen.into())))
}
