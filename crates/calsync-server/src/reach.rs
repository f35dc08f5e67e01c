//! Looking at ourselves from outside: through the public address, as a provider would. The one place that knows how an
//! answer from there is judged, and what to do about each that is not ours. It asks for nothing that changes anything,
//! follows no redirect, and reads no more than it needs.

mod certificate;
mod trial;

use std::io;
use std::time::Duration;

use calsync_core::time::Ts;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION};
use url::Url;

use crate::http::HEALTH_PATH;
use crate::system::{Random, SystemRandom};

pub use certificate::Life;

/// Graph waits no longer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// No answer that could be right is longer.
const ANSWER_MAX: usize = 4_096;
/// So much of what a stranger says is repeated.
const SHOWN_MAX: usize = 120;

/// What is wrong with an answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreached {
    /// None came.
    #[error("it does not answer ({words})")]
    Silent {
        /// Why, as far as can be told.
        why: Silence,
        /// What was heard.
        words: String,
    },
    /// It sends people elsewhere.
    #[error("it answers {status} and sends us to {to:?}")]
    Redirect {
        /// Its status.
        status: u16,
        /// Where to.
        to: String,
    },
    /// Not what we would say.
    #[error("it answers {0} where 200 is wanted")]
    Status(u16),
    /// Not the kind of thing that we would say.
    #[error("it answers as {0:?} where text/plain is wanted: something in between answers for calendar-sync")]
    Type(String),
    /// Not what we were asked to say.
    #[error("it changes what it is asked to repeat: something in between rewrites requests or answers")]
    Altered,
    /// Well, but not by us.
    #[error("it answers, but not as calendar-sync does: something else stands at this address")]
    Stranger,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silence {
    /// The name leads nowhere.
    Name,
    /// The certificate is not one that anybody would trust.
    Certificate,
    /// What listens there speaks no TLS.
    NoTls,
    /// Nothing listens.
    Refused,
    /// It took too long.
    Slow,
    /// Anything else.
    Other,
}

impl Unreached {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Unreached::Silent { why, .. } => why.remedy(),
            Unreached::Redirect { .. } => {
                "providers follow no redirect: name the address that answers itself, and let the proxy hand /webhooks/ on as it is"
            }
            Unreached::Status(401 | 403 | 407) => {
                "a sign-in page or a bot check stands in front: let /webhooks/ through without either"
            }
            Unreached::Status(404) => {
                "something else answers there: point the proxy to server.bind, with the path as it came"
            }
            Unreached::Status(502..=504) => {
                "a proxy answers and finds nothing behind it: start `calendar-sync serve`, and point the proxy to server.bind"
            }
            Unreached::Status(_) | Unreached::Type(_) | Unreached::Altered | Unreached::Stranger => {
                "look at what stands in front of calendar-sync (proxy, sign-in page, bot check): it must hand requests and answers on as they are"
            }
        }
    }
}

impl Silence {
    const fn remedy(self) -> &'static str {
        match self {
            Silence::Name => "check the name, and its A and AAAA records in DNS",
            Silence::Certificate => {
                "install a certificate of a public authority for exactly this name, with its whole chain (providers refuse self-signed ones), and renew it in time"
            }
            Silence::NoTls => "what listens there speaks no TLS: switch it on in the proxy, on port 443",
            Silence::Refused => "nothing listens there: start the proxy and `calendar-sync serve`",
            Silence::Slow => {
                "look at the firewall, and whether this machine may call itself by its public address (some routers do not let it)"
            }
            Silence::Other => {
                "check the address, its certificate, and that this machine may call itself by it"
            }
        }
    }
}

/// An answer, as far as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its type, if it has one.
    pub content_type: String,
    /// Where it sends people, if anywhere.
    pub location: String,
    /// What time it is there.
    pub date: Option<String>,
    /// The beginning of what it says.
    pub body: Vec<u8>,
}

impl Answer {
    /// What time it is there, if it says so.
    pub fn time(&self) -> Option<Ts> {
        let parsed = DateTimeParser::new().parse_timestamp(self.date.as_ref()?).ok()?;
        Some(Ts::from_jiff(parsed))
    }
}

/// What the health route of ours says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// `healthy`, `degraded` or `critical`.
    pub status: String,
    /// The checks that are not healthy.
    pub unwell: Vec<String>,
}

/// Looks.
#[derive(Clone, Debug)]
pub struct Looker(reqwest::Client);

impl Looker {
    /// Waits for no answer longer than `PATIENCE`.
    pub fn new() -> Result<Looker, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        client.timeout(PATIENCE).build().map(Looker)
    }

    /// Gets what stands there.
    pub async fn get(&self, url: &str) -> Result<Answer, Unreached> {
        let url = Url::parse(url).map_err(|e| silent(&e))?;
        read(self.0.get(url).send().await).await
    }

    /// How long the certificate at this base address will be believed. `None`: it is not encrypted.
    pub async fn certificate(&self, base: &str, now: Ts) -> Result<Option<Life>, Unreached> {
        certificate::life(base, now).await
    }

    /// Our health route under this base address, which has no slash at its end.
    pub async fn health(&self, base: &str) -> Result<Health, Unreached> {
        judge_health(&self.get(&format!("{base}{HEALTH_PATH}/")).await?)
    }

    /// The handshake that Graph does before it delivers anything (microsoft.md §8.1).
    pub async fn shake_hands(&self, base: &str) -> Result<(), Unreached> {
        // Of no calendar that exists, as Graph's is of none that we know of yet. With what gets lost most easily on the way.
        let calendar = uuid::Uuid::nil();
        let mut nonce = [0; 8];
        SystemRandom.fill(&mut nonce);
        let token = format!(
            "calendar-sync looks whether this address is its own: {:016x} + %",
            u64::from_be_bytes(nonce)
        );
        let mut url =
            Url::parse(&format!("{base}/webhooks/microsoft/{calendar}/")).map_err(|e| silent(&e))?;
        url.query_pairs_mut().append_pair("validationToken", &token);
        let asked = self.0.post(url).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        judge_handshake(&read(asked.send().await).await?, &token)
    }
}

async fn read(sent: Result<reqwest::Response, reqwest::Error>) -> Result<Answer, Unreached> {
    let mut answer = sent.map_err(|e| silent(&e.without_url()))?;
    let text = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|v: &reqwest::header::HeaderValue| v.to_str().ok()).map(str::to_owned)
    };
    let status = answer.status().as_u16();
    let content_type = text(answer.headers(), CONTENT_TYPE).unwrap_or_default();
    let location = text(answer.headers(), LOCATION).unwrap_or_default();
    let date = text(answer.headers(), DATE);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| silent(&e.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            break;
        }
    }
    Ok(Answer { status, content_type, location, date, body })
}

/// A cause as errors name it.
pub(crate) type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// An error with what led to it: the first words alone tell nobody whether it is a name, a certificate or a port.
fn silent(error: Cause<'_>) -> Unreached {
    let (why, words) = heard(error);
    Unreached::Silent { why, words }
}

/// Why nobody answers, and all that was heard.
pub(crate) fn heard(error: Cause<'_>) -> (Silence, String) {
    let all: Vec<_> = std::iter::successors(Some(error), |e| e.source()).collect();
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    let slow = all.iter().any(|e| e.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout));
    (if slow { Silence::Slow } else { silence(&all) }, words.join(": "))
}

fn silence(causes: &[Cause<'_>]) -> Silence {
    for cause in causes.iter().flat_map(|cause| unwrapped(*cause)) {
        match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => return Silence::Certificate,
            Some(_) => return Silence::NoTls,
            None => {}
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Silence::Refused,
            Some(io::ErrorKind::TimedOut) => return Silence::Slow,
            // What the resolver says has no kind of its own.
            _ if cause.to_string().contains("lookup address") => return Silence::Name,
            _ => {}
        }
    }
    Silence::Other
}

/// What an I/O error holds, and that in turn: it names as its source that of what it holds, and so hides what it holds.
pub(crate) fn unwrapped(cause: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(cause), |cause| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|held| held as Cause<'_>)
    })
}

/// As Graph judges it.
fn judge_handshake(answer: &Answer, token: &str) -> Result<(), Unreached> {
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
    match answer.status {
        200 if !kind.eq_ignore_ascii_case("text/plain") => Err(Unreached::Type(shown(kind))),
        200 if answer.body != token.as_bytes() => Err(Unreached::Altered),
        200 => Ok(()),
        _ => Err(refused(answer)),
    }
}

/// Whether it is our own health route that answers. That it is critical hinders nobody from reaching us.
fn judge_health(answer: &Answer) -> Result<Health, Unreached> {
    if !matches!(answer.status, 200 | 503) {
        return Err(refused(answer));
    }
    health_of(&answer.body).ok_or(match answer.status {
        200 => Unreached::Stranger,
        status => Unreached::Status(status),
    })
}

/// What our own route says; `None` if it is not ours.
fn health_of(body: &[u8]) -> Option<Health> {
    let told: serde_json::Value = serde_json::from_slice(body).ok()?;
    let status = told.get("status")?.as_str()?;
    let checks = told.get("checks")?.as_object()?;
    if !matches!(status, "healthy" | "degraded" | "critical") || !checks.contains_key("database") {
        return None;
    }
    let unwell = checks.iter().filter(|(_, level)| *level != "healthy");
    Some(Health { status: status.to_owned(), unwell: unwell.map(|(name, _)| shown(name)).collect() })
}

/// Whether exactly this stands there.
pub fn judge_content(answer: &Answer, content: &str) -> Result<(), Unreached> {
    match answer.status {
        200 if answer.body == content.as_bytes() => Ok(()),
        200 => Err(Unreached::Stranger),
        _ => Err(refused(answer)),
    }
}

fn refused(answer: &Answer) -> Unreached {
    match answer.status {
        status @ 300..=399 => Unreached::Redirect { status, to: shown(&answer.location) },
        status => Unreached::Status(status),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests;
