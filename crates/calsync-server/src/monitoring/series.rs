//! What the charts show: notifications and subscriptions over a day, a week or a month, each in so many stretches that a chart
//! can hold them. A month is added up by the database.

use calsync_core::ports::{HealthHour, NotificationMetrics, NotificationSpan, StoreError};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::share;
use crate::service::Service;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Stretches of equal width up to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretches {
    /// When the first one begins.
    pub(crate) from: Ts,
    /// How wide they are.
    pub(crate) width: SignedDuration,
    count: usize,
}

impl Stretches {
    /// So many, the last of which holds `now`. They are counted from 1970, as the store does.
    fn up_to(now: Ts, width: SignedDuration, count: usize) -> Stretches {
        let micros = i64::try_from(width.as_micros()).unwrap_or(i64::MAX);
        let last = now.micros() - now.micros().rem_euclid(micros);
        let before = micros.saturating_mul(i64::try_from(count.saturating_sub(1)).unwrap_or(i64::MAX));
        Stretches { from: Ts::from_micros(last.saturating_sub(before)), width, count }
    }

    /// A value for each.
    fn values<T>(
        &self,
        all: &[T],
        begins: impl Fn(&T) -> Ts,
        value: impl Fn(Option<&T>) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        let micros = i64::try_from(self.width.as_micros()).unwrap_or(i64::MAX);
        let nth = |n: usize| self.from.micros().saturating_add(micros * i64::try_from(n).unwrap_or(0));
        let mut at = 0;
        let one = |n| {
            while all.get(at).is_some_and(|one| begins(one).micros() < nth(n)) {
                at += 1;
            }
            value(all.get(at).filter(|one| begins(one).micros() == nth(n)))
        };
        (0..self.count).map(one).collect()
    }
}

/// What the charts show.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Series {
    /// Notifications.
    pub(crate) notifications: Stretches,
    /// In per cent of those that ended.
    pub(crate) success: Vec<Option<f64>>,
    /// Mean, in milliseconds.
    pub(crate) took: Vec<Option<f64>>,
    /// How many were received.
    pub(crate) received: Vec<Option<f64>>,
    /// Levels and subscriptions are noted by the hour.
    pub(crate) health: Stretches,
    /// Active subscriptions.
    pub(crate) active: Vec<Option<f64>>,
}

/// Widths and counts of a day, a week and a month: 170 values at most.
const fn widths(range: usize) -> ((i64, usize), (i64, usize)) {
    match range {
        0 => ((10, 144), (60, 24)),
        1 => ((60, 168), (60, 168)),
        _ => ((360, 120), (360, 120)),
    }
}

/// Reads them. `range` is a place in `calsync_pages::monitoring::RANGES`.
pub(crate) async fn series(service: &Service, range: usize) -> Result<Series, StoreError> {
    let now = service.clock.now();
    let ((minutes, count), (health_minutes, health_count)) = widths(range);
    let stretches = Stretches::up_to(now, SignedDuration::from_mins(minutes), count);
    let health = Stretches::up_to(now, SignedDuration::from_mins(health_minutes).max(HOUR), health_count);
    let (spans, hours) = tokio::try_join!(
        service.store.notification_spans(stretches.from, stretches.width),
        service.store.health_spans(health.from, health.width)
    )?;
    Ok(drawn(stretches, &spans, health, &hours))
}

fn drawn(
    stretches: Stretches,
    spans: &[NotificationSpan],
    health: Stretches,
    hours: &[HealthHour],
) -> Series {
    let of = |value: fn(Option<&NotificationMetrics>) -> Option<f64>| {
        stretches.values(spans, |span| span.from, |span| value(span.map(|span| &span.metrics)))
    };
    Series {
        notifications: stretches,
        success: of(|m| {
            m.filter(|m| m.completed + m.failed > 0).map(|m| share(m.completed, m.completed + m.failed))
        }),
        took: of(|m| m.filter(|m| m.completed > 0).map(|m| number(m.average_ms))),
        received: of(|m| Some(m.map_or(0.0, |m| number(m.total)))),
        health,
        active: health.values(hours, |hour| hour.hour, |hour| hour.map(|hour| number(hour.active))),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure of a chart")]
fn number(of: u64) -> f64 {
    of as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_has_its_place() {
        let now = Ts::from_secs(1_795_392_000 + 3_700);
        let hour = |n: i64| Ts::from_secs(1_795_392_000 + 3_600 * n);
        let stretches = Stretches::up_to(now, HOUR, 4);
        assert_eq!(stretches.from, hour(-2));
        let metrics =
            NotificationMetrics { total: 9, completed: 2, failed: 1, average_ms: 7, ..Default::default() };
        let spans = [
            NotificationSpan { from: hour(-3), metrics },
            NotificationSpan { from: hour(-1), metrics },
            NotificationSpan {
                from: hour(0),
                metrics: NotificationMetrics { total: 3, ..Default::default() },
            },
        ];
        let hours = [HealthHour { hour: hour(1), active: 5, healthy: 4, worst: 2 }];
        let series = drawn(stretches, &spans, stretches, &hours);
        assert_eq!(series.received, [Some(0.0), Some(9.0), Some(3.0), Some(0.0)]);
        assert_eq!(series.success, [None, Some(66.7), None, None]);
        assert_eq!(series.took, [None, Some(7.0), None, None]);
        assert_eq!(series.active, [None, None, None, Some(5.0)]);
    }

    #[test]
    fn a_chart_holds_what_it_is_given_and_the_last_stretch_is_now() {
        let now = Ts::from_secs(1_795_400_123);
        for (range, hours) in [(0, 24), (1, 168), (2, 720)] {
            let (notifications, health) = widths(range);
            for (minutes, count) in [notifications, health] {
                let width = SignedDuration::from_mins(minutes);
                let stretches = Stretches::up_to(now, width, count);
                assert!(
                    count <= 170
                        && width * i32::try_from(count).unwrap() == SignedDuration::from_hours(hours)
                );
                let end = stretches.from.plus(width * i32::try_from(count).unwrap());
                assert!(now < end && now.plus(width) >= end);
            }
        }
    }
}
