//! The load: connections that are kept alive, each with one request on its way at a time, on a thread of their own. It
//! does as little as a client can, so that it is not what is measured. Talks to loopback only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process;

/// Answers are small; a longer one is none of ours.
const ANSWER_MAX: usize = 4_096;
/// Latencies kept per connection.
const LATENCIES_MAX: usize = 4_000_000;
/// Number of the first notification: 1 would only confirm a channel.
const FIRST: u64 = 2;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Steps through the senders, prime to their number: neighbours in time are no neighbours in the database.
const STRIDE: u64 = 7_919;

/// Whoever delivers: a channel of one calendar.
pub(super) struct Sender {
    pub(super) provider: ProviderKind,
    pub(super) calendar: CalendarId,
    pub(super) channel: String,
    pub(super) token: String,
    pub(super) resource: String,
}

/// What to send where, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) to: SocketAddr,
    pub(super) connections: u16,
    pub(super) until: Until,
    pub(super) senders: Arc<Vec<Sender>>,
    /// Numbers that were used up before.
    pub(super) used: u64,
}

/// When it ends: after this time or this number, whichever comes first.
#[derive(Clone, Copy)]
pub(super) struct Until {
    pub(super) time: Duration,
    pub(super) count: u64,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Loaded {
    /// Answers 200 (Google) and 202 (Microsoft).
    pub(super) acknowledged: u64,
    /// Anything else: other answers, broken connections.
    pub(super) errors: u64,
    /// Microseconds from request to answer, sorted.
    pub(super) latencies: Vec<u32>,
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// Processor time of the load itself.
    pub(super) cpu: Option<Duration>,
}

impl Loaded {
    /// Both, one after the other.
    pub(super) fn add(&mut self, other: Loaded) {
        self.acknowledged += other.acknowledged;
        self.errors += other.errors;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.took += other.took;
        self.cpu = self.cpu.zip(other.cpu).map(|(one, other)| one + other);
    }
}

impl Load {
    /// Sends for as long as told. What is on its way then is waited for.
    pub(super) async fn run(self) -> io::Result<Loaded> {
        let (told, heard) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            let _ = told.send(self.on_this_thread());
        })?;
        let loaded = heard.await.unwrap_or_else(|_| Err(io::Error::other("the load died")));
        let _ = thread.join();
        loaded
    }

    fn on_this_thread(&self) -> io::Result<Loaded> {
        let before = process::thread_cpu_time();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut loaded = runtime.block_on(self.all())?;
        loaded.latencies.sort_unstable();
        loaded.cpu = process::thread_cpu_time().zip(before).map(|(now, then)| now.saturating_sub(then));
        Ok(loaded)
    }

    async fn all(&self) -> io::Result<Loaded> {
        let mut sockets = Vec::new();
        for _ in 0..self.connections {
            let socket = TcpStream::connect(self.to).await?;
            socket.set_nodelay(true)?;
            sockets.push(socket);
        }
        let first = FIRST.saturating_add(self.used);
        let next = Arc::new(AtomicU64::new(first));
        let began = Instant::now();
        let until = (began + self.until.time, first.saturating_add(self.until.count));
        let local = tokio::task::LocalSet::new();
        let tasks: Vec<_> = sockets
            .into_iter()
            .map(|socket| local.spawn_local(one(socket, self.senders.clone(), next.clone(), until)))
            .collect();
        local.await;
        let mut all = Loaded { took: began.elapsed(), ..Loaded::default() };
        for task in tasks {
            let one = task.await.map_err(io::Error::other)?;
            all.acknowledged += one.acknowledged;
            all.errors += one.errors;
            all.latencies.extend(one.latencies);
        }
        Ok(all)
    }
}

/// One connection.
async fn one(
    mut socket: TcpStream,
    senders: Arc<Vec<Sender>>,
    next: Arc<AtomicU64>,
    (until, end): (Instant, u64),
) -> Loaded {
    let mut loaded = Loaded::default();
    let (mut request, mut answer) = (Vec::with_capacity(1024), Vec::with_capacity(ANSWER_MAX));
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            break;
        }
        let at = usize::try_from(number.wrapping_mul(STRIDE) % senders.len() as u64).unwrap_or(0);
        write_request(&mut request, &senders[at], number);
        let sent = Instant::now();
        match tokio::time::timeout(PATIENCE, exchange(&mut socket, &request, &mut answer)).await {
            Ok(Ok(200 | 202)) => loaded.acknowledged += 1,
            Ok(Ok(_)) => loaded.errors += 1,
            Ok(Err(_)) | Err(_) => {
                loaded.errors += 1;
                return loaded;
            }
        }
        if loaded.latencies.len() < LATENCIES_MAX {
            loaded.latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    loaded
}

/// What Google says in every delivery.
pub(super) const AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";
pub(super) const EXPIRATION: &str = "Sun, 29 Nov 2026 08:00:00 GMT";

/// A delivery as its provider sends it.
fn write_request(into: &mut Vec<u8>, from: &Sender, number: u64) {
    into.clear();
    match from.provider {
        ProviderKind::Microsoft => write_graph(into, from, number),
        ProviderKind::Google | ProviderKind::Apple => write_google(into, from, number),
    }
}

/// One item in its body, as Graph sends most (microsoft.md §8.2).
fn write_graph(into: &mut Vec<u8>, from: &Sender, number: u64) {
    use std::io::Write as _;
    let Sender { calendar, channel, token, .. } = from;
    let body = format!(
        "{{\"value\":[{{\"subscriptionId\":\"{channel}\",\"subscriptionExpirationDateTime\":\"2026-11-29T08:00:00Z\",\
         \"changeType\":\"updated\",\"resource\":\"Users/u1/Events/AAMkAGI1\",\"clientState\":\"{token}\",\
         \"tenantId\":\"11111111-2222-3333-4444-555555555555\",\"resourceData\":{{\"@odata.type\":\"#Microsoft.Graph.Event\",\
         \"@odata.id\":\"Users/u1/Events/AAMkAGI1\",\"@odata.etag\":\"W/\\\"{number}\\\"\",\"id\":\"AAMkAGI1\"}}}}]}}"
    );
    // Writing to a Vec cannot fail.
    let _ = write!(
        into,
        "POST /webhooks/microsoft/{calendar}/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

/// All in its headers.
fn write_google(into: &mut Vec<u8>, from: &Sender, number: u64) {
    use std::io::Write as _;
    let Sender { calendar, channel, token, resource, .. } = from;
    // Writing to a Vec cannot fail.
    let _ = write!(
        into,
        "POST /webhooks/google/{calendar}/ HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\
         User-Agent: {AGENT}\r\n\
         X-Goog-Channel-ID: {channel}\r\nX-Goog-Channel-Token: {token}\r\n\
         X-Goog-Channel-Expiration: {EXPIRATION}\r\nX-Goog-Resource-ID: {resource}\r\n\
         X-Goog-Resource-URI: https://www.googleapis.com/calendar/v3/calendars/a@example.com/events?alt=json\r\n\
         X-Goog-Resource-State: exists\r\nX-Goog-Message-Number: {number}\r\nContent-Length: 0\r\n\r\n"
    );
}

/// Sends a request and reads its answer to the end; the status.
async fn exchange(socket: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> io::Result<u16> {
    socket.write_all(request).await?;
    answer.clear();
    loop {
        if let Some((status, length)) = read_head(answer)
            && answer.len() >= length
        {
            return Ok(status);
        }
        if answer.len() > ANSWER_MAX {
            return Err(io::Error::other("an answer of unreasonable length"));
        }
        if socket.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Status and whole length of an answer whose head is there.
fn read_head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Some((200, 38)));
        assert_eq!(read_head(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n{}"), Some((403, 50)));
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\ncontent-le"), None);
    }

    #[test]
    fn a_request_is_one_that_the_service_takes() {
        let sender = |provider| Sender {
            provider,
            calendar: CalendarId(uuid::Uuid::nil()),
            channel: "c".into(),
            token: "t".into(),
            resource: "r".into(),
        };
        let mut request = Vec::new();
        write_request(&mut request, &sender(ProviderKind::Microsoft), 7);
        let text = String::from_utf8(request.clone()).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let read =
            calsync_providers::microsoft::notification::parse(body.as_bytes(), calsync_core::time::Ts::MIN);
        let read = read.unwrap();
        assert_eq!((read.items.len(), read.unreadable), (1, 0));
        assert_eq!(read.items[0].claim.channel, "c");
        write_request(&mut request, &sender(ProviderKind::Google), 7);
        let text = String::from_utf8(request).unwrap();
        assert!(text.starts_with("POST /webhooks/google/00000000-0000-0000-0000-000000000000/ HTTP/1.1\r\n"));
        let headers = text.lines().skip(1).filter_map(|line| line.split_once(": "));
        let claim = calsync_providers::google::notification::parse(headers, 0).unwrap();
        assert_eq!((claim.channel.as_str(), claim.notification_id.as_str()), ("c", "7"));
    }
}
