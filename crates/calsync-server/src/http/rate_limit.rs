//! The limit on requests that fail authentication, per client address, over a sliding window: shared between instances
//! through Redis where there is one that answers (`shared`), else held in memory, of bounded size, and told the time. It
//! never sees a request that authenticated: those are coalesced, not refused (spec §3).
//!
//! The window is kept as `SLOTS` counts. A slot counts until the whole of it is past, so that no stretch of time as
//! long as the window ever lets more through than allowed; the price is that a count may linger 1/`SLOTS` too long. (A
//! token bucket, GCRA, would let twice as many through in its first window.)

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::config::RateLimitSettings;
use crate::redis::{Gone, Link};
use shared::SharedWindow;

/// Parts that the window is counted in.
const SLOTS: usize = 60;
/// Clients that are remembered; beyond it, the one whose last failure is the longest ago is forgotten.
pub const MAX_CLIENTS: usize = 10_000;

/// What becomes of a request that failed authentication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Tell what was wrong with it.
    Pass,
    /// Answer 429.
    Refuse {
        /// Whole seconds after which one more will pass.
        retry_after: u64,
    },
}

/// Counts failures per client.
#[derive(Debug)]
pub struct RateLimiter {
    max_requests: u32,
    slot_micros: i64,
    max_clients: usize,
    clients: BTreeMap<IpAddr, Client>,
    by_age: BTreeSet<(i64, IpAddr)>,
}

#[derive(Clone, Debug)]
struct Client {
    /// Number of the newest slot, counted from the epoch.
    newest: i64,
    /// Counts; slot `n` stands at `n % SLOTS`.
    counts: [u32; SLOTS],
}

impl RateLimiter {
    /// Lets `max_requests` failures through per `window` and client.
    pub fn new(max_requests: u32, window: SignedDuration) -> RateLimiter {
        RateLimiter {
            max_requests,
            slot_micros: slot_micros(window),
            max_clients: MAX_CLIENTS,
            clients: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// A request of this client failed authentication. Refused ones are not counted: after `retry_after`, whoever
    /// waits is heard again.
    pub fn failed(&mut self, client: IpAddr, now: Ts) -> Verdict {
        let key = subject(client);
        let slot = now.micros().div_euclid(self.slot_micros);
        let entry = match self.clients.get_mut(&key) {
            Some(entry) => entry,
            None => {
                self.make_room();
                self.by_age.insert((slot, key));
                self.clients.entry(key).or_insert(Client { newest: slot, counts: [0; SLOTS] })
            }
        };
        let before = entry.newest;
        entry.advance(slot);
        if before != entry.newest {
            self.by_age.remove(&(before, key));
            self.by_age.insert((entry.newest, key));
        }
        let total: u64 = entry.counts.iter().map(|n| u64::from(*n)).sum();
        if total < u64::from(self.max_requests) {
            entry.counts[index(entry.newest)] += 1;
            return Verdict::Pass;
        }
        Verdict::Refuse { retry_after: entry.wait(total, self.max_requests, self.slot_micros, now) }
    }

    /// Clients remembered now.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    fn make_room(&mut self) {
        while self.clients.len() >= self.max_clients {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.clients.remove(&oldest);
        }
    }
}

impl Client {
    /// Forgets the slots that are past. A clock that went back changes nothing.
    fn advance(&mut self, slot: i64) {
        if slot - self.newest >= SLOTS as i64 {
            self.counts = [0; SLOTS];
            self.newest = slot;
        }
        while self.newest < slot {
            self.newest += 1;
            self.counts[index(self.newest)] = 0;
        }
    }

    /// Seconds until enough slots are past for one more, rounded up.
    fn wait(&self, total: u64, max: u32, slot_micros: i64, now: Ts) -> u64 {
        let mut left = total;
        for slot in self.newest - SLOTS as i64 + 1..=self.newest {
            left -= u64::from(self.counts[index(slot)]);
            if left < u64::from(max) {
                let gone_at = (slot + SLOTS as i64).saturating_mul(slot_micros);
                let micros = u64::try_from(gone_at.saturating_sub(now.micros())).unwrap_or(0);
                return whole_seconds(micros);
            }
        }
        1
    }
}

fn index(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(SLOTS as i64)).expect("a remainder by SLOTS is below SLOTS")
}

/// Length of a slot. One slot more would be in the window than it has parts, so the parts share it among one fewer.
fn slot_micros(window: SignedDuration) -> i64 {
    let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    (micros / (SLOTS as i64 - 1)).max(1)
}

/// A wait in whole seconds, as `Retry-After` has it; never too short.
fn whole_seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000).max(1)
}

/// Whom an address stands for: an IPv6 client has a whole /64 to choose its address from, so that is counted as one.
fn subject(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 64))),
    }
}

/// The limit as handlers use it.
#[derive(Debug)]
pub struct Limiter {
    local: Mutex<RateLimiter>,
    shared: Option<SharedWindow>,
}

impl Limiter {
    /// Shared through Redis where the settings name one, else of this process alone.
    pub fn new(settings: &RateLimitSettings, redis: Option<Arc<Link>>) -> Limiter {
        let (max, window) = (settings.max_requests, settings.window);
        Limiter {
            local: Mutex::new(RateLimiter::new(max, window)),
            shared: redis.map(|link| SharedWindow::new(link, max, window)),
        }
    }

    /// See `RateLimiter::failed`; `now` is asked of this machine's clock, and Redis asks its own.
    pub async fn failed(&self, client: super::ClientAddr, now: Ts) -> Verdict {
        let shared = match &self.shared {
            Some(shared) => shared.failed(subject(client.0)).await,
            None => Err(Gone),
        };
        if let Ok(Verdict::Refuse { retry_after }) = shared {
            return Verdict::Refuse { retry_after };
        }
        // What passed there is counted here as well: when Redis goes, its clients do not start afresh.
        let local = self.local().failed(client.0, now);
        shared.unwrap_or(local)
    }

    fn local(&self) -> std::sync::MutexGuard<'_, RateLimiter> {
        // Counting does not panic half-way; a poisoned lock holds sound counts.
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Redis has to be able to do before it is relied on: the very step that it will be asked for.
pub fn probe() -> ::redis::Cmd {
    shared::probe()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(millis: i64) -> Ts {
        Ts::from_micros(1_795_000_000_000_000 + millis * 1000)
    }

    fn limiter(max: u32, seconds: i64) -> RateLimiter {
        RateLimiter::new(max, SignedDuration::from_secs(seconds))
    }

    #[test]
    fn the_allowed_number_passes_and_the_next_is_refused() {
        let mut limiter = limiter(100, 60);
        for _ in 0..100 {
            assert_eq!(limiter.failed(A, at(0)), Verdict::Pass);
        }
        let Verdict::Refuse { retry_after } = limiter.failed(A, at(0)) else { panic!("the 101st passed") };
        assert!((60..=62).contains(&retry_after), "{retry_after}");
        assert_eq!(limiter.failed(B, at(0)), Verdict::Pass, "another client is not concerned");
        let waited = at(i64::try_from(retry_after).unwrap() * 1000);
        assert_eq!(limiter.failed(A, waited), Verdict::Pass, "who waits as told is heard");
    }

    #[test]
    fn no_stretch_as_long_as_the_window_lets_more_through() {
        for (max, seconds, step) in [(1, 1, 7), (3, 2, 31), (10, 60, 997), (100, 60, 101)] {
            let mut limiter = limiter(max, seconds);
            let mut passed: Vec<i64> = Vec::new();
            for n in 0..3000 {
                let now = n * step;
                if limiter.failed(A, at(now)) == Verdict::Pass {
                    passed.push(now);
                }
            }
            for (i, first) in passed.iter().enumerate() {
                let within = passed[i..].iter().filter(|t| **t < first + seconds * 1000).count();
                assert!(within <= max as usize, "{within} of {max} in {seconds} s from {first}");
            }
            let spent = 3000 * step / (seconds * 1000);
            let fair = i64::from(max) * spent * 9 / 10;
            assert!(passed.len() as i64 >= fair.min(2700), "{} passed, {fair} expected", passed.len());
        }
    }

    #[test]
    fn retry_after_is_never_too_short() {
        let mut limiter = limiter(3, 10);
        let mut now = 0;
        for _ in 0..200 {
            match limiter.failed(A, at(now)) {
                Verdict::Pass => now += 370,
                Verdict::Refuse { retry_after } => {
                    now += i64::try_from(retry_after).unwrap() * 1000;
                    assert_eq!(limiter.failed(A, at(now)), Verdict::Pass);
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_the_longest_silent_is_forgotten() {
        let mut limiter = limiter(1, 60);
        limiter.max_clients = 100;
        let _ = limiter.failed(A, at(0));
        for n in 0..500u32 {
            let _ = limiter
                .failed(IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n)), at(5000 + i64::from(n)));
            assert!(limiter.clients() <= 100);
        }
        assert_eq!(limiter.by_age.len(), limiter.clients());
        assert_eq!(limiter.failed(A, at(6000)), Verdict::Pass, "forgotten");
        let recent = IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + 499));
        assert_ne!(limiter.failed(recent, at(6000)), Verdict::Pass, "remembered");
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let mut limiter = limiter(1, 60);
        assert_eq!(limiter.failed("2001:db8::1".parse().unwrap(), at(0)), Verdict::Pass);
        assert_ne!(limiter.failed("2001:db8::2".parse().unwrap(), at(0)), Verdict::Pass);
        assert_eq!(limiter.failed("2001:db8:0:1::2".parse().unwrap(), at(0)), Verdict::Pass);
        assert_eq!(limiter.failed("::ffff:192.0.2.1".parse().unwrap(), at(0)), Verdict::Pass);
        assert_ne!(limiter.failed(A, at(0)), Verdict::Pass, "mapped and plain are the same client");
    }

    #[test]
    fn a_clock_that_jumps_breaks_nothing() {
        let mut limiter = limiter(2, 60);
        let _ = limiter.failed(A, at(100_000));
        let _ = limiter.failed(A, at(0));
        assert!(matches!(limiter.failed(A, at(-500_000)), Verdict::Refuse { .. }));
        assert_eq!(limiter.failed(A, Ts::MAX), Verdict::Pass);
        let _ = limiter.failed(A, Ts::MIN);
    }
}
