//! Conditions become alerts: opened when they are first seen, refreshed while they last, resolved when they are over; left as
//! they are while nobody can judge them.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::alert::{Alert, AlertKind, Group};
use calsync_core::health::{Condition, Report};
use calsync_core::ports::StoreError;

use crate::Engine;

/// The kinds that only a look at the whole system opens and resolves. (`status_changed` is the level's own.)
const OF_REPORTS: [AlertKind; 14] = [
    AlertKind::DatabaseDown,
    AlertKind::CacheDown,
    AlertKind::DiskLow,
    AlertKind::MemoryLow,
    AlertKind::ClockJumped,
    AlertKind::SubscriptionExpiring,
    AlertKind::SubscriptionFailures,
    AlertKind::LowSuccessRate,
    AlertKind::ProcessingBacklog,
    AlertKind::ProviderErrors,
    AlertKind::ProviderThrottled,
    AlertKind::SyncOverdue,
    AlertKind::RuleBehind,
    AlertKind::JobOverdue,
];

impl Engine {
    /// Brings the alerts about the whole system in line with a report.
    pub async fn heed(&self, report: &Report) -> Result<(), StoreError> {
        let now = self.clock.now();
        let open = self.open_of_reports().await?;
        let seen: BTreeSet<(&str, &str)> =
            report.conditions.iter().map(|c| (c.kind.as_str(), c.subject.as_str())).collect();
        for (kind, subject) in open.keys() {
            let judged = !AlertKind::parse(kind).is_some_and(|kind| report.unjudged.contains(&kind));
            if judged && !seen.contains(&(kind.as_str(), subject.as_str())) {
                self.store.resolve_alert(kind, subject, now).await?;
            }
        }
        for condition in &report.conditions {
            let Condition { kind, subject, level, message, action } = condition;
            let known = open.get(&(kind.as_str().to_owned(), subject.clone()));
            // Said already, in these words.
            if known.is_some_and(|(known, words)| known == level && words == message) {
                continue;
            }
            let seen = Alert::seen(*kind, subject.as_str(), message.clone(), action.clone(), now);
            self.store.open_alert(&Alert { level: *level, ..seen }).await?;
        }
        Ok(())
    }

    /// What is open of these kinds: level and words by kind and subject. Mostly nothing is, or one of a kind.
    async fn open_of_reports(
        &self,
    ) -> Result<BTreeMap<(String, String), (calsync_core::alert::AlertLevel, String)>, StoreError> {
        let ours = |kind: &str| AlertKind::parse(kind).is_some_and(|kind| OF_REPORTS.contains(&kind));
        let groups = self.store.alert_groups().await?.into_iter().filter(|group| ours(&group.kind));
        let (one, many): (Vec<Group>, Vec<Group>) = groups.partition(|group| group.count == 1);
        let mut open: BTreeMap<_, _> = one
            .into_iter()
            .map(|group| ((group.kind, group.subject), (group.level, group.message)))
            .collect();
        if !many.is_empty() {
            let all = self.store.open_alerts().await?;
            open.extend(
                all.into_iter()
                    .filter(|a| ours(&a.kind))
                    .map(|a| ((a.kind, a.subject), (a.level, a.message))),
            );
        }
        Ok(open)
    }
}
