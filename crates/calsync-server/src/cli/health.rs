//! `webhook-health-check` and `status`: how well it is, by level and exit status, and what a person may want to know first.

use std::fmt::Write;
use std::sync::Arc;

use calsync_core::health::{Finding, Level, Report, assess};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::service::{Look, Service};

/// `webhook-health-check`
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Also bring the alerts up to date, do what the level asks for, and send what is to be told
    #[arg(long)]
    pub send_alerts: bool,
}

/// Runs it. The exit status is the level: 0 healthy, 1 degraded, 2 critical.
pub async fn check(args: &HealthArgs, context: &Context, service: &Arc<Service>) -> Result<Exit, Failure> {
    let look = if args.send_alerts { Some(service.look_now().await?) } else { None };
    let document = crate::http::monitoring_document(service).await;
    let value = serde_json::to_value(&document).map_err(|e| Failure::failed(e.to_string()))?;
    let report = assess(&service.figures().await);
    let mut text = words(&report);
    if let Some(look) = look {
        text.push_str(&look_words(&look));
    }
    context.out.result(&text, &json!({"health": value, "look": look}));
    Ok(exit(report.level))
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
