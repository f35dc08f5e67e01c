//! Cursors that a provider refuses: now and then that costs a full reading, again and again people are told. Pure; it reads nothing.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::time::Ts;

/// So many losses within `WITHIN` are told of.
pub const TOLD_FROM: usize = 3;
/// A loss counts for so long, and so long without one it is over.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What became of a calendar's cursor in a reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CursorSeen {
    /// It was taken, or none was shown.
    #[default]
    Kept,
    /// The provider did not know it any more.
    Refused,
}

/// When a calendar's cursor was refused lately, the latest last: at most `TOLD_FROM` of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CursorLosses(Vec<Ts>);

impl CursorLosses {
    /// What is known after a reading.
    #[must_use]
    pub fn after(&self, seen: CursorSeen, now: Ts) -> CursorLosses {
        // A stamp from the future was made by a clock that was wrong.
        let recent = self.0.last().is_some_and(|last| now.since(*last).abs() <= WITHIN);
        let mut times = if recent { self.0.clone() } else { Vec::new() };
        if seen == CursorSeen::Refused {
            times.push(now);
        }
        CursorLosses(times.split_off(times.len().saturating_sub(TOLD_FROM)))
    }

    /// Whether people are told of it.
    pub fn are_too_many(&self) -> bool {
        let span = self.0.first().zip(self.0.last()).map(|(first, last)| last.since(*first));
        self.0.len() >= TOLD_FROM && span.is_some_and(|span| span <= WITHIN)
    }

    /// Whether there was none for so long that it is over.
    pub fn are_over(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_day_are_told_of_until_a_day_without() {
        // The hours in which it was refused, and of a look after that which was answered; then whether it is told, and over.
        let table = [
            ("nothing happened", &[][..], 0, false, true),
            ("once", &[0], 0, false, false),
            ("twice", &[0, 1], 2, false, false),
            ("three times in a day", &[0, 1, 24], 24, true, false),
            ("three times in more", &[0, 1, 25], 25, false, false),
            ("for good", &[0, 1, 2, 3, 4, 5], 5, true, false),
            ("not over yet", &[0, 1, 2], 26, true, false),
            ("over", &[0, 1, 2], 27, false, true),
        ];
        let at = |hour: i64| Ts::from_secs(hour * 3_600);
        for (what, refused, looked, told, over) in table {
            let lost = CursorLosses::default();
            let lost = refused.iter().fold(lost, |lost, hour| lost.after(CursorSeen::Refused, at(*hour)));
            let lost = lost.after(CursorSeen::Kept, at(looked));
            assert_eq!((lost.are_too_many(), lost.are_over()), (told, over), "{what}: {lost:?}");
        }
        let future = CursorLosses(vec![at(2_500)]);
        assert!(future.after(CursorSeen::Kept, at(0)).are_over(), "a clock that was wrong");
    }
}
