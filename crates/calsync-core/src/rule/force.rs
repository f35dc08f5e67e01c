//! Which rules are in force: the stored ones, or, where there are none, those that follow from the calendars. Pure.

use sha2::{Digest, Sha256};

use super::{Link, Rule, RuleDefaults};
use crate::calendar::Calendar;
use crate::ids::{CalendarId, RuleId};

/// The rules in force for one user: the stored ones, or, if there are none, the implied ones.
/// Rules from or to a calendar that is not sync-enabled are off: their blocks are removed. One that was stopped keeps its
/// rules: nothing is known of it, so nothing is done by them.
pub fn effective(stored: &[Rule], calendars: &[Calendar], defaults: &RuleDefaults) -> Vec<Rule> {
    if stored.is_empty() {
        return implied(calendars, defaults);
    }
    let on = |id: CalendarId| calendars.iter().find(|c| c.id == id).is_some_and(in_force);
    stored.iter().filter(|r| r.options.enabled && on(r.source) && on(r.target)).cloned().collect()
}

/// The rules of a user who has stored none: a mesh of all sync-enabled calendars, unless new ones are to be linked with none.
pub fn implied(calendars: &[Calendar], defaults: &RuleDefaults) -> Vec<Rule> {
    if defaults.link == Link::None {
        return Vec::new();
    }
    let mut mesh = Vec::new();
    for source in calendars.iter().filter(|c| in_force(c)) {
        for target in calendars.iter().filter(|c| in_force(c)) {
            mesh.extend(between(source, target, defaults));
        }
    }
    mesh
}

/// The rule that follows from the defaults between two calendars, where there can be one.
pub(super) fn between(source: &Calendar, target: &Calendar, defaults: &RuleDefaults) -> Option<Rule> {
    let possible = target.access.may_write() && source.id != target.id && source.remote != target.remote;
    possible.then(|| Rule {
        id: derived_id(source.id, target.id),
        user: source.user,
        source: source.id,
        target: target.id,
        options: defaults.options.clone(),
    })
}

/// Whether rules from and to it are in force.
pub(super) fn in_force(calendar: &Calendar) -> bool {
    calendar.takes_part() || calendar.is_stopped()
}

/// The id of a rule, derived from its ends: the same whether somebody stored it or it is implied, and in every run.
pub fn derived_id(source: CalendarId, target: CalendarId) -> RuleId {
    let digest = Sha256::new().chain_update(source.0).chain_update(target.0).finalize();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    RuleId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}
