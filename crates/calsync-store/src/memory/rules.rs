//! Rules in memory: what changes with them, and which calendars that concerns.

use calsync_core::ids::CalendarId;
use calsync_core::ports::{StoreError, Wish};
use calsync_core::rule::{Rule, RuleStep, RulesSeen};
use calsync_core::time::Ts;

use super::{State, conflict};
use crate::rows::missing;

impl State {
    pub(super) fn change_rules(&mut self, step: &RuleStep, now: Ts) -> Result<bool, StoreError> {
        let state = self.user_state(step.user)?.ok_or_else(|| missing("user"))?;
        if RulesSeen::of(&state.rules, &state.calendars, &state.rule_defaults) != step.seen {
            return Ok(false);
        }
        let theirs = |id: &CalendarId| state.calendars.iter().any(|c| c.id == *id);
        let ends = |r: &Rule| theirs(&r.source) && theirs(&r.target) && r.source != r.target;
        let free = |r: &Rule| {
            let other = self.rules.get(&r.id).filter(|known| known.ends() != r.ends());
            other.is_none_or(|known| step.removed.contains(&known.id))
        };
        let possible = |r: &Rule| r.user == step.user && ends(r) && free(r);
        if !step.put.iter().all(possible) || !step.enabled.iter().all(theirs) {
            return Err(conflict(
                "these rules cannot be stored: both calendars must exist and belong to their user",
            ));
        }
        for rule in &step.removed {
            self.rules.remove(rule);
        }
        for rule in &step.put {
            let known = self.rules.values().find(|r| r.ends() == rule.ends()).map(|r| r.id);
            let id = known.unwrap_or(rule.id);
            self.rules.insert(id, Rule { id, ..rule.clone() });
        }
        self.forget_copied(|source, target| step.narrowed.contains(&(source, target)));
        if let Some(defaults) = &step.defaults {
            self.rule_defaults.insert(step.user, defaults.clone());
        }
        for calendar in &step.enabled {
            self.join(*calendar, now)?;
        }
        for id in &step.plan {
            self.calendar_mut(*id)?.plan_due = true;
        }
        for id in &step.list {
            self.calendar_mut(*id)?.full_due = true;
        }
        // One that joins was raised already, with all others that take part.
        let joined = !step.enabled.is_empty();
        let takes_part = |id: &&CalendarId| self.calendars.get(id).is_some_and(|c| c.sync_enabled);
        let raised: Vec<CalendarId> =
            step.raise.iter().filter(|id| !(joined && takes_part(id))).copied().collect();
        self.raise(&raised, Wish::Changes, now)?;
        for line in &step.audit {
            self.audit(&step.who, line, now)?;
        }
        Ok(true)
    }
}
