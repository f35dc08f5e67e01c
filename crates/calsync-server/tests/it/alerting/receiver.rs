//! A small receiver of HTTP on loopback: it writes down what it gets, and answers as it was told to. It counts who knocks,
//! so that a test can say that nobody did.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With this status line and headers, and this body.
    Says(&'static str, String),
    /// Not at all.
    Nothing,
    /// A byte now and then, without end.
    Drips,
    /// More than anybody wants to read, without end.
    Floods,
    /// It hangs up.
    HangsUp,
}

/// A receiver. Dropped, it is gone.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    knocks: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(reply: Reply) -> Receiver {
        Receiver::at("127.0.0.1:0", reply).await
    }

    pub(crate) async fn at(address: &str, reply: Reply) -> Receiver {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (knocks, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counted, count_sent, kept) = (knocks.clone(), sent.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                // One at a time is all that these tests need.
                serve(stream, &reply, &kept, &count_sent).await;
            }
        });
        Receiver { address, knocks, sent, requests, task }
    }

    /// A URL of it, with the marker in its path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/{}?key={}", self.address, super::MARKER, super::MARKER)
    }

    /// How many connections it had.
    pub(crate) fn knocks(&self) -> usize {
        self.knocks.load(Ordering::SeqCst)
    }

    /// How many bytes of a flood were taken off it.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// The requests, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, reply: &Reply, kept: &Mutex<Vec<String>>, sent: &AtomicUsize) {
    let Some(request) = read(&mut stream).await else { return };
    kept.lock().unwrap().push(request);
    match reply {
        Reply::Says(head, body) => {
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Nothing => {
            // Until they hang up.
            let _ = stream.read(&mut [0]).await;
        }
        Reply::Drips => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            while stream.write_all(b"o").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Reply::Floods => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                sent.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        }
        Reply::HangsUp => {}
    }
}

/// Head and body of a request; `None` if there is none.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        all.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
    }
}
