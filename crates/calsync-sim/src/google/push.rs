//! Google's notifications (google.md §8): which headers they have, and their delivery to webhooks on this machine. It
//! connects to loopback addresses only, follows no redirect and uses no proxy: nothing can leave the machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};
use url::Url;

use super::GoogleFace;
use super::robots::Robots;
use crate::cloud::watch::{Cause, Notice, Provider, Resource};
use crate::delivery::{Fate, waits};
use crate::loopback_http::{self, Message, loopback};

pub use crate::delivery::{PushCounts, PushTimes};

/// How long one exchange may take. Google's own limit is unpublished (§8).
const PATIENCE: Duration = Duration::from_secs(10);

/// How long robots.txt may take: it holds up a message that is waiting.
const PATIENCE_FOR_ROBOTS: Duration = Duration::from_secs(2);

/// The sender's name (§8, delivery).
const USER_AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";

/// Messages under way at the same time.
const PARALLEL_MAX: usize = 256;

/// Notices taken from the cloud in one go.
const TAKEN_MAX: usize = 256;

/// Hosts whose robots.txt is remembered.
const HOSTS_MAX: usize = 1_000;

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
        Cause::Changed(_) | Cause::Lifecycle(_) => "exists",
    };
    let mut out = vec![
        ("User-Agent", USER_AGENT.to_owned()),
        ("Accept", "*/*".to_owned()),
        ("Content-Type", "application/json; utf-8".to_owned()),
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
                () = face.cloud.rung(Provider::Google) => continue,
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
        let fated = notices.into_iter().flat_map(|notice| {
            waits(&face.faults, &postman.times).into_iter().map(move |wait| (notice.clone(), wait))
        });
        for (notice, wait) in fated.collect::<Vec<_>>() {
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

impl Postman {
    async fn deliver(&self, notice: &Notice, wait: Duration) {
        tokio::time::sleep(wait).await;
        let Ok(url) = Url::parse(&notice.channel.address) else { return };
        let Some(address) = loopback(&url) else { return };
        if !self.allowed(address, &url).await {
            self.counts.count(Fate::Forbidden);
            return;
        }
        let headers = headers(notice);
        let mut pause = self.times.first_wait;
        for again in 0..self.times.tries {
            if again > 0 {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
                self.counts.count(Fate::Retried);
            }
            let message = Message { url: &url, headers: &headers, body: "", patience: PATIENCE };
            match loopback_http::post(address, &message).await.map(|answer| answer.status) {
                Some(200 | 201 | 202 | 204 | 102) => {
                    self.counts.count(Fate::Delivered);
                    return;
                }
                // Only these, and no answer at all, are tried again (§8, success codes).
                None | Some(500 | 502 | 503 | 504) => {}
                Some(_) => break,
            }
        }
        self.counts.count(Fate::Failed);
        tracing::info!(channel = %notice.channel.id, "a notification was given up");
    }

    /// Whether the host lets Google's sender in (§8: it obeys robots.txt). Asked about once per host; nobody else's
    /// message waits meanwhile.
    async fn allowed(&self, address: SocketAddr, url: &Url) -> bool {
        if let Some(robots) = self.robots.lock().await.get(&address) {
            return robots.allow(url.path());
        }
        let text = loopback_http::get(address, url, "/robots.txt", (USER_AGENT, PATIENCE_FOR_ROBOTS)).await;
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
