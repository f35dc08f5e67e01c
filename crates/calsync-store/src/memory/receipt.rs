//! Receipt in memory: which subscription a delivery is for, and the delivery itself.

use std::cmp::Reverse;

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_core::notification::{NOTIFICATION_ID_MAX, Notification, ProcessingStatus, Served, Wants};
use calsync_core::ports::{NewNotification, Recorded, StoreError, Wish};
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;

use super::{State, conflict};
use crate::rows::missing;
use crate::tally::{Finished, minute};

impl State {
    pub(super) fn find_subscription(
        &self,
        calendar: CalendarId,
        provider: ProviderKind,
        channel: &str,
    ) -> Result<Option<Subscription>, StoreError> {
        let candidates =
            self.subscriptions.values().filter(|s| s.calendar == calendar && s.provider == provider);
        Ok(candidates.min_by_key(|s| (s.remote_id != channel, Reverse((s.created_at, s.id)))).cloned())
    }

    pub(super) fn record_notification(&mut self, new: NewNotification) -> Result<Recorded, StoreError> {
        let key = (new.subscription, new.notification_id.clone());
        if self.deliveries.contains_key(&key) || self.notifications.contains_key(&new.id) {
            return Ok(Recorded::Duplicate);
        }
        if new.notification_id.chars().count() > NOTIFICATION_ID_MAX {
            return Err(conflict("the notification id is longer than 255 characters"));
        }
        let subscription =
            self.subscriptions.get_mut(&new.subscription).ok_or_else(|| missing("subscription"))?;
        if new.wants == Wants::Confirmation {
            heard(subscription, new.received_at);
        }
        self.deliveries.insert(key, new.id);
        let finished = if new.wants == Wants::Confirmation { Finished::AtOnce } else { Finished::Later };
        self.tallies.entry(minute(new.received_at)).or_default().received(finished);
        let (calendar, received_at, wants) = (new.calendar, new.received_at, new.wants);
        self.open.insert(new.id);
        self.notifications.insert(new.id, stored(new));
        if wants == Wants::Sync {
            self.raise(&[calendar], Wish::Changes, received_at)?;
        }
        Ok(Recorded::New)
    }
}

/// It delivered: its failures are over, unless they are younger than this.
pub(super) fn heard(subscription: &mut Subscription, at: Ts) {
    if subscription.last_notification_at.is_none_or(|last| last < at) {
        subscription.last_notification_at = Some(at);
        subscription.failure_count = 0;
    }
}

/// Nothing will ever process a confirmation: it is finished as it arrives.
fn stored(new: NewNotification) -> Notification {
    let (status, finished) = match new.wants {
        Wants::Sync => (ProcessingStatus::Pending, false),
        Wants::Confirmation => (ProcessingStatus::Completed, true),
    };
    Notification {
        id: new.id,
        subscription: new.subscription,
        notification_id: new.notification_id,
        received_at: new.received_at,
        headers: new.headers,
        payload: new.payload,
        status,
        processing_started_at: None,
        processing_completed_at: finished.then_some(new.received_at),
        processing_time_ms: finished.then_some(0),
        error_message: None,
        retry_count: 0,
        next_retry_at: None,
        run: None,
        served: Served::default(),
    }
}
