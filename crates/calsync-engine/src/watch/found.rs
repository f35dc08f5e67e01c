//! What a daily examination of the installation found becomes alerts, one for each thing that is wrong, until it is not found any more.

use calsync_core::alert::{Alert, AlertKind, AlertLevel};
use calsync_core::ports::StoreError;

use crate::Engine;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which check tells it.
    pub subject: String,
    /// How loud.
    pub level: AlertLevel,
    /// What was seen.
    pub message: String,
    /// What to do.
    pub action: String,
}

impl Engine {
    /// Brings the alerts about the installation in line with all that an examination found. Of what it could not judge, what is open
    /// stays as it is.
    pub async fn heed_found(&self, all: &[Found], unjudged: &[&str]) -> Result<(), StoreError> {
        let (kind, now) = (AlertKind::CheckFailed, self.clock.now());
        for open in self.store.open_alerts().await?.iter().filter(|alert| alert.kind == kind.as_str()) {
            let is_found = all.iter().any(|found| found.subject == open.subject);
            if !is_found && !unjudged.contains(&open.subject.as_str()) {
                self.store.resolve_alert(&open.kind, &open.subject, now).await?;
            }
        }
        for Found { subject, level, message, action } in all {
            let seen = Alert::seen(kind, subject.as_str(), message.clone(), action.clone(), now);
            self.store.open_alert(&Alert { level: *level, ..seen }).await?;
        }
        Ok(())
    }
}
