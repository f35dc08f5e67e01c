//! A provider as one process knows it, whichever it is: how people sign in there, and their accounts behind the port.

use std::sync::Arc;

use async_trait::async_trait;
use calsync_core::calendar::{Account, ProviderKind};
use calsync_core::ports::{ProviderAccount, ProviderError};
use calsync_core::secret::Secret;

use crate::credentials::{CredentialKeeper, Credentials};
use crate::oauth::{Authorization, Connected};

/// One provider, configured. Whoever signs in is asked for what it takes to read calendars and write blocks into them.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which.
    fn kind(&self) -> ProviderKind;

    /// Begins a sign-in. `redirect_uri` must be registered to the letter; `login_hint` is an address.
    fn authorize(&self, redirect_uri: &str, login_hint: Option<&str>) -> Authorization;

    /// Finishes a sign-in with what came back from it.
    async fn connect(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Connected, ProviderError>;

    /// Takes over a grant that was given elsewhere, by its refresh token alone.
    async fn adopt(&self, refresh_token: Secret) -> Result<Connected, ProviderError>;

    /// What it means when a person comes back with `?error=`, and perhaps `&error_description=`.
    fn refusal(&self, error: &str, description: Option<&str>) -> ProviderError;

    /// An account, ready to be used. Makes no call.
    fn open(
        self: Arc<Self>,
        account: &Account,
        credentials: Credentials,
        keeper: Arc<dyn CredentialKeeper>,
    ) -> Arc<dyn ProviderAccount>;
}
