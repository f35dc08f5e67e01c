//! Closing channels at the provider: those that were replaced, suspended or never heard of. It is tried again for as long
//! as the channel lives; until then its deliveries are refused, or do no harm.

use calsync_core::calendar::{Account, AccountStatus, Calendar, Leaving};
use calsync_core::ids::CalendarId;
use calsync_core::ports::{CalendarChange, ErrorClass, ProviderAccount, StoreError};
use calsync_core::subscription::{CLOSE_AGAIN, Subscription};
use calsync_core::time::Ts;
use futures_util::{StreamExt, stream};

use super::Maintenance;
use super::maintain::alone;
use crate::{Engine, EngineError};

/// Channels that are looked for at a time.
const PAGE: u32 = 100;
/// Channels that are closed at once.
const AT_ONCE: usize = 8;

impl Engine {
    /// Closes what is due.
    pub(super) async fn close_due(&self, until: Ts, done: &mut Maintenance) -> Result<(), EngineError> {
        loop {
            let due = self.store.subscriptions_to_close(self.clock.now(), PAGE).await?;
            let full = due.len() == PAGE as usize;
            let work = due.iter().map(|channel| self.close_one(channel)).collect::<Vec<_>>();
            let results: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
            for (channel, result) in due.iter().zip(results) {
                match alone(result)? {
                    Some(closed) => done.closed += u32::from(closed),
                    None => {
                        done.failed += 1;
                        self.close_later(channel).await?;
                    }
                }
            }
            if !full || self.round_is_over(until) {
                return Ok(());
            }
        }
    }

    /// Closes one; whether that was done now.
    pub(super) async fn close_one(&self, channel: &Subscription) -> Result<bool, EngineError> {
        let now = self.clock.now();
        // It has ended by itself, or nobody knows what to close: should it deliver, its ids are learnt.
        if channel.is_expired(now) || channel.resource_id.is_empty() {
            self.store.put_closing(channel.id, None).await?;
            return Ok(false);
        }
        match self.account_of(channel.calendar).await? {
            Some(account) if account.status == AccountStatus::Active => {
                match self.providers.open(&account).await {
                    Ok(session) => self.close_channel(session.as_ref(), channel).await,
                    Err(error) => {
                        self.note_account_error(&account, &error).await?;
                        self.close_later(channel).await
                    }
                }
            }
            _ => self.close_later(channel).await,
        }
    }

    /// Closes a channel with an account that is open; whether it worked.
    pub(super) async fn close_channel(
        &self,
        session: &dyn ProviderAccount,
        channel: &Subscription,
    ) -> Result<bool, EngineError> {
        match session.stop(&channel.remote_id, &channel.resource_id).await {
            Ok(()) => {
                self.store.put_closing(channel.id, None).await?;
                Ok(true)
            }
            Err(error) => {
                let hopeless = matches!(
                    error.class,
                    ErrorClass::Invalid | ErrorClass::Permanent | ErrorClass::Unsupported
                );
                tracing::warn!(
                    subscription = %channel.id, %error, hopeless, "a push channel could not be closed"
                );
                if hopeless || error.class == ErrorClass::Gone {
                    self.store.put_closing(channel.id, None).await?;
                    return Ok(false);
                }
                self.close_later(channel).await
            }
        }
    }

    async fn close_later(&self, channel: &Subscription) -> Result<bool, EngineError> {
        let again = self.clock.now().plus(CLOSE_AGAIN);
        self.store.put_closing(channel.id, Some(again).filter(|at| *at < channel.expires_at)).await?;
        Ok(false)
    }

    /// Takes a calendar out of synchronising: its blocks go from the others, the others' blocks go from it (durably: the
    /// next steps do it), and its channels are closed: now where that can be done, else by later rounds of maintenance.
    pub async fn disable_calendar(&self, calendar: &Calendar) -> Result<(), EngineError> {
        self.take_out(calendar, Leaving::Disabled).await
    }

    /// Takes a calendar out of synchronising for this reason, durably: the next steps do what it asks for. Its channels are
    /// closed in the same way.
    pub async fn take_out(&self, calendar: &Calendar, why: Leaving) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.store.change_calendar(calendar.id, CalendarChange::Leave(why), now).await?;
        self.known.forget(calendar.id);
        let all = self.store.subscriptions(calendar.id).await?;
        for channel in all.iter().filter(|s| s.close_at.is_some_and(|at| at <= now)) {
            self.close_one(channel).await?;
        }
        Ok(())
    }

    /// The account that a calendar belongs to.
    pub(super) async fn account_of(&self, calendar: CalendarId) -> Result<Option<Account>, StoreError> {
        let Some(calendar) = self.store.calendar(calendar).await? else { return Ok(None) };
        let state = self.store.user_state(calendar.user).await?;
        Ok(state.and_then(|s| s.accounts.into_iter().find(|a| a.id == calendar.account)))
    }
}
