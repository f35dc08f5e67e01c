//! How well a push channel delivers, measured: every change is either told of by the channel or found first by a look. Pure
//! arithmetic over what looks showed; it knows no provider and no clock.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::time::Ts;

/// A change that a look found first is missed if no delivery follows within this time. Microsoft gives itself up to three
/// minutes for calendars (microsoft.md §8.6); Google takes seconds.
pub const GRACE: SignedDuration = SignedDuration::from_mins(4);
/// Who found a change and who received the delivery may be two machines.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(30);
/// So many changes are remembered, those before count less and less.
const REMEMBERED: u32 = 64;
/// A look that finds more changes than this weighs as if it had found so many: one lost delivery may have told of them all.
const WEIGHT_MAX: u32 = 8;
/// Deliveries that a channel is credited with before it has shown anything: one miss alone condemns nobody.
const CREDIT: u32 = 8;

/// What is known of a channel's deliveries. A channel that replaces another inherits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Delivery {
    /// Changes that it told of, lately.
    pub heard: u32,
    /// Changes that a look found first, lately.
    pub missed: u32,
    /// Misses in a row.
    pub missed_streak: u32,
    /// Changes that a look found first, for which a delivery may still be on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unannounced: Option<Unannounced>,
}

/// Changes found by a look before they were told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unannounced {
    /// When the look began.
    pub found_at: Ts,
    /// How many.
    pub changes: u32,
}

/// What a look at a calendar says of its channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look<'a> {
    /// When it began.
    pub began_at: Ts,
    /// When the calendar had last been read.
    pub since: Option<Ts>,
    /// The deliveries that asked for it, by when they were received: however long ago, nobody has answered them yet.
    pub told: &'a [Ts],
    /// When the channel last delivered anything.
    pub heard_at: Option<Ts>,
    /// Changes that it found.
    pub changes: u32,
}

impl Delivery {
    /// The share of changes that the channel told of, 0 to 1. A new channel is believed until it has shown otherwise.
    pub fn ratio(&self) -> f64 {
        let (heard, all) = (self.heard + CREDIT, self.heard + self.missed + CREDIT);
        f64::from(heard) / f64::from(all)
    }

    /// When the changes without a delivery count as missed, if there are any.
    pub fn judged_at(&self) -> Option<Ts> {
        self.unannounced.map(|open| open.found_at.plus(GRACE))
    }

    /// What is known after a look.
    #[must_use]
    pub fn after(self, look: Look<'_>) -> Delivery {
        let mut now = self;
        // A stamp from the future was made by a clock that was wrong.
        let heard_at = look.heard_at.filter(|at| *at <= look.began_at.plus(GRACE));
        if let Some(open) = self.unannounced {
            let from = open.found_at.minus(CLOCKS_APART);
            let in_time = |at: &Ts| *at >= from && *at <= open.found_at.plus(GRACE);
            let told = look.told.iter().chain(&heard_at).any(in_time);
            // From the future: the clock that wrote it was wrong, and it will never come true.
            let absurd = open.found_at > look.began_at.plus(GRACE);
            if told || absurd {
                now = Delivery { unannounced: None, ..now }.heard(if told { open.changes } else { 0 });
            } else if look.began_at >= open.found_at.plus(GRACE) {
                now = Delivery { unannounced: None, ..now }.missed(open.changes);
            }
        }
        let unanswered = |at: Ts| look.since.is_some_and(|since| at > since);
        let told = !look.told.is_empty()
            || heard_at.is_some_and(|at| unanswered(at) || look.began_at.since(at) <= GRACE);
        if told {
            // Whatever it told of (perhaps of what we did ourselves): it lives.
            return Delivery { missed_streak: 0, ..now }.heard(look.changes);
        }
        if look.changes == 0 {
            return now;
        }
        let open = now.unannounced.unwrap_or(Unannounced { found_at: look.began_at, changes: 0 });
        let changes = open.changes.saturating_add(look.changes);
        Delivery { unannounced: Some(Unannounced { changes, ..open }), ..now }
    }

    /// What a channel starts with that takes the place of this one.
    #[must_use]
    pub fn inherited(self) -> Delivery {
        Delivery { unannounced: None, ..self }
    }

    fn heard(self, changes: u32) -> Delivery {
        if changes == 0 {
            return self;
        }
        let now = self.faded();
        Delivery { heard: now.heard + changes.min(WEIGHT_MAX), missed_streak: 0, ..now }
    }

    fn missed(self, changes: u32) -> Delivery {
        let (now, streak) = (self.faded(), self.missed_streak.saturating_add(1));
        Delivery { missed: now.missed + changes.clamp(1, WEIGHT_MAX), missed_streak: streak, ..now }
    }

    /// What was long ago counts half.
    fn faded(self) -> Delivery {
        if self.heard + self.missed < REMEMBERED {
            return self;
        }
        Delivery { heard: self.heard / 2, missed: self.missed / 2, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Ts {
        Ts::from_secs(minute * 60)
    }

    /// A look at `minute` in a calendar that is read every minute.
    fn look(minute: i64, heard: Option<i64>, changes: u32) -> Look<'static> {
        let since = Some(at(minute - 1));
        Look { began_at: at(minute), since, told: &[], heard_at: heard.map(at), changes }
    }

    fn after(looks: &[Look<'_>]) -> Delivery {
        looks.iter().fold(Delivery::default(), |d, l| d.after(*l))
    }

    #[test]
    fn every_change_is_told_of_or_missed() {
        let open = |minute, changes| Some(Unannounced { found_at: at(minute), changes });
        let of = |heard, missed, missed_streak, unannounced| Delivery {
            heard,
            missed,
            missed_streak,
            unannounced,
        };
        let table: [(&[Look<'_>], Delivery, &str); 12] = [
            (&[look(10, None, 0)], of(0, 0, 0, None), "nothing happened"),
            (&[look(10, Some(10), 2)], of(2, 0, 0, None), "told of"),
            (&[look(10, Some(5), 1)], of(0, 0, 0, open(10, 1)), "that delivery was of something else"),
            (&[look(10, None, 1)], of(0, 0, 0, open(10, 1)), "found first, and perhaps told of soon"),
            (&[look(10, None, 1), look(11, Some(11), 0)], of(1, 0, 0, None), "told of after all"),
            (&[look(10, None, 1), look(13, None, 0)], of(0, 0, 0, open(10, 1)), "it may still come"),
            (&[look(10, None, 1), look(14, None, 0)], of(0, 1, 1, None), "missed"),
            (
                &[look(10, None, 1), look(60, Some(60), 1)],
                of(1, 1, 0, None),
                "missed, and the next one told of",
            ),
            (
                &[look(10, None, 1), look(12, None, 2), look(14, None, 0)],
                of(0, 3, 1, None),
                "two looks, one miss",
            ),
            (&[look(10, None, 1), look(14, None, 1), look(18, None, 0)], of(0, 2, 2, None), "two in a row"),
            (&[look(10, None, 1), look(14, None, 0), look(30, Some(29), 0)], of(0, 1, 0, None), "it lives"),
            (&[look(90, None, 1), look(10, None, 0)], of(0, 0, 0, None), "found by a clock that was ahead"),
        ];
        for (looks, expected, what) in table {
            assert_eq!(after(looks), expected, "{what}");
        }
    }

    /// Workers that were stopped, readings that failed: what waited for them was told of all the same.
    #[test]
    fn a_delivery_that_had_to_wait_is_none_that_was_missed() {
        let late = [at(10), at(16)];
        let waited = Look { since: Some(at(5)), told: &late, ..look(40, Some(16), 3) };
        assert_eq!(after(&[waited]).heard, 3, "half an hour in the queue");
        let failed = Look { since: Some(at(5)), ..look(40, Some(10), 3) };
        assert_eq!(after(&[failed]).heard, 3, "picked up by a reading that failed");
        let open = look(12, None, 1);
        let early = [at(13), at(30)];
        let both = Look { told: &early, ..look(40, Some(30), 0) };
        assert_eq!(
            after(&[open, both]),
            Delivery { heard: 1, ..Delivery::default() },
            "the first of them came in time"
        );
        let answered = Look { since: Some(at(11)), ..look(40, Some(10), 3) };
        assert!(after(&[answered]).unannounced.is_some(), "that one was answered long ago");
        let ahead = look(40, Some(9_000), 3);
        assert!(after(&[ahead]).unannounced.is_some(), "heard of by a clock that was ahead");
    }

    #[test]
    fn the_ratio_follows_what_happens() {
        let run = |from: Delivery, n: i64, told: bool| {
            (0..n).fold(from, |d, i| {
                let found = d.after(look(i * 10, told.then_some(i * 10), 1));
                found.after(look(i * 10 + 5, None, 0))
            })
        };
        assert!((Delivery::default().ratio() - 1.0).abs() < 1e-9);
        let one_miss = run(Delivery::default(), 1, false);
        assert!((0.88..0.9).contains(&one_miss.ratio()), "{}", one_miss.ratio());
        let dead = run(Delivery::default(), 20, false);
        assert!(dead.ratio() < 0.3 && dead.missed_streak == 20, "{dead:?}");
        let mended = run(dead, 64, true);
        assert!(mended.ratio() > 0.8 && mended.missed_streak == 0, "{mended:?}");
        assert!(run(mended, 200, true).ratio() > 0.99, "what was long ago is forgotten");
        let good = run(Delivery::default(), 1_000, true);
        assert!(good.heard < REMEMBERED + WEIGHT_MAX && (good.ratio() - 1.0).abs() < 1e-9, "{good:?}");
        assert!(run(good, 1, false).missed == 1, "what is rare is not rounded away");
        let import = after(&[look(10, None, 5_000), look(20, None, 0)]);
        assert!(import.ratio() >= 0.5, "one lost delivery, however much it told of: {import:?}");
    }
}
