//! Rules in memory: what changes with them, and which calendars that concerns.

use std::collections::BTreeSet;

use calsync_core::event::TextPolicy;
use calsync_core::ids::{CalendarId, RuleId};
use calsync_core::ports::{StoreError, Wish};
use calsync_core::rule::{Rule, RuleStep, RulesSeen};
use calsync_core::time::Ts;

use super::{State, conflict};
use crate::rows::{missing, texts_of};

impl State {
    pub(super) fn put_rule(&mut self, rule: &Rule, now: Ts) -> Result<(), StoreError> {
        let owner = |id| self.calendars.get(&id).map(|c| c.user);
        if rule.source == rule.target {
            return Err(conflict("a calendar cannot block itself"));
        }
        if owner(rule.source) != Some(rule.user) || owner(rule.target) != Some(rule.user) {
            return Err(conflict("both calendars of a rule must exist and belong to its user"));
        }
        let ends = |r: &Rule| (r.source, r.target);
        let known = self.rules.values().find(|r| ends(r) == ends(rule)).map(|r| r.id);
        if known.is_none() && self.rules.contains_key(&rule.id) {
            return Err(conflict("another rule has this id already"));
        }
        let first = !self.rules.values().any(|r| r.user == rule.user);
        let texts = texts_of(self.rules.values(), rule.source);
        let id = known.unwrap_or(rule.id);
        self.rules.insert(id, Rule { id, ..rule.clone() });
        self.rules_changed(rule, first, texts, now)
    }

    pub(super) fn remove_rule(&mut self, rule: RuleId, now: Ts) -> Result<(), StoreError> {
        let Some(rule) = self.rules.get(&rule).cloned() else { return Ok(()) };
        let texts = texts_of(self.rules.values(), rule.source);
        self.rules.remove(&rule.id);
        let last = !self.rules.values().any(|r| r.user == rule.user);
        self.rules_changed(&rule, last, texts, now)
    }

    /// `mesh`: the first rule of a user ends the mesh of all calendars, and the last one's end restores it.
    fn rules_changed(
        &mut self,
        rule: &Rule,
        mesh: bool,
        before: TextPolicy,
        now: Ts,
    ) -> Result<(), StoreError> {
        let texts = before != texts_of(self.rules.values(), rule.source);
        self.forget_narrowed(rule.source, rule.target, before);
        self.calendar_mut(rule.source)?.full_due |= texts;
        self.calendar_mut(rule.target)?.plan_due = true;
        let mut raised: BTreeSet<CalendarId> = [rule.source, rule.target].into();
        if mesh {
            for calendar in self.calendars.values_mut().filter(|c| c.user == rule.user && c.sync_enabled) {
                calendar.plan_due = true;
                raised.insert(calendar.id);
            }
        }
        let raised: Vec<CalendarId> = raised.into_iter().collect();
        self.raise(&raised, Wish::Changes, now)
    }

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
