//! Connecting an account: consent, code exchange, refresh, revocation, and who the person is (google.md §2). Every secret
//! travels in a body or header, never in a URL of ours; redirects are never followed (the caller's client must be built so).

use async_trait::async_trait;
use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::secret::Secret;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use super::Google;
use super::error::{Operation, classify};
use super::grant::{self, Exchange};
use super::scope::Consent;
use crate::credentials::Credentials;
use crate::retry;
use crate::stats::CallOutcome;
use crate::tokens::{Bought, TokenShop};
use crate::wire::{self, Effect, Reply};

/// Shortest PKCE verifier (RFC 7636 §4.1).
const VERIFIER_MIN: usize = 43;
/// Names that Google signs its id tokens with (google.md §1).
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

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
    /// Google's id of the person: constant, while an address can change.
    pub sub: String,
    /// The address; empty if Google did not tell it.
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

impl Google {
    /// Begins a sign-in. `redirect_uri` must be registered to the letter; `login_hint` is an address or a `sub`.
    pub fn authorize(&self, redirect_uri: &str, consent: Consent, login_hint: Option<&str>) -> Authorization {
        let state = self.ids.token();
        let mut verifier = self.ids.token().expose().to_owned();
        while verifier.len() < VERIFIER_MIN {
            verifier.push_str(self.ids.token().expose());
        }
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()));
        let mut url = self.config.auth_url.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", &consent.scope())
            // Both are needed for a refresh token, also the second time (§2.1).
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent")
            .append_pair("state", state.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(login_hint.map(|hint| ("login_hint", hint)));
        Authorization { url, state, verifier: Secret::new(verifier) }
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
        let refresh_token = tokens.refresh_token.filter(|t| !t.expose().is_empty()).ok_or_else(|| {
            let detail = "Google sent no lasting grant: remove calendar-sync at myaccount.google.com/permissions, \
                          then connect the account again";
            ProviderError::new(ErrorClass::Unauthorized, detail)
        })?;
        let obtained_at = self.clock.now();
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
        let obtained_at = self.clock.now();
        let expires_at = tokens.refresh_token_expires_in.map(|life| obtained_at.plus(life));
        let refresh_token = tokens.refresh_token.filter(|t| !t.expose().is_empty()).unwrap_or(refresh_token);
        Ok(Connected { person, credentials: Credentials { refresh_token, scope, obtained_at, expires_at } })
    }

    /// Gives a grant back. It ends everything this project may do for the person (§2.2). Already dead is success.
    pub async fn revoke(&self, credentials: &Credentials) -> Result<(), ProviderError> {
        let request = self.http.post(self.config.revoke_url.clone());
        let request = request.form(&[("token", credentials.refresh_token.expose())]);
        let started = Instant::now();
        let result = match self.send("oauth.revoke", request, Effect::Harmless).await {
            Ok(reply) if reply.is_success() || reply.status == 400 => Ok(()),
            Ok(reply) => {
                Err(grant::read(Exchange::Refresh, reply.status, &reply.body, None, self.clock.now())
                    .err()
                    .unwrap_or_else(|| {
                        ProviderError::new(ErrorClass::Transient, "revocation: an odd answer")
                    }))
            }
            Err(error) => Err(error),
        };
        self.record(started, 0, result.as_ref().err().map(|e| e.class));
        result
    }

    async fn exchange(
        &self,
        exchange: Exchange,
        form: &[(&str, &str)],
    ) -> Result<grant::Tokens, ProviderError> {
        let started = Instant::now();
        let request = self.http.post(self.config.token_url.clone()).form(form);
        let result = self.send("oauth.token", request, Effect::Harmless).await.and_then(|reply| {
            grant::read(exchange, reply.status, &reply.body, reply.header("retry-after"), self.clock.now())
        });
        self.record(started, 0, result.as_ref().err().map(|e| e.class));
        result
    }

    /// Asks userinfo. If that fails for a moment, the id token will do: it came straight from the token endpoint over
    /// TLS, which is the one case in which its signature need not be checked (OpenID Connect Core §3.1.3.7, item 6).
    async fn person(&self, tokens: &grant::Tokens) -> Result<Person, ProviderError> {
        let started = Instant::now();
        let request = self.http.request(Method::GET, self.config.userinfo_url.clone());
        let request = request.bearer_auth(tokens.access_token.expose());
        let result = self.send("userinfo", request, Effect::Harmless).await.and_then(|reply| {
            if !reply.is_success() {
                let header = reply.header("retry-after");
                return Err(classify(
                    Operation::UserInfo,
                    reply.status,
                    &reply.body,
                    header,
                    self.clock.now(),
                )
                .error);
            }
            let unreadable =
                || ProviderError::new(ErrorClass::Transient, "userinfo: an answer without an id");
            serde_json::from_slice::<Claims>(&reply.body).ok().and_then(Claims::person).ok_or_else(unreadable)
        });
        self.record(started, 0, result.as_ref().err().map(|e| e.class));
        result.or_else(|error| self.person_of_id_token(tokens).ok_or(error))
    }

    fn person_of_id_token(&self, tokens: &grant::Tokens) -> Option<Person> {
        let token = tokens.id_token.as_ref().filter(|_| self.config.token_url.scheme() == "https")?;
        claims(token.expose(), &self.config.client_id)?.person()
    }

    /// One exchange in its own span, without a word of what it carries.
    pub(super) async fn send(
        &self,
        name: &'static str,
        request: reqwest::RequestBuilder,
        effect: Effect,
    ) -> Result<Reply, ProviderError> {
        use tracing::Instrument;
        let span = tracing::debug_span!(
            "provider_call",
            provider = "google",
            call = name,
            status = tracing::field::Empty
        );
        let reply = wire::exchange(request, self.config.timeout, self.config.body_limit)
            .instrument(span.clone())
            .await;
        if let Ok(reply) = &reply {
            span.record("status", reply.status);
        }
        reply.map_err(|broken| broken.to_error(effect, name))
    }

    /// Counts a call.
    pub(super) fn record(&self, started: Instant, units: u32, error: Option<ErrorClass>) {
        let outcome = CallOutcome { at: self.clock.now(), latency: started.elapsed(), error, units };
        self.recorder.record(ProviderKind::Google, outcome);
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
                Err(e) if e.class == ErrorClass::Transient && made < retry::TRIES && !e.asks_for_long() => {
                    made += 1;
                    tokio::time::sleep(retry::backoff(made, self.ids.below(retry::JITTER_MS))).await;
                }
                result => break result?,
            }
        };
        let life = tokens.life();
        let new = tokens.refresh_token.filter(|t| !t.expose().is_empty() && *t != credentials.refresh_token);
        let rotated = new.map(|refresh_token| Credentials {
            refresh_token,
            scope: tokens.scope.unwrap_or_else(|| credentials.scope.clone()),
            obtained_at: credentials.obtained_at,
            expires_at: tokens
                .refresh_token_expires_in
                .map(|l| self.clock.now().plus(l))
                .or(credentials.expires_at),
        });
        Ok(Bought { access: tokens.access_token, life, rotated })
    }
}

/// Whether an error names a wait too long to be sat out inside a call.
trait AsksForLong {
    fn asks_for_long(&self) -> bool;
}

impl AsksForLong for ProviderError {
    fn asks_for_long(&self) -> bool {
        self.retry_after.is_some_and(|wait| !retry::is_short(wait))
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
