//! What every request passes before it reaches a handler, and every answer on its way out.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::cidr::Cidr;
use super::client_addr::{Scheme, client_address, scheme};
use super::error::ApiError;
use super::metrics::{self, METRICS_PATH};
use crate::config::{HttpsRule, ServerSettings};
use crate::metrics::Metrics;
use crate::web::{self, Dress};

/// Where everybody may ask, in clear too, whether the service is well: probes of orchestrators speak no https.
pub const HEALTH_PATH: &str = "/webhooks/health";
/// Those that an orchestrator and Prometheus ask, likewise.
const PROBES: [&str; 4] = [HEALTH_PATH, "/livez", "/readyz", METRICS_PATH];
/// Seconds after which a sender may try again that had to wait too long.
const RETRY_AFTER_TIMEOUT: u64 = 5;

/// What the outermost layers go by.
#[derive(Clone, Debug)]
pub struct Edge {
    trusted_proxies: Vec<Cidr>,
    require_https: HttpsRule,
    /// Scheme and host to redirect to, without a slash at the end.
    public_origin: Option<String>,
    request_timeout: Duration,
    metrics: Option<Arc<Metrics>>,
    dress: Dress,
}

impl Edge {
    /// As configured.
    pub fn new(settings: &ServerSettings) -> Edge {
        Edge {
            trusted_proxies: settings.trusted_proxies.clone(),
            require_https: settings.require_https,
            public_origin: settings.public_url.as_ref().map(|url| url.origin().ascii_serialization()),
            request_timeout: settings.request_timeout,
            metrics: None,
            dress: Dress::new(settings),
        }
    }

    /// The same, with every request counted.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Edge {
        Edge { metrics: Some(metrics), ..self }
    }
}

/// The application: these routes, robots.txt, and all that a request passes on its way. Name routes without a slash at
/// their end. Handlers find the client in the extensions `ClientAddr` and
/// `Scheme`.
pub fn app(edge: Edge, routes: Router) -> Router {
    let edge = Arc::new(edge);
    let routes = routes
        .route("/robots.txt", get(super::robots::robots))
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(edge.clone(), time_out))
        .layer(from_fn_with_state(edge.clone(), require_https))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(edge.dress, web::for_people))
        .layer(from_fn(secure_headers))
        .layer(from_fn_with_state(edge.clone(), note_client))
        .layer(from_fn_with_state(edge.metrics.clone(), metrics::count));
    // The slash goes before the routes are looked up: hence a service around the whole router.
    Router::new().fallback_service(ServiceBuilder::new().map_request(without_slash).service(routes))
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this is not how to ask for this")
}

/// `/a/b/` is `/a/b`.
fn without_slash(mut request: Request) -> Request {
    let uri = request.uri();
    if let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) {
        let shorter = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = shorter.parse::<PathAndQuery>().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The TCP peer. Without one (a request that came by no socket) it is nobody whom we trust.
fn peer(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

async fn note_client(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let client = client_address(peer(&request), request.headers(), &edge.trusted_proxies);
    let scheme = scheme(peer(&request), request.headers(), &edge.trusted_proxies);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(scheme);
    next.run(request).await
}

async fn require_https(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    match refusal(&edge, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The answer to a request that should have come by https; `None` if it may pass.
fn refusal(edge: &Edge, request: &Request) -> Option<Response> {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    if edge.require_https == HttpsRule::Off || PROBES.contains(&request.uri().path()) {
        return None;
    }
    if scheme(peer(request), request.headers(), &edge.trusted_proxies) == Scheme::Https {
        return None;
    }
    // Never to the host that the request names: that may be anybody's.
    let origin = edge.public_origin.as_ref().filter(|_| edge.require_https == HttpsRule::Redirect);
    let target = origin.and_then(|origin| HeaderValue::try_from(format!("{origin}{path}")).ok());
    Some(match target {
        // 308 keeps method and body.
        Some(target) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, target)]).into_response(),
        None => ApiError::new(StatusCode::FORBIDDEN, "https_required", "ask by https").into_response(),
    })
}

async fn time_out(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    // Not the path itself: some are links that let somebody in.
    let route = request.extensions().get::<MatchedPath>().cloned();
    match tokio::time::timeout(edge.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let route = route.as_ref().map_or("none", MatchedPath::as_str);
            tracing::warn!(route, seconds = edge.request_timeout.as_secs(), "a request took too long");
            ApiError::unavailable("this took too long", RETRY_AFTER_TIMEOUT).perhaps_done().into_response()
        }
    }
}

/// What a panic said goes to the log; the sender learns nothing of it.
fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is no text");
    tracing::error!(panic = said, "a request handler panicked");
    ApiError::internal().into_response()
}

async fn secure_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut unless_set = |name: HeaderName, value: &'static str| unless_set(headers, name, value);
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(header::CACHE_CONTROL, "no-store");
    unless_set(header::REFERRER_POLICY, "no-referrer");
    response
}

fn unless_set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests;
