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
