//! Signatures by the Standard Webhooks specification: HMAC-SHA256 over id, time and body, one for each secret, so that a
//! secret can be replaced without a gap. Pure.

use std::fmt;

use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// The lengths that the specification allows.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Two are needed to replace one; more means that old ones were forgotten.
const KEYS_MAX: usize = 4;

/// A secret to sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Secret);

impl SigningKey {
    /// What is allowed, for the documentation and for errors.
    pub const ALLOWED: &str =
        "up to four secrets, each `whsec_` and 24 to 64 random bytes as base64, the current one first";

    /// Understands one.
    pub fn parse(text: &str) -> Option<SigningKey> {
        let key = SigningKey(Secret::new(text));
        key.bytes().filter(|bytes| BYTES.contains(&bytes.len())).map(|_| key.clone())
    }

    /// Understands a list.
    pub fn parse_all<'a>(items: impl IntoIterator<Item = &'a str>) -> Option<Vec<SigningKey>> {
        let keys: Vec<SigningKey> = items.into_iter().map(SigningKey::parse).collect::<Option<_>>()?;
        (keys.len() <= KEYS_MAX).then_some(keys)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.0.expose().strip_prefix(PREFIX)?.as_bytes()).ok()
    }

    /// Whether these words repeat it.
    pub fn is_repeated_by(&self, words: &str) -> bool {
        let key = self.0.expose();
        words.contains(key.strip_prefix(PREFIX).unwrap_or(key))
    }

    fn sign(&self, content: &str) -> String {
        let key = self.bytes().expect("only what decodes is made into a key");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(content.as_bytes());
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The headers of a message: its id, when this try is made, and a signature for each key. Without a key, no signature.
pub fn headers(keys: &[SigningKey], id: &str, now: Ts, body: &str) -> Vec<(&'static str, String)> {
    let seconds = now.millis().div_euclid(1_000).to_string();
    let content = format!("{id}.{seconds}.{body}");
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&content)).collect();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds)];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// Computed by Python's hmac over the example message of the specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_the_reference_libraries() {
        let keys = [SigningKey::parse(KEY).unwrap()];
        let now = Ts::from_secs(1_614_265_330);
        let headers = headers(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", now, r#"{"test": 2432232314}"#);
        assert_eq!(
            headers,
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
            ]
        );
    }

    #[test]
    fn each_key_signs_and_none_is_shown() {
        let other = format!("whsec_{}", BASE64.encode(&[7; 24]));
        let keys = SigningKey::parse_all([KEY, &other]).unwrap();
        let all = headers(&keys, "id", Ts::from_secs(1), "{}");
        let single = |n: usize| headers(&keys[n..=n], "id", Ts::from_secs(1), "{}")[2].1.clone();
        assert_eq!(all[2].1, format!("{} {}", single(0), single(1)));
        assert_eq!(headers(&[], "id", Ts::from_secs(1), "{}").len(), 2);
        assert_eq!(format!("{keys:?}"), "[[secret], [secret]]");
    }

    #[test]
    fn what_the_specification_does_not_allow_is_no_key() {
        let of = |n: usize| format!("whsec_{}", BASE64.encode(&vec![1; n]));
        for (text, good) in [
            (of(23), false),
            (of(24), true),
            (of(64), true),
            (of(65), false),
            (of(24).replace("whsec_", ""), false),
            (of(24).replace("whsec_", "whsk_"), false),
            ("whsec_".to_owned(), false),
            ("whsec_not base64 at all, but long enough".to_owned(), false),
        ] {
            assert_eq!(SigningKey::parse(&text).is_some(), good, "{text}");
        }
        assert!(SigningKey::parse_all([KEY; 5]).is_none());
    }
}
