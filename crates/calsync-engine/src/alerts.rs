//! What a person should know: one place that words the alerts. One is open per kind and subject, whatever repeats it.

use calsync_core::calendar::{Account, Calendar};
use calsync_core::hold::Hold;
use calsync_core::ids::CalendarId;
use calsync_core::ports::{ProviderError, StoreError};
use calsync_core::run::{Alert, AlertLevel};

use crate::Engine;

/// A plan is held by the brake.
pub(crate) const HELD: &str = "deletions_held";
/// A target takes no writes.
pub(crate) const REFUSED: &str = "writes_refused";
/// A plan was refused by its audit.
pub(crate) const AUDIT: &str = "plan_refused";
/// A calendar can't be read, and will not be without somebody's doing.
pub(crate) const UNREADABLE: &str = "calendar_unreadable";
/// An account must be connected again.
pub(crate) const RECONNECT: &str = "account_needs_reconnect";

impl Engine {
    async fn open(
        &self,
        kind: &str,
        subject: String,
        message: String,
        action: String,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let alert = Alert {
            kind: kind.to_owned(),
            subject,
            level: AlertLevel::Error,
            message,
            action,
            first_seen: now,
            last_seen: now,
            resolved_at: None,
            deliveries: serde_json::json!({}),
        };
        self.store.open_alert(&alert).await?;
        Ok(())
    }

    /// It is over.
    pub(crate) async fn resolve(&self, kind: &str, calendar: CalendarId) -> Result<(), StoreError> {
        self.store.resolve_alert(kind, &calendar.to_string(), self.clock.now()).await?;
        Ok(())
    }

    pub(crate) async fn alert_held(&self, hold: &Hold) -> Result<(), StoreError> {
        let id = hold.target;
        let action = format!(
            "Look at the calendars it mirrors. If the events are really gone: calendar-sync approve {id}. \
             Otherwise wait: it goes on by itself when two later full readings agree."
        );
        self.open(
            HELD,
            id.to_string(),
            format!("Nothing is written to calendar {id}: {}.", hold.reason),
            action,
        )
        .await
    }

    pub(crate) async fn alert_refused(&self, target: &Calendar, error: &str) -> Result<(), StoreError> {
        let message = format!("Calendar {} does not take blocks: {error}.", target.id);
        let action = "Give the account write access to it again, or disable the calendar.".to_owned();
        self.open(REFUSED, target.id.to_string(), message, action).await
    }

    pub(crate) async fn alert_audit(&self, target: &Calendar, violation: &str) -> Result<(), StoreError> {
        let message = format!("The plan for calendar {} was refused by its audit: {violation}.", target.id);
        let action = "Nothing was written. This is a defect of calendar-sync: please report it.".to_owned();
        self.open(AUDIT, target.id.to_string(), message, action).await
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
        self.open(UNREADABLE, calendar.id.to_string(), message, action).await
    }

    pub(crate) async fn alert_reconnect(
        &self,
        account: &Account,
        error: &ProviderError,
    ) -> Result<(), StoreError> {
        let message = format!("The account {} can no longer be used: {}", account.email, error.detail);
        let action = format!("Connect it again: calendar-sync accounts connect, as {}.", account.email);
        self.open(RECONNECT, account.id.to_string(), message, action).await
    }
}
