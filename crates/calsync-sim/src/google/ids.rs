//! Names on Google's wire: which event and channel ids may be chosen, etags, and the opaque tokens of paging and sync.
//! A token is a sealed value; whatever was not made here is refused.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

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

/// How much of a digest seals a token: enough against an accident, not against an attacker.
const SEAL: usize = 6;

/// Seals a value into an opaque token.
pub(super) fn seal(value: &impl Serialize) -> String {
    // A plain struct of numbers and texts cannot fail to serialise; an empty token would be refused on its way back.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut sealed = Sha256::digest(&body)[..SEAL].to_vec();
    sealed.extend(body);
    BASE64URL_NOPAD.encode(&sealed)
}

/// Opens a token that [`seal`] made.
pub(super) fn unseal<T: DeserializeOwned>(token: &str) -> Option<T> {
    let sealed = BASE64URL_NOPAD.decode(token.trim_end_matches('=').as_bytes()).ok()?;
    let (mark, body) = sealed.split_at_checked(SEAL)?;
    (Sha256::digest(body)[..SEAL] == *mark).then(|| serde_json::from_slice(body).ok())?
}

/// A short fingerprint of some text.
pub(super) fn fingerprint(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes())[..9])
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
    fn etags_and_tokens_come_back() {
        assert_eq!(version_of(&etag(77)), Some(77));
        assert_eq!(version_of("\"junk\""), None);
        let token = seal(&(1_u64, "x".to_owned()));
        assert_eq!(unseal::<(u64, String)>(&token), Some((1, "x".to_owned())));
        for bad in ["", "a", "Zm9v", &token[1..], "😀"] {
            assert_eq!(unseal::<(u64, String)>(bad), None, "{bad}");
        }
    }
}
