//! `plan`, `explain`, `approve`.

use calsync_core::calendar::User;
use calsync_core::hold::Verdict;
use calsync_core::names::Names;
use calsync_core::plan::{ActionKind, Plan};
use calsync_engine::Question;
use serde::Serialize;
use serde_json::json;

use super::args::{ExplainArgs, OneCalendar};
use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::lookup;
use crate::service::Service;

/// One thing that would be done.
#[derive(Serialize)]
struct Row {
    user: String,
    target: String,
    source: String,
    action: &'static str,
    when: String,
    because: String,
}

/// Shows what would be done.
pub async fn plan(of: Option<&str>, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let (mut rows, mut held, mut kept) = (Vec::new(), Vec::new(), 0);
    for state in lookup::states(&*context.store, of).await? {
        let names = state.names();
        for plan in service.engine.plan(state.user.id).await? {
            kept += plan.kept.len();
            if let Verdict::Hold(hold) = &plan.verdict {
                held.push(format!("{}, {}: {}", state.user.email, names.get(plan.target), hold.reason));
            }
            rows.extend(plan_rows(&state.user, &names, &plan));
        }
    }
    let text = |row: &Row| {
        vec![
            row.user.clone(),
            row.target.clone(),
            row.action.to_owned(),
            row.when.clone(),
            row.source.clone(),
            row.because.clone(),
        ]
    };
    if context.out.format == crate::out::Format::Json {
        context.out.result("", &json!({"actions": rows, "held": held, "kept": kept}));
        return Ok(Exit::Ok);
    }
    let empty = format!("nothing to do: {kept} blocks stand as they should");
    context.out.rows(&["USER", "TARGET", "ACTION", "WHEN", "SOURCE", "BECAUSE"], &rows, text, &empty);
    for line in &held {
        context.out.note(&format!("held: {line}"));
    }
    Ok(Exit::Ok)
}

fn plan_rows(user: &User, names: &Names, plan: &Plan) -> Vec<Row> {
    let row = |action: &calsync_core::plan::Action| Row {
        user: user.email.clone(),
        target: names.get(plan.target).to_owned(),
        source: names.get(action.row.source).to_owned(),
        action: match action.kind {
            ActionKind::Create => "create",
            ActionKind::Update => "update",
            ActionKind::Delete => "delete",
            ActionKind::Adopt => "adopt",
            ActionKind::Forget => "forget",
            ActionKind::Yield => "leave",
        },
        when: action.row.span.to_string(),
        because: action.reason.to_string(),
    };
    plan.actions.iter().map(row).collect()
}

/// Tells why.
pub async fn explain(args: &ExplainArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let question = match args.what.parse() {
        Ok(at) => Question::At(at),
        Err(_) => Question::Event(args.what.clone()),
    };
    let mut rows = Vec::new();
    for state in lookup::states(&*context.store, args.user.as_deref()).await? {
        let names = state.names();
        for line in service.engine.explain(state.user.id, &question).await?.lines {
            rows.push(Answer {
                user: state.user.email.clone(),
                source: names.get(line.source).to_owned(),
                target: names.get(line.target).to_owned(),
                event: line.occurrence,
                when: line.span.map(|s| s.to_string()),
                outcome: line.outcome,
                because: line.because,
            });
        }
    }
    let cells = |row: &Answer| {
        let when = row.when.clone().unwrap_or_else(|| "-".to_owned());
        let Answer { user, source, target, because, .. } = row;
        vec![user.clone(), source.clone(), target.clone(), when, row.outcome.to_owned(), because.clone()]
    };
    let header = ["USER", "SOURCE", "TARGET", "WHEN", "OUTCOME", "BECAUSE"];
    context.out.rows(
        &header,
        &rows,
        cells,
        "no event and no time that calendar-sync knows of (a time is written like 2026-11-24T14:00:00Z)",
    );
    Ok(if rows.is_empty() { Exit::NotFound } else { Exit::Ok })
}

/// One answer.
#[derive(Serialize)]
struct Answer {
    user: String,
    source: String,
    target: String,
    event: String,
    when: Option<String>,
    outcome: &'static str,
    because: String,
}

/// Lets a held plan go ahead.
pub async fn approve(which: &OneCalendar, context: &Context) -> Result<Exit, Failure> {
    let calendar = lookup::calendar(&*context.store, &which.calendar, which.user.as_deref()).await?;
    if !context.engine().approve_hold((calendar.user, calendar.id), WHO).await? {
        return Err(Failure::not_found(format!(
            "nothing is held for {}: there is nothing to approve",
            calendar.name
        )));
    }
    let text = format!("the held plan of {} goes ahead with the next sync", calendar.name);
    context.out.result(&text, &json!({"calendar": calendar.id, "approved": true}));
    Ok(Exit::Ok)
}
