//! The machine that this instance runs on: the disk of the data directory, and memory. A file system that hangs (one over the
//! network may) is not known, holds up nobody, and costs one thread, however often it is asked about.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use calsync_core::health::{Disk, Memory};
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What is known of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Machine {
    pub(super) disk: Option<Disk>,
    pub(super) memory: Option<Memory>,
}

/// Where the data is, and how it is asked about.
pub(super) struct Place {
    directory: Arc<Path>,
    /// One look at the disk at a time: one that hangs can not be called back, and each would keep a thread.
    looks: Arc<Semaphore>,
    ask: fn(&Path) -> Option<Disk>,
}

impl Place {
    /// This directory.
    pub(super) fn new(directory: PathBuf) -> Place {
        Place { directory: directory.into(), looks: Arc::new(Semaphore::new(1)), ask: disk }
    }

    /// What is known within this time.
    pub(super) fn look(&self, patience: Duration) -> impl Future<Output = Machine> + Send + use<> {
        let (directory, looks, ask) = (self.directory.clone(), self.looks.clone(), self.ask);
        async move {
            let memory = tokio::task::spawn_blocking(memory);
            let disk = async {
                let turn = looks.try_acquire_owned().ok()?;
                let asked = tokio::task::spawn_blocking(move || {
                    let disk = ask(&directory);
                    drop(turn);
                    disk
                });
                asked.await.ok().flatten()
            };
            let (disk, memory) = tokio::join!(timeout(patience, disk), timeout(patience, memory));
            Machine { disk: disk.ok().flatten(), memory: memory.ok().and_then(Result::ok).flatten() }
        }
    }
}

/// Asked of the directory itself, so that it is its own disk's answer, whatever kind of file system it is.
fn disk(directory: &Path) -> Option<Disk> {
    let told = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    // Some have no size of their own.
    let disk = Disk { free: bytes(told.f_bavail), total: bytes(told.f_blocks) };
    (disk.total > 0).then_some(disk)
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn this_machine_has_a_disk_and_memory() {
        let dir = tempfile::tempdir().unwrap();
        let disk = disk(dir.path()).unwrap();
        assert!(disk.free <= disk.total && disk.total > 1 << 20, "{disk:?}");
        let memory = memory().unwrap();
        assert!(memory.resident > 1 << 20 && memory.available <= memory.total, "{memory:?}");
        assert!(memory.resident < memory.total, "{memory:?}");
    }

    #[test]
    fn each_directory_is_told_of_its_own_disk() {
        // Memory as a file system: no list of disks has it, and the nearest one in such a list is the root's.
        let (shm, root) = (disk(Path::new("/dev/shm")), disk(Path::new("/")));
        assert!(shm.is_some() && root.is_some());
        assert_ne!(shm.map(|disk| disk.total), root.map(|disk| disk.total));
        assert_eq!(disk(Path::new("/proc")), None, "it has no size");
        assert_eq!(disk(Path::new("/is/not/there")), None);
    }

    static ASKED: AtomicU32 = AtomicU32::new(0);

    fn hangs(_: &Path) -> Option<Disk> {
        ASKED.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(600));
        Some(Disk { free: 1, total: 2 })
    }

    #[tokio::test]
    async fn a_disk_that_hangs_costs_one_thread_and_holds_up_nobody() {
        let place = Place { ask: hangs, ..Place::new(PathBuf::from(".")) };
        let patience = Duration::from_millis(20);
        for _ in 0..10 {
            let seen = place.look(patience).await;
            assert_eq!(seen.disk, None);
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 1, "the one that hangs is still at it");
        // When it answers again, it is asked again.
        let permit = tokio::time::timeout(Duration::from_secs(20), place.looks.acquire()).await.unwrap();
        drop(permit);
        assert!(place.look(Duration::from_secs(20)).await.disk.is_some());
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    }
}
