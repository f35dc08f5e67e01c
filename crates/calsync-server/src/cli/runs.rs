//! `runs list|show|undo`: what was done to which calendar when, and taking a run back. Decides nothing.

use std::time::Duration;

use calsync_core::calendar::User;
use calsync_core::ids::RunId;
use calsync_core::journal::{Activity, Filter, Idle, PAGE_MAX};
use calsync_core::names::Names;
use calsync_core::ports::UserState;
use calsync_core::time::Ts;
use calsync_engine::{EngineError, Partly, RunRow, UndoReport, Undoable, Undoing};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{consent, lookup};
use crate::service::Service;

/// Steps that a command waits for; the service goes on with the rest.
const STEPS_MAX: usize = 120;
const PAUSE: Duration = Duration::from_millis(500);

/// `runs`
#[derive(Subcommand, Debug)]
pub enum RunsCommand {
    /// The newest runs that wrote something
    #[command(
        after_help = "Example:\n  calendar-sync runs list --user ada@example.com --since 2026-11-02T00:00:00Z"
    )]
    List(ListArgs),
    /// Everything that one run wrote, when, why, and whether it can still be undone
    #[command(after_help = "Example:\n  calendar-sync runs show 01a0ebbf-a300-7748-a833-729fdcf2471b")]
    Show(WhichRun),
    /// Put the calendars that a run wrote back as they were before it
    ///
    /// What it made goes, what it removed comes back, what it changed changes back, as far as nobody has touched it since. Nothing
    /// else is written into those calendars from then on, until `approve` lets them follow the rules again.
    #[command(
        after_help = "Example:\n  calendar-sync runs undo 01a0ebbf-a300-7748-a833-729fdcf2471b --dry-run"
    )]
    Undo(UndoArgs),
}

/// `runs list`
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only this user's, by address or id
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Only those of this calendar, or that wrote into it, by name or id
    #[arg(long, value_name = "CALENDAR")]
    pub calendar: Option<String>,
    /// Only those that began then or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<Ts>,
    /// Also those that wrote nothing
    #[arg(long)]
    pub all: bool,
}

/// Which run.
#[derive(Args, Debug)]
pub struct WhichRun {
    /// Its id
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub run: RunId,
}

fn run_id(text: &str) -> Result<RunId, &'static str> {
    text.parse().map_err(|_| "this is no run's id: `calendar-sync runs list` shows them")
}

/// `runs undo`
#[derive(Args, Debug)]
pub struct UndoArgs {
    /// Which one.
    #[command(flatten)]
    pub which: WhichRun,
    /// Really do it, without being asked
    #[arg(long)]
    pub yes: bool,
    /// Only show what would be done
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Undo what can be, where not all of it can
    #[arg(long)]
    pub partly: bool,
}

/// Runs it.
pub async fn run(command: &RunsCommand, context: &Context, service: &Service) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(args) => list(args, context, service).await,
        RunsCommand::Show(which) => show(which.run, context, service).await,
        RunsCommand::Undo(args) => undo(args, context, service).await,
    }
}

#[derive(Serialize)]
struct Row {
    user: String,
    /// Beside the run's own `calendar`, which is its id.
    calendar_name: String,
    #[serde(flatten)]
    activity: Activity,
}

async fn list(args: &ListArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let store = &*context.store;
    let calendar = match &args.calendar {
        Some(text) => Some(lookup::calendar(store, text, args.user.as_deref()).await?),
        None => None,
    };
    let mut rows = Vec::new();
    for state in lookup::states(store, args.user.as_deref()).await? {
        if calendar.as_ref().is_some_and(|c| c.user != state.user.id) {
            continue;
        }
        let idle = if args.all { Idle::Shown } else { Idle::Hidden };
        let calendar = calendar.as_ref().map(|c| c.id);
        let filter = Filter { user: state.user.id, calendar, since: args.since, idle };
        let names = state.names();
        let page = service.engine.activity(&filter, None, PAGE_MAX).await?;
        rows.extend(page.runs.into_iter().map(|activity| Row {
            user: state.user.email.clone(),
            calendar_name: names.get(activity.run.calendar).to_owned(),
            activity,
        }));
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.activity.run.started_at, row.activity.run.id)));
    let head = ["RUN", "BEGAN", "USER", "CALENDAR", "BECAUSE OF", "MADE", "CHANGED", "REMOVED", "SEEN AGAIN"];
    let text = |row: &Row| {
        let Row { user, calendar_name, activity: Activity { run, wrote } } = row;
        let sum =
            |of: fn(&calsync_core::journal::Wrote) -> u32| wrote.iter().map(of).sum::<u32>().to_string();
        vec![
            run.id.to_string(),
            run.started_at.to_string(),
            user.clone(),
            calendar_name.clone(),
            run.trigger.clone(),
            sum(|w| w.created),
            sum(|w| w.changed),
            sum(|w| w.removed),
            sum(|w| w.verified),
        ]
    };
    context.out.rows(&head, &rows, text, "no run wrote anything");
    Ok(Exit::Ok)
}

/// Whose run it is.
async fn owner(context: &Context, run: RunId) -> Result<(User, UserState), Failure> {
    let missing =
        || Failure::not_found(format!("there is no run {run}: `calendar-sync runs list` shows them"));
    let found = context.store.run(run).await?.ok_or_else(missing)?;
    let calendar = context.store.calendar(found.calendar).await?.ok_or_else(missing)?;
    let state = context.store.user_state(calendar.user).await?.ok_or_else(missing)?;
    Ok((state.user.clone(), state))
}

async fn show(run: RunId, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let (user, state) = owner(context, run).await?;
    let detail = service.engine.run(user.id, run).await?;
    if context.out.format == crate::out::Format::Json {
        context.out.result("", &detail);
        return Ok(Exit::Ok);
    }
    let head =
        ["TARGET", "DONE", "WHEN", "SOURCE", "BECAUSE", "SEEN", "FETCHED", "WRITTEN", "VERIFIED", "UNDO"];
    let time = |at: Option<Ts>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let names = state.names();
    let text = |one: &RunRow| {
        let (row, receipt) = (&one.row, one.row.receipt);
        let content = row.after.as_ref().or(row.before.as_ref());
        vec![
            names.get(row.target).to_owned(),
            row.deed.as_str().to_owned(),
            content.map_or_else(|| "-".to_owned(), |content| content.span.to_string()),
            names.get(row.source).to_owned(),
            row.reason.to_string(),
            time(receipt.seen_at),
            time(receipt.fetched_at),
            receipt.written_at.to_string(),
            time(receipt.verified_at),
            match one.undo {
                Undoable::Possible => "possible".to_owned(),
                Undoable::Already => "stands as before".to_owned(),
                Undoable::No(why) => format!("no: {why}"),
            },
        ]
    };
    context.out.rows(
        &head,
        &detail.rows,
        text,
        "this run wrote nothing, or what it wrote was forgotten since",
    );
    Ok(Exit::Ok)
}

async fn undo(args: &UndoArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let run = args.which.run;
    let (user, state) = owner(context, run).await?;
    let names = state.names();
    let preview = service.engine.preview_undo(user.id, run).await?;
    let would = words(&names, &preview, "undoing this run");
    if args.dry_run {
        context.out.result(&would, &value(&preview, &names));
        return Ok(Exit::Ok);
    }
    if !preview.not.is_empty() && !args.partly {
        let message = format!("{would}\nNothing was changed. Add --partly to undo what can be");
        return Err(Failure::failed(message));
    }
    if preview.blocks.is_empty() {
        context.out.result(&would, &value(&preview, &names));
        return Ok(Exit::Ok);
    }
    if !args.yes {
        consent::ask(context.out, &would).await?;
    }
    let partly = if args.partly { Partly::Allow } else { Partly::Refuse };
    let report = service.engine.undo(user.id, run, partly, "command line").await?;
    if report.by.is_none() && !report.not.is_empty() {
        return Err(Failure::failed(format!(
            "{}\nNothing was changed",
            words(&names, &report, "not undone")
        )));
    }
    for _ in 0..STEPS_MAX {
        match service.engine.step_user(user.id).await {
            // The service is at it.
            Err(EngineError::Busy) => tokio::time::sleep(PAUSE).await,
            Ok(step) if step.waiting == 0 => break,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut text = words(&names, &report, "undone");
    text.push_str("\nNothing else is written there until `calendar-sync approve CALENDAR`");
    context.out.result(&text, &value(&report, &names));
    Ok(Exit::Ok)
}

fn value(report: &UndoReport, names: &Names) -> serde_json::Value {
    let not = report.not.iter().map(|(target, not)| {
        json!({"target": target, "name": names.get(*target), "block": not, "because": not.why.to_string()})
    });
    json!({
        "run": report.run, "by": report.by, "blocks": report.blocks, "already": report.already,
        "not": not.collect::<Vec<_>>(),
    })
}

fn words(names: &Names, report: &UndoReport, what: &str) -> String {
    let mut text = format!("{what}: {}", Undoing::in_words(&report.blocks));
    match report.already {
        0 => {}
        1 => text.push_str("; 1 stands as it stood already"),
        already => text.push_str(&format!("; {already} stand as they stood already")),
    }
    for block in &report.blocks {
        text.push_str(&format!("\n  {} {} in {}", block.span, block.what, names.get(block.target)));
    }
    for (target, not) in &report.not {
        let span = not.span.map_or_else(|| "a block".to_owned(), |span| span.to_string());
        text.push_str(&format!("\n  {span} in {} can not be undone: {}", names.get(*target), not.why));
    }
    text
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::CalendarId;
    use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_row_names_each_key_once() {
        let run = Run {
            id: RunId(Uuid::from_u128(1)),
            calendar: CalendarId(Uuid::from_u128(2)),
            kind: RunKind::Polling,
            trigger: "poll".to_owned(),
            started_at: Ts::from_secs(0),
            finished_at: None,
            status: RunStatus::Running,
            counts: RunCounts::default(),
        };
        let calendar = run.calendar.to_string();
        let row = Row {
            user: "ada@example.com".to_owned(),
            calendar_name: "Work".to_owned(),
            activity: Activity { run, wrote: Vec::new() },
        };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(text.matches("\"calendar\":").count(), 1, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["calendar"], &value["calendar_name"]), (&json!(calendar), &json!("Work")));
    }
}
