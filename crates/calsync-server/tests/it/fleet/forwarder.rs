//! What stands in front of a fleet: takes each request to the next instance, and to another one when nobody listens there.
//! Keeps account of every notification that an instance acknowledged. It changes nothing in what it passes on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::place::free_listener;

/// How long an instance may take to answer: a stopped one takes for ever.
const PATIENCE: Duration = Duration::from_secs(3);
/// Nobody's request is longer.
const HEAD_MAX: usize = 16 * 1024;

/// One notification, as its sender names it: the channel, and its number.
pub(crate) type Named = (String, u64);

/// An instance's answer to a notification.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) by: SocketAddr,
    pub(crate) status: u16,
}

/// It runs until it is dropped with the runtime.
#[derive(Clone)]
pub(crate) struct Forwarder {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    instances: Vec<SocketAddr>,
    turn: AtomicUsize,
    answers: Mutex<BTreeMap<Named, Vec<Answered>>>,
}

impl Forwarder {
    /// In front of these.
    pub(crate) fn start(instances: Vec<SocketAddr>) -> Forwarder {
        let listener = free_listener();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner { instances, turn: AtomicUsize::new(0), answers: Mutex::default() });
        let listener = TcpListener::from_std(listener).unwrap();
        let takes = inner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inner = takes.clone();
                tokio::spawn(async move { inner.pass(stream).await });
            }
        });
        Forwarder { address, inner }
    }

    /// Everything that was answered, by notification.
    pub(crate) fn answers(&self) -> BTreeMap<Named, Vec<Answered>> {
        self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notifications that were acknowledged, and by whom.
    pub(crate) fn acknowledged(&self) -> BTreeMap<Named, Vec<SocketAddr>> {
        let taken = |all: Vec<Answered>| -> Vec<SocketAddr> {
            all.iter().filter(|a| a.status == 200).map(|a| a.by).collect()
        };
        let all = self.answers().into_iter().map(|(named, answers)| (named, taken(answers)));
        all.filter(|(_, by)| !by.is_empty()).collect()
    }
}

impl Inner {
    async fn pass(&self, mut stream: TcpStream) {
        let Some(request) = read_head(&mut stream).await else { return };
        let named = named(&request);
        let answer = match self.ask(&request).await {
            Some((by, answer)) => {
                if let (Some(named), Some(status)) = (named, status(&answer)) {
                    let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.entry(named).or_default().push(Answered { by, status });
                }
                answer
            }
            None => b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        };
        let _ = stream.write_all(&answer).await;
    }

    /// The first instance that lets us connect answers, or nobody does.
    async fn ask(&self, request: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        for _ in 0..self.instances.len() {
            let next = self.turn.fetch_add(1, Ordering::Relaxed) % self.instances.len();
            let instance = self.instances[next];
            let Ok(mut upstream) = TcpStream::connect(instance).await else { continue };
            let exchange = async {
                upstream.write_all(request).await.ok()?;
                let mut answer = Vec::new();
                upstream.read_to_end(&mut answer).await.ok()?;
                status(&answer).map(|_| answer)
            };
            let answer = tokio::time::timeout(PATIENCE, exchange).await.ok()??;
            return Some((instance, answer));
        }
        None
    }
}

/// Google's notifications are all head.
async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > HEAD_MAX || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn named(request: &[u8]) -> Option<Named> {
    let text = String::from_utf8_lossy(request);
    let value = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
    };
    Some((value("x-goog-channel-id")?, value("x-goog-message-number")?.parse().ok()?))
}

fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}
