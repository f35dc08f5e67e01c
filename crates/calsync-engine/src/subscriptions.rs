//! Push channels: opened where there is none, prolonged or replaced before they end, closed when nobody needs them. The row stands
//! before the provider is asked, because its first delivery may arrive before its answer (google.md §8).

use calsync_core::calendar::{Account, AccountStatus, Calendar};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::notification::token_hash;
use calsync_core::ports::{
    CalendarChange, ErrorClass, ProviderAccount, Push, RenewRequest, Renewal, StoreError, Switch,
    WatchRequest, Wish,
};
use calsync_core::subscription::{PROVISIONAL_LIFE, RENEWAL_BUFFER, Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::{Engine, EngineError};

/// Channels opened or replaced in one round.
const ROUND: u32 = 200;

/// A channel renewed less than this ago is not renewed because its provider asks again (microsoft.md §8.3).
const RENEWED_LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(10);

/// What one round of maintenance did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Maintenance {
    /// Channels opened.
    pub created: u32,
    /// Channels replaced.
    pub renewed: u32,
    /// Calendars that can't be watched, found out now.
    pub unsupported: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Channels whose end had come.
    pub expired: u64,
}

/// What came of one attempt.
enum Opened {
    Yes,
    Unsupported,
    ByAnother,
    No,
}

impl Engine {
    /// Opens what is missing and replaces what ends soon. Without a public URL there is no push.
    pub async fn maintain_subscriptions(&self) -> Result<Maintenance, EngineError> {
        let now = self.clock.now();
        let mut done =
            Maintenance { expired: self.store.expire_subscriptions(now).await?, ..Maintenance::default() };
        if self.config.public_url.is_none() {
            return Ok(done);
        }
        for subscription in self.store.subscriptions_ending(now.plus(RENEWAL_BUFFER), ROUND).await? {
            // One that the provider has not answered yet is being opened by somebody right now.
            if subscription.resource_id.is_empty() {
                continue;
            }
            let Some(calendar) = self.store.calendar(subscription.calendar).await? else { continue };
            match self.open_channel(&calendar, Some(&subscription)).await? {
                Opened::Yes => done.renewed += 1,
                Opened::Unsupported => done.unsupported += 1,
                Opened::ByAnother => {}
                Opened::No => done.failed += 1,
            }
        }
        for calendar in self.store.unwatched_calendars(ROUND).await? {
            match self.open_channel(&calendar, None).await? {
                Opened::Yes => done.created += 1,
                Opened::Unsupported => done.unsupported += 1,
                Opened::ByAnother => {}
                Opened::No => done.failed += 1,
            }
        }
        Ok(done)
    }

    /// Renews the channel of this calendar now, whenever it ends: its provider says that it is about to fall silent. Asked for
    /// again within ten minutes, it stands as it is: providers repeat themselves until they have noticed. Whether it stands.
    pub async fn renew_channel(&self, calendar: CalendarId) -> Result<bool, EngineError> {
        let Some(calendar) = self.store.calendar(calendar).await? else { return Ok(false) };
        let all = self.store.subscriptions(calendar.id).await?;
        let now = self.clock.now();
        // A stamp from the future was made by a clock that was wrong.
        let is_recent = |at: Ts| (SignedDuration::ZERO..RENEWED_LONG_ENOUGH).contains(&now.since(at));
        let in_use = |s: &&Subscription| s.status == SubscriptionStatus::Active && !s.resource_id.is_empty();
        match all.iter().find(in_use) {
            None => Ok(false),
            Some(active) if active.last_renewal_at.is_some_and(is_recent) => Ok(true),
            Some(active) => Ok(matches!(self.open_channel(&calendar, Some(active)).await?, Opened::Yes)),
        }
    }

    async fn open_channel(
        &self,
        calendar: &Calendar,
        old: Option<&Subscription>,
    ) -> Result<Opened, EngineError> {
        let state = self.store.user_state(calendar.user).await?;
        let account = state.and_then(|s| s.accounts.into_iter().find(|a| a.id == calendar.account));
        let Some(account) = account.filter(|a| a.status == AccountStatus::Active) else {
            return Ok(Opened::No);
        };
        let session = match self.providers.open(&account).await {
            Ok(session) => session,
            Err(error) => {
                self.note_account_error(&account, &error).await?;
                return Ok(Opened::No);
            }
        };
        match session.capabilities().push {
            Some(push) if calendar.sync_enabled && calendar.webhook_enabled && !calendar.push_unsupported => {
                let session = session.as_ref();
                let (Renewal::Extend, Some(known)) = (push.renewal, old) else {
                    return self.watch(calendar, &account, session, push, old).await;
                };
                if let Some(done) = self.extend(calendar, &account, session, push, known).await? {
                    return Ok(done);
                }
                // It is gone, whatever comes of the next one: the calendar must not pass for watched meanwhile.
                self.store.set_subscription_status(known.id, SubscriptionStatus::Expired).await?;
                self.known.forget(calendar.id);
                self.watch(calendar, &account, session, push, None).await
            }
            _ => Ok(Opened::Unsupported),
        }
    }

    /// Prolongs a channel in place. `None`: the provider does not know it any more, and another one must be opened.
    async fn extend(
        &self,
        calendar: &Calendar,
        account: &Account,
        session: &dyn ProviderAccount,
        push: Push,
        old: &Subscription,
    ) -> Result<Option<Opened>, EngineError> {
        let (channel, resource) = (old.remote_id.clone(), old.resource_id.clone());
        let request = RenewRequest { channel, resource, life: push.life, now: self.clock.now() };
        match session.renew(&request).await {
            Ok(watching) => {
                let (channel, resource) = (&watching.channel, &watching.resource);
                let now = self.clock.now();
                let confirmed = self
                    .store
                    .confirm_subscription(old.id, channel, resource, watching.expires_at, now)
                    .await;
                if let Err(StoreError::Conflict(_)) = confirmed {
                    return Ok(Some(Opened::ByAnother));
                }
                confirmed?;
                // Where a renewal came late, deliveries may have been held back.
                self.store.raise(&[calendar.id], Wish::Changes, now).await?;
                Ok(Some(Opened::Yes))
            }
            Err(error) if error.class == ErrorClass::Gone => Ok(None),
            Err(error) => {
                tracing::warn!(calendar = %calendar.id, %error, "a push channel could not be prolonged");
                self.note_account_error(account, &error).await?;
                Ok(Some(Opened::No))
            }
        }
    }

    async fn watch(
        &self,
        calendar: &Calendar,
        account: &Account,
        session: &dyn ProviderAccount,
        push: Push,
        old: Option<&Subscription>,
    ) -> Result<Opened, EngineError> {
        let Some(public_url) = &self.config.public_url else { return Ok(Opened::No) };
        let now = self.clock.now();
        let token = self.ids.token();
        let row = Subscription {
            id: SubscriptionId(self.ids.uuid(now)),
            calendar: calendar.id,
            provider: account.provider,
            remote_id: self.ids.uuid(now).to_string(),
            webhook_url: format!("{public_url}/webhooks/{}/{}/", account.provider.as_str(), calendar.id),
            resource_id: String::new(),
            token_hash: token_hash(&token),
            created_at: now,
            expires_at: now.plus(PROVISIONAL_LIFE),
            status: SubscriptionStatus::Active,
            last_notification_at: None,
            verified_at: None,
            last_renewal_at: old.map(|_| now),
            failure_count: 0,
            provider_metadata: serde_json::json!({}),
        };
        match self.store.begin_subscription(&row, old.map(|o| o.id)).await {
            // Somebody else was faster: one channel is enough.
            Err(StoreError::Conflict(_)) => return Ok(Opened::ByAnother),
            begun => begun?,
        }
        self.known.forget(calendar.id);
        let request = WatchRequest {
            calendar: calendar.remote.calendar.clone(),
            channel: row.remote_id.clone(),
            url: row.webhook_url.clone(),
            token,
            life: push.life,
            now,
        };
        match session.watch(&request).await {
            Ok(watching) => {
                let (channel, resource) = (&watching.channel, &watching.resource);
                let now = self.clock.now();
                match self
                    .store
                    .confirm_subscription(row.id, channel, resource, watching.expires_at, now)
                    .await
                {
                    // It took so long that it was given up and replaced: nobody needs it any more.
                    Err(StoreError::Conflict(_)) => {
                        let opened = Subscription { resource_id: resource.clone(), ..row };
                        self.stop_channel(session, &opened).await;
                        return Ok(Opened::ByAnother);
                    }
                    confirmed => confirmed?,
                }
                self.known.forget(calendar.id);
                // Whatever changed between the last reading and the channel's first moment is found now.
                self.store.raise(&[calendar.id], Wish::Changes, self.clock.now()).await?;
                if let Some(old) = old {
                    self.stop_channel(session, old).await;
                }
                Ok(Opened::Yes)
            }
            Err(error) => {
                tracing::warn!(calendar = %calendar.id, %error, "no push channel could be opened");
                self.store.abandon_subscription(row.id, old.map(|o| o.id), self.clock.now()).await?;
                self.known.forget(calendar.id);
                self.note_account_error(account, &error).await?;
                if error.class != ErrorClass::Unsupported {
                    return Ok(Opened::No);
                }
                let change = CalendarChange::PushUnsupported;
                self.store.change_calendar(calendar.id, change, self.clock.now()).await?;
                Ok(Opened::Unsupported)
            }
        }
    }

    /// Closes a channel at the provider. One that can't be closed ends by itself; its deliveries do no harm meanwhile.
    async fn stop_channel(&self, session: &dyn ProviderAccount, subscription: &Subscription) {
        if subscription.resource_id.is_empty() {
            return;
        }
        if let Err(error) = session.stop(&subscription.remote_id, &subscription.resource_id).await {
            tracing::warn!(subscription = %subscription.id, %error, "an old push channel could not be closed");
        }
    }

    /// Takes a calendar out of synchronising: its blocks go from the others, the others' blocks go from it (durably: the
    /// next steps do it), and its channels are closed.
    pub async fn disable_calendar(&self, calendar: &Calendar) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.store.change_calendar(calendar.id, CalendarChange::SyncEnabled(Switch::Off), now).await?;
        let active = self.store.subscriptions(calendar.id).await?;
        let active: Vec<_> = active.into_iter().filter(|s| s.status == SubscriptionStatus::Active).collect();
        if active.is_empty() {
            return Ok(());
        }
        for subscription in &active {
            self.store.set_subscription_status(subscription.id, SubscriptionStatus::Suspended).await?;
        }
        self.known.forget(calendar.id);
        let state = self.store.user_state(calendar.user).await?;
        let account = state.and_then(|s| s.accounts.into_iter().find(|a| a.id == calendar.account));
        if let Some(account) = account
            && let Ok(session) = self.providers.open(&account).await
        {
            for subscription in &active {
                self.stop_channel(session.as_ref(), subscription).await;
            }
        }
        Ok(())
    }
}
