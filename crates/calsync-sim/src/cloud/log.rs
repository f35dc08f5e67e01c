//! What changed after what: each thing stands in the log once, at its latest change, so that the log never grows
//! beyond the number of things. It keeps order, not history.

use std::collections::BTreeMap;

/// A log of the latest change of each `K`.
#[derive(Debug, Clone)]
pub struct ChangeLog<K> {
    last: u64,
    floor: u64,
    by_number: BTreeMap<u64, K>,
    number_of: BTreeMap<K, u64>,
}

impl<K: Ord + Clone> Default for ChangeLog<K> {
    fn default() -> Self {
        ChangeLog { last: 0, floor: 0, by_number: BTreeMap::new(), number_of: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> ChangeLog<K> {
    /// Notes that `key` changed now. Returns the change's number.
    pub fn note(&mut self, key: &K) -> u64 {
        self.last += 1;
        if let Some(old) = self.number_of.insert(key.clone(), self.last) {
            self.by_number.remove(&old);
        }
        self.by_number.insert(self.last, key.clone());
        self.last
    }

    /// Takes `key` out, as if it had never been.
    pub fn forget(&mut self, key: &K) {
        if let Some(old) = self.number_of.remove(key) {
            self.by_number.remove(&old);
        }
    }

    /// The number of the latest change of all.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The number of the latest change of `key`.
    pub fn number_of(&self, key: &K) -> Option<u64> {
        self.number_of.get(key).copied()
    }

    /// What changed after number `after`, up to and with number `upto`, oldest first. Something that changed again
    /// later is not in here: it will be in the next stretch (google.md §4 rule 1).
    pub fn between(&self, after: u64, upto: u64) -> impl Iterator<Item = (u64, &K)> {
        // `range` panics on a start beyond its end.
        let first = after.saturating_add(1).min(upto.saturating_add(1));
        self.by_number.range(first..=upto.max(first)).map(|(n, k)| (*n, k)).filter(move |(n, _)| *n <= upto)
    }

    /// Whether a reader who knows everything up to number `after` can still be told what came later.
    pub fn reaches(&self, after: u64) -> bool {
        after >= self.floor && after <= self.last
    }

    /// Makes every number given out so far too old (google.md §4 rule 5).
    pub fn expire(&mut self) {
        self.last += 1;
        self.floor = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_stands_at_its_latest_change() {
        let mut log = ChangeLog::default();
        for key in ["a", "b", "c", "a"] {
            log.note(&key);
        }
        let seen = |after, upto| log.between(after, upto).map(|(_, k)| *k).collect::<Vec<_>>();
        assert_eq!(seen(0, log.last()), ["b", "c", "a"]);
        assert_eq!(seen(0, 3), ["b", "c"], "a changed again after the walk began");
        assert_eq!(seen(3, 4), ["a"]);
        assert!(seen(4, 4).is_empty() && seen(9, 4).is_empty());
    }

    #[test]
    fn old_numbers_can_be_made_useless() {
        let mut log = ChangeLog::default();
        let old = log.note(&1);
        assert!(log.reaches(old) && log.reaches(0) && !log.reaches(old + 1));
        log.expire();
        assert!(!log.reaches(old) && log.reaches(log.last()));
    }
}
