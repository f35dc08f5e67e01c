//! What the token endpoint says (google.md §2.2 and §2.3), read. Pure. Its errors tell apart a dead grant, an operator's
//! mistake and a passing fault, and never repeat a description.

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::time::Ts;

use crate::oauth::{Exchange, Tokens, tame};
use crate::retry;

/// What a person must do about a dead grant. Seven days are Google's for consent screens in status "Testing" (§2.3).
const DEAD_GRANT: &str = "Google no longer accepts this account's connection: access was removed, or it expired. \
    Connect the account again. If this happens seven days after each connecting, the consent screen of the Google Cloud \
    project is in status \"Testing\": its operator must set it to \"In production\"";
/// What a person must do about a code that is not taken.
const DEAD_CODE: &str = "Google does not accept this sign-in: it was used before, took too long, or the server's clock \
    is wrong. Start connecting again";

/// Reads an answer of the token endpoint.
pub(super) fn read(
    exchange: Exchange,
    status: u16,
    body: &[u8],
    retry_after: Option<&str>,
    now: Ts,
) -> Result<Tokens, ProviderError> {
    if (200..300).contains(&status) {
        return Tokens::read(body);
    }
    let code = error_code(body);
    let (class, words) = meaning(exchange, status, code.as_deref());
    let named = code.map(|c| format!(" {c}")).unwrap_or_default();
    let retry_after = retry_after.filter(|_| class.passes()).and_then(|v| retry::retry_after(v, now));
    Err(ProviderError { retry_after, ..ProviderError::new(class, format!("{words} ({status}{named})")) })
}

fn meaning(exchange: Exchange, status: u16, code: Option<&str>) -> (ErrorClass, &'static str) {
    use ErrorClass as C;
    match code {
        Some("invalid_grant") if exchange == Exchange::Refresh => (C::Unauthorized, DEAD_GRANT),
        Some("invalid_grant") => (C::Unauthorized, DEAD_CODE),
        Some("admin_policy_enforced" | "access_denied") => (
            C::Unauthorized,
            "the administrator of this Google Workspace does not allow calendar-sync: ask them to",
        ),
        Some("invalid_client" | "unauthorized_client") => (
            C::Misconfigured,
            "Google does not know our client: check google.client_id and google.client_secret",
        ),
        Some("deleted_client" | "disabled_client") => (
            C::Misconfigured,
            "our OAuth client was deleted at Google: make a new one and set google.client_id",
        ),
        Some("redirect_uri_mismatch") => {
            (C::Misconfigured, "the redirect URI is not registered with our OAuth client, to the letter")
        }
        Some("org_internal") => {
            (C::Misconfigured, "our OAuth client is only for its own organisation's accounts")
        }
        Some("invalid_scope" | "unsupported_grant_type") => {
            (C::Misconfigured, "Google refuses what we ask for")
        }
        Some("server_error" | "temporarily_unavailable" | "internal_failure") => {
            (C::Transient, "Google's sign-in has a fault")
        }
        _ => match status {
            429 => (C::RateLimited, "too many calls to Google's sign-in"),
            408 | 500..=599 => (C::Transient, "Google's sign-in has a fault"),
            // Without a code, the words come from something between us and Google.
            _ if code.is_none() => (C::Transient, "the token endpoint answers what is not Google's"),
            _ => (C::Permanent, "Google's sign-in refuses"),
        },
    }
}

/// What a callback with `?error=` means.
pub fn consent_refused(error: &str) -> ProviderError {
    match error {
        "access_denied" => {
            ProviderError::new(ErrorClass::Unauthorized, "access was not allowed: nothing was connected")
        }
        other => {
            let code = tame(other);
            let (class, words) = meaning(Exchange::Code, 400, Some(&code));
            ProviderError::new(class, format!("{words} ({code})"))
        }
    }
}

fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body["error"].as_str().map(tame).filter(|code| !code.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ts = Ts::from_secs(0);

    fn class(exchange: Exchange, status: u16, body: &str) -> (ErrorClass, String) {
        let error = read(exchange, status, body.as_bytes(), None, NOW).err().unwrap();
        assert!(!error.detail.contains("canary"), "{}", error.detail);
        (error.class, error.detail)
    }

    #[test]
    fn a_dead_grant_an_operators_mistake_and_a_passing_fault() {
        use ErrorClass as C;
        use Exchange::{Code, Refresh};
        let rows = [
            (Refresh, 400, "invalid_grant", C::Unauthorized, "In production"),
            (Code, 400, "invalid_grant", C::Unauthorized, "Start connecting again"),
            (Refresh, 401, "invalid_client", C::Misconfigured, "google.client_secret"),
            (Refresh, 401, "deleted_client", C::Misconfigured, "deleted"),
            (Code, 400, "redirect_uri_mismatch", C::Misconfigured, "redirect URI"),
            (Code, 400, "org_internal", C::Misconfigured, "organisation"),
            (Refresh, 400, "admin_policy_enforced", C::Unauthorized, "administrator"),
            (Refresh, 500, "internal_failure", C::Transient, ""),
            (Refresh, 400, "temporarily_unavailable", C::Transient, ""),
            (Refresh, 400, "server_error", C::Transient, ""),
            (Code, 400, "invalid_request", C::Permanent, ""),
            (Refresh, 429, "rate_limited", C::RateLimited, ""),
            (Refresh, 503, "", C::Transient, ""),
        ];
        for (exchange, status, code, expected, words) in rows {
            let body =
                serde_json::json!({"error": code, "error_description": "canary", "error_subtype": "x"});
            let (class, detail) = class(exchange, status, &body.to_string());
            assert_eq!(class, expected, "{code}");
            assert!(detail.contains(words), "{detail}");
        }
        assert_eq!(class(Refresh, 502, "<html>").0, C::Transient);
        assert_eq!(class(Refresh, 404, "<html>").0, C::Transient);
        assert_eq!(class(Refresh, 200, "<html>").0, C::Transient);
        assert_eq!(class(Refresh, 200, "{\"access_token\":\"\"}").0, C::Transient);
        assert_eq!(consent_refused("access_denied").class, C::Unauthorized);
        assert_eq!(consent_refused("redirect_uri_mismatch").class, C::Misconfigured);
        assert!(!consent_refused("<script>alert").detail.contains('<'));
    }
}
