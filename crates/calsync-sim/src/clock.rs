//! The simulator's own time: it stands still until moved, or runs from a given instant by the machine's monotonic
//! clock. It never asks what the time is on the wall; whoever starts the simulator says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use calsync_core::time::Ts;
use jiff::SignedDuration;

/// A clock that several hands may hold: clones show, and move, the same time.
#[derive(Debug, Clone)]
pub struct SimClock {
    base: Arc<AtomicI64>,
    started: Option<Instant>,
}

impl SimClock {
    /// A clock that stands at `now` until [`SimClock::advance`].
    pub fn still(now: Ts) -> SimClock {
        SimClock { base: Arc::new(AtomicI64::new(now.micros())), started: None }
    }

    /// A clock that shows `now` and runs from here on.
    pub fn running(now: Ts) -> SimClock {
        SimClock { started: Some(Instant::now()), ..SimClock::still(now) }
    }

    /// The time.
    pub fn now(&self) -> Ts {
        let ran = self.started.map_or(0, |at| i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX));
        Ts::from_micros(self.base.load(Ordering::SeqCst).saturating_add(ran))
    }

    /// Moves the clock on (or back, if negative).
    pub fn advance(&self, by: SignedDuration) {
        let moved = Ts::from_micros(self.base.load(Ordering::SeqCst)).plus(by);
        self.base.store(moved.micros(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_clock_moves_only_by_hand_and_for_all_its_holders() {
        let clock = SimClock::still(Ts::from_secs(100));
        let other = clock.clone();
        other.advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now(), Ts::from_secs(105));
    }

    #[test]
    fn a_running_clock_never_goes_back_by_itself() {
        let clock = SimClock::running(Ts::from_secs(100));
        let first = clock.now();
        assert!(first >= Ts::from_secs(100) && clock.now() >= first);
    }
}
