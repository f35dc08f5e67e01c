//! What is known of this instance and of what it depends on, at one moment: each is really asked, and none may take longer than
//! `PATIENCE`, so that what hangs is told as not answering, and told in time. Figures live for a second.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::health::{Answer, Disk, Figures, Memory, Stored};
use calsync_core::ports::StoreError;
use sysinfo::{Disks, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};
use tokio::time::{Instant, timeout};

use super::{Service, jobs};
use crate::cache::Fresh;

/// What does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How old figures may be.
const LIFE: Duration = Duration::from_secs(1);
/// How old they may be of the machine, which changes slowly.
const MACHINE_LIFE: Duration = Duration::from_secs(5);

/// What was seen last.
pub struct Vitals {
    figures: Fresh<Figures>,
    machine: Fresh<Machine>,
    /// The database answers, but takes nothing: the watch, which writes at every look, found that out.
    refuses: Mutex<Option<Refusal>>,
}

/// A database takes nothing: why, as far as people may be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal(pub(super) Option<String>);

/// The machine that this instance runs on.
#[derive(Clone, Copy, Default)]
struct Machine {
    disk: Option<Disk>,
    memory: Option<Memory>,
}

impl Vitals {
    /// Nothing was seen yet.
    pub fn new() -> Vitals {
        Vitals { figures: Fresh::new(LIFE), machine: Fresh::new(MACHINE_LIFE), refuses: Mutex::new(None) }
    }

    /// Whether the database took what was written last.
    pub(super) fn note_refusal(&self, refusal: Option<Refusal>) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals::new()
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
        let seen = self.vitals.figures.get(async move { service.look().await }).await;
        seen.unwrap_or_else(|| nothing("looking at it broke"))
    }

    async fn look(self: Arc<Service>) -> Figures {
        let ((database, stored), cache, machine) =
            tokio::join!(self.database(), self.cache(), self.machine());
        Figures { database, stored, cache, disk: machine.disk, memory: machine.memory, clock_jumped: None }
    }

    /// Whether the database answers, and what it tells.
    async fn database(&self) -> (Answer, Option<Stored>) {
        let began = Instant::now();
        let asking = async {
            self.store.ping().await?;
            let ms = millis(began);
            let quota = |provider| self.quota(provider);
            let stored = self.engine.health_figures(quota, jobs::late(self).await?).await?;
            Ok::<_, calsync_engine::EngineError>((ms, stored))
        };
        match timeout(PATIENCE, asking).await {
            Ok(Ok((ms, stored))) => (Answer::Answers { ms }, Some(stored)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the database does not answer");
                let known = match &error {
                    calsync_engine::EngineError::Store(error) => self.reason(error),
                    _ => None,
                };
                let why = known.unwrap_or_else(|| "it refuses, or the connection failed".to_owned());
                (Answer::Silent { why }, None)
            }
            Err(_) => (silent(), None),
        }
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

    /// A disk that hangs (a network drive may) is not known, and holds nobody up.
    async fn machine(&self) -> Machine {
        let directory = self.data_directory();
        let looking = async move {
            let looked =
                tokio::task::spawn_blocking(move || Machine { disk: disk(&directory), memory: memory() });
            timeout(PATIENCE, looked).await.ok().and_then(Result::ok).unwrap_or_default()
        };
        self.vitals.machine.get(looking).await.unwrap_or_default()
    }

    /// Where SQLite's file is; else where we were started.
    fn data_directory(&self) -> PathBuf {
        let file = self.settings.database.file();
        let parent = file.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or_else(|| Path::new("."));
        directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
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

/// The disk that holds this directory: of those that are mounted on its way, the nearest.
fn disk(directory: &Path) -> Option<Disk> {
    let disks = Disks::new_with_refreshed_list().ok()?;
    let holding = disks.iter().filter(|disk| directory.starts_with(disk.mount_point()));
    let nearest = holding.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(Disk { free: nearest.available_space(), total: nearest.total_space() })
}

/// What the control group allows counts, where it allows less than there is.
fn memory() -> Option<Memory> {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let mut system = System::new_with_specifics(kinds).ok()?;
    let (mut available, mut total) = (system.available_memory(), system.total_memory());
    if let Some(limits) = system.cgroup_limits().filter(|limits| limits.total_memory < total) {
        (available, total) = (available.min(limits.free_memory), limits.total_memory);
    }
    let pid = sysinfo::get_current_pid().ok()?;
    let kinds = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kinds);
    Some(Memory { resident: system.process(pid)?.memory(), available, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_disk_and_memory() {
        let dir = tempfile::tempdir().unwrap();
        let disk = disk(&dir.path().canonicalize().unwrap()).unwrap();
        assert!(disk.free <= disk.total && disk.total > 1 << 20, "{disk:?}");
        let memory = memory().unwrap();
        assert!(memory.resident > 1 << 20 && memory.available <= memory.total, "{memory:?}");
        assert!(memory.resident < memory.total, "{memory:?}");
    }
}
