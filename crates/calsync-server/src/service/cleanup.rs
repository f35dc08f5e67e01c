//! Forgetting what is over: in batches that nobody notices, with a rest after each, by the weekly job and by hand alike.
//! What may go says the store; how long it is kept, `core::retention`.

use std::time::Duration;

use calsync_core::ports::{Prunable, Store, StoreError};
use calsync_core::retention::cutoff;
use calsync_core::time::Ts;
use serde::Serialize;

/// Rows deleted in one transaction: what comes in meanwhile waits for no more (docs/performance.md).
const BATCH: u32 = 500;
/// Rest after each, so that others come first.
const REST: Duration = Duration::from_millis(20);

/// Rows of every kind, deleted or to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Cleanup {
    /// Finished notifications.
    pub notifications: u64,
    /// Subscriptions out of use.
    pub subscriptions: u64,
    /// Runs.
    pub runs: u64,
    /// Rows of the journal.
    pub journal: u64,
    /// Memories of blocks that are gone.
    pub ledger: u64,
    /// Figures by the minute.
    pub figures: u64,
    /// Lines of the audit log.
    pub audit: u64,
    /// Resolved alerts.
    pub alerts: u64,
}

impl Cleanup {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.notifications
            + self.subscriptions
            + self.runs
            + self.journal
            + self.ledger
            + self.figures
            + self.audit
            + self.alerts
    }

    fn of(&mut self, what: Prunable) -> &mut u64 {
        match what {
            Prunable::Notifications => &mut self.notifications,
            Prunable::Subscriptions => &mut self.subscriptions,
            Prunable::Runs => &mut self.runs,
            Prunable::Journal => &mut self.journal,
            Prunable::Ledger => &mut self.ledger,
            Prunable::Figures => &mut self.figures,
            Prunable::Audit => &mut self.audit,
            Prunable::Alerts => &mut self.alerts,
        }
    }
}

/// What would go, where things are kept for `days`.
pub async fn count(store: &dyn Store, days: u16, now: Ts) -> Result<Cleanup, StoreError> {
    let mut found = Cleanup::default();
    for what in Prunable::ALL {
        *found.of(what) = store.prunable(what, cutoff(what, days, now)).await?;
    }
    Ok(found)
}

/// Lets it go; `told` hears of every batch. Broken off, the rest goes the next time.
pub async fn clean(
    store: &dyn Store,
    days: u16,
    now: Ts,
    told: impl Fn(u64) + Send,
) -> Result<Cleanup, StoreError> {
    let mut gone = Cleanup::default();
    for what in Prunable::ALL {
        loop {
            let batch = store.prune(what, cutoff(what, days, now), BATCH).await?;
            if batch == 0 {
                break;
            }
            *gone.of(what) += batch;
            told(batch);
            tokio::time::sleep(REST).await;
        }
    }
    Ok(gone)
}
