//! Whether Microsoft can reach us: the handshake that Graph does before it delivers anything (microsoft.md §8.1), done with
//! ourselves through the public address. Whatever stands in between and answers for us is found before a person waits for
//! blocks that do not come.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::Service;
use crate::system::{Random, SystemRandom};

/// Our own web server is up by then.
const AFTER_START: Duration = Duration::from_secs(5);
/// Certificates end and proxies are changed while we run.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// While it fails: what stands in front of us may only be starting.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// Graph waits no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer that could be right is longer.
const ANSWER_MAX: usize = 4_096;

/// What is wrong with an answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Unreached {
    #[error(
        "it does not answer ({0}): check the address, its certificate, and that this machine may call itself by it"
    )]
    Silent(String),
    #[error(
        "it answers {0} where 200 is wanted: a proxy, a sign-in page or a bot check stands in front of /webhooks/"
    )]
    Status(u16),
    #[error("it answers as {0:?} where text/plain is wanted: something in between answers for calendar-sync")]
    Type(String),
    #[error("it changes what it is asked to repeat: something in between rewrites requests or answers")]
    Altered,
}

/// An answer, as far as it counts.
struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

/// Looks now and then, until told to stop.
pub(super) async fn watch(service: Arc<Service>, stopping: CancellationToken) {
    let address = service.settings.server.public("/webhooks/microsoft/");
    let wanted =
        service.settings.webhooks.rollout.webhooks_enabled && service.settings.microsoft.client.is_some();
    let Some(address) = address.filter(|_| wanted) else { return stopping.cancelled().await };
    let (mut wait, mut said) = (AFTER_START, None);
    while stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        let found = shake_hands(&address).await;
        wait = if found.is_ok() { EVERY } else { AGAIN };
        // Once, until it changes.
        if said.as_ref() != Some(&found) {
            match &found {
                Ok(()) => tracing::info!(%address, "our webhook address can be reached"),
                Err(why) => {
                    tracing::warn!(%address, %why, "Microsoft may not be able to reach our webhook address")
                }
            }
        }
        said = Some(found);
    }
}

async fn shake_hands(address: &str) -> Result<(), Unreached> {
    let silent = |e: &dyn std::error::Error| Unreached::Silent(causes(e));
    // Of no calendar that exists, as Graph's is of none that we know of yet. With what gets lost most easily on the way.
    let calendar = uuid::Uuid::nil();
    let mut nonce = [0; 8];
    SystemRandom.fill(&mut nonce);
    let token = format!(
        "calendar-sync looks whether this address is its own: {:016x} + %",
        u64::from_be_bytes(nonce)
    );
    let mut url = Url::parse(&format!("{address}{calendar}/")).map_err(|e| silent(&e))?;
    url.query_pairs_mut().append_pair("validationToken", &token);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    let client = client.build().map_err(|e| silent(&e))?;
    let sent = client.post(url).header("content-type", "text/plain; charset=utf-8").send().await;
    let mut answer = sent.map_err(|e| silent(&e.without_url()))?;
    let content_type = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (status, content_type) = (answer.status().as_u16(), content_type.to_owned());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| silent(&e.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            break;
        }
    }
    judge(&Answer { status, content_type, body }, &token)
}

/// An error with what led to it: the first words alone tell nobody whether it is a name, a certificate or a port.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |e| e.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// As Graph judges it.
fn judge(answer: &Answer, token: &str) -> Result<(), Unreached> {
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
    match answer.status {
        200 if !kind.eq_ignore_ascii_case("text/plain") => {
            Err(Unreached::Type(kind.chars().take(80).collect()))
        }
        200 if answer.body != token.as_bytes() => Err(Unreached::Altered),
        200 => Ok(()),
        status => Err(Unreached::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_18_what_stands_in_between_is_found() {
        let judged = |status, content_type: &str, body: &str| {
            judge(&Answer { status, content_type: content_type.into(), body: body.into() }, "a token + %")
        };
        assert_eq!(judged(200, "text/plain; charset=utf-8", "a token + %"), Ok(()));
        assert_eq!(judged(200, "TEXT/PLAIN", "a token + %"), Ok(()));
        assert_eq!(judged(200, "text/plain", "a+token+%2B+%25"), Err(Unreached::Altered));
        assert_eq!(judged(200, "text/plain", "\"a token + %\""), Err(Unreached::Altered));
        assert_eq!(judged(200, "text/plain", ""), Err(Unreached::Altered));
        assert_eq!(judged(200, "text/html", "a token + %"), Err(Unreached::Type("text/html".into())));
        assert_eq!(judged(200, "", "a token + %"), Err(Unreached::Type(String::new())));
        for status in [202, 301, 401, 403, 404, 503] {
            assert_eq!(judged(status, "text/plain", "a token + %"), Err(Unreached::Status(status)));
        }
    }
}
