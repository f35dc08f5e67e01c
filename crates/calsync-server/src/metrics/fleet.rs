//! What was seen of the whole fleet, on the page. It asks nobody: who calls has looked. What the database did not tell is left
//! out, never told as 0.

use calsync_core::alert::{AlertKind, AlertLevel, Group};
use calsync_core::calendar::ProviderKind;
use calsync_core::health::{Answer, Figures, Level, Report, Stored};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;

use super::catalogue as all;
use super::text::{Page, number};
use super::{PROVIDERS, between};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The figures of health.
    pub figures: Figures,
    /// What they mean.
    pub report: Report,
    /// What else the database told, if it did.
    pub fleet: Option<Fleet>,
}

/// What the page tells beside the figures of health.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The level that the system acts on.
    pub in_force: Level,
    /// Open alerts.
    pub alerts: Vec<Group>,
    /// When the oldest notification was received that nobody has finished.
    pub oldest: Option<Ts>,
}

const STATUSES: [SubscriptionStatus; 4] = [
    SubscriptionStatus::Active,
    SubscriptionStatus::Expired,
    SubscriptionStatus::Failed,
    SubscriptionStatus::Suspended,
];

/// Writes it.
pub(super) fn write(page: &mut Page, seen: &Seen, now: Ts) {
    let Seen { figures, report, fleet } = seen;
    let mut one = |metric, value: Option<f64>| page.gauge(metric, value.map(|value| (vec![], value)));
    let up = |answer: &Answer| f64::from(u8::from(answer.is_there()));
    let ms = |answer: &Answer| match answer {
        Answer::Answers { ms } => Some(number(*ms) / 1_000.0),
        Answer::Silent { .. } => None,
    };
    one(&all::DATABASE_UP, Some(up(&figures.database)));
    one(&all::DATABASE_SECONDS, ms(&figures.database));
    one(&all::CACHE_UP, figures.cache.as_ref().map(up));
    one(&all::DISK_FREE, figures.disk.map(|disk| number(disk.free)));
    one(&all::DISK_TOTAL, figures.disk.map(|disk| number(disk.total)));
    one(&all::MEMORY_FREE, figures.memory.map(|memory| number(memory.available)));
    one(&all::LEVEL, Some(level(report.level)));
    one(&all::LEVEL_IN_FORCE, fleet.as_ref().map(|fleet| level(fleet.in_force)));
    page.gauge(&all::CHECKS, report.findings.iter().map(|one| (vec![one.check], level(one.level))));
    if let Some(stored) = &figures.stored {
        write_stored(page, stored);
    }
    if let Some(fleet) = fleet {
        let oldest = fleet.oldest.map_or(0.0, |at| between(at, now).as_secs_f64());
        page.gauge(&all::OLDEST, [(vec![], oldest)]);
        write_alerts(page, &fleet.alerts);
    }
}

fn write_stored(page: &mut Page, stored: &Stored) {
    let (channels, day) = (&stored.subscriptions, &stored.notifications);
    for (metric, count) in [
        (&all::PENDING, day.pending),
        (&all::OVERDUE, stored.waiting),
        (&all::SUBSCRIPTIONS_HEALTHY, channels.healthy),
        (&all::SUBSCRIPTIONS_FAILING, channels.failing),
        (&all::SUBSCRIPTIONS_EXPIRING, channels.expiring),
        (&all::UNWATCHED, channels.unwatched),
    ] {
        page.gauge(metric, [(vec![], number(count))]);
    }
    let ended = [(vec!["completed"], number(day.completed)), (vec!["failed"], number(day.failed))];
    page.gauge(&all::DAY, ended);
    // Those that there are none of as well: a chart of what is absent is a chart of nothing.
    let of = |provider: ProviderKind, status: SubscriptionStatus| {
        let same = stored.census.iter().filter(|one| (one.provider, one.status) == (provider, status));
        let labels = vec![provider.as_str(), status.as_str()];
        (labels, number(same.map(|one| one.count).sum()))
    };
    let of_provider = |provider| STATUSES.into_iter().map(move |status| (provider, status));
    let each = PROVIDERS.into_iter().flat_map(of_provider);
    page.gauge(&all::SUBSCRIPTIONS, each.map(|(provider, status)| of(provider, status)));
    let quota = stored.calls.iter().filter_map(|calls| Some((calls.provider, calls.quota_percent?)));
    page.gauge(
        &all::QUOTA,
        quota.map(|(provider, percent)| (vec![provider.as_str()], number(percent) / 100.0)),
    );
}

/// Every kind at its usual level, so that a chart begins before its first alert; one that is louder or quieter besides. A kind that
/// this version does not know was opened by another one, which tells of it.
fn write_alerts(page: &mut Page, open: &[Group]) {
    let mut values: Vec<(AlertKind, AlertLevel, u64)> =
        AlertKind::ALL.into_iter().map(|kind| (kind, kind.level(), 0)).collect();
    for group in open {
        let Some(kind) = AlertKind::parse(&group.kind) else { continue };
        match values.iter_mut().find(|(known, level, _)| (*known, *level) == (kind, group.level)) {
            Some(value) => value.2 = group.count,
            None => values.push((kind, group.level, group.count)),
        }
    }
    let told = |(kind, level, count): &(AlertKind, AlertLevel, u64)| {
        (vec![kind.as_str(), level.as_str()], number(*count))
    };
    page.gauge(&all::ALERTS, values.iter().map(told));
}

fn level(level: Level) -> f64 {
    f64::from(level.number())
}
