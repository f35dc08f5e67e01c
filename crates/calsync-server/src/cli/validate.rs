//! `validate-deployment`: whether a version may be put to work here, and whether it works once it was. It changes nothing but for the
//! one row of a channel of its own, through which it sends a notification the whole way.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::health::{Level, Report, assess};
use calsync_core::notification::{Notification, ProcessingStatus};
use calsync_core::ports::StoreError;
use calsync_engine::Trial;
use calsync_store::SqlStore;
use clap::{ArgGroup, Args};
use tokio::time::sleep;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::alerting::{Channels, Undelivered};
use crate::checks::{Check, Findings, Outcome};
use crate::config::{DatabaseSettings, Settings};
use crate::doctor;
use crate::out::{Format, Out};
use crate::reach::{Health, Looker, Unreached};
use crate::secrets::first_run::KEY_FILE;
use crate::service::Service;
use crate::system::SystemClock;
use crate::telemetry::logging::{self, Console};
use crate::verification::steps::health_seen;

/// Between two looks at what is awaited.
const APART: Duration = Duration::from_millis(500);

/// `validate-deployment`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("when").required(true).args(["before", "after"])))]
pub struct ValidateArgs {
    /// Before the new version is started: configuration, keys, database, alert channels, public address
    #[arg(long)]
    pub before: bool,
    /// After it was started: level, database, and one notification of our own that travels the whole way
    #[arg(long)]
    pub after: bool,
    /// With --after: how long it may take to settle, and the notification to arrive
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600), requires = "after")]
    pub wait: u64,
}

fn end(findings: Findings) -> Exit {
    match findings.conclude(&[]) {
        Outcome::Failed => Exit::Failed,
        Outcome::Ok | Outcome::Skipped | Outcome::Warning => Exit::Ok,
    }
}

/// Looks before.
pub fn before(config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let mut findings = Findings::new(out);
    if let Some(loaded) = doctor::configuration(config, &mut findings) {
        let _log = logging::start(&super::quiet(&loaded.settings.log), Console::Stderr)?;
        super::block_on(Box::pin(look_ahead(&loaded.settings, &mut findings)))?;
    }
    Ok(end(findings))
}

async fn look_ahead(settings: &Settings, findings: &mut Findings) {
    let (migration, is_current) = migration(&settings.database).await;
    findings.add(migration);
    // What waits for the migration can't be looked at, and what is judged here needs no second word.
    let judged: &[&str] = if is_current { &["reachable"] } else { &["reachable", "database", "sealing key"] };
    let mut seen = Findings::new(Out::new(Format::Json));
    doctor::examine(settings, &SystemClock, &mut seen).await;
    findings.extend(seen.into_checks().into_iter().filter(|check| !judged.contains(&check.name)));
    if let (Ok(looker), Some(base)) = (Looker::new(), settings.server.public("")) {
        findings.extend(standing(&base, &looker.health(&base).await));
    }
    match Channels::from_settings(settings) {
        Ok(channels) if channels.all().is_empty() => findings.add(Check::warning(
            "alert channels",
            "none is configured: nobody hears of what goes wrong",
            "set alerts.email, alerts.slack or alerts.webhook (docs/alerts.md)",
        )),
        Ok(channels) => {
            for way in channels.all() {
                findings.add(channel(way.name(), &way.channel().answers().await));
            }
        }
        Err(error) => findings.add(Check::failed("alert channels", error.to_string(), "correct the setting")),
    }
}

/// Whether the database can be brought up to date, and whether it is.
async fn migration(database: &DatabaseSettings) -> (Check, bool) {
    if !database.url.is_server() {
        match database.file() {
            None => return (Check::skipped(MIGRATION, "the database is kept in memory"), true),
            Some(file) if !file.exists() => return (no_database(&file), false),
            Some(_) => {}
        }
    }
    let found = SqlStore::rehearse(database.url.expose()).await;
    let is_current = found.as_ref().is_ok_and(|version| *version >= SqlStore::schema_version());
    (judge_migration(&found), is_current)
}

const MIGRATION: &str = "migration";

/// A first start, or a loss that must not pass for one.
fn no_database(file: &Path) -> Check {
    let place = file.display();
    if file.with_file_name(KEY_FILE).exists() {
        return Check::warning(
            MIGRATION,
            format!(
                "there is no database at {place}, and a sealing key beside it: an empty one would be made"
            ),
            "if there was a database, bring it back or restore a backup first",
        );
    }
    Check::ok(MIGRATION, format!("there is no database at {place} yet: it will be made"))
}

fn judge_migration(found: &Result<i64, StoreError>) -> Check {
    let known = SqlStore::schema_version();
    match found {
        Ok(version) if *version >= known => {
            Check::ok(MIGRATION, format!("the schema is current (version {version})"))
        }
        Ok(0) => Check::ok(MIGRATION, "the database is empty, and the schema can be made in it"),
        Ok(version) => Check::ok(
            MIGRATION,
            format!("from version {version} to {known}: every step was tried and taken back"),
        ),
        Err(error @ StoreError::NewerSchema { .. }) => Check::failed(
            MIGRATION,
            error.to_string(),
            "run the newer calendar-sync that made it, or restore a backup",
        ),
        Err(error) => Check::failed(
            MIGRATION,
            error.to_string(),
            "start the database, correct database.url, or let its user make tables in it; nothing was changed",
        ),
    }
}

/// A way in which people are told.
fn channel(name: &str, found: &Result<(), Undelivered>) -> Check {
    const NAME: &str = "alert channel";
    match found {
        Ok(()) => Check::ok(NAME, format!("{name} answers; nothing was sent")),
        Err(error) => Check::failed(
            NAME,
            format!("{name}: {error}"),
            "correct it; `calendar-sync alerts test` then sends a message",
        ),
    }
}

/// What is reached through the public address now: nothing has to stand behind the proxy yet.
fn standing(base: &str, found: &Result<Health, Unreached>) -> Vec<Check> {
    const NAME: &str = "level";
    match found {
        Ok(health) if health.status == "critical" => vec![Check::failed(
            NAME,
            format!("what runs there now is critical ({})", health.unwell.join(", ")),
            "mend that first: `calendar-sync webhook-health-check`, docs/runbook.md",
        )],
        Ok(health) => vec![
            health_seen("reachable", base, found),
            Check::ok(NAME, format!("what runs there now is {}", health.status)),
        ],
        Err(Unreached::Status(status @ 502..=504)) => vec![Check::warning(
            "reachable",
            format!("{base} answers {status}: the proxy is there, and nothing behind it"),
            "that is right as long as calendar-sync does not run yet",
        )],
        Err(_) => vec![health_seen("reachable", base, found)],
    }
}

/// Looks after.
pub async fn after(args: &ValidateArgs, context: &Context, service: &Arc<Service>) -> Result<Exit, Failure> {
    let mut findings = Findings::new(context.out);
    let patience = Duration::from_secs(args.wait);
    findings.extend(settled(service, patience).await);
    let base = context.settings.server.public("");
    match &base {
        None => findings.add(Check::skipped(
            "self-test",
            "server.public_url is not set: calendars are polled, and nothing is pushed",
        )),
        Some(base) => {
            let looker = Looker::new().map_err(|e| Failure::failed(format!("no calls can go out: {e}")))?;
            findings.extend(travel(service, &looker, base, patience).await?);
        }
    }
    Ok(end(findings))
}

/// Waits until it is as well as it may be expected to be.
async fn settled(service: &Arc<Service>, patience: Duration) -> Vec<Check> {
    let began = Instant::now();
    loop {
        let report = assess(&service.figures().await);
        if report.level < Level::Critical || began.elapsed() >= patience {
            return judge_level(&report, began.elapsed());
        }
        sleep(APART).await;
    }
}

fn judge_level(report: &Report, after: Duration) -> Vec<Check> {
    let unwell = report.findings.iter().filter(|one| one.level > Level::Healthy);
    let says: String =
        unwell.map(|one| format!("; {}: {}", one.check, one.says.trim_end_matches('.'))).collect();
    let detail = format!("{} after {} s{says}", report.level, after.as_secs());
    let back = "see docs/runbook.md; if it was well before, go back to the version that ran then";
    let level = match report.level {
        Level::Healthy => Check::ok("level", detail),
        Level::Degraded => Check::warning("level", detail, "see `calendar-sync status` and docs/runbook.md"),
        Level::Critical => Check::failed("level", detail, back),
    };
    let database = report.findings.iter().find(|one| one.check == "database").map(|one| match one.level {
        Level::Healthy => Check::ok("database", one.says.clone()),
        _ => Check::failed("database", one.says.clone(), back),
    });
    std::iter::once(level).chain(database).collect()
}

/// Sends one notification the whole way: in through the public address, onto the disk, through a worker, to the end of a run.
async fn travel(
    service: &Service,
    looker: &Looker,
    base: &str,
    patience: Duration,
) -> Result<Vec<Check>, Failure> {
    let Some(trial) = service.engine.open_trial().await? else {
        return Ok(vec![Check::skipped("self-test", "no calendar takes part yet that could be looked at")]);
    };
    let began = Instant::now();
    let delivered = looker.deliver(base, &trial).await;
    let is_taken = delivered.is_ok();
    let mut checks = vec![taken(base, &trial, &delivered, began.elapsed())];
    if is_taken {
        let news = loop {
            let news = service.engine.trial_news(&trial).await?;
            let is_over = news.as_ref().is_some_and(|news| {
                matches!(news.status, ProcessingStatus::Completed | ProcessingStatus::Failed)
            });
            if is_over || began.elapsed() >= patience {
                break news;
            }
            sleep(APART).await;
        };
        checks.push(served(&trial, news.as_ref(), patience));
    }
    Ok(checks)
}

fn taken(base: &str, trial: &Trial, found: &Result<(), Unreached>, after: Duration) -> Check {
    const NAME: &str = "self-test: receipt";
    match found {
        Ok(()) => Check::ok(
            NAME,
            format!(
                "a signed notification in {}'s form was taken at {base} in {} ms",
                trial.provider.as_str(),
                after.as_millis()
            ),
        ),
        Err(Unreached::Status(status @ (401 | 403 | 404))) => Check::failed(
            NAME,
            format!(
                "the answer is {status}: what listens at {base} works with another database, or something in between takes headers away"
            ),
            "see that the instances behind that address have the same database.url as this command, and that the proxy hands all headers on",
        ),
        Err(why) => Check::failed(NAME, why.to_string(), why.remedy()),
    }
}

fn served(trial: &Trial, news: Option<&Notification>, patience: Duration) -> Check {
    const NAME: &str = "self-test: processing";
    let slow = "see that an instance with the role `worker` runs, and its log";
    let Some(news) = news else {
        return Check::failed(
            NAME,
            "it is not in the database that this command sees",
            "give both the same database.url",
        );
    };
    match news.status {
        ProcessingStatus::Completed => Check::ok(
            NAME,
            format!(
                "{:?} was looked at and the notification completed in {} ms",
                trial.name,
                news.processing_time_ms.unwrap_or_default()
            ),
        ),
        ProcessingStatus::Failed | ProcessingStatus::Retrying => {
            let why = news.error_message.as_deref().unwrap_or("without a word");
            Check::failed(
                NAME,
                format!("{:?} could not be looked at: {why}", trial.name),
                "see the log; `calendar-sync doctor` looks at the rest",
            )
        }
        ProcessingStatus::Pending | ProcessingStatus::Processing => Check::failed(
            NAME,
            format!("it is {} after {} s", news.status.as_str(), patience.as_secs()),
            slow,
        ),
    }
}

#[cfg(test)]
mod tests;
