//! Runs in memory: what a run serves, and what becomes of it.

use std::collections::BTreeSet;

use calsync_core::ids::{CalendarId, NotificationId, SubscriptionId};
use calsync_core::notification::{AfterFailure, Notification, ProcessingStatus, Served};
use calsync_core::ports::{
    Blame, DeliveryEnd, Lease, Looked, NotificationsEnd, RunBegun, RunEnd, StoreError,
};
use calsync_core::run::{Run, RunKind, RunStatus};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;

use super::receipt::heard;
use super::{State, conflict};
use crate::rows::{Picked, begun, missing};
use crate::tally::minute;

impl State {
    pub(super) fn begin_run(&mut self, lease: &Lease, run: &Run) -> Result<RunBegun, StoreError> {
        self.fence(lease)?;
        let seen_generation = self.calendar_mut(run.calendar)?.dirty_generation;
        if self.runs.contains_key(&run.id) {
            return Err(conflict("another run has this id already"));
        }
        self.wrote.remove(&run.id);
        self.runs.insert(run.id, run.clone());
        let ours: BTreeSet<SubscriptionId> =
            self.subscriptions.values().filter(|s| s.calendar == run.calendar).map(|s| s.id).collect();
        let waiting = |n: &&mut Notification| match n.status {
            // Nobody else holds the lease: whoever was at work on it is dead.
            ProcessingStatus::Pending | ProcessingStatus::Processing => true,
            ProcessingStatus::Retrying => n.next_retry_at.is_none_or(|at| at <= run.started_at),
            ProcessingStatus::Completed | ProcessingStatus::Failed => false,
        };
        let mut picked: Vec<Picked> = Vec::new();
        self.strike_finished();
        for id in &self.open {
            let told = self.notifications.get_mut(id).filter(|n| ours.contains(&n.subscription));
            let Some(n) = told.filter(waiting) else { continue };
            n.status = ProcessingStatus::Processing;
            n.processing_started_at = Some(run.started_at);
            n.next_retry_at = None;
            n.run = Some(run.id);
            picked.push((n.received_at, n.id, n.retry_count, n.payload.clone()));
            if let Some(subscription) = self.subscriptions.get_mut(&n.subscription) {
                heard(subscription, n.received_at);
            }
        }
        Ok(begun(seen_generation, picked))
    }

    fn strike_finished(&mut self) {
        let notifications = &self.notifications;
        self.open.retain(|id| notifications.get(id).is_some_and(|n| n.processing_completed_at.is_none()));
    }

    pub(super) fn end_run(&mut self, lease: &Lease, end: &RunEnd) -> Result<(), StoreError> {
        self.fence(lease)?;
        self.calendar_mut(end.calendar)?;
        let run = self.runs.get_mut(&end.run).ok_or_else(|| missing("run"))?;
        run.finished_at = Some(end.at);
        run.status = end.status.clone();
        run.counts = end.counts;
        let (kind, began_at) = (run.kind, run.started_at);
        if let Some(DeliveryEnd { subscription, delivery, renew_at }) = end.delivery
            && let Some(known) = self.subscriptions.get_mut(&subscription)
        {
            known.delivery = delivery;
            known.renew_at = renew_at.unwrap_or(known.renew_at);
        }
        match &end.notifications {
            NotificationsEnd::Completed(served) => self.complete(end, began_at, *served)?,
            NotificationsEnd::Failed { items, blame } => self.fail(end, items, *blame)?,
        }
        let read = end.status == RunStatus::Succeeded && end.looked == Looked::Read;
        if read {
            let active = |s: &&mut Subscription| {
                let kept_silent = s.delivery.missed_streak > 0 || s.delivery.unannounced.is_some();
                s.calendar == end.calendar && s.status == SubscriptionStatus::Active && !kept_silent
            };
            self.subscriptions.values_mut().filter(active).for_each(|s| s.verify(end.at));
        }
        let calendar = self.calendar_mut(end.calendar)?;
        if read {
            calendar.last_synced_at = Some(end.at);
        }
        if kind == RunKind::Polling {
            calendar.last_polling_sync = Some(end.at);
        }
        if let Some(generation) = end.served_generation {
            calendar.synced_generation = calendar.synced_generation.max(generation);
        }
        Ok(())
    }

    /// What it was given, and whatever else was told before it began: it has read all of that.
    fn complete(&mut self, end: &RunEnd, began_at: Ts, served: Served) -> Result<(), StoreError> {
        use ProcessingStatus::{Pending, Processing, Retrying};
        let mut theirs = BTreeSet::new();
        let ours: BTreeSet<SubscriptionId> =
            self.subscriptions.values().filter(|s| s.calendar == end.calendar).map(|s| s.id).collect();
        let answered = |n: &&mut Notification| {
            let given = n.run == Some(end.run) && n.status == Processing;
            let open = matches!(n.status, Pending | Processing | Retrying);
            let read = end.looked == Looked::Read && open && n.received_at < began_at;
            ours.contains(&n.subscription) && (given || read)
        };
        self.strike_finished();
        for id in &self.open {
            let Some(n) = self.notifications.get_mut(id).filter(answered) else { continue };
            n.status = ProcessingStatus::Completed;
            n.processing_started_at = Some(began_at);
            n.next_retry_at = None;
            n.run = Some(end.run);
            n.processing_completed_at = Some(end.at);
            n.processing_time_ms = Some((end.at.micros() - n.received_at.micros()).max(0) / 1_000);
            n.error_message = None;
            n.served = served;
            let took = n.processing_time_ms.unwrap_or(0);
            self.tallies.entry(minute(n.received_at)).or_default().completed(took, served);
            theirs.insert(n.subscription);
        }
        self.count_failures(end.calendar, &theirs, |s| s.failure_count = s.delivery.missed_streak);
        let calendar = self.calendar_mut(end.calendar)?;
        calendar.webhook_failure_streak = 0;
        if !theirs.is_empty() {
            calendar.webhook_last_activity = Some(end.at);
        }
        Ok(())
    }

    fn fail(
        &mut self,
        end: &RunEnd,
        items: &[(NotificationId, AfterFailure)],
        blame: Blame,
    ) -> Result<(), StoreError> {
        let mut theirs = BTreeSet::new();
        for (id, after) in items {
            let Some(n) = self.notifications.get_mut(id) else { continue };
            if n.run == Some(end.run) && n.status == ProcessingStatus::Processing {
                fail_one(n, end, *after);
                let failed = u64::from(n.status == ProcessingStatus::Failed);
                self.tallies.entry(minute(n.received_at)).or_default().failed += failed;
                theirs.insert(n.subscription);
            }
        }
        if blame == Blame::Target {
            return Ok(());
        }
        self.count_failures(end.calendar, &theirs, |s| s.failure_count += 1);
        let calendar = self.calendar_mut(end.calendar)?;
        calendar.webhook_failure_streak += 1;
        calendar.last_webhook_failure = Some(end.at);
        Ok(())
    }

    /// Changes the counters of the calendar's active subscriptions, and of those that delivered what was served.
    fn count_failures(
        &mut self,
        of: CalendarId,
        theirs: &BTreeSet<SubscriptionId>,
        change: impl Fn(&mut Subscription),
    ) {
        let active = |s: &Subscription| s.calendar == of && s.status == SubscriptionStatus::Active;
        let concerned = self.subscriptions.values_mut().filter(|s| active(s) || theirs.contains(&s.id));
        concerned.for_each(change);
    }
}

fn fail_one(n: &mut Notification, end: &RunEnd, after: AfterFailure) {
    n.retry_count += 1;
    n.error_message = match &end.status {
        RunStatus::Failed { error } => Some(error.clone()),
        RunStatus::Running | RunStatus::Succeeded => None,
    };
    match after {
        AfterFailure::RetryAt(at) => {
            n.status = ProcessingStatus::Retrying;
            n.next_retry_at = Some(at);
        }
        AfterFailure::Failed => {
            n.status = ProcessingStatus::Failed;
            n.processing_completed_at = Some(end.at);
        }
    }
}
