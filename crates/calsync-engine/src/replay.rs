//! A notification is served once more, because a person asks for it. It walks the way of every other one, so nothing is written
//! twice.

use calsync_core::ids::{CalendarId, NotificationId};

use crate::{Engine, EngineError};

impl Engine {
    /// Makes it pending again; its calendar, whose workers are to be woken. `None`: it is gone, waits already, or somebody is at
    /// work on it. It is in the audit log.
    pub async fn replay(&self, id: NotificationId, who: &str) -> Result<Option<CalendarId>, EngineError> {
        let now = self.clock.now();
        let calendar = self.store.replay_notification(id, now).await?;
        if let Some(calendar) = calendar {
            let line = format!("notifications: replayed {id} of calendar {calendar}");
            self.store.audit(who, &line, now).await?;
        }
        Ok(calendar)
    }
}
