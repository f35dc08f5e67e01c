//! What the system says of a process: its processor time and its memory, read from /proc. Where there is no /proc, a
//! figure is missing rather than wrong.

use std::path::PathBuf;
use std::time::Duration;

/// The length of a tick in /proc: 1/100 s on every Linux that this program runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time that this process took so far, in all its threads, ended ones included.
pub(super) fn cpu_time() -> Option<Duration> {
    of_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Processor time that this thread took so far.
pub(super) fn thread_cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Bytes that this process had written to disk so far.
pub(super) fn bytes_written() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok())
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Memory {
    /// Resident now.
    pub(super) resident: u64,
    /// Resident at most so far.
    pub(super) peak: u64,
    /// Resident now, shared pages divided among those who share them.
    pub(super) proportional: Option<u64>,
}

/// Memory of the process with this id; `None`: of this one.
pub(super) fn memory(process: Option<u32>) -> Option<Memory> {
    let folder =
        process.map_or_else(|| PathBuf::from("/proc/self"), |id| PathBuf::from(format!("/proc/{id}")));
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let rollup = std::fs::read_to_string(folder.join("smaps_rollup")).ok();
    Some(Memory {
        resident: kib(&status, "VmRSS:")?,
        peak: kib(&status, "VmHWM:")?,
        proportional: rollup.and_then(|text| kib(&text, "Pss:")),
    })
}

/// Makes the peak of this process count from now on, where the system lets us.
pub(super) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// The first process of a PostgreSQL server, of which this one serves a connection.
pub(super) fn postmaster_of(backend: u32) -> Option<u32> {
    let stat = Stat::of(backend)?;
    // The server may count in a namespace of its own, or run elsewhere behind a forwarded port.
    let is_postgres = |id: u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("postgres")
    };
    (is_postgres(backend) && is_postgres(stat.parent)).then_some(stat.parent)
}

/// Processor time that a process and all that came of it took so far, those included that have ended.
pub(super) fn tree_cpu_time(root: u32) -> Option<Duration> {
    let ids =
        std::fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, Stat)> = ids.filter_map(|id: u32| Some((id, Stat::of(id)?))).collect();
    let first = all.iter().find(|(id, _)| *id == root)?;
    let mut tree = vec![root];
    let mut sum = first.1.cpu;
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        // A process is nobody's child twice, so this ends.
        for (id, stat) in all.iter().filter(|(id, stat)| stat.parent == parent && *id != root) {
            sum += stat.cpu;
            tree.push(*id);
        }
        at += 1;
    }
    Some(sum)
}

/// What is read of a process.
struct Stat {
    parent: u32,
    /// Its own, and that of its children that have ended.
    cpu: Duration,
}

impl Stat {
    fn of(process: u32) -> Option<Stat> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u32>().ok());
        let ticks: u32 = ticks.sum::<Option<u32>>()?;
        Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu: TICK * ticks })
    }
}

/// Fields 14 and 15 of proc_pid_stat(5). The name in field 2 may hold anything, even `)`: hence the last one.
fn of_stat(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * ticks()?.checked_add(ticks()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_takes_what_its_processes_take() {
        let own = tree_cpu_time(std::process::id()).unwrap();
        assert!(own <= tree_cpu_time(Stat::of(std::process::id()).unwrap().parent).unwrap());
        assert_eq!(tree_cpu_time(u32::MAX), None);
        assert_eq!(postmaster_of(std::process::id()), None, "this is no server");
    }

    #[test]
    fn the_systems_words_are_understood() {
        let stat =
            "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12345 1000 200 18446744073709551615";
        assert_eq!(of_stat(stat), Some(Duration::from_secs(3)));
        assert_eq!(of_stat("nonsense"), None);
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(
            (kib(status, "VmRSS:"), kib(status, "VmHWM:"), kib(status, "Pss:")),
            (Some(10_240), Some(20_480), None)
        );
    }
}
