//! Bearer tokens of requests (RFC 6750 §2.1): reading one, and turning away whoever shows a wrong one.

use axum::http::{Extensions, HeaderMap, header};
use calsync_core::secret::Secret;

use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::rate_limit::Verdict;
use crate::service::Service;

/// The token that a request shows.
pub(crate) fn given(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

/// What a request gets whose token is not the right one. Failures are counted by client address; who shows none has not tried.
pub(crate) async fn refuse(
    service: &Service,
    extensions: &Extensions,
    given: Option<&Secret>,
    message: &str,
) -> ApiError {
    let client = extensions.get::<ClientAddr>().copied();
    if let (Some(client), Some(_)) = (client, given)
        && let Verdict::Refuse { retry_after } = service.limiter.failed(client, service.clock.now()).await
    {
        return ApiError::rate_limited(retry_after);
    }
    ApiError::unauthorized(message)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_read_whatever_the_case_of_its_scheme() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            given(&headers).map(|token| token.expose().to_owned())
        };
        assert_eq!(read("Bearer sesame").as_deref(), Some("sesame"));
        assert_eq!(read("bEARER  sesame ").as_deref(), Some("sesame"));
        for none in ["Basic sesame", "sesame", "Bearersesame", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert!(given(&HeaderMap::new()).is_none());
    }
}
