//! Whether the clock was set: compares it with the time that passes. Reads neither.

use std::time::Duration;

use calsync_core::time::Ts;
use tokio::time::Instant;

/// A clock that was set is told of for so long.
const JUMP_TOLD: Duration = Duration::from_secs(10 * 60);
/// How far a clock may be from the time that has passed, in seconds, before that is worth a word.
const JUMP_SLACK: i64 = 5;
/// Compares the clock with the time that passes.
pub(super) struct ClockWatch {
    wall: Ts,
    at: Instant,
    jumped: Option<(i64, Instant)>,
}

impl ClockWatch {
    pub(super) fn new(wall: Ts) -> ClockWatch {
        ClockWatch { wall, at: Instant::now(), jumped: None }
    }

    /// By how many seconds the clock was set lately, if it was.
    pub(super) fn look(&mut self, wall: Ts, at: Instant) -> Option<i64> {
        let passed = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let shown = wall.since(self.wall).as_millis();
        let jump = (i64::try_from(shown).unwrap_or(i64::MAX).saturating_sub(passed)) / 1_000;
        (self.wall, self.at) = (wall, at);
        if jump.abs() >= JUMP_SLACK {
            let before = self.jumped.map_or(0, |(jump, _)| jump);
            self.jumped = Some((before.saturating_add(jump), at));
        }
        self.jumped
            .filter(|(_, since)| at.saturating_duration_since(*since) < JUMP_TOLD)
            .map(|(jump, _)| jump)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_of_for_a_while() {
        let (start, wall) = (Instant::now(), Ts::from_secs(1_000_000));
        let mut clock = ClockWatch { wall, at: start, jumped: None };
        let mut look = |passed: u64, shown: i64| {
            clock.look(wall.plus(SignedDuration::from_secs(shown)), start + Duration::from_secs(passed))
        };
        assert_eq!(look(5, 5), None);
        assert_eq!(look(10, 14), None, "a clock that is slewed");
        assert_eq!(look(15, 3_600 + 19), Some(3_600));
        assert_eq!(look(60, 3_600 + 64), Some(3_600));
        assert_eq!(look(65, 69), Some(0), "it was set back: nothing to tell");
        assert_eq!(look(70, 74 - 500), Some(-500));
        assert_eq!(look(669, 673 - 500), Some(-500));
        assert_eq!(look(671, 675 - 500), None, "told for long enough");
    }
}
