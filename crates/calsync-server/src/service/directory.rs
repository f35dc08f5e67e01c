//! Opens accounts at their providers: the one place that knows which provider is which. It opens the sealed credentials,
//! keeps each opened account (its access token and its budget live in it), and stores rotated credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use calsync_core::calendar::{Account, ProviderKind};
use calsync_core::ids::AccountId;
use calsync_core::ports::{
    ErrorClass, ProviderAccount, ProviderDirectory, ProviderError, SealedCredentials, Store,
};
use calsync_providers::credentials::{CredentialKeeper, Credentials, NotKept};
use calsync_providers::google::Google;

use crate::secrets::{Keyring, Place};
use crate::system::Random;

/// Accounts kept open. Beyond it the one that sorts first is opened anew when it is next needed: a new access token,
/// nothing worse.
const OPEN_MAX: usize = 10_000;

/// The directory of one process.
pub struct Directory {
    store: Arc<dyn Store>,
    keeper: Arc<Keeper>,
    google: Option<Arc<Google>>,
    open: Mutex<BTreeMap<AccountId, Opened>>,
}

struct Opened {
    /// Version of the credentials it was opened with.
    version: i64,
    session: Arc<dyn ProviderAccount>,
}

impl Directory {
    /// With these keys and these providers (`None`: not configured).
    pub fn new(
        store: Arc<dyn Store>,
        ring: Keyring,
        random: Arc<dyn Random>,
        google: Option<Arc<Google>>,
    ) -> Directory {
        let keeper = Arc::new(Keeper { store: store.clone(), ring, random });
        Directory { store, keeper, google, open: Mutex::default() }
    }

    /// Google, if it is configured.
    pub fn google(&self) -> Option<&Arc<Google>> {
        self.google.as_ref()
    }

    /// Seals credentials for an account.
    pub fn seal(&self, account: AccountId, credentials: &Credentials, version: i64) -> SealedCredentials {
        self.keeper.seal(account, credentials, version)
    }

    fn kept(&self, account: AccountId, version: i64) -> Option<Arc<dyn ProviderAccount>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&account).filter(|o| o.version == version).map(|o| o.session.clone())
    }

    fn keep(&self, account: AccountId, opened: Opened) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MAX {
            open.pop_first();
        }
        open.insert(account, opened);
    }
}

fn operator(detail: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Misconfigured, detail)
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
        if let Some(session) = self.kept(account.id, sealed.version) {
            return Ok(session);
        }
        let credentials = self.keeper.open(account.id, &sealed).map_err(operator)?;
        let session: Arc<dyn ProviderAccount> = match account.provider {
            ProviderKind::Google => {
                let google = self.google.as_ref();
                let google = google
                    .ok_or_else(|| operator("google.client_id and google.client_secret are not set"))?;
                Arc::new(google.account(account, credentials, self.keeper.clone()))
            }
            ProviderKind::Microsoft | ProviderKind::Apple => {
                return Err(operator(format!(
                    "this version cannot use {} accounts",
                    account.provider.as_str()
                )));
            }
        };
        self.keep(account.id, Opened { version: sealed.version, session: session.clone() });
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
    async fn keep(&self, account: AccountId, new: &Credentials) -> Result<(), NotKept> {
        let not_kept = |e: &dyn std::fmt::Display| NotKept(e.to_string());
        let current = self.store.credentials(account).await.map_err(|e| not_kept(&e))?;
        let Some(current) = current else { return Ok(()) };
        let sealed = self.seal(account, new, current.version + 1);
        // Whoever was faster has connected the account anew: theirs is the better grant.
        self.store.replace_credentials(account, current.version, &sealed).await.map_err(|e| not_kept(&e))?;
        Ok(())
    }
}
