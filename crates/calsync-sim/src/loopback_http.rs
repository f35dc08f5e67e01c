//! The smallest HTTP client that delivers notifications: one request per connection, to an address of this machine that
//! the caller has checked. It knows no TLS, follows no redirect, reads no proxy settings and looks up no name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

/// How much of an answer is read.
const READ_MAX: u64 = 64 * 1_024;

/// A message to a webhook.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// Where to.
    pub(crate) url: &'a Url,
    /// Headers beside `Host`, `Content-Length` and `Connection`.
    pub(crate) headers: &'a [(&'static str, String)],
    /// The body; may be empty.
    pub(crate) body: &'a str,
    /// How long the exchange may take.
    pub(crate) patience: Duration,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// The status.
    pub(crate) status: u16,
    /// The body's type; empty if it has none.
    pub(crate) content_type: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The address of a URL's host, if that is this machine.
pub(crate) fn loopback(url: &Url) -> Option<SocketAddr> {
    let ip = match url.host()? {
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
        // No name is looked up: `localhost` is known, and any other could lead away from here.
        Host::Domain("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Host::Domain(_) => return None,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    (ip.is_loopback() && plain).then(|| url.port_or_known_default().map(|port| SocketAddr::new(ip, port)))?
}

/// Posts a message; nothing if there was no connection, or no answer in time.
pub(crate) async fn post(address: SocketAddr, message: &Message<'_>) -> Option<Received> {
    let mut text = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
        &message.url[url::Position::BeforePath..url::Position::AfterQuery],
        host(message.url),
        message.body.len(),
    );
    for (name, value) in message.headers {
        // A line break inside a value would begin a header of its own.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(message.body);
    received(&exchange(address, &text, message.patience).await?)
}

/// The body of a small text, if there is one.
pub(crate) async fn get(
    address: SocketAddr,
    url: &Url,
    path: &str,
    (agent, patience): (&str, Duration),
) -> Option<String> {
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n",
        host(url)
    );
    let answer = received(&exchange(address, &text, patience).await?)?;
    (answer.status == 200).then(|| String::from_utf8_lossy(&answer.body).into_owned())
}

async fn exchange(address: SocketAddr, text: &str, patience: Duration) -> Option<Vec<u8>> {
    if !address.ip().is_loopback() {
        return None;
    }
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(text.as_bytes()).await?;
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

/// Reads an answer that came to its end.
fn received(answer: &[u8]) -> Option<Received> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    words.next().filter(|v| v.starts_with("HTTP/1."))?;
    let status = words.next()?.parse().ok()?;
    let (mut content_type, mut chunked) = (String::new(), false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "content-type" => content_type = value.trim().to_owned(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let body = &answer[end + 4..];
    let body = if chunked { joined(body)? } else { body.to_vec() };
    Some(Received { status, content_type, body })
}

/// A body that came in chunks (RFC 9112 §7.1), put together; nothing if it is not one.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = rest.get(end + 2..)?.get(..size)?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_an_address() {
        let of = |text: &str| loopback(&Url::parse(text).unwrap()).map(|a| a.to_string());
        assert_eq!(of("http://127.0.0.1:8080/x").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(of("http://localhost/x").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(of("http://[::1]:9/").as_deref(), Some("[::1]:9"));
        for away in [
            "http://example.com/",
            "http://192.0.2.1/",
            "http://127.0.0.1.example.com/",
            "http://u:p@127.0.0.1/",
        ] {
            assert_eq!(of(away), None, "{away}");
        }
    }

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        let of = |text: &str| received(text.as_bytes()).map(|r| (r.status, r.content_type, r.body));
        let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(of(plain), Some((200, "text/plain".into(), b"hi".to_vec())));
        let chunks =
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n!!!\r\n0\r\n\r\n";
        assert_eq!(of(chunks), Some((202, String::new(), b"hi!!!".to_vec())));
        for bad in ["", "hello", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
