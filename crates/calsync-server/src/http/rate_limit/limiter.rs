//! The limit as handlers use it: Redis decides where there is one that answers, and this process where there is none.
//! What this process let through counts here in both cases, so that Redis may go, and come back empty, without anybody
//! starting afresh. It never waits longer for Redis than the link does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redis::Cmd;
use calsync_core::time::Ts;

use super::shared::{self, SharedWindow, Then};
use super::{RateLimiter, Subject, Verdict};
use crate::config::RateLimitSettings;
use crate::redis::{Gone, Link};

/// The limit.
#[derive(Debug)]
pub struct Limiter {
    local: Mutex<RateLimiter>,
    shared: Option<SharedWindow>,
}

impl Limiter {
    /// On what this names; shared through Redis where there is a link to one, else of this process alone.
    pub fn new(name: &'static str, settings: &RateLimitSettings, redis: Option<Arc<Link>>) -> Limiter {
        let (max, window) = (settings.max_requests, settings.window);
        Limiter {
            local: Mutex::new(RateLimiter::new(max, window)),
            shared: redis.map(|link| SharedWindow::new(link, name, max, window)),
        }
    }

    /// A request of this subject failed authentication at `now`. Redis goes by its own clock.
    pub async fn failed(&self, client: impl Into<Subject>, now: Ts) -> Verdict {
        let client = client.into();
        let Some(shared) = &self.shared else { return self.local().failed(client, now) };
        // Whoever used all of it up here needs no second opinion, and a flood of them does not reach Redis.
        let verdict = self.local().verdict(client, now);
        if verdict != Verdict::Pass {
            return verdict;
        }
        match shared.verdict(client, Then::Count).await {
            Ok(Verdict::Pass) => {
                self.local().count(client, now);
                Verdict::Pass
            }
            Ok(refused) => refused,
            Err(Gone) => self.local().failed(client, now),
        }
    }

    /// Whether one more would be let through; nothing is counted. For what is too dear, or tells too much, to be done first and
    /// judged afterwards.
    pub async fn verdict(&self, client: impl Into<Subject>, now: Ts) -> Verdict {
        let client = client.into();
        let here = self.local().verdict(client, now);
        match &self.shared {
            Some(shared) if here == Verdict::Pass => {
                shared.verdict(client, Then::Look).await.unwrap_or(Verdict::Pass)
            }
            _ => here,
        }
    }

    fn local(&self) -> MutexGuard<'_, RateLimiter> {
        // Counting does not panic half-way; a poisoned lock holds sound counts.
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Redis has to be able to do before it is relied on: the very step that it will be asked for.
pub fn probe() -> Cmd {
    shared::probe()
}
