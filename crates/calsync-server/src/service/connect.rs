//! Connecting an account: the last step of a sign-in, whichever face it was begun from.

use std::sync::Arc;

use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{ConnectAccount, ErrorClass, IdGen, ProviderError};
use calsync_core::secret::Secret;
use calsync_engine::EngineError;
use calsync_providers::Provider;
use calsync_providers::oauth::Connected;

use super::Service;
use crate::system::SystemRandom;

/// What a sign-in brought back.
pub struct Callback<'a> {
    /// The code to exchange.
    pub code: &'a Secret,
    /// The secret that the sign-in was begun with.
    pub verifier: &'a Secret,
    /// The address it came back to, to the letter.
    pub redirect_uri: &'a str,
}

impl Service {
    /// A provider, or what the operator must do to have it.
    pub fn provider(&self, kind: ProviderKind) -> Result<Arc<dyn Provider>, ProviderError> {
        self.directory.provider(kind)
    }

    /// Finishes a sign-in: stores the account with its sealed credentials and lists its calendars. Where one account is to be
    /// connected again, no other is taken for it.
    pub async fn connect(
        &self,
        provider: ProviderKind,
        user: UserId,
        again: Option<AccountId>,
        callback: &Callback<'_>,
    ) -> Result<AccountId, EngineError> {
        let Callback { code, verifier, redirect_uri } = callback;
        let connected = self.provider(provider)?.connect(code, verifier, redirect_uri).await?;
        if let Some(again) = again {
            let state = self.store.user_state(user).await?;
            let wanted =
                state.and_then(|state| state.accounts.into_iter().find(|account| account.id == again));
            let wanted = wanted.ok_or_else(|| EngineError::NotFound("such account any more".to_owned()))?;
            if wanted.remote_id != connected.person.sub {
                let (came, wanted) = (&connected.person.email, &wanted.email);
                let text = format!(
                    "you signed in as {came}, but {wanted} is to be connected again: choose {wanted} there"
                );
                return Err(ProviderError::new(ErrorClass::Permanent, text).into());
            }
        }
        self.keep_account(provider, user, connected).await
    }

    /// Stores what a sign-in brought.
    pub async fn keep_account(
        &self,
        provider: ProviderKind,
        user: UserId,
        connected: Connected,
    ) -> Result<AccountId, EngineError> {
        let now = self.clock.now();
        let state = self.store.user_state(user).await?;
        let state = state.ok_or_else(|| EngineError::NotFound(format!("user {user}")))?;
        let person = &connected.person;
        let known = state.accounts.iter().find(|a| a.provider == provider && a.remote_id == person.sub);
        // The seal names the account, so its id must be known first.
        let id = known.map_or_else(|| AccountId(SystemRandom.uuid(now)), |a| a.id);
        let version = self.store.credentials(id).await?.map_or(1, |c| c.version + 1);
        let account = Account {
            id,
            user,
            provider,
            remote_id: person.sub.clone(),
            email: person.email.clone(),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: known.map_or(now, |a| a.created_at),
        };
        let credentials = self.directory.seal(id, &connected.credentials, version);
        let id = self.store.connect_account(&ConnectAccount { account, credentials }, now).await?;
        self.store.resolve_alert("account_needs_reconnect", &id.to_string(), now).await?;
        self.engine.refresh_calendars(id, user).await?;
        self.wake();
        Ok(id)
    }
}
