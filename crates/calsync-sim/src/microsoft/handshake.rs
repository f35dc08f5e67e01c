//! The question whether anybody is there, asked while a program waits for its subscription (microsoft.md §8.1): a token
//! is sent to the webhook, which must send it back, decoded once, as plain text. It asks only this machine.

use url::Url;

use super::MicrosoftFace;
use super::errors::GraphError;
use crate::loopback_http::{Message, Received, loopback, post};

impl MicrosoftFace {
    /// Asks a webhook; refuses as Graph does if it does not prove itself.
    pub(super) async fn prove(&self, address: &str) -> Result<(), GraphError> {
        let mut url = checked_address(address)?;
        let Some(socket) = loopback(&url) else { return Err(timed_out()) };
        // A real token reads like a sentence: it has what must be decoded exactly once.
        let token = format!(
            "Validation: Testing client application reachability for subscription Request-Id: {}",
            self.fresh_guid()
        );
        url.query_pairs_mut().append_pair("validationToken", &token);
        let headers =
            [("Content-Type", "text/plain; charset=utf-8".to_owned()), ("Accept", "*/*".to_owned())];
        let message = Message { url: &url, headers: &headers, body: "", patience: self.config.handshake };
        match post(socket, &message).await {
            None => Err(timed_out()),
            Some(answer) => judged(&answer, &token),
        }
    }
}

/// The address of a webhook. Graph takes only https; a simulator takes http on this machine, because nothing may leave
/// it, and finds nobody anywhere else.
pub(super) fn checked_address(address: &str) -> Result<Url, GraphError> {
    let wrong = |message: &str| GraphError::new(400, "InvalidRequest", message);
    let url = Url::parse(address).map_err(|_| wrong("Notification URL is not a valid URL."))?;
    match (url.scheme(), loopback(&url)) {
        ("http", Some(_)) => Ok(url),
        ("https", None) => Err(timed_out()),
        _ => Err(wrong("Notification URL must start with https.")),
    }
}

fn timed_out() -> GraphError {
    GraphError::new(400, "InvalidRequest", "Subscription validation request timed out.")
}

fn judged(answer: &Received, token: &str) -> Result<(), GraphError> {
    let plain = answer.content_type.to_ascii_lowercase();
    let plain = plain.split(';').next().is_some_and(|kind| kind.trim() == "text/plain");
    if answer.status == 200 && plain && answer.body == token.as_bytes() {
        return Ok(());
    }
    let message = "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.";
    Err(GraphError::new(400, "ValidationError", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_as_plain_text_is_proof() {
        let received = |status, kind: &str, body: &str| Received {
            status,
            content_type: kind.into(),
            body: body.into(),
        };
        for (answer, fits) in [
            (received(200, "text/plain", "a b"), true),
            (received(200, "Text/Plain; charset=utf-8", "a b"), true),
            (received(202, "text/plain", "a b"), false),
            (received(200, "application/json", "a b"), false),
            (received(200, "text/plain", "\"a b\""), false),
            (received(200, "text/plain", "a+b"), false),
        ] {
            assert_eq!(judged(&answer, "a b").is_ok(), fits, "{answer:?}");
        }
    }

    #[test]
    fn addresses_elsewhere_are_never_asked() {
        assert!(checked_address("http://127.0.0.1:9/x?y=1").is_ok());
        for away in
            ["http://example.com/", "https://example.com/", "https://127.0.0.1/", "ftp://127.0.0.1/", "junk"]
        {
            assert_eq!(checked_address(away).unwrap_err().code, "InvalidRequest", "{away}");
        }
    }
}
