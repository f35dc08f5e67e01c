//! What is known of this instance and of what it depends on, at one moment: each is really asked, and none may take longer than
//! `PATIENCE`, so that what hangs is told as not answering, and told in time. Figures live for a second. Nothing here ever waits
//! for a file system on a thread that others need (`machine`).

mod machine;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::health::{Answer, Figures, Stored};
use calsync_core::ports::StoreError;
use tokio::time::{Instant, timeout};

use self::machine::{Machine, Place};
use super::{Service, jobs};
use crate::cache::Fresh;
use crate::config::Settings;

/// What does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Whatever hangs beyond its own bound, nobody waits longer than this for all of it.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(8);
/// How old figures may be.
const LIFE: Duration = Duration::from_secs(1);
/// How old they may be of the machine, which changes slowly.
const MACHINE_LIFE: Duration = Duration::from_secs(5);

/// What was seen last.
pub struct Vitals {
    figures: Fresh<Figures>,
    machine: Fresh<Machine>,
    /// Where the data is.
    place: Place,
    /// The database answers, but takes nothing: the watch, which writes at every look, found that out.
    refuses: Mutex<Option<Refusal>>,
}

/// A database takes nothing: why, as far as people may be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal(pub(super) Option<String>);

impl Vitals {
    /// Nothing was seen yet. The data is in this directory.
    pub fn new(directory: PathBuf) -> Vitals {
        Vitals {
            figures: Fresh::new(LIFE),
            machine: Fresh::new(MACHINE_LIFE),
            place: Place::new(directory),
            refuses: Mutex::new(None),
        }
    }

    /// Whether the database took what was written last.
    pub(super) fn note_refusal(&self, refusal: Option<Refusal>) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl Service {
    /// What is known now. A database that can be read and not written is as good as away: nothing could be accepted.
    pub async fn figures(self: &Arc<Service>) -> Figures {
        let seen = self.readable().await;
        let refusal = self.vitals.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match refusal {
            Some(Refusal(why)) => seen.without_writes(why.as_deref()),
            None => seen,
        }
    }

    /// The same as far as reading tells.
    pub(super) async fn readable(self: &Arc<Service>) -> Figures {
        let service = self.clone();
        let seen = self.vitals.figures.get(async move { service.look().await });
        match timeout(PATIENCE_IN_ALL, seen).await {
            Ok(seen) => seen.unwrap_or_else(|| nothing("looking at it broke")),
            Err(_) => nothing("looking at it hangs"),
        }
    }

    async fn look(self: Arc<Service>) -> Figures {
        let ((database, stored), cache, machine) =
            tokio::join!(self.database(), self.cache(), self.machine());
        Figures { database, stored, cache, disk: machine.disk, memory: machine.memory, clock_jumped: None }
    }

    /// Whether the database answers, and what it tells. What it tells may be late, or not to be read by this version: the database
    /// answers all the same, and receipts are taken.
    async fn database(&self) -> (Answer, Option<Stored>) {
        let began = Instant::now();
        let answers = match timeout(PATIENCE, self.store.ping()).await {
            Ok(Ok(())) => Answer::Answers { ms: millis(began) },
            Ok(Err(error)) => {
                tracing::debug!(%error, "the database does not answer");
                let known = self.reason(&error);
                let why = known.unwrap_or_else(|| "it refuses, or the connection failed".to_owned());
                return (Answer::Silent { why }, None);
            }
            Err(_) => return (silent(), None),
        };
        let asking = async {
            let quota = |provider| self.quota(provider);
            self.engine.health_figures(quota, jobs::late(self).await?).await
        };
        let stored = match timeout(PATIENCE, asking).await {
            Ok(Ok(stored)) => Some(stored),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the figures of how well it is can not be read from the database");
                None
            }
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                tracing::warn!(seconds, "the figures of how well it is took the database too long");
                None
            }
        };
        (answers, stored)
    }

    /// Why a database is not available, where that may be repeated: what a file says names no server, no user and no password.
    pub(super) fn reason(&self, error: &StoreError) -> Option<String> {
        match error {
            StoreError::Unavailable(words) if self.settings.database.file().is_some() => Some(words.clone()),
            _ => None,
        }
    }

    async fn cache(&self) -> Option<Answer> {
        let redis = self.redis.as_ref()?;
        let began = Instant::now();
        let answer = redis.ask::<String>(&::redis::cmd("PING")).await;
        Some(match answer {
            Ok(_) => Answer::Answers { ms: millis(began) },
            Err(gone) => Answer::Silent { why: gone.to_string() },
        })
    }

    async fn machine(&self) -> Machine {
        let looking = self.vitals.place.look(PATIENCE);
        self.vitals.machine.get(looking).await.unwrap_or_default()
    }

    /// What a provider allows all of us together in a minute. (Graph limits each mailbox by itself.)
    const fn quota(&self, provider: ProviderKind) -> Option<u64> {
        match provider {
            ProviderKind::Google => Some(calsync_providers::google::PROJECT_PER_MINUTE as u64),
            ProviderKind::Microsoft | ProviderKind::Apple => None,
        }
    }
}

fn nothing(why: &str) -> Figures {
    Figures {
        database: Answer::Silent { why: why.to_owned() },
        stored: None,
        cache: None,
        disk: None,
        memory: None,
        clock_jumped: None,
    }
}

fn silent() -> Answer {
    Answer::Silent { why: format!("no answer within {} s", PATIENCE.as_secs()) }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Where SQLite's file is; else where we were started.
pub(crate) fn data_directory(settings: &Settings) -> PathBuf {
    let file = settings.database.file();
    let parent = file.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new(".")).to_owned()
}
