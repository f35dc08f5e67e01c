//! `manage-subscriptions create|renew|cleanup|health|metrics`: push channels by hand. What is done to each is the engine's;
//! this chooses the calendars and tells.

pub mod args;
pub(super) mod health;
mod metrics;

use calsync_core::calendar::Calendar;
use calsync_core::ports::UserState;
use calsync_engine::{Asked, ByHand, Deed};
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;
use crate::out::Progress;
use crate::service::Service;
use args::{RenewArgs, SubscriptionsCommand, Which, Whose};

/// Runs one of them.
pub async fn run(
    command: &SubscriptionsCommand,
    context: &Context,
    service: &Service,
) -> Result<Exit, Failure> {
    match command {
        SubscriptionsCommand::Create(which) => create(which, context, service).await,
        SubscriptionsCommand::Renew(args) => renew(args, context, service).await,
        SubscriptionsCommand::Cleanup(which) => cleanup(which, context, service).await,
        SubscriptionsCommand::Health(whose) => health::run(whose, context, service).await,
        SubscriptionsCommand::Metrics(whose) => metrics::run(whose, context).await,
    }
}

/// The calendars chosen, with all that is known of their users.
struct Chosen {
    states: Vec<UserState>,
    only: Option<Calendar>,
}

impl Chosen {
    async fn of(whose: &Whose, context: &Context) -> Result<Chosen, Failure> {
        let store = context.store.as_ref();
        let only = match &whose.calendar {
            Some(text) => Some(lookup::calendar(store, text, whose.user.as_deref()).await?),
            None => None,
        };
        if let Some(only) = &only {
            let mut states = lookup::states(store, whose.user.as_deref()).await?;
            states.retain(|state| state.user.id == only.user);
            if states.is_empty() {
                let words = format!(
                    "calendar {} is not one of {}",
                    only.id,
                    whose.user.as_deref().unwrap_or("theirs")
                );
                return Err(Failure::not_found(words));
            }
            return Ok(Chosen { states, only: Some(only.clone()) });
        }
        Ok(Chosen { states: lookup::states(store, whose.user.as_deref()).await?, only: None })
    }

    fn calendars(&self) -> impl Iterator<Item = (&UserState, &Calendar)> {
        let wanted = |c: &&Calendar| self.only.as_ref().is_none_or(|only| only.id == c.id);
        self.states.iter().flat_map(move |s| s.calendars.iter().filter(wanted).map(move |c| (s, c)))
    }
}

const fn deed(which: &Which) -> Deed {
    if which.dry_run { Deed::Tell } else { Deed::Do }
}

/// What became of one calendar.
#[derive(Serialize)]
struct Row {
    calendar: String,
    name: String,
    user: String,
    outcome: &'static str,
    why: Option<String>,
}

async fn create(which: &Which, context: &Context, service: &Service) -> Result<Exit, Failure> {
    needs_public(service)?;
    let chosen = Chosen::of(&which.whose, context).await?;
    let asked = if chosen.only.is_some() { Asked::ByName } else { Asked::Among };
    // What takes no part is told of only where it was named.
    let wanted = |c: &Calendar| c.sync_enabled || asked == Asked::ByName;
    let of: Vec<_> = chosen.calendars().filter(|(_, c)| wanted(c)).collect();
    let progress = Progress::start(context.out, "Calendars looked at", of.len() as u64);
    let mut rows = Vec::new();
    for (state, calendar) in of {
        let what = service.engine.open_by_hand(state, calendar, asked, deed(which)).await?;
        rows.push(row(state, calendar, &what, "would be opened"));
        progress.step(1);
    }
    drop(progress);
    Ok(tell(context, rows))
}

async fn renew(args: &RenewArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    needs_public(service)?;
    let whose = &args.which.whose;
    let now = context.now();
    let chosen = Chosen::of(whose, context).await?;
    let named = args.all || whose.calendar.is_some() || whose.user.is_some();
    let due = |state: &UserState, calendar: &Calendar| {
        let active = state.subscriptions.iter().find(|s| s.calendar == calendar.id);
        active.map_or(whose.calendar.is_some(), |s| named || s.renew_at <= now)
    };
    let of: Vec<_> = chosen.calendars().filter(|(s, c)| due(s, c)).collect();
    let progress = Progress::start(context.out, "Channels renewed", of.len() as u64);
    let mut rows = Vec::new();
    for (state, calendar) in of {
        let what = service.engine.renew_by_hand(state, calendar, deed(&args.which)).await?;
        rows.push(row(state, calendar, &what, "would be renewed"));
        progress.step(1);
    }
    drop(progress);
    Ok(tell(context, rows))
}

async fn cleanup(which: &Which, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let chosen = Chosen::of(&which.whose, context).await?;
    let calendars: Vec<&Calendar> = chosen.calendars().map(|(_, c)| c).collect();
    let cleaned = service.engine.clean_by_hand(&calendars, deed(which)).await?;
    let text = if which.dry_run {
        format!(
            "nothing was done; {} channels have ended, {} are to be closed at their provider\n",
            cleaned.expired, cleaned.to_close
        )
    } else {
        format!(
            "{} channels had ended, {} of {} were closed at their provider\n",
            cleaned.expired, cleaned.closed, cleaned.to_close
        )
    };
    context.out.result(&text, &json!({"dry_run": which.dry_run, "counts": cleaned}));
    Ok(Exit::Ok)
}

/// Nothing can be opened where nobody can reach us.
fn needs_public(service: &Service) -> Result<(), Failure> {
    if service.engine.is_public() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Config,
        "providers cannot reach this service: set server.public_url (or WEBHOOK_BASE_URL) to its https address, the \
         same as for `serve`",
    ))
}

fn row(state: &UserState, calendar: &Calendar, what: &ByHand, would: &'static str) -> Row {
    let (outcome, why) = match what {
        ByHand::Opened => ("opened", None),
        ByHand::Renewed => ("renewed", None),
        ByHand::Suspended => ("suspended", None),
        ByHand::Would => (would, None),
        ByHand::WatchedAlready => ("watched already", None),
        ByHand::NotWatched => {
            ("not watched", Some("there is no channel to renew: manage-subscriptions create".to_owned()))
        }
        ByHand::ByAnother => ("left alone", Some("the running service is at it".to_owned())),
        ByHand::Hindered(obstacle) => ("not to be watched", Some(obstacle.words().to_owned())),
        ByHand::Failed(error) => ("failed", Some(error.to_string())),
    };
    Row {
        calendar: calendar.id.to_string(),
        name: calendar.name.clone(),
        user: state.user.email.clone(),
        outcome,
        why,
    }
}

fn tell(context: &Context, rows: Vec<Row>) -> Exit {
    let cells = |row: &Row| {
        let why = row.why.clone().unwrap_or_default();
        vec![row.calendar.clone(), row.user.clone(), row.name.clone(), row.outcome.to_owned(), why]
    };
    context.out.rows(&["CALENDAR", "USER", "NAME", "OUTCOME", "WHY"], &rows, cells, "nothing is to be done");
    if rows.iter().any(|row| row.outcome == "failed") { Exit::Provider } else { Exit::Ok }
}
