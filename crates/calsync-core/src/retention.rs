//! How long what is over is kept: one table for the weekly job and for whoever cleans up by hand. Pure; deletes nothing.

use jiff::SignedDuration;

use crate::ports::Prunable;
use crate::time::Ts;

/// Days for which what is over is kept (spec §9).
pub const RETENTION_DAYS: u16 = 30;
/// Most days that can be asked for.
pub const RETENTION_DAYS_MAX: u16 = 3_650;
/// Who changed what, and what was alarming, is kept for so many days at least.
const RECORD_DAYS: u16 = 365;
/// The memory of blocks that are gone is kept for so many days at least: while its event can still lie ahead, a block that
/// comes back continues the count of its names.
const MEMORY_DAYS: u16 = 30;
/// Figures are kept for so many days at least: a month of them is shown.
const SERIES_DAYS: u16 = 31;
/// Subscriptions are kept for so many days at least after their end: a channel that was opened without our ever hearing of it
/// can live for seven, and the row that was made for it is all by which it is recognised and closed when it delivers.
const CHANNEL_DAYS: u16 = 8;

/// What is over before this goes, where things are kept for `days`.
pub fn cutoff(what: Prunable, days: u16, now: Ts) -> Ts {
    let days = match what {
        Prunable::Notifications | Prunable::Runs | Prunable::Journal => days,
        Prunable::Figures => days.max(SERIES_DAYS),
        Prunable::Subscriptions => days.max(CHANNEL_DAYS),
        Prunable::Ledger => days.max(MEMORY_DAYS),
        Prunable::Audit | Prunable::Alerts => days.max(RECORD_DAYS),
    };
    now.minus(SignedDuration::from_hours(24 * i64::from(days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_as_long_as_it_is_needed() {
        let now = Ts::from_secs(2_000_000_000);
        for (what, days, kept) in [
            (Prunable::Notifications, 30, 30),
            (Prunable::Notifications, 1, 1),
            (Prunable::Subscriptions, 1, 8),
            (Prunable::Subscriptions, 7, 8),
            (Prunable::Subscriptions, 9, 9),
            (Prunable::Runs, 7, 7),
            (Prunable::Journal, 7, 7),
            (Prunable::Figures, 1, 31),
            (Prunable::Figures, 400, 400),
            (Prunable::Ledger, 1, 30),
            (Prunable::Ledger, 90, 90),
            (Prunable::Audit, 30, 365),
            (Prunable::Audit, 400, 400),
            (Prunable::Alerts, 30, 365),
            (Prunable::Alerts, RETENTION_DAYS_MAX, 3_650),
        ] {
            assert_eq!(
                cutoff(what, days, now),
                now.minus(SignedDuration::from_hours(24 * kept)),
                "{what:?} {days}"
            );
        }
    }
}
