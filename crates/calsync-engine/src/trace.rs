//! The spans of the walk, by the names that people see them under. They carry ids, numbers and fixed words: never a text of
//! an event, an address or a provider's words. What becomes of them is the server's: here nobody knows.
//!
//! `notification` and `run` say to which trace the outermost span belongs: the notification that came first, which is the
//! same on every instance, or else the first run.

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId, RunId};
use calsync_core::ledger::{Outcome, Write, WriteOp};
use calsync_core::ports::ErrorClass;
use calsync_core::run::RunKind;
use tracing::field::{Empty, display};
use tracing::{Span, debug_span};
use uuid::Uuid;

/// Notifications that a span names; there may be thousands.
const NAMED_MAX: usize = 32;

/// A delivery is taken in.
pub(crate) fn receive(provider: ProviderKind, calendar: CalendarId) -> Span {
    debug_span!("receive", provider = provider.as_str(), %calendar, notification = Empty)
}

/// Whoever is due is worked on.
pub(crate) fn step() -> Span {
    debug_span!("step", step = Empty)
}

/// One calendar is read.
pub(crate) fn run(run: RunId, calendar: CalendarId, kind: RunKind) -> Span {
    debug_span!("run", %run, %calendar, kind = kind.as_str(), notification = Empty, events = Empty)
}

/// One block is written.
pub(crate) fn write(write: &Write) -> Span {
    let op = match write.op {
        WriteOp::Create { .. } => "create",
        WriteOp::Update { .. } => "update",
        WriteOp::Delete { .. } => "delete",
    };
    let (correlation, attempt) = (write.correlation, write.attempts.saturating_add(1));
    debug_span!("write", op, %correlation, attempt, outcome = Empty, class = Empty)
}

/// The span that we are in is about this notification.
pub(crate) fn is_about(notification: NotificationId) {
    Span::current().record("notification", display(notification));
}

/// The span that we are in serves these.
pub(crate) fn serves(notifications: &[(NotificationId, u32)]) {
    for (notification, _) in notifications.iter().take(NAMED_MAX) {
        is_about(*notification);
    }
}

/// The step that we are in serves no run, so it gets a name of its own.
pub(crate) fn names_itself(name: impl FnOnce() -> Uuid) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("step", display(name()));
    }
}

/// What became of a write.
pub(crate) fn became(outcome: Option<&Outcome>, class: Option<ErrorClass>) {
    let span = Span::current();
    let outcome = match outcome {
        Some(Outcome::Stored { .. }) => "stored",
        Some(Outcome::Removed { .. }) => "removed",
        Some(Outcome::Replan { .. }) => "planned again",
        Some(Outcome::Postponed { .. }) => "postponed",
        None => "stopped",
    };
    span.record("outcome", outcome);
    if let Some(class) = class {
        span.record("class", class.as_str());
    }
}
