//! A channel of our own making that no provider knows: through it somebody tries whether a notification travels the whole way,
//! from the public address to the end of a run. Its delivery is believed and served like any other, and asks for one look at a
//! calendar that takes part anyway. It ends by itself within minutes, and is never renewed, closed or counted as in use.

use calsync_core::calendar::{AccountStatus, Calendar, ProviderKind};
use calsync_core::delivery::Delivery;
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::notification::{Notification, token_hash};
use calsync_core::ports::{NotificationQuery, UserState};
use calsync_core::secret::Secret;
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::{Engine, EngineError};

/// It is believed for so long.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Notifications of one calendar that may come while it is watched.
const LOOKED_AT: u32 = 100;

/// What a delivery through it needs.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Which calendar is looked at.
    pub calendar: CalendarId,
    /// Its name.
    pub name: String,
    /// In whose form it is delivered.
    pub provider: ProviderKind,
    /// The channel's row.
    pub subscription: SubscriptionId,
    /// The channel's id.
    pub channel: String,
    /// The id of what is watched.
    pub resource: String,
    /// The channel's secret.
    pub token: Secret,
    /// When it was opened.
    pub opened_at: Ts,
}

impl Engine {
    /// Opens one on a calendar that takes part and can be read. `None`: there is no such calendar.
    pub async fn open_trial(&self) -> Result<Option<Trial>, EngineError> {
        for user in self.store.users().await? {
            let Some(state) = self.store.user_state(user.id).await? else { continue };
            if let Some(calendar) = state.calendars.iter().find(|calendar| may_be_tried(&state, calendar)) {
                let provider = state.accounts.iter().find(|a| a.id == calendar.account).map(|a| a.provider);
                let provider = provider.unwrap_or(ProviderKind::Google);
                return self.begin_trial(calendar, provider).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn begin_trial(&self, calendar: &Calendar, provider: ProviderKind) -> Result<Trial, EngineError> {
        let now = self.clock.now();
        let channel = format!("trial-{}", self.ids.uuid(now));
        let trial = Trial {
            calendar: calendar.id,
            name: calendar.name.clone(),
            provider,
            subscription: SubscriptionId(self.ids.uuid(now)),
            // Graph spells what is watched in many ways: there the channel stands for it.
            resource: channel.clone(),
            channel,
            token: self.ids.token(),
            opened_at: now,
        };
        let row = Subscription {
            id: trial.subscription,
            calendar: calendar.id,
            provider,
            remote_id: trial.channel.clone(),
            webhook_url: String::new(),
            resource_id: trial.resource.clone(),
            token_hash: token_hash(&trial.token),
            created_at: now,
            expires_at: now.plus(LIFE),
            // Like one that another has replaced: what it still delivers counts, and nobody sees to it any more.
            status: SubscriptionStatus::Expired,
            last_notification_at: None,
            verified_at: None,
            last_renewal_at: None,
            failure_count: 0,
            renew_at: now.plus(LIFE),
            close_at: None,
            delivery: Delivery::default(),
            provider_metadata: serde_json::Value::Null,
        };
        self.store.begin_subscription(&row, None).await?;
        Ok(trial)
    }

    /// What has become of its delivery. `None`: it has not arrived.
    pub async fn trial_news(&self, trial: &Trial) -> Result<Option<Notification>, EngineError> {
        let query = NotificationQuery {
            status: None,
            provider: Some(trial.provider),
            calendar: Some(trial.calendar),
            from: Some(trial.opened_at),
            to: None,
            after: None,
            limit: LOOKED_AT,
        };
        for row in self.store.notification_page(&query).await?.rows {
            let Some(seen) = self.store.notification(row.id).await? else { continue };
            if seen.notification.subscription == trial.subscription {
                return Ok(Some(seen.notification));
            }
        }
        Ok(None)
    }
}

/// One that a look can do no harm to, and that can be looked at.
fn may_be_tried(state: &UserState, calendar: &Calendar) -> bool {
    let account = state.accounts.iter().find(|a| a.id == calendar.account);
    let can_push =
        account.is_some_and(|a| a.status == AccountStatus::Active && a.provider != ProviderKind::Apple);
    can_push && calendar.sync_enabled && !calendar.missing && calendar.last_full_sync.is_some()
}
