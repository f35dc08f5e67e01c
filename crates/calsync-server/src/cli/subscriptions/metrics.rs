//! `manage-subscriptions metrics`: figures of channels, notifications and calls, as the store counts them.

use std::collections::BTreeMap;

use calsync_core::ports::{NotificationMetrics, SubscriptionCount, SubscriptionMetrics};
use calsync_core::subscription::{
    FAILING_FROM, NEGLECTED_AFTER, RENEWAL_BUFFER, Subscription, SubscriptionStatus,
};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::Serialize;

use super::Chosen;
use super::args::Whose;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};

/// Calls to one provider.
#[derive(Clone, Copy, Default, Serialize)]
struct Calls {
    calls: u64,
    errors: u64,
    average_ms: u64,
    latency_sum_us: u64,
}

#[derive(Serialize)]
struct Figures {
    counts: Vec<SubscriptionCount>,
    subscriptions: SubscriptionMetrics,
    /// Of the changes lately, told of by channels in use, in per cent.
    delivered: Option<u32>,
    /// Of all calendars: not counted by calendar.
    notifications_24h: Option<NotificationMetrics>,
    calls_1h: Option<BTreeMap<&'static str, Calls>>,
}

/// Runs it.
pub(super) async fn run(whose: &Whose, context: &Context) -> Result<Exit, Failure> {
    let store = context.store.as_ref();
    let now = context.now();
    let whole = whose.calendar.is_none() && whose.user.is_none();
    let figures = if whole {
        let counts = store.subscription_counts().await?;
        Figures {
            delivered: delivered(&counts),
            counts,
            subscriptions: store.subscription_metrics(now).await?,
            notifications_24h: Some(
                store.notification_metrics(now.minus(SignedDuration::from_hours(24))).await?,
            ),
            calls_1h: Some(calls(context, now).await?),
        }
    } else {
        let chosen = Chosen::of(whose, context).await?;
        let mut all = Vec::new();
        for (_, calendar) in chosen.calendars() {
            all.extend(store.subscriptions(calendar.id).await?);
        }
        let counts = count(&all);
        let (delivered, subscriptions) = (delivered(&counts), metrics(&all, now));
        Figures { counts, subscriptions, delivered, notifications_24h: None, calls_1h: None }
    };
    context.out.result(&words(&figures), &figures);
    Ok(Exit::Ok)
}

async fn calls(context: &Context, now: Ts) -> Result<BTreeMap<&'static str, Calls>, Failure> {
    let mut by_provider: BTreeMap<&'static str, Calls> = BTreeMap::new();
    for minute in context.store.call_stats(now.minus(SignedDuration::from_hours(1))).await? {
        let calls = by_provider.entry(minute.provider.as_str()).or_default();
        calls.calls += minute.calls;
        calls.errors += minute.errors.values().sum::<u64>();
        calls.latency_sum_us += minute.latency_sum_us;
        calls.average_ms = (calls.latency_sum_us / 1_000).checked_div(calls.calls).unwrap_or(0);
    }
    Ok(by_provider)
}

fn delivered(counts: &[SubscriptionCount]) -> Option<u32> {
    let active = counts.iter().filter(|c| c.status == SubscriptionStatus::Active);
    let (heard, missed) = active.fold((0, 0), |(h, m), c| (h + c.heard, m + c.missed));
    (heard * 100).checked_div(heard + missed).and_then(|n| u32::try_from(n).ok())
}

/// The same counts of a few.
fn count(all: &[Subscription]) -> Vec<SubscriptionCount> {
    let mut counts: BTreeMap<_, SubscriptionCount> = BTreeMap::new();
    for one in all {
        let (provider, status) = (one.provider, one.status);
        let none = SubscriptionCount { provider, status, count: 0, heard: 0, missed: 0 };
        let count = counts.entry((provider, status)).or_insert(none);
        count.count += 1;
        count.heard += u64::from(one.delivery.heard);
        count.missed += u64::from(one.delivery.missed);
    }
    counts.into_values().collect()
}

fn metrics(all: &[Subscription], now: Ts) -> SubscriptionMetrics {
    let of = |wanted: &dyn Fn(&Subscription) -> bool| {
        all.iter().filter(|s| s.status == SubscriptionStatus::Active && wanted(s)).count() as u64
    };
    SubscriptionMetrics {
        active: of(&|_| true),
        healthy: of(&|s| s.is_healthy(now, NEGLECTED_AFTER)),
        expiring: of(&|s| s.needs_renewal(now, RENEWAL_BUFFER)),
        late: of(&|s| s.is_late(now)),
        failing: of(&|s| s.failure_count >= FAILING_FROM),
        // Of a few, what has none is named by `health`.
        unwatched: 0,
    }
}

fn words(figures: &Figures) -> String {
    let s = &figures.subscriptions;
    let mut text = format!(
        "channels in use  {} ({} healthy, {} end within 24 h, {} failing)\n",
        s.active, s.healthy, s.expiring, s.failing
    );
    for count in &figures.counts {
        text.push_str(&format!(
            "  {:<10} {:<10} {}\n",
            count.provider.as_str(),
            count.status.as_str(),
            count.count
        ));
    }
    let share = figures
        .delivered
        .map_or_else(|| "nothing changed lately".to_owned(), |n| format!("{n} % of changes"));
    text.push_str(&format!("delivered        {share}\n"));
    if let Some(n) = &figures.notifications_24h {
        text.push_str(&format!(
            "notifications    {} in 24 h: {} completed in {} ms on average, {} failed, {} pending\n",
            n.total, n.completed, n.average_ms, n.failed, n.pending
        ));
    }
    for (provider, calls) in figures.calls_1h.iter().flatten() {
        text.push_str(&format!(
            "calls            {provider}: {} in 1 h, {} errors, {} ms on average\n",
            calls.calls, calls.errors, calls.average_ms
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::health::percent;
    use super::*;

    #[test]
    fn shares_are_of_channels_in_use_and_never_rounded_up() {
        use SubscriptionStatus::{Active, Suspended};
        use calsync_core::calendar::ProviderKind::{Google, Microsoft};
        let of =
            |provider, status, heard, missed| SubscriptionCount { provider, status, count: 1, heard, missed };
        assert_eq!(delivered(&[]), None);
        assert_eq!(delivered(&[of(Google, Suspended, 0, 9)]), None);
        assert_eq!(delivered(&[of(Google, Active, 0, 4)]), Some(0));
        let mixed = [of(Google, Active, 199, 0), of(Microsoft, Active, 0, 1), of(Google, Suspended, 0, 500)];
        assert_eq!(delivered(&mixed), Some(99));
        assert_eq!((percent(0.999), percent(1.0), percent(0.0)), (99, 100, 0));
    }
}
