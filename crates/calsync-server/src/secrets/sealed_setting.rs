//! Settings in the database that are sealed, as `{"sealed": …}`: the one form of them, so that a change of keys finds them all.

use calsync_core::ports::Store;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::identity::{self, NoIdentity};
use super::seal::{Keyring, Place};
use crate::system::Random;

/// The OAuth client at Google that the staff entered.
pub const GOOGLE_CLIENT: &str = "client.google";
/// The one at Microsoft.
pub const MICROSOFT_CLIENT: &str = "client.microsoft";
/// All of them.
pub const ALL: [&str; 3] = [identity::SETTING, GOOGLE_CLIENT, MICROSOFT_CLIENT];

#[derive(Serialize, Deserialize)]
struct Stored {
    sealed: String,
}

/// It as it lies in the database, if it is there.
pub async fn sealed(store: &dyn Store, name: &str) -> Result<Option<Vec<u8>>, NoIdentity> {
    store.setting(name).await?.map(from_value).transpose()
}

/// Stores it.
pub async fn put(
    store: &dyn Store,
    ring: &Keyring,
    random: &dyn Random,
    name: &str,
    plain: &[u8],
) -> Result<(), NoIdentity> {
    let sealed = ring.seal(&Place::setting(name), plain, random);
    Ok(store.put_setting(name, &to_value(&sealed)).await?)
}

/// What it holds, if it is there.
pub async fn open(store: &dyn Store, ring: &Keyring, name: &str) -> Result<Option<Vec<u8>>, NoIdentity> {
    let Some(sealed) = sealed(store, name).await? else { return Ok(None) };
    Ok(Some(ring.open(&Place::setting(name), &sealed)?))
}

/// What became of a resealing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resealed {
    /// It was sealed again.
    Now,
    /// There was nothing to do.
    Already,
    /// It is not there.
    Absent,
}

/// Seals it with the current key. Whoever changes it meanwhile wins.
pub async fn reseal(
    store: &dyn Store,
    ring: &Keyring,
    random: &dyn Random,
    name: &str,
) -> Result<Resealed, NoIdentity> {
    let Some(present) = store.setting(name).await? else { return Ok(Resealed::Absent) };
    match ring.reseal(&Place::setting(name), &from_value(present.clone())?, random)? {
        None => Ok(Resealed::Already),
        Some(again) => {
            store.change_setting(name, Some(&present), &to_value(&again)).await?;
            Ok(Resealed::Now)
        }
    }
}

pub(super) fn to_value(sealed: &[u8]) -> serde_json::Value {
    serde_json::json!(Stored { sealed: BASE64.encode(sealed) })
}

pub(super) fn from_value(value: serde_json::Value) -> Result<Vec<u8>, NoIdentity> {
    let stored: Stored = serde_json::from_value(value).map_err(|_| NoIdentity::Unreadable)?;
    BASE64.decode(stored.sealed.as_bytes()).map_err(|_| NoIdentity::Unreadable)
}
