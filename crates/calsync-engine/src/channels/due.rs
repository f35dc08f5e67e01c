//! What a round of maintenance would find to do right now. It looks, and changes nothing.

use calsync_core::ports::Admission;
use calsync_core::subscription::{FAILING_FROM, FailureStep, failure_step};
use serde::Serialize;

use crate::{Engine, EngineError};

/// More of a kind are not counted: a round would not do them all either.
const MOST: u32 = 10_000;
/// Calendars looked at in one go.
const PAGE: u32 = 500;

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MaintenanceDue {
    /// Calendars that the rollout flags let in or out.
    pub readmit: u64,
    /// Channels whose end has come.
    pub expire: usize,
    /// Channels that failed too often in a row.
    pub suspend: usize,
    /// Channels to be replaced or prolonged.
    pub renew: usize,
    /// Calendars without a channel that want one.
    pub open: usize,
    /// Channels to be closed at their provider.
    pub close: usize,
}

impl Engine {
    /// What a round would find to do now, at most ten thousand of each kind. Without a public URL it opens and renews none.
    pub async fn maintenance_due(&self) -> Result<MaintenanceDue, EngineError> {
        let now = self.clock.now();
        let ended = self.store.subscriptions_ended(now, MOST).await?;
        let failing = self.store.subscriptions_failing(FAILING_FROM, MOST).await?;
        let hopeless =
            |failures: u32, is_over: bool| failure_step(failures) == FailureStep::Suspend && !is_over;
        let suspend = failing.iter().filter(|s| hopeless(s.failure_count, s.is_expired(now))).count();
        let close = self.store.subscriptions_to_close(now, MOST).await?.len();
        let mut due = MaintenanceDue {
            readmit: self.to_readmit().await?,
            expire: ended.len(),
            suspend,
            // What is taken out of use is closed in the same round.
            close: close + suspend,
            ..MaintenanceDue::default()
        };
        if !self.is_public() {
            return Ok(due);
        }
        let renew = self.store.subscriptions_to_renew(now, MOST).await?;
        let renewable = |failures, is_over: bool| failure_step(failures) != FailureStep::Suspend && !is_over;
        due.renew = renew.iter().filter(|s| renewable(s.failure_count, s.is_expired(now))).count();
        due.open = self.store.unwatched_calendars(now, MOST).await?.len();
        for channel in &ended {
            let calendar = self.store.calendar(channel.calendar).await?;
            // Its place is free as soon as its end is written down.
            due.open += usize::from(calendar.is_some_and(|c| {
                c.sync_enabled
                    && c.webhook_enabled
                    && c.push_admitted
                    && !c.missing
                    && !c.push_unsupported
                    && c.watch_after <= now
            }));
        }
        Ok(due)
    }

    async fn to_readmit(&self) -> Result<u64, EngineError> {
        if !self.rollout_is_due().await? {
            return Ok(0);
        }
        let flags = self.rollout().await?;
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.store.admissions(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.calendar);
            let differs = |one: &&Admission| flags.admits(one.calendar, &one.user) != one.admitted;
            count += page.iter().filter(differs).count() as u64;
        }
    }
}
