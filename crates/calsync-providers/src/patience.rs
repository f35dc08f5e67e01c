//! How long somebody waits for an answer to a question of several calls. Provider-neutral; makes no call itself. What is given
//! up on the way is counted all the same (`transport`).

use std::future::Future;
use std::time::Duration;

use calsync_core::ports::{ErrorClass, ProviderError};
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::transport::Operate;

/// The time until which somebody waits.
pub(crate) struct Patience(Instant);

impl Patience {
    /// So long from now on.
    pub(crate) fn of(patience: SignedDuration) -> Patience {
        // A negative one is none.
        Patience(Instant::now() + Duration::try_from(patience).unwrap_or_default())
    }

    /// What comes of it, if it comes in time.
    pub(crate) async fn wait<T>(
        &self,
        operation: impl Operate,
        answer: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let late = || {
            let detail = format!("{}: no answer in the time that somebody waits for it", operation.name());
            ProviderError::new(ErrorClass::Transient, detail)
        };
        tokio::time::timeout_at(self.0, answer).await.map_err(|_| late())?
    }
}
