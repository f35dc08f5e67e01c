//! How long to wait before another try: truncated exponential backoff with fresh jitter, and what `Retry-After` says.
//! Pure: neither sleeps nor draws a number.

use std::time::Duration;

use calsync_core::time::Ts;
use jiff::SignedDuration;

/// Tries of one call, the first included (google.md §9).
pub const TRIES: u32 = 3;
/// The longest wait that we take over from a provider: what is longer is asked again.
pub const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(1);
/// The first wait.
const FIRST: Duration = Duration::from_millis(400);
/// The longest wait inside one call. Three tries wait at most 400 + 800 ms and twice the jitter.
const LONGEST: Duration = Duration::from_secs(2);
/// Jitter is drawn below this many milliseconds and added.
pub const JITTER_MS: u64 = 400;

/// The wait before try number `next` (2 is the first repetition), with a jitter drawn below [`JITTER_MS`].
pub fn backoff(next: u32, jitter_ms: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << next.saturating_sub(2).min(8));
    doubled.min(LONGEST) + Duration::from_millis(jitter_ms.min(JITTER_MS))
}

/// Whether a wait that a provider asks for is short enough to be sat out inside the call.
pub fn is_short(wait: SignedDuration) -> bool {
    wait <= SignedDuration::from_secs(2)
}

/// What a `Retry-After` header means: seconds (also fractional) or an HTTP date; never negative, capped at
/// [`RETRY_AFTER_MAX`]. `None` if it is neither.
pub fn retry_after(value: &str, now: Ts) -> Option<SignedDuration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_nan() || seconds < 0.0 => return None,
        Ok(seconds) => SignedDuration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            Ts::from_jiff(at).since(now).max(SignedDuration::ZERO)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_all_its_forms() {
        let now: Ts = "2026-11-17T08:00:00Z".parse().unwrap();
        let table = [
            ("0", Some(SignedDuration::ZERO)),
            ("30", Some(SignedDuration::from_secs(30))),
            (" 1.5 ", Some(SignedDuration::from_millis(1_500))),
            ("99999999", Some(RETRY_AFTER_MAX)),
            ("1e300", Some(RETRY_AFTER_MAX)),
            ("inf", Some(RETRY_AFTER_MAX)),
            ("-1", None),
            ("NaN", None),
            ("", None),
            ("soon", None),
            ("Tue, 17 Nov 2026 08:00:10 GMT", Some(SignedDuration::from_secs(10))),
            ("Tue, 17 Nov 2026 07:00:00 GMT", Some(SignedDuration::ZERO)),
            ("Wed, 18 Nov 2026 08:00:00 GMT", Some(RETRY_AFTER_MAX)),
        ];
        for (value, expected) in table {
            assert_eq!(retry_after(value, now), expected, "{value:?}");
        }
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        assert_eq!(backoff(2, 0), Duration::from_millis(400));
        assert_eq!(backoff(3, 100), Duration::from_millis(900));
        assert_eq!(backoff(u32::MAX, u64::MAX), LONGEST + Duration::from_millis(JITTER_MS));
    }
}
