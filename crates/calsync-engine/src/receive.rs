//! Receipt: a claim is authenticated and stored, durably, before the provider gets its answer. The work comes later.

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::notification::{Claim, authenticate};
use calsync_core::ports::{NewNotification, Recorded};

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
        let found = self.store.find_subscription(calendar, provider, &claim.channel).await?;
        let subscription = found.ok_or(Refusal::Unknown)?;
        authenticate(&claim, &subscription, now).map_err(Refusal::Distrusted)?;
        let new = NewNotification {
            id: NotificationId(self.ids.uuid(now)),
            subscription: subscription.id,
            calendar,
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
