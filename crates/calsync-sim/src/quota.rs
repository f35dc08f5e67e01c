//! Counting requests in a minute that slides (google.md §9, quotas). It counts; who asks decides what to refuse.

use std::collections::{BTreeMap, VecDeque};

use calsync_core::time::Ts;

/// How many different callers are counted at the same time; the longest idle one is forgotten beyond that.
const CALLERS_MAX: usize = 500_000;

/// The second of an instant.
fn second(at: Ts) -> i64 {
    at.micros().div_euclid(1_000_000)
}

/// Requests of the last sixty seconds.
#[derive(Debug, Clone, Default)]
struct Minute {
    seconds: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Minute {
    fn slide(&mut self, now: i64) {
        while let Some((at, n)) = self.seconds.front().copied() {
            if at > now - 60 {
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

/// Sliding minutes by caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quota {
    minutes: BTreeMap<String, Minute>,
}

impl Quota {
    /// Counts a request of `cost`, unless that would go over `limit`. Says whether it was counted.
    pub(crate) fn admit(&mut self, caller: &str, limit: u64, cost: u64, now: Ts) -> bool {
        let now = second(now);
        if !self.minutes.contains_key(caller) {
            self.make_room(now);
            self.minutes.insert(caller.to_owned(), Minute::default());
        }
        let Some(minute) = self.minutes.get_mut(caller) else { return true };
        minute.slide(now);
        let fits = minute.sum + cost <= limit;
        if fits {
            minute.add(now, cost);
        }
        fits
    }

    fn make_room(&mut self, now: i64) {
        if self.minutes.len() >= CALLERS_MAX {
            self.minutes.retain(|_, minute| minute.seconds.back().is_some_and(|(at, _)| *at > now - 60));
        }
        if self.minutes.len() >= CALLERS_MAX {
            self.minutes.pop_first();
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
}
