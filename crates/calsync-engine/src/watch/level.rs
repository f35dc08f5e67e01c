//! The level in force, as it is kept from look to look: a look changes it, says so, and leaves what it asks for (`respond`) to be
//! done by others. It does nothing about it, so that no look waits for a provider.

use calsync_core::alert::{Alert, AlertKind, AlertLevel};
use calsync_core::health::{Change, Damped, Level, Owed, Report, damp};
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use serde::{Deserialize, Serialize};

use crate::Engine;

/// The level in force, among the settings.
const STATE: &str = "watch";

/// What is kept from one look to the next, by whichever instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchState {
    /// The level in force.
    pub level: Damped,
}

impl Engine {
    /// The level in force, as it was left by whoever looked last.
    pub async fn watch_state(&self) -> Result<WatchState, StoreError> {
        let kept = self.kept_state().await?;
        Ok(kept.unwrap_or(WatchState { level: Damped::well(self.clock.now()) }))
    }

    /// What nobody can read says nothing: it is found out anew.
    async fn kept_state(&self) -> Result<Option<WatchState>, StoreError> {
        let kept = self.store.setting(STATE).await?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
    }

    /// Takes a look into account: the level in force, what it asks for, and the alert about it. Whether it has changed.
    pub async fn note_level(&self, report: &Report) -> Result<Option<Change>, StoreError> {
        let now = self.clock.now();
        let kept = self.kept_state().await?.map(|state| state.level);
        let known = kept.unwrap_or(Damped::well(now));
        // What can not be judged has not become better.
        let seen = if report.may_be_worse() { report.level.max(known.level) } else { report.level };
        let (level, change) = damp(&known, seen, now);
        if let Some(change) = change {
            let why = because(report);
            // The level comes last: should we fail before it is written, the next look finds the same change, and all of it again.
            self.tell_level(change.to, &why, now).await?;
            let before = self.owed().await?.map(|(_, owed)| owed);
            let owed = Owed::by(change, why.clone(), before.as_ref());
            self.owe(&owed).await?;
            self.put_level(level).await?;
            let Change { from, to } = change;
            tracing::warn!(%from, %to, why, "the level has changed");
        } else if kept.as_ref() != Some(&level) {
            // The first one as well: since when all is well is asked for, too.
            self.put_level(level).await?;
        }
        Ok(change)
    }

    async fn put_level(&self, level: Damped) -> Result<(), StoreError> {
        self.store.put_setting(STATE, &serde_json::json!(WatchState { level })).await
    }

    async fn tell_level(&self, to: Level, why: &str, now: Ts) -> Result<(), StoreError> {
        let kind = AlertKind::StatusChanged;
        let level = match to {
            Level::Healthy => return self.store.resolve_alert(kind.as_str(), "", now).await.map(drop),
            Level::Degraded => AlertLevel::Warning,
            Level::Critical => AlertLevel::Critical,
        };
        let message = format!("calendar-sync is {to}: {why}");
        let action = "calendar-sync status says what is wrong, and the runbook (docs/runbook.md) what to do.";
        let seen = Alert::seen(kind, "", message, action.to_owned(), now);
        self.store.open_alert(&Alert { level, ..seen }).await.map(drop)
    }
}

/// What makes it no better than it is.
fn because(report: &Report) -> String {
    let worst = report
        .findings
        .iter()
        .filter(|finding| finding.level == report.level && report.level > Level::Healthy);
    let words: Vec<String> = worst.map(|finding| format!("{}: {}", finding.check, finding.says)).collect();
    if words.is_empty() { "all is well again".to_owned() } else { words.join(" ") }
}
