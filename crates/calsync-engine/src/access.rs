//! Opening accounts for one step: each is opened once, and one that can't be opened stops only itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::calendar::{Account, AccountStatus, Calendar};
use calsync_core::ids::AccountId;
use calsync_core::ports::{ErrorClass, ProviderAccount, ProviderError, StoreError};

use crate::Engine;

/// The accounts of one user, as far as they could be opened.
#[derive(Default)]
pub(crate) struct Accounts {
    opened: BTreeMap<AccountId, Result<Arc<dyn ProviderAccount>, ProviderError>>,
}

impl Accounts {
    /// The account of this calendar.
    pub(crate) fn of(&self, calendar: &Calendar) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        match self.opened.get(&calendar.account) {
            Some(Ok(account)) => Ok(account.clone()),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ProviderError::new(ErrorClass::Unauthorized, "the account is not connected")),
        }
    }
}

impl Engine {
    /// Opens every usable account.
    pub(crate) async fn open_accounts(&self, accounts: &[Account]) -> Result<Accounts, StoreError> {
        let mut opened = BTreeMap::new();
        for account in accounts.iter().filter(|a| a.status == AccountStatus::Active) {
            let result = self.providers.open(account).await;
            if let Err(error) = &result {
                self.note_account_error(account, error).await?;
            }
            opened.insert(account.id, result);
        }
        Ok(Accounts { opened })
    }

    /// An error that only the account's owner can mend changes the account's state, once, and says what to do.
    pub(crate) async fn note_account_error(
        &self,
        account: &Account,
        error: &ProviderError,
    ) -> Result<(), StoreError> {
        if error.class != ErrorClass::Unauthorized {
            return Ok(());
        }
        self.store.set_account_status(account.id, AccountStatus::NeedsReconnect, Some(&error.detail)).await?;
        self.alert_reconnect(account, error).await
    }
}
