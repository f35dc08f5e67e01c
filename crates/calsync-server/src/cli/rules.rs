//! `rules list`, `rules set`, `rules remove`. A rule's problems come from the rule itself, all at once.

pub mod args;
mod hours;
mod options;

use calsync_core::calendar::Calendar;
use calsync_core::ids::{CalendarId, RuleId};
use calsync_core::ports::UserState;
use calsync_core::rule::{Rule, RuleOptions, effective};
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;
use args::{RulesCommand, SetRule};

pub use hours::HoursArg;

/// One end of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct End {
    id: CalendarId,
    name: String,
}

#[derive(Serialize)]
struct Row {
    id: RuleId,
    user: String,
    source: End,
    target: End,
    /// `false`: nobody stored it, it follows from the user having no rules.
    stored: bool,
    /// Whether it is in force: switched on, between enabled calendars.
    in_force: bool,
    options: RuleOptions,
}

/// Runs one of them.
pub async fn run(command: &RulesCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        RulesCommand::List(of) => list(context, of.user.as_deref()).await,
        RulesCommand::Set(set) => put(context, set).await,
        RulesCommand::Remove { rule, yes: true } => remove(context, *rule, Last::Too).await,
        RulesCommand::Remove { rule, yes: false } => remove(context, *rule, Last::Not).await,
    }
}

async fn list(context: &Context, of: Option<&str>) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, of).await?;
    let rows: Vec<Row> = states.iter().flat_map(rows).collect();
    let text = |row: &Row| {
        let kind = if row.stored { "stored" } else { "implied" };
        let state = if row.in_force { "on" } else { "off" };
        let (id, title) = (row.id.to_string(), row.options.title.clone());
        let (source, target) = (row.source.name.clone(), row.target.name.clone());
        vec![id, row.user.clone(), source, target, title, kind.to_owned(), state.to_owned()]
    };
    let header = ["ID", "USER", "SOURCE", "TARGET", "TITLE", "KIND", "STATE"];
    context.out.rows(&header, &rows, text, "no rules: no user has two calendars enabled");
    Ok(Exit::Ok)
}

fn rows(state: &UserState) -> Vec<Row> {
    let in_force = effective(&state.rules, &state.calendars);
    let shown = if state.rules.is_empty() { &in_force } else { &state.rules };
    let end = |id: CalendarId| {
        let name =
            state.calendars.iter().find(|c| c.id == id).map_or_else(|| id.to_string(), |c| c.name.clone());
        End { id, name }
    };
    shown
        .iter()
        .map(|rule| Row {
            id: rule.id,
            user: state.user.email.clone(),
            source: end(rule.source),
            target: end(rule.target),
            stored: !state.rules.is_empty(),
            in_force: in_force.iter().any(|r| r.id == rule.id),
            options: rule.options.clone(),
        })
        .collect()
}

async fn put(context: &Context, set: &SetRule) -> Result<Exit, Failure> {
    let of = set.user.as_deref();
    let source = lookup::calendar(&*context.store, &set.source, of).await?;
    let target = lookup::calendar(&*context.store, &set.target, of).await?;
    let state = context.store.user_state(source.user).await?.ok_or_else(gone)?;
    let now = context.now();
    let present = state.rules.iter().find(|r| r.source == source.id && r.target == target.id);
    let mut rule = present.cloned().unwrap_or_else(|| Rule {
        id: RuleId(context.ids.uuid(now)),
        user: source.user,
        source: source.id,
        target: target.id,
        options: RuleOptions::default(),
    });
    options::apply(&mut rule.options, set);
    let problems = rule.problems(&source, &target);
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        return Err(Failure::failed(format!("this rule cannot be:{}", lines.concat())));
    }
    context.store.put_rule(&rule, now).await?;
    let done = if present.is_some() { "changed" } else { "added" };
    context.store.audit("command line", &format!("{done} rule {}", rule.id), now).await?;
    context.out.result(&format!("{done} the rule {} → {} ({})", source.name, target.name, rule.id), &rule);
    if state.rules.is_empty() {
        context.out.note("note: this is the user's first rule. Until now all enabled calendars blocked each other; from now on only rules count, and blocks that no rule asks for are removed by the next sync");
    }
    for calendar in [&source, &target].into_iter().filter(|c| !c.takes_part()) {
        context.out.note(&format!(
            "note: {} is disabled, so the rule does nothing yet: `calendar-sync calendars enable {}`",
            calendar.name, calendar.id
        ));
    }
    Ok(Exit::Ok)
}

fn gone() -> Failure {
    Failure::not_found("the calendar's user is gone: look again with `calendar-sync calendars list`")
}

/// Whether the last rule may go too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Too,
    Not,
}

async fn remove(context: &Context, id: RuleId, last: Last) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, None).await?;
    let state = states.iter().find(|state| state.rules.iter().any(|rule| rule.id == id));
    let Some(state) = state else {
        let implied = states.iter().any(|s| rows(s).iter().any(|row| row.id == id));
        let message = if implied {
            format!("rule {id} is implied: it goes when you set rules of your own, or disable a calendar")
        } else {
            format!("there is no rule {id}: `calendar-sync rules list` shows them")
        };
        return Err(Failure::not_found(message));
    };
    let enabled: Vec<&Calendar> = state.calendars.iter().filter(|c| c.takes_part()).collect();
    if state.rules.len() == 1 && last == Last::Not && enabled.len() > 1 {
        return Err(Failure::failed(format!(
            "this is the last rule of {}: without it all {} enabled calendars block each other. Nothing was removed; add --yes if you mean it, or switch the rule off with `rules set … --enabled off`",
            state.user.email,
            enabled.len()
        )));
    }
    context.store.remove_rule(id, context.now()).await?;
    context.store.audit("command line", &format!("removed rule {id}"), context.now()).await?;
    context
        .out
        .result(&format!("removed rule {id}: the next sync removes its blocks"), &json!({"removed": id}));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests;
