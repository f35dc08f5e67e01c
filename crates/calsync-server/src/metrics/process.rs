//! What this process takes of its machine, for the page. Reads it from the system each time; keeps nothing.

use sysinfo::{Process, ProcessRefreshKind, ProcessesToUpdate, System};

use super::catalogue as all;
use super::text::{Page, number};

/// Writes it; what the system does not tell is left out.
pub(super) fn write(page: &mut Page) {
    let Ok(pid) = sysinfo::get_current_pid() else { return };
    let Ok(mut system) = System::new() else { return };
    let kinds = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kinds);
    let Some(process) = system.process(pid) else { return };
    let count = |n: Option<usize>| n.and_then(|n| u64::try_from(n).ok()).map(number);
    let told = [
        (&all::CPU, Some(number(process.accumulated_cpu_time()) / 1_000.0)),
        (&all::RESIDENT, Some(number(process.memory()))),
        (&all::FILES, count(process.open_files())),
        (&all::FILES_MAX, count(Process::open_files_limit(process))),
        (&all::STARTED, Some(number(process.start_time()))),
    ];
    for (metric, value) in told {
        page.gauge(metric, value.map(|value| (vec![], value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something_of_everything() {
        let mut page = Page::default();
        write(&mut page);
        let text = page.into_text();
        for name in
            ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"]
        {
            let line = text.lines().find(|line| line.starts_with(&format!("process_{name} ")));
            let value: f64 = line
                .unwrap_or_else(|| panic!("no {name} in {text}"))
                .rsplit(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!(value > 0.0 || name.starts_with("cpu"), "{name} {value}");
        }
    }
}
