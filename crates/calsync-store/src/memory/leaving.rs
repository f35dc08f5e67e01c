//! Calendars that come and go, in memory: joining, leaving, and what is forgotten on the way.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, Calendar, Leaving};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::ledger::{LedgerRow, LedgerState};
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{Lease, StoreError};
use calsync_core::time::Ts;

use super::people::{retire, watchable};
use super::{State, raise};
use crate::rows::user_resource;

impl State {
    /// It takes part, and starts from what its provider shows from now on.
    pub(super) fn join(&mut self, id: CalendarId, now: Ts) -> Result<(), StoreError> {
        let calendar = self.calendar_mut(id)?;
        let (user, was_out) = (calendar.user, !calendar.sync_enabled);
        calendar.sync_enabled = true;
        calendar.leaving = None;
        watchable(calendar);
        if was_out {
            self.forget_events(id)?;
        }
        // Whoever is at work on them has read what is forgotten here, and must not go by it.
        self.fence_off(&user_resource(user));
        self.plan_all(user, now);
        Ok(())
    }

    /// It takes part no longer. It is none of "all", but its own blocks must go.
    pub(super) fn leave(&mut self, id: CalendarId, why: Leaving, now: Ts) -> Result<(), StoreError> {
        let calendar = self.calendar_mut(id)?;
        let user = calendar.user;
        calendar.sync_enabled = false;
        calendar.leaving = Some(why);
        calendar.plan_due = true;
        calendar.full_due = true;
        raise(calendar, now);
        retire(&mut self.subscriptions, id, now);
        self.forget_copied(|source, target| source == id || target == id);
        self.forget_events(id)?;
        self.fence_off(&user_resource(user));
        self.plan_all(user, now);
        Ok(())
    }

    /// Copied titles must not stay, and enabling starts from the calendar as it is then. The blocks are needed to remove
    /// ours.
    fn forget_events(&mut self, id: CalendarId) -> Result<(), StoreError> {
        let calendar = self.calendar_mut(id)?;
        calendar.cursor = None;
        calendar.last_full_sync = None;
        if let Some(mirror) = self.mirrors.get_mut(&id).map(Arc::make_mut) {
            mirror.events.clear();
        }
        Ok(())
    }

    pub(super) fn complete_unwanted(&mut self, before: Ts, now: Ts) -> Result<u64, StoreError> {
        let unread = |id: &CalendarId| {
            let calendar = self.calendars.get(id);
            let revoked = |c: &Calendar| {
                self.accounts.get(&c.account).is_some_and(|a| a.status != AccountStatus::Active)
            };
            calendar.is_some_and(|c| {
                !c.sync_enabled && matches!(c.leaving, None | Some(Leaving::Stopped))
                    || c.missing
                    || revoked(c)
            })
        };
        let theirs: BTreeSet<SubscriptionId> =
            self.subscriptions.values().filter(|s| unread(&s.calendar)).map(|s| s.id).collect();
        let open = |n: &&mut Notification| {
            theirs.contains(&n.subscription) && n.received_at < before && n.processing_completed_at.is_none()
        };
        let mut all = 0;
        for n in self.notifications.values_mut().filter(open) {
            n.status = ProcessingStatus::Completed;
            n.processing_started_at = n.processing_started_at.or(Some(now));
            n.processing_completed_at = Some(now);
            n.processing_time_ms = Some((now.micros() - n.received_at.micros()).max(0) / 1_000);
            n.next_retry_at = None;
            all += 1;
        }
        Ok(all)
    }

    pub(super) fn finish_leaving(
        &mut self,
        lease: &Lease,
        id: CalendarId,
        why: Leaving,
    ) -> Result<(), StoreError> {
        self.fence(lease)?;
        let calendar = self.calendar_mut(id)?;
        if calendar.leaving != Some(why) {
            return Ok(());
        }
        calendar.leaving = None;
        calendar.plan_due = false;
        self.forget_events(id)?;
        if why == Leaving::Reset {
            self.forget_all(id)?;
        }
        Ok(())
    }

    fn forget_all(&mut self, id: CalendarId) -> Result<(), StoreError> {
        let calendar = self.calendar_mut(id)?;
        let user = calendar.user;
        calendar.webhook_last_activity = None;
        calendar.webhook_failure_streak = 0;
        calendar.last_webhook_failure = None;
        calendar.last_polling_sync = None;
        calendar.last_synced_at = None;
        self.mirrors.remove(&id);
        self.outbox.remove(&id);
        self.holds.remove(&id);
        let theirs: BTreeSet<CalendarId> =
            self.calendars.values().filter(|c| c.user == user).map(|c| c.id).collect();
        let over = |row: &LedgerRow| {
            let of_it = row.source == id && theirs.contains(&row.target);
            row.state == LedgerState::Gone && (row.target == id || of_it)
        };
        for rows in self.ledger.values_mut().filter(|rows| rows.iter().any(over)) {
            Arc::make_mut(rows).retain(|row| !over(row));
        }
        let ledger = &self.ledger;
        self.contents.retain(|(target, correlation), _| {
            ledger.get(target).is_some_and(|rows| rows.iter().any(|row| row.correlation == *correlation))
        });
        self.journal.retain(|_, noted| {
            noted.row().target != id && !(noted.row().source == id && theirs.contains(&noted.row().target))
        });
        self.runs.retain(|_, run| run.calendar != id);
        let channels: BTreeSet<SubscriptionId> =
            self.subscriptions.values().filter(|s| s.calendar == id).map(|s| s.id).collect();
        self.notifications.retain(|_, n| !channels.contains(&n.subscription));
        self.deliveries.retain(|(channel, _), _| !channels.contains(channel));
        Ok(())
    }
}
