//! One HTTP exchange, bounded in time and size. Knows no provider; its errors never carry a URL, a header or a body, for
//! all of these can hold addresses and secrets.

use std::time::Duration;

use calsync_core::ports::{ErrorClass, ProviderError};
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;

/// Whether an exchange can have changed something at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It only reads, or repeating it changes nothing more: an unknown outcome is harmless.
    Harmless,
    /// It writes: an unknown outcome must be looked at.
    Writes,
}

impl Effect {
    /// The class of an outcome that is not known.
    pub(crate) fn unknown_outcome(self) -> ErrorClass {
        match self {
            Effect::Harmless => ErrorClass::Transient,
            Effect::Writes => ErrorClass::Ambiguous,
        }
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body, within the limit.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it says success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// The request never left.
    NotSent,
    /// No answer came in time; the request may have arrived.
    TimedOut,
    /// The connection broke; the request may have arrived.
    Lost,
    /// The answer is larger than we take.
    TooLarge,
}

impl Broken {
    /// What it means for a call of this effect.
    pub(crate) fn to_error(self, effect: Effect, doing: &str) -> ProviderError {
        let (class, what) = match self {
            Broken::NotSent => (ErrorClass::Transient, "could not connect"),
            Broken::TimedOut => (effect.unknown_outcome(), "no answer in time"),
            Broken::Lost => (effect.unknown_outcome(), "the connection broke"),
            Broken::TooLarge if effect == Effect::Writes => {
                (ErrorClass::Ambiguous, "the answer is too large")
            }
            Broken::TooLarge => (ErrorClass::Invalid, "the answer is too large"),
        };
        ProviderError::new(class, format!("{doing}: {what}"))
    }
}

/// Sends and reads the answer, both within `timeout`; a body over `limit` bytes is not taken.
pub(crate) async fn exchange(
    request: RequestBuilder,
    timeout: Duration,
    limit: usize,
) -> Result<Reply, Broken> {
    let mut response = request.timeout(timeout).send().await.map_err(broken)?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| answer_broken(&e))? {
        if body.len() + chunk.len() > limit {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body })
}

#[allow(clippy::needless_pass_by_value, reason = "it is the argument of `map_err`")]
fn broken(error: reqwest::Error) -> Broken {
    // `is_connect` comes first: a connect timeout is both, and nothing was sent.
    if error.is_connect() || error.is_builder() { Broken::NotSent } else { answer_broken(&error) }
}

fn answer_broken(error: &reqwest::Error) -> Broken {
    if error.is_timeout() { Broken::TimedOut } else { Broken::Lost }
}
