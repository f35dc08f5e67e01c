//! The first user of all: whoever has the link that `serve` prints while there is nobody.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ports::IdGen;
use calsync_core::secret::Secret;
use calsync_pages::Frame;
use calsync_pages::sign_in::{ChoosePassword, Whose};
use serde::Deserialize;

use super::answer::{self, Answer};
use super::origin::Origin;
use super::password::{self, AT_LEAST};
use super::{people, session};
use crate::email;
use crate::http::ApiError;
use crate::service::Service;
use crate::system::SystemRandom;

/// `GET /welcome/{link}`.
pub(super) async fn show(State(service): State<Arc<Service>>, _: Origin, Path(link): Path<String>) -> Answer {
    holds(&service, &link).await?;
    answer::page(&page("", None))
}

#[derive(Deserialize)]
pub(super) struct Given {
    email: String,
    password: Secret,
}

/// `POST /welcome/{link}`.
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    origin: Origin,
    headers: HeaderMap,
    Path(link): Path<String>,
    Form(given): Form<Given>,
) -> Answer {
    holds(&service, &link).await?;
    let wrong =
        |error: String| answer::written(StatusCode::UNPROCESSABLE_ENTITY, &page(&given.email, Some(error)));
    let email = match email::parse(&given.email) {
        Ok(email) => email,
        Err(error) => return wrong(error),
    };
    if let Some(problem) = password::problem(&given.password, &email) {
        return wrong(problem);
    }
    let hash = service.passwords.hash(given.password).await?;
    let now = service.clock.now();
    let user = User { id: UserId(SystemRandom.uuid(now)), email, is_staff: true, created_at: now };
    // Of two who have the link one is first; the database says who.
    if !service.store.add_first_user(&user, &hash).await.map_err(answer::store)? {
        return Err(used_up());
    }
    service.store.audit(&user.email, "became the first user", now).await.map_err(answer::store)?;
    tracing::info!(user = %user.id, "the first user has come");
    session::begin(&service, user.id, &headers, &origin, answer::on_to("/set-up")).await
}

async fn holds(service: &Service, link: &str) -> Result<(), ApiError> {
    let holds = service.links.is_first(link, service.clock.now());
    if holds && people::is_nobody_here(service).await? { Ok(()) } else { Err(used_up()) }
}

fn used_up() -> ApiError {
    let message = "this link was used, or is too old: sign in, or start `calendar-sync serve` again for a new one while there \
        is no user";
    ApiError::new(StatusCode::FORBIDDEN, "link_used", message)
}

fn page(email: &str, error: Option<String>) -> ChoosePassword {
    let (frame, email) = (Frame::default(), email.to_owned());
    ChoosePassword { frame, whose: Whose::First, email, at_least: AT_LEAST, error }
}
