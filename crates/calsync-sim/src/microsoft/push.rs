//! Delivery of Graph's notices to webhooks on this machine (microsoft.md §8.2): items that wait for one address travel
//! together, whatever their subscriptions; what is not answered with 2xx in time is tried again for hours. It connects to
//! loopback addresses only, follows no redirect and uses no proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use url::Url;

use super::MicrosoftFace;
use super::endpoint::{Endpoint, State};
use super::push_json::body;
use crate::cloud::watch::{Cause, Lifecycle, Notice, Provider};
use crate::delivery::{Fate, waits};
use crate::loopback_http::{Message, loopback, post};

pub use super::endpoint::EndpointRules;
pub use crate::delivery::{PushCounts, PushTimes};

/// Messages under way at the same time.
const PARALLEL_MAX: usize = 256;

/// Notices taken from the cloud in one go.
const TAKEN_MAX: usize = 1_024;

/// Items in one body. Graph's own number is unknown (§12).
const ITEMS_MAX: usize = 50;

/// Hosts that are remembered.
const HOSTS_MAX: usize = 1_000;

/// How often subscriptions are looked after.
const TENDED_EVERY: Duration = Duration::from_secs(1);

/// How delivery goes about it (§8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryRules {
    /// How long the first try may take.
    pub first_patience: Duration,
    /// How long each further one may take.
    pub retry_patience: Duration,
    /// How long a message waits before the second try; twice as long before each further one.
    pub first_wait: Duration,
    /// When it is given up.
    pub give_up: Duration,
    /// How hosts are judged.
    pub endpoint: EndpointRules,
}

impl Default for DeliveryRules {
    fn default() -> DeliveryRules {
        DeliveryRules {
            first_patience: Duration::from_secs(3),
            retry_patience: Duration::from_secs(10),
            first_wait: Duration::from_secs(1),
            give_up: Duration::from_secs(4 * 3_600),
            endpoint: EndpointRules::default(),
        }
    }
}

/// One body to be sent.
#[derive(Debug)]
struct Letter {
    address: String,
    items: Vec<Value>,
    /// Whose changes are in it: they are told if it is thrown away.
    subscriptions: BTreeSet<String>,
}

/// Everything that one delivery needs.
#[derive(Debug)]
struct Postman {
    face: Arc<MicrosoftFace>,
    counts: Arc<PushCounts>,
    began: Instant,
    hosts: Mutex<BTreeMap<SocketAddr, Host>>,
}

/// What is known of a host.
#[derive(Debug, Default)]
struct Host {
    endpoint: Endpoint,
    /// Subscriptions whose notices were thrown away.
    missed: BTreeSet<String>,
}

/// Delivers the cloud's notices until told to stop.
pub(crate) async fn run(
    face: Arc<MicrosoftFace>,
    times: PushTimes,
    counts: Arc<PushCounts>,
    mut stop: watch::Receiver<bool>,
) {
    let (began, hosts) = (Instant::now(), Mutex::default());
    let postman = Arc::new(Postman { face: Arc::clone(&face), counts, began, hosts });
    let room = Arc::new(Semaphore::new(PARALLEL_MAX));
    loop {
        let notices = face.cloud.with(|cloud| cloud.take_notices(Provider::Microsoft, TAKEN_MAX));
        if notices.is_empty() {
            tokio::select! {
                () = face.cloud.rung(Provider::Microsoft) => continue,
                () = tokio::time::sleep(TENDED_EVERY) => {
                    face.tend();
                    postman.own_up();
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
        for (wait, letter) in letters(&face, &times, notices) {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let (postman, mut stop) = (Arc::clone(&postman), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = postman.deliver(&letter, wait) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                drop(permit);
            });
        }
    }
}

/// What is sent where and when: items for one address at one time share a body.
fn letters(face: &MicrosoftFace, times: &PushTimes, notices: Vec<Notice>) -> Vec<(Duration, Letter)> {
    let mut open: BTreeMap<(Duration, String), Letter> = BTreeMap::new();
    let mut full = Vec::new();
    for notice in notices {
        let Some((address, items)) = face.items(&notice) else { continue };
        for wait in waits(&face.faults, times) {
            let key = (wait, address.clone());
            let letter = open.entry(key.clone()).or_insert_with(|| Letter {
                address: address.clone(),
                items: face.slipped(&address),
                subscriptions: BTreeSet::new(),
            });
            letter.items.extend(items.iter().cloned());
            if matches!(notice.cause, Cause::Changed(_)) {
                letter.subscriptions.insert(notice.channel.id.clone());
            }
            if letter.items.len() >= ITEMS_MAX {
                full.extend(open.remove(&key).map(|letter| (wait, letter)));
            }
        }
    }
    full.extend(open.into_iter().map(|((wait, _), letter)| (wait, letter)));
    full
}

impl Postman {
    fn hosts(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a host now; one letter more is noted as thrown away if it is dropped.
    fn state(&self, address: SocketAddr, letter: &Letter) -> State {
        let mut hosts = self.hosts();
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&address) {
            hosts.pop_first();
        }
        let host = hosts.entry(address).or_default();
        let state = host.endpoint.state(&self.face.config.delivery.endpoint, self.began.elapsed());
        if state == State::Drop {
            host.missed.extend(letter.subscriptions.iter().cloned());
        }
        state
    }

    async fn deliver(&self, letter: &Letter, wait: Duration) {
        tokio::time::sleep(wait).await;
        let Ok(url) = Url::parse(&letter.address) else { return };
        let Some(address) = loopback(&url) else { return };
        let rules = &self.face.config.delivery;
        match self.state(address, letter) {
            State::Normal => {}
            State::Slow => tokio::time::sleep(rules.endpoint.window).await,
            State::Drop => {
                self.counts.count(Fate::Failed);
                return;
            }
        }
        let headers =
            [("Content-Type", "application/json; charset=utf-8".to_owned()), ("Accept", "*/*".to_owned())];
        let text = body(&letter.items);
        let (began, mut pause, mut patience) = (Instant::now(), rules.first_wait, rules.first_patience);
        loop {
            let (tried, message) =
                (Instant::now(), Message { url: &url, headers: &headers, body: &text, patience });
            let status = post(address, &message).await.map(|answer| answer.status);
            self.note(address, tried.elapsed());
            if status.is_some_and(|status| (200..300).contains(&status)) {
                self.counts.count(Fate::Delivered);
                return;
            }
            if began.elapsed() + pause >= rules.give_up {
                break;
            }
            tokio::time::sleep(pause).await;
            (pause, patience) = (pause.saturating_mul(2), rules.retry_patience);
            self.counts.count(Fate::Retried);
        }
        self.counts.count(Fate::Failed);
        tracing::info!(address = %letter.address, "a notification was given up");
    }

    fn note(&self, address: SocketAddr, took: Duration) {
        let (rules, at) = (&self.face.config.delivery.endpoint, self.began.elapsed());
        if let Some(host) = self.hosts().get_mut(&address) {
            host.endpoint.note(rules, at, took);
        }
    }

    /// Tells those whose notices were thrown away, once their host may be told anything again (§8.3 `missed`).
    fn own_up(&self) {
        let (rules, at) = (&self.face.config.delivery.endpoint, self.began.elapsed());
        let mut missed = BTreeSet::new();
        for host in self.hosts().values_mut() {
            if host.endpoint.state(rules, at) != State::Drop {
                missed.append(&mut host.missed);
            }
        }
        for id in missed {
            self.face.tell_lifecycle(&id, Lifecycle::Missed);
        }
    }
}
