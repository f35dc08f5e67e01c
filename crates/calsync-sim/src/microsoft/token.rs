//! `/{tenant}/oauth2/v2.0/token` and the documents beside it (microsoft.md §1). It never hands out anything for a code
//! or a token that does not hold, and it revokes nothing when a refresh token is used.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::MicrosoftFace;
use super::aadsts::Aadsts;
use super::oauth::{Access, OauthClient, Scopes, scopes_of, written};
use super::scopes::OF_OPENID;
use crate::cloud::names::PersonId;
use crate::wire::{Answer, ApiRequest};

impl MicrosoftFace {
    /// `POST /{tenant}/oauth2/v2.0/token`.
    pub(super) fn token(&self, tenant: &str, request: &ApiRequest) -> Answer {
        match self.tokens(tenant, request) {
            Ok(body) => Answer::json(200, &body).with("cache-control", "no-store".to_owned()),
            Err(why) => why.answer(&self.stamp(request)),
        }
    }

    fn tokens(&self, tenant: &str, request: &ApiRequest) -> Result<Value, Aadsts> {
        {
            let mut oauth = self.oauth();
            if oauth.failing > 0 {
                oauth.failing -= 1;
                return Err(Aadsts::BUSY);
            }
        }
        // A program on a server sends no Origin; with one its secret is refused (§1).
        if request.headers.contains_key("origin") {
            return Err(Aadsts::ORIGIN);
        }
        let form = request.form_pairs();
        let get = |name: &str| form.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let (id, secret) = match request.basic() {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (get("client_id").map(str::to_owned), get("client_secret").map(str::to_owned)),
        };
        let client = self.client_for(tenant, &id.ok_or(Aadsts::MISSING)?)?;
        self.check_secret(&client, secret.as_deref())?;
        let asked = get("scope").map(scopes_of).transpose()?;
        match get("grant_type") {
            Some("authorization_code") => {
                let (code, uri) =
                    (get("code").ok_or(Aadsts::MISSING)?, get("redirect_uri").ok_or(Aadsts::MISSING)?);
                self.exchange(request, &client, (code, uri, get("code_verifier")), asked)
            }
            Some("refresh_token") => {
                self.refresh(request, &client, get("refresh_token").ok_or(Aadsts::MISSING)?, asked)
            }
            Some(_) => Err(Aadsts::GRANT_TYPE),
            None => Err(Aadsts::MISSING),
        }
    }

    fn check_secret(&self, client: &OauthClient, secret: Option<&str>) -> Result<(), Aadsts> {
        match secret {
            None => Err(Aadsts::NO_SECRET),
            Some(secret) if secret != client.secret => Err(Aadsts::SECRET),
            Some(_) if client.secret_until.is_some_and(|until| self.now() >= until) => {
                Err(Aadsts::SECRET_EXPIRED)
            }
            Some(_) => Ok(()),
        }
    }

    fn exchange(
        &self,
        request: &ApiRequest,
        client: &OauthClient,
        (code, uri, verifier): (&str, &str, Option<&str>),
        asked: Option<Scopes>,
    ) -> Result<Value, Aadsts> {
        // Single use: it is gone even if what follows fails.
        let code = self.oauth().redeem(code, self.now())?;
        if code.client != client.id || code.redirect_uri != uri {
            return Err(Aadsts::BAD_CODE);
        }
        match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) if challenge.fits(verifier) => {}
            (None, _) => {}
            (Some(_), _) => return Err(Aadsts::VERIFIER),
        }
        let scopes = narrowed(code.scopes, asked)?;
        self.body(request, client, &code.person, &scopes, code.nonce.as_deref())
    }

    fn refresh(
        &self,
        request: &ApiRequest,
        client: &OauthClient,
        token: &str,
        asked: Option<Scopes>,
    ) -> Result<Value, Aadsts> {
        let refresh = self.oauth().use_refresh(token, &client.id, self.now())?;
        if let Some(demand) = self.oauth().demands.get(&refresh.person).copied() {
            return Err(demand);
        }
        let scopes = narrowed(refresh.scopes, asked)?;
        self.body(request, client, &refresh.person, &scopes, None)
    }

    /// The answer: a refresh token only with `offline_access`, an id token only with `openid` (§1).
    fn body(
        &self,
        request: &ApiRequest,
        client: &OauthClient,
        person: &PersonId,
        scopes: &Scopes,
        nonce: Option<&str>,
    ) -> Result<Value, Aadsts> {
        let (now, lives, account) = (self.now(), self.config.access_token_lives, self.account(person));
        let access = Access {
            person: person.clone(),
            client: client.id.clone(),
            scopes: scopes.clone(),
            expires: now.plus(lives),
        };
        let mut oauth = self.oauth();
        let mut body = json!({
            "token_type": "Bearer",
            "scope": written(scopes, &account),
            "expires_in": lives.as_secs().saturating_sub(1),
            "ext_expires_in": lives.as_secs().saturating_sub(1),
            "access_token": oauth.new_access(access),
        });
        if scopes.contains("offline_access") {
            body["refresh_token"] = oauth.new_refresh(person, &client.id, scopes.clone(), now).into();
        }
        drop(oauth);
        if scopes.contains("openid") {
            body["id_token"] = self.id_token(request, client, person, scopes, nonce).into();
        }
        Ok(body)
    }

    /// An id token of the right shape. Its signature is not one: a program that got it straight from this endpoint need
    /// not check it (OpenID Connect Core §3.1.3.7), and one that does must refuse it.
    fn id_token(
        &self,
        request: &ApiRequest,
        client: &OauthClient,
        person: &PersonId,
        scopes: &Scopes,
        nonce: Option<&str>,
    ) -> String {
        let (account, who) = (self.account(person), self.who(person));
        let now = self.now().millis() / 1_000;
        let mut claims = json!({
            "aud": client.id,
            "iss": format!("{}/{}/v2.0", self.base(request), account.tenant()),
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
            "sub": who.pairwise,
            "oid": who.oid,
            "tid": account.tenant(),
            "ver": "2.0",
        });
        if scopes.contains("profile") {
            claims["name"] = who.name.into();
            claims["preferred_username"] = person.as_str().into();
        }
        if scopes.contains("email") {
            claims["email"] = person.as_str().into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"});
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let seal = BASE64URL_NOPAD.encode(&Sha256::digest(signed.as_bytes()));
        format!("{signed}.{seal}")
    }

    /// `GET /{tenant}/v2.0/.well-known/openid-configuration`.
    pub(super) fn openid_configuration(&self, tenant: &str, request: &ApiRequest) -> Answer {
        let base = self.base(request);
        Answer::json(
            200,
            &json!({
                "issuer": format!("{base}/{tenant}/v2.0"),
                "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
                "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
                "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": OF_OPENID,
            }),
        )
    }
}

/// A subset of what was granted, if one was asked for (§1 refresh call).
fn narrowed(granted: Scopes, asked: Option<Scopes>) -> Result<Scopes, Aadsts> {
    match asked {
        None => Ok(granted),
        Some(asked) if asked.iter().all(|s| granted.contains(s) || OF_OPENID.contains(&s.as_str())) => {
            // What keeps a program going stays, asked for or not.
            let of_openid = granted.into_iter().filter(|s| OF_OPENID.contains(&s.as_str()));
            let graph = asked.into_iter().filter(|s| !OF_OPENID.contains(&s.as_str()));
            Ok(of_openid.chain(graph).collect())
        }
        Some(_) => Err(Aadsts::NO_CONSENT),
    }
}
