//! Rules as use cases: the grid of a user's calendars, changing several cells at once, and what new calendars begin with.
//! What makes sense is decided by `core::rule`; the store takes a change over only where what it was made from is still so.

use calsync_core::calendar::Calendar;
use calsync_core::ids::{CalendarId, RuleId, UserId};
use calsync_core::names::Names;
use calsync_core::ports::UserState;
use calsync_core::rule::{
    self, Cell, CellProblem, Link, Refusal, Rule, RuleChanges, RuleDefaults, RuleProblem, RuleStep, implied,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Engine, EngineError};

/// Tries to take over a change that others' changes got in before.
const TRIES: usize = 8;

/// A user's rules, as a grid shows them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleGrid {
    /// All calendars, by id.
    pub calendars: Vec<Calendar>,
    /// What they are called.
    #[serde(skip)]
    pub names: Names,
    /// Every cell: each calendar with each other one.
    pub cells: Vec<Cell>,
    /// What new calendars begin with.
    pub defaults: RuleDefaults,
}

/// What changing rules did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct RulesChanged {
    /// Rules that were implied until now, and are stored from now on.
    pub were_implied: usize,
    /// Rules that are new or other than they were.
    pub changed: Vec<Rule>,
    /// Rules that are gone.
    pub removed: Vec<Rule>,
}

/// Why rules were not changed. Nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RulesError {
    /// It makes no sense: everything that is wrong, cell by cell.
    #[error("these rules cannot be: {}", words(.0))]
    Refused(Vec<CellProblem>),
    /// The defaults make no sense.
    #[error("these defaults cannot be: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    BadDefaults(Vec<RuleProblem>),
    /// Somebody changed these cells since they were shown: what is there now.
    #[error("somebody else changed these rules meanwhile: look at them again")]
    Conflict(Vec<Cell>),
    /// Something failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<calsync_core::ports::StoreError> for RulesError {
    fn from(error: calsync_core::ports::StoreError) -> RulesError {
        RulesError::Engine(error.into())
    }
}

impl From<Refusal> for RulesError {
    fn from(refusal: Refusal) -> RulesError {
        match refusal {
            Refusal::Problems(problems) => RulesError::Refused(problems),
            Refusal::Conflict(cells) => RulesError::Conflict(cells),
        }
    }
}

fn words(problems: &[CellProblem]) -> String {
    problems.iter().map(|p| p.problem.to_string()).collect::<Vec<_>>().join("; ")
}

impl Engine {
    /// A user's calendars with all rules between them, stored and implied.
    pub async fn rules(&self, user: UserId) -> Result<RuleGrid, EngineError> {
        Ok(grid(self.state(user).await?))
    }

    /// Changes rules, all of them or none. What they are made from is looked at again in the store's own transaction: of
    /// two who change the same cell neither is lost.
    pub async fn change_rules(
        &self,
        user: UserId,
        asked: &RuleChanges,
        who: &str,
    ) -> Result<RulesChanged, RulesError> {
        for _ in 0..TRIES {
            let state = self.state(user).await?;
            let after = rule::decide(user, of(&state), asked)?;
            let mut step =
                rule::step(user, of(&state), (&after.rules, &state.calendars, &state.rule_defaults));
            let changed = changed(&state, &step, after.were_implied);
            step.audit = lines(&changed);
            if self.take_over(step, who).await? {
                return Ok(changed);
            }
        }
        Err(EngineError::Busy.into())
    }

    /// What a user's new calendars begin with.
    pub async fn rule_defaults(&self, user: UserId) -> Result<RuleDefaults, EngineError> {
        Ok(self.state(user).await?.rule_defaults)
    }

    /// Changes that. Rules that are in force stay as they are: implied ones are stored first. `made_from`: what it was made
    /// from; if it is something else by now, that is a conflict.
    pub async fn set_rule_defaults(
        &self,
        user: UserId,
        (new, made_from): (&RuleDefaults, Option<&RuleDefaults>),
        who: &str,
    ) -> Result<RulesChanged, RulesError> {
        let problems = new.options.problems();
        if !problems.is_empty() {
            return Err(RulesError::BadDefaults(problems));
        }
        for _ in 0..TRIES {
            let state = self.state(user).await?;
            if made_from.is_some_and(|from| *from != state.rule_defaults) {
                return Err(RulesError::Conflict(Vec::new()));
            }
            let stored = state.rules.is_empty() && *new != state.rule_defaults;
            let rules =
                if stored { implied(&state.calendars, &state.rule_defaults) } else { state.rules.clone() };
            let were_implied = if stored { rules.len() } else { 0 };
            let mut step = rule::step(user, of(&state), (&rules, &state.calendars, new));
            step.audit = vec![match new.link {
                Link::All => {
                    format!("new calendars of user {user} are linked with all others, by new defaults")
                }
                Link::None => format!("new calendars of user {user} are linked with none, by new defaults"),
            }];
            let changed = changed(&state, &step, were_implied);
            if self.take_over(step, who).await? {
                return Ok(changed);
            }
        }
        Err(EngineError::Busy.into())
    }

    /// Whether the store took it over. Nothing at all is nothing to take over.
    pub(crate) async fn take_over(&self, step: RuleStep, who: &str) -> Result<bool, EngineError> {
        if step.is_empty() {
            return Ok(true);
        }
        let step = RuleStep { who: who.to_owned(), ..step };
        Ok(self.store.change_rules(&step, self.clock.now()).await?)
    }
}

/// What rules are decided from.
pub(crate) fn of(state: &UserState) -> (&[Rule], &[Calendar], &RuleDefaults) {
    (&state.rules, &state.calendars, &state.rule_defaults)
}

fn grid(state: UserState) -> RuleGrid {
    let cells = rule::cells(&state.rules, &state.calendars, &state.rule_defaults);
    let names = state.names();
    RuleGrid { calendars: state.calendars, names, cells, defaults: state.rule_defaults }
}

/// What a step changes for a person: that an implied rule is stored from now on is no change of it.
fn changed(state: &UserState, step: &RuleStep, were_implied: usize) -> RulesChanged {
    let was: Vec<Rule> =
        if were_implied > 0 { implied(&state.calendars, &state.rule_defaults) } else { state.rules.clone() };
    let is_known = |rule: &&Rule| !was.contains(rule);
    let stays = |rule: &&Rule| {
        if were_implied > 0 {
            step.put.iter().any(|r| r.id == rule.id)
        } else {
            !step.removed.contains(&rule.id)
        }
    };
    RulesChanged {
        were_implied,
        changed: step.put.iter().filter(is_known).cloned().collect(),
        removed: was.iter().filter(|rule| !stays(rule)).cloned().collect(),
    }
}

fn lines(changed: &RulesChanged) -> Vec<String> {
    let between = |rule: &Rule| {
        let (RuleId(id), CalendarId(source), CalendarId(target)) = (rule.id, rule.source, rule.target);
        format!("rule {id} from {source} to {target}")
    };
    let implied =
        (changed.were_implied > 0).then(|| format!("stored {} implied rules", changed.were_implied));
    let set = changed
        .changed
        .iter()
        .map(|r| format!("set {}, {}", between(r), if r.options.enabled { "on" } else { "off" }));
    let removed = changed.removed.iter().map(|r| format!("removed {}", between(r)));
    implied.into_iter().chain(set).chain(removed).collect()
}
