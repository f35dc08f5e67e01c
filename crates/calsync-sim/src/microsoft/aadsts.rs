//! Refusals of the login endpoints: `error`, the AADSTS number and words (microsoft.md §1). Programs branch on `error`
//! alone; the numbers are for people.

use serde_json::json;

use super::errors::Stamp;
use crate::wire::Answer;

/// A refusal of `authorize` or `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aadsts {
    /// The word to branch on.
    pub error: &'static str,
    /// The number.
    pub code: u32,
    /// Why, in words.
    pub why: &'static str,
}

const fn of(error: &'static str, code: u32, why: &'static str) -> Aadsts {
    Aadsts { error, code, why }
}

/// The refusals that can be met (§1 "Answer", and the error reference behind it).
impl Aadsts {
    /// No such tenant.
    pub const NO_TENANT: Aadsts =
        of("invalid_request", 90_002, "Tenant not found. Check to make sure you have the correct tenant ID.");
    /// The program is unknown.
    pub const NO_APP: Aadsts =
        of("unauthorized_client", 700_016, "Application was not found in the directory.");
    /// The program lives in one tenant alone.
    pub const ONE_TENANT: Aadsts =
        of("invalid_request", 50_194, "Application is not configured as a multi-tenant application.");
    /// A redirect address that is not registered.
    pub const REDIRECT: Aadsts = of(
        "invalid_request",
        50_011,
        "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
    );
    /// A parameter is missing.
    pub const MISSING: Aadsts =
        of("invalid_request", 900_144, "The request body must contain the required parameter.");
    /// A response type that is not played here.
    pub const RESPONSE_TYPE: Aadsts =
        of("unsupported_response_type", 700_054, "response_type is not enabled for the application.");
    /// A grant type that is not played here.
    pub const GRANT_TYPE: Aadsts =
        of("unsupported_grant_type", 70_003, "The app requested an unsupported grant type.");
    /// A scope that nobody knows.
    pub const SCOPE: Aadsts =
        of("invalid_scope", 70_011, "The provided value for the input parameter 'scope' is not valid.");
    /// A challenge that cannot be one.
    pub const CHALLENGE: Aadsts =
        of("invalid_request", 501_491, "The size of the code_challenge parameter is invalid.");
    /// The person's kind of account may not come in here.
    pub const WRONG_KIND: Aadsts = of(
        "invalid_request",
        50_020,
        "User account from this identity provider does not exist in the tenant.",
    );
    /// The secret is wrong.
    pub const SECRET: Aadsts = of("invalid_client", 7_000_215, "Invalid client secret provided.");
    /// The secret has run out.
    pub const SECRET_EXPIRED: Aadsts =
        of("invalid_client", 7_000_222, "The provided client secret keys for app are expired.");
    /// Neither secret nor assertion.
    pub const NO_SECRET: Aadsts = of(
        "invalid_client",
        7_000_218,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
    /// The request came out of a browser.
    pub const ORIGIN: Aadsts = of(
        "invalid_request",
        9_002_326,
        "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.",
    );
    /// The code was used.
    pub const CODE_USED: Aadsts =
        of("invalid_grant", 54_005, "OAuth2 Authorization code was already redeemed.");
    /// The code or the token has run out.
    pub const EXPIRED: Aadsts = of(
        "invalid_grant",
        70_008,
        "The provided authorization code or refresh token has expired due to inactivity.",
    );
    /// The code, the verifier or the address do not belong together.
    pub const BAD_CODE: Aadsts =
        of("invalid_grant", 70_000, "The provided value for the 'code' parameter is not valid.");
    /// The verifier does not fit.
    pub const VERIFIER: Aadsts = of(
        "invalid_grant",
        501_481,
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    );
    /// A refresh token that nobody knows.
    pub const BAD_REFRESH: Aadsts =
        of("invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.");
    /// Ninety days without use.
    pub const IDLE: Aadsts = of("invalid_grant", 700_082, "The refresh token has expired due to inactivity.");
    /// Sessions were revoked.
    pub const REVOKED: Aadsts = of(
        "invalid_grant",
        50_173,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    );
    /// The consent is gone.
    pub const NO_CONSENT: Aadsts =
        of("invalid_grant", 65_001, "The user or administrator has not consented to use the application.");
    /// More than a password is asked for.
    pub const MFA: Aadsts = of(
        "interaction_required",
        50_076,
        "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
    );
    /// A rule of the administrator's forbids it.
    pub const BLOCKED: Aadsts =
        of("invalid_grant", 53_003, "Access has been blocked by Conditional Access policies.");
    /// Only an administrator may agree.
    pub const ADMIN: Aadsts = of("consent_required", 90_094, "The grant requires admin permission.");
    /// The person said no.
    pub const DECLINED: Aadsts = of("access_denied", 65_004, "User declined to consent to access the app.");
    /// Nobody is signed in, and nobody may be asked.
    pub const LOGIN: Aadsts =
        of("login_required", 50_058, "A silent sign-in request was sent but no user is signed in.");
    /// The person would have to be asked.
    pub const ASK: Aadsts = of(
        "interaction_required",
        65_001,
        "The user or administrator has not consented to use the application.",
    );
    /// Try again later.
    pub const BUSY: Aadsts =
        of("temporarily_unavailable", 90_033, "A transient error has occurred. Please try again.");

    /// With which HTTP status it comes.
    pub fn status(self) -> u16 {
        match self.error {
            "invalid_client" => 401,
            "temporarily_unavailable" => 503,
            _ => 400,
        }
    }

    /// The words with their number in front.
    pub(super) fn description(self, stamp: &Stamp) -> String {
        format!(
            "AADSTS{}: {} Trace ID: {} Correlation ID: {} Timestamp: {}Z",
            self.code,
            self.why,
            stamp.request_id,
            stamp.client_request_id,
            stamp.date.replace('T', " ")
        )
    }

    /// The answer of the token endpoint.
    pub(super) fn answer(self, stamp: &Stamp) -> Answer {
        let body = json!({
            "error": self.error,
            "error_description": self.description(stamp),
            "error_codes": [self.code],
            "timestamp": format!("{}Z", stamp.date.replace('T', " ")),
            "trace_id": stamp.request_id,
            "correlation_id": stamp.client_request_id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        Answer::json(self.status(), &body)
    }
}
