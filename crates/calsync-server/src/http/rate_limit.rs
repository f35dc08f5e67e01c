//! The limit on requests that fail authentication, per client address, over a sliding window: shared between instances
//! through Redis where there is one that answers (`shared`), else held in memory, of bounded size, and told the time. It
//! never sees a request that authenticated: those are coalesced, not refused (spec §3).
//!
//! The window is kept as `SLOTS` counts. A slot counts until the whole of it is past, so that no stretch of time as
//! long as the window ever lets more through than allowed; the price is that a count may linger 1/`SLOTS` too long. (A
//! token bucket, GCRA, would let twice as many through in its first window.)

mod limiter;
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use calsync_core::time::Ts;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::client_addr::ClientAddr;

pub use limiter::{Limiter, probe};

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
    clients: BTreeMap<Subject, Client>,
    by_age: BTreeSet<(i64, Subject)>,
}

#[derive(Clone, Debug)]
struct Client {
    /// Number of the newest slot, counted from the epoch.
    newest: i64,
    /// Counts; slot `n` stands at `n % SLOTS`.
    counts: [u32; SLOTS],
}

impl RateLimiter {
    /// Lets `max_requests` failures, at least one, through per `window` and client.
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
    pub fn failed(&mut self, client: impl Into<Subject>, now: Ts) -> Verdict {
        let client = client.into();
        let verdict = self.verdict(client, now);
        if verdict == Verdict::Pass {
            self.count(client, now);
        }
        verdict
    }

    /// What would become of it; nothing is counted.
    pub fn verdict(&mut self, client: Subject, now: Ts) -> Verdict {
        let (max, slot_micros) = (self.max_requests, self.slot_micros);
        let Some(entry) = self.advanced(client, now) else { return Verdict::Pass };
        let total: u64 = entry.counts.iter().map(|n| u64::from(*n)).sum();
        if total < u64::from(max) {
            return Verdict::Pass;
        }
        Verdict::Refuse { retry_after: entry.wait(total, max, slot_micros, now) }
    }

    /// Counts one that was let through.
    pub fn count(&mut self, client: Subject, now: Ts) {
        let entry = match self.advanced(client, now) {
            Some(entry) => entry,
            None => {
                self.make_room();
                let newest = now.micros().div_euclid(self.slot_micros);
                self.by_age.insert((newest, client));
                self.clients.entry(client).or_insert(Client { newest, counts: [0; SLOTS] })
            }
        };
        entry.counts[index(entry.newest)] += 1;
    }

    /// A client that is remembered, without the slots that are past.
    fn advanced(&mut self, key: Subject, now: Ts) -> Option<&mut Client> {
        let entry = self.clients.get_mut(&key)?;
        let before = entry.newest;
        entry.advance(now.micros().div_euclid(self.slot_micros));
        if before != entry.newest {
            self.by_age.remove(&(before, key));
            self.by_age.insert((entry.newest, key));
        }
        Some(entry)
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

/// Whose failures are counted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A client address. An IPv6 client has a whole /64 to choose its address from, so that is counted as one.
    Address(IpAddr),
    /// A name that somebody gives to sign in, as the first bytes of its SHA-256: there need be no such user.
    Name(u64),
}

impl From<IpAddr> for Subject {
    fn from(client: IpAddr) -> Subject {
        Subject::Address(match client.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 64))),
        })
    }
}

impl From<ClientAddr> for Subject {
    fn from(client: ClientAddr) -> Subject {
        client.0.into()
    }
}

impl Subject {
    /// Whoever signs in under this name.
    pub fn named(name: &str) -> Subject {
        let digest = Sha256::digest(name.as_bytes());
        Subject::Name(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Address(address) => address.fmt(f),
            Subject::Name(digest) => write!(f, "name:{digest:016x}"),
        }
    }
}

#[cfg(test)]
mod tests;
