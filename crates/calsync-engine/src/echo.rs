//! Deliveries that tell of our own writes: where our picture of the calendar shows already what they tell, it is not read for
//! them. What is loaded is decided on by `core::echo`.

use calsync_core::calendar::Calendar;
use calsync_core::echo::{Asked, Told};
use calsync_core::ports::{ProviderAccount, RunBegun, StoreError, Tells};

use crate::Engine;

impl Engine {
    /// Whether the deliveries that ask for this reading tell nothing that our picture of the calendar does not show already.
    pub(crate) async fn knows_all(
        &self,
        calendar: &Calendar,
        begun: &RunBegun,
        account: &dyn ProviderAccount,
    ) -> Result<bool, StoreError> {
        if account.capabilities().push.is_none_or(|push| push.tells != Tells::WhatChanged) {
            return Ok(false);
        }
        let told: Vec<Option<Told>> = begun.payloads.iter().map(Told::read).collect();
        let failures = begun.notifications.iter().map(|(_, failures)| *failures).max().unwrap_or(0);
        let asked = Asked {
            raised: begun.seen_generation - calendar.synced_generation,
            told: &told,
            failures: failures.max(calendar.webhook_failure_streak),
        };
        Ok(asked.names_all() && asked.is_known(&*self.store.mirror(calendar.id).await?))
    }
}
