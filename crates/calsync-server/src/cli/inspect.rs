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
    let empty = match kept {
        0 => "nothing to do: no block is wanted".to_owned(),
        1 => "nothing to do: 1 block stands as it should".to_owned(),
        kept => format!("nothing to do: {kept} blocks stand as they should"),
    };
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
    let question = question(&args.what).map_err(|message| Failure::new(Exit::Usage, message))?;
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
    if rows.is_empty() {
        return Err(Failure::not_found(match question {
            Question::At(at) => format!("nothing that calendar-sync knows of is at {at}"),
            Question::Event(id) => format!("calendar-sync knows of no event {id:?}: {EXPECTED}"),
        }));
    }
    let cells = |row: &Answer| {
        let when = row.when.clone().unwrap_or_else(|| "-".to_owned());
        let Answer { user, source, target, because, .. } = row;
        vec![user.clone(), source.clone(), target.clone(), when, row.outcome.to_owned(), because.clone()]
    };
    let header = ["USER", "SOURCE", "TARGET", "WHEN", "OUTCOME", "BECAUSE"];
    context.out.rows(&header, &rows, cells, "");
    Ok(Exit::Ok)
}

/// What can be asked for.
const EXPECTED: &str =
    "give an event's id as its provider has it, or a time with its zone, such as 2026-11-24T14:00:00Z";
/// Fewest characters of an event's id: Google's have five at least (Events: insert, `id`), Microsoft's many more.
const ID_MIN: usize = 5;

/// What is asked about. What begins like a date and is none that counts is no event's id either.
fn question(what: &str) -> Result<Question, String> {
    if let Ok(at) = what.parse() {
        return Ok(Question::At(at));
    }
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let begins: String = what.chars().take(8).map(shape).collect();
    let is_id =
        what.chars().count() >= ID_MIN && !what.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_id && begins != "0000-00-" {
        return Ok(Question::Event(what.to_owned()));
    }
    Err(format!("{what:?} is neither an event nor a time: {EXPECTED}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_event_and_no_time_is_told() {
        assert!(matches!(question("2026-11-24T14:00:00Z"), Ok(Question::At(_))));
        for id in ["7kukuqrfedlm2f9t0q", "no-such-event", "7kukuqrfedlm2f9t0q@2026-11-24T14:00:00Z"] {
            assert!(matches!(question(id), Ok(Question::Event(_))), "{id}");
        }
        for wrong in ["xyz", "", "2026-99-01T00:00:00Z", "2026-11-26T10:00", "2026-11-26", "next week"] {
            let told = question(wrong).err().unwrap_or_default();
            assert!(told.contains("such as 2026-11-24T14:00:00Z"), "{wrong}: {told}");
        }
    }
}
