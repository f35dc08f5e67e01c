//! Changing rules: several at once, judged all at once, from what somebody was shown. Pure: rules and wishes in, the rules
//! from then on out, or what stands against it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::force::{derived_id, effective, implied};
use super::{CHANGES_MAX, Rule, RuleDefaults, RuleOptions, RuleProblem};
use crate::calendar::Calendar;
use crate::ids::{CalendarId, UserId};

/// One cell of the grid of a user's calendars: what the events of one do in another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = RuleCell)]
pub struct Cell {
    /// Where events are read.
    pub source: CalendarId,
    /// Where blocks are written.
    pub target: CalendarId,
    /// Its rule, stored or implied.
    pub rule: Option<Rule>,
    /// Somebody stored it.
    pub stored: bool,
    /// It is on, between calendars that take part.
    pub in_force: bool,
    /// What a change of it is made from.
    pub print: CellPrint,
}

/// A digest of a cell as it was shown: another one means that somebody changed it since.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct CellPrint(pub String);

impl CellPrint {
    /// Of a cell with these options, or without a rule. Whether its rule is stored or implied makes no difference.
    pub fn of(options: Option<&RuleOptions>) -> CellPrint {
        // A struct of plain fields always becomes JSON; its fields keep their order.
        let text = options.map(|o| serde_json::to_string(o).unwrap_or_default()).unwrap_or_default();
        let digest = Sha256::digest(text.as_bytes());
        CellPrint(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A change of one cell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleChange {
    /// Where events are read.
    pub source: CalendarId,
    /// Where blocks are written.
    pub target: CalendarId,
    /// What it is to be.
    pub to: RuleTo,
    /// The cell that it was made from. Without it, whatever is there is changed.
    #[serde(default)]
    pub made_from: Option<CellPrint>,
}

/// What a cell is to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleTo {
    /// A rule with these options.
    Set(Box<RuleOptions>),
    /// No rule.
    Removed,
}

/// What becomes of rules that nobody asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unasked {
    /// All others stay as they are: implied rules are stored before the first change, and the last rule does not go.
    #[default]
    Stay,
    /// Implied rules end with the first stored one.
    End,
    /// As with `Stay`, but when the last rule goes the implied ones come back.
    ComeBack,
}

/// Several changes in one go: all of them happen, or none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleChanges {
    /// The changes, each of another cell.
    pub changes: Vec<RuleChange>,
    /// What becomes of the rules that they do not name.
    #[serde(default)]
    pub unasked: Unasked,
}

/// What is wrong with a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellProblem {
    /// Where events are read.
    pub source: CalendarId,
    /// Where blocks are written.
    pub target: CalendarId,
    /// What is wrong.
    pub problem: RuleProblem,
}

/// What stands against changes. Nothing is done of any of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// They make no sense: everything that is wrong.
    Problems(Vec<CellProblem>),
    /// Somebody changed these cells since they were shown: what is there now.
    Conflict(Vec<Cell>),
}

/// The stored rules once changes are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RulesAfter {
    /// All stored rules, by id.
    pub rules: Vec<Rule>,
    /// So many of them were implied until now.
    pub were_implied: usize,
}

/// Every cell of these calendars.
pub fn cells(stored: &[Rule], calendars: &[Calendar], defaults: &RuleDefaults) -> Vec<Cell> {
    let in_force: BTreeSet<_> = effective(stored, calendars, defaults).iter().map(Rule::ends).collect();
    let rules = in_effect(stored, calendars, defaults);
    let rules: BTreeMap<_, Rule> = rules.into_iter().map(|rule| (rule.ends(), rule)).collect();
    let mut cells = Vec::new();
    for source in calendars {
        for target in calendars.iter().filter(|c| c.id != source.id) {
            let rule = rules.get(&(source.id, target.id));
            cells.push(Cell {
                source: source.id,
                target: target.id,
                rule: rule.cloned(),
                stored: rule.is_some() && !stored.is_empty(),
                in_force: in_force.contains(&(source.id, target.id)),
                print: CellPrint::of(rule.map(|r| &r.options)),
            });
        }
    }
    cells
}

/// What these changes make of a user's rules.
pub fn decide(
    user: UserId,
    (stored, calendars, defaults): (&[Rule], &[Calendar], &RuleDefaults),
    asked: &RuleChanges,
) -> Result<RulesAfter, Refusal> {
    let now = in_effect(stored, calendars, defaults);
    let at = |change: &RuleChange| now.iter().find(|r| r.ends() == (change.source, change.target));
    let problems = problems(user, calendars, asked, |change| at(change).is_some());
    if !problems.is_empty() {
        return Err(Refusal::Problems(problems));
    }
    let differs = |change: &&RuleChange| {
        let print = CellPrint::of(at(change).map(|r| &r.options));
        change.made_from.as_ref().is_some_and(|from| *from != print)
    };
    let stale: BTreeSet<_> = asked.changes.iter().filter(differs).map(|c| (c.source, c.target)).collect();
    if !stale.is_empty() {
        let all = cells(stored, calendars, defaults);
        let there = all.into_iter().filter(|c| stale.contains(&(c.source, c.target))).collect();
        return Err(Refusal::Conflict(there));
    }
    let (mut rules, mut were_implied) = (stored.to_vec(), 0);
    if stored.is_empty() && asked.unasked != Unasked::End && !asked.changes.is_empty() {
        were_implied = now.len();
        rules = now;
    }
    for change in &asked.changes {
        let place = rules.iter().position(|r| r.ends() == (change.source, change.target));
        match (&change.to, place) {
            (RuleTo::Set(options), Some(place)) => rules[place].options.clone_from(options),
            (RuleTo::Set(options), None) => rules.push(Rule {
                id: derived_id(change.source, change.target),
                user,
                source: change.source,
                target: change.target,
                options: (**options).clone(),
            }),
            (RuleTo::Removed, Some(place)) => drop(rules.remove(place)),
            (RuleTo::Removed, None) => {}
        }
    }
    let comes_back = rules.is_empty() && !implied(calendars, defaults).is_empty();
    if comes_back && !asked.changes.is_empty() && asked.unasked != Unasked::ComeBack {
        let last = asked.changes.iter().map(|c| problem(c, RuleProblem::LastRule)).collect();
        return Err(Refusal::Problems(last));
    }
    rules.sort_by_key(|r| r.id);
    Ok(RulesAfter { rules, were_implied })
}

/// The rules that a person sees: stored, or implied.
fn in_effect(stored: &[Rule], calendars: &[Calendar], defaults: &RuleDefaults) -> Vec<Rule> {
    if stored.is_empty() { implied(calendars, defaults) } else { stored.to_vec() }
}

fn problem(change: &RuleChange, problem: RuleProblem) -> CellProblem {
    CellProblem { source: change.source, target: change.target, problem }
}

fn problems(
    user: UserId,
    calendars: &[Calendar],
    asked: &RuleChanges,
    there: impl Fn(&RuleChange) -> bool,
) -> Vec<CellProblem> {
    if let (Some(first), true) = (asked.changes.first(), asked.changes.len() > CHANGES_MAX) {
        return vec![problem(first, RuleProblem::TooMany)];
    }
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let by_id = |id: CalendarId| calendars.iter().find(|c| c.id == id);
    for change in &asked.changes {
        let mut say = |what| found.push(problem(change, what));
        if !seen.insert((change.source, change.target)) {
            say(RuleProblem::Twice);
        }
        let (Some(source), Some(target)) = (by_id(change.source), by_id(change.target)) else {
            say(RuleProblem::UnknownCalendar);
            continue;
        };
        match &change.to {
            RuleTo::Set(options) => {
                let (id, options) = (derived_id(source.id, target.id), (**options).clone());
                let rule = Rule { id, user, source: source.id, target: target.id, options };
                rule.problems(source, target).into_iter().for_each(say);
            }
            RuleTo::Removed if !there(change) => say(RuleProblem::NoSuchRule),
            RuleTo::Removed => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
