//! Choosing a password by a link that the staff, or the command line, made: for whoever is new, or forgot theirs.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use calsync_core::calendar::User;
use calsync_core::secret::Secret;
use calsync_pages::Frame;
use calsync_pages::sign_in::{ChoosePassword, Whose};
use serde::Deserialize;

use super::answer::{self, Answer};
use super::origin::Origin;
use super::password::{self, AT_LEAST};
use super::session;
use crate::http::ApiError;
use crate::service::Service;

/// `GET /password/{link}`.
pub(super) async fn show(State(service): State<Arc<Service>>, _: Origin, Path(link): Path<String>) -> Answer {
    let user = invited(&service, &link).await?;
    answer::page(&page(&user.email, None))
}

#[derive(Deserialize)]
pub(super) struct Given {
    password: Secret,
}

/// `POST /password/{link}`.
pub(super) async fn accept(
    State(service): State<Arc<Service>>,
    origin: Origin,
    headers: HeaderMap,
    Path(link): Path<String>,
    Form(given): Form<Given>,
) -> Answer {
    let user = invited(&service, &link).await?;
    if let Some(problem) = password::problem(&given.password, &user.email) {
        return answer::written(StatusCode::UNPROCESSABLE_ENTITY, &page(&user.email, Some(problem)));
    }
    let hash = service.passwords.hash(given.password).await?;
    service.store.set_password(user.id, &hash, None).await.map_err(answer::store)?;
    let now = service.clock.now();
    service.store.audit(&user.email, "chose a password by a link", now).await.map_err(answer::store)?;
    session::begin(&service, user.id, &headers, &origin, answer::on_to("/")).await
}

async fn invited(service: &Service, link: &str) -> Result<User, ApiError> {
    let used_up = || {
        let message = "this link was used, or is too old: ask for another one";
        ApiError::new(StatusCode::FORBIDDEN, "link_used", message)
    };
    let invited = service.links.invited(link, service.clock.now()).ok_or_else(used_up)?;
    let state = service.store.user_state(invited.user).await.map_err(answer::store)?.ok_or_else(used_up)?;
    let known = service.store.password(&state.user.email).await.map_err(answer::store)?;
    let (user, present) = known.ok_or_else(used_up)?;
    if invited.is_unused(present.as_deref()) { Ok(user) } else { Err(used_up()) }
}

fn page(email: &str, error: Option<String>) -> ChoosePassword {
    let (frame, email) = (Frame::default(), email.to_owned());
    ChoosePassword { frame, whose: Whose::Known, email, at_least: AT_LEAST, error }
}
