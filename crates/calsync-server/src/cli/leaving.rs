//! Taking calendars out, for every command that does: show what would go, ask, take them out, and wait until it is gone or
//! can't be for now. The removing is what every worker does anyway: where this command is broken off, the service goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use calsync_core::calendar::{Calendar, Leaving};
use calsync_core::ids::CalendarId;
use calsync_core::leaving::Share;
use calsync_core::ports::{StoreError, UserState};
use calsync_engine::{EngineError, Left};

use self::words::{Names, Outcome};
use super::consent;
use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use crate::out::Progress;
use crate::service::Service;
use args::LeavingArgs;

pub mod args;
mod words;

/// Steps for one user: enough to remove many thousands of blocks, and an end to a quarrel.
const STEPS_MAX: usize = 500;
/// Looks without anything having moved, before the rest is left to the service.
const QUIET_MAX: usize = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// Calendars of one user that leave.
pub struct Party {
    /// Whose, with all that is known of them.
    pub state: UserState,
    /// Which of them.
    pub calendars: Vec<Calendar>,
}

impl Party {
    fn ids(&self) -> BTreeSet<CalendarId> {
        self.calendars.iter().map(|c| c.id).collect()
    }
}

/// One calendar, with its user's state.
pub async fn party(context: &Context, calendar: Calendar) -> Result<Party, Failure> {
    let state = context.store.user_state(calendar.user).await?;
    let state = state.ok_or_else(|| Failure::not_found("its user was removed meanwhile"))?;
    Ok(Party { state, calendars: vec![calendar] })
}

/// Takes them out for this reason.
pub async fn run(
    args: LeavingArgs,
    why: Leaving,
    parties: Vec<Party>,
    context: &Context,
    service: &Service,
) -> Result<Exit, Failure> {
    let names = Names::of(&parties);
    let before = shares(service, &parties).await?;
    if args.dry_run {
        context.out.result(&words::would(why, &names, &before), &words::preview(why, &names, &before));
        return Ok(Exit::Ok);
    }
    if !args.yes {
        consent::ask(context.out, &words::would(why, &names, &before)).await?;
    }
    for calendar in parties.iter().flat_map(|p| &p.calendars) {
        service.engine.leave_calendar((calendar.user, calendar.id), why, WHO).await?;
    }
    let waits = why != Leaving::Stopped && !args.no_wait;
    if waits {
        let total = before.iter().map(|s| s.blocks as u64).sum();
        let progress = Progress::start(context.out, "Blocks removed", total);
        for party in &parties {
            work(party, service, &progress, total).await?;
        }
    }
    let outcome = Outcome { why, waits, before, left: left(service, &parties).await? };
    context.out.result(&outcome.text(&names), &outcome.value(&names));
    Ok(outcome.exit())
}

async fn shares(service: &Service, parties: &[Party]) -> Result<Vec<Share>, Failure> {
    let mut all = Vec::new();
    for party in parties {
        all.extend(service.engine.shares(party.state.user.id, &party.ids()).await?);
    }
    Ok(all)
}

async fn left(service: &Service, parties: &[Party]) -> Result<Vec<Left>, Failure> {
    let mut all = Vec::new();
    for party in parties {
        all.extend(service.engine.left(party.state.user.id, &party.ids()).await?);
    }
    Ok(all)
}

/// Steps one user until nothing is left, or nothing moves any more.
async fn work(party: &Party, service: &Service, progress: &Progress, total: u64) -> Result<(), Failure> {
    let (user, ids) = (party.state.user.id, party.ids());
    let (mut last, mut quiet) = (None, 0);
    for _ in 0..STEPS_MAX {
        let blocks: usize = service.engine.shares(user, &ids).await?.iter().map(|s| s.blocks).sum();
        let state = service.engine.store().user_state(user).await?;
        let calendars = state.iter().flat_map(|s| &s.calendars).filter(|c| ids.contains(&c.id));
        let open = calendars.filter(|c| c.is_on_its_way_out()).count();
        progress.reach(total.saturating_sub(blocks as u64));
        if (blocks, open) == (0, 0) {
            break;
        }
        quiet = if last == Some((blocks, open)) { quiet + 1 } else { 0 };
        if quiet > QUIET_MAX {
            break;
        }
        last = Some((blocks, open));
        match service.engine.step_user(user).await {
            Ok(report) if !report.blocks.is_empty() => {}
            // The running service is at work on them, or a provider wants to be left alone for a moment.
            Ok(_) | Err(EngineError::Busy | EngineError::Store(StoreError::LeaseLost(_))) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
