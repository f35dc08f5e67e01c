//! What a provider says when it refuses: its error bodies, and how long it wants us to wait.

use calsync_core::ports::ErrorClass;
use calsync_core::time::Ts;
use calsync_providers::{google, microsoft, retry};
use jiff::SignedDuration;
use serde_json::Value;

use crate::NOW;
use crate::material::{first_line, has_canary, is_quiet, plant};

/// Longest words of an error: a line of the log.
const WORDS_MAX: usize = 600;

/// Which operation, the status and the `Retry-After` in the first line, then the body.
pub fn refusals(data: &[u8]) {
    let (head, body) = first_line(data);
    let head = String::from_utf8_lossy(head);
    let mut words = head.splitn(3, ' ');
    let number = |word: Option<&str>| word.and_then(|w| w.parse::<u16>().ok()).unwrap_or(0);
    let (which, status) = (usize::from(number(words.next())), number(words.next()));
    let wait = words.next();
    judge(which, status, body, wait);
    // What stands in the address that a person comes back by: a code, of which no more than letters are repeated.
    let code = String::from_utf8_lossy(body);
    for error in [microsoft::consent_refused(&code, Some(&code)).error, google::consent_refused(&code)] {
        assert!(error.detail.len() <= WORDS_MAX && !error.detail.contains(['<', '\n']), "{error:?}");
    }
    if let Ok(mut value) = serde_json::from_slice::<Value>(body)
        && !has_canary(data)
        && plant(&mut value, &["message", "error_description", "location", "domain"])
    {
        judge(which, status, value.to_string().as_bytes(), wait);
    }
}

fn judge(which: usize, status: u16, body: &[u8], wait: Option<&str>) {
    let at_google = google::Operation::ALL[which % google::Operation::ALL.len()];
    let at_microsoft = microsoft::Operation::ALL[which % microsoft::Operation::ALL.len()];
    for refused in [
        google::classify(at_google, status, body, wait, NOW),
        microsoft::classify(at_microsoft, status, body, wait, NOW),
    ] {
        let error = &refused.error;
        is_quiet(&error.detail);
        is_quiet(&error.to_string());
        assert!(error.detail.len() <= WORDS_MAX, "{}", error.detail);
        assert_eq!(refused.status, status);
        assert_eq!(refused.throttled.is_some(), error.class == ErrorClass::RateLimited);
        let longest = retry::RETRY_AFTER_MAX;
        assert!(error.retry_after.is_none_or(|pause| (SignedDuration::ZERO..=longest).contains(&pause)));
        // What a stranger between us and the provider says must never be taken for a deletion or a lost grant.
        if (500..=504).contains(&status) && serde_json::from_slice::<Value>(body).is_err() {
            assert!(error.class.passes() || error.class == ErrorClass::Ambiguous, "{status} {error:?}");
        }
    }
}

/// The value of a `Retry-After` header.
pub fn retry_after(data: &[u8]) {
    let Ok(value) = std::str::from_utf8(data) else { return };
    let wait = retry::retry_after(value, NOW);
    assert!(wait.is_none_or(|w| (SignedDuration::ZERO..=retry::RETRY_AFTER_MAX).contains(&w)), "{wait:?}");
    if let Ok(seconds) = value.trim().parse::<u32>() {
        let asked = SignedDuration::from_secs(i64::from(seconds)).min(retry::RETRY_AFTER_MAX);
        assert_eq!(wait, Some(asked));
    }
    // Later is never longer.
    let later = retry::retry_after(value, Ts::from_secs(NOW.micros() / 1_000_000 + 60));
    assert!(later <= wait && later.is_some() == wait.is_some());
}
