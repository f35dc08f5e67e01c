//! Forgetting what is over, in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::ledger::{LedgerRow, LedgerState};
use calsync_core::ports::{Prunable, StoreError};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;

use super::State;

impl State {
    pub(super) fn prune(&mut self, what: Prunable, before: Ts, limit: u32) -> Result<u64, StoreError> {
        let limit = limit as usize;
        Ok(match what {
            Prunable::Notifications => self.prune_notifications(before, limit),
            Prunable::Subscriptions => self.prune_subscriptions(before, limit),
            Prunable::Runs => {
                let old = self.runs.values().filter(|r| r.started_at < before);
                let gone = oldest(old.map(|r| (r.started_at, r.id)), limit);
                self.wrote.retain(|id| !gone.contains(id));
                gone.iter().filter(|id| self.runs.remove(id).is_some()).count()
            }
            Prunable::Journal => {
                let rows = self.journal.values().map(|noted| noted.row());
                let old = rows.filter(|row| row.receipt.written_at < before);
                let gone = oldest(old.map(|row| (row.receipt.written_at, row.seq)), limit);
                gone.iter().filter(|seq| self.journal.remove(seq).is_some()).count()
            }
            Prunable::Ledger => {
                let rows = self.ledger.values().flat_map(|rows| rows.iter());
                let gone = rows.filter(|row| row.state == LedgerState::Gone);
                let old = gone.filter_map(|row| {
                    Some((row.written_at.filter(|at| *at < before)?, (row.target, row.correlation)))
                });
                let gone: BTreeSet<_> = oldest(old, limit).into_iter().collect();
                let over = |row: &LedgerRow| gone.contains(&(row.target, row.correlation));
                for rows in self.ledger.values_mut().filter(|rows| rows.iter().any(over)) {
                    Arc::make_mut(rows).retain(|row| !over(row));
                }
                self.contents.retain(|key, _| !gone.contains(key));
                gone.len()
            }
            Prunable::Figures => {
                let minutes =
                    oldest(self.tallies.keys().filter(|at| **at < before).map(|at| (*at, *at)), limit);
                let calls = self.call_stats.keys().filter(|(_, at)| *at < before).map(|key| (key.1, *key));
                let calls = oldest(calls, limit);
                let hours = self.health_hours.keys().filter(|at| **at < before).map(|at| (*at, *at));
                let hours = oldest(hours, limit);
                let old = self.rule_delays.keys().filter(|key| key.1 < before).map(|key| (key.1, *key));
                let of_rules = oldest(old, limit);
                let old = self.delays.keys().filter(|key| key.0 < before).map(|key| (key.0, *key));
                let of_all = oldest(old, limit);
                hours.iter().filter(|at| self.health_hours.remove(at).is_some()).count()
                    + minutes.iter().filter(|at| self.tallies.remove(at).is_some()).count()
                    + of_rules.iter().filter(|key| self.rule_delays.remove(key).is_some()).count()
                    + of_all.iter().filter(|key| self.delays.remove(key).is_some()).count()
                    + calls.iter().filter(|key| self.call_stats.remove(key).is_some()).count()
            }
            Prunable::Audit => {
                let old = self.audit.iter().filter(|(at, ..)| *at < before).count().min(limit);
                let mut left = old;
                self.audit.retain(|(at, ..)| {
                    let goes = left > 0 && *at < before;
                    left -= usize::from(goes);
                    !goes
                });
                old
            }
            Prunable::Alerts => {
                let mut left = limit;
                let had = self.alerts.len();
                self.alerts.retain(|alert| {
                    let goes = left > 0 && alert.resolved_at.is_some_and(|at| at < before);
                    left -= usize::from(goes);
                    !goes
                });
                let over = self.alert_deliveries.values().filter_map(|d| Some((d.finished_at?, d.id)));
                let gone = oldest(over.filter(|(at, _)| *at < before), limit);
                had - self.alerts.len()
                    + gone.iter().filter(|id| self.alert_deliveries.remove(id).is_some()).count()
            }
        } as u64)
    }

    /// What would go, if everything before it in `Prunable::ALL` went first: a copy of it shows.
    pub(super) fn prunable(&self, what: Prunable, before: Ts) -> Result<u64, StoreError> {
        let mut copy = self.clone();
        for earlier in Prunable::ALL.into_iter().take_while(|one| *one != what) {
            copy.prune(earlier, before, u32::MAX)?;
        }
        copy.prune(what, before, u32::MAX)
    }

    fn prune_notifications(&mut self, before: Ts, limit: usize) -> usize {
        let finished = self.notifications.values().filter(|n| n.processing_completed_at.is_some());
        let old = finished.filter(|n| n.received_at < before).map(|n| (n.received_at, n.id));
        let gone = oldest(old, limit);
        for id in &gone {
            if let Some(n) = self.notifications.remove(id) {
                self.deliveries.remove(&(n.subscription, n.notification_id));
            }
        }
        gone.len()
    }

    fn prune_subscriptions(&mut self, before: Ts, limit: usize) -> usize {
        let out_of_use = self.subscriptions.values().filter(|s| s.status != SubscriptionStatus::Active);
        let old = out_of_use.filter(|s| s.expires_at < before);
        let bare = old.filter(|s| self.notifications.values().all(|n| n.subscription != s.id));
        let gone = oldest(bare.map(|s| (s.expires_at, s.id)), limit);
        gone.iter().filter(|id| self.subscriptions.remove(id).is_some()).count()
    }
}

/// The keys of the oldest.
fn oldest<K: Ord>(all: impl Iterator<Item = (Ts, K)>, limit: usize) -> Vec<K> {
    let mut all: Vec<(Ts, K)> = all.collect();
    all.sort_unstable();
    all.into_iter().take(limit).map(|(_, key)| key).collect()
}
