//! `alerts`: what is open and what was told of it; a test of every channel; silences; and ending what is over.

use calsync_core::alert::{Alert, AlertKind, AlertLevel, AlertMessage, Delivery, DeliveryState, Occasion};
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::alerting::Named;
use crate::service::Service;

/// Alerts that are listed.
const LISTED: u32 = 1_000;
/// Deliveries that are listed.
const DELIVERIES: u32 = 50;
/// The longest silence: what is silenced for longer is forgotten.
const SILENCE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Who silences and resolves from here, in the audit log.
const WHO: &str = "command line";

/// `alerts …`
#[derive(Subcommand, Debug)]
pub enum AlertsCommand {
    /// List what is open, and what was told of it
    #[command(after_help = "Example:\n  calendar-sync alerts list --all")]
    List(ListArgs),
    /// Send a message through every channel that is configured, and tell what came of it
    ///
    /// Exit status 0 when all of them took it, 1 when one did not.
    #[command(after_help = "Example:\n  calendar-sync alerts test --channel slack")]
    Test(TestArgs),
    /// Hear nothing of a kind of alert, or of all, for a while
    ///
    /// What happens meanwhile is kept, and told when the silence ends, if it is still so. Only when the database itself is down
    /// nobody can know of silences.
    #[command(
        after_help = "Example:\n  calendar-sync alerts silence --kind cache_down --for 2h --why \"Redis is moving\"\n  calendar-sync alerts silence --end 0199…"
    )]
    Silence(SilenceArgs),
    /// End what is open; if it is still so, it opens again
    #[command(after_help = "Example:\n  calendar-sync alerts resolve plan_refused")]
    Resolve(ResolveArgs),
}

/// `alerts list`
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Also what is over
    #[arg(long)]
    pub all: bool,
}

/// `alerts test`
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Only through this channel, as `alerts test` names it
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
}

/// `alerts silence`
#[derive(Args, Debug)]
pub struct SilenceArgs {
    /// Of this kind; of all, if not given
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub kind: Option<AlertKind>,
    /// For so long: 90m, 2h, 3d
    #[arg(long = "for", value_name = "TIME", value_parser = duration, required_unless_present = "end")]
    pub lasts: Option<SignedDuration>,
    /// Why, for whoever wonders later
    #[arg(long, default_value = "")]
    pub why: String,
    /// End this silence now
    #[arg(long, value_name = "ID", conflicts_with_all = ["kind", "lasts"])]
    pub end: Option<Uuid>,
}

/// `alerts resolve`
#[derive(Args, Debug)]
pub struct ResolveArgs {
    /// Of this kind
    #[arg(value_parser = kind)]
    pub kind: AlertKind,
    /// Only what is about this: the id of a calendar or an account, as `alerts list` names it
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
}

fn kind(text: &str) -> Result<AlertKind, String> {
    AlertKind::parse(text).ok_or_else(|| {
        let all: Vec<&str> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("there is no such kind; there are {}", all.join(", "))
    })
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let allowed = || "say how long in minutes, hours or days, up to 30d: 90m, 2h, 3d".to_owned();
    let unit = text.chars().last().ok_or_else(allowed)?;
    let number: i64 = text.strip_suffix(unit).and_then(|n| n.parse().ok()).ok_or_else(allowed)?;
    let minutes = match unit {
        'm' => number,
        'h' => number.checked_mul(60).ok_or_else(allowed)?,
        'd' => number.checked_mul(24 * 60).ok_or_else(allowed)?,
        _ => return Err(allowed()),
    };
    let longest = SILENCE_MAX.as_mins();
    if (1..=longest).contains(&minutes) { Ok(SignedDuration::from_mins(minutes)) } else { Err(allowed()) }
}

/// Runs it.
pub async fn run(command: &AlertsCommand, context: &Context, service: &Service) -> Result<Exit, Failure> {
    match command {
        AlertsCommand::List(args) => list(args, context, service).await,
        AlertsCommand::Test(args) => test(args, context, service).await,
        AlertsCommand::Silence(args) => silence(args, context, service).await,
        AlertsCommand::Resolve(args) => resolve(args, context).await,
    }
}

async fn list(args: &ListArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let store = &context.store;
    let mut alerts = if args.all { store.alerts(LISTED).await? } else { store.open_alerts().await? };
    alerts.truncate(LISTED as usize);
    let deliveries = store.deliveries(DELIVERIES).await?;
    let silences = service.engine.silences().await?;
    let mut text = String::new();
    for alert in &alerts {
        text.push_str(&alert_words(alert));
    }
    if alerts.is_empty() {
        text.push_str(if args.all { "nothing was ever wrong\n" } else { "nothing is open\n" });
    }
    for silence in &silences {
        let of = silence.kind.as_deref().unwrap_or("all kinds");
        text.push_str(&format!("silence {} of {of} until {} {}\n", silence.id, silence.until, silence.why));
    }
    let shown = if deliveries.is_empty() { "" } else { "\nmessages, newest first:\n" };
    text.push_str(shown);
    for delivery in deliveries.iter().take(10) {
        text.push_str(&delivery_words(delivery));
    }
    let value = json!({"alerts": alerts, "silences": silences, "deliveries": deliveries});
    context.out.result(&text, &value);
    Ok(Exit::Ok)
}

fn alert_words(alert: &Alert) -> String {
    let until = alert.resolved_at.map_or_else(String::new, |at| format!(" until {at}"));
    let about = if alert.subject.is_empty() { String::new() } else { format!(" {}", alert.subject) };
    format!(
        "{:<8} {}{about} since {}{until}\n  {}\n  {}\n",
        alert.level, alert.kind, alert.first_seen, alert.message, alert.action
    )
}

fn delivery_words(delivery: &Delivery) -> String {
    let Delivery { channel, message, state, attempts, error, next_try_at, .. } = delivery;
    let what = match state {
        DeliveryState::Delivered => "delivered".to_owned(),
        DeliveryState::Failed => format!("given up after {attempts}: {}", error.as_deref().unwrap_or("")),
        DeliveryState::Pending => {
            let next = next_try_at.map_or_else(String::new, |at| format!(", next try {at}"));
            format!("on its way ({attempts} tries{next}) {}", error.as_deref().unwrap_or(""))
        }
    };
    let occasion = match message.occasion {
        Occasion::Opened => "opened",
        Occasion::Reminded => "reminder",
        Occasion::Resolved => "resolved",
        Occasion::Test => "test",
    };
    format!("  {} {} {occasion} by {channel}: {what}\n", message.at, message.kind)
}

async fn test(args: &TestArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let all = service.channels.all();
    let chosen: Vec<_> =
        all.iter().filter(|c| args.channel.as_deref().is_none_or(|name| name == c.name())).collect();
    if all.is_empty() {
        return Err(Failure::new(
            Exit::Config,
            "no channel is configured: set alerts.email, alerts.slack, alerts.webhook or alerts.pager (docs/alerts.md)",
        ));
    }
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|channel| channel.name()).collect();
        return Err(Failure::not_found(format!("there is no such channel; there are {}", names.join(", "))));
    }
    let now = context.now();
    let message = AlertMessage {
        id: context.ids.uuid(now),
        thread: context.ids.uuid(now),
        occasion: Occasion::Test,
        kind: "test".to_owned(),
        level: AlertLevel::Info,
        subject: String::new(),
        count: 1,
        message: "This is a test: alerts of calendar-sync arrive here.".to_owned(),
        action: "Nothing is to be done.".to_owned(),
        first_seen: now,
        at: now,
    };
    let tried = send_by(&chosen, &message).await;
    let worked = tried.iter().all(|(_, error)| error.is_none());
    let line = |(name, error): &(String, Option<String>)| match error {
        None => format!("{name}: delivered\n"),
        Some(reason) => format!("{name}: not delivered: {reason}\n"),
    };
    let text: String = tried.iter().map(line).collect();
    let value: Vec<_> = tried.iter().map(|(name, error)| json!({"channel": name, "error": error})).collect();
    context.out.result(&text, &value);
    Ok(if worked { Exit::Ok } else { Exit::Failed })
}

async fn send_by(channels: &[&Named], message: &AlertMessage) -> Vec<(String, Option<String>)> {
    let trying = channels.iter().map(|named| async {
        let tried = named.channel().deliver(message).await;
        (named.name().to_owned(), tried.err().map(|undelivered| undelivered.reason))
    });
    futures_util::future::join_all(trying).await
}

async fn silence(args: &SilenceArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    if let Some(id) = args.end {
        if !service.engine.end_silence(id, WHO).await? {
            return Err(Failure::not_found("there is no such silence: calendar-sync alerts list names them"));
        }
        context.out.result("the silence is over", &json!({"ended": id}));
        return Ok(Exit::Ok);
    }
    let lasts = args.lasts.ok_or_else(|| Failure::new(Exit::Usage, "say for how long: --for 2h"))?;
    let kind = args.kind.map(AlertKind::as_str);
    let silence = service.engine.silence(kind, lasts, WHO, &args.why).await?;
    let of = kind.unwrap_or("any kind");
    let text = format!(
        "nobody hears of {of} until {} (end it with: alerts silence --end {})",
        silence.until, silence.id
    );
    context.out.result(&text, &silence);
    Ok(Exit::Ok)
}

async fn resolve(args: &ResolveArgs, context: &Context) -> Result<Exit, Failure> {
    let (store, now, kind) = (&context.store, context.now(), args.kind.as_str());
    let open = store.open_alerts().await?;
    let meant =
        |alert: &&Alert| alert.kind == kind && args.subject.as_ref().is_none_or(|s| *s == alert.subject);
    let mut ended = 0_u32;
    for alert in open.iter().filter(meant) {
        ended += u32::from(store.resolve_alert(kind, &alert.subject, now).await?);
    }
    if ended == 0 {
        return Err(Failure::not_found("nothing of that kind is open: calendar-sync alerts list"));
    }
    store.audit(WHO, &format!("alerts: {ended} of {kind} resolved by hand"), now).await?;
    context.out.result(&format!("{ended} ended"), &json!({"kind": kind, "ended": ended}));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silences_last_minutes_to_a_month() {
        for (text, minutes) in [("90m", 90), ("2h", 120), ("30d", 30 * 24 * 60)] {
            assert_eq!(duration(text), Ok(SignedDuration::from_mins(minutes)));
        }
        for text in ["", "m", "0m", "-1h", "31d", "2", "2w", "9223372036854775807d", "é"] {
            assert!(duration(text).unwrap_err().contains("90m, 2h, 3d"), "{text}");
        }
        assert!(kind("nonsense").unwrap_err().contains("database_down"));
    }
}
