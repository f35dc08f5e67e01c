//! `GET /monitoring`: how it is now. What the database can not tell is left out, and the rest is shown.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use calsync_core::health::{Answer as Asked, Calls, Disk, Memory};
use calsync_pages::chart::{Chart, Form, Series as Drawn, Unit};
use calsync_pages::monitoring::{Call, Fact, Figure, Finding, OpenAlert, Overview, Pill, Range};
use calsync_pages::words::{Times, count, milliseconds, span, thousands};
use calsync_pages::{Place, Tone};
use serde::Deserialize;
use tokio::time::timeout;

use super::super::answer::{self, Answer};
use super::super::times;
use super::watcher::Watcher;
use super::words;
use crate::http::Params;
use crate::monitoring::{self, Health, Series, System};
use crate::service::Service;

/// Charts and delays that the database has not told by then are left out.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an address asks for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    range: Option<String>,
}

/// `GET /monitoring`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Watcher(signed): Watcher,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let range = Range::named(wanted.range.as_deref());
    let times = times::of(&service, &signed).await;
    let health = monitoring::document(&service).await;
    let figures = figures(&service, &health).await;
    let charts = charts(&service, &health, range, &times).await;
    answer::page(&Overview {
        frame: signed.frame(Place::Monitoring),
        level: words::level(health.in_force.level),
        since: times.when(health.in_force.since),
        seen: Some(health.status).filter(|seen| *seen != health.in_force.level).map(words::level),
        checked: times.when(health.checked_at),
        findings: health
            .checks
            .iter()
            .map(|one| Finding {
                check: words::name(one.check),
                pill: words::level(one.level),
                says: one.says.clone(),
            })
            .collect(),
        alerts: health.alerts.iter().map(|one| open(one, &times)).collect(),
        recommendations: health.recommendations.clone(),
        figures,
        range,
        charts,
        calls: health.providers.iter().map(call).collect(),
        late_jobs: health
            .late_jobs
            .iter()
            .map(|job| {
                let seconds = u64::try_from(job.late_seconds).unwrap_or(0);
                (job.name.clone(), format!("{} late", span(seconds)))
            })
            .collect(),
        machine: machine(&health.system),
    })
}

fn open(one: &monitoring::OpenAlert, times: &Times) -> OpenAlert {
    OpenAlert {
        kind: one.kind.clone(),
        pill: words::loudness(one.level),
        count: if one.count > 1 { thousands(one.count) } else { String::new() },
        since: times.when(one.since),
        message: one.message.clone(),
        action: one.action.clone(),
    }
}

async fn figures(service: &Service, health: &Health) -> Vec<Figure> {
    let (Some(subscriptions), Some(notifications)) = (&health.subscriptions, &health.notifications) else {
        return Vec::new();
    };
    let metrics = &notifications.metrics;
    let ended = metrics.completed + metrics.failed;
    let share =
        |part, whole| words::percent(part, whole).map_or_else(|| "–".to_owned(), |n| format!("{n} %"));
    let mut figures = vec![
        Figure {
            name: "Notifications, 24 h",
            value: thousands(metrics.total),
            beside: format!("{} not finished", thousands(metrics.pending)),
        },
        Figure {
            name: "Processed successfully",
            value: share(metrics.completed, ended),
            beside: format!("{} failed", thousands(metrics.failed)),
        },
        Figure {
            name: "Mean processing time",
            value: if metrics.completed > 0 { milliseconds(metrics.average_ms) } else { "–".to_owned() },
            beside: format!("{} waited over 5 min", thousands(notifications.waiting)),
        },
        Figure {
            name: "Subscriptions healthy",
            value: share(subscriptions.healthy, subscriptions.wanted),
            beside: format!("of {} that should be active", thousands(subscriptions.wanted)),
        },
        Figure {
            name: "Failing subscriptions",
            value: thousands(subscriptions.failing),
            beside: format!("{} end within 24 h", thousands(subscriptions.expiring_within_24h)),
        },
    ];
    if let Ok(Ok(freshness)) = timeout(PATIENCE, monitoring::freshness(service)).await {
        let delay = freshness.delays.p95_ms.map_or_else(|| "–".to_owned(), milliseconds);
        let beside = if freshness.rules_behind == 0 {
            "no rule behind".to_owned()
        } else {
            format!("{} behind", count(freshness.rules_behind, "rule"))
        };
        figures.push(Figure { name: "Change to block, p95", value: delay, beside });
    }
    figures
}

async fn charts(service: &Service, health: &Health, range: Range, times: &Times) -> Vec<Chart> {
    if !health.system.database.is_there() {
        return Vec::new();
    }
    match timeout(PATIENCE, monitoring::series(service, range.place())).await {
        Ok(Ok(series)) => draw(&series, times),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the charts could not be filled");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(seconds = PATIENCE.as_secs(), "the charts took the database too long");
            Vec::new()
        }
    }
}

fn draw(series: &Series, times: &Times) -> Vec<Chart> {
    let of = |name, title, unit, form, values: &[Option<f64>]| {
        let (from, width) = (series.notifications.from, series.notifications.width);
        Chart::of(&Drawn { name, title, unit, form, from, width, values }, times)
    };
    let (from, width) = (series.health.from, series.health.width);
    let subscriptions = Drawn {
        name: "active",
        title: "Active subscriptions",
        unit: Unit::Count,
        form: Form::Line,
        from,
        width,
        values: &series.active,
    };
    vec![
        of("success", "Processed successfully", Unit::Percent, Form::Line, &series.success),
        of("took", "Mean processing time", Unit::Time, Form::Line, &series.took),
        of("received", "Notifications received", Unit::Count, Form::Bars, &series.received),
        Chart::of(&subscriptions, times),
    ]
}

fn call(one: &Calls) -> Call {
    Call {
        provider: one.provider.name(),
        calls: thousands(one.calls),
        errors: thousands(one.errors),
        some_failed: one.errors > 0,
        average: if one.calls > 0 { milliseconds(one.average_ms) } else { "–".to_owned() },
        quota: one.quota_percent.map_or_else(|| "no limit".to_owned(), |share| format!("{share} %")),
    }
}

fn machine(of: &System) -> Vec<Fact> {
    let fact = |name, says: String, pill| Fact { name, says, pill };
    let answers = |name, asked: &Asked| match asked {
        Asked::Answers { ms } => fact(name, format!("answers in {}", milliseconds(*ms)), None),
        Asked::Silent { why } => fact(name, why.clone(), Some(Pill::new(Tone::Bad, "does not answer"))),
    };
    let mut facts = vec![answers("Database", &of.database)];
    facts.push(match &of.cache {
        Some(cache) => answers("Cache", cache),
        None => fact("Cache", "no Redis is configured".to_owned(), None),
    });
    facts.push(match of.disk {
        Some(Disk { free, total }) => {
            fact("Disk", format!("{} of {} free", words::bytes(free), words::bytes(total)), None)
        }
        None => fact("Disk", "not known".to_owned(), None),
    });
    facts.push(match of.memory {
        Some(Memory { resident, available, total }) => {
            let (resident, available) = (words::bytes(resident), words::bytes(available));
            fact("Memory", format!("{resident} in use; {available} of {} left", words::bytes(total)), None)
        }
        None => fact("Memory", "not known".to_owned(), None),
    });
    facts
}
