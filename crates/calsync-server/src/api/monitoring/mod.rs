//! What the staff of the service sees and does: push channels, notifications, freshness, alerts, rollout, the audit log. What is
//! changed here is in the audit log, with who did it.

mod alerts;
mod logs;
mod notifications;
mod rollout;
mod subscriptions;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// The routes with their descriptions.
pub(super) fn described() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(subscriptions::list))
        .routes(routes!(subscriptions::act))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::show))
        .routes(routes!(notifications::replay))
        .routes(routes!(logs::freshness))
        .routes(routes!(logs::audit))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::silence))
        .routes(routes!(alerts::end_silence))
        .routes(routes!(rollout::show, rollout::change))
        .routes(routes!(rollout::preview))
}
