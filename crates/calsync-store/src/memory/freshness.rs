//! How fresh rules are, in memory.

use std::collections::BTreeSet;

use calsync_core::delivery::Unannounced;
use calsync_core::freshness::{Delays, Freshness, RuleDelay};
use calsync_core::ids::{RuleId, UserId};
use calsync_core::ports::{Awaited, Lease, StepEnd, StoreError};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;

use super::State;
use crate::rows::delays_kept_from;

impl State {
    pub(super) fn end_step(&mut self, lease: &Lease, end: &StepEnd) -> Result<(), StoreError> {
        self.release(lease, &end.next)?;
        for Awaited { subscription, since } in &end.awaited {
            let channel = self.subscriptions.get_mut(subscription);
            if let Some(channel) = channel.filter(|s| s.status == SubscriptionStatus::Active) {
                let awaited = Unannounced { found_at: *since, changes: 1 };
                channel.delivery.unannounced.get_or_insert(awaited);
            }
        }
        for rule in &end.rules {
            let user = |id| self.calendars.get(id).map(|c| c.user);
            let source = user(&rule.source);
            if source.is_some() && source == user(&rule.target) {
                self.freshness.insert(rule.rule, *rule);
            }
        }
        for rule in &end.gone {
            self.freshness.remove(rule);
            self.rule_delays.retain(|(of, ..), _| of != rule);
        }
        if let Some(from) = delays_kept_from(&end.delays) {
            let rules: BTreeSet<RuleId> = end.delays.iter().map(|delay| delay.rule).collect();
            self.rule_delays.retain(|(rule, hour, _), _| *hour >= from || !rules.contains(rule));
        }
        for RuleDelay { hour, bucket, rule, count } in &end.delays {
            if self.freshness.contains_key(rule) {
                *self.rule_delays.entry((*rule, *hour, *bucket)).or_default() += count;
            }
            *self.delays.entry((*hour, *bucket)).or_default() += count;
        }
        Ok(())
    }

    pub(super) fn freshness(&self, user: UserId) -> Result<Vec<Freshness>, StoreError> {
        let theirs = |f: &&Freshness| self.calendars.get(&f.source).is_some_and(|c| c.user == user);
        Ok(self.freshness.values().filter(theirs).copied().collect())
    }

    pub(super) fn rules_behind(&self, now: Ts, limit: u32) -> Result<Vec<Freshness>, StoreError> {
        let mut behind: Vec<Freshness> =
            self.freshness.values().filter(|f| f.is_behind(now)).copied().collect();
        behind.sort_by_key(|f| (f.promised_until, f.rule));
        behind.truncate(limit as usize);
        Ok(behind)
    }

    pub(super) fn count_behind(&self, now: Ts) -> Result<u64, StoreError> {
        Ok(self.freshness.values().filter(|f| f.is_behind(now)).count() as u64)
    }

    pub(super) fn rule_delays(&self, user: UserId, since: Ts) -> Result<Vec<RuleDelay>, StoreError> {
        let theirs: BTreeSet<RuleId> = self.freshness(user)?.into_iter().map(|f| f.rule).collect();
        let delays =
            self.rule_delays.iter().filter(|((rule, hour, _), _)| theirs.contains(rule) && *hour >= since);
        let mut delays: Vec<RuleDelay> = delays
            .map(|((rule, hour, bucket), count)| RuleDelay {
                hour: *hour,
                bucket: *bucket,
                rule: *rule,
                count: *count,
            })
            .collect();
        delays.sort_unstable();
        Ok(delays)
    }

    pub(super) fn delays(&self, since: Ts) -> Result<Delays, StoreError> {
        Ok(self.delays.range((since, 0)..).map(|((_, bucket), count)| (*bucket, *count)).collect())
    }
}
