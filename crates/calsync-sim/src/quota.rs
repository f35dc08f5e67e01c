//! Counting requests in a stretch of time that slides (google.md §9, quotas; microsoft.md §9). It counts; who asks
//! decides what to refuse.

use std::collections::{BTreeMap, VecDeque};

use calsync_core::time::Ts;

/// How many different callers are counted at the same time; the longest idle one is forgotten beyond that.
const CALLERS_MAX: usize = 500_000;

/// The second of an instant.
fn second(at: Ts) -> i64 {
    at.micros().div_euclid(1_000_000)
}

/// Requests of the last stretch.
#[derive(Debug, Clone, Default)]
struct Stretch {
    seconds: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Stretch {
    fn slide(&mut self, now: i64, seconds: i64) {
        while let Some((at, n)) = self.seconds.front().copied() {
            if at > now - seconds {
                break;
            }
            self.seconds.pop_front();
            self.sum -= n;
        }
    }

    fn add(&mut self, now: i64, cost: u64) {
        match self.seconds.back_mut() {
            Some((at, n)) if *at >= now => *n += cost,
            _ => self.seconds.push_back((now, cost)),
        }
        self.sum += cost;
    }
}

/// Sliding stretches by caller.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    seconds: i64,
    stretches: BTreeMap<String, Stretch>,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota::over(60)
    }
}

impl Quota {
    /// Counting the requests of so many seconds.
    pub(crate) fn over(seconds: i64) -> Quota {
        Quota { seconds, stretches: BTreeMap::new() }
    }

    /// Counts a request of `cost`, unless that would go over `limit`. Says whether it was counted.
    pub(crate) fn admit(&mut self, caller: &str, limit: u64, cost: u64, now: Ts) -> bool {
        let now = second(now);
        let stretch = self.stretch(caller, now);
        let fits = stretch.sum + cost <= limit;
        if fits {
            stretch.add(now, cost);
        }
        fits
    }

    /// Counts a request whatever comes of it, and says whether it was within `limit`.
    pub(crate) fn spend(&mut self, caller: &str, limit: u64, now: Ts) -> bool {
        let now = second(now);
        let stretch = self.stretch(caller, now);
        stretch.add(now, 1);
        stretch.sum <= limit
    }

    fn stretch(&mut self, caller: &str, now: i64) -> &mut Stretch {
        if !self.stretches.contains_key(caller) {
            self.make_room(now);
        }
        let seconds = self.seconds;
        let stretch = self.stretches.entry(caller.to_owned()).or_default();
        stretch.slide(now, seconds);
        stretch
    }

    fn make_room(&mut self, now: i64) {
        let since = now - self.seconds;
        if self.stretches.len() >= CALLERS_MAX {
            self.stretches.retain(|_, stretch| stretch.seconds.back().is_some_and(|(at, _)| *at > since));
        }
        if self.stretches.len() >= CALLERS_MAX {
            self.stretches.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minute_slides_and_refused_requests_do_not_count() {
        let mut quota = Quota::default();
        let mut at = |secs: i64, cost| quota.admit("ann", 10, cost, Ts::from_secs(1_000 + secs));
        assert!(at(0, 4) && at(30, 6));
        assert!(!at(59, 1), "full");
        assert!(at(60, 4), "the first four have slid out");
        assert!(!at(60, 1));
        assert!(at(90, 6));
        assert!(quota.admit("bob", 10, 10, Ts::from_secs(1_000)), "everybody has their own");
    }
    #[test]
    fn refused_requests_can_count_as_well() {
        let mut quota = Quota::over(600);
        let mut at = |secs: i64| quota.spend("ann", 2, Ts::from_secs(1_000 + secs));
        assert_eq!([at(0), at(1), at(2), at(599), at(602)], [true, true, false, false, true]);
    }
}
