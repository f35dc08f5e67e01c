//! Names on Google's wire: which event and channel ids may be chosen, and etags. It makes no token: see `sealed`.

/// A client's own event id: `^[a-v0-9]{5,1024}$` (google.md §5).
pub(super) fn is_event_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'a'..=b'v' | b'0'..=b'9'))
}

/// A channel id: at most 64 of `[A-Za-z0-9\-_+/=]` (google.md §8).
pub(super) fn is_channel_id(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b);
    (1..=64).contains(&id.len()) && id.bytes().all(fits)
}

/// A version as a quoted etag (google.md §5).
pub(super) fn etag(version: u64) -> String {
    // Google's look like a number of microseconds times two; ours only have to be as opaque.
    format!("\"{}\"", 3_500_000_000_000_000 + version * 2)
}

/// The version that an etag stands for; weak ones (`W/`) count as well.
pub(super) fn version_of(etag: &str) -> Option<u64> {
    let digits = etag.trim().trim_start_matches("W/").trim_matches('"');
    let number = digits.parse::<u64>().ok()?.checked_sub(3_500_000_000_000_000)?;
    (number.is_multiple_of(2)).then_some(number / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_of_section_5() {
        for good in ["abcde", "cs1k7q0v2m5e8h3b6n9t4d0g", "0123456789abcdef0123456789abcdef"] {
            assert!(is_event_id(good), "{good}");
        }
        let long = "a".repeat(1025);
        for bad in
            ["abcd", "abcdw", "ABCDE", "abc-de", "0192f3a4-0000-7000-8000-000000000000", "abc_de", &long]
        {
            assert!(!is_event_id(bad), "{bad}");
        }
    }

    #[test]
    fn channel_ids_of_section_8() {
        assert!(is_channel_id("8f0c2f3e-9b4d-4d7e-8a51-0c9d2b6f7e10") && is_channel_id("a+/=_-9"));
        assert!(!is_channel_id("") && !is_channel_id("a b") && !is_channel_id(&"x".repeat(65)));
    }

    #[test]
    fn etags_come_back() {
        assert_eq!(version_of(&etag(77)), Some(77));
        assert_eq!(version_of("\"junk\""), None);
    }
}
