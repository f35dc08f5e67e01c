//! From one set of rules to another, as the store takes it over: what to write, whom it concerns, and what it was made from.
//! Pure. It never looks at events: which blocks differ is the planner's business.

use std::collections::{BTreeMap, BTreeSet};

use super::force::in_force;
use super::{Rule, RuleDefaults, effective};
use crate::calendar::Calendar;
use crate::event::TextPolicy;
use crate::ids::{CalendarId, RuleId, UserId};

/// What a change was made from. It is taken over only where all of this is still so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RulesSeen {
    /// The stored rules, by id.
    pub rules: Vec<Rule>,
    /// What new calendars begin with.
    pub defaults: RuleDefaults,
    /// The calendars between which rules are in force.
    pub in_force: BTreeSet<CalendarId>,
}

impl RulesSeen {
    /// Of what is known of a user.
    pub fn of(rules: &[Rule], calendars: &[Calendar], defaults: &RuleDefaults) -> RulesSeen {
        let mut rules = rules.to_vec();
        rules.sort_by_key(|rule| rule.id);
        let in_force = calendars.iter().filter(|c| in_force(c)).map(|c| c.id).collect();
        RulesSeen { rules, defaults: defaults.clone(), in_force }
    }
}

/// A change of a user's rules as one fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleStep {
    /// Whose.
    pub user: UserId,
    /// What it was made from.
    pub seen: RulesSeen,
    /// Rules that are new or other than they were, with all of their options.
    pub put: Vec<Rule>,
    /// Rules that go.
    pub removed: Vec<RuleId>,
    /// New defaults.
    pub defaults: Option<RuleDefaults>,
    /// Calendars that take part from now on.
    pub enabled: BTreeSet<CalendarId>,
    /// Targets to be planned again.
    pub plan: BTreeSet<CalendarId>,
    /// Sources whose events must be stored with other texts: they are listed in full.
    pub list: BTreeSet<CalendarId>,
    /// Cells that copy less than they did: what they copied is to be forgotten wherever it was kept.
    pub narrowed: BTreeSet<(CalendarId, CalendarId)>,
    /// Calendars to be looked at.
    pub raise: BTreeSet<CalendarId>,
    /// Who changed it.
    pub who: String,
    /// What is written down about it, line by line.
    pub audit: Vec<String>,
}

impl RuleStep {
    /// Whether it changes anything.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.removed.is_empty() && self.defaults.is_none() && self.enabled.is_empty()
    }
}

/// The step from these rules, calendars and defaults to those.
pub fn step(
    user: UserId,
    before: (&[Rule], &[Calendar], &RuleDefaults),
    after: (&[Rule], &[Calendar], &RuleDefaults),
) -> RuleStep {
    let old: BTreeMap<RuleId, &Rule> = before.0.iter().map(|r| (r.id, r)).collect();
    let new: BTreeMap<RuleId, &Rule> = after.0.iter().map(|r| (r.id, r)).collect();
    let put = new.values().filter(|r| old.get(&r.id) != Some(r)).map(|r| (*r).clone()).collect();
    let removed = old.keys().filter(|id| !new.contains_key(id)).copied().collect();
    let (was, is) = (effective(before.0, before.1, before.2), effective(after.0, after.1, after.2));
    let by_ends =
        |rules: &[Rule]| -> BTreeMap<_, _> { rules.iter().map(|r| (r.ends(), r.clone())).collect() };
    let (was, is) = (by_ends(&was), by_ends(&is));
    let ends: BTreeSet<_> =
        was.keys().chain(is.keys()).filter(|e| was.get(e) != is.get(e)).copied().collect();
    let texts = |rules: &BTreeMap<_, Rule>, source| {
        let from_here = rules.values().filter(|r: &&Rule| r.source == source);
        from_here.fold(TextPolicy::default(), |all, r| all.or(r.options.text_policy()))
    };
    let copies = |rules: &BTreeMap<_, Rule>, ends: &_| {
        rules.get(ends).map(|rule| rule.options.text_policy()).unwrap_or_default()
    };
    let narrower = |ends: &&_| copies(&was, ends).or(copies(&is, ends)) != copies(&is, ends);
    let sources: BTreeSet<CalendarId> = ends.iter().map(|(source, _)| *source).collect();
    let takes_part =
        |c: &&Calendar| c.takes_part() && !before.1.iter().any(|b| b.id == c.id && b.takes_part());
    RuleStep {
        user,
        seen: RulesSeen::of(before.0, before.1, before.2),
        put,
        removed,
        defaults: (before.2 != after.2).then(|| after.2.clone()),
        enabled: after.1.iter().filter(takes_part).map(|c| c.id).collect(),
        plan: ends.iter().map(|(_, target)| *target).collect(),
        list: sources.iter().filter(|s| texts(&was, **s) != texts(&is, **s)).copied().collect(),
        narrowed: ends.iter().filter(narrower).copied().collect(),
        raise: ends.iter().flat_map(|(source, target)| [*source, *target]).collect(),
        who: String::new(),
        audit: Vec::new(),
    }
}
