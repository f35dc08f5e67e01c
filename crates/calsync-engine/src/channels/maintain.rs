//! One round of maintenance: everything about channels that is due, until nothing is left or the round has lasted long
//! enough. Whatever fails gets a later time, so that no round does the same thing twice.

use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use calsync_core::subscription::{REVIVE_AFTER, SUSPEND_FROM, Subscription, SubscriptionStatus, renew_again};
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
        self.suspend_failing(until, &mut done).await?;
        if self.config.public_url.is_some() {
            self.renew_due(until, &mut done).await?;
            self.open_missing(until, &mut done).await?;
        }
        self.close_due(until, &mut done).await?;
        self.resolve_settled(until).await?;
        let now = self.clock.now();
        self.store.complete_unwanted(now.minus(UNWANTED_AFTER), now).await?;
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
    async fn suspend_failing(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let hopeless = self.store.subscriptions_failing(SUSPEND_FROM, PAGE).await?;
            let mut suspended = 0;
            for channel in &hopeless {
                // One that went meanwhile needs no more.
                match alone(self.suspend(channel).await)? {
                    Some(()) => suspended += 1,
                    None => done.failed += 1,
                }
            }
            done.suspended += suspended;
            // Those that can't be are found again and again: they are left for the next round.
            if hopeless.len() < PAGE as usize || suspended == 0 || self.round_is_over(until) {
                return Ok(());
            }
        }
    }

    /// The same by itself; how many.
    pub(crate) async fn suspend_hopeless(&self) -> Result<u32, EngineError> {
        let mut done = Maintenance::default();
        self.suspend_failing(self.clock.now().plus(ROUND), &mut done).await?;
        Ok(done.suspended)
    }

    async fn suspend(&self, channel: &Subscription) -> Result<(), EngineError> {
        let now = self.clock.now();
        // First the calendar: nothing must open another one at once.
        self.store.postpone_opening(channel.calendar, now.plus(REVIVE_AFTER)).await?;
        self.alert_suspended(channel).await?;
        self.take_out_of_use(channel, now).await?;
        tracing::error!(
            subscription = %channel.id, calendar = %channel.calendar, failures = channel.failure_count,
            "a push channel was suspended: its calendar is polled"
        );
        Ok(())
    }

    /// From now on its calendar is polled, and the next poll is near; its channel is to be closed.
    pub(super) async fn take_out_of_use(&self, channel: &Subscription, now: Ts) -> Result<(), EngineError> {
        self.store.set_subscription_status(channel.id, SubscriptionStatus::Suspended, Some(now)).await?;
        self.known.forget(channel.calendar);
        self.store.raise(&[channel.calendar], calsync_core::ports::Wish::Changes, now).await?;
        Ok(())
    }

    async fn renew_due(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let due = self.store.subscriptions_to_renew(self.clock.now(), PAGE).await?;
            let full = due.len() == PAGE as usize;
            let work = due.iter().map(|channel| self.renew_alone(channel)).collect::<Vec<_>>();
            // To the end, whatever comes of some: what a provider has opened must not be dropped before it is written down.
            let results: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
            for result in results {
                match result? {
                    Some(Opened::Yes) => done.renewed += 1,
                    other => note(other.as_ref(), done),
                }
            }
            if !full || self.round_is_over(until) {
                return Ok(());
            }
        }
    }

    /// Renews one. What is wrong with it alone delays it alone.
    async fn renew_alone(&self, channel: &Subscription) -> Result<Option<Opened>, EngineError> {
        let opened = alone(self.renew_one(channel).await)?;
        if opened.is_none() {
            let again = renew_again(self.clock.now(), channel.expires_at, None);
            alone(self.store.postpone_renewal(channel.id, again).await.map_err(EngineError::from))?;
        }
        Ok(opened)
    }

    /// Opens one, likewise.
    async fn open_alone(&self, calendar: &Calendar) -> Result<Option<Opened>, EngineError> {
        let opened = alone(self.open_one(calendar).await)?;
        if opened.is_none() {
            self.postpone(calendar.id, self.clock.now().plus(AFTER_TROUBLE)).await?;
        }
        Ok(opened)
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
            let again = renew_again(now, channel.expires_at, retry_after);
            self.store.postpone_renewal(channel.id, again).await?;
        }
        Ok(opened)
    }

    async fn open_missing(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let due = self.store.unwatched_calendars(self.clock.now(), PAGE).await?;
            let full = due.len() == PAGE as usize;
            let work = due.iter().map(|calendar| self.open_alone(calendar)).collect::<Vec<_>>();
            let results: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
            for result in results {
                match result? {
                    Some(Opened::Yes) => done.created += 1,
                    other => note(other.as_ref(), done),
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
            Err(StoreError::Conflict(_)) => Ok(()),
            done => Ok(done?),
        }
    }

    pub(crate) fn round_is_over(&self, until: Ts) -> bool {
        self.clock.now() >= until || self.ending.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// What is being done by another, or was found not to be wanted, is not looked at again at once.
const A_MOMENT: SignedDuration = SignedDuration::from_mins(1);

/// What arrived for a calendar that takes no part is finished after so long: until then it may be on its way out or in.
const UNWANTED_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Nor is what can't be read in the database.
const AFTER_TROUBLE: SignedDuration = SignedDuration::from_hours(1);

fn note(opened: Option<&Opened>, done: &mut Maintenance) {
    match opened {
        Some(Opened::Unsupported) => done.unsupported += 1,
        None | Some(Opened::No(_)) => done.failed += 1,
        Some(Opened::Yes | Opened::ByAnother | Opened::NotWanted) => {}
    }
}

/// What one piece of work came to. Where the database is away the round ends; anything else is the trouble of that piece
/// alone (`None`): one person's rows that nobody can read must not let everybody's channels run out.
pub(super) fn alone<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(EngineError::Store(away @ (StoreError::Unavailable(_) | StoreError::Contended(_)))) => {
            Err(away.into())
        }
        Err(error) => {
            tracing::warn!(%error, "a push channel could not be seen to; it is tried again later");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_that_is_away_ends_the_round() {
        let words = || "words".to_owned();
        assert_eq!(alone::<u8>(Ok(5)).unwrap(), Some(5));
        for away in [StoreError::Unavailable(words()), StoreError::Contended(words())] {
            assert!(alone::<u8>(Err(away.into())).is_err());
        }
        for own in
            [StoreError::Corrupt(words()), StoreError::Conflict(words()), StoreError::LeaseLost(words())]
        {
            assert_eq!(alone::<u8>(Err(own.into())).unwrap(), None);
        }
        assert_eq!(alone::<u8>(Err(EngineError::NotFound(words()))).unwrap(), None);
    }
}
