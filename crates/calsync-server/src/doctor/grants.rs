//! What people granted, account by account: whether it is enough, and until when. Opens what is sealed, and keeps none of it.

use std::collections::BTreeMap;

use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::AccountId;
use calsync_core::ports::{SealedCredentials, Store, StoreError};
use calsync_core::time::Ts;
use calsync_providers::credentials::Credentials;
use calsync_providers::{google, microsoft};

use crate::secrets::{Keyring, Place};

/// One account's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Grant {
    /// Its address.
    pub(super) email: String,
    /// At which provider.
    pub(super) provider: ProviderKind,
    /// Whether it can be used.
    pub(super) status: AccountStatus,
    /// What was not allowed, in words.
    pub(super) lacks: Option<String>,
    /// When it ends by itself, where the provider said so.
    pub(super) ends: Option<Ts>,
}

/// All of them, as far as they can be opened: what can't be is told of the key.
pub(super) async fn read(store: &dyn Store, ring: &Keyring) -> Result<Vec<Grant>, StoreError> {
    let sealed: BTreeMap<AccountId, SealedCredentials> = store.all_credentials().await?.into_iter().collect();
    let grant = |account: Account| {
        let sealed = &sealed.get(&account.id)?.sealed;
        let plain = ring.open(&Place::credentials(account.id), sealed).ok()?;
        let credentials: Credentials = serde_json::from_slice(&plain).ok()?;
        let enough = match account.provider {
            ProviderKind::Google => google::Consent::default().check(&credentials.scope),
            ProviderKind::Microsoft => microsoft::Consent::default().check(&credentials.scope),
            ProviderKind::Apple => Ok(()),
        };
        Some(Grant {
            email: account.email,
            provider: account.provider,
            status: account.status,
            lacks: enough.err().map(|error| error.detail),
            ends: credentials.expires_at,
        })
    };
    Ok(store.accounts().await?.into_iter().filter_map(grant).collect())
}
