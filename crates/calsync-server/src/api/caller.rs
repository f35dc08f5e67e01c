//! Who asks: the user whose access token a request shows. Sessions of browsers open nothing here, so that no other site's page
//! can use them.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::secret::Secret;
use calsync_core::sign_in::TokenHash;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{ApiError, bearer};
use crate::service::Service;
use crate::web::{answer, not_staff};

/// How access tokens begin, so that one that was published by mistake is recognised.
pub(crate) const TOKEN_PREFIX: &str = "calsync_";

/// A user, by an access token.
pub(super) struct Caller(pub(super) User);

/// Somebody of the staff, by an access token.
pub(super) struct StaffCaller(pub(super) User);

/// The user of this access token, if it is one.
pub(crate) async fn user_of(token: &Secret, service: &Service) -> Result<Option<User>, ApiError> {
    if !token.expose().starts_with(TOKEN_PREFIX) {
        return Ok(None);
    }
    let known = service.store.access_token(&TokenHash::of(token)).await.map_err(answer::store)?;
    let Some((token, user)) = known else { return Ok(None) };
    let now = service.clock.now();
    if token.is_seen(now)
        && let Err(error) = service.store.see_access_token(token.id, now).await
    {
        tracing::debug!(%error, "that an access token is used could not be written down");
    }
    Ok(Some(user))
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Caller, ApiError> {
        let given = bearer::given(&parts.headers);
        if let Some(token) = &given
            && let Some(user) = user_of(token, service).await?
        {
            return Ok(Caller(user));
        }
        let message = "show an access token as a bearer token: they are made on the page “Settings”";
        Err(bearer::refuse(service, &parts.extensions, given.as_ref(), message).await)
    }
}

impl FromRequestParts<Arc<Service>> for StaffCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<StaffCaller, ApiError> {
        let Caller(user) = Caller::from_request_parts(parts, service).await?;
        if user.is_staff { Ok(StaffCaller(user)) } else { Err(not_staff()) }
    }
}

/// Whose token it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    id: UserId,
    email: String,
    is_staff: bool,
}

/// Whose token this is
#[utoipa::path(get, path = "/api/v1/me", tag = "people", responses((status = 200, description = "The user.", body = Me)))]
pub(super) async fn me(Caller(user): Caller) -> Json<Me> {
    Json(Me { id: user.id, email: user.email, is_staff: user.is_staff })
}
