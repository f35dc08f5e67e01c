//! What the database tells of how well it is: each figure is kept as things change, or counted along an index.

use std::collections::BTreeMap;

use calsync_core::calendar::ProviderKind;
use calsync_core::health::{
    BACKLOG_AGE, CALLS_JUDGED, CALLS_SHOWN, Calls, DAY, LateJob, OVERDUE_AFTER, Stored,
};
use calsync_core::ports::ErrorClass;
use calsync_core::run::CallStats;
use calsync_core::time::Ts;

use crate::{Engine, EngineError};

/// Calendars that are named at most.
const OVERDUE_NAMED: u32 = 20;

/// Rules that are named at most.
const BEHIND_NAMED: u32 = 20;

impl Engine {
    /// What is known of it now. `quota`: what a provider allows us as a whole in a minute, if it limits that; `late_jobs` only
    /// the scheduler knows.
    pub async fn health_figures(
        &self,
        quota: impl Fn(ProviderKind) -> Option<u64> + Send,
        late_jobs: Vec<LateJob>,
    ) -> Result<Stored, EngineError> {
        let now = self.clock.now();
        let flags = self.rollout().await?;
        let stats = self.store.call_stats(now.minus(CALLS_SHOWN)).await?;
        Ok(Stored {
            push_wanted: self.config.public_url.is_some() && flags.webhooks_enabled,
            subscriptions: self.store.subscription_metrics(now).await?,
            census: self.store.census().await?,
            notifications: self.store.notification_metrics(now.minus(DAY)).await?,
            waiting: self.store.backlog(now.minus(BACKLOG_AGE)).await?,
            calls: calls(&stats, now.minus(CALLS_JUDGED), quota),
            overdue: self.store.overdue(now.minus(OVERDUE_AFTER), now, OVERDUE_NAMED).await?,
            late_jobs,
            behind: self.store.rules_behind(now, BEHIND_NAMED).await?,
        })
    }
}

/// Minutes added up by provider.
fn calls(stats: &[CallStats], judged_from: Ts, quota: impl Fn(ProviderKind) -> Option<u64>) -> Vec<Calls> {
    let mut sums: BTreeMap<ProviderKind, (Calls, u64)> = BTreeMap::new();
    for minute in stats {
        let none = || Calls {
            provider: minute.provider,
            calls: 0,
            errors: 0,
            average_ms: 0,
            quota_percent: None,
            lately: 0,
            lately_failed: 0,
            lately_throttled: 0,
        };
        let (sum, micros) = sums.entry(minute.provider).or_insert_with(|| (none(), 0));
        sum.calls += minute.calls;
        sum.errors += minute.errors.values().sum::<u64>();
        *micros += minute.latency_sum_us;
        if let Some(share) = quota(minute.provider).and_then(|all| (minute.quota_used * 100).checked_div(all))
        {
            sum.quota_percent = Some(sum.quota_percent.unwrap_or(0).max(share));
        }
        if minute.minute >= judged_from {
            let of = |classes: &[ErrorClass]| -> u64 {
                classes.iter().filter_map(|class| minute.errors.get(class.as_str())).sum()
            };
            sum.lately += minute.calls;
            sum.lately_failed +=
                of(&[ErrorClass::Transient, ErrorClass::Ambiguous, ErrorClass::Misconfigured]);
            sum.lately_throttled += of(&[ErrorClass::RateLimited]);
        }
    }
    let all = sums.into_values();
    all.map(|(sum, micros)| Calls { average_ms: (micros / 1_000).checked_div(sum.calls).unwrap_or(0), ..sum })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_add_up_and_the_last_ones_are_judged() {
        let minute = |at: i64, calls, errors: &[(&str, u64)]| CallStats {
            provider: ProviderKind::Google,
            minute: Ts::from_secs(at),
            calls,
            errors: errors.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect(),
            latency_sum_us: calls * 20_000,
            latency_max_us: 50_000,
            quota_used: calls,
        };
        let stats = [
            minute(0, 100, &[("transient", 50), ("rate_limited", 1)]),
            minute(600, 10, &[("transient", 2), ("ambiguous", 1), ("rate_limited", 4), ("gone", 3)]),
            CallStats { provider: ProviderKind::Microsoft, ..minute(600, 5, &[]) },
        ];
        let quota = |provider| (provider == ProviderKind::Google).then_some(200);
        let expected = Calls {
            provider: ProviderKind::Google,
            calls: 110,
            errors: 61,
            average_ms: 20,
            quota_percent: Some(50),
            lately: 10,
            lately_failed: 3,
            lately_throttled: 4,
        };
        let sums = calls(&stats, Ts::from_secs(300), quota);
        assert_eq!(sums[0], expected);
        assert_eq!((sums.len(), sums[1].quota_percent, sums[1].lately), (2, None, 5));
    }
}
