//! Receipt: a claim is authenticated and stored, durably, before the provider gets its answer. The work comes later.

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::notification::{Claim, authenticate};
use calsync_core::ports::{NewNotification, Recorded};
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;

use crate::{Engine, Refusal};

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Stored; workers should be woken.
    Stored,
    /// Known already.
    Duplicate,
}

impl Engine {
    /// Accepts a delivery for `calendar`. When this returns `Ok`, it is on disk.
    pub async fn accept_notification(
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
        authenticate(&claim, &subscription, now).map_err(Refusal::Distrusted)?;
        self.known.put(&subscription, now);
        self.record(&subscription, claim, now).await
    }

    async fn record(&self, to: &Subscription, claim: Claim, now: Ts) -> Result<Accepted, Refusal> {
        let new = NewNotification {
            id: NotificationId(self.ids.uuid(now)),
            subscription: to.id,
            calendar: to.calendar,
            notification_id: claim.notification_id,
            received_at: now,
            headers: claim.headers,
            payload: claim.payload,
            wants: claim.wants,
        };
        match self.store.record_notification(new).await? {
            Recorded::New => Ok(Accepted::Stored),
            Recorded::Duplicate => Ok(Accepted::Duplicate),
        }
    }
}
