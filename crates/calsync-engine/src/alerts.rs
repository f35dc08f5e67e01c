//! What a person should know: one place that words the alerts. One is open per kind and subject, whatever repeats it.

use calsync_core::alert::{Alert, AlertKind};
use calsync_core::calendar::{Account, Calendar};
use calsync_core::cursor_loss::{CursorLosses, TOLD_FROM};
use calsync_core::hold::Hold;
use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::ports::{ProviderError, StoreError};
use calsync_core::subscription::{FailureStep, Subscription, SubscriptionStatus, Verdict, failure_step};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::Engine;
use crate::inspect::ListChanges;

/// An alert that was seen again within this time is looked at later.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(5);

impl Engine {
    async fn open(
        &self,
        kind: AlertKind,
        subject: String,
        message: String,
        action: String,
    ) -> Result<(), StoreError> {
        let alert = Alert::seen(kind, subject, message, action, self.clock.now());
        self.store.open_alert(&alert).await.map(drop)
    }

    /// It is over.
    pub(crate) async fn resolve(&self, kind: AlertKind, calendar: CalendarId) -> Result<(), StoreError> {
        self.store.resolve_alert(kind.as_str(), &calendar.to_string(), self.clock.now()).await?;
        Ok(())
    }

    pub(crate) async fn alert_held(&self, hold: &Hold) -> Result<(), StoreError> {
        let id = hold.target;
        let action = format!(
            "Look at the calendars it mirrors. If the events are really gone: calendar-sync approve {id}. \
             Otherwise wait: it goes on by itself when two later full readings agree."
        );
        self.open(
            AlertKind::DeletionsHeld,
            id.to_string(),
            format!("Nothing is written to calendar {id}: {}.", hold.reason),
            action,
        )
        .await
    }

    /// What was undone is kept until somebody says otherwise, and new events make no blocks there meanwhile.
    pub(crate) async fn remind_of_undo(&self, hold: &Hold) -> Result<(), StoreError> {
        let id = hold.target;
        let action = format!(
            "Once the rules are what they should be, let them go on there: calendar-sync approve {id}."
        );
        let message = format!("Nothing is written to calendar {id} since a run was undone: {}.", hold.reason);
        self.open(AlertKind::DeletionsHeld, id.to_string(), message, action).await
    }

    pub(crate) async fn alert_refused(&self, target: &Calendar, error: &str) -> Result<(), StoreError> {
        let message = format!("Calendar {} does not take blocks: {error}.", target.id);
        let action = "Give the account write access to it again, or disable the calendar.".to_owned();
        self.open(AlertKind::WritesRefused, target.id.to_string(), message, action).await
    }

    pub(crate) async fn alert_audit(&self, target: &Calendar, violation: &str) -> Result<(), StoreError> {
        let message = format!("The plan for calendar {} was refused by its audit: {violation}.", target.id);
        let action = "Nothing was written. This is a defect of calendar-sync: please report it.".to_owned();
        self.open(AlertKind::PlanRefused, target.id.to_string(), message, action).await
    }

    pub(crate) async fn alert_unreadable(
        &self,
        calendar: &Calendar,
        error: &ProviderError,
    ) -> Result<(), StoreError> {
        let message = format!(
            "Calendar {} can not be read: {}. Its blocks stay as they are.",
            calendar.id, error.detail
        );
        let action = "See whether it still exists and is shared with the account, or disable it.".to_owned();
        self.open(AlertKind::CalendarUnreadable, calendar.id.to_string(), message, action).await
    }

    /// What nobody reads or writes any more has no run that could tell of it.
    pub(crate) async fn alert_listed(&self, changes: &ListChanges) -> Result<(), StoreError> {
        for id in &changes.gone {
            let message = format!(
                "Calendar {id} is not in its account's list any more: it is neither read nor written to. Its blocks stay as \
                 they are."
            );
            let action = "Where it was unsubscribed or is not shared any more, bring it back, or disable it. It goes on by \
                          itself when it is listed again."
                .to_owned();
            self.open(AlertKind::CalendarUnreadable, id.to_string(), message, action).await?;
        }
        for id in &changes.locked {
            let message = format!(
                "Calendar {id} does not take blocks: its account may only read it now. The blocks in it stay as they are."
            );
            let action = "Give the account write access to it again, or disable the calendar.".to_owned();
            self.open(AlertKind::WritesRefused, id.to_string(), message, action).await?;
        }
        Ok(())
    }

    /// One whose cursor is refused again and again is told of, until it has not been for a day.
    pub(crate) async fn heed_cursor(
        &self,
        calendar: CalendarId,
        losses: &CursorLosses,
    ) -> Result<(), StoreError> {
        if losses.are_too_many() {
            let message = format!(
                "The provider of calendar {calendar} refused to tell what has changed there, {TOLD_FROM} times within a day. \
                 All of the calendar is read instead, each time."
            );
            let action = "Nothing is missed, but each look takes longer and costs more calls. If it goes on for days: \
                          calendar-sync calendars disable, then enable it again."
                .to_owned();
            return self.open(AlertKind::CursorLost, calendar.to_string(), message, action).await;
        }
        if losses.are_over() { self.resolve(AlertKind::CursorLost, calendar).await } else { Ok(()) }
    }

    pub(crate) async fn alert_failing(&self, channel: &Subscription) -> Result<(), StoreError> {
        let message = format!(
            "The push channel of calendar {} has failed {} times in a row. The calendar is polled meanwhile.",
            channel.calendar, channel.failure_count
        );
        let action = "The channel is renewed by itself. If that does not help, see in the log why it fails, and whether \
                      the provider can reach the webhook address: calendar-sync doctor."
            .to_owned();
        self.open(AlertKind::SubscriptionFailing, channel.calendar.to_string(), message, action).await
    }

    pub(crate) async fn alert_suspended(&self, channel: &Subscription) -> Result<(), StoreError> {
        let message = format!(
            "The push channel of calendar {} has failed {} times in a row and was taken out of use. The calendar is polled.",
            channel.calendar, channel.failure_count
        );
        let action = format!(
            "Find out why (calendar-sync doctor), then: calendar-sync manage-subscriptions create --calendar {}. It is \
             tried again by itself after a day.",
            channel.calendar
        );
        self.open(AlertKind::SubscriptionSuspended, channel.calendar.to_string(), message, action).await
    }

    /// Whoever fails again and again is told of, until it is over.
    pub(crate) async fn heed_verdict(
        &self,
        channel: &Subscription,
        before: u32,
        verdict: &Verdict,
    ) -> Result<(), StoreError> {
        match (fails(before), fails(verdict.failures)) {
            (_, true) if verdict.failures != before => {
                self.alert_failing(&Subscription { failure_count: verdict.failures, ..channel.clone() }).await
            }
            (true, false) => self.resolve(AlertKind::SubscriptionFailing, channel.calendar).await,
            _ => Ok(()),
        }
    }

    /// What is open though it is over, because whoever ended it could not see that (the calendar was disabled, a worker died
    /// between an alert and its reason, a channel was confirmed without a run) is resolved.
    pub(crate) async fn resolve_settled(&self, until: Ts) -> Result<(), StoreError> {
        // What was just opened may not have its reason written down yet.
        let opened_before = self.clock.now().minus(SETTLED_AFTER);
        for alert in self.store.open_alerts().await? {
            if self.round_is_over(until) {
                return Ok(());
            }
            let Some(kind) = AlertKind::parse(&alert.kind) else { continue };
            if alert.last_seen <= opened_before && self.is_settled(kind, &alert.subject).await? {
                self.store.resolve_alert(&alert.kind, &alert.subject, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    async fn is_settled(&self, kind: AlertKind, subject: &str) -> Result<bool, StoreError> {
        if kind == AlertKind::AccountNeedsReconnect {
            // Connecting it again resolves it at once.
            let Ok(id) = subject.parse::<AccountId>() else { return Ok(false) };
            return Ok(self.store.credentials(id).await?.is_none());
        }
        let Ok(id) = subject.parse::<CalendarId>() else { return Ok(false) };
        let Some(calendar) = self.store.calendar(id).await? else { return Ok(true) };
        Ok(match kind {
            AlertKind::SubscriptionFailing | AlertKind::SubscriptionSuspended => {
                self.channel_settled(kind, &calendar).await?
            }
            AlertKind::DeletionsHeld => {
                let state = self.store.user_state(calendar.user).await?;
                !calendar.sync_enabled || state.is_none_or(|s| s.holds.iter().all(|h| h.target != id))
            }
            AlertKind::WritesRefused => {
                let state = self.store.user_state(calendar.user).await?;
                let none_waits = state.is_none_or(|s| s.waiting_writes.iter().all(|w| w.0 != id));
                !calendar.sync_enabled || (calendar.access.may_write() && none_waits)
            }
            AlertKind::PlanRefused => !calendar.sync_enabled || !calendar.plan_due,
            AlertKind::CalendarUnreadable => {
                !calendar.sync_enabled || (!calendar.missing && calendar.webhook_failure_streak == 0)
            }
            AlertKind::CursorLost => !calendar.sync_enabled || calendar.cursor_losses.are_over(),
            _ => false,
        })
    }

    async fn channel_settled(&self, kind: AlertKind, c: &Calendar) -> Result<bool, StoreError> {
        if !c.sync_enabled || !c.webhook_enabled || !c.push_admitted || c.missing {
            return Ok(true);
        }
        let all = self.store.subscriptions(c.id).await?;
        let active = all.iter().find(|s| s.status == SubscriptionStatus::Active);
        Ok(active.is_some_and(|s| kind == AlertKind::SubscriptionSuspended || !fails(s.failure_count)))
    }

    /// A channel is in use again.
    pub(crate) async fn resolve_suspended(&self, calendar: CalendarId) -> Result<(), StoreError> {
        self.resolve(AlertKind::SubscriptionSuspended, calendar).await
    }

    pub(crate) async fn alert_reconnect(
        &self,
        account: &Account,
        error: &ProviderError,
    ) -> Result<(), StoreError> {
        let message = format!("The account {} can no longer be used: {}", account.email, error.detail);
        let action = format!("Connect it again: calendar-sync accounts connect, as {}.", account.email);
        self.open(AlertKind::AccountNeedsReconnect, account.id.to_string(), message, action).await
    }
}

/// Whether so many failures in a row are told of.
fn fails(failures: u32) -> bool {
    failure_step(failures) >= FailureStep::Repair
}
