//! Push channels, and what a person does with one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, SubscriptionId, UserId};
use calsync_core::ports::{SubscriptionQuery, SubscriptionRow, SubscriptionsOf};
use calsync_core::subscription::{NEGLECTED_AFTER, RENEWAL_BUFFER, SubscriptionStatus};
use calsync_core::time::Ts;
use calsync_engine::Act;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::caller::StaffCaller;
use crate::api::pages;
use crate::api::read::Named;
use crate::http::{ApiError, Error, Params};
use crate::service::Service;
use crate::web::answer;

/// Which of them.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubscriptionsShown)]
enum Show {
    /// All, the newest first.
    #[default]
    All,
    /// In use.
    Active,
    /// In use, and failing again and again.
    Failing,
    /// In use, and ending within a day.
    Ending,
    /// In use, and silent for too long.
    Silent,
    /// Taken out of use.
    Suspended,
    /// Refused by the provider.
    Failed,
    /// Ended or replaced.
    Expired,
}

impl Show {
    fn of(self, now: Ts) -> SubscriptionsOf {
        match self {
            Show::All => SubscriptionsOf::Everything,
            Show::Active => SubscriptionsOf::Status(SubscriptionStatus::Active),
            Show::Failing => SubscriptionsOf::Failing,
            Show::Ending => SubscriptionsOf::EndingBy(now.plus(RENEWAL_BUFFER)),
            Show::Silent => SubscriptionsOf::SilentSince(now.minus(NEGLECTED_AFTER)),
            Show::Suspended => SubscriptionsOf::Status(SubscriptionStatus::Suspended),
            Show::Failed => SubscriptionsOf::Status(SubscriptionStatus::Failed),
            Show::Expired => SubscriptionsOf::Status(SubscriptionStatus::Expired),
        }
    }
}

/// Which subscriptions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    #[param(inline)]
    show: Show,
    /// At this provider.
    #[param(inline)]
    provider: Option<ProviderKind>,
    /// Of this user's calendars.
    user: Option<UserId>,
    /// Rows of a page; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// A push channel.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscription {
    id: SubscriptionId,
    calendar: CalendarId,
    calendar_name: String,
    user: String,
    provider: ProviderKind,
    status: SubscriptionStatus,
    /// Where deliveries are sent.
    webhook_url: String,
    created_at: Ts,
    expires_at: Ts,
    last_notification_at: Option<Ts>,
    /// Failures in a row.
    failure_count: u32,
    /// Changes that it told of, lately.
    heard: u32,
    /// Changes that a look found first, lately.
    missed: u32,
}

impl From<SubscriptionRow> for Subscription {
    fn from(row: SubscriptionRow) -> Subscription {
        let SubscriptionRow { subscription: of, calendar, user } = row;
        Subscription {
            id: of.id,
            calendar: of.calendar,
            calendar_name: calendar,
            user,
            provider: of.provider,
            status: of.status,
            webhook_url: of.webhook_url,
            created_at: of.created_at,
            expires_at: of.expires_at,
            last_notification_at: of.last_notification_at,
            failure_count: of.failure_count,
            heard: of.delivery.heard,
            missed: of.delivery.missed,
        }
    }
}

/// A page of subscriptions.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionPage)]
pub(super) struct Page {
    subscriptions: Vec<Subscription>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Push channels
#[utoipa::path(get, path = "/api/v1/monitoring/subscriptions", tag = "monitoring", params(Wanted),
    responses((status = 200, description = "A page of them.", body = Page)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page>, ApiError> {
    let query = SubscriptionQuery {
        of: wanted.show.of(service.clock.now()),
        provider: wanted.provider,
        person: wanted.user,
        after: pages::after(wanted.after.as_deref())?,
        limit: pages::rows(wanted.limit)?,
    };
    let page = service.store.subscription_page(&query).await.map_err(answer::store)?;
    let (subscriptions, next) = pages::told(page, Subscription::from);
    Ok(Json(Page { subscriptions, next }))
}

/// What is done with a calendar's channel.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubscriptionAct)]
pub(super) enum Deed {
    /// Renew it now, whenever it ends.
    Renew,
    /// Take it out of use: the calendar is polled, for a day.
    Suspend,
    /// Open one where there is none in use.
    Revive,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionActed)]
pub(super) struct Acted {
    done: bool,
    /// In words.
    says: String,
}

/// Renew, suspend or revive a calendar's channel
#[utoipa::path(post, path = "/api/v1/monitoring/calendars/{id}/subscription/{act}", tag = "monitoring",
    params(("id" = CalendarId, Path), ("act" = inline(Deed), Path)),
    responses(
        (status = 200, description = "What came of it.", body = Acted),
        (status = 409, description = "Providers can not reach this service.", body = Error)))]
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    StaffCaller(user): StaffCaller,
    Named((calendar, deed)): Named<(CalendarId, Deed)>,
) -> Result<Json<Acted>, ApiError> {
    let act = match deed {
        Deed::Renew => Act::Renew,
        Deed::Suspend => Act::Suspend,
        Deed::Revive => Act::Revive,
    };
    if act != Act::Suspend && !service.engine.is_public() {
        let message = "providers can not reach this service: set server.public_url first";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_public", message));
    }
    let came = service.engine.see_to_channel(calendar, act, &user.email).await.map_err(answer::engine)?;
    // What was suspended is to be closed, and whoever lost their channel is polled.
    service.tend();
    service.wake();
    Ok(Json(Acted { done: came.is_done(), says: came.words() }))
}
