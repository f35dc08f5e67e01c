//! Counts the calls that are really made, per provider and minute (spec §2): health figures about providers come from
//! here. Holds at most a day of minutes; never stores, never logs. Whoever wants to know of each call watches.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::ErrorClass;
use calsync_core::run::CallStats;
use calsync_core::time::Ts;

/// Most rows held while nobody drains them: a day of minutes of three providers. Beyond it the oldest go.
const ROWS_MAX: usize = 3 * 24 * 60;
/// One minute, in microseconds.
const MINUTE: i64 = 60_000_000;

/// One call, as it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallOutcome {
    /// What was asked: one of few names, and never part of an address.
    pub operation: &'static str,
    /// When it ended.
    pub at: Ts,
    /// How long it took.
    pub latency: Duration,
    /// What went wrong, if anything.
    pub error: Option<ErrorClass>,
    /// Quota units it cost.
    pub units: u32,
}

/// Told of each call as it ends, on the way of that call: it must be quick.
pub trait CallWatch: Send + Sync {
    /// A call was made.
    fn called(&self, provider: ProviderKind, call: &CallOutcome);
    /// Our own limits made one wait for so long, or sent it back.
    fn held_back(&self, provider: ProviderKind, waited: Duration, held: HeldBack);
}

/// What became of a call that our own limits held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldBack {
    /// It was made after the wait.
    Waited,
    /// The wait would have been too long: whoever wanted to make it was told to come back.
    SentBack,
}

/// Accumulates call statistics until the server fetches them.
#[derive(Default)]
pub struct CallRecorder {
    watch: Option<Arc<dyn CallWatch>>,
    rows: Mutex<BTreeMap<(Ts, ProviderKind), CallStats>>,
}

impl CallRecorder {
    /// One that has counted nothing.
    pub fn new() -> CallRecorder {
        CallRecorder::default()
    }

    /// The same, told to somebody.
    pub fn watched_by(watch: Arc<dyn CallWatch>) -> CallRecorder {
        CallRecorder { watch: Some(watch), ..CallRecorder::default() }
    }

    /// A call was held back by our own limits.
    pub fn held_back(&self, provider: ProviderKind, waited: Duration, held: HeldBack) {
        if let Some(watch) = &self.watch {
            watch.held_back(provider, waited, held);
        }
    }

    /// Counts one call.
    pub fn record(&self, provider: ProviderKind, call: CallOutcome) {
        if let Some(watch) = &self.watch {
            watch.called(provider, &call);
        }
        let minute = Ts::from_micros(call.at.micros().div_euclid(MINUTE) * MINUTE);
        let latency = u64::try_from(call.latency.as_micros()).unwrap_or(u64::MAX);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry((minute, provider)).or_insert_with(|| CallStats {
            provider,
            minute,
            calls: 0,
            errors: BTreeMap::new(),
            latency_sum_us: 0,
            latency_max_us: 0,
            quota_used: 0,
        });
        row.calls += 1;
        row.latency_sum_us = row.latency_sum_us.saturating_add(latency);
        row.latency_max_us = row.latency_max_us.max(latency);
        row.quota_used += u64::from(call.units);
        if let Some(class) = call.error {
            *row.errors.entry(class.as_str().to_owned()).or_default() += 1;
        }
        bound(&mut rows);
    }

    /// Takes back what was drained and could not be stored: it comes again with the next drain.
    pub fn put_back(&self, drained: Vec<CallStats>) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for back in drained {
            match rows.entry((back.minute, back.provider)) {
                Entry::Vacant(free) => {
                    free.insert(back);
                }
                Entry::Occupied(mut taken) => add(taken.get_mut(), back),
            }
        }
        bound(&mut rows);
    }

    /// Everything counted since the last time, oldest minute first. The current minute can come again: rows of one
    /// minute are to be added up.
    pub fn drain(&self) -> Vec<CallStats> {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        rows.into_values().collect()
    }
}

/// Two rows of one minute are one.
fn add(row: &mut CallStats, more: CallStats) {
    row.calls += more.calls;
    row.latency_sum_us = row.latency_sum_us.saturating_add(more.latency_sum_us);
    row.latency_max_us = row.latency_max_us.max(more.latency_max_us);
    row.quota_used += more.quota_used;
    for (class, times) in more.errors {
        *row.errors.entry(class).or_default() += times;
    }
}

fn bound(rows: &mut BTreeMap<(Ts, ProviderKind), CallStats>) {
    while rows.len() > ROWS_MAX {
        rows.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at: i64, millis: u64, error: Option<ErrorClass>) -> CallOutcome {
        CallOutcome {
            operation: "events.list",
            at: Ts::from_secs(at),
            latency: Duration::from_millis(millis),
            error,
            units: 1,
        }
    }

    #[test]
    fn calls_add_up_by_provider_and_minute() {
        let recorder = CallRecorder::new();
        recorder.record(ProviderKind::Google, call(61, 10, None));
        recorder.record(ProviderKind::Google, call(119, 30, Some(ErrorClass::RateLimited)));
        recorder.record(ProviderKind::Google, call(120, 5, None));
        recorder.record(ProviderKind::Microsoft, call(60, 5, None));
        let rows = recorder.drain();
        assert_eq!(rows.len(), 3);
        let first = rows.iter().find(|r| r.provider == ProviderKind::Google).unwrap();
        assert_eq!((first.minute, first.calls, first.quota_used), (Ts::from_secs(60), 2, 2));
        assert_eq!((first.latency_sum_us, first.latency_max_us), (40_000, 30_000));
        assert_eq!(first.errors, BTreeMap::from([("rate_limited".to_owned(), 1)]));
        assert!(recorder.drain().is_empty());
    }

    #[test]
    fn what_was_put_back_comes_again_and_counts_once() {
        let recorder = CallRecorder::new();
        recorder.record(ProviderKind::Google, call(61, 10, Some(ErrorClass::RateLimited)));
        recorder.record(ProviderKind::Google, call(125, 10, None));
        let drained = recorder.drain();
        recorder.record(ProviderKind::Google, call(90, 30, Some(ErrorClass::RateLimited)));
        recorder.put_back(drained.clone());
        let rows = recorder.drain();
        assert_eq!((rows.len(), &rows[1]), (2, &drained[1]));
        assert_eq!((rows[0].calls, rows[0].quota_used, rows[0].latency_max_us), (2, 2, 30_000));
        assert_eq!(rows[0].latency_sum_us, 40_000);
        assert_eq!(rows[0].errors, BTreeMap::from([("rate_limited".to_owned(), 2)]));
        for minute in 0..10_000 {
            recorder.put_back(vec![CallStats { minute: Ts::from_secs(minute * 60), ..rows[0].clone() }]);
        }
        assert_eq!(recorder.drain().len(), ROWS_MAX, "bounded this way too");
    }

    #[test]
    fn nobody_draining_costs_bounded_memory() {
        let recorder = CallRecorder::new();
        for minute in 0..10_000 {
            recorder.record(ProviderKind::Google, call(minute * 60, 1, None));
        }
        let rows = recorder.drain();
        assert_eq!(rows.len(), ROWS_MAX);
        assert_eq!(rows.last().unwrap().minute, Ts::from_secs(9_999 * 60), "the oldest went, not the newest");
    }
}
