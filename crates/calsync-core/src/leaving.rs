//! Calendars on their way out: what a disabling or a reset would remove, whether it is over, and what keeps the rest.
//! Pure functions over ledgers and rows. They remove nothing themselves: that is the planner's, as for everything else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::{Account, AccountStatus, Calendar};
use crate::hold::Hold;
use crate::ids::CalendarId;
use crate::ledger::{LedgerRow, LedgerState};

/// Blocks of one calendar that stand, or may stand, in another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BlocksBetween)]
pub struct Share {
    /// Whose time they hold. Nobody's where their origin is lost.
    pub source: CalendarId,
    /// Where they stand.
    pub target: CalendarId,
    /// How many.
    pub blocks: usize,
}

/// What goes, or is left, when these calendars leave: the blocks of each in all others, and of all others in each. A block
/// that we only set out to make counts: it may stand.
pub fn shares<'a>(
    leaving: &BTreeSet<CalendarId>,
    ledger: impl IntoIterator<Item = &'a LedgerRow>,
) -> Vec<Share> {
    let mut counts: BTreeMap<(CalendarId, CalendarId), usize> = BTreeMap::new();
    let concerns = |row: &&LedgerRow| leaving.contains(&row.source) || leaving.contains(&row.target);
    for row in ledger.into_iter().filter(concerns).filter(|row| row.state != LedgerState::Gone) {
        *counts.entry((row.source, row.target)).or_default() += 1;
    }
    counts.into_iter().map(|((source, target), blocks)| Share { source, target, blocks }).collect()
}

/// Whether a calendar on its way out is still to be read once to its end: there may be blocks in it that the ledger does
/// not name, because an answer or a database was lost. One that we can't write to holds none.
pub fn wants_last_look(calendar: &Calendar, account: Option<&Account>) -> bool {
    calendar.is_on_its_way_out()
        && calendar.last_full_sync.is_none()
        && !calendar.missing
        && calendar.access.may_write()
        && account.is_some_and(|a| a.status == AccountStatus::Active)
}

/// Whether a calendar's way out has come to its end: it was looked at once more, and no block of it or in it is left.
pub fn is_over(calendar: &Calendar, account: Option<&Account>, left: &[Share]) -> bool {
    let concerns = |s: &Share| s.source == calendar.id || s.target == calendar.id;
    calendar.is_on_its_way_out() && !wants_last_look(calendar, account) && !left.iter().any(concerns)
}

/// What keeps blocks from being removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "detail")]
pub enum Obstacle {
    /// The account must be connected again.
    NeedsReconnect,
    /// Its owner switched the account off.
    AccountDisabled,
    /// The provider no longer lists the calendar.
    Missing,
    /// The calendar was stopped: nothing is written there.
    Stopped,
    /// The account may only read the calendar.
    ReadOnly,
    /// The brake holds the plan for it.
    Held,
    /// The provider would not, last time.
    Provider(String),
    /// Nothing: it is under way.
    UnderWay,
}

/// What keeps blocks from being removed from this calendar: the first thing that a person would have to mend.
pub fn obstacle(
    target: &Calendar,
    account: Option<&Account>,
    hold: Option<&Hold>,
    last_error: Option<&str>,
) -> Obstacle {
    match account.map(|a| a.status) {
        None | Some(AccountStatus::NeedsReconnect) => return Obstacle::NeedsReconnect,
        Some(AccountStatus::Disabled) => return Obstacle::AccountDisabled,
        Some(AccountStatus::Active) => {}
    }
    match (last_error, hold) {
        _ if target.missing => Obstacle::Missing,
        _ if target.is_stopped() => Obstacle::Stopped,
        _ if !target.access.may_write() => Obstacle::ReadOnly,
        (Some(error), _) => Obstacle::Provider(error.to_owned()),
        (None, Some(_)) => Obstacle::Held,
        (None, None) => Obstacle::UnderWay,
    }
}

#[cfg(test)]
mod tests;
