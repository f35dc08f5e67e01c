//! What all deliveries of notifications have in common: how long they wait, what became of them, and what chance does to
//! them. It sends nothing: the skins do, each in its provider's form.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::faults::{Fault, FaultPlan};

/// How delivery goes about it. Google publishes neither number of tries nor times (google.md §8).
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

/// What became of messages.
#[derive(Debug, Default)]
pub struct PushCounts {
    delivered: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    forbidden: AtomicU64,
}

impl PushCounts {
    /// Messages that were taken.
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

    pub(crate) fn count(&self, what: Fate) {
        let counter = match what {
            Fate::Delivered => &self.delivered,
            Fate::Failed => &self.failed,
            Fate::Retried => &self.retried,
            Fate::Forbidden => &self.forbidden,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// What became of a message, or of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Failed,
    Retried,
    Forbidden,
}

/// How often a notice is sent, and how late each time; nothing if it is lost.
pub(crate) fn waits(faults: &FaultPlan, times: &PushTimes) -> Vec<Duration> {
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
    vec![wait; copies]
}
