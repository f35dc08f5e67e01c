//! What the token endpoint says (microsoft.md §1), read. Pure. Its errors tell apart a dead grant, an administrator's word
//! that is missing, an operator's mistake and a passing fault; they never repeat a description, only codes.

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::time::Ts;
use serde_json::Value;

use crate::oauth::{Exchange, Tokens, tame};
use crate::retry;

/// Most codes of one answer that are looked at.
const CODES_MAX: usize = 8;
/// What stands before a code in a description.
const CODE_PREFIX: &str = "AADSTS";

/// What must be done about a refusal, told apart for faces that show more than words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remedy {
    /// The person connects the account again.
    Reconnect,
    /// The organisation's administrator must agree, or change a policy.
    Administrator,
    /// Our operator must change a setting; no person is to blame.
    Operator,
    /// Nothing: it passes.
    Wait,
}

/// An answer that refuses, read once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Who can mend it.
    pub remedy: Remedy,
    /// What to tell the engine.
    pub error: ProviderError,
}

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
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["error"].as_str().map(tame).filter(|code| !code.is_empty());
    let numbers = numbers(&answer);
    let refusal = meaning(exchange, status, code.as_deref(), &numbers);
    let passes = refusal.error.class.passes();
    let retry_after = retry_after.filter(|_| passes).and_then(|v| retry::retry_after(v, now));
    // What Microsoft's support asks for; neither is a secret.
    tracing::debug!(
        status,
        code,
        ?numbers,
        trace_id = answer["trace_id"].as_str().map(tame_id),
        correlation_id = answer["correlation_id"].as_str().map(tame_id),
        "the token endpoint refuses"
    );
    Err(ProviderError { retry_after, ..refusal.error })
}

/// What a callback with `?error=` means; `description` is only searched for numbers.
pub fn consent_refused(error: &str, description: Option<&str>) -> Refusal {
    let numbers = numbers_in(description.unwrap_or_default());
    meaning(Exchange::Code, 400, Some(&tame(error)), &numbers)
}

fn meaning(exchange: Exchange, status: u16, code: Option<&str>, numbers: &[u32]) -> Refusal {
    let (remedy, words) = remedy(exchange, status, code, numbers);
    let class = match (remedy, status) {
        (Remedy::Reconnect | Remedy::Administrator, _) => ErrorClass::Unauthorized,
        (Remedy::Operator, _) => ErrorClass::Misconfigured,
        (Remedy::Wait, 429) => ErrorClass::RateLimited,
        (Remedy::Wait, _) => ErrorClass::Transient,
    };
    let named = code.map(|c| format!(" {c}")).unwrap_or_default();
    let numbered: String = numbers.iter().map(|n| format!(" {CODE_PREFIX}{n}")).collect();
    let error = ProviderError::new(class, format!("{words} ({status}{named}{numbered})"));
    Refusal { remedy, error }
}

/// The table of §1. `error` decides; numbers refine it, and those of an operator's mistake come first: they must never mark
/// a person's account.
fn remedy(exchange: Exchange, status: u16, code: Option<&str>, numbers: &[u32]) -> (Remedy, &'static str) {
    use Remedy::{Operator, Reconnect, Wait};
    if let Some(words) = numbers.iter().find_map(|n| operators(*n)) {
        return (Operator, words);
    }
    let dead = numbers.iter().find_map(|n| dead_grant(*n));
    match code {
        Some("invalid_client") => (Operator, "Microsoft does not accept our client: check microsoft.client_secret"),
        Some("unauthorized_client") => {
            (Operator, "our app is not known there, or not for these accounts: check microsoft.client_id and tenant")
        }
        Some("invalid_scope" | "invalid_request" | "unsupported_grant_type" | "unsupported_response_type")
        | Some("invalid_resource") => {
            (Operator, "Microsoft refuses what we ask for: check the app's redirect URI, permissions and tenant")
        }
        Some("temporarily_unavailable" | "server_error") => (Wait, "Microsoft's sign-in has a fault"),
        Some("invalid_grant" | "interaction_required" | "consent_required" | "login_required") => {
            dead.unwrap_or(match exchange {
                Exchange::Refresh => (
                    Reconnect,
                    "Microsoft no longer accepts this account's connection: access was removed, a session was \
                     revoked, or it was not used for 90 days. Connect the account again",
                ),
                Exchange::Code => (
                    Reconnect,
                    "Microsoft does not accept this sign-in: it was used before, took too long, or the server's \
                     clock is wrong. Start connecting again",
                ),
            })
        }
        Some("access_denied") => dead.unwrap_or((Reconnect, "access was not allowed: nothing was connected")),
        _ => match status {
            429 => (Wait, "too many calls to Microsoft's sign-in"),
            408 | 500..=599 => (Wait, "Microsoft's sign-in has a fault"),
            // Without a code, the words come from something between us and Microsoft.
            _ if code.is_none() => (Wait, "the token endpoint answers what is not Microsoft's"),
            _ => dead.unwrap_or((Operator, "Microsoft's sign-in refuses")),
        },
    }
}

/// Numbers of mistakes that only our operator can mend.
fn operators(number: u32) -> Option<&'static str> {
    Some(match number {
        7_000_215 => {
            "the client secret is wrong: set microsoft.client_secret to the secret's value, not its id"
        }
        7_000_222 => "the client secret has expired: make a new one at Entra and set microsoft.client_secret",
        7_000_218 | 700_025 => "the app's platform at Entra must be \"Web\", with a client secret",
        7_000_112 => "our app was disabled at Entra",
        700_016 => "our app is not known in this tenant: check microsoft.client_id and microsoft.tenant",
        50_011 => "the redirect URI is not registered with our app, to the letter",
        50_194 => {
            "our app is for one organisation only: set microsoft.tenant to it, or make the app multi-tenant"
        }
        90_002 => "there is no such tenant: check microsoft.tenant",
        70_011 | 650_053 => "our app asks for a permission that Microsoft does not know",
        _ => return None,
    })
}

/// Numbers that say why a grant is dead, and who can help.
fn dead_grant(number: u32) -> Option<(Remedy, &'static str)> {
    use Remedy::{Administrator, Reconnect};
    Some(match number {
        90_093..=90_095 => (
            Administrator,
            "the administrator of this organisation must approve calendar-sync first: ask them to, then connect again",
        ),
        53_000..=53_004 | 530_003 | 530_084 => (
            Administrator,
            "a Conditional Access policy of this organisation does not let calendar-sync in: ask its administrator",
        ),
        50_105 => (Administrator, "this account was not given the app: ask the organisation's administrator"),
        50_020 => (Administrator, "this account does not belong to the organisation that the app is for"),
        50_076 | 50_078 | 50_079 => (Reconnect, "Microsoft wants a second factor: connect the account again"),
        65_001 => (Reconnect, "the consent was taken back or never given: connect the account again"),
        65_004 => (Reconnect, "access was not allowed: nothing was connected"),
        50_173 => (Reconnect, "the sessions of this account were revoked: connect the account again"),
        700_082 => {
            (Reconnect, "the connection was not used for 90 days and ended: connect the account again")
        }
        70_043 | 70_044 => {
            (Reconnect, "the organisation wants people to sign in again: connect the account again")
        }
        50_057 => (Administrator, "this account was disabled by its organisation"),
        _ => return None,
    })
}

fn numbers(answer: &Value) -> Vec<u32> {
    let listed = answer["error_codes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let listed = listed.iter().filter_map(|n| u32::try_from(n.as_u64()?).ok());
    let mut all: Vec<u32> = listed.take(CODES_MAX).collect();
    if all.is_empty() {
        all = numbers_in(answer["error_description"].as_str().unwrap_or_default());
    }
    all
}

/// The numbers in a description, which otherwise stays unread.
fn numbers_in(description: &str) -> Vec<u32> {
    let after = description.split(CODE_PREFIX).skip(1).take(CODES_MAX);
    let number = |text: &str| {
        let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    after.filter_map(number).collect()
}

fn tame_id(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Ts = Ts::from_secs(0);

    fn refused(exchange: Exchange, status: u16, body: &Value) -> ProviderError {
        let error = read(exchange, status, body.to_string().as_bytes(), None, NOW).err().unwrap();
        assert!(!error.detail.contains("canary"), "{}", error.detail);
        error
    }

    #[test]
    fn a_dead_grant_an_administrators_word_an_operators_mistake_and_a_passing_fault() {
        use ErrorClass as C;
        use Exchange::{Code, Refresh};
        let rows: [(Exchange, u16, &str, u32, C, &str); 27] = [
            (Refresh, 400, "invalid_grant", 700_082, C::Unauthorized, "90 days"),
            (Refresh, 400, "invalid_grant", 70_008, C::Unauthorized, "Connect the account again"),
            (Refresh, 400, "invalid_grant", 50_173, C::Unauthorized, "revoked"),
            (Refresh, 400, "invalid_grant", 70_000, C::Unauthorized, "Connect the account again"),
            (Refresh, 400, "invalid_grant", 70_043, C::Unauthorized, "sign in again"),
            (Refresh, 400, "invalid_grant", 50_076, C::Unauthorized, "second factor"),
            (Refresh, 400, "invalid_grant", 65_001, C::Unauthorized, "consent"),
            (Refresh, 400, "invalid_grant", 53_003, C::Unauthorized, "Conditional Access"),
            (Refresh, 400, "invalid_grant", 0, C::Unauthorized, "Connect the account again"),
            (Code, 400, "invalid_grant", 54_005, C::Unauthorized, "Start connecting again"),
            (Refresh, 400, "interaction_required", 50_079, C::Unauthorized, "second factor"),
            (Code, 400, "consent_required", 90_094, C::Unauthorized, "administrator"),
            (Refresh, 400, "login_required", 0, C::Unauthorized, "Connect the account again"),
            (Refresh, 401, "invalid_client", 7_000_215, C::Misconfigured, "not its id"),
            (Refresh, 401, "invalid_client", 7_000_222, C::Misconfigured, "expired"),
            (Refresh, 401, "invalid_client", 0, C::Misconfigured, "microsoft.client_secret"),
            // Whatever word comes with it: a wrong secret must never mark a person's account.
            (Refresh, 400, "invalid_grant", 7_000_215, C::Misconfigured, "not its id"),
            (Code, 400, "unauthorized_client", 700_016, C::Misconfigured, "microsoft.client_id"),
            (Code, 400, "invalid_scope", 70_011, C::Misconfigured, "permission"),
            (Code, 400, "invalid_request", 50_011, C::Misconfigured, "redirect URI"),
            (Code, 400, "invalid_request", 50_194, C::Misconfigured, "microsoft.tenant"),
            (Code, 400, "invalid_request", 90_002, C::Misconfigured, "microsoft.tenant"),
            (Refresh, 400, "temporarily_unavailable", 0, C::Transient, ""),
            (Refresh, 500, "server_error", 0, C::Transient, ""),
            (Refresh, 429, "too_many", 0, C::RateLimited, ""),
            (Refresh, 503, "", 0, C::Transient, ""),
            (Code, 400, "something_new", 50_105, C::Unauthorized, "administrator"),
        ];
        for (exchange, status, code, number, class, words) in rows {
            let listed = json!({"error": code, "error_description": "canary", "error_codes": [number]});
            let told = refused(exchange, status, &listed);
            assert_eq!(told.class, class, "{code} {number}: {told}");
            assert!(told.detail.contains(words), "{code} {number}: {told}");
            // The same from the description alone.
            let description = format!("{CODE_PREFIX}{number}: canary. Trace ID: canary");
            let spoken = refused(exchange, status, &json!({"error": code, "error_description": description}));
            assert_eq!(spoken.class, class, "{code} {number}: {spoken}");
        }
        for body in ["<html>", "", "null", "{\"error\":5}"] {
            let error = read(Refresh, 404, body.as_bytes(), None, NOW).err().unwrap();
            assert_eq!(error.class, C::Transient, "{body}");
        }
        assert_eq!(read(Refresh, 200, b"<html>", None, NOW).err().unwrap().class, C::Transient);
    }

    #[test]
    fn a_callback_that_refuses_says_who_can_help() {
        let table = [
            ("access_denied", None, Remedy::Reconnect),
            ("access_denied", Some("AADSTS65004: canary"), Remedy::Reconnect),
            ("access_denied", Some("AADSTS90094: canary"), Remedy::Administrator),
            ("consent_required", Some("AADSTS90094"), Remedy::Administrator),
            ("invalid_request", Some("AADSTS50011: canary"), Remedy::Operator),
            ("unauthorized_client", None, Remedy::Operator),
            ("temporarily_unavailable", None, Remedy::Wait),
            ("server_error", None, Remedy::Wait),
        ];
        for (error, description, remedy) in table {
            let refusal = consent_refused(error, description);
            assert_eq!(refusal.remedy, remedy, "{error} {description:?}");
            assert!(!refusal.error.detail.contains("canary"));
        }
        let odd = consent_refused("<script>alert", Some(&format!("{CODE_PREFIX}{}", "9".repeat(10_000))));
        assert!(!odd.error.detail.contains('<') && odd.error.detail.len() < 300, "{}", odd.error);
    }

    #[test]
    fn waits_are_honoured_where_waiting_helps() {
        let wait = |status, code: &str| {
            let body = json!({"error": code}).to_string();
            read(Exchange::Refresh, status, body.as_bytes(), Some("2.128"), NOW).err().unwrap().retry_after
        };
        assert_eq!(wait(429, "x"), Some(jiff::SignedDuration::from_millis(2_128)));
        assert_eq!(wait(400, "invalid_grant"), None);
    }
}
