//! What a provider says of itself (OpenID Connect Discovery 1.0 §4), read and judged. Pure.

use calsync_core::secret::Secret;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::Trouble;
use super::exchange::Reply;

/// So much of what a stranger says is repeated.
const SHOWN_MAX: usize = 120;

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// What counts of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Metadata {
    /// Where people are sent.
    pub(super) authorization: Url,
    /// Where a code is exchanged.
    pub(super) token: Url,
    /// Where more is told about somebody.
    pub(super) userinfo: Option<Url>,
    /// How we say who we are.
    pub(super) method: Method,
    /// Whether its answers name it (RFC 9207).
    pub(super) answers: Answers,
}

/// How we say who we are where a code is exchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    /// In a header: what everybody takes who does not say otherwise.
    Basic,
    /// In the body.
    Post,
}

/// What a provider's answers by way of a browser say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answers {
    /// Its name, always.
    Named,
    /// Perhaps nothing.
    Nameless,
}

/// Where a provider of this name describes itself (§4.1).
pub(super) fn url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Reads what the provider of this name answered there.
pub(super) fn read(issuer: &str, reply: &Reply) -> Result<Metadata, Trouble> {
    let at = url(issuer);
    reply.is_good(&at).map_err(|trouble| match trouble {
        Trouble::SetUp(words) => Trouble::SetUp(format!("{words}: check sign_in.oidc.issuer")),
        other => other,
    })?;
    let found: Document = serde_json::from_slice(&reply.body).map_err(|_| {
        Trouble::SetUp(format!("what {at} answers describes no OpenID provider: check sign_in.oidc.issuer"))
    })?;
    // §4.3: one that calls itself otherwise is another one.
    if found.issuer != issuer {
        let called: String = found.issuer.chars().take(SHOWN_MAX).collect();
        return Err(Trouble::SetUp(format!(
            "the provider at {at} calls itself {called:?}: if that is the one, set sign_in.oidc.issuer to just that (at Microsoft Entra, with the id of your own tenant)"
        )));
    }
    let own = Url::parse(issuer).ok();
    let endpoint = |text: &str| {
        endpoint(text, own.as_ref()).ok_or_else(|| {
            Trouble::SetUp(format!(
                "{at} names an endpoint that is no https URL: let the provider know its public address"
            ))
        })
    };
    Ok(Metadata {
        authorization: endpoint(&found.authorization_endpoint)?,
        token: endpoint(&found.token_endpoint)?,
        userinfo: found.userinfo_endpoint.as_deref().map(endpoint).transpose()?,
        method: method(found.token_endpoint_auth_methods_supported.as_deref())?,
        answers: match found.authorization_response_iss_parameter_supported {
            Some(true) => Answers::Named,
            _ => Answers::Nameless,
        },
    })
}

/// A place that may be asked: by https, or by http where no network is in between, which the operator allowed by naming an
/// issuer on this machine.
fn endpoint(text: &str, issuer: Option<&Url>) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_local = issuer
        .is_some_and(|own| own.scheme() == "http" && url.scheme() == "http" && own.host() == url.host());
    (is_plain && (url.scheme() == "https" || is_local)).then_some(url)
}

/// Unless a provider says otherwise, it takes the header (§3).
fn method(supported: Option<&[String]>) -> Result<Method, Trouble> {
    let Some(supported) = supported else { return Ok(Method::Basic) };
    let takes = |name: &str| supported.iter().any(|one| one == name);
    if takes("client_secret_basic") {
        Ok(Method::Basic)
    } else if takes("client_secret_post") {
        Ok(Method::Post)
    } else {
        let words = "the provider takes no client secret, neither as client_secret_basic nor as client_secret_post: allow one of them there";
        Err(Trouble::SetUp(words.to_owned()))
    }
}

impl Metadata {
    /// Whether an answer that came by way of a browser can be of this provider (RFC 9207 §2.4): a code of another one must
    /// not be carried to it.
    pub(super) fn is_of(&self, issuer: &str, named: Option<&str>) -> Result<(), Trouble> {
        match (named, self.answers) {
            (Some(named), _) if named == issuer => Ok(()),
            (None, Answers::Nameless) => Ok(()),
            _ => {
                Err(Trouble::Refused("the answer does not come from the provider that was asked".to_owned()))
            }
        }
    }
}

impl Method {
    /// The request with this form, and with who we are.
    pub(super) fn sign(
        self,
        request: reqwest::RequestBuilder,
        form: &[(&str, &str)],
        id: &str,
        secret: &Secret,
    ) -> reqwest::RequestBuilder {
        match self {
            // Each is encoded as in a form first (RFC 6749 §2.3.1).
            Method::Basic => request.form(form).basic_auth(encoded(id), Some(encoded(secret.expose()))),
            Method::Post => {
                let ours = [("client_id", id), ("client_secret", secret.expose())];
                request.form(&form.iter().copied().chain(ours).collect::<Vec<_>>())
            }
        }
    }
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
