//! Rules of whoever is signed in: the grid, the options of a cell, what a change would do, and the change itself. Of two tabs that
//! change one cell neither is lost: the second is told what is there now.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::rule::{
    Cell as Known, CellPrint, Link, RuleChange, RuleChanges, RuleDefaults, RuleOptions, RuleTo, Unasked,
};
use calsync_engine::{RuleGrid, RulesError, Thought};
use calsync_pages::rules::{Cell, Defaults, Form as Shown, Panel, Row, Rules, links_all, words};
use calsync_pages::{Notice, Place};
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::session::Signed;
use super::{home, options, preview, times};
use crate::http::{ApiError, Params};
use crate::service::Service;

/// A form's fields.
type Fields = Vec<(String, String)>;

#[derive(Deserialize)]
pub(super) struct Wanted {
    source: Option<Uuid>,
    target: Option<Uuid>,
}

/// `GET /rules`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let grid = service.engine.rules(signed.user.id).await.map_err(answer::engine)?;
    let ends = wanted.source.zip(wanted.target).map(|(s, t)| (CalendarId(s), CalendarId(t)));
    // A rule between calendars that are not theirs is none that anybody could see here.
    let panel = ends.map(|ends| panel(&grid, ends).ok_or_else(ApiError::not_found)).transpose()?;
    page(&signed, &grid, panel, Vec::new(), StatusCode::OK)
}

fn page(
    signed: &Signed,
    grid: &RuleGrid,
    panel: Option<Panel>,
    wrong_defaults: Vec<String>,
    status: StatusCode,
) -> Answer {
    let shown: Vec<&Calendar> = grid.calendars.iter().filter(|c| c.sync_enabled || c.is_stopped()).collect();
    let chosen = panel.as_ref().map(|panel| (panel.source.0.clone(), panel.target.0.clone()));
    let row = |source: &&Calendar| Row {
        name: grid.names.get(source.id).to_owned(),
        cells: shown.iter().map(|target| cell(grid, source, target, chosen.as_ref())).collect(),
    };
    let page = Rules {
        frame: signed.frame(Place::Rules),
        targets: shown.iter().map(|calendar| grid.names.get(calendar.id).to_owned()).collect(),
        rows: shown.iter().map(row).collect(),
        panel,
        defaults: Defaults {
            form: form(grid, grid.defaults.options.clone()),
            links_all: links_all(grid.defaults.link),
            problems: wrong_defaults,
        },
    };
    answer::written(status, &page)
}

fn cell(grid: &RuleGrid, source: &Calendar, target: &Calendar, chosen: Option<&(String, String)>) -> Cell {
    if source.id == target.id {
        return Cell::Itself;
    }
    if !target.access.may_write() {
        return Cell::ReadOnly;
    }
    let rule = known(grid, (source.id, target.id)).and_then(|cell| cell.rule.as_ref());
    let (source, target) = (source.id.to_string(), target.id.to_string());
    Cell::Rule {
        href: format!("/rules?source={source}&target={target}#panel"),
        is_on: rule.is_some_and(|rule| rule.options.enabled),
        is_chosen: chosen.is_some_and(|(s, t)| *s == source && *t == target),
        words: rule.map(|rule| words(&rule.options)).unwrap_or_default(),
    }
}

fn known(grid: &RuleGrid, (source, target): (CalendarId, CalendarId)) -> Option<&Known> {
    grid.cells.iter().find(|cell| cell.source == source && cell.target == target)
}

fn form(grid: &RuleGrid, options: RuleOptions) -> Shown {
    let zone = times::name(&home::zone(grid.calendars.iter())).to_owned();
    Shown { options, zone }
}

/// The options of a cell as they are; of one without a rule, those that a new one would have, switched off.
fn panel(grid: &RuleGrid, ends: (CalendarId, CalendarId)) -> Option<Panel> {
    let cell = known(grid, ends)?;
    let new = || RuleOptions { enabled: false, ..grid.defaults.options.clone() };
    let options = cell.rule.as_ref().map_or_else(new, |rule| rule.options.clone());
    let name = |id: CalendarId| {
        let calendar = grid.calendars.iter().find(|calendar| calendar.id == id);
        calendar.map(|calendar| (id.to_string(), grid.names.get(calendar.id).to_owned()))
    };
    Some(Panel {
        source: name(cell.source)?,
        target: name(cell.target)?,
        made_from: cell.print.0.clone(),
        form: form(grid, options),
        problems: Vec::new(),
        preview: None,
    })
}

/// `POST /rules`: looks at a change, or makes it.
pub(super) async fn change(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Form(fields): Form<Fields>,
) -> Answer {
    let grid = service.engine.rules(signed.user.id).await.map_err(answer::engine)?;
    let field = |name: &str| options::field(&fields, name);
    let id = |name: &str| Uuid::try_parse(field(name)).ok().map(CalendarId);
    let ends = id("source").zip(id("target")).ok_or_else(ApiError::not_found)?;
    let mut panel = panel(&grid, ends).ok_or_else(ApiError::not_found)?;
    // What the form does not show stays as it is.
    let (asked, problems) = options::read(&fields, panel.form.options.clone());
    panel.form = form(&grid, asked.clone());
    panel.made_from = field("made_from").to_owned();
    panel.problems = problems;
    if !panel.problems.is_empty() {
        return page(&signed, &grid, Some(panel), Vec::new(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let change = RuleChange {
        source: ends.0,
        target: ends.1,
        to: RuleTo::Set(Box::new(asked)),
        made_from: Some(CellPrint(panel.made_from.clone())),
    };
    let changes = RuleChanges { changes: vec![change], unasked: Unasked::Stay };
    let done = if field("do") == "save" {
        service.engine.change_rules(signed.user.id, &changes, &signed.user.email).await.map(|_| None)
    } else {
        let thought = Thought { changes, enable: Vec::new() };
        let would = service.engine.preview_rules(signed.user.id, &thought).await;
        would.map(|would| Some(preview::of(&would, &grid.calendars, &grid.names)))
    };
    match done {
        Ok(None) => {
            service.wake();
            let path = format!("/rules?source={}&target={}", ends.0, ends.1);
            let state = home::state(&service, &signed).await?;
            let held = state.holds.iter().any(|hold| hold.target == ends.1 && !hold.approved);
            Ok(answer::on_to_saying(&path, &saved(held.then(|| grid.names.get(ends.1)))))
        }
        Ok(would) => {
            panel.preview = would;
            page(&signed, &grid, Some(panel), Vec::new(), StatusCode::OK)
        }
        Err(error) => refused(&service, &signed, error, panel, ends).await,
    }
}

/// What saving does. `held`: the name of the target, where its plan is held: then only what was asked to go does.
fn saved(held: Option<&str>) -> Notice {
    match held {
        None => Notice::good("Saved. Blocks that differ are written now."),
        Some(target) => Notice::info(format!(
            "Saved. {target} is held: until you approve it under Home, only blocks of rules that are off are removed there, and \
             nothing else is written."
        )),
    }
}

async fn refused(
    service: &Service,
    signed: &Signed,
    error: RulesError,
    mut asked: Panel,
    ends: (CalendarId, CalendarId),
) -> Answer {
    let grid = service.engine.rules(signed.user.id).await.map_err(answer::engine)?;
    match error {
        RulesError::Refused(problems) => {
            asked.problems = problems.iter().map(|one| options::words(&one.problem)).collect();
            page(signed, &grid, Some(asked), Vec::new(), StatusCode::UNPROCESSABLE_ENTITY)
        }
        RulesError::Conflict(_) => {
            let mut now = panel(&grid, ends).ok_or_else(ApiError::not_found)?;
            now.problems =
                vec!["This rule was changed meanwhile, here or in another window. This is how it is now; nothing was saved.".to_owned()];
            page(signed, &grid, Some(now), Vec::new(), StatusCode::CONFLICT)
        }
        RulesError::BadDefaults(problems) => {
            let problems = problems.iter().map(options::words).collect();
            page(signed, &grid, None, problems, StatusCode::UNPROCESSABLE_ENTITY)
        }
        RulesError::Engine(error) => Err(answer::engine(error)),
    }
}

/// `POST /rules/defaults`.
pub(super) async fn put_defaults(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Form(fields): Form<Fields>,
) -> Answer {
    let grid = service.engine.rules(signed.user.id).await.map_err(answer::engine)?;
    let (mut asked, problems) = options::read(&fields, grid.defaults.options.clone());
    // What is off would be no rule.
    asked.enabled = true;
    if !problems.is_empty() {
        return page(&signed, &grid, None, problems, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let link = if options::field(&fields, "links_all").is_empty() { Link::None } else { Link::All };
    let new = RuleDefaults { options: asked, link };
    match service.engine.set_rule_defaults(signed.user.id, (&new, None), &signed.user.email).await {
        Ok(_) => Ok(answer::on_to_saying("/rules", &Notice::good("Saved: new calendars begin with it."))),
        Err(RulesError::BadDefaults(problems)) => {
            let problems = problems.iter().map(options::words).collect();
            page(&signed, &grid, None, problems, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(RulesError::Engine(error)) => Err(answer::engine(error)),
        Err(error) => Err(ApiError::new(StatusCode::CONFLICT, "conflict", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_for_a_target_that_is_held() {
        assert_eq!(saved(None).text, "Saved. Blocks that differ are written now.");
        let held = saved(Some("Work")).text;
        assert!(held.contains("Work is held") && !held.contains("written now"), "{held}");
    }
}
