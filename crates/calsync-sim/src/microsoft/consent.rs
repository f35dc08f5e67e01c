//! `/{tenant}/oauth2/v2.0/authorize`: the page on which a person lets a program in (microsoft.md §1). A seeded person
//! named by `login_hint` agrees at once; otherwise the page shows the seeded people to choose from.

use super::MicrosoftFace;
use super::aadsts::Aadsts;
use super::oauth::{Account, Audience, Code, OauthClient, Scopes, scopes_of};
use crate::account_page::{self, escape};
use crate::cloud::names::PersonId;
use crate::pkce::Challenge;
use crate::wire::{Answer, ApiRequest};

/// A checked wish for access.
#[derive(Debug, Clone)]
struct Ask {
    client: String,
    redirect_uri: String,
    scopes: Scopes,
    state: Option<String>,
    challenge: Option<Challenge>,
    mode: Mode,
}

/// How the answer travels back (§1 `response_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// How a wish is refused: to the person on a page, or to the program.
enum Refused {
    Shown(Aadsts),
    SentBack(Box<Ask>, Aadsts),
}

impl MicrosoftFace {
    /// `GET /{tenant}/oauth2/v2.0/authorize`.
    pub(super) fn authorize(&self, tenant: &str, request: &ApiRequest) -> Answer {
        let stamp = self.stamp(request);
        match self.consider(tenant, request) {
            Ok(answer) => answer,
            // Shown to the person: an address that is not registered must never be redirected to.
            Err(Refused::Shown(why)) => {
                let words = escape(&why.description(&stamp));
                let page = format!(
                    "<!doctype html><title>Sign in to your account</title><h1>Sorry, but we\u{2019}re having trouble signing you in.</h1><p>{words}</p>"
                );
                Answer::html(400, page)
            }
            Err(Refused::SentBack(ask, why)) => {
                let description = why.description(&stamp);
                ask.sent_back(&[("error", why.error), ("error_description", &description)])
            }
        }
    }

    fn consider(&self, tenant: &str, request: &ApiRequest) -> Result<Answer, Refused> {
        let client =
            self.client_for(tenant, request.param("client_id").unwrap_or("")).map_err(Refused::Shown)?;
        let ask = read_ask(&client, request)?;
        let prompt = request.param("prompt").unwrap_or("");
        let chosen = account_page::named(request).and_then(|hint| self.person_by_hint(hint));
        let Some(person) = chosen else {
            if prompt == "none" {
                return Err(Refused::SentBack(Box::new(ask), Aadsts::LOGIN));
            }
            let people = self.cloud.with(|c| account_page::people(c));
            // All or nothing: there are no boxes here.
            let scopes = ask.scopes.iter().map(|scope| (scope, account_page::Tick::Fixed));
            return Ok(Answer::html(200, account_page::html(request, &ask.client, scopes, &people)));
        };
        let account = self.account(&person);
        if !lets_in(tenant, &account) || !lets_in_app(&client.audience, &account) {
            return Err(Refused::Shown(Aadsts::WRONG_KIND));
        }
        // Shared calendars are for work and school alone (§1 scope facts).
        if account == Account::Personal && ask.scopes.iter().any(|s| s.ends_with(".Shared")) {
            return Err(Refused::SentBack(Box::new(ask), Aadsts::SCOPE));
        }
        let now = self.now();
        let mut oauth = self.oauth();
        if let Some(demand) = oauth.demands.get(&person).copied() {
            return Err(Refused::SentBack(Box::new(ask), demand));
        }
        if account_page::says_no(request) || oauth.refusing.contains(&person) {
            return Err(Refused::SentBack(Box::new(ask), Aadsts::DECLINED));
        }
        let known = oauth.granted(&ask.client, &person).is_some_and(|had| ask.scopes.is_subset(had));
        if prompt == "none" && !known {
            return Err(Refused::SentBack(Box::new(ask), Aadsts::ASK));
        }
        let code = oauth.consent(Code {
            person,
            client: ask.client.clone(),
            redirect_uri: ask.redirect_uri.clone(),
            scopes: ask.scopes.clone(),
            challenge: ask.challenge.clone(),
            nonce: request.param("nonce").map(str::to_owned),
            made: now,
            used: false,
        });
        drop(oauth);
        Ok(ask.sent_back(&[("code", &code)]))
    }

    /// The program of this id, if it may be used at this tenant's door.
    pub(super) fn client_for(&self, tenant: &str, id: &str) -> Result<OauthClient, Aadsts> {
        let known = matches!(tenant, "common" | "organizations" | "consumers") || self.knows_tenant(tenant);
        if !known {
            return Err(Aadsts::NO_TENANT);
        }
        let client = self.oauth().clients.get(id).cloned().ok_or(Aadsts::NO_APP)?;
        match &client.audience {
            Audience::Tenant(own) if own != tenant && self.knows_tenant(tenant) => Err(Aadsts::NO_APP),
            Audience::Tenant(own) if own != tenant => Err(Aadsts::ONE_TENANT),
            _ => Ok(client),
        }
    }

    fn person_by_hint(&self, hint: &str) -> Option<PersonId> {
        let id = PersonId::from(hint.to_ascii_lowercase());
        self.cloud.with(|cloud| cloud.person(&id).map(|p| p.id.clone()))
    }
}

fn read_ask(client: &OauthClient, request: &ApiRequest) -> Result<Ask, Refused> {
    let redirect_uri = request.param("redirect_uri").unwrap_or("");
    if !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
        return Err(Refused::Shown(Aadsts::REDIRECT));
    }
    let mode = match request.param("response_mode") {
        Some("fragment") => Mode::Fragment,
        Some("form_post") => Mode::FormPost,
        _ => Mode::Query,
    };
    let mut ask = Ask {
        client: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scopes: Scopes::new(),
        state: request.param("state").map(str::to_owned),
        challenge: None,
        mode,
    };
    match request.param("response_type") {
        Some("code") => {}
        Some(_) => return Err(Refused::SentBack(Box::new(ask), Aadsts::RESPONSE_TYPE)),
        None => return Err(Refused::SentBack(Box::new(ask), Aadsts::MISSING)),
    }
    match scopes_of(request.param("scope").unwrap_or("")) {
        Ok(scopes) if scopes.is_empty() => return Err(Refused::SentBack(Box::new(ask), Aadsts::MISSING)),
        Ok(scopes) => ask.scopes = scopes,
        Err(why) => return Err(Refused::SentBack(Box::new(ask), why)),
    }
    match Challenge::read(request.param("code_challenge"), request.param("code_challenge_method")) {
        Ok(challenge) => Ok(Ask { challenge, ..ask }),
        Err(_) => Err(Refused::SentBack(Box::new(ask), Aadsts::CHALLENGE)),
    }
}

/// Whether an account of this kind may come in by this door (§1 `{tenant}`).
pub(super) fn lets_in(tenant: &str, account: &Account) -> bool {
    match (tenant, account) {
        ("common", _) | ("organizations", Account::Work(_)) | ("consumers", Account::Personal) => true,
        ("organizations" | "consumers", _) => false,
        (named, account) => named == account.tenant(),
    }
}

fn lets_in_app(audience: &Audience, account: &Account) -> bool {
    match (audience, account) {
        (Audience::Everybody, _)
        | (Audience::Organizations, Account::Work(_))
        | (Audience::Consumers, Account::Personal) => true,
        (Audience::Tenant(own), account) => own == account.tenant(),
        _ => false,
    }
}

impl Ask {
    /// Back to the program, with `state` as it came.
    fn sent_back(&self, pairs: &[(&str, &str)]) -> Answer {
        let state = self.state.as_deref();
        match self.mode {
            Mode::Query => account_page::sent_back(&self.redirect_uri, state, pairs),
            Mode::Fragment => {
                let mut text = url::form_urlencoded::Serializer::new(String::new());
                text.extend_pairs(state.map(|s| ("state", s))).extend_pairs(pairs);
                Answer::redirect(format!("{}#{}", self.redirect_uri, text.finish()))
            }
            Mode::FormPost => {
                let field = |(name, value): (&str, &str)| {
                    format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(value))
                };
                let fields: String =
                    pairs.iter().copied().chain(state.map(|s| ("state", s))).map(field).collect();
                let action = escape(&self.redirect_uri);
                Answer::html(
                    200,
                    format!(
                        "<!doctype html><form method=post action=\"{action}\">{fields}<button>Continue</button></form>"
                    ),
                )
            }
        }
    }
}
