//! What operators may see, read in one place for programs and for people: the whole health document, and the figures of the
//! dashboard. It decides nothing: how well it is says `core::health`.

mod series;

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::alert::AlertLevel;
use calsync_core::calendar::ProviderKind;
use calsync_core::freshness::Quantiles;
use calsync_core::health::{
    Answer, Calls, Disk, Figures, Finding, LateJob, Level, Memory, Report, Stored, assess,
};
use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::{HealthHour, NotificationMetrics, NotificationSpan, Recent, StoreError};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;
use calsync_engine::EngineError;
use jiff::SignedDuration;
use serde::Serialize;

use crate::service::Service;
pub(crate) use series::{Series, series};

/// Notifications that are shown.
const RECENT: u32 = 10;
const RECENT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Hours that are shown.
const SERIES: SignedDuration = SignedDuration::from_hours(23);
const WIDTH: SignedDuration = SignedDuration::from_hours(1);
const HOUR: i64 = 3_600_000_000;

/// The whole health document.
#[derive(Serialize)]
pub(crate) struct Health {
    pub(crate) status: Level,
    pub(crate) checked_at: Ts,
    pub(crate) in_force: InForce,
    pub(crate) checks: Vec<Finding>,
    pub(crate) alerts: Vec<OpenAlert>,
    pub(crate) recommendations: Vec<String>,
    pub(crate) subscriptions: Option<Subscriptions>,
    pub(crate) notifications: Option<Notifications>,
    pub(crate) providers: Vec<Calls>,
    pub(crate) late_jobs: Vec<LateJob>,
    pub(crate) system: System,
}

/// The level that the system acts on, which follows with a delay.
#[derive(Serialize)]
pub(crate) struct InForce {
    pub(crate) level: Level,
    pub(crate) since: Ts,
}

/// What is open of one kind.
#[derive(Serialize)]
pub(crate) struct OpenAlert {
    pub(crate) kind: String,
    pub(crate) level: AlertLevel,
    pub(crate) count: u64,
    pub(crate) since: Ts,
    pub(crate) message: String,
    pub(crate) action: String,
}

/// Notifications of the last 24 hours.
#[derive(Serialize)]
pub(crate) struct Notifications {
    #[serde(flatten)]
    pub(crate) metrics: NotificationMetrics,
    /// Those that have waited for more than five minutes.
    pub(crate) waiting: u64,
}

/// What this instance runs on and depends on.
#[derive(Serialize)]
pub(crate) struct System {
    pub(crate) database: Answer,
    pub(crate) cache: Option<Answer>,
    pub(crate) disk: Option<Disk>,
    pub(crate) memory: Option<Memory>,
}

/// What is known of subscriptions, as spec §8 names it.
#[derive(Serialize)]
pub(crate) struct Subscriptions {
    pub(crate) total: u64,
    pub(crate) active: u64,
    /// Those that should be active.
    pub(crate) wanted: u64,
    pub(crate) healthy: u64,
    pub(crate) expiring_within_24h: u64,
    pub(crate) failing: u64,
    pub(crate) failed: u64,
    pub(crate) inactive: u64,
    pub(crate) unwatched_calendars: u64,
}

/// The dashboard's figures.
#[derive(Serialize)]
pub(crate) struct Dashboard {
    pub(crate) health: Health,
    pub(crate) recent_notifications: Vec<Recent>,
    /// One entry for each of the last 24 hours, the oldest first.
    pub(crate) hours: Vec<Hour>,
    pub(crate) by_provider: BTreeMap<ProviderKind, u64>,
    pub(crate) by_status: BTreeMap<SubscriptionStatus, u64>,
    pub(crate) by_processing_status: BTreeMap<ProcessingStatus, u64>,
    pub(crate) freshness: Freshness,
}

/// How fresh blocks are, over all rules.
#[derive(Serialize)]
pub(crate) struct Freshness {
    /// How long the changes of the last day took, from their provider to the last block.
    #[serde(flatten)]
    pub(crate) delays: Quantiles,
    /// Rules whose promise has passed.
    pub(crate) rules_behind: u64,
}

/// One hour.
#[derive(PartialEq, Debug, Serialize)]
pub(crate) struct Hour {
    pub(crate) hour: Ts,
    pub(crate) notifications: u64,
    /// In per cent of those that ended; none, if none ended.
    pub(crate) success_rate: Option<f64>,
    pub(crate) average_ms: Option<u64>,
    /// Active subscriptions at its end; none, if nobody looked.
    pub(crate) subscriptions: Option<u64>,
    pub(crate) worst: Option<u8>,
}

/// The whole health document, as it is now. It is there even when the database is not.
pub(crate) async fn document(service: &Arc<Service>) -> Health {
    let figures = service.figures().await;
    let Report { level: status, findings, conditions, recommendations, .. } = assess(&figures);
    let now = service.clock.now();
    let known = if figures.database.is_there() { kept(service).await.ok() } else { None };
    // Without the database: what is wrong is what is seen.
    let (in_force, alerts) = known.unwrap_or_else(|| {
        let seen = conditions.into_iter().map(|c| OpenAlert {
            kind: c.kind.as_str().to_owned(),
            level: c.level,
            count: 1,
            since: now,
            message: c.message,
            action: c.action,
        });
        (InForce { level: status, since: now }, seen.collect())
    });
    let Figures { database, cache, disk, memory, stored, .. } = figures;
    let mut health = Health {
        status,
        checked_at: now,
        in_force,
        checks: findings,
        alerts,
        recommendations,
        subscriptions: None,
        notifications: None,
        providers: vec![],
        late_jobs: vec![],
        system: System { database, cache, disk, memory },
    };
    if let Some(stored) = stored {
        health.subscriptions = Some(subscriptions(&stored));
        health.notifications = Some(Notifications { metrics: stored.notifications, waiting: stored.waiting });
        health.providers = stored.calls;
        health.late_jobs = stored.late_jobs;
    }
    health
}

/// What is kept from look to look: the level in force, and what is open.
async fn kept(service: &Service) -> Result<(InForce, Vec<OpenAlert>), EngineError> {
    let level = service.engine.watch_state().await?.level;
    let groups = service.store.alert_groups().await?;
    let open = groups.into_iter().map(|group| OpenAlert {
        kind: group.kind,
        level: group.level,
        count: group.count,
        since: group.first_seen,
        message: group.message,
        action: group.action,
    });
    Ok((InForce { level: level.level, since: level.since }, open.collect()))
}

fn subscriptions(stored: &Stored) -> Subscriptions {
    let of = |status| stored.census.iter().filter(|c| c.status == status).map(|c| c.count).sum::<u64>();
    let total: u64 = stored.census.iter().map(|one| one.count).sum();
    let metrics = &stored.subscriptions;
    Subscriptions {
        total,
        active: metrics.active,
        wanted: stored.channels_wanted(),
        healthy: metrics.healthy,
        expiring_within_24h: metrics.expiring,
        failing: metrics.failing,
        failed: of(SubscriptionStatus::Failed),
        inactive: total.saturating_sub(metrics.active),
        unwatched_calendars: metrics.unwatched,
    }
}

pub(crate) async fn dashboard(service: &Arc<Service>) -> Result<Dashboard, EngineError> {
    let now = service.clock.now();
    let since = Ts::from_micros(
        (now.micros() - now.micros().rem_euclid(HOUR)).saturating_sub(SERIES.as_secs() * 1_000_000),
    );
    let store = &service.store;
    let census = store.census().await?;
    let mut by_provider = BTreeMap::new();
    let mut by_status = BTreeMap::new();
    for one in &census {
        *by_provider.entry(one.provider).or_default() += one.count;
        *by_status.entry(one.status).or_default() += one.count;
    }
    let notifications = store.notification_spans(since, WIDTH).await?;
    let seen = store.health_spans(since, WIDTH).await?;
    let day = store.notification_metrics(now.minus(calsync_core::health::DAY)).await?;
    let by_processing_status = BTreeMap::from([
        (ProcessingStatus::Completed, day.completed),
        (ProcessingStatus::Failed, day.failed),
        (ProcessingStatus::Pending, day.pending),
    ]);
    Ok(Dashboard {
        health: document(service).await,
        recent_notifications: store.recent(now.minus(RECENT_WITHIN), RECENT).await?,
        hours: hours(since, &notifications, &seen),
        by_provider,
        by_status,
        by_processing_status,
        freshness: freshness(service).await?,
    })
}

/// How fresh blocks are, over all rules.
pub(crate) async fn freshness(service: &Service) -> Result<Freshness, StoreError> {
    let now = service.clock.now();
    Ok(Freshness {
        delays: service.store.delays(now.minus(calsync_core::freshness::DAY)).await?.quantiles(),
        rules_behind: service.store.count_behind(now).await?,
    })
}

/// Every hour has its place, the quiet ones too.
fn hours(since: Ts, notifications: &[NotificationSpan], seen: &[HealthHour]) -> Vec<Hour> {
    let hour = |n: i64| {
        let hour = Ts::from_micros(since.micros() + n * HOUR);
        let metrics = notifications.iter().find(|one| one.from == hour).map(|one| one.metrics);
        let ended = metrics.map_or(0, |m| m.completed + m.failed);
        let seen = seen.iter().find(|one| one.hour == hour);
        Hour {
            hour,
            notifications: metrics.map_or(0, |m| m.total),
            success_rate: metrics.filter(|_| ended > 0).map(|m| share(m.completed, ended)),
            average_ms: metrics.filter(|m| m.completed > 0).map(|m| m.average_ms),
            subscriptions: seen.map(|one| one.active),
            worst: seen.map(|one| one.worst),
        }
    };
    (0..24).map(hour).collect()
}

/// In per cent, to one decimal.
#[allow(clippy::cast_precision_loss, reason = "a share of a day's notifications, for a chart")]
fn share(part: u64, whole: u64) -> f64 {
    (part as f64 * 1_000.0 / whole as f64).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_has_its_place() {
        let since = Ts::from_micros(500_000 * HOUR);
        let at = |n| Ts::from_micros(since.micros() + n * HOUR);
        let metrics =
            NotificationMetrics { total: 9, completed: 2, failed: 1, average_ms: 7, ..Default::default() };
        let notifications = [NotificationSpan { from: at(3), metrics }];
        let seen = [HealthHour { hour: at(23), active: 5, healthy: 4, worst: 2 }];
        let all = hours(since, &notifications, &seen);
        assert_eq!((all.len(), all[0].hour, all[23].hour), (24, since, at(23)));
        assert_eq!((all[3].notifications, all[3].success_rate, all[3].average_ms), (9, Some(66.7), Some(7)));
        assert_eq!((all[4].notifications, all[4].success_rate, all[4].subscriptions), (0, None, None));
        assert_eq!((all[23].subscriptions, all[23].worst), (Some(5), Some(2)));
    }
}
