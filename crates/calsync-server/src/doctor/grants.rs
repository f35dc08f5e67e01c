//! What people granted, account by account: whether it is enough, and until when. Opens what is sealed, and keeps none of it.

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ports::{Store, StoreError};
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
    let mut grants = Vec::new();
    for user in store.users().await? {
        let Some(state) = store.user_state(user.id).await? else { continue };
        for account in state.accounts {
            let Some(sealed) = store.credentials(account.id).await? else { continue };
            let opened = ring.open(&Place::credentials(account.id), &sealed.sealed).ok();
            let credentials = opened.and_then(|plain| serde_json::from_slice::<Credentials>(&plain).ok());
            let Some(credentials) = credentials else { continue };
            let enough = match account.provider {
                ProviderKind::Google => google::Consent::default().check(&credentials.scope),
                ProviderKind::Microsoft => microsoft::Consent::default().check(&credentials.scope),
                ProviderKind::Apple => Ok(()),
            };
            grants.push(Grant {
                email: account.email,
                provider: account.provider,
                status: account.status,
                lacks: enough.err().map(|error| error.detail),
                ends: credentials.expires_at,
            });
        }
    }
    Ok(grants)
}
