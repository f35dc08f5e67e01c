//! The page on which a person lets a program in (google.md §2.1). A seeded person named by `login_hint` agrees at once;
//! otherwise the page shows the seeded people to choose from, and a box for each permission. It asks for no password: nobody here has one.

use super::GoogleFace;
use super::oauth::{Code, PREFIX, Scopes, is_identity, scopes_of};
use super::{Answer, ApiRequest};
use crate::account_page::{self, escape};
use crate::cloud::names::PersonId;
use crate::pkce::{Challenge, Wrong};

impl GoogleFace {
    /// `GET /o/oauth2/v2/auth`.
    pub(super) fn authorize(&self, request: &ApiRequest) -> Answer {
        let ask = match self.read_ask(request) {
            Ok(ask) => ask,
            // These are shown to the person: an address that is not registered must never be redirected to.
            Err((error, why)) => {
                let page = format!(
                    "<!doctype html><title>Error 400: {error}</title><h1>Error 400: {error}</h1><p>{}</p>",
                    escape(&why)
                );
                return Answer::html(400, page);
            }
        };
        let prompt: Vec<&str> = request.param("prompt").unwrap_or("").split_ascii_whitespace().collect();
        let chosen = account_page::named(request).and_then(|hint| self.person_by_hint(hint));
        let Some(person) = chosen else {
            if prompt.contains(&"none") {
                return ask.sent_back(&[("error", "login_required")]);
            }
            return self.choice(request, &ask);
        };
        if account_page::says_no(request) || self.oauth().refusing.contains(&person) {
            return ask.sent_back(&[("error", "access_denied")]);
        }
        self.agree(request, ask, person, &prompt)
    }

    fn agree(&self, request: &ApiRequest, ask: Ask, person: PersonId, prompt: &[&str]) -> Answer {
        let mut oauth = self.oauth();
        let before = oauth.granted(&ask.project, &person).cloned();
        let asked =
            before.as_ref().is_none_or(|had| !ask.scopes.is_subset(had)) || prompt.contains(&"consent");
        if asked && prompt.contains(&"none") {
            return ask.sent_back(&[("error", "interaction_required")]);
        }
        // Granular consent: what the person unticks is not granted; `scope` in the answer says what is (§2.1).
        let mut scopes = ask.scopes.clone();
        scopes.retain(|scope| !account_page::is_unticked(request, scope));
        if let Some(unticked) = oauth.unticked.get(&person) {
            scopes.retain(|s| !unticked.contains(s));
        }
        let calendars = |all: &Scopes| all.iter().any(|s| s.starts_with(PREFIX) && s.contains("calendar"));
        if scopes.is_empty() || (calendars(&ask.scopes) && !calendars(&scopes) && !scopes.contains("openid"))
        {
            return ask.sent_back(&[("error", "access_denied")]);
        }
        if request.param("include_granted_scopes") == Some("true") {
            scopes.extend(before.iter().flatten().cloned());
        }
        // Without `consent` a returning person yields no refresh token (§2.1 prompt).
        let offline = request.param("access_type") == Some("offline");
        let code = Code {
            person,
            client: ask.client.clone(),
            redirect_uri: ask.redirect_uri.clone(),
            scopes: scopes.clone(),
            challenge: ask.challenge.clone(),
            gives_refresh: offline && (before.is_none() || prompt.contains(&"consent")),
            made: self.now(),
        };
        let code = oauth.consent(&ask.project, code);
        drop(oauth);
        ask.sent_back(&[("code", &code), ("scope", &super::oauth::joined(&scopes))])
    }

    fn read_ask(&self, request: &ApiRequest) -> Result<Ask, (&'static str, String)> {
        let need = |name: &'static str| {
            let value = request.param(name).filter(|v| !v.is_empty());
            value.ok_or_else(|| ("invalid_request", format!("Missing required parameter: {name}")))
        };
        let client_id = need("client_id")?;
        let oauth = self.oauth();
        let client = oauth.clients.get(client_id);
        let client =
            client.ok_or_else(|| ("invalid_client", "The OAuth client was not found.".to_owned()))?;
        let redirect_uri = need("redirect_uri")?;
        if !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
            return Err((
                "redirect_uri_mismatch",
                format!(
                    "The redirect URI in the request, {redirect_uri}, does not match the ones authorized for the OAuth client."
                ),
            ));
        }
        if need("response_type")? != "code" {
            return Err(("unsupported_response_type", "Only response_type=code is played here.".into()));
        }
        let scopes = scopes_of(need("scope")?);
        if let Some(odd) = scopes.iter().find(|s| *s != "openid" && !s.starts_with(PREFIX)) {
            return Err(("invalid_scope", format!("Some requested scopes were invalid. {odd}")));
        }
        let prompt = request.param("prompt").unwrap_or("");
        let known = |p: &str| matches!(p, "none" | "consent" | "select_account");
        if prompt.split_ascii_whitespace().any(|p| !known(p))
            || (prompt.contains("none") && prompt.trim() != "none")
        {
            return Err(("invalid_request", format!("Invalid parameter value for prompt: {prompt}")));
        }
        Ok(Ask {
            client: client.id.clone(),
            project: client.project.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            state: request.param("state").map(str::to_owned),
            challenge: challenge(request)?,
        })
    }

    fn person_by_hint(&self, hint: &str) -> Option<PersonId> {
        self.cloud.with(|cloud| {
            let by_address = cloud.person(&PersonId::from(hint.to_ascii_lowercase()));
            by_address.or_else(|| cloud.people().find(|p| p.sub == hint)).map(|p| p.id.clone())
        })
    }

    fn choice(&self, request: &ApiRequest, ask: &Ask) -> Answer {
        let people = self.cloud.with(|c| account_page::people(c));
        // Who somebody is comes with signing in; everything else has a box (§2.1).
        let scopes = ask.scopes.iter().map(|scope| {
            let tick = if is_identity(scope) { account_page::Tick::Fixed } else { account_page::Tick::Free };
            (scope, tick)
        });
        Answer::html(200, account_page::html(request, &ask.client, scopes, &people))
    }
}

/// A checked wish for access.
#[derive(Debug, Clone)]
struct Ask {
    client: String,
    project: String,
    redirect_uri: String,
    scopes: Scopes,
    state: Option<String>,
    challenge: Option<Challenge>,
}

impl Ask {
    /// Back to the program, with `state` as it came.
    fn sent_back(&self, pairs: &[(&str, &str)]) -> Answer {
        account_page::sent_back(&self.redirect_uri, self.state.as_deref(), pairs)
    }
}

/// The PKCE challenge. Its method is `plain` when it is left out (§2.1).
fn challenge(request: &ApiRequest) -> Result<Option<Challenge>, (&'static str, String)> {
    let method = request.param("code_challenge_method");
    Challenge::read(request.param("code_challenge"), method).map_err(|wrong| {
        let why = match wrong {
            Wrong::Method => format!("Invalid code_challenge_method: {}", method.unwrap_or("")),
            Wrong::Length => "code_challenge must have 43 to 128 characters.".into(),
        };
        ("invalid_request", why)
    })
}
