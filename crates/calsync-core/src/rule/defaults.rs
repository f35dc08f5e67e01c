//! What a user's new calendars begin with: the options of new rules, and whether a newly enabled calendar is linked with
//! the others. Pure; changes no rule that is in force already.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::force::{between, in_force};
use super::{Rule, RuleOptions};
use crate::calendar::Calendar;
use crate::ids::CalendarId;

/// What new calendars begin with.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleDefaults {
    /// The options of new rules.
    pub options: RuleOptions,
    /// What a newly enabled calendar is linked with.
    pub link: Link,
}

/// What a newly enabled calendar is linked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NewCalendarLink)]
pub enum Link {
    /// With all others that are enabled, in both directions.
    #[default]
    All,
    /// With none: somebody makes its rules.
    None,
}

/// The stored rules once this calendar is enabled. Who has none goes on with the implied ones; a calendar that has rules
/// from its former times keeps them, and gets no others.
pub fn linked(
    stored: &[Rule],
    calendars: &[Calendar],
    defaults: &RuleDefaults,
    new: CalendarId,
) -> Vec<Rule> {
    let mut after = stored.to_vec();
    let known = stored.iter().any(|r| r.source == new || r.target == new);
    let Some(calendar) = calendars.iter().find(|c| c.id == new) else { return after };
    if stored.is_empty() || known || defaults.link == Link::None {
        return after;
    }
    for other in calendars.iter().filter(|c| c.id != new && in_force(c)) {
        after.extend(between(calendar, other, defaults));
        after.extend(between(other, calendar, defaults));
    }
    after
}
