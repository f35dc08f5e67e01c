//! Receipt: a claim is authenticated and stored, durably, before the provider gets its answer. The work comes later.

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::notification::{ChannelNews, Claim, Delivery, Distrust, authenticate, names_orphan};
use calsync_core::ports::{NewNotification, Recorded, Wish};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use tracing::{Instrument, debug_span};

use crate::{Engine, Refusal, trace};

/// How long a channel may live of which nobody knows when it ends: the longest that is asked for (google.md §8).
const ORPHAN_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Stored under this name, by which it can be followed; workers should be woken.
    Stored(NotificationId),
    /// Known already.
    Duplicate,
}

/// What is left to do after a receipt, once it was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Followup {
    /// Nothing.
    Nothing,
    /// The calendar's channel wants to be renewed at once.
    Renew,
    /// The calendar has lost its channel: another one is opened in the next round of maintenance, which should be soon.
    Open,
}

impl Engine {
    /// Accepts a delivery for `calendar`. When this returns `Ok`, it is on disk.
    pub async fn accept_notification(
        &self,
        provider: ProviderKind,
        calendar: CalendarId,
        claim: Claim,
    ) -> Result<Accepted, Refusal> {
        self.accept(provider, calendar, claim).instrument(trace::receive(provider, calendar)).await
    }

    async fn accept(
        &self,
        provider: ProviderKind,
        calendar: CalendarId,
        claim: Claim,
    ) -> Result<Accepted, Refusal> {
        let now = self.clock.now();
        let known = self.known.get(provider, calendar, &claim.channel, now);
        if let Some(known) = known.filter(|known| authenticate(&claim, known, now).is_ok()) {
            let stored = self.record(&known, claim, now).await;
            if stored.is_err() {
                // Perhaps it was removed meanwhile: the provider tries again, and finds out.
                self.known.forget(calendar);
            }
            return stored;
        }
        let found = self.store.find_subscription(calendar, provider, &claim.channel).await?;
        let subscription = found.ok_or(Refusal::Unknown)?;
        if let Err(distrust) = authenticate(&claim, &subscription, now) {
            self.learn_orphan(&claim, &subscription, distrust).await;
            return Err(Refusal::Distrusted(distrust));
        }
        self.known.put(&subscription, now);
        self.record(&subscription, claim, now).await
    }

    /// Accepts one item of a delivery for `calendar`, and heeds what it says of its channel. When this returns `Ok`, both are
    /// on disk. A delivery that is known already is heeded again: we may have died between the two.
    ///
    /// [`Followup::Renew`] asks for [`Engine::renew_channel`] once the provider has its answer. It need not be durable: who
    /// asks for a renewal asks again, and channels are renewed in time anyhow.
    pub async fn accept_delivery(
        &self,
        provider: ProviderKind,
        calendar: CalendarId,
        delivery: Delivery,
    ) -> Result<(Accepted, Followup), Refusal> {
        let Delivery { claim, news } = delivery;
        let channel = claim.channel.clone();
        let accepted = self.accept_notification(provider, calendar, claim).await?;
        let now = self.clock.now();
        match news {
            ChannelNews::Nothing => {}
            ChannelNews::RenewNow => return Ok((accepted, Followup::Renew)),
            // What was not delivered can be anything.
            ChannelNews::Missed => self.store.raise(&[calendar], Wish::Full, now).await?,
            ChannelNews::Ended => {
                let found = self.store.find_subscription(calendar, provider, &channel).await?;
                let active =
                    |s: &Subscription| s.remote_id == channel && s.status == SubscriptionStatus::Active;
                if let Some(ended) = found.filter(active) {
                    // Now it is missed.
                    self.store.set_subscription_status(ended.id, SubscriptionStatus::Expired, None).await?;
                    self.known.forget(calendar);
                }
                self.store.raise(&[calendar], Wish::Full, now).await?;
                return Ok((accepted, Followup::Open));
            }
        }
        Ok((accepted, Followup::Nothing))
    }

    /// A channel that was opened without our ever hearing of it says who it is: it is closed by the next round of maintenance.
    /// The delivery is refused all the same. Whoever hands in many items at once asks once for those that name the same channel
    /// with the same token: this reads all that the calendar ever had.
    async fn learn_orphan(&self, claim: &Claim, found: &Subscription, distrust: Distrust) {
        let of = match distrust {
            Distrust::Expired | Distrust::Suspended | Distrust::Failed => vec![found.clone()],
            // Where the provider chooses the ids of channels, nothing but the token ties one to its row.
            Distrust::Channel if claim.token.is_some() => {
                self.store.subscriptions(found.calendar).await.unwrap_or_default()
            }
            Distrust::Channel | Distrust::Token | Distrust::Resource => return,
        };
        let Some(orphan) = of.iter().find(|row| names_orphan(claim, row)) else { return };
        let now = self.clock.now();
        let ends = now.plus(ORPHAN_LIFE);
        match self.store.learn_channel(orphan.id, &claim.channel, &claim.resource, ends, now).await {
            Ok(_) => {
                tracing::info!(subscription = %orphan.id, "an orphaned push channel was found and is to be closed");
            }
            // The next delivery tells it again.
            Err(error) => tracing::debug!(%error, "an orphaned push channel could not be written down"),
        }
    }

    async fn record(&self, to: &Subscription, claim: Claim, now: Ts) -> Result<Accepted, Refusal> {
        let id = NotificationId(self.ids.uuid(now));
        trace::is_about(id);
        let new = NewNotification {
            id,
            subscription: to.id,
            calendar: to.calendar,
            notification_id: claim.notification_id,
            received_at: now,
            headers: claim.headers,
            payload: claim.payload,
            wants: claim.wants,
        };
        match self.store.record_notification(new).instrument(debug_span!("commit")).await? {
            Recorded::New => Ok(Accepted::Stored(id)),
            Recorded::Duplicate => Ok(Accepted::Duplicate),
        }
    }
}
