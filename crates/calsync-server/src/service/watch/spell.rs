//! Looks that found no database to work with: since when, and whether that is worth a word. One that comes and goes is as bad as
//! one that is away; one look in which it did not answer is no outage. Pure.

use std::time::Duration;

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use tokio::time::Instant;

/// A moment's silence is no outage.
pub(super) const TOLD_AFTER: Duration = Duration::from_secs(10);
/// It is over when it has been well for so long; what fails again within this time goes on.
const CALM: Duration = Duration::from_secs(30);
/// One bad look may be chance.
const LOOKS_MIN: u32 = 2;

/// A stretch of bad looks, with good ones in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Spell {
    began: Option<(Instant, Ts)>,
    bad: u32,
    good_since: Option<Instant>,
}

impl Spell {
    /// A bad look. Since when it is bad, if it has been for as long as `patience`.
    pub(super) fn bad(&mut self, at: Instant, wall: Ts, patience: Duration) -> Option<Ts> {
        if self.good_since.is_some_and(|since| at.saturating_duration_since(since) >= CALM) {
            *self = Spell::default();
        }
        self.good_since = None;
        self.bad = self.bad.saturating_add(1);
        let (began, seen) = *self.began.get_or_insert((at, wall));
        let lasts = at.saturating_duration_since(began) >= patience && self.bad >= LOOKS_MIN;
        lasts.then_some(seen)
    }

    /// A good look: for how long it had been bad, if this is the first good one.
    pub(super) fn good(&mut self, at: Instant) -> Option<Duration> {
        let (began, _) = self.began?;
        let first = self.good_since.is_none();
        let since = *self.good_since.get_or_insert(at);
        if at.saturating_duration_since(since) >= CALM {
            *self = Spell::default();
        }
        first.then(|| at.saturating_duration_since(began))
    }

    /// Nothing was bad lately.
    pub(super) fn is_over(&self) -> bool {
        self.began.is_none()
    }
}

/// Whether a database that can be read takes writes, by what became of the watch's own row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Writes {
    fail_since: Option<Instant>,
}

impl Writes {
    /// One that does not answer takes nothing. Any other error may be over in a moment; one that lasts is as bad.
    pub(super) fn refused<T>(&mut self, kept: &Result<T, StoreError>, at: Instant) -> bool {
        let Err(error) = kept else {
            self.fail_since = None;
            return false;
        };
        let since = *self.fail_since.get_or_insert(at);
        matches!(error, StoreError::Unavailable(_)) || at.saturating_duration_since(since) >= TOLD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> (Instant, Ts) {
        (start + Duration::from_secs(seconds), Ts::from_secs(1_000_000 + i64::try_from(seconds).unwrap()))
    }

    #[test]
    fn what_comes_and_goes_is_told_and_a_moment_is_not() {
        // Seconds of bad looks; good ones are every five seconds in between. When it is first worth a word, and since when.
        type Told = Option<(u64, i64)>;
        let cases: [(&[u64], Told); 6] = [
            (&[0], None),
            (&[0, 5], None),
            (&[0, 5, 10], Some((10, 0))),
            (&[0, 15, 30], Some((15, 0))),
            (&[0, 25, 50], Some((25, 0))),
            // So far apart each is a moment of its own.
            (&[0, 40, 80, 120], None),
        ];
        for (bad, expected) in cases {
            let (start, mut spell, mut told) = (Instant::now(), Spell::default(), None);
            for second in (0..=130).step_by(5) {
                let (now, wall) = at(start, second);
                if !bad.contains(&second) {
                    spell.good(now);
                } else if let (None, Some(since)) = (told, spell.bad(now, wall, TOLD_AFTER)) {
                    told = Some((second, since.since(at(start, 0).1).as_secs()));
                }
            }
            assert_eq!(told, expected, "{bad:?}");
            assert!(spell.is_over() || bad.contains(&120), "{bad:?}");
        }
    }

    #[test]
    fn its_end_is_seen_once_and_it_is_over_after_a_calm() {
        let (start, mut spell) = (Instant::now(), Spell::default());
        assert_eq!(spell.good(start), None);
        spell.bad(at(start, 0).0, at(start, 0).1, TOLD_AFTER);
        assert_eq!(spell.good(at(start, 5).0), Some(Duration::from_secs(5)));
        assert_eq!(spell.good(at(start, 10).0), None);
        assert!(!spell.is_over());
        spell.good(at(start, 35).0);
        assert!(spell.is_over());
    }

    #[test]
    fn an_error_that_lasts_is_as_bad_as_silence() {
        let start = Instant::now();
        for (error, after) in [
            (StoreError::Unavailable("away".to_owned()), 0),
            (StoreError::Contended("busy".to_owned()), 10),
            (StoreError::Corrupt("damaged".to_owned()), 10),
        ] {
            let mut writes = Writes::default();
            for second in 0..20 {
                let refused = writes.refused::<()>(&Err(error.clone()), at(start, second).0);
                assert_eq!(refused, second >= after, "{error} after {second} s");
            }
            assert!(!writes.refused(&Ok(()), at(start, 20).0));
            let again = writes.refused::<()>(&Err(error.clone()), at(start, 21).0);
            assert_eq!(again, after == 0, "a good look forgets it");
        }
    }
}
