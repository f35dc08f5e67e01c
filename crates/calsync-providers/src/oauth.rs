//! What every OAuth 2.0 provider needs: the beginning of a sign-in with PKCE, tokens as answered, and buying an access token
//! with a few tries. Never knows an address or the meaning of an error: those are each provider's own.

use std::time::Duration;

use calsync_core::ports::{ErrorClass, IdGen, ProviderError};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use url::Url;

use crate::credentials::Credentials;
use crate::retry;
use crate::tokens::Bought;

/// Shortest PKCE verifier (RFC 7636 §4.1).
const VERIFIER_MIN: usize = 43;
/// The life of an access token that does not say how long it lives: short, so that it is soon replaced.
const UNSTATED_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// A sign-in that was begun. Keep `state` and `verifier` with the person's session until the callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// Where to send the person.
    pub url: Url,
    /// Must come back unchanged.
    pub state: Secret,
    /// Proves that who exchanges the code began the sign-in.
    pub verifier: Secret,
}

/// Who signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The provider's id of the person: constant, while an address can change.
    pub sub: String,
    /// The address; empty if the provider did not tell it.
    pub email: String,
}

/// A finished sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connected {
    /// Who.
    pub person: Person,
    /// What lets us act for them: to be sealed and stored.
    pub credentials: Credentials,
}

/// Begins a sign-in at `url`: adds what RFC 6749 §4.1.1 and RFC 7636 §4.3 want, the challenge always as `S256`.
pub(crate) fn begin(
    mut url: Url,
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
    ids: &dyn IdGen,
) -> Authorization {
    let state = ids.token();
    let mut verifier = ids.token().expose().to_owned();
    while verifier.len() < VERIFIER_MIN {
        verifier.push_str(ids.token().expose());
    }
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()));
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", "code")
        .append_pair("scope", scope)
        .append_pair("state", state.expose())
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Authorization { url, state, verifier: Secret::new(verifier) }
}

/// Which exchange an answer belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exchange {
    /// A code for tokens.
    Code,
    /// A refresh token for an access token.
    Refresh,
}

/// Tokens, as answered.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: Secret,
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) expires_in: Option<SignedDuration>,
    #[serde(default)]
    pub(crate) refresh_token: Option<Secret>,
    /// What was granted.
    #[serde(default)]
    pub(crate) scope: Option<String>,
    #[serde(default)]
    pub(crate) id_token: Option<Secret>,
    /// Only for grants that end by themselves.
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) refresh_token_expires_in: Option<SignedDuration>,
}

impl Tokens {
    /// Reads a successful answer.
    pub(crate) fn read(body: &[u8]) -> Result<Tokens, ProviderError> {
        let tokens: Option<Tokens> = crate::items::object(body);
        tokens.filter(|t| !t.access_token.expose().is_empty()).ok_or_else(|| {
            ProviderError::new(ErrorClass::Transient, "token endpoint: an answer without tokens")
        })
    }

    pub(crate) fn life(&self) -> SignedDuration {
        self.expires_in.unwrap_or(UNSTATED_LIFE)
    }

    /// The refresh token, if the answer holds one.
    pub(crate) fn lasting(&self) -> Option<Secret> {
        self.refresh_token.clone().filter(|t| !t.expose().is_empty())
    }

    /// What was bought with `old` at `now`.
    pub(crate) fn bought(self, old: &Credentials, now: Ts) -> Bought {
        let life = self.life();
        let rotated =
            self.lasting().filter(|new| *new != old.refresh_token).map(|refresh_token| Credentials {
                refresh_token,
                scope: self.scope.unwrap_or_else(|| old.scope.clone()),
                obtained_at: old.obtained_at,
                expires_at: self.refresh_token_expires_in.map(|l| now.plus(l)).or(old.expires_at),
            });
        Bought { access: self.access_token, life, rotated }
    }
}

/// The pause after try number `made` of buying a token failed; `None`: no more tries. Asking twice with one refresh token is
/// harmless at every provider.
pub(crate) fn pause(made: u32, error: &ProviderError, ids: &dyn IdGen) -> Option<Duration> {
    let again = error.class == ErrorClass::Transient && made < retry::TRIES && !asks_for_long(error);
    again.then(|| retry::backoff(made + 1, ids.below(retry::JITTER_MS)))
}

/// Whether an error names a wait too long to be sat out inside a call.
fn asks_for_long(error: &ProviderError) -> bool {
    error.retry_after.is_some_and(|wait| !retry::is_short(wait))
}

/// A provider's error code, fit to be repeated: short, and letters only.
pub(crate) fn tame(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}

/// A number of seconds, which providers also send as a string (google.md §2.2).
fn seconds<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SignedDuration>, D::Error> {
    let value = serde_json::Value::deserialize(d)?;
    let seconds = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    Ok(seconds.filter(|s| *s > 0.0).and_then(|s| SignedDuration::try_from_secs_f64(s).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_come_as_numbers_and_as_text() {
        let life = |value: &str| {
            let body = format!("{{\"access_token\":\"t\",\"expires_in\":{value}}}");
            Tokens::read(body.as_bytes()).map(|t| t.life()).unwrap()
        };
        assert_eq!(life("3599"), SignedDuration::from_secs(3_599));
        assert_eq!(life("\"3599\""), SignedDuration::from_secs(3_599));
        for odd in ["null", "\"soon\"", "-5", "{}"] {
            assert_eq!(life(odd), UNSTATED_LIFE, "{odd}");
        }
    }
}
