//! What comes back from the database sealed or signed: sealed values, keys, the marks of blocks and their ids.

use calsync_core::block::{Identity, Marker, Origin, block_event_id, is_block, looks_like_block_id};
use calsync_core::ids::{CorrelationId, EventId};
use calsync_server::secrets::seal::sealed_with;
use calsync_server::secrets::{Keyring, Place, SealingKey, identity};
use calsync_server::system::Random;
use data_encoding::BASE64;
use serde_json::Value;
use uuid::Uuid;

use crate::CANARY;
use crate::material::{first_line, has_canary};

/// A key that seals nothing but this crate's own inputs.
pub(crate) const KEY: &str = "ZnV6eiBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE=";

/// Bytes that are known beforehand.
struct Known(u8);

impl Random for Known {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn ring() -> Keyring {
    Keyring::new(SealingKey::parse(KEY).expect("a key of this crate"), vec![])
}

/// A sealed value as it lies in the database; and the same bytes, sealed, with one of them changed.
pub fn sealed(data: &[u8]) {
    let (ring, place) = (ring(), Place::setting("fuzz"));
    // Nobody but whoever has the key makes what opens.
    assert!(ring.open(&place, data).is_err(), "what was never sealed opens");
    let mut sealed = ring.seal(&place, data, &Known(7));
    assert_eq!(ring.open(&place, &sealed).as_deref(), Ok(data), "what is sealed opens");
    assert_eq!(sealed_with(&sealed), Some(ring.current_id()));
    let elsewhere = Place { row: "other".to_owned(), ..place.clone() };
    assert!(ring.open(&elsewhere, &sealed).is_err(), "it opens in another place");
    let at = data.iter().fold(data.len(), |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(*b)));
    let at = at % sealed.len();
    assert!(ring.open(&place, &sealed[..at]).is_err(), "cut at {at}, it opens");
    sealed[at] ^= 1 << (at % 8);
    assert!(ring.open(&place, &sealed).is_err(), "changed at {at}, it opens");
    let as_setting = Value::from(BASE64.encode(data));
    assert!(
        identity::open(as_setting, &ring).is_err(),
        "another value passes for this installation's identity"
    );
    let _ = identity::open(serde_json::from_slice(data).unwrap_or_default(), &ring);
}

/// The text of a sealing key.
pub fn keys(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match SealingKey::parse(text) {
        Ok(key) => {
            assert_eq!(SealingKey::parse(&key.expose()).as_ref(), Ok(&key), "what is written reads the same");
            assert!(!format!("{key:?}").contains(&key.expose()), "a key prints");
        }
        Err(_) if has_canary(data) => {}
        Err(_) => {
            if let Err(error) = SealingKey::parse(&format!("{text}{CANARY}")) {
                assert!(!error.to_string().contains(CANARY), "an error repeats a key");
            }
        }
    }
}

/// An event's id in the first line, its mark in the second.
pub fn marks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (id, mark) = text.split_once('\n').unwrap_or((text, ""));
    let (id, mark) = (EventId(id.to_owned()), Marker(mark.to_owned()));
    let identity = Identity::new([7; 32]);
    for seen in [None, Some(&mark)] {
        match identity.origin(&id, seen) {
            Origin::Ours(correlation) => {
                let signed = identity.marker(correlation, &id);
                let tail = |marker: &Marker| marker.0.rsplit('.').next().map(str::to_owned);
                assert_eq!(seen.and_then(tail), tail(&signed), "a mark that we did not sign is ours");
            }
            Origin::SomebodysBlock => assert!(is_block(&id, seen)),
            Origin::Event => {
                assert!(!is_block(&id, seen) && seen.is_none(), "a marked block passes for an event")
            }
        }
    }
    if looks_like_block_id(&id) {
        assert!(id.as_str().is_ascii() && id.as_str().starts_with("cs1"), "{id:?}");
    }
    let digest =
        first_line(data).1.iter().fold(1u128, |sum, b| sum.wrapping_mul(257).wrapping_add(u128::from(*b)));
    let (correlation, generation) =
        (CorrelationId(Uuid::from_u128(digest)), u32::try_from(data.len()).unwrap_or(0));
    let ours = block_event_id(correlation, generation);
    assert!(looks_like_block_id(&ours), "{ours:?}");
    let signed = identity.marker(correlation, &ours);
    assert_eq!(identity.origin(&ours, Some(&signed)), Origin::Ours(correlation));
    assert_eq!(
        Identity::new([8; 32]).origin(&ours, Some(&signed)),
        Origin::SomebodysBlock,
        "another installation's"
    );
    if id != ours {
        assert_eq!(identity.origin(&id, Some(&signed)), Origin::SomebodysBlock, "a copy is not ours");
    }
}
