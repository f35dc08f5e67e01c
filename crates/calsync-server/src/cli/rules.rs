//! `rules list`, `rules set`, `rules remove`. What makes sense is the rules' own judgement; here it gets its words.

pub mod args;
mod defaults;
mod hours;
mod options;
pub mod preview;

use calsync_core::calendar::Calendar;
use calsync_core::ids::{CalendarId, RuleId};
use calsync_core::ports::UserState;
use calsync_core::rule::{Cell, RuleChange, RuleChanges, RuleOptions, RuleProblem, RuleTo, Unasked, cells};
use calsync_engine::{RulesChanged, RulesError, Thought};
use serde::Serialize;
use serde_json::json;

use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::lookup;
use crate::service::Service;
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
        RulesCommand::Remove { rule, yes: true } => remove(context, *rule, Unasked::ComeBack).await,
        RulesCommand::Remove { rule, yes: false } => remove(context, *rule, Unasked::Stay).await,
        RulesCommand::Defaults { command } => defaults::run(command, context).await,
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

/// The cells that have a rule.
fn cells_of(state: &UserState) -> impl Iterator<Item = Cell> + use<> {
    let cells = cells(&state.rules, &state.calendars, &state.rule_defaults);
    cells.into_iter().filter(|cell| cell.rule.is_some())
}

fn rows(state: &UserState) -> Vec<Row> {
    let names = state.names();
    let end = |id: CalendarId| End { id, name: names.get(id).to_owned() };
    let row = |cell: Cell| {
        let rule = cell.rule?;
        Some(Row {
            id: rule.id,
            user: state.user.email.clone(),
            source: end(cell.source),
            target: end(cell.target),
            stored: cell.stored,
            in_force: cell.in_force,
            options: rule.options,
        })
    };
    cells_of(state).filter_map(row).collect()
}

/// What `rules set` asks for, and what it was made from.
struct Asked {
    source: Calendar,
    target: Calendar,
    present: bool,
    changes: RuleChanges,
}

impl Asked {
    async fn of(context: &Context, set: &SetRule) -> Result<Asked, Failure> {
        let of = set.user.as_deref();
        let source = lookup::calendar(&*context.store, &set.source, of).await?;
        let target = lookup::calendar(&*context.store, &set.target, of).await?;
        let grid = context.engine().rules(source.user).await?;
        let cell = grid.cells.iter().find(|c| (c.source, c.target) == (source.id, target.id));
        let present = cell.and_then(|c| c.rule.as_ref());
        let mut options = present.map_or_else(|| grid.defaults.options.clone(), |rule| rule.options.clone());
        options::apply(&mut options, &set.options);
        let change = RuleChange {
            source: source.id,
            target: target.id,
            to: RuleTo::Set(Box::new(options)),
            made_from: cell.map(|c| c.print.clone()),
        };
        let unasked = if set.only { Unasked::End } else { Unasked::Stay };
        let (present, changes) = (present.is_some(), RuleChanges { changes: vec![change], unasked });
        Ok(Asked { source, target, present, changes })
    }
}

/// Shows what `rules set` would do.
pub async fn would(set: &SetRule, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let asked = Asked::of(context, set).await?;
    let thought = Thought { changes: asked.changes, enable: Vec::new() };
    preview::show(asked.source.user, &thought, context, service).await
}

async fn put(context: &Context, set: &SetRule) -> Result<Exit, Failure> {
    let Asked { source, target, present, changes } = Asked::of(context, set).await?;
    let changed = context.engine().change_rules(source.user, &changes, WHO).await?;
    let grid = context.engine().rules(source.user).await?;
    let cell = grid.cells.iter().find(|c| (c.source, c.target) == (source.id, target.id));
    let rule = cell.and_then(|c| c.rule.as_ref());
    let id = rule.map(|rule| rule.id.to_string()).unwrap_or_default();
    let done = match (changed.changed.is_empty(), present) {
        (true, _) => "there was nothing to change about",
        (false, true) => "changed",
        (false, false) => "added",
    };
    let (from, to) = (grid.names.get(source.id), grid.names.get(target.id));
    context.out.result(&format!("{done} the rule {from} → {to} ({id})"), &rule);
    note_implied(context, &changed);
    for calendar in [&source, &target].into_iter().filter(|c| !c.takes_part()) {
        context.out.note(&format!(
            "note: {} is disabled, so the rule does nothing yet: `calendar-sync calendars enable {}`",
            grid.names.get(calendar.id),
            calendar.id
        ));
    }
    Ok(Exit::Ok)
}

/// Tells of rules that nobody named.
fn note_implied(context: &Context, changed: &RulesChanged) {
    if changed.were_implied > 0 {
        context.out.note(&format!(
            "note: {} rules were implied until now, because nobody had stored one. They are stored, and all others stay as they are",
            changed.were_implied
        ));
    }
}

async fn remove(context: &Context, id: RuleId, unasked: Unasked) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, None).await?;
    let cell_of =
        |state: &UserState| cells_of(state).find(|cell| cell.rule.as_ref().is_some_and(|rule| rule.id == id));
    let found = states.iter().find_map(|state| Some((state, cell_of(state)?)));
    let Some((state, cell)) = found else {
        let message = format!("there is no rule {id}: `calendar-sync rules list` shows them");
        return Err(Failure::not_found(message));
    };
    let (source, target, made_from) = (cell.source, cell.target, Some(cell.print));
    let change = RuleChange { source, target, to: RuleTo::Removed, made_from };
    let asked = RuleChanges { changes: vec![change], unasked };
    let changed = context.engine().change_rules(state.user.id, &asked, WHO).await?;
    context
        .out
        .result(&format!("removed rule {id}: the next sync removes its blocks"), &json!({"removed": id}));
    note_implied(context, &changed);
    Ok(Exit::Ok)
}

impl From<RulesError> for Failure {
    fn from(error: RulesError) -> Failure {
        let list = |lines: Vec<String>| lines.iter().map(|line| format!("\n  {line}")).collect::<String>();
        match error {
            RulesError::Engine(error) => error.into(),
            RulesError::Conflict(_) => Failure::failed(format!("{error}: `calendar-sync rules list`")),
            RulesError::BadDefaults(problems) => {
                let lines = problems.iter().map(ToString::to_string).collect();
                Failure::failed(format!("these defaults cannot be:{}", list(lines)))
            }
            RulesError::Refused(problems) => {
                let last = problems.iter().any(|p| p.problem == RuleProblem::LastRule);
                let lines = problems.iter().map(|p| p.problem.to_string()).collect();
                let hint = if last {
                    "\nNothing was removed; add --yes if you mean it, or switch the rule off with `rules set … --enabled off`"
                } else {
                    ""
                };
                Failure::failed(format!("this rule cannot be:{}{hint}", list(lines)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
