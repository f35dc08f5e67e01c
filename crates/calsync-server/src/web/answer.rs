//! How a page, a way on, or a no is answered. A no is an `ApiError` everywhere; whoever reads HTML gets it as a page.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use calsync_core::ports::{ErrorClass, StoreError};
use calsync_engine::EngineError;
use calsync_pages::Template;
use calsync_pages::trouble::{Interruption, Trouble};
use calsync_pages::{Frame, Notice, asset};

use super::notice::Saying;
use super::security::{self, Dress};
use crate::http::{ApiError, BUSY};

/// By this an open page is told to go to another.
pub(super) const ELSEWHERE: &str = "hx-redirect";

/// There is nobody who could sign in yet: every page of ours leads here.
pub(super) const NO_USERS: &str = "no_users";

/// What a handler answers.
pub(super) type Answer = Result<Response, ApiError>;

/// A page.
pub(super) fn page(page: &impl Template) -> Answer {
    written(StatusCode::OK, page)
}

/// The same, with this status.
pub(super) fn written(status: StatusCode, page: &impl Template) -> Answer {
    match calsync_pages::write(page) {
        Ok(text) => Ok((status, Html(text)).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            Err(ApiError::internal())
        }
    }
}

/// On to another page, which a browser asks for with GET.
pub(super) fn on_to(path: &str) -> Response {
    let target = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response()
}

/// On to another page, which says first what happened.
pub(super) fn on_to_saying(path: &str, notice: &Notice) -> Response {
    let mut response = on_to(path);
    response.extensions_mut().insert(Saying(notice.clone()));
    response
}

/// What a store that fails means to who asked.
pub(crate) fn store(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict(what) => ApiError::new(StatusCode::CONFLICT, "conflict", what),
        StoreError::Corrupt(_) | StoreError::NewerSchema { .. } => {
            tracing::error!(%error, "a page could not be made");
            ApiError::internal()
        }
        StoreError::Unavailable(_) | StoreError::Contended(_) | StoreError::LeaseLost(_) => {
            tracing::warn!(%error, "a page could not be made");
            ApiError::unavailable("the database does not answer just now", 5).perhaps_done()
        }
    }
}

/// What a use case that fails means to who asked.
pub(crate) fn engine(error: EngineError) -> ApiError {
    match error {
        EngineError::Store(error) => store(error),
        EngineError::NotFound(_) => ApiError::not_found(),
        EngineError::Busy => ApiError::busy(2),
        EngineError::Provider(error) if error.class == ErrorClass::Misconfigured => {
            ApiError::new(StatusCode::CONFLICT, "not_set_up", error.detail)
        }
        EngineError::Provider(error) => ApiError::new(StatusCode::BAD_GATEWAY, "provider", error.detail),
        error @ EngineError::PlanRefused { .. } => {
            tracing::error!(%error, "a plan was refused");
            ApiError::internal()
        }
    }
}

/// `GET /assets/{digest}/{name}`.
pub(super) async fn asset(uri: Uri) -> Response {
    let Some(asset) = asset::at(uri.path()) else { return ApiError::not_found().into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        // The address names the content.
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, Body::from(asset.bytes)).into_response()
}

/// Shows a no as a page to whoever reads pages: browsers ask for HTML, programs do not.
pub(crate) async fn for_people(State(dress): State<Dress>, request: Request, next: Next) -> Response {
    // A program that says nothing of what it reads, or says anything, reads JSON.
    let reads_pages = reads_pages(request.headers()) && !request.uri().path().starts_with("/api/");
    // An open page that brings itself up to date keeps what it shows, and says that it could not.
    let is_open = request.headers().contains_key("hx-request");
    let (again, method) = (way_back(&request), request.method().clone());
    let response = next.run(request).await;
    let Some(known) = response.extensions().get::<ApiError>() else { return response };
    let error = known.clone().to(&method);
    if !reads_pages && !is_open {
        return if error == *known { response } else { error.into_response() };
    }
    let (status, text) = (error.status(), text(&error));
    let shown = if is_open {
        written(status, &Interruption { text })
    } else {
        let way_on = match status {
            StatusCode::SERVICE_UNAVAILABLE => again.map(|path| (path, "Try again".to_owned())),
            StatusCode::TOO_MANY_REQUESTS => None,
            _ if [BUSY, NO_USERS].contains(&error.code()) => None,
            _ => Some(("/".to_owned(), "Back to the beginning".to_owned())),
        };
        let frame = Frame::default();
        written(status, &Trouble { frame, title: title(&error).to_owned(), text, way_on })
    };
    let Ok(mut shown) = shown else { return response };
    for name in [header::RETRY_AFTER, HeaderName::from_static(ELSEWHERE)] {
        if let Some(value) = response.headers().get(&name) {
            shown.headers_mut().insert(name, value.clone());
        }
    }
    security::headers(shown.headers_mut(), dress);
    shown
}

/// The page that was asked for, where asking once more does no harm. A path that begins with two slashes would lead elsewhere.
fn way_back(request: &Request) -> Option<String> {
    let path = request.uri().path_and_query()?.as_str();
    let leads_here = path.starts_with('/') && !path.starts_with("//");
    (request.method() == Method::GET && leads_here).then(|| path.to_owned())
}

fn reads_pages(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accepted| accepted.contains("text/html"))
}

fn title(error: &ApiError) -> &'static str {
    match error.status() {
        _ if error.code() == BUSY => "Not just now",
        _ if error.code() == NO_USERS => "Nobody is here yet",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "This is not for you",
        StatusCode::CONFLICT => "This does not fit",
        StatusCode::PAYLOAD_TOO_LARGE => "This is too long",
        StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
        StatusCode::BAD_GATEWAY => "The provider did not do it",
        StatusCode::SERVICE_UNAVAILABLE => "Not just now",
        status if status.is_server_error() => "Something went wrong here",
        _ => "This could not be done",
    }
}

/// What a page says under its title: what stands there already is not said twice.
fn text(error: &ApiError) -> String {
    if error == &ApiError::not_found() {
        return "The address may be mistyped, or what stood here is gone.".to_owned();
    }
    sentence(error.message())
}

/// A message as a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let missing = ApiError::not_found();
        assert_ne!(text(&missing), sentence(title(&missing)));
        let gone = ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such token any more");
        assert_eq!(text(&gone), "There is no such token any more.");
    }
}
