//! `reset`: stop everything where it stands, clean one calendar, or take back everything that was ever written.

use calsync_core::calendar::{Calendar, Leaving};
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::leaving::args::ResetArgs;
use super::leaving::{self, Party};
use super::lookup;
use crate::service::Service;

/// Runs it.
pub async fn run(args: &ResetArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let of = args.user.as_deref();
    let (why, parties) = match &args.calendar {
        Some(text) => (Leaving::Reset, vec![one(context, text, of).await?]),
        None => {
            let why = if args.soft { Leaving::Stopped } else { Leaving::Reset };
            (why, all(context, service, why, of).await?)
        }
    };
    if parties.iter().all(|p| p.calendars.is_empty()) {
        let (text, done) = match why {
            Leaving::Stopped => ("no calendar takes part: there is nothing to stop", "stopped"),
            Leaving::Reset | Leaving::Disabled => {
                ("nothing of calendar-sync is known in any calendar: there is nothing to reset", "reset")
            }
        };
        let nothing =
            json!({"done": done, "calendars": [], "blocks": 0, "removed": 0, "left": 0, "left_in": []});
        context.out.result(text, &nothing);
        return Ok(Exit::Ok);
    }
    leaving::run(args.how, why, parties, context, service).await
}

async fn one(context: &Context, text: &str, of: Option<&str>) -> Result<Party, Failure> {
    let calendar = lookup::calendar(&*context.store, text, of).await?;
    leaving::party(context, calendar).await
}

/// Every calendar that the reset concerns, user by user.
async fn all(
    context: &Context,
    service: &Service,
    why: Leaving,
    of: Option<&str>,
) -> Result<Vec<Party>, Failure> {
    let mut parties = Vec::new();
    for state in lookup::states(&*context.store, of).await? {
        let everything = state.calendars.iter().map(|c| c.id).collect();
        let shares = service.engine.shares(state.user.id, &everything).await?;
        let has_blocks = |c: &Calendar| shares.iter().any(|s| s.source == c.id || s.target == c.id);
        let calendars: Vec<Calendar> = state
            .calendars
            .iter()
            .filter(|c| concerns(why, c) || (why == Leaving::Reset && has_blocks(c)))
            .cloned()
            .collect();
        if !calendars.is_empty() {
            parties.push(Party { state, calendars });
        }
    }
    Ok(parties)
}

/// Whether a calendar is to be stopped or reset with all others. One that never took part is left alone: it is not even
/// to be read.
fn concerns(why: Leaving, calendar: &Calendar) -> bool {
    match why {
        Leaving::Stopped => calendar.takes_part(),
        Leaving::Reset | Leaving::Disabled => {
            calendar.takes_part() || calendar.leaving.is_some() || calendar.last_synced_at.is_some()
        }
    }
}
