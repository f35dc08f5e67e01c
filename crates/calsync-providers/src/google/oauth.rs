//! Connecting an account: consent, code exchange, refresh, revocation, and who the person is (google.md §2). Every secret
//! travels in a body or header, never in a URL of ours; redirects are never followed (the caller's client must be built so).

use async_trait::async_trait;
use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::secret::Secret;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::Google;
use super::error::{Operation, classify};
use super::grant;
use super::scope::Consent;
use crate::credentials::Credentials;
use crate::oauth::{self, Authorization, Connected, Exchange, Person, Tokens};
use crate::tokens::{Bought, TokenShop};
use crate::wire::Effect;

/// Names that Google signs its id tokens with (google.md §1).
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

impl Google {
    /// Begins a sign-in. `redirect_uri` must be registered to the letter; `login_hint` is an address or a `sub`.
    pub fn authorize(&self, redirect_uri: &str, consent: Consent, login_hint: Option<&str>) -> Authorization {
        let mut url = self.config.auth_url.clone();
        url.query_pairs_mut()
            // Both are needed for a refresh token, also the second time (§2.1).
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent")
            .extend_pairs(login_hint.map(|hint| ("login_hint", hint)));
        oauth::begin(url, &self.config.client_id, redirect_uri, &consent.scope(), self.edge.ids.as_ref())
    }

    /// Finishes a sign-in: exchanges the callback's code, checks what was granted, and asks who the person is.
    ///
    /// Errors: `Unauthorized` (the person must start again, or tick every box), `Misconfigured` (the operator must act),
    /// `Transient` (the person should try again).
    pub async fn connect(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
        consent: Consent,
    ) -> Result<Connected, ProviderError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        // Once only: a code dies with its first use, and the next sign-in is a click away.
        let tokens = self.exchange(Exchange::Code, &form).await?;
        let scope = tokens.scope.clone().unwrap_or_else(|| consent.scope());
        consent.check(&scope)?;
        let person = self.person(&tokens).await?;
        let refresh_token = tokens.lasting().ok_or_else(|| {
            let detail = "Google sent no lasting grant: remove calendar-sync at myaccount.google.com/permissions, \
                          then connect the account again";
            ProviderError::new(ErrorClass::Unauthorized, detail)
        })?;
        let obtained_at = self.edge.clock.now();
        let expires_at = tokens.refresh_token_expires_in.map(|life| obtained_at.plus(life));
        Ok(Connected { person, credentials: Credentials { refresh_token, scope, obtained_at, expires_at } })
    }

    /// Takes over a grant that was given elsewhere, by its refresh token alone: for machines without a browser. Errors as
    /// for [`Google::connect`].
    pub async fn adopt(&self, refresh_token: Secret, consent: Consent) -> Result<Connected, ProviderError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.expose()),
        ];
        let tokens = self.exchange(Exchange::Refresh, &form).await?;
        let scope = tokens.scope.clone().unwrap_or_else(|| consent.scope());
        consent.check(&scope)?;
        let person = self.person(&tokens).await?;
        let obtained_at = self.edge.clock.now();
        let expires_at = tokens.refresh_token_expires_in.map(|life| obtained_at.plus(life));
        let refresh_token = tokens.lasting().unwrap_or(refresh_token);
        Ok(Connected { person, credentials: Credentials { refresh_token, scope, obtained_at, expires_at } })
    }

    /// Gives a grant back. It ends everything this project may do for the person (§2.2). Already dead is success.
    pub async fn revoke(&self, credentials: &Credentials) -> Result<(), ProviderError> {
        let request = self.edge.http.post(self.config.revoke_url.clone());
        let request = request.form(&[("token", credentials.refresh_token.expose())]);
        let started = Instant::now();
        let result = match self.edge.send("oauth.revoke", request, Effect::Harmless).await {
            Ok(reply) if reply.is_success() || reply.status == 400 => Ok(()),
            Ok(reply) => {
                Err(grant::read(Exchange::Refresh, reply.status, &reply.body, None, self.edge.clock.now())
                    .err()
                    .unwrap_or_else(|| {
                        ProviderError::new(ErrorClass::Transient, "revocation: an odd answer")
                    }))
            }
            Err(error) => Err(error),
        };
        self.edge.record("oauth.revoke", started, 0, result.as_ref().err().map(|e| e.class));
        result
    }

    async fn exchange(&self, exchange: Exchange, form: &[(&str, &str)]) -> Result<Tokens, ProviderError> {
        let started = Instant::now();
        let request = self.edge.http.post(self.config.token_url.clone()).form(form);
        let result = self.edge.send("oauth.token", request, Effect::Harmless).await.and_then(|reply| {
            grant::read(
                exchange,
                reply.status,
                &reply.body,
                reply.header("retry-after"),
                self.edge.clock.now(),
            )
        });
        self.edge.record("oauth.token", started, 0, result.as_ref().err().map(|e| e.class));
        result
    }

    /// Asks userinfo. If that fails for a moment, the id token will do: it came straight from the token endpoint over
    /// TLS, which is the one case in which its signature need not be checked (OpenID Connect Core §3.1.3.7, item 6).
    async fn person(&self, tokens: &Tokens) -> Result<Person, ProviderError> {
        let started = Instant::now();
        let request = self.edge.http.request(Method::GET, self.config.userinfo_url.clone());
        let request = request.bearer_auth(tokens.access_token.expose());
        let result = self.edge.send("userinfo", request, Effect::Harmless).await.and_then(|reply| {
            if !reply.is_success() {
                let header = reply.header("retry-after");
                return Err(classify(
                    Operation::UserInfo,
                    reply.status,
                    &reply.body,
                    header,
                    self.edge.clock.now(),
                )
                .error);
            }
            let unreadable =
                || ProviderError::new(ErrorClass::Transient, "userinfo: an answer without an id");
            serde_json::from_slice::<Claims>(&reply.body).ok().and_then(Claims::person).ok_or_else(unreadable)
        });
        self.edge.record("userinfo", started, 0, result.as_ref().err().map(|e| e.class));
        result.or_else(|error| self.person_of_id_token(tokens).ok_or(error))
    }

    fn person_of_id_token(&self, tokens: &Tokens) -> Option<Person> {
        let token = tokens.id_token.as_ref().filter(|_| self.config.token_url.scheme() == "https")?;
        claims(token.expose(), &self.config.client_id)?.person()
    }
}

#[async_trait]
impl TokenShop for Google {
    async fn buy(&self, credentials: &Credentials) -> Result<Bought, ProviderError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", credentials.refresh_token.expose()),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.expose()),
        ];
        let mut made = 1;
        let tokens = loop {
            match self.exchange(Exchange::Refresh, &form).await {
                Ok(tokens) => break tokens,
                Err(error) => match oauth::pause(made, &error, self.edge.ids.as_ref()) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
            }
            made += 1;
        };
        Ok(tokens.bought(credentials, self.edge.clock.now()))
    }
}

/// What userinfo and id tokens say; the older userinfo writes `id` (google.md §1).
#[derive(Deserialize)]
struct Claims {
    #[serde(alias = "id")]
    sub: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<String>,
}

impl Claims {
    fn person(self) -> Option<Person> {
        (!self.sub.is_empty()).then(|| Person { sub: self.sub, email: self.email.unwrap_or_default() })
    }
}

fn claims(id_token: &str, client_id: &str) -> Option<Claims> {
    let payload = id_token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()?;
    let ours = claims.aud.as_deref() == Some(client_id);
    let google = claims.iss.as_deref().is_some_and(|iss| ISSUERS.contains(&iss));
    (ours && google).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_token_must_be_googles_and_for_us() {
        let token = |iss: &str, aud: &str| {
            let payload = serde_json::json!({"iss": iss, "aud": aud, "sub": "1", "email": "ann@example.com"});
            format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(payload.to_string().as_bytes()))
        };
        let person = |t: String| claims(&t, "us").and_then(Claims::person).map(|p| p.sub);
        assert_eq!(person(token("https://accounts.google.com", "us")), Some("1".into()));
        assert_eq!(person(token("accounts.google.com", "us")), Some("1".into()));
        assert_eq!(person(token("https://accounts.google.com", "them")), None);
        assert_eq!(person(token("https://accounts.example.com", "us")), None);
        for junk in ["", ".", "a.b.c", "..", "e30.e30.e30"] {
            assert_eq!(person(junk.into()), None);
        }
    }
}
