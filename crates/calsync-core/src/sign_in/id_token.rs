//! Whom an ID token names, and whether that is believed (OpenID Connect Core 1.0 §3.1.3.7), beside what userinfo adds (§5.3.2).
//! Pure; it fetches nothing.
//!
//! Only for a token that came straight from the provider's token endpoint over TLS: there TLS says who speaks, and item 6
//! lets that stand in for the signature. So no signature is checked here and no keys are known; whoever hands in a token
//! that came by way of a browser would believe anybody.

use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;

use crate::secret::{Secret, constant_time_eq};
use crate::time::Ts;

/// So far two clocks may be apart where a token ends.
const SLACK: SignedDuration = SignedDuration::from_mins(1);
/// A token is made while we wait for it; one that says otherwise, by more than this, is another one, or a clock is wrong.
const AWAY: SignedDuration = SignedDuration::from_mins(10);
/// Longest id of a person (OpenID Connect Core 1.0 §2).
const SUBJECT_MAX: usize = 255;

/// What a token must answer to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whom we asked, as it names itself.
    pub issuer: &'a str,
    /// Who we are there.
    pub client_id: &'a str,
    /// What we asked to be repeated.
    pub nonce: &'a Secret,
}

/// Somebody as the provider knows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The provider's id of the person: constant, while an address can change.
    pub subject: String,
    /// Their address, as far as it was told.
    pub address: Address,
}

/// Somebody's address, and what it is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// The provider has seen that it is theirs.
    Verified(String),
    /// They say so themselves, as far as the provider tells.
    Unverified(String),
    /// None was told.
    Untold,
}

/// Why a token is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Disbelief {
    /// It is none.
    #[error("what came is no ID token")]
    Malformed,
    /// Nobody signed it, which only a client may get that asked for it.
    #[error("the ID token is not signed")]
    Unsigned,
    /// Somebody else made it.
    #[error("the ID token was made by {0:?}")]
    Issuer(String),
    /// It is not for us.
    #[error("the ID token is for another program")]
    Audience,
    /// Another program got it for us.
    #[error("the ID token was made at the request of another program")]
    Party,
    /// It has ended.
    #[error("the ID token has expired, or this machine's clock is wrong")]
    Expired,
    /// It does not say when it was made, or that was not now.
    #[error("the ID token was not made just now, or this machine's clock is wrong")]
    Undated,
    /// It answers another question than ours.
    #[error("the ID token does not answer this sign-in")]
    Nonce,
    /// It names nobody.
    #[error("the ID token names nobody")]
    Subject,
    /// Userinfo is about somebody else.
    #[error("userinfo tells of somebody else than the ID token")]
    Another,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: Option<f64>,
    nonce: Option<String>,
    sub: Option<String>,
    #[serde(flatten)]
    address: Told,
}

/// What is told of an address, in a token or by userinfo.
#[derive(Deserialize)]
struct Told {
    email: Option<String>,
    email_verified: Option<Value>,
    /// Microsoft Entra's word for it, which has no `email_verified`: the owner of the address's domain was verified.
    xms_edov: Option<Value>,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    address: Told,
}

/// Whom a token names that came straight from the token endpoint.
///
/// # Errors
/// Why it is not believed, by the first thing that is wrong.
pub fn read(token: &Secret, asked: &Asked<'_>, now: Ts) -> Result<Person, Disbelief> {
    let mut parts = token.expose().split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Disbelief::Malformed);
    };
    let header: Header = decoded(header)?;
    if header.alg.eq_ignore_ascii_case("none") {
        return Err(Disbelief::Unsigned);
    }
    let claims: Claims = decoded(claims)?;
    if claims.iss != asked.issuer {
        return Err(Disbelief::Issuer(shown(&claims.iss)));
    }
    claims.is_for(asked.client_id)?;
    claims.is_of(now)?;
    let nonce = claims.nonce.unwrap_or_default();
    if !constant_time_eq(nonce.as_bytes(), asked.nonce.expose().as_bytes()) {
        return Err(Disbelief::Nonce);
    }
    let subject = claims.sub.filter(|sub| is_subject(sub)).ok_or(Disbelief::Subject)?;
    Ok(Person { subject, address: claims.address.judged() })
}

/// The address that userinfo tells of this person.
///
/// # Errors
/// [`Disbelief::Another`] where it tells of somebody else, and [`Disbelief::Malformed`] where it tells nothing that can be read.
pub fn read_userinfo(body: &[u8], subject: &str) -> Result<Address, Disbelief> {
    let told: UserInfo = serde_json::from_slice(body).map_err(|_| Disbelief::Malformed)?;
    if told.sub == subject { Ok(told.address.judged()) } else { Err(Disbelief::Another) }
}

fn decoded<T: for<'a> Deserialize<'a>>(part: &str) -> Result<T, Disbelief> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Disbelief::Malformed)?;
    // serde would also take the parts of a list for fields in their order; RFC 7519 §7.2 wants objects.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Disbelief::Malformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| Disbelief::Malformed)
}

impl Claims {
    /// Items 3 to 5: it is for us, and where it is for others as well, it says that we asked for it.
    fn is_for(&self, client_id: &str) -> Result<(), Disbelief> {
        let all = match &self.aud {
            Audience::One(one) => std::slice::from_ref(one),
            Audience::Many(many) => many,
        };
        if !all.iter().any(|one| one == client_id) {
            return Err(Disbelief::Audience);
        }
        let alone = all.iter().all(|one| one == client_id);
        match self.azp.as_deref() {
            Some(party) if party == client_id => Ok(()),
            None if alone => Ok(()),
            _ => Err(Disbelief::Party),
        }
    }

    /// Items 9 and 10.
    fn is_of(&self, now: Ts) -> Result<(), Disbelief> {
        if instant(self.exp).is_none_or(|end| now >= end.plus(SLACK)) {
            return Err(Disbelief::Expired);
        }
        let made = self.iat.and_then(instant).ok_or(Disbelief::Undated)?;
        if now.since(made).abs() > AWAY { Err(Disbelief::Undated) } else { Ok(()) }
    }
}

impl Told {
    fn judged(self) -> Address {
        let email = self.email.filter(|email| !email.trim().is_empty());
        let verified = self.email_verified.or(self.xms_edov);
        match email {
            None => Address::Untold,
            Some(email) if verified.as_ref().is_some_and(is_yes) => Address::Verified(email),
            Some(email) => Address::Unverified(email),
        }
    }
}

/// `true`, also as the text or the number that some providers make of it.
fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => matches!(text.as_str(), "true" | "1"),
        Value::Number(number) => number.as_u64() == Some(1),
        _ => false,
    }
}

fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= SUBJECT_MAX && !text.contains(char::is_control)
}

/// A `NumericDate` (RFC 7519 §2): seconds, possibly with a fraction.
fn instant(seconds: f64) -> Option<Ts> {
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Some(Ts::from_secs(since.as_secs()))
}

/// Fit for a line of the log.
fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests;
