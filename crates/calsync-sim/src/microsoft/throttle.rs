//! Limits of use (microsoft.md §9): requests in ten minutes, requests at the same time, calls about subscriptions; and
//! the many forms in which `Retry-After` comes. Rejected calls count like the others.

use calsync_core::time::Ts;
use jiff::SignedDuration;
use std::collections::BTreeMap;

use super::MicrosoftFace;
use super::errors::GraphError;
use crate::cloud::names::PersonId;
use crate::quota::Quota;

/// What was used.
#[derive(Debug)]
pub(super) struct Throttle {
    mailboxes: Quota,
    subscriptions: Quota,
    flying: BTreeMap<(String, PersonId), usize>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { mailboxes: Quota::over(600), subscriptions: Quota::over(20), flying: BTreeMap::new() }
    }
}

/// A request that is under way; ends when dropped.
#[derive(Debug)]
pub struct Flight<'a> {
    face: &'a MicrosoftFace,
    key: (String, PersonId),
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut throttle = self.face.throttle();
        if let Some(count) = throttle.flying.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                throttle.flying.remove(&self.key);
            }
        }
    }
}

impl MicrosoftFace {
    /// Begins a request of a program to a mailbox, as a slow one would: it counts until dropped.
    ///
    /// # Errors
    /// 429 if too many are under way, or were made in the last ten minutes.
    pub fn begin(&self, client: &str, person: &PersonId) -> Result<Flight<'_>, GraphError> {
        let (now, key) = (self.now(), (client.to_owned(), person.clone()));
        let (fits, flying) = {
            let mut throttle = self.throttle();
            let fits = throttle.mailboxes.spend(
                &format!("{client} {person}"),
                self.config.requests_per_mailbox,
                now,
            );
            let flying = throttle.flying.entry(key.clone()).or_default();
            *flying += 1;
            (fits, *flying)
        };
        let flight = Flight { face: self, key };
        if flying > self.config.concurrent_per_mailbox {
            return Err(GraphError::concurrency(self.retry_after(None)));
        }
        if fits { Ok(flight) } else { Err(GraphError::throttled(self.retry_after(None))) }
    }

    /// Counts a call about subscriptions.
    pub(super) fn count_subscription_call(&self, tenant: &str, write: bool) -> Result<(), GraphError> {
        let (kind, limit) = if write {
            ("write", self.config.subscription_writes)
        } else {
            ("list", self.config.subscription_lists)
        };
        let fits = self.throttle().subscriptions.spend(&format!("{kind} {tenant}"), limit, self.now());
        if fits { Ok(()) } else { Err(GraphError::throttled(self.retry_after(None))) }
    }

    /// `Retry-After` in one of its forms: whole seconds, a fraction, a date, a constant 1, or not at all (§9).
    pub(super) fn retry_after(&self, number: Option<u64>) -> Option<String> {
        let number = number.unwrap_or_else(|| self.state().rng.next_u64());
        written(number, self.now())
    }
}

fn written(number: u64, now: Ts) -> Option<String> {
    let seconds = 1 + (number / 5) % 20;
    match number % 5 {
        0 => Some(seconds.to_string()),
        1 => Some(format!("{seconds}.{:03}", number % 1_000)),
        2 => {
            let at = now.plus(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(1)));
            Some(at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        }
        3 => Some("1".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_has_five_forms() {
        let now: Ts = "2026-11-01T08:00:00Z".parse().unwrap();
        let forms: Vec<_> = (0..5).map(|n| written(n, now)).collect();
        assert_eq!(forms[0].as_deref(), Some("1"));
        assert_eq!(forms[1].as_deref(), Some("1.001"));
        assert_eq!(forms[2].as_deref(), Some("Sun, 01 Nov 2026 08:00:01 GMT"));
        assert_eq!((forms[3].as_deref(), &forms[4]), (Some("1"), &None));
    }
}
