//! Subscriptions in memory: one active per calendar and provider, older ones as history.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use calsync_core::calendar::{AccountStatus, Calendar};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::ports::{ChannelOpened, StoreError, SubscriptionCount};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;

use super::{State, conflict};
use crate::rows::{REMOTE_ID_MAX, missing};

impl State {
    pub(super) fn begin_subscription(
        &mut self,
        new: &Subscription,
        replaces: Option<SubscriptionId>,
    ) -> Result<(), StoreError> {
        let known = self.calendars.get(&new.calendar);
        if !known.is_some_and(|c| is_wanted(c) || !is_active(new)) {
            // Whoever asks has read it before it left.
            return Err(conflict("the calendar is gone, or is not to be watched"));
        }
        let was = replaces.and_then(|id| self.subscriptions.get(&id)).cloned();
        if let Some(old) = &was {
            let (status, close_at) = (SubscriptionStatus::Expired, Some(new.expires_at));
            self.put_subscription(Subscription { status, close_at, ..old.clone() })?;
        }
        let free = !self.subscriptions.contains_key(&new.id);
        let put = if free { self.put_subscription(new.clone()) } else { Err(conflict("it exists already")) };
        if let (Err(_), Some(old)) = (&put, was) {
            self.subscriptions.insert(old.id, old);
        }
        put
    }

    /// The constraints of the table.
    fn put_subscription(&mut self, new: Subscription) -> Result<(), StoreError> {
        let too_long = |text: &str| text.chars().count() > REMOTE_ID_MAX;
        if too_long(&new.remote_id) || too_long(&new.resource_id) {
            return Err(conflict("the provider's id is longer than 255 characters"));
        }
        let mut others = self.subscriptions.values().filter(|s| s.id != new.id && s.provider == new.provider);
        if others.any(|s| {
            s.remote_id == new.remote_id || (is_active(s) && is_active(&new) && s.calendar == new.calendar)
        }) {
            return Err(conflict(
                "the calendar has an active subscription already, or the channel id is taken",
            ));
        }
        self.subscriptions.insert(new.id, new);
        Ok(())
    }

    fn subscription(&self, id: SubscriptionId) -> Result<Subscription, StoreError> {
        self.subscriptions.get(&id).cloned().ok_or_else(|| missing("subscription"))
    }

    pub(super) fn confirm_subscription(&mut self, opened: &ChannelOpened<'_>) -> Result<(), StoreError> {
        let known = self.subscription(opened.id)?;
        if !is_active(&known) {
            return Err(missing("subscription"));
        }
        self.put_subscription(Subscription {
            remote_id: opened.remote_id.to_owned(),
            resource_id: opened.resource.to_owned(),
            expires_at: opened.expires_at,
            last_renewal_at: Some(opened.now),
            renew_at: opened.renew_at,
            close_at: None,
            status: SubscriptionStatus::Active,
            failure_count: known.delivery.missed_streak,
            ..known
        })?;
        let old = opened.replaces.and_then(|id| self.subscriptions.get_mut(&id));
        if let Some(old) = old.filter(|old| old.close_at.is_some()) {
            old.close_at = Some(opened.now);
        }
        Ok(())
    }

    pub(super) fn abandon_subscription(
        &mut self,
        id: SubscriptionId,
        replaced: Option<SubscriptionId>,
        now: Ts,
    ) -> Result<(), StoreError> {
        let known = self.subscription(id)?;
        self.put_subscription(Subscription { status: SubscriptionStatus::Failed, ..known })?;
        let Some(old) = replaced.and_then(|id| self.subscriptions.get(&id)).cloned() else { return Ok(()) };
        let wanted = self.calendars.get(&old.calendar).is_some_and(is_wanted);
        if wanted && old.status == SubscriptionStatus::Expired && !old.is_expired(now) {
            let again = Subscription { status: SubscriptionStatus::Active, close_at: None, ..old };
            // Refused when another one is active by now, which is as good.
            let _ = self.put_subscription(again);
        }
        Ok(())
    }

    pub(super) fn set_subscription_status(
        &mut self,
        id: SubscriptionId,
        status: SubscriptionStatus,
        close_at: Option<Ts>,
    ) -> Result<(), StoreError> {
        let known = self.subscription(id)?;
        self.put_subscription(Subscription { status, close_at, ..known })
    }

    pub(super) fn learn_channel(
        &mut self,
        id: SubscriptionId,
        remote_id: &str,
        resource: &str,
        expires_at: Ts,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let Some(known) = self.subscriptions.get(&id).cloned() else { return Ok(false) };
        if is_active(&known) || !known.resource_id.is_empty() {
            return Ok(false);
        }
        let (remote_id, resource_id) = (remote_id.to_owned(), resource.to_owned());
        let close_at = Some(now);
        self.put_subscription(Subscription { remote_id, resource_id, expires_at, close_at, ..known })?;
        Ok(true)
    }

    pub(super) fn postpone_renewal(&mut self, id: SubscriptionId, until: Ts) -> Result<(), StoreError> {
        let known = self.subscriptions.get_mut(&id).ok_or_else(|| missing("subscription"))?;
        known.renew_at = until;
        Ok(())
    }

    pub(super) fn put_closing(&mut self, id: SubscriptionId, close_at: Option<Ts>) -> Result<(), StoreError> {
        // In use again, it is nobody's to close.
        if let Some(known) = self.subscriptions.get_mut(&id).filter(|s| !is_active(s)) {
            known.close_at = close_at;
        }
        Ok(())
    }

    pub(super) fn subscriptions_to_close(
        &self,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        let due = self.subscriptions.values().filter(|s| s.close_at.is_some_and(|at| at <= now));
        let mut found: Vec<_> = due.cloned().collect();
        found.sort_by_key(|s| (s.close_at, s.id));
        found.truncate(limit as usize);
        Ok(found)
    }

    pub(super) fn subscriptions(&self, calendar: CalendarId) -> Result<Vec<Subscription>, StoreError> {
        let mut found: Vec<_> =
            self.subscriptions.values().filter(|s| s.calendar == calendar).cloned().collect();
        found.sort_by_key(|s| Reverse((s.created_at, s.id)));
        Ok(found)
    }

    fn active_by<K: Ord>(&self, limit: u32, key: impl Fn(&Subscription) -> Option<K>) -> Vec<Subscription> {
        let active = self.subscriptions.values().filter(|s| is_active(s));
        let mut found: Vec<_> = active.filter_map(|s| Some(((key(s)?, s.id), s.clone()))).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().take(limit as usize).map(|(_, s)| s).collect()
    }

    pub(super) fn subscriptions_to_renew(
        &self,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        Ok(self.active_by(limit, |s| (s.renew_at <= now).then_some(s.renew_at)))
    }

    pub(super) fn subscriptions_silent(
        &self,
        since: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        Ok(self.active_by(limit, |s| Some(s.alive_at()).filter(|at| *at < since)))
    }

    pub(super) fn subscriptions_failing(
        &self,
        at_least: u32,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        let failing = |s: &Subscription| s.failure_count > 0 && s.failure_count >= at_least;
        Ok(self.active_by(limit, |s| failing(s).then_some(Reverse(s.failure_count))))
    }

    /// Those that could be watched and are not.
    pub(super) fn unwatched(&self) -> impl Iterator<Item = &Calendar> {
        let could = |c: &&Calendar| {
            self.accounts.get(&c.account).is_some_and(|a| a.status == AccountStatus::Active)
                && c.sync_enabled
                && c.webhook_enabled
                && !c.missing
                && !c.push_unsupported
                && c.push_admitted
        };
        let watched = |c: &Calendar| self.subscriptions.values().any(|s| s.calendar == c.id && is_active(s));
        self.calendars.values().filter(could).filter(move |c| !watched(c))
    }

    pub(super) fn unwatched_calendars(&self, now: Ts, limit: u32) -> Result<Vec<Calendar>, StoreError> {
        let mut found: Vec<&Calendar> = self.unwatched().filter(|c| c.watch_after <= now).collect();
        found.sort_by_key(|c| (c.watch_after, c.id));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }

    pub(super) fn postpone_opening(&mut self, calendar: CalendarId, until: Ts) -> Result<(), StoreError> {
        self.calendar_mut(calendar)?.watch_after = until;
        Ok(())
    }

    pub(super) fn next_channel_due(&self) -> Result<Option<Ts>, StoreError> {
        let active = self.subscriptions.values().filter(|s| is_active(s));
        let of_active = active.flat_map(|s| [s.renew_at, s.expires_at]);
        let closings = self.subscriptions.values().filter_map(|s| s.close_at);
        Ok(of_active.chain(closings).chain(self.unwatched().map(|c| c.watch_after)).min())
    }

    pub(super) fn subscriptions_ended(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError> {
        Ok(self.active_by(limit, |s| s.is_expired(now).then_some(s.expires_at)))
    }

    pub(super) fn subscription_counts(&self) -> Result<Vec<SubscriptionCount>, StoreError> {
        let mut counts = BTreeMap::new();
        for s in self.subscriptions.values() {
            let (provider, status) = (s.provider, s.status);
            let count = counts.entry((provider.as_str(), status.as_str())).or_insert(SubscriptionCount {
                provider,
                status,
                count: 0,
                heard: 0,
                missed: 0,
            });
            count.count += 1;
            count.heard += u64::from(s.delivery.heard);
            count.missed += u64::from(s.delivery.missed);
        }
        Ok(counts.into_values().collect())
    }

    pub(super) fn expire_subscriptions(&mut self, now: Ts) -> Result<u64, StoreError> {
        let ended = self.subscriptions.values_mut().filter(|s| is_active(s) && s.is_expired(now));
        Ok(ended.map(|s| s.status = SubscriptionStatus::Expired).count() as u64)
    }
}

fn is_active(s: &Subscription) -> bool {
    s.status == SubscriptionStatus::Active
}

/// Whether a channel is wanted for it.
fn is_wanted(c: &Calendar) -> bool {
    c.sync_enabled && c.webhook_enabled && c.push_admitted
}
