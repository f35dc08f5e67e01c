//! Alerts, what people were told of them, and the messages on their way, in memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use calsync_core::alert::{Alert, Claimed, Delivery, DeliveryState, Group, Told};
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::State;

impl State {
    fn open_alert_mut(&mut self, kind: &str, subject: &str) -> Option<&mut Alert> {
        self.alerts.iter_mut().find(|a| a.resolved_at.is_none() && a.kind == kind && a.subject == subject)
    }

    pub(super) fn open_alert(&mut self, alert: &Alert) -> Result<bool, StoreError> {
        let Some(open) = self.open_alert_mut(&alert.kind, &alert.subject) else {
            self.alerts.push(Alert { resolved_at: None, ..alert.clone() });
            return Ok(true);
        };
        open.level = alert.level;
        open.message = alert.message.clone();
        open.action = alert.action.clone();
        open.last_seen = open.last_seen.max(alert.last_seen);
        Ok(false)
    }

    pub(super) fn resolve_alert(&mut self, kind: &str, subject: &str, now: Ts) -> Result<bool, StoreError> {
        let open = self.open_alert_mut(kind, subject);
        Ok(open.map(|alert| alert.resolved_at = Some(now)).is_some())
    }

    pub(super) fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        Ok(self.alerts(u32::MAX)?.into_iter().filter(|alert| alert.resolved_at.is_none()).collect())
    }

    pub(super) fn alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let mut all: Vec<_> = self.alerts.iter().enumerate().collect();
        all.sort_by_key(|(at, alert)| Reverse((alert.first_seen, *at)));
        Ok(all.into_iter().take(limit as usize).map(|(_, alert)| alert.clone()).collect())
    }

    pub(super) fn alert_groups(&self) -> Result<Vec<Group>, StoreError> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for alert in self.alerts.iter().filter(|alert| alert.resolved_at.is_none()) {
            let none = || Group {
                kind: alert.kind.clone(),
                count: 0,
                level: alert.level,
                first_seen: alert.first_seen,
                subject: String::new(),
                message: String::new(),
                action: String::new(),
            };
            let group = groups.entry(&alert.kind).or_insert_with(none);
            group.count += 1;
            group.first_seen = group.first_seen.min(alert.first_seen);
            if alert.level >= group.level {
                group.level = alert.level;
                group.subject = alert.subject.clone();
                group.message = alert.message.clone();
                group.action = alert.action.clone();
            }
        }
        Ok(groups.into_values().collect())
    }

    pub(super) fn tellings(&self) -> Result<Vec<Told>, StoreError> {
        Ok(self.tellings.values().cloned().collect())
    }

    pub(super) fn tell(&mut self, told: &Told, deliveries: &[Delivery]) -> Result<bool, StoreError> {
        if self.tellings.get(&told.kind).map_or(0, |known| known.version) != told.version {
            return Ok(false);
        }
        self.tellings.insert(told.kind.clone(), Told { version: told.version + 1, ..told.clone() });
        self.alert_deliveries.extend(deliveries.iter().map(|delivery| (delivery.id, delivery.clone())));
        Ok(true)
    }

    pub(super) fn claim_deliveries(&mut self, now: Ts, until: Ts, limit: u32) -> Result<Claimed, StoreError> {
        let all = self.alert_deliveries.values_mut();
        let mut due: Vec<_> = all.filter(|d| d.next_try_at.is_some_and(|at| at <= now)).collect();
        due.sort_by_key(|d| (d.next_try_at, d.id));
        let taken = due.into_iter().take(limit as usize).map(|delivery| {
            delivery.next_try_at = Some(until);
            delivery.clone()
        });
        let mut deliveries: Vec<_> = taken.collect();
        deliveries.sort_by_key(|delivery| (delivery.message.at, delivery.id));
        Ok(Claimed { deliveries, unreadable: 0 })
    }

    pub(super) fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let known = self.alert_deliveries.get_mut(&delivery.id);
        if let Some(known) = known.filter(|known| known.state == DeliveryState::Pending) {
            *known = Delivery {
                message: known.message.clone(),
                channel: known.channel.clone(),
                ..delivery.clone()
            };
        }
        Ok(())
    }

    pub(super) fn deliveries(&self, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let mut all: Vec<_> = self.alert_deliveries.values().collect();
        all.sort_by_key(|d| Reverse((d.message.at, d.id)));
        Ok(all.into_iter().take(limit as usize).cloned().collect())
    }
}
