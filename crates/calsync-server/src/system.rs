//! The real world's clock and randomness: the one place where they are asked for. Everything else takes a `Clock` or
//! an `IdGen`, so that it can be run again with the same result.

use calsync_core::ports::{Clock, IdGen};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use rand::TryRng;
use rand::rngs::SysRng;
use uuid::Uuid;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Ts {
        Ts::from_jiff(jiff::Timestamp::now())
    }
}

/// Bytes that nobody can foretell. A trait, so that tests can fill in known ones.
pub trait Random: Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // There is no safe way on without randomness: a nonce or token that can be foretold is worse than a stop.
        SysRng.try_fill_bytes(bytes).expect("the operating system gives random bytes once it has started");
    }
}

impl SystemRandom {
    fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl IdGen for SystemRandom {
    fn uuid(&self, now: Ts) -> Uuid {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.array()).into_uuid()
    }

    fn token(&self) -> Secret {
        Secret::new(data_encoding::BASE64URL_NOPAD.encode(&self.array::<32>()))
    }

    fn below(&self, bound: u64) -> u64 {
        // Maps 64 random bits onto 0..bound; the bias is below one in 2^40 for any bound that jitter uses.
        let wide = u128::from(u64::from_be_bytes(self.array())) * u128::from(bound);
        u64::try_from(wide >> 64).expect("a product of two 64-bit numbers, shifted by 64, has 64 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_of_the_time_given() {
        let now: Ts = "2026-11-22T08:00:00Z".parse().unwrap();
        let (a, b) = (SystemRandom.uuid(now), SystemRandom.uuid(now));
        assert_ne!(a, b);
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(a.as_u128() >> 80, u128::try_from(now.millis()).unwrap());
        assert!(SystemRandom.uuid(Ts::from_micros(now.micros() + 1000)) > a, "ids sort by time");
        let _ = SystemRandom.uuid(Ts::MIN);
    }

    #[test]
    fn tokens_have_256_bits_of_url_safe_text() {
        let token = SystemRandom.token();
        assert_eq!(token.expose().len(), 43);
        assert!(token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        assert_ne!(token, SystemRandom.token());
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        assert_eq!(SystemRandom.below(0), 0);
        assert_eq!(SystemRandom.below(1), 0);
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| SystemRandom.below(3)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn the_clock_is_of_this_century() {
        assert!(SystemClock.now() > "2026-01-01T00:00:00Z".parse().unwrap());
    }
}
