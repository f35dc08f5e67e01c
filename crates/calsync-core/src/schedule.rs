//! When a calendar is looked at next, how, and what a failure leads to: pure functions over its row.

use jiff::SignedDuration;

use crate::calendar::Calendar;
use crate::ids::CalendarId;
use crate::notification::RETRY_STEPS;
use crate::ports::{ErrorClass, ProviderError};
use crate::run::RunKind;
use crate::subscription::{SILENCE_LIMIT, Subscription};
use crate::time::Ts;

/// Shortest wait that a rate limit without `Retry-After` leads to.
const RATE_LIMIT_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// Longest wait that a provider may impose on us before we look again by ourselves.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);

/// How a calendar is kept up to date (spec §6). Never two at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Its push channel tells.
    Webhook,
    /// It has a channel that does not deliver well: it is polled while the channel is mended.
    PollingAndRepair,
    /// It is polled.
    Polling,
}

/// How often calendars are looked at without being told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intervals {
    /// Calendars that can't push (spec §6: 5 min).
    pub poll: SignedDuration,
    /// Calendars whose push is failing (spec §6: 1 h).
    pub fallback_poll: SignedDuration,
    /// The safety net (spec §6: daily).
    pub full: SignedDuration,
}

impl Default for Intervals {
    fn default() -> Self {
        Intervals {
            poll: SignedDuration::from_mins(5),
            fallback_poll: SignedDuration::from_hours(1),
            full: SignedDuration::from_hours(24),
        }
    }
}

/// How this calendar is kept up to date now.
pub fn method(active: Option<&Subscription>, now: Ts) -> Method {
    match active {
        Some(s) if s.is_healthy(now, SILENCE_LIMIT) => Method::Webhook,
        Some(_) => Method::PollingAndRepair,
        None => Method::Polling,
    }
}

/// When its next full listing is due: within the last quarter of the interval, each calendar at its own time, so that
/// a fleet that started in one minute does not list in one minute.
fn full_due_at(calendar: &Calendar, intervals: &Intervals) -> Option<Ts> {
    let last = calendar.last_full_sync?;
    let quarter = intervals.full / 4;
    let earlier = quarter.as_micros() as i64 / 1024 * i64::from(spread(calendar.id));
    Some(last.plus(intervals.full).minus(SignedDuration::from_micros(earlier)))
}

/// 0..1024, the same for a calendar in every instance and version.
fn spread(id: CalendarId) -> u16 {
    let bytes = id.0.as_bytes();
    (u16::from(bytes[14]) << 8 | u16::from(bytes[15])) % 1024
}

/// Whether and how to read the calendar now. `None`: its blocks may want planning, but it need not be read.
pub fn reading(calendar: &Calendar, active: Option<&Subscription>, intervals: &Intervals, now: Ts) -> Option<RunKind> {
    if !calendar.sync_enabled || calendar.missing {
        return None;
    }
    let full_due = full_due_at(calendar, intervals).is_none_or(|at| now >= at);
    if calendar.cursor.is_none() || calendar.full_due || full_due {
        return Some(RunKind::Full);
    }
    if calendar.is_dirty() {
        return Some(if active.is_some() { RunKind::Webhook } else { RunKind::Polling });
    }
    (now >= poll_due_at(calendar, active, intervals, now)?).then_some(RunKind::Polling)
}

/// When it is polled next; `None` where its channel tells.
fn poll_due_at(calendar: &Calendar, active: Option<&Subscription>, intervals: &Intervals, now: Ts) -> Option<Ts> {
    let last = calendar.last_synced_at.unwrap_or(Ts::MIN);
    match method(active, now) {
        Method::Webhook => {
            // When it falls silent for too long, somebody must look whether it is quiet or dead (spec §6).
            let silent_from = active.map(|s| s.last_notification_at.unwrap_or(s.created_at).max(last))?;
            Some(silent_from.plus(SILENCE_LIMIT))
        }
        Method::PollingAndRepair if !calendar.fallback_polling_enabled => None,
        Method::PollingAndRepair => Some(last.plus(intervals.fallback_poll)),
        Method::Polling => Some(last.plus(intervals.poll)),
    }
}

/// When it is to be looked at next, all being well.
pub fn next_due(calendar: &Calendar, active: Option<&Subscription>, intervals: &Intervals, now: Ts) -> Option<Ts> {
    if !calendar.sync_enabled || calendar.missing {
        return None;
    }
    if calendar.is_dirty() || calendar.full_due || calendar.cursor.is_none() {
        return Some(now);
    }
    [poll_due_at(calendar, active, intervals, now), full_due_at(calendar, intervals)].into_iter().flatten().min()
}

/// When to try again after a failure in a row of `streak` (counting this one). `None`: only a person can help.
pub fn after_error(error: &ProviderError, streak: u32, now: Ts) -> Option<Ts> {
    let wait = match error.class {
        ErrorClass::Unauthorized | ErrorClass::Permanent | ErrorClass::Gone | ErrorClass::Invalid => return None,
        ErrorClass::RateLimited => error.retry_after.unwrap_or(RATE_LIMIT_WAIT).max(SignedDuration::from_secs(1)),
        _ => RETRY_STEPS[(streak.max(1) as usize - 1).min(RETRY_STEPS.len() - 1)],
    };
    Some(now.plus(wait.min(WAIT_MAX)))
}
