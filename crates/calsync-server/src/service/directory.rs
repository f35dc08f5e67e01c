//! Opens accounts at their providers: it opens the sealed credentials, keeps each opened account (its access token and its
//! budget live in it), and stores rotated credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use calsync_core::calendar::{Account, ProviderKind};
use calsync_core::ids::AccountId;
use calsync_core::ports::{
    ErrorClass, ProviderAccount, ProviderDirectory, ProviderError, SealedCredentials, Store,
};
use calsync_core::time::Ts;
use calsync_providers::Provider;
use calsync_providers::credentials::{CredentialKeeper, Credentials, Kept, NotKept};

use crate::secrets::{Keyring, Place};
use crate::system::Random;

/// Accounts kept open. Beyond it the one that sorts first is opened anew when it is next needed: a new access token,
/// nothing worse.
const OPEN_MAX: usize = 10_000;

/// The directory of one process.
pub struct Directory {
    store: Arc<dyn Store>,
    keeper: Arc<Keeper>,
    providers: RwLock<BTreeMap<ProviderKind, Arc<dyn Provider>>>,
    open: Mutex<BTreeMap<AccountId, Opened>>,
}

#[derive(Clone)]
struct Opened {
    /// Version of the stored credentials that it was last compared with.
    version: i64,
    /// When the person granted what it was opened with.
    granted_at: Ts,
    session: Arc<dyn ProviderAccount>,
}

impl Directory {
    /// With these keys and the providers that are configured.
    pub fn new(
        store: Arc<dyn Store>,
        ring: Keyring,
        random: Arc<dyn Random>,
        providers: impl IntoIterator<Item = Arc<dyn Provider>>,
    ) -> Directory {
        let keeper = Arc::new(Keeper { store: store.clone(), ring, random });
        let providers = providers.into_iter().map(|provider| (provider.kind(), provider)).collect();
        Directory { store, keeper, providers: RwLock::new(providers), open: Mutex::default() }
    }

    /// A provider, or what the operator must do to have it.
    pub fn provider(&self, kind: ProviderKind) -> Result<Arc<dyn Provider>, ProviderError> {
        let missing = || {
            let name = kind.as_str();
            let detail = match kind {
                ProviderKind::Apple => format!("this version cannot use {name} accounts"),
                ProviderKind::Google | ProviderKind::Microsoft => format!(
                    "enter the OAuth client under Set-up, or set {name}.client_id and {name}.client_secret, first \
                     (docs/providers/{name}.md says how)"
                ),
            };
            ProviderError::new(ErrorClass::Misconfigured, detail)
        };
        self.providers.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned().ok_or_else(missing)
    }

    /// Those that can be used.
    pub fn kinds(&self) -> Vec<ProviderKind> {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// From now on this one is used. Accounts are opened anew: what was open belongs to the one before.
    pub fn put_provider(&self, provider: Arc<dyn Provider>) {
        self.providers.write().unwrap_or_else(PoisonError::into_inner).insert(provider.kind(), provider);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When the provider ends an account's sign-in by itself, where it said so: Google does for clients in "Testing".
    pub async fn grant_ends(&self, account: AccountId) -> Option<Ts> {
        self.keeper.stored(account).await?.expires_at
    }

    /// Seals credentials for an account.
    pub fn seal(&self, account: AccountId, credentials: &Credentials, version: i64) -> SealedCredentials {
        self.keeper.seal(account, credentials, version)
    }

    fn kept(&self, account: AccountId) -> Option<Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    fn keep(&self, account: AccountId, opened: Opened) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MAX && !open.contains_key(&account) {
            open.pop_first();
        }
        open.insert(account, opened);
    }
}

#[async_trait]
impl ProviderDirectory for Directory {
    async fn open(&self, account: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        let sealed = self.store.credentials(account.id).await;
        let sealed = sealed.map_err(|e| ProviderError::new(ErrorClass::Transient, e.to_string()))?;
        let sealed = sealed.ok_or_else(|| {
            ProviderError::new(
                ErrorClass::Unauthorized,
                "there are no credentials for this account: connect it again",
            )
        })?;
        let kept = self.kept(account.id);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.version == sealed.version) {
            return Ok(kept.session.clone());
        }
        let operator = |detail: String| ProviderError::new(ErrorClass::Misconfigured, detail);
        let credentials = self.keeper.open(account.id, &sealed).map_err(operator)?;
        // Rotated, here or by another instance, or sealed anew: what is open goes on working. Opening it anew would buy
        // another access token, which would rotate them again, which would make the others open it anew.
        let granted_at = credentials.obtained_at;
        let same = kept.filter(|kept| kept.granted_at == granted_at);
        let session = match same {
            Some(kept) => kept.session,
            None => {
                let provider = self.provider(account.provider)?;
                provider.open(account, credentials, self.keeper.clone())
            }
        };
        self.keep(account.id, Opened { version: sealed.version, granted_at, session: session.clone() });
        Ok(session)
    }
}

/// Seals and stores credentials.
struct Keeper {
    store: Arc<dyn Store>,
    ring: Keyring,
    random: Arc<dyn Random>,
}

impl Keeper {
    fn seal(&self, account: AccountId, credentials: &Credentials, version: i64) -> SealedCredentials {
        let plain = serde_json::to_vec(credentials).expect("credentials have text keys only");
        let sealed = self.ring.seal(&Place::credentials(account), &plain, self.random.as_ref());
        SealedCredentials { sealed, version }
    }

    fn open(&self, account: AccountId, sealed: &SealedCredentials) -> Result<Credentials, String> {
        let plain =
            self.ring.open(&Place::credentials(account), &sealed.sealed).map_err(|e| e.to_string())?;
        // The error of the parser would quote what it read.
        serde_json::from_slice(&plain).map_err(|_| "the stored credentials are unreadable".to_owned())
    }
}

#[async_trait]
impl CredentialKeeper for Keeper {
    async fn replace(
        &self,
        account: AccountId,
        old: &Credentials,
        new: &Credentials,
    ) -> Result<Kept, NotKept> {
        let not_kept = |e: &dyn std::fmt::Display| NotKept(e.to_string());
        let current = self.store.credentials(account).await.map_err(|e| not_kept(&e))?;
        let Some(current) = current else { return Ok(Kept::Outrun(None)) };
        let stored = self.open(account, &current).map_err(|e| not_kept(&e))?;
        if stored.refresh_token != old.refresh_token {
            return Ok(Kept::Outrun(Some(stored)));
        }
        let sealed = self.seal(account, new, current.version + 1);
        let replaced = self.store.replace_credentials(account, current.version, &sealed).await;
        Ok(if replaced.map_err(|e| not_kept(&e))? { Kept::Stored } else { Kept::Outrun(None) })
    }

    async fn stored(&self, account: AccountId) -> Option<Credentials> {
        let sealed = self.store.credentials(account).await.ok()??;
        self.open(account, &sealed).ok()
    }
}
