//! Changing keys: which key sealed what, and sealing everything again with the current one. It can be repeated and
//! broken off at any point: what is not yet done stays readable by its old key.

use std::collections::BTreeMap;

use calsync_core::ids::AccountId;
use calsync_core::ports::{SealedCredentials, Store};

use super::identity::NoIdentity;
use super::key::KeyId;
use super::seal::{Keyring, Place, sealed_with};
use super::sealed_setting::{self, Resealed};
use crate::system::Random;

/// How often one account is tried when somebody changes it meanwhile.
const MAX_TRIES: u32 = 5;

/// What is sealed with which key.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Inventory {
    /// Sealed values by key. `None`: not sealed by this version.
    pub by_key: BTreeMap<Option<KeyId>, u64>,
    /// What does not open, in words.
    pub unreadable: Vec<String>,
}

/// What a rotation did.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Rotation {
    /// Sealed again.
    pub resealed: u64,
    /// Sealed with the current key before.
    pub already: u64,
    /// Left as they were, and why.
    pub failed: Vec<String>,
}

/// Looks at everything sealed; changes nothing.
pub async fn inventory(store: &dyn Store, ring: &Keyring) -> Result<Inventory, NoIdentity> {
    let mut found = Inventory::default();
    let mut look = |place: Place, sealed: &[u8]| {
        *found.by_key.entry(sealed_with(sealed)).or_default() += 1;
        if let Err(e) = ring.open(&place, sealed) {
            found.unreadable.push(format!("{place}: {e}"));
        }
    };
    for name in sealed_setting::ALL {
        if let Some(sealed) = sealed_setting::sealed(store, name).await? {
            look(Place::setting(name), &sealed);
        }
    }
    for (account, credentials) in store.all_credentials().await? {
        look(Place::credentials(account), &credentials.sealed);
    }
    Ok(found)
}

/// Seals everything with the current key.
pub async fn rotate(store: &dyn Store, ring: &Keyring, random: &dyn Random) -> Result<Rotation, NoIdentity> {
    let mut done = Rotation::default();
    for name in sealed_setting::ALL {
        match sealed_setting::reseal(store, ring, random, name).await {
            Ok(Resealed::Now) => done.resealed += 1,
            Ok(Resealed::Already) => done.already += 1,
            Ok(Resealed::Absent) => {}
            Err(NoIdentity::Store(e)) => return Err(e.into()),
            Err(e) => done.failed.push(format!("{}: {e}", Place::setting(name))),
        }
    }
    for (account, credentials) in store.all_credentials().await? {
        match reseal_account(store, ring, random, account, credentials).await? {
            Ok(Resealed::Now) => done.resealed += 1,
            Ok(Resealed::Already) => done.already += 1,
            Ok(Resealed::Absent) => {}
            Err(e) => done.failed.push(format!("{}: {e}", Place::credentials(account))),
        }
    }
    Ok(done)
}

/// One account, against writers that refresh its tokens meanwhile.
async fn reseal_account(
    store: &dyn Store,
    ring: &Keyring,
    random: &dyn Random,
    account: AccountId,
    mut found: SealedCredentials,
) -> Result<Result<Resealed, String>, NoIdentity> {
    let place = Place::credentials(account);
    for _ in 0..MAX_TRIES {
        let sealed = match ring.reseal(&place, &found.sealed, random) {
            Err(e) => return Ok(Err(e.to_string())),
            Ok(None) => return Ok(Ok(Resealed::Already)),
            Ok(Some(sealed)) => sealed,
        };
        let new = SealedCredentials { sealed, version: found.version + 1 };
        if store.replace_credentials(account, found.version, &new).await? {
            return Ok(Ok(Resealed::Now));
        }
        match store.credentials(account).await? {
            Some(newer) => found = newer,
            // Removed meanwhile: nothing left to seal.
            None => return Ok(Ok(Resealed::Absent)),
        }
    }
    Ok(Err("it is being changed all the time: run the command again".to_owned()))
}

#[cfg(test)]
mod tests;
