//! `webhook-health-check` and `status`: how well it is, by level and exit status, and what a person may want to know first.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use calsync_core::alert::{AlertKind, Group};
use calsync_core::health::{Finding, Level, Report, assess};
use calsync_core::ports::Clock;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::alerting::Channels;
use crate::metrics::Metrics;
use crate::out::Out;
use crate::service::{Look, Service, Teller, Word, data_directory};
use crate::system::SystemClock;

/// `webhook-health-check`
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Also bring the alerts up to date, do what the level asks for, and send what is to be told
    #[arg(long)]
    pub send_alerts: bool,
}

/// Runs it. The exit status is the level: 0 healthy, 1 degraded, 2 critical.
pub async fn check(args: &HealthArgs, context: &Context, service: &Arc<Service>) -> Result<Exit, Failure> {
    let look = if args.send_alerts {
        hand_over(service).await?;
        Some(service.look_now().await?)
    } else {
        None
    };
    let document = crate::monitoring::document(service).await;
    let value = serde_json::to_value(&document).map_err(|e| Failure::failed(e.to_string()))?;
    let report = assess(&service.figures().await);
    let mut text = words(&report);
    if let Some(look) = look {
        text.push_str(&look_words(&look));
    }
    context.out.result(&text, &json!({"health": value, "look": look}));
    Ok(exit(report.level))
}

/// There is no database to ask: that is critical, and the channels are told without it, once, however often this runs.
pub fn without(
    args: &HealthArgs,
    config: Option<&Path>,
    out: Out,
    failure: &Failure,
) -> Result<Exit, Failure> {
    let settings = super::context::load(config, out)?.settings;
    let message = format!("The database can not be used: {}", failure.message);
    let mut text = format!("level      critical\n  critical  database               {message}\n");
    let mut tried = Vec::new();
    if args.send_alerts {
        let channels =
            Channels::from_settings(&settings).map_err(|e| Failure::new(Exit::Config, e.to_string()))?;
        let now = SystemClock.now();
        let kind = AlertKind::DatabaseDown;
        let group = Group {
            kind: kind.as_str().to_owned(),
            count: 1,
            level: kind.level(),
            first_seen: now,
            subject: String::new(),
            message,
            action: "Start the database, or see database.url: docs/runbook.md.".to_owned(),
        };
        let file = Word::file(&data_directory(&settings));
        let mut word = Word::load(&file);
        word.say(Some(&group), &channels, settings.alerts.reminder, now);
        let teller = Teller { channels: &channels, metrics: &Metrics::new(), clock: &SystemClock };
        tried = super::block_on(word.send(&teller))?;
        if let Err(error) = word.keep(&file) {
            let _ = writeln!(
                text,
                "alerts     {} can not be written ({error}): the next run tells it again",
                file.display()
            );
        }
    }
    for delivery in &tried {
        let _ = writeln!(text, "{}: {}", delivery.channel, delivery.error.as_deref().unwrap_or("delivered"));
    }
    let told: Vec<_> =
        tried.iter().map(|tried| json!({"channel": tried.channel, "error": tried.error})).collect();
    out.result(
        &text,
        &json!({"health": {"status": Level::Critical, "because": failure.message}, "told": told}),
    );
    Ok(Exit::Critical)
}

/// The database answers: what this command said without it is the database's from now on.
async fn hand_over(service: &Service) -> Result<(), Failure> {
    let file = Word::file(&data_directory(&service.settings));
    let mut word = Word::load(&file);
    if !word.is_untold() {
        return Ok(());
    }
    let (reminder, now) = (service.settings.alerts.reminder, service.clock.now());
    word.hand_over(service.store.as_ref(), &service.channels, reminder, now).await?;
    word.send(&Teller { channels: &service.channels, metrics: &service.metrics, clock: &SystemClock }).await;
    // What can not be forgotten is handed over again, which does nothing.
    let _ = word.keep(&file);
    Ok(())
}

/// `status`: for a person; always 0 if it could be told.
pub async fn status(context: &Context, service: &Arc<Service>) -> Result<Exit, Failure> {
    let store = &service.store;
    let report = assess(&service.figures().await);
    let groups = store.alert_groups().await?;
    let state = service.engine.watch_state().await?.level;
    let doubted = service.engine.push_doubted().await?;
    let next = store.next_due().await?;
    let mut text = words(&report);
    let _ = writeln!(text, "in force   {} since {}", state.level, state.since);
    if doubted {
        text.push_str("push       in doubt: every calendar is polled beside its channel\n");
    }
    match next {
        Some(at) => _ = writeln!(text, "next work  {at}"),
        None => text.push_str("next work  none: no calendar takes part\n"),
    }
    if groups.is_empty() {
        text.push_str("alerts     none\n");
    }
    for group in &groups {
        let _ =
            writeln!(text, "alert      {} {} ({}): {}", group.level, group.kind, group.count, group.message);
    }
    let alerts: Vec<_> = groups
        .iter()
        .map(|g| json!({"kind": g.kind, "level": g.level, "count": g.count, "since": g.first_seen, "message": g.message, "action": g.action}))
        .collect();
    let value = json!({
        "level": report.level, "level_in_force": state.level, "since": state.since, "push_doubted": doubted,
        "next_work_at": next, "findings": report.findings, "recommendations": report.recommendations, "alerts": alerts,
    });
    context.out.result(&text, &value);
    Ok(Exit::Ok)
}

const fn exit(level: Level) -> Exit {
    match level {
        Level::Healthy => Exit::Ok,
        Level::Degraded => Exit::Degraded,
        Level::Critical => Exit::Critical,
    }
}

fn words(report: &Report) -> String {
    let mut text = format!("level      {}\n", report.level);
    for Finding { check, level, says } in &report.findings {
        let _ = writeln!(text, "  {level:<9} {check:<22} {says}");
    }
    for words in &report.recommendations {
        let _ = writeln!(text, "advice     {words}");
    }
    text
}

fn look_words(look: &Look) -> String {
    match look {
        Look::Taken => "alerts     a running service looks after them\n".to_owned(),
        Look::Done { said, delivered, failed } => {
            format!("alerts     {said} told, {delivered} messages delivered, {failed} failed\n")
        }
    }
}

/// What `--json` says of a look.
impl Serialize for Look {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Look::Taken => {
                json!({"done": false, "because": "a running service does it"}).serialize(serializer)
            }
            Look::Done { said, delivered, failed } => {
                json!({"done": true, "said": said, "delivered": delivered, "failed": failed})
                    .serialize(serializer)
            }
        }
    }
}
