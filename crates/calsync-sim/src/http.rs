//! A look-alike on a port: bytes to requests and replies to bytes. It decides nothing.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::wire::{Answer, ApiRequest, Reply};

/// The largest body that is read: a full batch of large events.
const BODY_MAX: usize = 8 * 1_024 * 1_024;

/// A provider's side of the cloud, as whoever serves it sees it.
pub(crate) trait Face: Send + Sync + 'static {
    /// The reply to any request.
    fn serve(&self, request: &ApiRequest) -> impl Future<Output = Reply> + Send;
}

/// The routes: one for everything.
pub(crate) fn router<F: Face>(face: Arc<F>) -> Router {
    Router::new().fallback(handle::<F>).with_state(face)
}

async fn handle<F: Face>(State(face): State<Arc<F>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return respond(Answer::empty(413));
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut api = ApiRequest::new(parts.method.as_str(), target);
    api.body = body.to_vec();
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            // What comes in several lines is one list (RFC 9110 §5.2).
            let known = api.headers.entry(name.as_str().to_owned()).or_default();
            known.push_str(if known.is_empty() { "" } else { ", " });
            known.push_str(value);
        }
    }
    match face.serve(&api).await {
        Reply::Answer(answer) => respond(answer),
        Reply::Dropped => broken(),
    }
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(kind) = answer.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A connection that breaks: the body fails before its first byte, and the server closes without having sent anything.
fn broken() -> Response {
    let failure =
        futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("dropped by a fault")) });
    let mut response = Response::new(Body::from_stream(failure));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
