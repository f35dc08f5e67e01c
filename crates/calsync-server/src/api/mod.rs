//! The API for programs: what the pages can do, as JSON under `/api/v1`, for whoever shows an access token. Each handler reads a
//! request, asks one use case, and answers with its document; nothing is decided here, and nobody reaches what is another's.
//!
//! Routes and their description are one thing: a route that is not described does not exist. The document also holds what is
//! answered elsewhere (webhooks, health, monitoring), written by hand in `openapi.json`.

mod accounts;
mod calendars;
mod caller;
mod document;
mod monitoring;
mod pages;
mod people;
mod read;
mod rules;
mod runs;
mod week;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;
pub(crate) use caller::{TOKEN_PREFIX, user_of};
pub(crate) use document::{DOCUMENT_PATH, document};
pub(crate) use pages::ROWS_MAX;

/// Longest body that is read: a change of all rules of some dozen calendars.
const BODY_MAX: usize = 256 * 1024;

/// All of it.
pub(crate) fn routes() -> Router<Arc<Service>> {
    let (routes, _) = described().split_for_parts();
    routes.layer(DefaultBodyLimit::max(BODY_MAX))
}

/// The routes with their descriptions.
fn described() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(caller::me))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::preview_removal))
        .routes(routes!(accounts::remove))
        .routes(routes!(calendars::show))
        .routes(routes!(calendars::enable))
        .routes(routes!(calendars::preview_disabling))
        .routes(routes!(calendars::disable))
        .routes(routes!(calendars::sync))
        .routes(routes!(calendars::approve))
        .routes(routes!(calendars::sync_all))
        .routes(routes!(rules::show, rules::change))
        .routes(routes!(rules::preview))
        .routes(routes!(rules::put_defaults))
        .routes(routes!(week::show))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::preview_undo, runs::undo))
        .routes(routes!(people::list, people::add))
        .routes(routes!(people::invite))
        .merge(monitoring::described())
}
