//! The organisation's own sign-in: any OpenID Connect provider, by the authorization code flow with PKCE, `state` and `nonce`
//! (OpenID Connect Core 1.0 §3.1). It tells who somebody is there; whether they are let in here is decided elsewhere.
//!
//! An ID token is taken from the token endpoint alone, over TLS, and so needs no look at its signature (§3.1.3.7 item 6;
//! `core::sign_in::id_token`): this is why endpoints that are not https are refused, why no redirect is followed, and why
//! nothing that a browser carries is ever believed. The issuer is the operator's own choice and may well be inside, so
//! the guard against addresses inside (`alerting::guard`) does not stand before it.

mod discovery;
mod exchange;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::ports::{Clock, IdGen};
use calsync_core::secret::Secret;
use calsync_core::sign_in::elsewhere::Begun;
use calsync_core::sign_in::id_token::{self, Address, Asked, Disbelief, Person};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use url::Url;

use crate::cache::Fresh;
use crate::config::OidcSettings;
use discovery::Metadata;

/// What a provider says of itself is asked for again after this time;
const KNOWN_LIFE: Duration = Duration::from_secs(10 * 60);
/// that it could not be had, is forgotten soon, and yet not at once, so that people who try again do not become a flood.
const TROUBLE_LIFE: Duration = Duration::from_secs(3);
/// How long one exchange may take: three of them, at most, have place in the time that a browser's request has.
const PATIENCE: Duration = Duration::from_secs(3);
/// What we ask to be told: who somebody is, and their address.
const SCOPE: &str = "openid email";

/// Why nobody could sign in. The words are for the log and for whoever runs the service.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    /// The provider does not answer, or has a fault: it may work in a moment.
    #[error("{0}")]
    Away(String),
    /// Something is set up wrong, here or there, and stays so until somebody sees to it.
    #[error("{0}")]
    SetUp(String),
    /// This one sign-in is refused.
    #[error("{0}")]
    Refused(String),
}

/// The provider.
pub struct Oidc {
    settings: OidcSettings,
    client: reqwest::Client,
    known: Fresh<Result<Arc<Metadata>, Trouble>>,
}

/// Somebody who came back with a good answer.
#[derive(Debug)]
pub struct Arrived {
    /// Who.
    pub person: Person,
    /// With this userinfo can be asked.
    access: Option<Secret>,
}

/// What came back with a browser.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// To be exchanged.
    pub code: &'a Secret,
    /// Who says so (RFC 9207), if it was said.
    pub issuer: Option<&'a str>,
    /// The address it came back to, to the letter.
    pub redirect_uri: &'a str,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Oidc {
    /// The one of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// There can be no HTTP client.
    pub fn new(settings: OidcSettings) -> Result<Oidc, reqwest::Error> {
        let client = reqwest::Client::builder()
            // A code and a secret must not be carried elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let life = |known: &Result<_, _>| if known.is_ok() { KNOWN_LIFE } else { TROUBLE_LIFE };
        Ok(Oidc { settings, client, known: Fresh::by(life) })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What it calls itself.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether it says of itself what we need.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn look(&self) -> Result<(), Trouble> {
        self.metadata().await.map(drop)
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Trouble> {
        let (client, issuer) = (self.client.clone(), self.settings.issuer.clone());
        let asked = self.known.get(async move {
            let url = discovery::url(&issuer);
            let reply = exchange::ask(client.get(&url), &url).await?;
            discovery::read(&issuer, &reply).map(Arc::new)
        });
        asked.await.unwrap_or_else(|| Err(Trouble::Away("the question to the provider broke".to_owned())))
    }

    /// Begins a sign-in: where to send the browser, and what to keep until it comes back.
    ///
    /// # Errors
    /// The provider does not say what we need.
    pub async fn begin(
        &self,
        redirect_uri: &str,
        next: String,
        ids: &dyn IdGen,
        clock: &dyn Clock,
    ) -> Result<(Url, Begun), Trouble> {
        let metadata = self.metadata().await?;
        let (state, nonce, verifier) = (ids.token(), ids.token(), ids.token());
        let begun = Begun { state, nonce, verifier, next, begun_at: clock.now() };
        Ok((self.place(&metadata, redirect_uri, &begun), begun))
    }

    /// The provider's page for this sign-in (OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3).
    fn place(&self, metadata: &Metadata, redirect_uri: &str, begun: &Begun) -> Url {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(begun.verifier.expose().as_bytes()));
        let mut url = metadata.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", SCOPE)
            .append_pair("state", begun.state.expose())
            .append_pair("nonce", begun.nonce.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Exchanges what came back for the word of the provider on who it is.
    ///
    /// # Errors
    /// It was not to be had, or is not believed.
    pub async fn finish(
        &self,
        answer: &Answer<'_>,
        begun: &Begun,
        clock: &dyn Clock,
    ) -> Result<Arrived, Trouble> {
        let metadata = self.metadata().await?;
        metadata.is_of(self.issuer(), answer.issuer)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code.expose()),
            ("redirect_uri", answer.redirect_uri),
            ("code_verifier", begun.verifier.expose()),
        ];
        let request = self.client.post(metadata.token.clone());
        let (id, secret) = (&self.settings.client_id, &self.settings.client_secret);
        let reply = exchange::ask(metadata.method.sign(request, &form, id, secret), metadata.token.as_str());
        let tokens = tokens::read(&reply.await?)?;
        let asked = Asked { issuer: self.issuer(), client_id: id, nonce: &begun.nonce };
        let person = id_token::read(&tokens.id_token, &asked, clock.now()).map_err(disbelieved)?;
        Ok(Arrived { person, access: tokens.access_token })
    }

    /// The same person with the address that userinfo tells, where the ID token tells none that counts: what belongs to the
    /// scope `email` need not be in it (OpenID Connect Core 1.0 §5.4).
    ///
    /// # Errors
    /// It could not be asked, or tells of somebody else.
    pub async fn with_address(&self, arrived: Arrived) -> Result<Person, Trouble> {
        let Arrived { person, access } = arrived;
        if matches!(person.address, Address::Verified(_)) {
            return Ok(person);
        }
        let metadata = self.metadata().await?;
        let (Some(url), Some(access)) = (&metadata.userinfo, access) else { return Ok(person) };
        let request = self.client.get(url.clone()).bearer_auth(access.expose());
        let reply = exchange::ask(request, url.as_str()).await?;
        reply.is_good(url.as_str())?;
        match id_token::read_userinfo(&reply.body, &person.subject).map_err(disbelieved)? {
            // What the token claims is no less than nothing.
            Address::Untold => Ok(person),
            address => Ok(Person { address, ..person }),
        }
    }
}

/// A token that is not believed is mostly a sign of a provider, or a clock, that is set up wrong.
fn disbelieved(why: Disbelief) -> Trouble {
    match why {
        Disbelief::Nonce | Disbelief::Another => Trouble::Refused(why.to_string()),
        why => Trouble::SetUp(why.to_string()),
    }
}

/// What a provider's page means by sending somebody back with this error.
pub(crate) fn refused(error: &str) -> Trouble {
    tokens::refused(error)
}

#[cfg(test)]
mod tests;
