//! A list of ids in a line of the log: the first few. How many there are stands beside it. Pure.

use std::fmt;

/// Ids that are named.
pub const NAMED: usize = 5;

/// The first of them.
#[derive(Clone, Copy, Debug)]
pub struct Few<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for Few<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (n, id) in self.0.iter().take(NAMED).enumerate() {
            f.write_str(if n == 0 { "" } else { ", " })?;
            id.fmt(f)?;
        }
        f.write_str(if self.0.len() > NAMED { ", …]" } else { "]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_ids_are_a_few() {
        let all: Vec<u32> = (0..1_000).collect();
        assert_eq!(Few(&all).to_string(), "[0, 1, 2, 3, 4, …]");
        assert_eq!(Few(&all[..2]).to_string(), "[0, 1]");
        assert_eq!(Few::<u32>(&[]).to_string(), "[]");
    }
}
