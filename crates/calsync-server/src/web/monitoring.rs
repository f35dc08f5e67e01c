//! Pages of monitoring, for the staff alone. Each handler reads a request, asks one use case or the store, and has
//! `calsync_pages` write the answer. What a page changes is in the audit log, with who did it.

mod address;
mod alerts;
mod hidden;
mod logs;
mod notifications;
mod overview;
mod rollout;
mod subscriptions;
mod watcher;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::service::Service;
pub(crate) use hidden::without_secrets;
pub(crate) use watcher::Watcher;
pub use watcher::Watchers;

/// All of them.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/monitoring", get(overview::show))
        .route("/monitoring/subscriptions", get(subscriptions::show))
        .route("/monitoring/subscriptions/{calendar}/{act}", post(subscriptions::act))
        .route("/monitoring/notifications", get(notifications::show))
        .route("/monitoring/notifications/{id}", get(notifications::look_inside))
        .route("/monitoring/notifications/{id}/replay", post(notifications::replay))
        .route("/monitoring/freshness", get(logs::freshness))
        .route("/monitoring/alerts", get(alerts::show))
        .route("/monitoring/alerts/silences", post(alerts::silence))
        .route("/monitoring/alerts/silences/{id}/end", post(alerts::end_silence))
        .route("/monitoring/rollout", get(rollout::show))
        .route("/monitoring/rollout/reach", get(rollout::reach))
        .route(
            "/monitoring/rollout/preview",
            post(rollout::preview).get(super::leads_to("/monitoring/rollout")),
        )
        .route("/monitoring/rollout/apply", post(rollout::apply))
        .route("/monitoring/responses", get(logs::responses))
}
