//! How long changes took, as counts in fixed buckets: additive, so that hours, rules and instances are merged by adding up.
//! Never keeps a delay by itself.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::origin::Delay;
use crate::ids::RuleId;
use crate::time::Ts;

/// Resolution of the shortest delays, in milliseconds.
const UNIT_MS: u64 = 100;
/// Buckets per doubling: a delay is told at most a quarter too long, never too short.
const PER_DOUBLING: u64 = 4;
/// How many buckets there are; the last one holds whatever took longer than a day.
pub const BUCKETS: u8 = 76;
/// In microseconds.
const HOUR: i64 = 3_600_000_000;

/// Changes of one hour whose blocks took about as long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RuleDelay {
    /// In which hour they were written, as its first instant.
    pub hour: Ts,
    /// How long it took: the number of the bucket.
    pub bucket: u8,
    /// By which rule.
    pub rule: RuleId,
    /// How many.
    pub count: u64,
}

/// Delays, counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delays(BTreeMap<u8, u64>);

/// The delays that half, nineteen of twenty and all but one in a hundred changes stayed within.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Changes that were counted.
    pub changes: u64,
    /// In milliseconds; `None` where nothing was counted.
    pub p50_ms: Option<u64>,
    /// In milliseconds.
    pub p95_ms: Option<u64>,
    /// In milliseconds.
    pub p99_ms: Option<u64>,
}

impl Delays {
    /// So many more of this bucket.
    pub fn add(&mut self, bucket: u8, count: u64) {
        let sum = self.0.entry(bucket.min(BUCKETS - 1)).or_default();
        *sum = sum.saturating_add(count);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The delay that so many of a hundred stayed within, in milliseconds, rounded up to the end of its bucket.
    pub fn quantile_ms(&self, percent: u8) -> Option<u64> {
        let wanted = (u128::from(self.count()) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0_u128;
        let holds = |(bucket, count): (&u8, &u64)| {
            seen += u128::from(*count);
            (seen >= wanted).then_some(end_ms(*bucket))
        };
        self.0.iter().find_map(holds)
    }

    /// What people are shown.
    pub fn quantiles(&self) -> Quantiles {
        let at = |percent| self.quantile_ms(percent);
        Quantiles { changes: self.count(), p50_ms: at(50), p95_ms: at(95), p99_ms: at(99) }
    }
}

impl FromIterator<(u8, u64)> for Delays {
    fn from_iter<I: IntoIterator<Item = (u8, u64)>>(counts: I) -> Delays {
        let mut delays = Delays::default();
        counts.into_iter().for_each(|(bucket, count)| delays.add(bucket, count));
        delays
    }
}

/// The bucket of a delay. What seems to have been written before it happened took no time: one of the clocks was wrong.
pub(super) fn bucket(took: SignedDuration) -> u8 {
    let units = u64::try_from(took.as_millis()).map_or(0, |ms| ms / UNIT_MS);
    if units < PER_DOUBLING {
        return u8::try_from(units).unwrap_or(0);
    }
    let doublings = u64::from(units.ilog2()) - 1;
    let part = (units >> (doublings - 1)) & (PER_DOUBLING - 1);
    u8::try_from(doublings * PER_DOUBLING + part).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The end of a bucket, in milliseconds.
fn end_ms(bucket: u8) -> u64 {
    let (doublings, part) = (u64::from(bucket) / PER_DOUBLING, u64::from(bucket) % PER_DOUBLING);
    if doublings == 0 {
        return (part + 1) * UNIT_MS;
    }
    ((PER_DOUBLING + part + 1) << (doublings - 1)) * UNIT_MS
}

/// Delays as the store adds them up: each bucket once, in the order in which everybody writes them.
pub fn tally(delays: &[Delay]) -> Vec<RuleDelay> {
    let mut counts: BTreeMap<(Ts, u8, RuleId), u64> = BTreeMap::new();
    for delay in delays {
        let micros = delay.written_at.micros();
        let hour = Ts::from_micros(micros.saturating_sub(micros.rem_euclid(HOUR)));
        let took = delay.written_at.since(delay.happened_at);
        *counts.entry((hour, bucket(took), delay.rule)).or_default() += 1;
    }
    counts.into_iter().map(|((hour, bucket, rule), count)| RuleDelay { hour, bucket, rule, count }).collect()
}
