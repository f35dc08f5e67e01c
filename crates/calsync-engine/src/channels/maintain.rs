//! One round of maintenance: everything about channels that is due, until nothing is left or the round has lasted long
//! enough. Whatever fails gets a later time, so that no round does the same thing twice.

use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::subscription::{REVIVE_AFTER, SUSPEND_FROM, Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;

use super::open::Opened;
use crate::{Engine, EngineError};

/// Channels that are looked for at a time.
const PAGE: u32 = 100;
/// Channels that are worked on at once.
const AT_ONCE: usize = 8;
/// A round ends after this, and the next goes on.
const ROUND: SignedDuration = SignedDuration::from_mins(5);

/// What one round of maintenance did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Maintenance {
    /// Calendars that the rollout flags let in or out.
    pub readmitted: u64,
    /// Channels opened.
    pub created: u32,
    /// Channels replaced or prolonged.
    pub renewed: u32,
    /// Calendars that can't be watched, found out now.
    pub unsupported: u32,
    /// Attempts that failed, and are made again later.
    pub failed: u32,
    /// Channels whose end had come.
    pub expired: u64,
    /// Channels taken out of use because they failed too often in a row.
    pub suspended: u32,
    /// Channels closed at the provider.
    pub closed: u32,
}

impl Engine {
    /// Does what is due. Without a public URL no channel is opened.
    pub async fn maintain_subscriptions(&self) -> Result<Maintenance, EngineError> {
        let until = self.clock.now().plus(ROUND);
        let readmitted = self.apply_rollout().await?;
        let expired = self.store.expire_subscriptions(self.clock.now()).await?;
        let mut done = Maintenance { readmitted, expired, ..Maintenance::default() };
        self.suspend_failing(&mut done).await?;
        if self.config.public_url.is_some() {
            self.renew_due(until, &mut done).await?;
            self.open_missing(until, &mut done).await?;
        }
        self.close_due(until, &mut done).await?;
        self.resolve_recovered().await?;
        Ok(done)
    }

    /// When the next round has something to do. `None`: nothing that could not wait for the next regular one.
    pub async fn next_maintenance(&self) -> Result<Option<Ts>, EngineError> {
        if self.config.public_url.is_none() {
            return Ok(None);
        }
        Ok(self.store.next_channel_due().await?)
    }

    /// Spec §4: who failed ten times in a row is taken out of use. (Five times: the step that saw it made its renewal due, and
    /// told of it.)
    async fn suspend_failing(&self, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let hopeless = self.store.subscriptions_failing(SUSPEND_FROM, PAGE).await?;
            for channel in &hopeless {
                self.suspend(channel).await?;
                done.suspended += 1;
            }
            if hopeless.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    async fn suspend(&self, channel: &Subscription) -> Result<(), EngineError> {
        let now = self.clock.now();
        // First the calendar: nothing must open another one at once.
        self.store.postpone_opening(channel.calendar, now.plus(REVIVE_AFTER)).await?;
        self.alert_suspended(channel).await?;
        self.store.set_subscription_status(channel.id, SubscriptionStatus::Suspended, Some(now)).await?;
        self.known.forget(channel.calendar);
        // From now on it is polled, and the next poll is near.
        self.store.raise(&[channel.calendar], calsync_core::ports::Wish::Changes, now).await?;
        tracing::error!(
            subscription = %channel.id, calendar = %channel.calendar, failures = channel.failure_count,
            "a push channel was suspended: its calendar is polled"
        );
        Ok(())
    }

    async fn renew_due(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let due = self.store.subscriptions_to_renew(self.clock.now(), PAGE).await?;
            let full = due.len() == PAGE as usize;
            let work = due.iter().map(|channel| self.renew_one(channel)).collect::<Vec<_>>();
            let mut results = stream::iter(work).buffered(AT_ONCE);
            while let Some(result) = results.next().await {
                match result? {
                    Opened::Yes => done.renewed += 1,
                    other => note(&other, done),
                }
            }
            if !full || self.round_is_over(until) {
                return Ok(());
            }
        }
    }

    pub(super) async fn renew_one(&self, channel: &Subscription) -> Result<Opened, EngineError> {
        let Some(calendar) = self.store.calendar(channel.calendar).await? else {
            return Ok(Opened::NotWanted);
        };
        let opened = self.open_channel(&calendar, Some(channel)).await?;
        if !matches!(opened, Opened::Yes) {
            // Whatever came of it, the same row is not tried again at once.
            let retry_after = opened.error().and_then(|e| e.retry_after);
            let now = self.clock.now();
            let again = calsync_core::subscription::renew_again(now, channel.expires_at, retry_after);
            self.store.postpone_renewal(channel.id, again).await?;
        }
        Ok(opened)
    }

    async fn open_missing(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let due = self.store.unwatched_calendars(self.clock.now(), PAGE).await?;
            let full = due.len() == PAGE as usize;
            let work = due.iter().map(|calendar| self.open_one(calendar)).collect::<Vec<_>>();
            let mut results = stream::iter(work).buffered(AT_ONCE);
            while let Some(result) = results.next().await {
                match result? {
                    Opened::Yes => done.created += 1,
                    other => note(&other, done),
                }
            }
            if !full || self.round_is_over(until) {
                return Ok(());
            }
        }
    }

    pub(super) async fn open_one(&self, calendar: &Calendar) -> Result<Opened, EngineError> {
        let opened = self.open_channel(calendar, None).await?;
        let now = self.clock.now();
        let again = match &opened {
            Opened::Yes => return Ok(opened),
            Opened::No(error) => calsync_core::subscription::open_again(now, error),
            Opened::ByAnother | Opened::NotWanted | Opened::Unsupported => now.plus(A_MOMENT),
        };
        self.postpone(calendar.id, again).await?;
        Ok(opened)
    }

    /// A calendar that went meanwhile needs no other time.
    async fn postpone(&self, calendar: CalendarId, until: Ts) -> Result<(), EngineError> {
        match self.store.postpone_opening(calendar, until).await {
            Err(calsync_core::ports::StoreError::Conflict(_)) => Ok(()),
            done => Ok(done?),
        }
    }

    pub(super) fn round_is_over(&self, until: Ts) -> bool {
        self.clock.now() >= until || self.ending.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// What is being done by another, or was found not to be wanted, is not looked at again at once.
const A_MOMENT: SignedDuration = SignedDuration::from_mins(1);

fn note(opened: &Opened, done: &mut Maintenance) {
    match opened {
        Opened::Unsupported => done.unsupported += 1,
        Opened::No(_) => done.failed += 1,
        Opened::Yes | Opened::ByAnother | Opened::NotWanted => {}
    }
}
