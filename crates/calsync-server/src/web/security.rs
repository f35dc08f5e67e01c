//! What surrounds every page: a content-security policy under which nothing foreign runs, nobody's frame, no request from other
//! sites that changes anything, and short answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

use super::notice;
use crate::config::ServerSettings;
use crate::http::ApiError;
use crate::service::Service;

/// Nothing inline, nothing from elsewhere, in nobody's frame. Forms go to us alone: where a person is sent to a provider, they
/// follow a link.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a page wears.
#[derive(Clone, Copy, Debug)]
pub struct Dress {
    /// People come by https: browsers are told to try nothing else.
    https: bool,
}

impl Dress {
    /// As configured.
    pub fn new(settings: &ServerSettings) -> Dress {
        Dress { https: settings.public_url.as_ref().is_some_and(|url| url.scheme() == "https") }
    }
}

/// These routes with everything around them.
pub(super) fn around(pages: Router<Arc<Service>>, dress: Dress) -> Router<Arc<Service>> {
    pages
        .layer(from_fn(notice::carry))
        .layer(from_fn_with_state(dress, put_on))
        .layer(CsrfLayer::new().with_rejection_response(|_| foreign()))
        .layer(CompressionLayer::new())
}

/// These routes with short answers: what they give is anybody's, and no cookie comes near it.
pub(super) fn pressed(assets: Router<Arc<Service>>) -> Router<Arc<Service>> {
    assets.layer(CompressionLayer::new())
}

fn foreign() -> Response {
    let message = "this was sent from another site: do it on our own page";
    ApiError::new(StatusCode::FORBIDDEN, "cross_site", message).into_response()
}

async fn put_on(State(dress): State<Dress>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    headers(response.headers_mut(), dress);
    response
}

/// The headers of a page.
pub(super) fn headers(headers: &mut HeaderMap, dress: Dress) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), browsing-topics=()"),
    );
    // Forms must send an Origin, and the address of a page is nobody else's business.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if dress.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
