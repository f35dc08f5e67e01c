//! Random changes of somebody's rules: mostly made from what is there, sometimes from what is not.

use std::sync::Arc;

use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::Store;
use calsync_core::rule::{self, Link, Rule, RuleDefaults, RuleOptions, RuleStep, derived_id};

use super::super::world::*;
use super::Sequence;

impl Sequence {
    /// One for a user who is there, if the one drawn is.
    pub(super) async fn rule_step(&mut self, m: &Arc<dyn Store>) -> Option<RuleStep> {
        let user = UserId(id(self.user()));
        let state = m.user_state(user).await.unwrap()?;
        let mut rules: Vec<Rule> = state.rules.iter().filter(|_| self.often()).cloned().collect();
        for _ in 0..self.draw(3) {
            let ids: Vec<CalendarId> = state.calendars.iter().map(|c| c.id).collect();
            let (source, target) =
                if ids.is_empty() { break } else { (self.one_of(&ids), self.one_of(&ids)) };
            if rules.iter().any(|r| r.ends() == (source, target)) {
                continue;
            }
            let options =
                RuleOptions { copy_title: self.often(), enabled: self.often(), ..RuleOptions::default() };
            rules.push(Rule { id: derived_id(source, target), user, source, target, options });
        }
        let link = if self.often() { Link::All } else { Link::None };
        let defaults = RuleDefaults { link, ..RuleDefaults::default() };
        let mut calendars = state.calendars.clone();
        if let Some(one) = calendars.iter_mut().find(|c| !c.sync_enabled) {
            (one.sync_enabled, one.leaving) = (self.often(), None);
        }
        let before = (state.rules.as_slice(), state.calendars.as_slice(), &state.rule_defaults);
        let mut step = rule::step(user, before, (&rules, &calendars, &defaults));
        if !self.often() {
            step.seen.defaults.options.title = "Another".to_owned();
        }
        (step.who, step.audit) = ("somebody".to_owned(), vec!["name of a rule".to_owned()]);
        Some(step)
    }
}
