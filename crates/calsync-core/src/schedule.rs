//! When a calendar is looked at next, how, and what a failure leads to: pure functions over its row.

use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::calendar::Calendar;
use crate::ids::CalendarId;
use crate::notification::RETRY_STEPS;
use crate::ports::{ErrorClass, ProviderError};
use crate::run::RunKind;
use crate::subscription::{FailureStep, SILENCE_LIMIT, Subscription, failure_step};
use crate::time::Ts;

/// Shortest wait that a rate limit without `Retry-After` leads to.
const RATE_LIMIT_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// Longest wait that a provider may impose on us before we look again by ourselves.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Moments over which the full listings of a fleet are spread.
const SPREAD_STEPS: i32 = 1024;

/// How far ahead of ours a stamp may lie before the clock that made it is taken for wrong.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(1);

/// A channel that tells of a smaller share of changes than this is not relied on.
pub const RELIABLE_FROM: f64 = 0.8;

/// How a calendar is kept up to date (spec §6). Never two at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
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
    /// Calendars whose push is failing (spec §6: 1 h). The less of the changes a channel tells of, the nearer to `poll`.
    pub fallback_poll: SignedDuration,
    /// The safety net (spec §6: daily).
    pub full: SignedDuration,
    /// Calendars whose channels are relied on, too, while push as a whole is in doubt (spec §8).
    pub beside_push: Option<SignedDuration>,
}

impl Default for Intervals {
    fn default() -> Self {
        Intervals {
            poll: SignedDuration::from_mins(5),
            fallback_poll: SignedDuration::from_hours(1),
            full: SignedDuration::from_hours(24),
            beside_push: None,
        }
    }
}

/// How this calendar is kept up to date now. A channel that nobody heard of for a while is still trusted if a reading
/// since then succeeded and no failure is counted against it: it is quiet, not dead (spec §6).
pub fn method(calendar: &Calendar, active: Option<&Subscription>, now: Ts) -> Method {
    let Some(channel) = active else { return Method::Polling };
    let failing = failure_step(channel.failure_count) >= FailureStep::Repair
        || channel.delivery.ratio() < RELIABLE_FROM;
    let verified =
        channel.failure_count == 0 && channel.is_alive_since(calendar.last_synced_at, now, SILENCE_LIMIT);
    if !failing && (verified || channel.is_healthy(now, SILENCE_LIMIT)) {
        Method::Webhook
    } else {
        Method::PollingAndRepair
    }
}

/// When its next full listing is due: within the last quarter of the interval, each calendar at its own time, so that
/// a fleet that started in one minute does not list in one minute.
fn full_due_at(calendar: &Calendar, intervals: &Intervals, now: Ts) -> Option<Ts> {
    // A stamp from the future was made by a clock that was wrong: then it is as if there were none.
    let last = calendar.last_full_sync.filter(|last| *last <= now.plus(CLOCK_SLACK))?;
    let quarter = intervals.full / 4;
    let earlier = quarter / SPREAD_STEPS * spread(calendar.id);
    Some(last.plus(intervals.full).minus(earlier))
}

/// 0..SPREAD_STEPS, the same for a calendar in every instance and version.
fn spread(id: CalendarId) -> i32 {
    let bytes = id.0.as_bytes();
    i32::from(u16::from_be_bytes([bytes[14], bytes[15]])) % SPREAD_STEPS
}

/// Whether and how to read the calendar now. `None`: its blocks may want planning, but it need not be read.
pub fn reading(
    calendar: &Calendar,
    active: Option<&Subscription>,
    intervals: &Intervals,
    now: Ts,
) -> Option<RunKind> {
    if !calendar.sync_enabled || calendar.missing {
        return None;
    }
    if read_not_before(calendar, now).is_some_and(|at| now < at) {
        return None;
    }
    let full_due = full_due_at(calendar, intervals, now).is_none_or(|at| now >= at);
    if calendar.cursor.is_none() || calendar.full_due || full_due {
        return Some(RunKind::Full);
    }
    if calendar.is_dirty() {
        return Some(if active.is_some() { RunKind::Webhook } else { RunKind::Polling });
    }
    if now < poll_due_at(calendar, active, intervals, now)? {
        return None;
    }
    // A look might as well be the full listing that is due before the next look.
    let next =
        poll_due_at(&Calendar { last_synced_at: Some(now), ..calendar.clone() }, active, intervals, now);
    let full_near =
        full_due_at(calendar, intervals, now).is_none_or(|full| next.is_none_or(|next| full <= next));
    Some(if full_near && !is_second_look(active) { RunKind::Full } else { RunKind::Polling })
}

/// Whether a look is taken only to see if a delivery came after all.
fn is_second_look(active: Option<&Subscription>) -> bool {
    active.is_some_and(|channel| channel.delivery.unannounced.is_some())
}

/// After failures in a row: not before this time, whatever else asks for the calendar. New changes wait as well: the
/// provider has just failed for this very calendar.
pub fn read_not_before(calendar: &Calendar, now: Ts) -> Option<Ts> {
    let streak = usize::try_from(calendar.webhook_failure_streak).unwrap_or(usize::MAX);
    let last = calendar.last_webhook_failure.filter(|at| streak > 0 && *at <= now)?;
    Some(last.plus(RETRY_STEPS[(streak - 1).min(RETRY_STEPS.len() - 1)]))
}

/// When it is polled next; `None` where its channel tells.
fn poll_due_at(
    calendar: &Calendar,
    active: Option<&Subscription>,
    intervals: &Intervals,
    now: Ts,
) -> Option<Ts> {
    let last = calendar.last_synced_at.filter(|last| *last <= now.plus(CLOCK_SLACK)).unwrap_or(Ts::MIN);
    let by_method = match method(calendar, active, now) {
        Method::Webhook => {
            // When it falls silent for too long, somebody must look whether it is quiet or dead (spec §6).
            // A stamp from the future was made by a clock that was wrong: then it is as if there were none.
            let known = |at: &Ts| *at <= now;
            let heard = |s: &Subscription| s.last_notification_at.filter(|_| !echoes_only(calendar));
            let signs = |s: &Subscription| [heard(s), Some(s.created_at), calendar.last_synced_at];
            let heard_at =
                active.map(|s| signs(s).into_iter().flatten().filter(known).max().unwrap_or(Ts::MIN));
            let probed = heard_at
                .map(|at| at.plus(probe_after(active.map_or(1.0, |s| s.delivery.ratio()), intervals)));
            // What was delivered says nothing of what was not.
            let beside = intervals.beside_push.map(|interval| last.plus(interval));
            [probed, beside].into_iter().flatten().min()
        }
        Method::PollingAndRepair if !calendar.fallback_polling_enabled => None,
        Method::PollingAndRepair => {
            Some(last.plus(fallback_after(active.map_or(0.0, |s| s.delivery.ratio()), intervals)))
        }
        Method::Polling => Some(last.plus(intervals.poll)),
    };
    // A change that nobody told of: in a moment it is known whether the delivery was late or lost.
    let judged_at = active.and_then(|s| s.delivery.judged_at());
    [by_method, judged_at].into_iter().flatten().min()
}

/// Whether all that was delivered since the calendar was last read told nothing new, so that it was not read for it. That a
/// channel tells of our own writes does not say that it tells of everything: somebody looks as if it had been silent.
fn echoes_only(calendar: &Calendar) -> bool {
    calendar.webhook_last_activity.is_some_and(|at| calendar.last_synced_at.is_some_and(|read| at > read))
}

/// How long a channel that is relied on may be silent: the less reliable, the shorter, between the polling interval of
/// failing channels and the silence limit.
fn probe_after(ratio: f64, intervals: &Intervals) -> SignedDuration {
    let shortest = intervals.fallback_poll.min(SILENCE_LIMIT);
    between(shortest, SILENCE_LIMIT, (ratio - RELIABLE_FROM) / (1.0 - RELIABLE_FROM))
}

/// How often a calendar is polled whose channel is not relied on: between the interval of those that can't push and that of
/// failing ones.
fn fallback_after(ratio: f64, intervals: &Intervals) -> SignedDuration {
    between(intervals.poll.min(intervals.fallback_poll), intervals.fallback_poll, ratio / RELIABLE_FROM)
}

/// `share` 0 is `from`, 1 is `to`.
fn between(from: SignedDuration, to: SignedDuration, share: f64) -> SignedDuration {
    from.saturating_add((to - from).mul_f64(share.clamp(0.0, 1.0)))
}

/// When it is to be looked at next, all being well.
pub fn next_due(
    calendar: &Calendar,
    active: Option<&Subscription>,
    intervals: &Intervals,
    now: Ts,
) -> Option<Ts> {
    if !calendar.sync_enabled || calendar.missing {
        return None;
    }
    // A provider that hands out no cursor is read in full each time, but not all the time.
    let unread = full_due_at(calendar, intervals, now).is_none();
    let not_before = read_not_before(calendar, now).unwrap_or(now);
    if calendar.is_dirty() || calendar.full_due || unread {
        return Some(not_before.max(now));
    }
    let polled = poll_due_at(calendar, active, intervals, now);
    let due = [polled, full_due_at(calendar, intervals, now)].into_iter().flatten().min();
    due.map(|due| due.max(not_before))
}

/// Waits before a write is tried again: a block that is missing can cost its owner a double booking, so the first tries
/// come quickly.
pub const WRITE_RETRY_STEPS: [SignedDuration; 5] = [
    SignedDuration::from_secs(2),
    SignedDuration::from_secs(10),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
];

/// When to read again after a failure in a row of `streak` (counting this one). `None`: only a person can help.
pub fn after_error(error: &ProviderError, streak: u32, now: Ts) -> Option<Ts> {
    let tries = u32::try_from(RETRY_STEPS.len()).unwrap_or(u32::MAX);
    if error.class == ErrorClass::Gone && streak <= tries {
        // A calendar that is not there is lost after a few tries, and not after the first (google.md §9, row 404).
        let passing = ProviderError { class: ErrorClass::Transient, ..error.clone() };
        return after_steps(&passing, streak, &RETRY_STEPS, now);
    }
    after_steps(error, streak, &RETRY_STEPS, now)
}

/// When to write again after so many attempts (counting this one). `None`: only a person can help.
pub fn after_write_error(error: &ProviderError, attempts: u32, now: Ts) -> Option<Ts> {
    after_steps(error, attempts, &WRITE_RETRY_STEPS, now)
}

fn after_steps(error: &ProviderError, streak: u32, steps: &[SignedDuration], now: Ts) -> Option<Ts> {
    use ErrorClass::{
        Ambiguous, Conflict, CursorExpired, Exists, Gone, Invalid, Misconfigured, Permanent, RateLimited,
        Transient, Unauthorized, Unsupported,
    };
    let last = steps.len().saturating_sub(1);
    let step = steps[usize::try_from(streak.saturating_sub(1)).map_or(last, |n| n.min(last))];
    let wait = match (error.class, error.retry_after) {
        (Unauthorized | Permanent | Gone | Invalid | Unsupported, _) => return None,
        (RateLimited, asked) => asked.unwrap_or(RATE_LIMIT_WAIT).max(SignedDuration::from_secs(1)),
        // Whoever says when to come back is asked no sooner.
        (Transient | Ambiguous | Conflict | Exists | CursorExpired | Misconfigured, asked) => {
            asked.map_or(step, |asked| asked.max(step))
        }
    };
    Some(now.plus(wait.min(WAIT_MAX)))
}

#[cfg(test)]
mod tests;
