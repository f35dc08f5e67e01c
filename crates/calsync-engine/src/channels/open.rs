//! Opening one channel, in the place of another or where there is none. The row stands before the provider is asked,
//! because its first delivery may arrive before its answer (google.md §8).

use calsync_core::calendar::{Account, AccountStatus, Calendar, ProviderKind};
use calsync_core::delivery::Delivery;
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::notification::token_hash;
use calsync_core::ports::{
    CalendarChange, ChannelOpened, ErrorClass, ProviderAccount, ProviderError, Push, RenewRequest, Renewal,
    StoreError, WatchRequest, Watching, Wish,
};
use calsync_core::subscription::{PROBATION, Subscription, SubscriptionStatus, renewal_due};
use jiff::SignedDuration;

use crate::{Engine, EngineError};

/// So many changes in a row that a channel did not tell of, and to prolong it does not help: one may have been late.
const DEAD_FROM: u32 = 2;

/// A channel renewed less than this ago is not renewed because its provider asks again (microsoft.md §8.3).
const RENEWED_LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(10);

/// What came of one attempt.
pub(super) enum Opened {
    Yes,
    Unsupported,
    ByAnother,
    /// The calendar or its account is not to be watched just now.
    NotWanted,
    No(ProviderError),
}

impl Opened {
    pub(super) fn error(&self) -> Option<&ProviderError> {
        if let Opened::No(error) = self { Some(error) } else { None }
    }
}

impl Engine {
    /// Renews the channel of this calendar now, whenever it ends: its provider says that it is about to fall silent. Asked for
    /// again within ten minutes, it stands as it is: providers repeat themselves until they have noticed. Whether it stands.
    pub async fn renew_channel(&self, calendar: CalendarId) -> Result<bool, EngineError> {
        let Some(calendar) = self.store.calendar(calendar).await? else { return Ok(false) };
        let all = self.store.subscriptions(calendar.id).await?;
        let now = self.clock.now();
        // A stamp from the future was made by a clock that was wrong.
        let is_recent = |at| (SignedDuration::ZERO..RENEWED_LONG_ENOUGH).contains(&now.since(at));
        let in_use = |s: &&Subscription| s.status == SubscriptionStatus::Active && !s.resource_id.is_empty();
        match all.iter().find(in_use) {
            None => Ok(false),
            Some(active) if active.last_renewal_at.is_some_and(is_recent) => Ok(true),
            Some(active) => Ok(matches!(self.open_channel(&calendar, Some(active)).await?, Opened::Yes)),
        }
    }

    pub(super) async fn open_channel(
        &self,
        calendar: &Calendar,
        old: Option<&Subscription>,
    ) -> Result<Opened, EngineError> {
        let Some(state) = self.store.user_state(calendar.user).await? else { return Ok(Opened::NotWanted) };
        if !self.admits(calendar, &state.user).await? {
            self.keep_out(calendar.id).await?;
            return Ok(Opened::NotWanted);
        }
        let account = state.accounts.into_iter().find(|a| a.id == calendar.account);
        let Some(account) = account.filter(|a| a.status == AccountStatus::Active) else {
            return Ok(Opened::NotWanted);
        };
        let wanted = calendar.sync_enabled && calendar.webhook_enabled && !calendar.missing;
        if !wanted || (calendar.push_unsupported && old.is_none()) {
            return Ok(Opened::NotWanted);
        }
        let session = match self.providers.open(&account).await {
            Ok(session) => session,
            Err(error) => {
                self.note_account_error(&account, &error).await?;
                return Ok(Opened::No(error));
            }
        };
        let session = session.as_ref();
        let Some(push) = session.capabilities().push else { return self.unsupported(calendar).await };
        let (Renewal::Extend, Some(known)) = (push.renewal, old) else {
            let delivery = self.delivery_before(calendar, &account, old).await?;
            return self.watch(calendar, &account, session, push, old, delivery).await;
        };
        if self.is_dead(known, &account) {
            // Where one is prolonged there is room for one only. Out of use first: then it is closed whatever comes in between.
            let now = self.clock.now();
            self.store.set_subscription_status(known.id, SubscriptionStatus::Expired, Some(now)).await?;
            self.known.forget(calendar.id);
            self.close_channel(session, known).await?;
            return self.watch(calendar, &account, session, push, None, known.delivery.inherited()).await;
        }
        if let Some(done) = self.extend(calendar, &account, session, push, known).await? {
            return Ok(done);
        }
        // It is gone, whatever comes of the next one: the calendar must not pass for watched meanwhile.
        self.store.set_subscription_status(known.id, SubscriptionStatus::Expired, None).await?;
        self.known.forget(calendar.id);
        let delivery = self.delivery_before(calendar, &account, None).await?;
        self.watch(calendar, &account, session, push, None, delivery).await
    }

    /// Whether it delivers elsewhere, or nothing any more: prolonged it would only be dead for longer.
    fn is_dead(&self, channel: &Subscription, account: &Account) -> bool {
        let wanted = self.webhook_url(account.provider, channel.calendar);
        channel.delivery.missed_streak >= DEAD_FROM || wanted.is_some_and(|url| url != channel.webhook_url)
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
                match self.confirm(old.id, &watching, None).await {
                    // It was taken out of use meanwhile, and lives longer now: it is closed.
                    Err(StoreError::Conflict(_)) => {
                        self.store.put_closing(old.id, Some(self.clock.now())).await?;
                        return Ok(Some(Opened::ByAnother));
                    }
                    confirmed => confirmed?,
                }
                // Where a renewal came late, deliveries may have been held back.
                self.store.raise(&[calendar.id], Wish::Changes, self.clock.now()).await?;
                Ok(Some(Opened::Yes))
            }
            Err(error) if error.class == ErrorClass::Gone => Ok(None),
            Err(error) => {
                tracing::warn!(calendar = %calendar.id, %error, "a push channel could not be prolonged");
                self.note_account_error(account, &error).await?;
                Ok(Some(Opened::No(error)))
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
        delivery: Delivery,
    ) -> Result<Opened, EngineError> {
        let Some(webhook_url) = self.webhook_url(account.provider, calendar.id) else {
            return Ok(Opened::NotWanted);
        };
        let now = self.clock.now();
        let token = self.ids.token();
        let row = Subscription {
            webhook_url,
            last_renewal_at: old.map(|_| now),
            failure_count: delivery.missed_streak,
            delivery,
            ..Subscription::provisional(
                SubscriptionId(self.ids.uuid(now)),
                (calendar.id, account.provider),
                self.ids.uuid(now).to_string(),
                token_hash(&token),
                now,
            )
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
            Ok(watching) => self.opened(calendar, session, row, &watching, old).await,
            Err(error) => {
                tracing::warn!(calendar = %calendar.id, %error, "no push channel could be opened");
                self.store.abandon_subscription(row.id, old.map(|o| o.id), self.clock.now()).await?;
                self.known.forget(calendar.id);
                self.note_account_error(account, &error).await?;
                if error.class == ErrorClass::Unsupported {
                    return self.unsupported(calendar).await;
                }
                Ok(Opened::No(error))
            }
        }
    }

    /// The provider opened it.
    async fn opened(
        &self,
        calendar: &Calendar,
        session: &dyn ProviderAccount,
        row: Subscription,
        watching: &Watching,
        old: Option<&Subscription>,
    ) -> Result<Opened, EngineError> {
        match self.confirm(row.id, watching, old.map(|o| o.id)).await {
            // It took so long that it was given up and replaced: nobody needs it any more.
            Err(StoreError::Conflict(_)) => {
                let (remote_id, resource_id) = (watching.channel.clone(), watching.resource.clone());
                let now = self.clock.now();
                self.store.learn_channel(row.id, &remote_id, &resource_id, watching.expires_at, now).await?;
                let orphan = Subscription { remote_id, resource_id, expires_at: watching.expires_at, ..row };
                self.close_channel(session, &orphan).await?;
                return Ok(Opened::ByAnother);
            }
            confirmed => confirmed?,
        }
        self.known.forget(calendar.id);
        self.resolve_suspended(calendar.id).await?;
        // Whatever changed between the last reading and the channel's first moment is found now.
        self.store.raise(&[calendar.id], Wish::Changes, self.clock.now()).await?;
        if let Some(old) = old.filter(|old| !old.resource_id.is_empty()) {
            self.close_channel(session, old).await?;
        }
        Ok(Opened::Yes)
    }

    async fn confirm(
        &self,
        id: SubscriptionId,
        watching: &Watching,
        replaces: Option<SubscriptionId>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store
            .confirm_subscription(&ChannelOpened {
                id,
                remote_id: &watching.channel,
                resource: &watching.resource,
                expires_at: watching.expires_at,
                renew_at: renewal_due(id, now, watching.expires_at),
                replaces,
                now,
            })
            .await
    }

    /// Where this calendar's notifications are to go; nowhere without a public address.
    fn webhook_url(&self, provider: ProviderKind, calendar: CalendarId) -> Option<String> {
        let public_url = self.config.public_url.as_ref()?;
        Some(format!("{public_url}/webhooks/{}/{calendar}/", provider.as_str()))
    }

    /// How well the channel delivered whose place the new one takes. After a suspension it is on probation.
    async fn delivery_before(
        &self,
        calendar: &Calendar,
        account: &Account,
        old: Option<&Subscription>,
    ) -> Result<Delivery, StoreError> {
        if let Some(old) = old {
            return Ok(old.delivery.inherited());
        }
        let history = self.store.subscriptions(calendar.id).await?;
        let last = history.iter().find(|s| s.provider == account.provider).map(|s| s.delivery.inherited());
        Ok(last.map_or_else(Delivery::default, |d| Delivery {
            missed_streak: d.missed_streak.min(PROBATION),
            ..d
        }))
    }

    /// It can't be watched: it is polled, and the provider is not asked again until somebody asks for it.
    async fn unsupported(&self, calendar: &Calendar) -> Result<Opened, EngineError> {
        let change = CalendarChange::PushUnsupported;
        self.store.change_calendar(calendar.id, change, self.clock.now()).await?;
        Ok(Opened::Unsupported)
    }
}
