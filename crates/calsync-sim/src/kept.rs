//! Values by name, no more than a bound of them: the oldest go first. It knows no time.

use std::collections::{BTreeMap, VecDeque};

/// The newest values, by name.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    most: usize,
    order: VecDeque<String>,
    values: BTreeMap<String, T>,
}

impl<T> Kept<T> {
    /// Room for so many.
    pub(crate) fn of(most: usize) -> Kept<T> {
        Kept { most, order: VecDeque::new(), values: BTreeMap::new() }
    }

    /// Keeps a value; the oldest makes room for it if need be.
    pub(crate) fn put(&mut self, key: String, value: T) {
        while self.order.len() >= self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
    }

    /// The value of this name.
    pub(crate) fn get(&self, key: &str) -> Option<&T> {
        self.values.get(key)
    }

    /// Takes the value of this name out.
    pub(crate) fn take(&mut self, key: &str) -> Option<T> {
        self.values.remove(key)
    }

    /// Keeps only the values that fit.
    pub(crate) fn retain(&mut self, fits: impl Fn(&T) -> bool) {
        self.values.retain(|_, value| fits(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut kept = Kept::of(2);
        for (key, value) in [("a", 1), ("b", 2), ("b", 3), ("c", 4)] {
            kept.put(key.to_owned(), value);
        }
        assert_eq!([kept.get("a"), kept.get("b"), kept.get("c")], [None, Some(&3), Some(&4)]);
        assert_eq!((kept.take("b"), kept.take("b")), (Some(3), None));
    }
}
