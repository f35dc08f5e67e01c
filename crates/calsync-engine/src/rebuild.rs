//! After the loss of the whole database: which calendars took part, told by the marks of our blocks in them. They are to be let in all
//! at once (`enable_calendars`): until a source takes part, its blocks look like nobody's.

use std::collections::BTreeSet;

use calsync_core::calendar::Calendar;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::plan::{ActionKind, Plan, Reason};
use serde::Serialize;

use crate::Engine;
use crate::preview::{RulesPreview, Thought, Unread};
use crate::rules::RulesError;

/// What a rebuild finds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Rebuild {
    /// Calendars that took part, and do not now.
    pub calendars: Vec<CalendarId>,
    /// Blocks that are known again by their marks.
    pub known: usize,
    /// What the next pass would do, were they to take part.
    pub would: RulesPreview,
}

impl Rebuild {
    /// Whether the next pass would write nothing.
    pub fn is_at_rest(&self) -> bool {
        self.would.targets.iter().all(|target| target.is_empty())
    }
}

impl Engine {
    /// Which of a user's calendars took part before. All of them must be readable: in one that is not, nobody knows.
    pub async fn preview_rebuild(&self, user: UserId) -> Result<Rebuild, RulesError> {
        let state = self.state(user).await?;
        let may = |c: &&Calendar| !c.missing && c.leaving.is_none();
        let all: Vec<CalendarId> = state.calendars.iter().filter(may).map(|c| c.id).collect();
        let planned = self.planned(user, &Thought { enable: all, ..Thought::default() }).await?;
        let (mut took_part, mut known) = (BTreeSet::new(), 0);
        for plan in &planned.plans {
            for source in recognised(plan) {
                known += 1;
                took_part.extend([source, plan.target]);
            }
        }
        let off = |id: &CalendarId| state.calendars.iter().any(|c| c.id == *id && !c.sync_enabled);
        let calendars: Vec<CalendarId> = took_part.into_iter().filter(off).collect();
        let thought = Thought { enable: calendars.clone(), ..Thought::default() };
        let mut would = self.preview_rules(user, &thought).await?;
        let unread = planned.unread.into_iter().filter(|one| !would.unread.contains(one));
        let unread: Vec<Unread> = unread.collect();
        would.unread.extend(unread);
        Ok(Rebuild { calendars, known, would })
    }
}

/// The sources of the blocks that stand in a target already.
fn recognised(plan: &Plan) -> impl Iterator<Item = CalendarId> {
    let found = plan
        .actions
        .iter()
        .filter(|action| action.kind == ActionKind::Adopt || action.reason == Reason::FoundStanding);
    plan.kept.iter().map(|kept| kept.source).chain(found.map(|action| action.row.source))
}
