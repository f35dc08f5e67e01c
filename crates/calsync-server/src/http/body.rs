//! Request bodies: read whole, up to a limit, and never one byte further.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;

use super::error::ApiError;

/// The body, if it has at most `limit` bytes. A longer one that says so in its header is refused unread.
pub async fn capped(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(ApiError::too_large(limit));
    }
    let mut read = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body broke off"))?;
        if read.len() + chunk.len() > limit {
            return Err(ApiError::too_large(limit));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(announced: Option<&str>, chunks: &[&'static str], limit: usize) -> Result<Bytes, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(length) = announced {
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
        }
        let chunks: Vec<Result<&'static str, std::io::Error>> = chunks.iter().map(|c| Ok(*c)).collect();
        capped(&headers, Body::from_stream(futures_util::stream::iter(chunks)), limit).await
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read(None, &["abc", "de"], 5).await.unwrap(), "abcde");
        assert_eq!(read(None, &[], 5).await.unwrap(), "");
        assert_eq!(read(None, &["abc", "def"], 5).await.unwrap_err().status(), 413);
        assert_eq!(read(Some("6"), &["x"], 5).await.unwrap_err().status(), 413, "refused by its own word");
        assert_eq!(
            read(Some("2"), &["abc", "def"], 5).await.unwrap_err().status(),
            413,
            "a lie does not help"
        );
        assert_eq!(read(Some("nonsense"), &["abc"], 5).await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let broken: [Result<&str, std::io::Error>; 2] =
            [Ok("ab"), Err(std::io::ErrorKind::ConnectionReset.into())];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        assert_eq!(capped(&HeaderMap::new(), body, 5).await.unwrap_err().status(), 400);
    }
}
