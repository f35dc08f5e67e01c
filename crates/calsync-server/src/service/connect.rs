//! Connecting an account: the last step of a sign-in, whichever face it was begun from.

use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{ConnectAccount, ErrorClass, IdGen, ProviderError};
use calsync_core::secret::Secret;
use calsync_engine::EngineError;
use calsync_providers::google::{Connected, Consent, Google};

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
    /// Google, or what the operator must do to have it.
    pub fn google(&self) -> Result<&Google, ProviderError> {
        let missing = || {
            let detail =
                "set google.client_id and google.client_secret first (docs/providers/google.md says how)";
            ProviderError::new(ErrorClass::Misconfigured, detail)
        };
        self.directory.google().map(AsRef::as_ref).ok_or_else(missing)
    }

    /// Finishes a sign-in at Google: stores the account with its sealed credentials and lists its calendars.
    pub async fn connect_google(
        &self,
        user: UserId,
        callback: &Callback<'_>,
    ) -> Result<AccountId, EngineError> {
        let google = self.google()?;
        let consent = Consent::ReadAndWrite;
        let connected =
            google.connect(callback.code, callback.verifier, callback.redirect_uri, consent).await?;
        self.keep_google(user, connected).await
    }

    /// Stores what a sign-in brought.
    pub async fn keep_google(&self, user: UserId, connected: Connected) -> Result<AccountId, EngineError> {
        let now = self.clock.now();
        let state = self.store.user_state(user).await?;
        let state = state.ok_or_else(|| EngineError::NotFound(format!("user {user}")))?;
        let person = &connected.person;
        let known =
            state.accounts.iter().find(|a| a.provider == ProviderKind::Google && a.remote_id == person.sub);
        // The seal names the account, so its id must be known first.
        let id = known.map_or_else(|| AccountId(SystemRandom.uuid(now)), |a| a.id);
        let version = self.store.credentials(id).await?.map_or(1, |c| c.version + 1);
        let account = Account {
            id,
            user,
            provider: ProviderKind::Google,
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
