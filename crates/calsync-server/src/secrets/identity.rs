//! The identity that names and marks this installation's blocks. It is derived from the oldest sealing key and then
//! kept, sealed, in the database: so it outlives a change of keys, and the loss of the database too as long as that
//! key is still configured. It never changes by itself: with another identity our own blocks would look like strangers.

use calsync_core::block::Identity;
use calsync_core::ports::{Store, StoreError};

use super::key::{KEY_LEN, KeyId, Purpose};
use super::seal::{Keyring, OpenError, Place};
use super::sealed_setting::{self, from_value, to_value};
use crate::system::Random;

/// Name of the setting.
pub const SETTING: &str = "identity";

/// Why there is no identity to work with.
#[derive(Debug, thiserror::Error)]
pub enum NoIdentity {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another key than the one that the database is sealed with.
    #[error(
        "the database and this installation's identity in it are sealed with key {theirs}, and this instance has key {ours}: every instance needs the same secrets.key, or that one among its secrets.previous_keys"
    )]
    OtherKey {
        /// The database's.
        theirs: KeyId,
        /// This instance's.
        ours: KeyId,
    },
    /// The keys do not fit the database.
    #[error("this installation's identity does not open: {0}")]
    Sealed(#[from] OpenError),
    /// The setting holds something else.
    #[error("this installation's identity in the database is unreadable: restore the database from a backup")]
    Unreadable,
}

/// The identity that these keys give where none is stored yet.
pub fn derive(ring: &Keyring) -> Identity {
    Identity::new(ring.oldest().subkey(Purpose::Identity))
}

/// The stored identity; the first call stores the derived one. Fails if the keys do not fit the database, which makes
/// it the check of the keys at start.
pub async fn load(store: &dyn Store, ring: &Keyring, random: &dyn Random) -> Result<Identity, NoIdentity> {
    let sealed = ring.seal(&Place::setting(SETTING), &ring.oldest().subkey(Purpose::Identity), random);
    open(store.init_setting(SETTING, &to_value(&sealed)).await?, ring)
}

/// A stored identity.
pub fn open(stored: serde_json::Value, ring: &Keyring) -> Result<Identity, NoIdentity> {
    let plain = ring.open(&Place::setting(SETTING), &from_value(stored)?).map_err(|error| match error {
        OpenError::MissingKey(theirs) => NoIdentity::OtherKey { theirs, ours: ring.current_id() },
        other => other.into(),
    })?;
    let key: [u8; KEY_LEN] = plain.try_into().map_err(|_| NoIdentity::Unreadable)?;
    Ok(Identity::new(key))
}

/// The stored identity as it lies in the database, if there is one.
pub async fn sealed(store: &dyn Store) -> Result<Option<Vec<u8>>, NoIdentity> {
    sealed_setting::sealed(store, SETTING).await
}
