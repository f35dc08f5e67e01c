//! The smallest HTTP client that delivers notifications: one request per connection, to an address of this machine that
//! the caller has checked. It knows no TLS, follows no redirect, reads no proxy settings and looks up no name.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// How long one exchange may take. Google's own limit is unpublished (google.md §8).
const PATIENCE: Duration = Duration::from_secs(10);

/// How long robots.txt may take: it holds up a message that is waiting.
const PATIENCE_FOR_ROBOTS: Duration = Duration::from_secs(2);

/// How much of an answer is read.
const READ_MAX: u64 = 64 * 1_024;

/// The sender's name (google.md §8, delivery).
const USER_AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";

/// What came of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with this status.
    Answered(u16),
    /// No connection, or no answer in time.
    Unreachable,
}

/// Posts a message without a body.
pub(crate) async fn post_nothing(
    address: SocketAddr,
    url: &Url,
    headers: &[(&'static str, String)],
) -> Outcome {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n\
         Content-Type: application/json; utf-8\r\nContent-Length: 0\r\nConnection: close\r\n",
        &url[url::Position::BeforePath..url::Position::AfterQuery],
        host(url),
    );
    for (name, value) in headers {
        // A line break inside a value would begin a header of its own.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    match exchange(address, &head, PATIENCE).await.as_deref().and_then(status) {
        Some(status) => Outcome::Answered(status),
        None => Outcome::Unreachable,
    }
}

/// The body of a small text, if there is one.
pub(crate) async fn get(address: SocketAddr, url: &Url, path: &str) -> Option<String> {
    // HTTP/1.0: an answer in chunks would have to be put together again.
    let head = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nUser-Agent: {USER_AGENT}\r\n\r\n", host(url));
    let answer = exchange(address, &head, PATIENCE_FOR_ROBOTS).await?;
    let text = String::from_utf8_lossy(&answer);
    let (_, body) = text.split_once("\r\n\r\n")?;
    (status(&answer) == Some(200)).then(|| body.to_owned())
}

async fn exchange(address: SocketAddr, head: &str, patience: Duration) -> Option<Vec<u8>> {
    if !address.ip().is_loopback() {
        return None;
    }
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        // A peer that resets after its answer has answered all the same.
        let read = stream.take(READ_MAX).read_to_end(&mut answer).await;
        if answer.is_empty() { read.map(|_| answer) } else { Ok(answer) }
    };
    timeout(patience, talk).await.ok()?.ok().filter(|answer| !answer.is_empty())
}

fn host(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|b| *b == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|v| v.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}
