//! Calendars on their way out, as use cases: what would go, taking them out, and closing the matter when nothing is left.
//! The removing itself is every step's ordinary work, so that a crash costs nothing but time.

use std::collections::BTreeSet;

use calsync_core::calendar::{Account, Calendar};
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::leaving::{self, Obstacle, Share};
use calsync_core::ledger::LedgerRow;
use calsync_core::ports::{Lease, UserState};
use calsync_core::time::Ts;

use crate::{Engine, EngineError};

/// Blocks that are left in one calendar, and what keeps them.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Left {
    /// Where they stand.
    pub target: CalendarId,
    /// How many.
    pub blocks: usize,
    /// What keeps them.
    pub obstacle: Obstacle,
}

impl Engine {
    /// The blocks that go when these calendars of one user leave, or are left of that.
    pub async fn shares(
        &self,
        user: UserId,
        calendars: &BTreeSet<CalendarId>,
    ) -> Result<Vec<Share>, EngineError> {
        let Some(state) = self.store.user_state(user).await? else { return Ok(Vec::new()) };
        Ok(leaving::shares(calendars, &self.ledgers(&state).await?))
    }

    /// What is left of these calendars' blocks, by the calendar where it stands, and why.
    pub async fn left(
        &self,
        user: UserId,
        calendars: &BTreeSet<CalendarId>,
    ) -> Result<Vec<Left>, EngineError> {
        let Some(state) = self.store.user_state(user).await? else { return Ok(Vec::new()) };
        let shares = leaving::shares(calendars, &self.ledgers(&state).await?);
        let mut left = Vec::new();
        for target in &state.calendars {
            let blocks = shares.iter().filter(|s| s.target == target.id).map(|s| s.blocks).sum();
            if blocks > 0 {
                let writes = self.store.due_writes(target.id, Ts::MAX, 1).await?;
                let error = writes.first().and_then(|w| w.error.as_deref());
                let hold = state.holds.iter().find(|h| h.target == target.id);
                let obstacle = leaving::obstacle(target, account_of(&state, target), hold, error);
                left.push(Left { target: target.id, blocks, obstacle });
            }
        }
        Ok(left)
    }

    /// Closes the matter of every calendar whose way out has come to its end; whether there was one.
    pub(crate) async fn finish_leaving(&self, lease: &Lease, state: &UserState) -> Result<bool, EngineError> {
        let leaving: Vec<&Calendar> = state.calendars.iter().filter(|c| c.is_on_its_way_out()).collect();
        if leaving.is_empty() {
            return Ok(false);
        }
        let which: BTreeSet<CalendarId> = leaving.iter().map(|c| c.id).collect();
        let left = leaving::shares(&which, &self.ledgers(state).await?);
        let mut finished = false;
        for calendar in leaving {
            if let Some(why) = calendar.leaving
                && leaving::is_over(calendar, account_of(state, calendar), &left)
            {
                self.store.finish_leaving(lease, calendar.id, why).await?;
                finished = true;
            }
        }
        Ok(finished)
    }

    async fn ledgers(&self, state: &UserState) -> Result<Vec<LedgerRow>, EngineError> {
        let mut all = Vec::new();
        for calendar in &state.calendars {
            all.extend(self.store.ledger(calendar.id).await?.iter().cloned());
        }
        Ok(all)
    }
}

/// The account of one of a user's calendars.
pub(crate) fn account_of<'a>(state: &'a UserState, calendar: &Calendar) -> Option<&'a Account> {
    state.accounts.iter().find(|a| a.id == calendar.account)
}
