//! Posting to a URL that somebody chose: guarded, bounded in time and in what is read, without redirects, cookies, proxies
//! or connections that are kept. It never says more of the URL than its host.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::alert::Again;
use calsync_core::ports::Clock;
use calsync_core::time::Ts;
use calsync_providers::retry;
use jiff::SignedDuration;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::destination::Hook;
use super::guard;
use super::resolver::{Forbidden, Guarded, Lookup};
use super::{Undelivered, shown};
use crate::http::cidr::Cidr;
use crate::reach::{self, Silence};

/// So much of an answer is read: the words of Slack, and the beginning of everybody else's.
const ANSWER_MAX: usize = 1_024;
/// What stands for words that repeat a secret.
const MASKED: &str = "[secret]";
/// What we call ourselves.
const AGENT: &str = concat!("calendar-sync/", env!("CARGO_PKG_VERSION"));

/// Posts.
#[derive(Clone)]
pub(super) struct Post {
    client: reqwest::Client,
    allowed: Arc<[Cidr]>,
    clock: Arc<dyn Clock>,
}

/// What of a good answer counts. Of a bad one the words always do: people read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heed {
    /// That it is good.
    Status,
    /// What it says.
    Words,
}

/// An answer, as far as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// How long it wants us to wait.
    pub(super) wait: Option<SignedDuration>,
    /// The beginning of what it says.
    pub(super) body: String,
}

impl Post {
    /// Posts to the internet and to the networks that are allowed.
    pub(super) fn new(
        allowed: Arc<[Cidr]>,
        lookup: Arc<dyn Lookup>,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Post, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(AGENT)
            .dns_resolver(Guarded::new(lookup, Arc::clone(&allowed)))
            // A redirect leads where nobody has looked yet, and a proxy would look names up by itself.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Each message is rare, and each finds out anew where it goes.
            .pool_max_idle_per_host(0)
            .timeout(patience)
            .build()?;
        Ok(Post { client, allowed, clock })
    }

    /// Now.
    pub(super) fn now(&self) -> Ts {
        self.clock.now()
    }

    /// Whether somebody answers there who speaks HTTP, whatever they say of a question that is no message.
    pub(super) async fn knock(&self, at: &Hook) -> Result<(), Undelivered> {
        self.guard(at)?;
        let sent = self.client.head(at.url().clone()).send().await;
        sent.map(drop).map_err(|error| broken(at, &error.without_url()))
    }

    fn guard(&self, to: &Hook) -> Result<(), Undelivered> {
        match guard::refused_literal(to.url(), &self.allowed) {
            Some((address, why)) => Err(forbidden(to, Forbidden { address, why })),
            None => Ok(()),
        }
    }

    /// Posts JSON, and gives the answer whatever its status is.
    pub(super) async fn json(
        &self,
        to: &Hook,
        headers: &[(&'static str, String)],
        body: String,
        heed: Heed,
    ) -> Result<Answer, Undelivered> {
        self.guard(to)?;
        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let value =
                HeaderValue::from_str(value).map_err(|_| Undelivered::never("a header cannot be sent"))?;
            all.insert(HeaderName::from_static(name), value);
        }
        let sent = self.client.post(to.url().clone()).headers(all).body(body).send().await;
        let mut answer = sent.map_err(|error| broken(to, &error.without_url()))?;
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = asked.and_then(|value| retry::retry_after(value, self.now()));
        let status = answer.status().as_u16();
        let is_good = answer.status().is_success();
        let mut body = Vec::new();
        while body.len() < ANSWER_MAX && (heed == Heed::Words || !is_good) {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - body.len())]),
                Ok(None) => break,
                // What it decided is known from the status.
                Err(_) if !is_good => break,
                Err(error) => return Err(broken(to, &error.without_url())),
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer { status, wait, body };
        Ok(if to.is_repeated_by(&answer.body) { answer.masked() } else { answer })
    }
}

fn forbidden(to: &Hook, what: Forbidden) -> Undelivered {
    let host = to.host();
    let place = if host.trim_matches(['[', ']']) == what.address.to_string() {
        format!("{host} is {}", what.why)
    } else {
        format!("{host} leads to {what}")
    };
    Undelivered::never(format!(
        "{place}, and nothing is sent there: if it is meant, list its network in alerts.allowed_networks"
    ))
}

/// No answer, or not all of one.
fn broken(to: &Hook, error: &reqwest::Error) -> Undelivered {
    let causes = std::iter::successors(Some(error as reach::Cause<'_>), |e| e.source());
    if let Some(what) = causes.flat_map(reach::unwrapped).find_map(|e| e.downcast_ref::<Forbidden>()) {
        return forbidden(to, *what);
    }
    let (why, words) = reach::heard(error);
    let host = to.host();
    Undelivered::later(match why {
        Silence::Slow => format!("{host} did not answer in time"),
        Silence::Refused => format!("nothing listens at {host}"),
        Silence::Name => format!("the name {host} has no address that can be found: check it, and the DNS"),
        Silence::Certificate => format!("the certificate of {host} is not trusted ({})", shown(&words)),
        Silence::NoTls => format!("what listens at {host} speaks no TLS"),
        Silence::Other => format!("the connection to {host} broke ({})", shown(&words)),
    })
}

impl Answer {
    /// The same without its words: they repeat what nobody may see.
    pub(super) fn masked(self) -> Answer {
        Answer { body: MASKED.to_owned(), ..self }
    }

    /// What a status other than success means anywhere. `what_to_do` is for those that do not mend by themselves.
    pub(super) fn refusal(&self, host: &str, what_to_do: &str) -> Undelivered {
        let said = match shown(&self.body) {
            words if words.is_empty() || words.starts_with('<') => String::new(),
            words => format!(" ({words})"),
        };
        let status = self.status;
        match status {
            300..=399 => Undelivered::never(format!(
                "{host} answers {status}, a redirect, and none is followed: give the URL that answers itself"
            )),
            408 | 425 | 429 | 500..=599 => Undelivered {
                reason: format!("{host} answers {status}{said}"),
                again: Again::Later(self.wait),
            },
            _ => Undelivered::never(format!("{host} answers {status}{said}: {what_to_do}")),
        }
    }
}
