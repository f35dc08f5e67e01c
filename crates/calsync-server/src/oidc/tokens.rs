//! What the token endpoint says, and what a provider's page says when it sends somebody back without a code. Pure. Its words
//! never repeat a description, which may hold what was sent.

use calsync_core::secret::Secret;
use serde::Deserialize;

use super::Trouble;
use super::exchange::Reply;

/// Longest error code that is repeated.
const CODE_MAX: usize = 64;

/// Tokens, as answered.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: Secret,
    #[serde(default)]
    pub(super) access_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Reads an answer.
pub(super) fn read(reply: &Reply) -> Result<Tokens, Trouble> {
    if (200..300).contains(&reply.status) {
        return serde_json::from_slice(&reply.body).map_err(|_| {
            let words =
                "the token endpoint answers without an ID token: let the client have the scope openid there";
            Trouble::SetUp(words.to_owned())
        });
    }
    let said: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
    let code = said.map(|said| tame(&said.error)).unwrap_or_default();
    Err(match (code.as_str(), reply.status) {
        ("invalid_grant", _) => Trouble::Refused(
            "the provider does not take the code: it was used before, or took too long (invalid_grant)"
                .to_owned(),
        ),
        ("invalid_client" | "unauthorized_client", _) | ("", 401) => Trouble::SetUp(format!(
            "the provider does not know our client: check sign_in.oidc.client_id and sign_in.oidc.client_secret ({code})"
        )),
        ("redirect_uri_mismatch", _) => Trouble::SetUp(format!(
            "the redirect URL is not registered with our client, to the letter ({code})"
        )),
        ("", status) => reply
            .is_good("the token endpoint")
            .err()
            .unwrap_or_else(|| Trouble::Away(format!("the token endpoint answers {status}"))),
        ("server_error" | "temporarily_unavailable", _) | (_, 429 | 500..=599) => {
            Trouble::Away(format!("the provider has a fault ({code})"))
        }
        _ => Trouble::SetUp(format!("the provider refuses what we ask for ({code})")),
    })
}

/// What a provider's page means by sending somebody back with this error (OpenID Connect Core 1.0 §3.1.2.6, RFC 6749 §4.1.2.1).
pub(super) fn refused(error: &str) -> Trouble {
    let code = tame(error);
    match code.as_str() {
        "server_error" | "temporarily_unavailable" => {
            Trouble::Away(format!("the provider has a fault ({code})"))
        }
        "invalid_request"
        | "unauthorized_client"
        | "unsupported_response_type"
        | "invalid_scope"
        | "request_not_supported" => Trouble::SetUp(format!(
            "the provider refuses what our client asks for: it needs the code flow and the scopes openid and email ({code})"
        )),
        _ => Trouble::Refused(format!("the provider did not sign them in ({code})")),
    }
}

/// A provider's error code, fit to be repeated: short, and letters only.
fn tame(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(CODE_MAX).collect()
}
