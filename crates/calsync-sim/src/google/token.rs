//! The endpoints beside the consent page: token, revoke, tokeninfo, userinfo, certs (google.md §2.2 and §2.3). They
//! never hand out anything for a code or a token that does not hold.

use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::GoogleFace;
use super::oauth::{Access, Code, OauthClient, PREFIX, Scopes, joined};
use super::{Answer, ApiRequest};
use crate::cloud::names::PersonId;

/// Which names userinfo gives its fields (§1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// `sub`, `email_verified`.
    OpenId,
    /// `id`, `verified_email`.
    Older,
}

/// A refusal of these endpoints: not the Calendar API's envelope.
fn refuse(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": description}))
}

fn invalid_grant(description: &str) -> Answer {
    refuse(400, "invalid_grant", description)
}

impl GoogleFace {
    /// `POST /token`.
    pub(super) fn token(&self, request: &ApiRequest) -> Answer {
        let form = request.form_pairs();
        let get = |name: &str| form.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let (id, secret) = match request.basic() {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (get("client_id").map(str::to_owned), get("client_secret").map(str::to_owned)),
        };
        let Some(id) = id else {
            return refuse(400, "invalid_request", "Could not determine client ID from request.");
        };
        let Some(client) = self.oauth().clients.get(&id).cloned() else {
            return refuse(401, "invalid_client", "The OAuth client was not found.");
        };
        if secret.as_deref() != Some(client.secret.as_str()) {
            return refuse(401, "invalid_client", "Unauthorized");
        }
        match get("grant_type") {
            Some("authorization_code") => match (get("code"), get("redirect_uri")) {
                (Some(code), Some(uri)) => self.exchange(&client, code, uri, get("code_verifier")),
                (None, _) => refuse(400, "invalid_request", "Missing required parameter: code"),
                (_, None) => refuse(400, "invalid_request", "Missing parameter: redirect_uri"),
            },
            Some("refresh_token") => match get("refresh_token") {
                Some(token) => self.refresh(&client, token),
                None => refuse(400, "invalid_request", "Missing required parameter: refresh_token"),
            },
            Some(other) => refuse(400, "unsupported_grant_type", &format!("Invalid grant_type: {other}")),
            None => refuse(400, "invalid_request", "Missing required parameter: grant_type"),
        }
    }

    fn exchange(&self, client: &OauthClient, code: &str, uri: &str, verifier: Option<&str>) -> Answer {
        let now = self.now();
        // Single use: it is gone even if what follows fails (§2.1).
        let Some(code) = self.oauth().redeem(code, now).filter(|c| c.client == client.id) else {
            return invalid_grant("Malformed auth code.");
        };
        if code.redirect_uri != uri {
            return refuse(400, "redirect_uri_mismatch", "Bad Request");
        }
        if let Err(why) = verified(&code, verifier) {
            return invalid_grant(why);
        }
        let mut body = self.access_body(client, &code.person, &code.scopes);
        if code.gives_refresh {
            let (token, dies) = self.oauth().new_refresh(&code.person, client, code.scopes, now);
            body["refresh_token"] = Value::from(token);
            if let Some(dies) = dies {
                body["refresh_token_expires_in"] = Value::from(dies.since(now).as_secs());
            }
        }
        Answer::json(200, &body)
    }

    fn refresh(&self, client: &OauthClient, token: &str) -> Answer {
        let used = self.oauth().use_refresh(token, &client.id, self.now());
        match used {
            Some(refresh) => Answer::json(200, &self.access_body(client, &refresh.person, &refresh.scopes)),
            None => invalid_grant("Token has been expired or revoked."),
        }
    }

    fn access_body(&self, client: &OauthClient, person: &PersonId, scopes: &Scopes) -> Value {
        let lives = self.config.access_token_lives;
        let access = Access {
            person: person.clone(),
            client: client.id.clone(),
            project: client.project.clone(),
            scopes: scopes.clone(),
            expires: self.now().plus(lives),
        };
        let token = self.oauth().new_access(access);
        let mut body = json!({
            "access_token": token,
            "expires_in": lives.as_secs().saturating_sub(1),
            "scope": joined(scopes),
            "token_type": "Bearer",
        });
        if scopes.contains("openid") {
            body["id_token"] = Value::from(self.id_token(client, person, scopes));
        }
        body
    }

    /// An id token of the right shape. Its signature is not one: a program that got it straight from this endpoint
    /// need not check it (OpenID Connect Core §3.1.3.7), and one that does must refuse it.
    fn id_token(&self, client: &OauthClient, person: &PersonId, scopes: &Scopes) -> String {
        let now = self.now().millis() / 1_000;
        let mut claims = self.identity(person, scopes);
        claims["iss"] = Value::from("https://accounts.google.com");
        claims["aud"] = Value::from(client.id.as_str());
        claims["azp"] = Value::from(client.id.as_str());
        claims["iat"] = Value::from(now);
        claims["exp"] = Value::from(now + 3_600);
        let header = json!({"alg": "RS256", "kid": "simulated", "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let seal = BASE64URL_NOPAD.encode(&Sha256::digest(signed.as_bytes()));
        format!("{signed}.{seal}")
    }

    /// Who somebody is, as far as the scopes tell.
    fn identity(&self, person: &PersonId, scopes: &Scopes) -> Value {
        let (sub, name) = self
            .cloud
            .with(|cloud| cloud.person(person).map(|p| (p.sub.clone(), p.name.clone())).unwrap_or_default());
        let mut body = json!({"sub": sub});
        if scopes.contains(&format!("{PREFIX}userinfo.email")) {
            body["email"] = Value::from(person.as_str());
            body["email_verified"] = Value::from(true);
        }
        if scopes.contains(&format!("{PREFIX}userinfo.profile")) {
            body["name"] = Value::from(name);
        }
        body
    }

    /// `POST /revoke`: 200 with an empty object, 400 if the token is dead already.
    pub(super) fn revoke(&self, request: &ApiRequest) -> Answer {
        let form = request.form_pairs();
        let token = form.get("token").map(String::as_str).or_else(|| request.param("token")).unwrap_or("");
        let mut oauth = self.oauth();
        match oauth.owner_of(token) {
            Some((project, person)) => {
                oauth.revoke(&project, &person);
                Answer::json(200, &json!({}))
            }
            None => refuse(400, "invalid_token", "Token expired or revoked"),
        }
    }

    /// `GET` or `POST /tokeninfo`.
    pub(super) fn tokeninfo(&self, request: &ApiRequest) -> Answer {
        let form = request.form_pairs();
        let token = request.param("access_token").or_else(|| form.get("access_token").map(String::as_str));
        // Google's own Node library names it in a header instead.
        let token = token.or_else(|| request.bearer_token());
        let now = self.now();
        let Some(access) = token.and_then(|t| self.oauth().access(t, now).cloned()) else {
            return refuse(400, "invalid_token", "Invalid Value");
        };
        let mut body = self.identity(&access.person, &access.scopes);
        if let Some(verified) = body.get("email_verified").and_then(Value::as_bool) {
            body["email_verified"] = Value::from(verified.to_string());
        }
        let left = access.expires.since(now).min(SignedDuration::from_hours(1)).as_secs();
        body["azp"] = Value::from(access.client.as_str());
        body["aud"] = Value::from(access.client);
        body["scope"] = Value::from(joined(&access.scopes));
        body["exp"] = Value::from((now.millis() / 1_000 + left).to_string());
        body["expires_in"] = Value::from(left.to_string());
        body["access_type"] = Value::from("offline");
        Answer::json(200, &body)
    }

    /// `GET /v1/userinfo`, and `/oauth2/v2/userinfo` with its older names (§1).
    pub(super) fn userinfo(&self, request: &ApiRequest, names: Names) -> Answer {
        let token = request.bearer_token();
        let now = self.now();
        let Some(access) = token.and_then(|t| self.oauth().access(t, now).cloned()) else {
            return super::errors::ApiError::auth().answer();
        };
        if !access.scopes.iter().any(|s| super::oauth::is_identity(s)) {
            return super::errors::ApiError::scope().answer();
        }
        let mut body = self.identity(&access.person, &access.scopes);
        if names == Names::Older
            && let Some(map) = body.as_object_mut()
        {
            for (new, old) in [("sub", "id"), ("email_verified", "verified_email")] {
                let value = map.remove(new);
                map.extend(value.map(|v| (old.to_owned(), v)));
            }
        }
        Answer::json(200, &body)
    }
}

fn verified(code: &Code, verifier: Option<&str>) -> Result<(), &'static str> {
    match (&code.challenge, verifier) {
        (None, _) => Ok(()),
        (Some(_), None) => Err("Missing code verifier."),
        (Some(challenge), Some(verifier)) if challenge.fits(verifier) => Ok(()),
        (Some(_), Some(_)) => Err("Invalid code verifier."),
    }
}

fn encode(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}
