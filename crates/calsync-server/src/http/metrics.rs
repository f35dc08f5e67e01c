//! `GET /metrics`, and the counting of every request on its way out. Behind the monitoring token. A route is named as it is
//! declared, never as it was asked for: what people ask for is endless.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use calsync_core::calendar::ProviderKind;
use tokio::time::Instant;

use crate::metrics::{CONTENT_TYPE, Metrics, Outcome};
use crate::service::Service;

/// Where it is. In clear too, like probes: each instance is asked by itself, not through what speaks https for it.
pub const METRICS_PATH: &str = "/metrics";
/// Where providers deliver.
pub(super) const GOOGLE: &str = "/webhooks/google/{calendar}";
pub(super) const MICROSOFT: &str = "/webhooks/microsoft/{calendar}";

/// Routes by name.
const ROUTES: [&str; 11] = [
    GOOGLE,
    MICROSOFT,
    "/webhooks/health",
    "/webhooks/monitoring/health",
    "/webhooks/monitoring/dashboard",
    METRICS_PATH,
    "/livez",
    "/readyz",
    "/api/openapi.json",
    "/robots.txt",
    "/{file}",
];
/// What has no name.
const OTHER: &str = "other";

/// The page.
pub(super) async fn page(State(service): State<Arc<Service>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], service.metrics_page().await).into_response()
}

/// Counts what passes.
pub(super) async fn count(
    State(metrics): State<Option<Arc<Metrics>>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(metrics) = metrics else { return next.run(request).await };
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = ROUTES.into_iter().find(|route| Some(*route) == matched).unwrap_or(OTHER);
    let began = Instant::now();
    let response = next.run(request).await;
    let took = began.elapsed();
    metrics.request(route, code(response.status()), took);
    let provider = match route {
        GOOGLE => ProviderKind::Google,
        MICROSOFT => ProviderKind::Microsoft,
        _ => return response,
    };
    let told = response.extensions().get::<Outcome>().copied();
    metrics.receipt(provider, told.unwrap_or_else(|| Outcome::of(response.status())), took);
    response
}

/// Those that we answer with.
const fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        202 => "202",
        308 => "308",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        411 => "411",
        413 => "413",
        415 => "415",
        429 => "429",
        500 => "500",
        503 => "503",
        _ => OTHER,
    }
}
