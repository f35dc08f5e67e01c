//! How fast we may call: token buckets per user, per project and per written calendar, and a bound on calls under way.
//! A wait of a few seconds is waited; a longer one is told to the caller. Provider-neutral; never makes a call itself.
//!
//! Google counts over sliding minutes (google.md §9). A bucket that holds a tenth of the limit and is refilled with the
//! other nine tenths per minute never lets more than the limit through any minute, wherever it begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::preview::{Flow, Pace};
use jiff::SignedDuration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Written calendars whose buckets are remembered per account. Beyond it the first idle ones are forgotten.
const CALENDARS_MAX: usize = 256;
/// A bucket is never slowed below this part of its rate.
const SLOWEST: f64 = 1.0 / 16.0;
/// Part of the full rate that a slowed bucket regains per second: from half speed it takes a minute.
const RECOVERY: f64 = 1.0 / 120.0;

/// Limits of one account and its project, in quota units per minute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Per user.
    pub per_user: u32,
    /// Per project, for this process: instances that share a project share this number between them.
    pub per_project: u32,
    /// Writes to one calendar.
    pub per_calendar_writes: u32,
    /// Calls under way at once for one account.
    pub concurrent: u8,
    /// The longest wait before a call; beyond it the caller is told to come back.
    pub max_wait: Duration,
}

impl Limits {
    /// What they let a writer do who has the project to itself: a write costs one unit.
    pub fn pace(&self) -> Pace {
        let account = self.per_user.min(self.per_project);
        Pace { calendar: flow(self.per_calendar_writes), account: flow(account), at_once: self.concurrent }
    }
}

/// A bucket as whoever fills it sees it: [`Bucket::per_minute`] makes the burst a tenth, and the rest the rate.
fn flow(limit: u32) -> Flow {
    let burst = (limit / 10).max(1);
    Flow { burst, per_minute: limit.saturating_sub(burst).max(limit / 2).max(1) }
}

/// A token bucket over quota units.
pub struct Bucket {
    burst: f64,
    /// Units per second at full pace.
    rate: f64,
    /// What each refusal multiplies the pace by.
    cut: f64,
    level: Mutex<Level>,
}

struct Level {
    units: f64,
    at: Instant,
    pace: f64,
    closed_until: Option<Instant>,
}

impl Bucket {
    /// One that lets at most `limit` units through any minute. `cut` is what a refusal multiplies its pace by.
    pub fn per_minute(limit: u32, cut: f64) -> Bucket {
        let limit = f64::from(limit.max(1));
        let burst = (limit / 10.0).max(1.0);
        let rate = ((limit - burst) / 60.0).max(limit / 120.0);
        let level = Level { units: burst, at: Instant::now(), pace: 1.0, closed_until: None };
        Bucket { burst, rate, cut, level: Mutex::new(level) }
    }

    /// Takes units and says how long to wait before using them; or, if that were longer than `max_wait`, takes nothing
    /// and says how long it would have been.
    pub fn reserve(&self, units: u32, max_wait: Duration) -> Result<Duration, Duration> {
        let now = Instant::now();
        let mut level = self.refilled(now);
        let units = f64::from(units).min(self.burst);
        let missing = (units - level.units).max(0.0);
        let closed = level.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let wait = Duration::from_secs_f64(missing / (self.rate * level.pace)).max(closed);
        if wait > max_wait {
            return Err(wait);
        }
        level.units -= units;
        Ok(wait)
    }

    /// Gives units back that were not used.
    pub fn give_back(&self, units: u32) {
        let mut level = self.refilled(Instant::now());
        level.units = (level.units + f64::from(units).min(self.burst)).min(self.burst);
    }

    /// The provider refused: nothing for `pause`, no burst after it, and a slower pace that recovers by itself.
    pub fn slow_down(&self, pause: Duration) {
        let now = Instant::now();
        let mut level = self.refilled(now);
        level.pace = (level.pace * self.cut).max(SLOWEST);
        level.units = level.units.min(0.0);
        level.closed_until = level.closed_until.max(Some(now + pause));
    }

    fn is_idle(&self) -> bool {
        let level = self.refilled(Instant::now());
        level.units >= self.burst
            && level.pace >= 1.0
            && level.closed_until.is_none_or(|until| until <= level.at)
    }

    fn refilled(&self, now: Instant) -> MutexGuard<'_, Level> {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(level.at).as_secs_f64();
        level.units = (level.units + elapsed * self.rate * level.pace).min(self.burst);
        level.pace = (level.pace + elapsed * RECOVERY).min(1.0);
        level.at = now;
        level
    }
}

/// What a call needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask<'a> {
    /// Quota units it costs.
    pub units: u32,
    /// The calendar it writes to, if it writes.
    pub writes_to: Option<&'a str>,
}

/// Whose limit a refusal was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Throttled {
    /// The user's.
    User,
    /// Perhaps the whole project's.
    Project,
    /// The user may not write any more for a long while; reading goes on.
    Writes,
}

/// The budget of one account.
pub struct AccountBudget {
    limits: Limits,
    project: Arc<Bucket>,
    user: Bucket,
    calendars: Mutex<BTreeMap<String, Arc<Bucket>>>,
    no_writes_until: Mutex<Option<Instant>>,
    slots: Semaphore,
}

impl AccountBudget {
    /// The budget of an account of this project.
    pub fn new(limits: Limits, project: Arc<Bucket>) -> AccountBudget {
        AccountBudget {
            limits,
            project,
            user: Bucket::per_minute(limits.per_user, 0.5),
            calendars: Mutex::new(BTreeMap::new()),
            no_writes_until: Mutex::new(None),
            slots: Semaphore::new(usize::from(limits.concurrent.max(1))),
        }
    }

    /// The bucket that all accounts of a project share. One user's refusal slows it by little.
    pub fn project_bucket(limits: &Limits) -> Arc<Bucket> {
        Arc::new(Bucket::per_minute(limits.per_project, 0.9))
    }

    /// Waits for leave to make one call; the call is under way until the permit is dropped.
    pub async fn enter(&self, ask: Ask<'_>) -> Result<SemaphorePermit<'_>, ProviderError> {
        let deadline = Instant::now() + self.limits.max_wait;
        let permit = match tokio::time::timeout_at(deadline, self.slots.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => {
                return Err(come_back("too many calls under way for this account", self.limits.max_wait));
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let wait =
            self.reserve(ask, left).map_err(|wait| come_back("our own rate limit is used up", wait))?;
        tokio::time::sleep(wait).await;
        Ok(permit)
    }

    fn reserve(&self, ask: Ask<'_>, left: Duration) -> Result<Duration, Duration> {
        let mut buckets = vec![];
        if let Some(calendar) = ask.writes_to {
            let closed = *self.no_writes_until.lock().unwrap_or_else(PoisonError::into_inner);
            let closed =
                closed.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
            if closed > left {
                return Err(closed);
            }
            buckets.push(self.calendar(calendar));
        }
        let shared = [&self.user, self.project.as_ref()];
        let all: Vec<&Bucket> = buckets.iter().map(Arc::as_ref).chain(shared).collect();
        let mut longest = Duration::ZERO;
        for (done, bucket) in all.iter().enumerate() {
            match bucket.reserve(ask.units, left) {
                Ok(wait) => longest = longest.max(wait),
                Err(wait) => {
                    all[..done].iter().for_each(|earlier| earlier.give_back(ask.units));
                    return Err(wait);
                }
            }
        }
        Ok(longest)
    }

    /// Takes note of a refusal.
    pub fn refused(&self, throttled: Throttled, ask: Ask<'_>, pause: Duration) {
        match throttled {
            Throttled::Writes => {
                let mut until = self.no_writes_until.lock().unwrap_or_else(PoisonError::into_inner);
                *until = (*until).max(Some(Instant::now() + pause));
            }
            Throttled::User | Throttled::Project => {
                self.user.slow_down(pause);
                // Bursts of writes to one calendar are limited by themselves, under the same reason (google.md §9).
                if let Some(calendar) = ask.writes_to {
                    self.calendar(calendar).slow_down(pause);
                }
                if throttled == Throttled::Project {
                    self.project.slow_down(Duration::ZERO);
                }
            }
        }
    }

    fn calendar(&self, calendar: &str) -> Arc<Bucket> {
        let mut calendars = self.calendars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = calendars.get(calendar) {
            return known.clone();
        }
        if calendars.len() >= CALENDARS_MAX {
            calendars.retain(|_, bucket| !bucket.is_idle());
        }
        if calendars.len() >= CALENDARS_MAX {
            calendars.pop_first();
        }
        let bucket = Arc::new(Bucket::per_minute(self.limits.per_calendar_writes, 0.5));
        calendars.insert(calendar.to_owned(), bucket.clone());
        bucket
    }
}

fn come_back(why: &str, wait: Duration) -> ProviderError {
    let retry_after = SignedDuration::try_from(wait).ok();
    ProviderError { retry_after, ..ProviderError::new(ErrorClass::RateLimited, why) }
}

#[cfg(test)]
mod tests;
