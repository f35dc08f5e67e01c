//! One exchange with the provider, bounded in time and in what is read of it. Its words name the host, and nothing that was
//! sent.

use url::Url;

use super::Trouble;
use crate::reach::{self, Silence};

/// No answer that we need is longer: a description of a provider has some kilobytes, a token with many groups somewhat more.
const ANSWER_MAX: usize = 256 * 1024;

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Whether it is an answer at all, and no refusal.
    pub(super) fn is_good(&self, url: &str) -> Result<(), Trouble> {
        let status = self.status;
        match status {
            200..=299 => Ok(()),
            300..=399 => {
                Err(Trouble::SetUp(format!("{url} answers {status}, a redirect, and none is followed")))
            }
            408 | 425 | 429 | 500..=599 => Err(Trouble::Away(format!("{url} answers {status}"))),
            _ => Err(Trouble::SetUp(format!("{url} answers {status}"))),
        }
    }
}

/// Sends it, to `url`, and reads the answer.
pub(super) async fn ask(request: reqwest::RequestBuilder, url: &str) -> Result<Reply, Trouble> {
    let host = host(url);
    let mut response = request.send().await.map_err(|e| silent(&host, &e.without_url()))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| silent(&host, &e.without_url()))? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Trouble::SetUp(format!("{host} answers with more than {ANSWER_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body })
}

fn silent(host: &str, error: &reqwest::Error) -> Trouble {
    let (why, words) = reach::heard(error);
    match why {
        Silence::Slow => Trouble::Away(format!("{host} did not answer in time")),
        Silence::Refused => Trouble::Away(format!("nothing listens at {host}")),
        Silence::Name => Trouble::Away(format!(
            "the name {host} has no address that can be found: check sign_in.oidc.issuer, and the DNS"
        )),
        Silence::Certificate => Trouble::SetUp(format!(
            "the certificate of {host} is not trusted ({words}): install it with its whole chain there, or its authority on this machine"
        )),
        Silence::NoTls => Trouble::SetUp(format!("what listens at {host} speaks no TLS")),
        Silence::Other => Trouble::Away(format!("the connection to {host} broke ({words})")),
    }
}

fn host(url: &str) -> String {
    let url = Url::parse(url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "the provider".to_owned())
}
