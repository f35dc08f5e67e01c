//! `sync-calendars`: look now. It raises the calendars asked for and steps their users until nothing is left to do;
//! where a running service is at work on a user, that does it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use calsync_core::calendar::Calendar;
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::{UserState, Wish};
use calsync_core::run::RunStatus;
use calsync_core::schedule::Method;
use calsync_core::time::Ts;
use calsync_engine::{EngineError, StepReport};
use serde::Serialize;
use serde_json::json;

use super::args::{SyncArgs, SyncMode};
use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::lookup;
use super::subscriptions::health;
use crate::out::{Progress, counted};
use crate::service::Service;

/// Steps for one user: enough for a first fill of thousands of blocks, and an end to a quarrel.
const STEPS_MAX: usize = 200;
/// Tries to get hold of a user whom the running service is at work on.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_millis(500);

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Provider(error) => error.into(),
            EngineError::NotFound(_) => Failure::not_found(error.to_string()),
            EngineError::Busy | EngineError::PlanRefused { .. } => Failure::failed(error.to_string()),
        }
    }
}

/// Runs it.
pub async fn run(args: &SyncArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let only = match &args.calendar {
        Some(text) => Some(lookup::calendar(&*context.store, text, None).await?),
        None => None,
    };
    if let Some(calendar) = only.as_ref().filter(|c| !c.sync_enabled) {
        let message =
            format!("{} is disabled: `calendar-sync calendars enable {}` first", calendar.name, calendar.id);
        return Err(Failure::failed(message));
    }
    let states = lookup::states(&*context.store, None).await?;
    let mut chosen = Vec::new();
    for state in &states {
        let methods = service.engine.methods(state).await.map_err(EngineError::from)?;
        chosen.extend(choose(state, args.mode, only.as_ref().map(|c| c.id), &methods));
    }
    if args.dry_run {
        return Ok(would(context, &chosen));
    }
    let ids: Vec<CalendarId> = chosen.iter().map(|one| one.id).collect();
    let wish = if args.mode == SyncMode::Full { Wish::Full } else { Wish::Changes };
    let asked_at = context.now();
    match &only {
        Some(one) => {
            let which = BTreeSet::from([one.id]);
            service.engine.look_now(one.user, (Some(&which), wish), WHO).await?;
        }
        // As often as cron asks for it: that is nobody's doing.
        None => service.engine.sync_now(&ids, wish).await?,
    }
    let users: BTreeSet<UserId> = chosen.iter().map(|one| one.user).collect();
    let progress = Progress::start(context.out, "People looked after", users.len() as u64);
    let mut reports = Vec::new();
    for user in users {
        reports.extend(work(service, user).await?);
        progress.step(1);
    }
    drop(progress);
    let elsewhere = failed_elsewhere(context, (&ids, asked_at), &reports).await?;
    Ok(tell(context, (&chosen, &states), &reports, &elsewhere))
}

/// What went wrong where the running service was faster: it hears of what is asked for at once, and then the reading is
/// its own. What went wrong before it was asked for is no answer.
async fn failed_elsewhere(
    context: &Context,
    (asked, asked_at): (&[CalendarId], Ts),
    reports: &[StepReport],
) -> Result<Vec<String>, Failure> {
    let ours: BTreeSet<CalendarId> = reports.iter().flat_map(|r| &r.read).map(|r| r.calendar).collect();
    let mut errors = Vec::new();
    for calendar in asked.iter().filter(|id| !ours.contains(id)) {
        let mut latest = context.store.runs(Some(*calendar), 1).await?;
        latest.retain(|run| run.started_at >= asked_at);
        if let Some(RunStatus::Failed { error }) = latest.into_iter().next().map(|run| run.status) {
            errors.push(error);
        }
    }
    Ok(errors)
}

/// A calendar to be looked at, and how it is kept up to date.
#[derive(Serialize)]
struct Chosen {
    id: CalendarId,
    name: String,
    #[serde(skip)]
    user: UserId,
    #[serde(rename = "user")]
    email: String,
    method: &'static str,
}

/// Which calendars would be looked at.
fn would(context: &Context, chosen: &[Chosen]) -> Exit {
    let cells =
        |one: &Chosen| vec![one.id.to_string(), one.email.clone(), one.name.clone(), one.method.to_owned()];
    let empty = "no calendar would be looked at";
    context.out.rows(&["CALENDAR", "USER", "NAME", "KEPT UP BY"], chosen, cells, empty);
    Exit::Ok
}

/// The calendars that this mode looks at.
fn choose(
    state: &UserState,
    mode: SyncMode,
    only: Option<CalendarId>,
    methods: &BTreeMap<CalendarId, Method>,
) -> Vec<Chosen> {
    let wanted = |calendar: &Calendar| {
        mode != SyncMode::WebhookFallback || methods.get(&calendar.id) != Some(&Method::Webhook)
    };
    let asked = |calendar: &Calendar| only.map_or_else(|| wanted(calendar), |only| only == calendar.id);
    let calendars = state.calendars.iter().filter(|c| c.sync_enabled && !c.missing && asked(c));
    let names = state.names();
    let of = |c: &Calendar| Chosen {
        id: c.id,
        name: names.get(c.id).to_owned(),
        user: state.user.id,
        email: state.user.email.clone(),
        method: health::method(methods.get(&c.id).copied().unwrap_or(Method::Polling)),
    };
    calendars.map(of).collect()
}

async fn work(service: &Service, user: UserId) -> Result<Vec<StepReport>, Failure> {
    let mut reports = Vec::new();
    let mut tries = 0;
    while reports.len() < STEPS_MAX {
        match service.engine.step_user(user).await {
            Ok(report) => {
                let more = report.waiting > 0 && !report.blocks.is_empty();
                reports.push(report);
                if !more {
                    break;
                }
            }
            Err(EngineError::Busy) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(reports)
}

/// What a calendar is called, among those of whoever it belongs to.
fn name(states: &[UserState], calendar: CalendarId) -> String {
    let owner = states.iter().find(|state| state.calendars.iter().any(|c| c.id == calendar));
    owner.map_or_else(|| calendar.to_string(), |state| state.names().get(calendar).to_owned())
}

/// A hold in words: its own reason, and what lets it go. That of an undo is none of a plan.
fn held_line(name: &str, hold: &Hold) -> String {
    let (target, reason) = (hold.target, &hold.reason);
    if hold.undone.is_some() {
        return format!("held: {name}: {reason}: `calendar-sync approve {target}` lets the rules go on\n");
    }
    format!("held: {name}: {reason}: see `calendar-sync plan`, then `calendar-sync approve {target}`\n")
}

fn tell(
    context: &Context,
    (chosen, states): (&[Chosen], &[UserState]),
    reports: &[StepReport],
    elsewhere: &[String],
) -> Exit {
    let blocks: usize = reports.iter().map(|r| r.blocks.len()).sum();
    let errors: Vec<&String> = reports.iter().flat_map(|r| &r.errors).chain(elsewhere).collect();
    // Each target as the last step found it.
    let holds: BTreeMap<CalendarId, &Hold> =
        reports.iter().flat_map(|r| &r.held).map(|hold| (hold.target, hold)).collect();
    let held: Vec<CalendarId> = holds.keys().copied().collect();
    let calendars = chosen.len();
    let (looked_at, written) = (counted(calendars as u64, "calendar"), counted(blocks as u64, "block"));
    let mut text = format!("{looked_at} looked at, {written} written\n");
    for error in &errors {
        text.push_str(&format!("failed: {error}\n"));
    }
    for hold in holds.values() {
        text.push_str(&held_line(&name(states, hold.target), hold));
    }
    let value = json!({
        "calendars": calendars, "blocks_written": blocks, "errors": errors, "held": held, "looked_at": chosen,
    });
    context.out.result(&text, &value);
    if errors.is_empty() { Exit::Ok } else { Exit::Provider }
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::RunId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_hold_is_told_by_its_own_reason() {
        let (target, run) = (CalendarId(Uuid::from_u128(1)), |n| RunId(Uuid::from_u128(n)));
        let words = "the run of noon was undone by ada@example.com".to_owned();
        let undo = Hold::of_undo(target, run(2), run(3), words, Ts::from_secs(0));
        let line = held_line("Work", &undo);
        assert!(line.starts_with("held: Work: the run of noon was undone by ada@example.com"), "{line}");
        assert!(!line.contains("remove") && !line.contains("calendar-sync plan"), "{line}");
        let brake = Hold { reason: "30 of 40 blocks would be removed".to_owned(), undone: None, ..undo };
        let line = held_line("Work", &brake);
        assert!(line.starts_with("held: Work: 30 of 40") && line.contains("calendar-sync plan"), "{line}");
    }
}
