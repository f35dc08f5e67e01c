//! Talking HTTP to the service: in the usual way, and in ways that no decent client would.

use std::net::SocketAddr;
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client that follows no redirect and uses no proxy.
pub(crate) fn client() -> reqwest::Client {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.timeout(PATIENCE).build().unwrap()
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The stable code of a refusal; checks its shape as well.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().unwrap_or_else(|| panic!("no error in {json}"));
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "message"], "{json}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        error["code"].as_str().unwrap().to_owned()
    }
}

/// Reads an answer of the usual client.
pub(crate) async fn read(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let text = |v: &reqwest::header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
    Answer { status, headers, body: response.text().await.unwrap() }
}

/// Gets a page.
pub(crate) async fn get(url: &str) -> Answer {
    read(client().get(url).send().await.unwrap()).await
}

/// Sends bytes as they are, and reads what comes back until the connection ends.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let exchange = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // A server that has heard enough may close before it has heard all.
        let _ = socket.write_all(bytes).await;
        let (mut answer, mut chunk) = (Vec::new(), [0u8; 4096]);
        while let Ok(n @ 1..) = socket.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..n]);
        }
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|l| l.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()));
    Answer { status: status.unwrap(), headers: lines.filter_map(header).collect(), body: body.to_owned() }
}
