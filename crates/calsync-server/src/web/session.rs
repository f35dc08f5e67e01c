//! Who is behind a request: the session that the browser's cookie names. The cookie holds 256 random bits; the store knows its
//! digest alone.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ports::IdGen;
use calsync_core::sign_in::{SESSION_LIFE, Session, Standing, TokenHash};
use calsync_pages::{Frame, Notice, Place, Who};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer;
use super::cookie::Cookie;
use super::notice;
use super::origin::Origin;
use crate::http::ApiError;
use crate::service::Service;
use crate::system::SystemRandom;

/// Longest name of a browser that is kept.
const DEVICE_MAX: usize = 80;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// Who.
    pub(crate) user: User,
    /// By which session.
    pub(crate) session: Session,
    /// What the page before asked this one to say first.
    pub(crate) notice: Option<Notice>,
}

/// Somebody of the staff who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Staff(pub(crate) Signed);

impl Signed {
    /// The frame of a page of theirs.
    pub(super) fn frame(&self, here: Place) -> Frame {
        Frame::of(self.who(), here).saying(self.notice.clone())
    }

    /// The frame of a page that is no entry of the navigation.
    pub(super) fn frame_aside(&self) -> Frame {
        Frame { who: Some(self.who()), notice: self.notice.clone(), here: None }
    }

    fn who(&self) -> Who {
        Who { email: self.user.email.clone(), is_staff: self.user.is_staff }
    }

    /// The session of a request, if it has one that holds.
    pub(crate) async fn of(
        headers: &HeaderMap,
        origin: &Origin,
        service: &Service,
    ) -> Result<Option<Signed>, ApiError> {
        let Some(token) = Cookie::Session.of(headers, origin) else { return Ok(None) };
        let key = TokenHash::of(&token);
        let Some((session, user)) = service.store.session(&key).await.map_err(answer::store)? else {
            return Ok(None);
        };
        let now = service.clock.now();
        match session.standing(now) {
            Standing::Over => return Ok(None),
            Standing::Seen => {
                if let Err(error) = service.store.see_session(&key, now).await {
                    tracing::debug!(%error, "that a session is used could not be written down");
                }
            }
            Standing::Valid => {}
        }
        Ok(Some(Signed { user, session, notice: notice::of(headers, origin) }))
    }
}

/// Signs somebody in: the browser's present session ends, and a new one begins. The answer carries its cookie.
pub(super) async fn begin(
    service: &Service,
    user: UserId,
    headers: &HeaderMap,
    origin: &Origin,
    mut response: Response,
) -> Result<Response, ApiError> {
    if let Some(present) = Cookie::Session.of(headers, origin) {
        service.store.end_session(&TokenHash::of(&present)).await.map_err(answer::store)?;
    }
    let (token, now) = (SystemRandom.token(), service.clock.now());
    let device =
        device(headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default());
    let session = Session { key: TokenHash::of(&token), user, device, created_at: now, seen_at: now };
    service.store.put_session(&session).await.map_err(answer::store)?;
    Cookie::Session.set(&mut response, origin, token.expose(), SESSION_LIFE);
    Ok(response)
}

/// The key of the session that the browser's cookie names, whether there is one or not.
pub(super) fn key(headers: &HeaderMap, origin: &Origin) -> Option<TokenHash> {
    Cookie::Session.of(headers, origin).map(|token| TokenHash::of(&token))
}

/// The browser forgets its cookie.
pub(super) fn forget(mut response: Response, origin: &Origin) -> Response {
    Cookie::Session.forget(&mut response, origin);
    response
}

/// A browser as its owner knows it.
fn device(agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => {
            let told: String = agent.chars().filter(|c| !c.is_control()).take(DEVICE_MAX).collect();
            if told.is_empty() { "a browser that does not say which".to_owned() } else { told }
        }
    }
}

impl FromRequestParts<Arc<Service>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Signed, Response> {
        let found = <Signed as OptionalFromRequestParts<_>>::from_request_parts(parts, service).await?;
        found.ok_or_else(|| not_signed_in(parts))
    }
}

impl OptionalFromRequestParts<Arc<Service>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Option<Signed>, Response> {
        let origin = Origin::from_request_parts(parts, service).await.map_err(IntoResponse::into_response)?;
        Signed::of(&parts.headers, &origin, service).await.map_err(IntoResponse::into_response)
    }
}

impl FromRequestParts<Arc<Service>> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Staff, Response> {
        let signed = <Signed as FromRequestParts<_>>::from_request_parts(parts, service).await?;
        if signed.user.is_staff { Ok(Staff(signed)) } else { Err(not_staff().into_response()) }
    }
}

/// Nothing of this is for people who are no staff.
pub(crate) fn not_staff() -> ApiError {
    let message = "only the staff of this service may see this";
    ApiError::new(StatusCode::FORBIDDEN, "not_staff", message)
}

/// A page is asked for again after signing in. What would change something is not: nobody should do it twice unawares.
pub(super) fn not_signed_in(parts: &Parts) -> Response {
    let asked_by_htmx = parts.headers.contains_key("hx-request");
    if parts.method == Method::GET && !asked_by_htmx {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        return answer::on_to(&sign_in(path));
    }
    let message = "you are not signed in any more: sign in, and do it again";
    let mut response = ApiError::new(StatusCode::UNAUTHORIZED, "not_signed_in", message).into_response();
    if asked_by_htmx {
        response.headers_mut().insert(answer::ELSEWHERE, HeaderValue::from_static("/sign-in"));
    }
    response
}

/// The address of the page for signing in that leads on to `next`.
pub(super) fn sign_in(next: &str) -> String {
    match next {
        "/" => "/sign-in".to_owned(),
        next => format!("/sign-in?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_as_people_know_them() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1";
        assert_eq!(
            [device(firefox), device(edge), device(safari)],
            ["Firefox on Linux", "Edge on Windows", "Safari on iPhone"]
        );
        assert_eq!(device(""), "a browser that does not say which");
        assert_eq!(device(&"x".repeat(500)).len(), DEVICE_MAX);
    }
}
