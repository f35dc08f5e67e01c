//! What lets us act for an account, and who keeps it. Nothing here is ever printed: see `calsync_core::secret`.

use async_trait::async_trait;
use calsync_core::ids::AccountId;
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use serde::{Deserialize, Serialize};

/// A grant that a person gave us through OAuth. Stored sealed; this is its open form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Credentials {
    /// Buys access tokens.
    pub refresh_token: Secret,
    /// What was granted, space-delimited, as the provider said it.
    pub scope: String,
    /// When the person granted it: the same for all credentials that came of one sign-in.
    pub obtained_at: Ts,
    /// When the grant ends by itself, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Ts>,
}

/// Credentials could not be stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rotated credentials could not be stored: {0}")]
pub struct NotKept(
    /// Why, in words.
    pub String,
);

/// What became of credentials that were to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// They are stored.
    Stored,
    /// Others stand there by now: the person connected the account anew, or another instance was faster. Theirs stay, and
    /// are what the next access token is bought with, where they could be read. Else nobody would store what we get from then
    /// on, and what is stored could die of not being used while we live.
    Outrun(Option<Credentials>),
}

/// Stores credentials that a provider changed by itself. Called while other calls of the account wait: be quick.
#[async_trait]
pub trait CredentialKeeper: Send + Sync {
    /// Stores `new` in place of `old`, the ones that `new` was bought with, and of no others: compare and set, durably. A
    /// failure is tried again before the account's next call.
    async fn replace(
        &self,
        account: AccountId,
        old: &Credentials,
        new: &Credentials,
    ) -> Result<Kept, NotKept>;

    /// The credentials that are stored now; `None` if there are none, or they can't be read.
    async fn stored(&self, account: AccountId) -> Option<Credentials>;
}
