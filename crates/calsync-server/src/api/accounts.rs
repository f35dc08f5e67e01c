//! Accounts with their calendars. Connecting one takes a person at a provider's page, so it is done in the browser.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::time::Ts;
use calsync_engine::{AccountRemoved, Blocks};
use serde::Serialize;
use utoipa::ToSchema;

use super::calendars::{Calendar, Goes};
use super::caller::Caller;
use super::read::Named;
use crate::http::ApiError;
use crate::service::Service;
use crate::web::answer;

/// An account with its calendars.
#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    id: AccountId,
    provider: ProviderKind,
    email: String,
    /// Whether it can be used.
    status: AccountStatus,
    /// What a person must do, when it can't.
    status_detail: Option<String>,
    connected_at: Ts,
    /// When the provider's consent ends by itself, where that is foreseen.
    consent_ends: Option<Ts>,
    /// By name.
    calendars: Vec<Calendar>,
}

/// What became of an account that somebody removes.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {
    /// It is gone. `false`: its calendars are disabled, and their blocks are being removed first.
    removed: bool,
    /// Blocks that still stand.
    left: usize,
}

/// Accounts, the oldest first, each with its calendars
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts",
    responses((status = 200, description = "All of them.", body = Vec<Account>)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
) -> Result<Json<Vec<Account>>, ApiError> {
    let mut accounts = Vec::new();
    for one in service.engine.overview(user.id).await.map_err(answer::engine)? {
        let consent_ends = service.directory.grant_ends(one.account.id).await;
        accounts.push(Account {
            id: one.account.id,
            provider: one.account.provider,
            email: one.account.email,
            status: one.account.status,
            status_detail: one.account.status_detail,
            connected_at: one.account.created_at,
            consent_ends,
            calendars: one.calendars.into_iter().map(Calendar::from).collect(),
        });
    }
    Ok(Json(accounts))
}

/// Which blocks would go with an account
#[utoipa::path(get, path = "/api/v1/accounts/{id}/removal", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, description = "Nothing was changed.", body = Goes)))]
pub(super) async fn preview_removal(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<AccountId>,
) -> Result<Json<Goes>, ApiError> {
    let goes = service.engine.preview_account(user.id, id).await.map_err(answer::engine)?;
    Ok(Json(Goes::of(goes.shares)))
}

/// Remove an account
///
/// Where blocks stand because of it, its calendars are disabled first: repeat this when they are gone.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", tag = "accounts", params(("id" = AccountId, Path)),
    responses(
        (status = 200, description = "It is gone.", body = Removed),
        (status = 202, description = "Its blocks are being removed first.", body = Removed)))]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Caller(user): Caller,
    Named(id): Named<AccountId>,
) -> Result<(StatusCode, Json<Removed>), ApiError> {
    let ends: (UserId, AccountId) = (user.id, id);
    let removed = service.engine.remove_account(ends, Blocks::RemoveFirst, &user.email).await;
    service.wake();
    Ok(match removed.map_err(answer::engine)? {
        AccountRemoved::Gone => (StatusCode::OK, Json(Removed { removed: true, left: 0 })),
        AccountRemoved::OnItsWay(left) => (StatusCode::ACCEPTED, Json(Removed { removed: false, left })),
    })
}
