//! Google's notifications (google.md §8): which headers they have, and their delivery to webhooks on this machine. It
//! connects to loopback addresses only, follows no redirect and uses no proxy: nothing can leave the machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};
use url::{Host, Url};

use super::GoogleFace;
use super::robots::Robots;
use crate::cloud::watch::{Cause, Notice, Provider, Resource};
use crate::faults::Fault;
use crate::loopback_http::{self, Outcome};

/// How delivery goes about it. Google publishes neither number of tries nor times (§8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushTimes {
    /// How often one message is tried.
    pub tries: u32,
    /// How long it waits before the second try; twice as long before each further one.
    pub first_wait: Duration,
    /// The longest that a late message is late.
    pub late: Duration,
    /// How long a message waits that is to come after its successor.
    pub reordered: Duration,
}

impl Default for PushTimes {
    fn default() -> PushTimes {
        PushTimes {
            tries: 6,
            first_wait: Duration::from_millis(500),
            late: Duration::from_secs(20),
            reordered: Duration::from_millis(200),
        }
    }
}

/// Messages under way at the same time.
const PARALLEL_MAX: usize = 256;

/// Notices taken from the cloud in one go.
const TAKEN_MAX: usize = 256;

/// Hosts whose robots.txt is remembered.
const HOSTS_MAX: usize = 1_000;

/// What became of messages.
#[derive(Debug, Default)]
pub struct PushCounts {
    delivered: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    forbidden: AtomicU64,
}

impl PushCounts {
    /// Messages that were taken (200, 201, 202, 204 or 102).
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }

    /// Messages given up.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Tries beyond the first.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::SeqCst)
    }

    /// Messages not sent because the host's robots.txt forbids them.
    pub fn forbidden(&self) -> u64 {
        self.forbidden.load(Ordering::SeqCst)
    }
}

/// The address of a URL's host, if that is this machine.
pub(super) fn loopback(url: &Url) -> Option<SocketAddr> {
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

/// The address by which a watched thing is known (§8 `resourceUri`).
pub(super) fn resource_uri(resource: &Resource) -> String {
    let base = "https://www.googleapis.com/calendar/v3";
    let encode = |id: &str| {
        url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
    };
    match resource {
        Resource::Events(id) => format!("{base}/calendars/{}/events?alt=json", encode(id.as_str())),
        Resource::Acl(id) => format!("{base}/calendars/{}/acl?alt=json", encode(id.as_str())),
        Resource::CalendarList(_) => format!("{base}/users/me/calendarList?alt=json"),
        Resource::Settings(_) => format!("{base}/users/me/settings?alt=json"),
    }
}

/// The headers of a notice's message, in Google's spelling; there is no body.
pub fn headers(notice: &Notice) -> Vec<(&'static str, String)> {
    let channel = &notice.channel;
    let state = match notice.cause {
        Cause::Opened => "sync",
        // Created, changed or deleted: all the same word.
        Cause::Changed(_) => "exists",
    };
    let mut out = vec![
        ("X-Goog-Channel-ID", channel.id.clone()),
        (
            "X-Goog-Channel-Expiration",
            channel.expires.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ),
        ("X-Goog-Resource-State", state.to_owned()),
        ("X-Goog-Message-Number", notice.number.to_string()),
        ("X-Goog-Resource-ID", channel.resource_id.clone()),
        ("X-Goog-Resource-URI", resource_uri(&channel.resource)),
    ];
    if let Some(token) = &channel.token {
        out.push(("X-Goog-Channel-Token", token.clone()));
    }
    out
}

/// Everything that one delivery needs.
#[derive(Debug)]
struct Postman {
    times: PushTimes,
    counts: Arc<PushCounts>,
    robots: Mutex<BTreeMap<SocketAddr, Robots>>,
}

/// Delivers the cloud's notices until told to stop.
pub(crate) async fn run(
    face: Arc<GoogleFace>,
    times: PushTimes,
    counts: Arc<PushCounts>,
    mut stop: watch::Receiver<bool>,
) {
    let postman = Arc::new(Postman { times, counts, robots: Mutex::default() });
    let room = Arc::new(Semaphore::new(PARALLEL_MAX));
    loop {
        let notices = face.cloud.with(|cloud| cloud.take_notices(Provider::Google, TAKEN_MAX));
        if notices.is_empty() {
            tokio::select! {
                () = face.cloud.rung() => continue,
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
        for (notice, wait) in notices.into_iter().flat_map(|notice| fate(&face, &postman.times, notice)) {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let (postman, mut stop) = (Arc::clone(&postman), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = postman.deliver(&notice, wait) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                drop(permit);
            });
        }
    }
}

/// How often, and how late, a notice is sent.
fn fate(face: &GoogleFace, times: &PushTimes, notice: Notice) -> Vec<(Notice, Duration)> {
    let faults = &face.faults;
    if faults.strikes(Fault::NoticeLost) {
        return Vec::new();
    }
    let mut wait = Duration::ZERO;
    if let Some(number) = faults.draw(Fault::NoticeLate) {
        let most = u64::try_from(times.late.as_millis()).unwrap_or(u64::MAX).max(1);
        wait += Duration::from_millis(1 + number % most);
    }
    if faults.strikes(Fault::NoticeReordered) {
        wait += times.reordered;
    }
    let copies = if faults.strikes(Fault::NoticeDoubled) { 2 } else { 1 };
    vec![(notice, wait); copies]
}

impl Postman {
    async fn deliver(&self, notice: &Notice, wait: Duration) {
        tokio::time::sleep(wait).await;
        let Ok(url) = Url::parse(&notice.channel.address) else { return };
        let Some(address) = loopback(&url) else { return };
        if !self.allowed(address, &url).await {
            self.counts.forbidden.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let headers = headers(notice);
        let mut pause = self.times.first_wait;
        for again in 0..self.times.tries {
            if again > 0 {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
                self.counts.retried.fetch_add(1, Ordering::SeqCst);
            }
            match loopback_http::post_nothing(address, &url, &headers).await {
                Outcome::Answered(200 | 201 | 202 | 204 | 102) => {
                    self.counts.delivered.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                // Only these, and no answer at all, are tried again (§8, success codes).
                Outcome::Answered(500 | 502 | 503 | 504) | Outcome::Unreachable => {}
                Outcome::Answered(_) => break,
            }
        }
        self.counts.failed.fetch_add(1, Ordering::SeqCst);
        tracing::info!(channel = %notice.channel.id, "a notification was given up");
    }

    /// Whether the host lets Google's sender in (§8: it obeys robots.txt). Asked about once per host; nobody else's
    /// message waits meanwhile.
    async fn allowed(&self, address: SocketAddr, url: &Url) -> bool {
        if let Some(robots) = self.robots.lock().await.get(&address) {
            return robots.allow(url.path());
        }
        let text = loopback_http::get(address, url, "/robots.txt").await;
        let robots = text.map_or_else(Robots::default, |text| Robots::parse(&text));
        let allowed = robots.allow(url.path());
        let mut known = self.robots.lock().await;
        if known.len() >= HOSTS_MAX {
            known.pop_first();
        }
        known.insert(address, robots);
        allowed
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
}
