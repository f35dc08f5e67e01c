//! Messages about alerts on their way out: to a real mail server and real HTTP receivers on loopback, well and badly.

mod corpus;
mod guard;
mod http;
pub(crate) mod letters;
mod mail;
mod odd;
pub(crate) mod receiver;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use calsync_core::alert::{AlertLevel, AlertMessage, Occasion};
use calsync_server::alerting::channels::World;
use calsync_server::alerting::{Channels, Lookup, Undelivered};
use calsync_server::config::{self, Settings, Sources};
use calsync_server::system::SystemClock;
use uuid::Uuid;

/// What must never be seen in an error: it stands in every URL and is every password here.
pub(crate) const MARKER: &str = "hunter2marker";

/// Settings by these variables, without the prefix.
fn settings(values: &[(&str, &str)]) -> Settings {
    let values = values.iter().map(|(name, value)| (format!("CALENDAR_SYNC__{name}"), (*value).to_owned()));
    config::load(&Sources::new(None, values)).unwrap().settings
}

/// A world in which only these names exist, and a try may take so long.
fn world(names: &Names, patience: Duration) -> World {
    let _ = crate::web::client();
    World { clock: Arc::new(SystemClock), lookup: Arc::new(names.clone()), patience }
}

/// Names with answers that follow one another; the last one stays.
#[derive(Clone, Default)]
struct Names {
    known: BTreeMap<String, Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn with(mut self, name: &str, answers: &[&[&str]]) -> Names {
        let parsed = answers.iter().map(|all| all.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.known.insert(name.to_owned(), parsed);
        self
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Lookup for Names {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let unknown = || std::io::Error::other("failed to lookup address information");
        let answers = self.known.get(name).ok_or_else(unknown)?;
        Ok(answers[turn.min(answers.len() - 1)].clone())
    }
}

/// A message with all in it that needs care.
fn message(occasion: Occasion) -> AlertMessage {
    let own = match occasion {
        // The first of a thread has the thread's own.
        Occasion::Opened => 0xff,
        Occasion::Reminded => 2,
        Occasion::Resolved => 3,
        Occasion::Test => 4,
    };
    AlertMessage {
        id: Uuid::from_u128(0x0193_5000_0000_7000_8000_0000_0000_0000 + own),
        thread: Uuid::from_u128(0x0193_5000_0000_7000_8000_0000_0000_00ff),
        occasion,
        kind: "database_down".to_owned(),
        level: AlertLevel::Critical,
        subject: "Zoë's <b>work</b> & more".to_owned(),
        count: 3,
        message: "The database does not answer.\n.\nIt said <script>alert(1)</script>.".to_owned(),
        action: "Start PostgreSQL & look at its log.".to_owned(),
        first_seen: "2026-11-22T08:00:00Z".parse().unwrap(),
        at: "2026-11-22T10:05:30Z".parse().unwrap(),
    }
}

/// One try by the first channel that there is.
async fn deliver(settings: &Settings, world: &World, message: &AlertMessage) -> Result<(), Undelivered> {
    let channels = Channels::in_world(settings, world).unwrap();
    let told = channels.all()[0].channel().deliver(message).await;
    if let Err(undelivered) = &told {
        let all = format!("{undelivered} {undelivered:?}");
        assert!(!all.contains(MARKER), "{all}");
    }
    told
}
