//! Opaque tokens on the wire: of paging, of sync, and a provider's ids. A token is a sealed value; whatever was not made
//! here is refused. It hides nothing from anybody who decodes it.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// How much of a digest seals a token: enough against an accident, not against an attacker.
const SEAL: usize = 6;

/// Seals a value into an opaque token.
pub(crate) fn seal(value: &impl Serialize) -> String {
    // A plain struct of numbers and texts cannot fail to serialise; an empty token would be refused on its way back.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut sealed = Sha256::digest(&body)[..SEAL].to_vec();
    sealed.extend(body);
    BASE64URL_NOPAD.encode(&sealed)
}

/// Opens a token that [`seal`] made.
pub(crate) fn unseal<T: DeserializeOwned>(token: &str) -> Option<T> {
    let sealed = BASE64URL_NOPAD.decode(token.trim_end_matches('=').as_bytes()).ok()?;
    let (mark, body) = sealed.split_at_checked(SEAL)?;
    (Sha256::digest(body)[..SEAL] == *mark).then(|| serde_json::from_slice(body).ok())?
}

/// A short fingerprint of some text.
pub(crate) fn fingerprint(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes())[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let token = seal(&(1_u64, "x".to_owned()));
        assert_eq!(unseal::<(u64, String)>(&token), Some((1, "x".to_owned())));
        for bad in ["", "a", "Zm9v", &token[1..], "😀"] {
            assert_eq!(unseal::<(u64, String)>(bad), None, "{bad}");
        }
    }
}
