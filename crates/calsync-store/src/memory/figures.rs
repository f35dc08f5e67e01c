//! Figures and logs in memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use calsync_core::calendar::{AccountStatus, Calendar};
use calsync_core::ids::CalendarId;
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::{
    AuditLine, HealthHour, NotificationMetrics, NotificationSpan, Recent, StoreError, SubscriptionCensus,
    SubscriptionMetrics,
};
use calsync_core::run::{CallStats, Run};
use calsync_core::subscription::{
    FAILING_FROM, NEGLECTED_AFTER, RENEWAL_BUFFER, Subscription, SubscriptionStatus,
};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::State;
use crate::tally::{Tally, begins, micros, minute};

impl State {
    pub(super) fn notifications(
        &self,
        status: ProcessingStatus,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError> {
        let mut found: Vec<_> = self.notifications.values().filter(|n| n.status == status).collect();
        found.sort_by_key(|n| (n.received_at, n.id));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }

    /// Those that are not finished.
    fn open(&self) -> impl Iterator<Item = &Notification> {
        self.open.iter().filter_map(|id| self.notifications.get(id)).filter(|n| is_open(n))
    }

    pub(super) fn retries_due(&self, now: Ts, limit: u32) -> Result<Vec<Notification>, StoreError> {
        let due = |n: &&Notification| n.next_retry_at.is_some_and(|at| at <= now);
        let mut found: Vec<_> = self.open().filter(due).collect();
        found.sort_by_key(|n| (n.next_retry_at, n.id));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }

    pub(super) fn backlog(&self, before: Ts) -> Result<u64, StoreError> {
        let open = self.open().filter(|n| n.received_at < before);
        Ok(open.count() as u64)
    }

    pub(super) fn notification_metrics(&self, since: Ts) -> Result<NotificationMetrics, StoreError> {
        let since = minute(since);
        let mut sum = Tally::default();
        self.tallies.range(since..).for_each(|(_, tally)| sum.add(tally));
        let open = self.open().filter(|n| n.received_at >= since);
        Ok(sum.metrics(open.count() as u64))
    }

    pub(super) fn subscription_metrics(&self, now: Ts) -> Result<SubscriptionMetrics, StoreError> {
        let mut metrics = SubscriptionMetrics::default();
        // Of the channels of a revoked account nobody hears anything, and none is missed.
        let is_read = |s: &&Subscription| {
            let calendar = self.calendars.get(&s.calendar).filter(|c| !c.missing);
            let account = calendar.and_then(|c| self.accounts.get(&c.account));
            account.is_some_and(|a| a.status == AccountStatus::Active)
        };
        let active = self.subscriptions.values().filter(|s| s.status == SubscriptionStatus::Active);
        for s in active.filter(is_read) {
            metrics.active += 1;
            metrics.healthy += u64::from(s.is_healthy(now, NEGLECTED_AFTER));
            metrics.expiring += u64::from(s.needs_renewal(now, RENEWAL_BUFFER));
            metrics.late = (metrics.late + u64::from(s.is_late(now))).min(1_000);
            metrics.failing += u64::from(s.failure_count >= FAILING_FROM);
        }
        // Who has just been let in has had no chance yet.
        let tried = |c: &&Calendar| c.watch_after > Ts::from_secs(0);
        metrics.unwatched = self.unwatched().filter(tried).count() as u64;
        Ok(metrics)
    }

    pub(super) fn census(&self) -> Result<Vec<SubscriptionCensus>, StoreError> {
        let mut counts = BTreeMap::new();
        for s in self.subscriptions.values() {
            *counts.entry((s.provider, s.status)).or_insert(0) += 1;
        }
        let one = |((provider, status), count)| SubscriptionCensus { provider, status, count };
        Ok(counts.into_iter().map(one).collect())
    }

    pub(super) fn notification_spans(
        &self,
        since: Ts,
        width: SignedDuration,
    ) -> Result<Vec<NotificationSpan>, StoreError> {
        let width = micros(width);
        let mut spans: BTreeMap<Ts, Tally> = BTreeMap::new();
        for (minute, tally) in self.tallies.range(begins(since, width)..) {
            spans.entry(begins(*minute, width)).or_default().add(tally);
        }
        Ok(spans.into_iter().map(|(from, tally)| tally.of_span(from)).collect())
    }

    pub(super) fn recent(&self, since: Ts, limit: u32) -> Result<Vec<Recent>, StoreError> {
        let mut found: Vec<_> = self.notifications.values().filter(|n| n.received_at >= since).collect();
        found.sort_by_key(|n| Reverse((n.received_at, n.id)));
        let recent = |n: &Notification| {
            let channel = self.subscriptions.get(&n.subscription)?;
            Some(Recent {
                id: n.id,
                calendar: channel.calendar,
                provider: channel.provider,
                received_at: n.received_at,
                status: n.status,
                took_ms: n.processing_time_ms,
                error: n.error_message.clone(),
            })
        };
        Ok(found.into_iter().filter_map(recent).take(limit as usize).collect())
    }

    pub(super) fn put_health_hour(&mut self, hour: &HealthHour) -> Result<(), StoreError> {
        let known = self.health_hours.entry(hour.hour).or_insert(*hour);
        *known = HealthHour { worst: known.worst.max(hour.worst), ..*hour };
        Ok(())
    }

    pub(super) fn health_spans(
        &self,
        since: Ts,
        width: SignedDuration,
    ) -> Result<Vec<HealthHour>, StoreError> {
        let width = micros(width);
        let mut spans: BTreeMap<Ts, HealthHour> = BTreeMap::new();
        for hour in self.health_hours.range(begins(since, width)..).map(|(_, hour)| hour) {
            let from = begins(hour.hour, width);
            let span = spans.entry(from).or_insert(HealthHour { hour: from, ..*hour });
            span.active = span.active.min(hour.active);
            span.healthy = span.healthy.min(hour.healthy);
            span.worst = span.worst.max(hour.worst);
        }
        Ok(spans.into_values().collect())
    }

    pub(super) fn runs(&self, calendar: Option<CalendarId>, limit: u32) -> Result<Vec<Run>, StoreError> {
        let mut found: Vec<_> =
            self.runs.values().filter(|r| calendar.is_none_or(|c| c == r.calendar)).collect();
        found.sort_by_key(|r| Reverse((r.started_at, r.id)));
        Ok(found.into_iter().take(limit as usize).cloned().collect())
    }

    pub(super) fn add_call_stats(&mut self, stats: &[CallStats]) -> Result<(), StoreError> {
        for new in stats {
            let empty = || CallStats {
                calls: 0,
                errors: Default::default(),
                latency_sum_us: 0,
                latency_max_us: 0,
                quota_used: 0,
                ..new.clone()
            };
            let sum = self.call_stats.entry((new.provider, new.minute)).or_insert_with(empty);
            sum.calls += new.calls;
            sum.latency_sum_us += new.latency_sum_us;
            sum.latency_max_us = sum.latency_max_us.max(new.latency_max_us);
            sum.quota_used += new.quota_used;
            for (class, count) in &new.errors {
                *sum.errors.entry(class.clone()).or_default() += count;
            }
        }
        Ok(())
    }

    pub(super) fn call_stats(&self, since: Ts) -> Result<Vec<CallStats>, StoreError> {
        Ok(self.call_stats.values().filter(|s| s.minute >= since).cloned().collect())
    }

    pub(super) fn audited(&self, about: &str, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let mut lines: Vec<AuditLine> = self
            .audit
            .iter()
            .filter(|(_, _, what)| what.starts_with(about))
            .map(|(at, who, what)| AuditLine { at: *at, who: who.clone(), what: what.clone() })
            .collect();
        // Stable: of two of one moment the later one is the newer one.
        lines.reverse();
        lines.sort_by_key(|line| std::cmp::Reverse(line.at));
        lines.truncate(limit as usize);
        Ok(lines)
    }

    pub(super) fn audit(&mut self, who: &str, what: &str, at: Ts) -> Result<(), StoreError> {
        self.audit.push((at, who.to_owned(), what.to_owned()));
        Ok(())
    }
}

fn is_open(n: &Notification) -> bool {
    !matches!(n.status, ProcessingStatus::Completed | ProcessingStatus::Failed)
}
