//! The people whose calendars are kept in step, for the staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ports::IdGen;
use calsync_core::time::Ts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::StaffCaller;
use super::read::{Body, Named, invalid};
use crate::email;
use crate::http::{ApiError, Error};
use crate::service::Service;
use crate::system::SystemRandom;
use crate::web::{answer, people};

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct Known {
    id: UserId,
    email: String,
    is_staff: bool,
    created_at: Ts,
}

impl From<User> for Known {
    fn from(User { id, email, is_staff, created_at }: User) -> Known {
        Known { id, email, is_staff, created_at }
    }
}

/// Somebody new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    email: String,
    /// Opens monitoring and set-up.
    #[serde(default)]
    is_staff: bool,
}

/// A way in.
#[derive(Serialize, ToSchema)]
pub(super) struct Invitation {
    /// By this they choose a password, once and within seven days.
    link: String,
}

/// All users
#[utoipa::path(get, path = "/api/v1/users", tag = "users",
    responses((status = 200, description = "All of them.", body = Vec<Known>)))]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
) -> Result<Json<Vec<Known>>, ApiError> {
    let users = service.store.users().await.map_err(answer::store)?;
    Ok(Json(users.into_iter().map(Known::from).collect()))
}

/// Add a user
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses(
        (status = 201, description = "They are added: invite them next.", body = Known),
        (status = 409, description = "There is a user with this address.", body = Error)))]
pub(super) async fn add(
    State(service): State<Arc<Service>>,
    StaffCaller(staff): StaffCaller,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Known>), ApiError> {
    let email = email::parse(&new.email).map_err(invalid)?;
    let now = service.clock.now();
    let user = User { id: UserId(SystemRandom.uuid(now)), email, is_staff: new.is_staff, created_at: now };
    if !people::add(&service, &user, &staff.email).await? {
        let message = format!("there is a user {} already", user.email);
        return Err(ApiError::new(StatusCode::CONFLICT, "conflict", message));
    }
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Make a link by which a user chooses a password
#[utoipa::path(post, path = "/api/v1/users/{id}/invitation", tag = "users", params(("id" = UserId, Path)),
    responses((status = 201, description = "The link; links made before end with its use.", body = Invitation)))]
pub(super) async fn invite(
    State(service): State<Arc<Service>>,
    StaffCaller(staff): StaffCaller,
    Named(id): Named<UserId>,
) -> Result<(StatusCode, Json<Invitation>), ApiError> {
    let state = service.store.user_state(id).await.map_err(answer::store)?.ok_or_else(ApiError::not_found)?;
    let known = service.store.password(&state.user.email).await.map_err(answer::store)?;
    let (user, present) = known.ok_or_else(ApiError::not_found)?;
    let path = people::invite(&service, &user, present.as_deref(), &staff.email).await?;
    let server = &service.settings.server;
    let here = || format!("http://localhost:{}{}", server.bind.port(), path.expose());
    let link = server.public(path.expose()).unwrap_or_else(here);
    Ok((StatusCode::CREATED, Json(Invitation { link })))
}
