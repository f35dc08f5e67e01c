//! What the pages of monitoring call things: levels, states, providers and sizes. Pure.

use calsync_core::alert::AlertLevel;
use calsync_core::calendar::ProviderKind;
use calsync_core::freshness::Standing;
use calsync_core::health::Level;
use calsync_core::notification::ProcessingStatus;
use calsync_core::subscription::{FAILING_FROM, NEGLECTED_AFTER, Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use calsync_pages::Tone;
use calsync_pages::monitoring::{Choice, Pill};

pub(super) const fn level(of: Level) -> Pill {
    match of {
        Level::Healthy => Pill::new(Tone::Good, "Healthy"),
        Level::Degraded => Pill::new(Tone::Warn, "Degraded"),
        Level::Critical => Pill::new(Tone::Bad, "Critical"),
    }
}

pub(super) const fn loudness(of: AlertLevel) -> Pill {
    match of {
        AlertLevel::Info => Pill::new(Tone::Info, "Info"),
        AlertLevel::Warning => Pill::new(Tone::Warn, "Warning"),
        AlertLevel::Error => Pill::new(Tone::Bad, "Error"),
        AlertLevel::Critical => Pill::new(Tone::Bad, "Critical"),
    }
}

/// Providers to be chosen from.
pub(super) fn providers(chosen: &str) -> Vec<Choice> {
    let named = ProviderKind::ALL.iter().map(|kind| (kind.as_str(), kind.name()));
    let all: Vec<_> = std::iter::once(("", "All")).chain(named).collect();
    Choice::among(&all, chosen)
}

/// How a push channel stands.
pub(super) fn standing(of: &Subscription, now: Ts) -> Pill {
    match of.status {
        SubscriptionStatus::Active if of.failure_count >= FAILING_FROM => Pill::new(Tone::Bad, "failing"),
        SubscriptionStatus::Active if !of.is_healthy(now, NEGLECTED_AFTER) => {
            Pill::new(Tone::Warn, "unhealthy")
        }
        SubscriptionStatus::Active => Pill::new(Tone::Good, "in use"),
        SubscriptionStatus::Expired => Pill::new(Tone::Info, "ended"),
        SubscriptionStatus::Failed => Pill::new(Tone::Bad, "refused"),
        SubscriptionStatus::Suspended => Pill::new(Tone::Warn, "suspended"),
    }
}

/// How far a notification has come.
pub(super) const fn processing(of: ProcessingStatus) -> Pill {
    match of {
        ProcessingStatus::Pending => Pill::new(Tone::Info, "pending"),
        ProcessingStatus::Processing => Pill::new(Tone::Info, "being processed"),
        ProcessingStatus::Completed => Pill::new(Tone::Good, "completed"),
        ProcessingStatus::Failed => Pill::new(Tone::Bad, "given up"),
        ProcessingStatus::Retrying => Pill::new(Tone::Warn, "waits for another try"),
    }
}

/// How a rule stands.
pub(super) const fn rule(of: Standing, behind: bool) -> Pill {
    match of {
        _ if behind => Pill::new(Tone::Bad, "behind"),
        Standing::Right => Pill::new(Tone::Good, "right"),
        Standing::Filling => Pill::new(Tone::Info, "being filled"),
        Standing::Waiting => Pill::new(Tone::Warn, "waiting"),
        Standing::Unread => Pill::new(Tone::Warn, "not read"),
        Standing::Held => Pill::new(Tone::Warn, "held"),
        Standing::Refused => Pill::new(Tone::Bad, "refused"),
        Standing::Unreadable => Pill::new(Tone::Bad, "unreadable"),
        Standing::Paused => Pill::new(Tone::Info, "paused"),
    }
}

/// A name of a program's as people read it: `late_jobs` is `Late jobs`.
pub(super) fn name(of: &str) -> String {
    let words = of.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// Bytes, in the unit that leaves one to three digits.
pub(super) fn bytes(of: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut left = of;
    while left >= 1_024 && unit + 1 < UNITS.len() {
        left /= 1_024;
        unit += 1;
    }
    format!("{left} {}", UNITS[unit])
}

/// A share in per cent, rounded down: nearly all is not all.
pub(super) fn percent(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(100).checked_div(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes() {
        assert_eq!(name("late_jobs"), "Late jobs");
        assert_eq!(name(""), "");
        assert_eq!(
            [bytes(0), bytes(1_023), bytes(1_024), bytes(5 << 30)],
            ["0 B", "1023 B", "1 KiB", "5 GiB"]
        );
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!((percent(999, 1_000), percent(1, 0)), (Some(99), None));
    }
}
