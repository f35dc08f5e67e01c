//! A sealing key: 32 secret bytes that never print, the id by which sealed data names it, and the subkeys derived from
//! it, one per purpose, so that no two purposes ever share key bytes.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::system::Random;

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;
/// Domain separation of everything derived from a key.
const SALT: &[u8] = b"calendar-sync keys v1";

/// 32 secret bytes.
#[derive(Clone)]
pub struct SealingKey {
    bytes: [u8; KEY_LEN],
}

/// What a key is derived for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Sealing what the database keeps.
    Sealing,
    /// Naming and marking blocks.
    Identity,
    /// Telling keys apart.
    KeyId,
}

impl Purpose {
    const fn info(self) -> &'static [u8] {
        match self {
            Purpose::Sealing => b"sealing",
            Purpose::Identity => b"identity",
            Purpose::KeyId => b"key id",
        }
    }
}

/// The name of a key: derived from it, and telling nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no key. Never holds any of the text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAKey {
    /// Nothing there.
    #[error("is empty: give 32 random bytes as base64, such as `calendar-sync secrets generate` prints")]
    Empty,
    /// Readable, but of another length.
    #[error("holds {0} bytes, a key has exactly 32: make one with `calendar-sync secrets generate`")]
    WrongLength(usize),
    /// Neither base64 nor hex.
    #[error("is neither base64 nor hex: make one with `calendar-sync secrets generate`")]
    Unreadable,
    /// A constant byte: somebody's placeholder.
    #[error("is one byte repeated, which anybody can guess: make one with `calendar-sync secrets generate`")]
    Guessable,
}

impl SealingKey {
    /// A new key.
    pub fn generate(random: &dyn Random) -> SealingKey {
        let mut bytes = [0u8; KEY_LEN];
        random.fill(&mut bytes);
        SealingKey { bytes }
    }

    /// From text: base64, base64url (both with or without padding) or hex.
    pub fn parse(text: &str) -> Result<SealingKey, NotAKey> {
        let text = text.trim().as_bytes();
        if text.is_empty() {
            return Err(NotAKey::Empty);
        }
        // Hex first: 64 hex digits are valid base64 too, but nobody means 48 bytes by them.
        let decoded = [&HEXLOWER_PERMISSIVE, &BASE64, &BASE64_NOPAD, &BASE64URL, &BASE64URL_NOPAD]
            .into_iter()
            .find_map(|encoding| encoding.decode(text).ok())
            .ok_or(NotAKey::Unreadable)?;
        let bytes: [u8; KEY_LEN] = decoded.try_into().map_err(|d: Vec<u8>| NotAKey::WrongLength(d.len()))?;
        if bytes.iter().all(|b| *b == bytes[0]) {
            return Err(NotAKey::Guessable);
        }
        Ok(SealingKey { bytes })
    }

    /// As text, for a key file. Every caller of this is a place where the key could leak.
    pub fn expose(&self) -> String {
        BASE64.encode(&self.bytes)
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        let mut id = [0u8; 8];
        id.copy_from_slice(&self.subkey(Purpose::KeyId)[..8]);
        KeyId(id)
    }

    /// The key for one purpose.
    pub fn subkey(&self, purpose: Purpose) -> [u8; KEY_LEN] {
        let mut out = [0u8; KEY_LEN];
        Hkdf::<Sha256>::new(Some(SALT), &self.bytes)
            .expand(purpose.info(), &mut out)
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        out
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id())
    }
}

impl PartialEq for SealingKey {
    fn eq(&self, other: &SealingKey) -> bool {
        calsync_core::secret::constant_time_eq(&self.bytes, &other.bytes)
    }
}
impl Eq for SealingKey {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn a_key_is_read_in_every_usual_spelling() {
        let bytes: Vec<u8> = (100..132).map(|b: u8| b.wrapping_mul(37)).collect();
        let key = SealingKey::parse(&BASE64.encode(&bytes)).unwrap();
        for text in [
            BASE64_NOPAD.encode(&bytes),
            BASE64URL.encode(&bytes),
            BASE64URL_NOPAD.encode(&bytes),
            HEXLOWER.encode(&bytes),
            HEXLOWER.encode(&bytes).to_ascii_uppercase(),
            format!("  {}\n", BASE64.encode(&bytes)),
        ] {
            assert_eq!(SealingKey::parse(&text), Ok(key.clone()), "{text}");
        }
        assert_eq!(SealingKey::parse(&key.expose()), Ok(key));
    }

    #[test]
    fn a_bad_key_is_told_apart_without_being_shown() {
        assert_eq!(SealingKey::parse(" \n"), Err(NotAKey::Empty));
        assert_eq!(SealingKey::parse("hunter2!"), Err(NotAKey::Unreadable));
        assert_eq!(SealingKey::parse(&BASE64.encode(&[7; 31])), Err(NotAKey::WrongLength(31)));
        assert_eq!(SealingKey::parse(&HEXLOWER.encode(&[7; 33])), Err(NotAKey::WrongLength(33)));
        assert_eq!(SealingKey::parse(&"0".repeat(64)), Err(NotAKey::Guessable));
    }

    #[test]
    fn purposes_share_no_bytes_and_nothing_prints() {
        let key = SealingKey::generate(&SystemRandom);
        let subkeys = [Purpose::Sealing, Purpose::Identity, Purpose::KeyId].map(|p| key.subkey(p));
        assert!(subkeys[0] != subkeys[1] && subkeys[1] != subkeys[2] && subkeys[0] != subkeys[2]);
        assert_ne!(subkeys[0], key.bytes);
        assert!(!format!("{key:?}").contains(&key.expose()));
        assert_eq!(key.id(), key.clone().id());
        assert_ne!(key.id(), SealingKey::generate(&SystemRandom).id());
    }
}
