//! Sealing: XChaCha20-Poly1305 under a header `version ‖ key id ‖ nonce`, bound to the very place it is stored in, so
//! that a sealed value moved to another row, column or table does not open. The current key seals; the previous ones
//! only open. Never keeps a plaintext longer than the call.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::key::{KeyId, Purpose, SealingKey};
use crate::system::Random;

/// First byte of everything sealed in this way.
const VERSION: u8 = 1;
const ID_LEN: usize = 8;
/// 192 random bits: drawn afresh for every sealing, they never meet again.
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + ID_LEN + NONCE_LEN;
/// Length of the tag that the cipher appends.
const TAG_LEN: usize = 16;

/// Where a sealed value is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub row: String,
}

impl Place {
    /// The credentials of an account.
    pub fn credentials(account: calsync_core::ids::AccountId) -> Place {
        Place { table: "account", column: "credentials", row: account.to_string() }
    }

    /// A setting.
    pub fn setting(name: &str) -> Place {
        Place { table: "setting", column: "value", row: name.to_owned() }
    }

    /// Header and place, each part with its length, so that no two places give the same bytes.
    fn bound_to(&self, header: &[u8]) -> Vec<u8> {
        let mut aad = header.to_vec();
        for part in [self.table, self.column, &self.row] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}

/// Why a sealed value does not open.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Too short, or of a version that this program does not know.
    #[error("it was not sealed by this version of calendar-sync")]
    Unknown,
    /// Its key is not configured.
    #[error("it is sealed with key {0}, which is not configured: put that key into secrets.previous_keys")]
    MissingKey(KeyId),
    /// The tag does not fit: changed, or moved from another place.
    #[error(
        "it was changed or moved since it was sealed with key {0}: restore the database, or connect the account again"
    )]
    Tampered(KeyId),
}

/// The keys in use: one that seals and opens, and older ones that only open.
#[derive(Clone, Debug)]
pub struct Keyring {
    current: SealingKey,
    previous: Vec<SealingKey>,
}

impl Keyring {
    /// Seals with `current`; opens with `previous` too.
    pub fn new(current: SealingKey, previous: Vec<SealingKey>) -> Keyring {
        Keyring { current, previous }
    }

    /// The name of the key that seals.
    pub fn current_id(&self) -> KeyId {
        self.current.id()
    }

    /// The names of those that only open.
    pub fn previous_ids(&self) -> Vec<KeyId> {
        self.previous.iter().map(SealingKey::id).collect()
    }

    /// The key that has been known longest: by convention the last of the previous ones.
    pub fn oldest(&self) -> &SealingKey {
        self.previous.last().unwrap_or(&self.current)
    }

    /// Seals `plain` for this place.
    pub fn seal(&self, place: &Place, plain: &[u8], random: &dyn Random) -> Vec<u8> {
        let mut nonce = [0u8; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEADER_LEN + plain.len() + TAG_LEN);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.current.id().0);
        sealed.extend_from_slice(&nonce);
        let aad = place.bound_to(&sealed);
        let ciphertext = cipher(&self.current)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .expect("the cipher takes up to 256 GiB");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (header, ciphertext) = sealed.split_at_checked(HEADER_LEN).ok_or(OpenError::Unknown)?;
        let id = sealed_with(sealed).ok_or(OpenError::Unknown)?;
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id() == id)
            .ok_or(OpenError::MissingKey(id))?;
        let mut nonce = [0u8; NONCE_LEN];
        nonce.copy_from_slice(&header[1 + ID_LEN..]);
        let aad = place.bound_to(header);
        cipher(key)
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &aad })
            .map_err(|_| OpenError::Tampered(id))
    }

    /// Seals again with the current key what an older one sealed; `None` if the current one did.
    pub fn reseal(
        &self,
        place: &Place,
        sealed: &[u8],
        random: &dyn Random,
    ) -> Result<Option<Vec<u8>>, OpenError> {
        let plain = self.open(place, sealed)?;
        if sealed_with(sealed) == Some(self.current_id()) {
            return Ok(None);
        }
        Ok(Some(self.seal(place, &plain, random)))
    }
}

/// Which key sealed this, going by its header alone.
pub fn sealed_with(sealed: &[u8]) -> Option<KeyId> {
    if sealed.len() < HEADER_LEN + TAG_LEN || sealed[0] != VERSION {
        return None;
    }
    let mut id = [0u8; ID_LEN];
    id.copy_from_slice(&sealed[1..=ID_LEN]);
    Some(KeyId(id))
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&key.subkey(Purpose::Sealing).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    fn ring() -> Keyring {
        Keyring::new(SealingKey::generate(&SystemRandom), vec![])
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let ring = ring();
        let place = Place { table: "account", column: "credentials", row: "1".into() };
        let sealed = ring.seal(&place, b"refresh token", &SystemRandom);
        assert_eq!(ring.open(&place, &sealed), Ok(b"refresh token".to_vec()));
        assert!(!sealed.windows(7).any(|w| w == b"refresh"));
        assert_ne!(sealed, ring.seal(&place, b"refresh token", &SystemRandom), "a nonce is never used twice");
        for other in [
            Place { row: "2".into(), ..place.clone() },
            Place { column: "x", ..place.clone() },
            Place { table: "x", ..place.clone() },
            Place { table: "accoun", column: "tcredentials", row: "1".into() },
        ] {
            assert_eq!(ring.open(&other, &sealed), Err(OpenError::Tampered(ring.current_id())), "{other}");
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let ring = ring();
        let place = Place::setting("x");
        for plain in [&b""[..], b"token"] {
            let sealed = ring.seal(&place, plain, &SystemRandom);
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(ring.open(&place, &changed).is_err(), "byte {at}");
                assert!(ring.open(&place, &sealed[..at]).is_err(), "cut at {at}");
            }
        }
        assert_eq!(
            ring.open(&place, b"plain text in the wrong place, and rather long for that matter"),
            Err(OpenError::Unknown)
        );
    }

    #[test]
    fn previous_keys_open_and_do_not_seal() {
        let old = SealingKey::generate(&SystemRandom);
        let new = SealingKey::generate(&SystemRandom);
        let place = Place::setting("x");
        let sealed = Keyring::new(old.clone(), vec![]).seal(&place, b"token", &SystemRandom);
        assert_eq!(
            Keyring::new(new.clone(), vec![]).open(&place, &sealed),
            Err(OpenError::MissingKey(old.id())),
            "the error names the key that is missing"
        );
        let both = Keyring::new(new.clone(), vec![old]);
        assert_eq!(both.open(&place, &sealed), Ok(b"token".to_vec()));
        let again = both.reseal(&place, &sealed, &SystemRandom).unwrap().unwrap();
        assert_eq!(sealed_with(&again), Some(new.id()));
        assert_eq!(both.reseal(&place, &again, &SystemRandom), Ok(None));
        assert_eq!(Keyring::new(new, vec![]).open(&place, &again), Ok(b"token".to_vec()));
    }
}
