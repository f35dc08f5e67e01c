//! `manage-subscriptions health`: a line per channel, the verdict of the engine, and an exit code that scripts can go by.

use calsync_core::calendar::ProviderKind;
use calsync_core::schedule::Method;
use calsync_core::time::Ts;
use calsync_engine::{ChannelHealth, Verdict};
use serde::Serialize;

use super::Chosen;
use super::args::Whose;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::out::Progress;
use crate::service::Service;

#[derive(Serialize)]
struct Row {
    calendar: String,
    name: String,
    user: String,
    provider: Option<&'static str>,
    subscription: Option<String>,
    status: Option<&'static str>,
    expires_at: Option<Ts>,
    last_notification_at: Option<Ts>,
    failures: Option<u32>,
    /// Of the changes lately, in per cent.
    delivered: Option<u32>,
    missed: Option<u32>,
    method: &'static str,
    verdict: Verdict,
    why: String,
}

/// Runs it.
pub(super) async fn run(whose: &Whose, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let chosen = Chosen::of(whose, context).await?;
    let progress = Progress::start(context.out, "People looked at", chosen.states.len() as u64);
    let mut all = Vec::new();
    for state in &chosen.states {
        all.extend(service.engine.channel_health(state).await?);
        progress.step(1);
    }
    drop(progress);
    all.retain(|one| chosen.only.as_ref().is_none_or(|only| only.id == one.calendar));
    let rows: Vec<Row> = all.iter().map(row).collect();
    let wrong = rows.iter().filter(|row| row.verdict == Verdict::Unhealthy).count();
    let header = [
        "CALENDAR",
        "USER",
        "NAME",
        "PROVIDER",
        "STATUS",
        "ENDS",
        "LAST HEARD",
        "FAILURES",
        "DELIVERED",
        "MISSED",
        "METHOD",
        "VERDICT",
        "WHY",
    ];
    context.out.rows(&header, &rows, cells, "no enabled calendars: calendar-sync calendars enable");
    Ok(if wrong == 0 { Exit::Ok } else { Exit::Failed })
}

fn row(one: &ChannelHealth) -> Row {
    let channel = one.subscription.as_ref();
    Row {
        calendar: one.calendar.to_string(),
        name: one.name.clone(),
        user: one.user.clone(),
        provider: one.provider.map(ProviderKind::as_str),
        subscription: channel.map(|s| s.id.to_string()),
        status: channel.map(|s| s.status.as_str()),
        expires_at: channel.map(|s| s.expires_at),
        last_notification_at: channel.and_then(|s| s.last_notification_at),
        failures: channel.map(|s| s.failure_count),
        delivered: channel.map(|s| percent(s.delivery.ratio())),
        missed: channel.map(|s| s.delivery.missed),
        method: method(one.method),
        verdict: one.verdict,
        why: one.why.clone(),
    }
}

fn cells(row: &Row) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let minute =
        |at: Option<Ts>| text(at.map(|at| at.to_string().chars().take(16).collect::<String>() + "Z"));
    let verdict = match row.verdict {
        Verdict::Healthy => "healthy",
        Verdict::Polled => "polled",
        Verdict::Unhealthy => "unhealthy",
    };
    vec![
        row.calendar.clone(),
        row.user.clone(),
        row.name.clone(),
        text(row.provider.map(str::to_owned)),
        text(row.status.map(str::to_owned)),
        minute(row.expires_at),
        minute(row.last_notification_at),
        text(row.failures.map(|n| n.to_string())),
        text(row.delivered.map(|n| format!("{n} %"))),
        text(row.missed.map(|n| n.to_string())),
        row.method.to_owned(),
        verdict.to_owned(),
        row.why.clone(),
    ]
}

/// Whole per cents, never rounded up to all.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 100")]
pub(super) fn percent(share: f64) -> u32 {
    (share * 100.0).floor().clamp(0.0, 100.0) as u32
}

/// How a calendar is kept up to date, in words.
pub(crate) const fn method(method: Method) -> &'static str {
    match method {
        Method::Webhook => "push",
        Method::PollingAndRepair => "polling and repair",
        Method::Polling => "polling",
    }
}
