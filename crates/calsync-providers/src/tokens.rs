//! An account's access token: held in memory, bought anew shortly before it ends or when the provider refuses it.
//! Concurrent callers share one purchase, its failure included. Knows no provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use calsync_core::ids::AccountId;
use calsync_core::ports::{Clock, ErrorClass, ProviderError};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use tokio::sync::Mutex;

use crate::credentials::{CredentialKeeper, Credentials, Kept};

/// A token is no longer used this long before its end: clocks differ, and a call takes its time.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);

/// What a purchase brought.
#[derive(Debug)]
pub(crate) struct Bought {
    /// The access token.
    pub(crate) access: Secret,
    /// How long it lives.
    pub(crate) life: SignedDuration,
    /// Credentials that replace the ones it was bought with, where the provider changed them.
    pub(crate) rotated: Option<Credentials>,
}

/// Buys access tokens at one provider.
#[async_trait]
pub(crate) trait TokenShop: Send + Sync {
    /// Buys one.
    async fn buy(&self, credentials: &Credentials) -> Result<Bought, ProviderError>;
}

/// The tokens of one account.
pub(crate) struct Tokens {
    account: AccountId,
    keeper: Arc<dyn CredentialKeeper>,
    clock: Arc<dyn Clock>,
    /// Purchases that failed so far. Who waited while one failed does not try again by itself.
    failures: AtomicU64,
    state: Mutex<State>,
}

struct State {
    credentials: Credentials,
    access: Option<(Secret, Ts)>,
    /// The ones that are stored, while those in use are not yet.
    replaces: Option<Credentials>,
    last_failure: Option<ProviderError>,
}

impl Tokens {
    pub(crate) fn new(
        account: AccountId,
        credentials: Credentials,
        keeper: Arc<dyn CredentialKeeper>,
        clock: Arc<dyn Clock>,
    ) -> Tokens {
        let state = State { credentials, access: None, replaces: None, last_failure: None };
        Tokens { account, keeper, clock, failures: AtomicU64::new(0), state: Mutex::new(state) }
    }

    /// A token that should work. `refused` is one that did not, though it should have.
    pub(crate) async fn get(
        &self,
        shop: &dyn TokenShop,
        refused: Option<&Secret>,
    ) -> Result<Secret, ProviderError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        self.save(&mut state).await;
        if let Some((token, good_until)) = &state.access
            && self.clock.now() < *good_until
            && refused != Some(token)
        {
            return Ok(token.clone());
        }
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(error) = &state.last_failure
        {
            return Err(error.clone());
        }
        let mut bought = shop.buy(&state.credentials).await;
        if bought.as_ref().is_err_and(|error| error.class == ErrorClass::Unauthorized) {
            // Ours may only be too old: while we had no need of it, others rotated the ones that are stored.
            let stored = self.keeper.stored(self.account).await;
            if let Some(newer) = stored.filter(|s| s.refresh_token != state.credentials.refresh_token) {
                (state.credentials, state.replaces) = (newer, None);
                bought = shop.buy(&state.credentials).await;
            }
        }
        match bought {
            Ok(bought) => Ok(self.take(&mut state, bought).await),
            Err(error) => {
                state.access = None;
                state.last_failure = Some(error.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }

    async fn take(&self, state: &mut State, bought: Bought) -> Secret {
        // A quarter of a very short life, so that even such a token is used at all.
        let margin = MARGIN.min(bought.life / 4);
        let good_until = self.clock.now().plus(bought.life - margin);
        state.access = Some((bought.access.clone(), good_until));
        state.last_failure = None;
        if let Some(rotated) = bought.rotated {
            let used = std::mem::replace(&mut state.credentials, rotated);
            // Where the ones before were not stored either, what is stored is older still.
            state.replaces.get_or_insert(used);
            self.save(state).await;
        }
        bought.access
    }

    /// Hands over rotated credentials. A failure is no reason to fail the call: they are in memory, and it is tried
    /// again before the next one.
    async fn save(&self, state: &mut State) {
        let Some(old) = &state.replaces else { return };
        match self.keeper.replace(self.account, old, &state.credentials).await {
            Ok(Kept::Stored) => state.replaces = None,
            Ok(Kept::Outrun(theirs)) => {
                tracing::info!(account = %self.account, "newer credentials stand: they stay as they are");
                state.replaces = None;
                if let Some(theirs) = theirs {
                    state.credentials = theirs;
                }
            }
            Err(error) => {
                tracing::warn!(account = %self.account, %error, "rotated credentials wait to be stored")
            }
        }
    }
}
