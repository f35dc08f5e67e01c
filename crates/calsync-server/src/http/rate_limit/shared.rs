//! The same limit over a window that several instances share: its counts stand in Redis, and Redis decides in one step
//! by its own clock, so that neither two instances at once nor their clocks can let more through. It keeps nothing here.

use std::sync::Arc;

use ::redis::Cmd;
use jiff::SignedDuration;

use super::{SLOTS, Subject, Verdict, slot_micros, whole_seconds};
use crate::redis::{Gone, Link, PREFIX};

/// Redis's clock, in microseconds: the instances' own may differ.
const CLOCK: &str = "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]\n";
/// The decision.
const WINDOW: &str = include_str!("window.lua");

/// The window in Redis.
#[derive(Debug)]
pub(super) struct SharedWindow {
    link: Arc<Link>,
    /// What is limited: each has a window of its own.
    name: &'static str,
    max_requests: u32,
    slot_micros: i64,
}

/// What becomes of a failure that is let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Count,
    /// It has not happened yet.
    Look,
}

impl SharedWindow {
    /// Lets `max_requests` failures through per `window` and client, whichever instance they come to.
    pub(super) fn new(
        link: Arc<Link>,
        name: &'static str,
        max_requests: u32,
        window: SignedDuration,
    ) -> SharedWindow {
        SharedWindow { link, name, max_requests, slot_micros: slot_micros(window) }
    }

    /// A request of this subject failed authentication, or is about to be looked at.
    pub(super) async fn verdict(&self, client: Subject, then: Then) -> Result<Verdict, Gone> {
        let whose = format!("{}:{}:{client}", self.name, self.slot_micros);
        let command = step(CLOCK, &whose, (self.max_requests, self.slot_micros), then);
        let micros: u64 = self.link.ask(&command).await?;
        Ok(match micros {
            0 => Verdict::Pass,
            wait => Verdict::Refuse { retry_after: whole_seconds(wait) },
        })
    }
}

/// One failure of nobody, in a window that is over at once.
pub(super) fn probe() -> Cmd {
    step(CLOCK, "probe", (u32::MAX, 1_000), Then::Count)
}

/// The step. Windows of another length are counted apart, so that instances with old and new settings may overlap. The
/// script is sent each time: Redis keeps it by its digest, and may forget it whenever it likes.
fn step(clock: &str, whose: &str, (max_requests, slot_micros): (u32, i64), then: Then) -> Cmd {
    let mut command = ::redis::cmd("EVAL");
    command.arg(format!("{clock}{WINDOW}")).arg(1).arg(format!("{PREFIX}:rate_limit:{whose}"));
    command.arg(max_requests).arg(slot_micros).arg(SLOTS).arg(u8::from(then == Then::Count));
    command
}

#[cfg(test)]
mod tests;
