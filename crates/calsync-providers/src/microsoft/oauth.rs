//! Connecting an account: consent, code exchange, refresh, and who the person is (microsoft.md §1). Every secret travels in a
//! body or header, never in a URL of ours; redirects are never followed, and no `Origin` header is sent (with one, a server's
//! credentials are refused). Access tokens are never looked into.

use async_trait::async_trait;
use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::secret::Secret;
use reqwest::Method;
use tokio::time::Instant;

use super::Microsoft;
use super::error::{Operation, classify};
use super::grant;
use super::resource::UserResource;
use super::scope::Consent;
use crate::credentials::Credentials;
use crate::oauth::{self, Authorization, Connected, Exchange, Person, Tokens};
use crate::tokens::{Bought, TokenShop};
use crate::transport::{Operate, Remote};
use crate::wire::{Effect, Reply};

impl Microsoft {
    /// Begins a sign-in. `redirect_uri` must be registered to the letter, under the platform "Web"; `login_hint` is an
    /// address.
    pub fn authorize(&self, redirect_uri: &str, consent: Consent, login_hint: Option<&str>) -> Authorization {
        let mut url = self.config.oauth("authorize");
        url.query_pairs_mut()
            .append_pair("response_mode", "query")
            // Who is signed in with several accounts must be asked which one is meant.
            .append_pair("prompt", "select_account")
            .extend_pairs(login_hint.map(|hint| ("login_hint", hint)));
        let scope = consent.scope();
        oauth::begin(url, &self.config.client_id, redirect_uri, &scope, self.edge.ids.as_ref())
    }

    /// Finishes a sign-in: exchanges the callback's code, checks what was granted, asks who the person is, and whether they
    /// have a mailbox at all.
    ///
    /// Errors: `Unauthorized` (the person must start again, or their administrator agree: the words say which),
    /// `Misconfigured` (the operator must act), `Permanent` (the account has no mailbox), `Transient` (the person should
    /// try again).
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
        let lasting = tokens.lasting().ok_or_else(|| {
            let detail =
                "Microsoft sent no lasting grant (offline_access): connect the account again and accept it";
            ProviderError::new(ErrorClass::Unauthorized, detail)
        })?;
        self.connected(tokens, lasting, consent).await
    }

    /// Takes over a grant that was given elsewhere, by its refresh token alone: for machines without a browser. Errors as
    /// for [`Microsoft::connect`].
    pub async fn adopt(&self, refresh_token: Secret, consent: Consent) -> Result<Connected, ProviderError> {
        let tokens = self.refresh(&refresh_token).await?;
        let lasting = tokens.lasting().unwrap_or(refresh_token);
        self.connected(tokens, lasting, consent).await
    }

    async fn connected(
        &self,
        tokens: Tokens,
        refresh_token: Secret,
        consent: Consent,
    ) -> Result<Connected, ProviderError> {
        // `scope` is optional in answers: what is not said was granted as asked (RFC 6749 §5.1).
        let scope = tokens.scope.clone().unwrap_or_else(|| consent.scope());
        consent.check(&scope)?;
        let person = self.person(&tokens.access_token).await?;
        self.probe_mailbox(&tokens.access_token).await?;
        let obtained_at = self.edge.clock.now();
        let expires_at = tokens.refresh_token_expires_in.map(|life| obtained_at.plus(life));
        Ok(Connected { person, credentials: Credentials { refresh_token, scope, obtained_at, expires_at } })
    }

    async fn refresh(&self, refresh_token: &Secret) -> Result<Tokens, ProviderError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.expose()),
        ];
        self.exchange(Exchange::Refresh, &form).await
    }

    async fn exchange(&self, exchange: Exchange, form: &[(&str, &str)]) -> Result<Tokens, ProviderError> {
        let started = Instant::now();
        let request = self.edge.http.post(self.config.oauth("token")).form(form);
        let result = self.edge.send("oauth.token", request, Effect::Harmless).await.and_then(|reply| {
            let header = reply.header("retry-after");
            grant::read(exchange, reply.status, &reply.body, header, self.edge.clock.now())
        });
        self.edge.record("oauth.token", started, 0, result.as_ref().err().map(|e| e.class));
        result
    }

    /// Who this is. The id is constant; an address can change, and `mail` may be empty (microsoft.md §3).
    async fn person(&self, access: &Secret) -> Result<Person, ProviderError> {
        let reply = self.ask(Operation::Me, &["me"], "$select=id,mail,userPrincipalName", access).await?;
        let user: Option<UserResource> = serde_json::from_slice(&reply.body).ok();
        let user = user
            .filter(|user| !user.id.is_empty())
            .ok_or_else(|| ProviderError::new(ErrorClass::Transient, "GET /me: an answer without an id"))?;
        let named = |name: Option<String>| name.filter(|n| !n.trim().is_empty());
        let email = named(user.mail).or_else(|| named(user.user_principal_name)).unwrap_or_default();
        Ok(Person { sub: user.id, email })
    }

    /// Guests and people without a licence can sign in and have no calendar (microsoft.md §10 row 19): to be told now, not
    /// by failing readings later.
    async fn probe_mailbox(&self, access: &Secret) -> Result<(), ProviderError> {
        self.ask(Operation::ListCalendars, &["me", "calendars"], "$top=1&$select=id", access).await.map(drop)
    }

    async fn ask(
        &self,
        operation: Operation,
        parts: &[&str],
        query: &str,
        access: &Secret,
    ) -> Result<Reply, ProviderError> {
        let no_url = || ProviderError::new(ErrorClass::Misconfigured, "microsoft.graph_base is no address");
        let mut url = self.config.graph(parts).ok_or_else(no_url)?;
        url.set_query(Some(query));
        let request = self.edge.http.request(Method::GET, url).bearer_auth(access.expose());
        let started = Instant::now();
        let sent = self.edge.send(operation.name(), self.dress(request), operation.effect()).await;
        let result = sent.and_then(|reply| {
            if reply.is_success() {
                return Ok(reply);
            }
            let header = reply.header("retry-after");
            let now = self.edge.clock.now();
            Err(classify(operation, reply.status, &reply.body, header, now).error)
        });
        self.edge.record(
            operation.name(),
            started,
            operation.units(),
            result.as_ref().err().map(|e| e.class),
        );
        result
    }
}

#[async_trait]
impl TokenShop for Microsoft {
    /// Each purchase brings another refresh token. The old one stays good, so a purchase whose answer is lost, or a crash
    /// before the new one is stored, costs nothing (microsoft.md §1, "Rotation").
    async fn buy(&self, credentials: &Credentials) -> Result<Bought, ProviderError> {
        let mut made = 1;
        let tokens = loop {
            match self.refresh(&credentials.refresh_token).await {
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
