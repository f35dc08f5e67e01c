//! `calendars list`, `calendars enable`, `calendars disable`.

use calsync_core::calendar::{Access, Calendar, Leaving};
use calsync_core::ports::UserState;
use calsync_core::time::Ts;
use calsync_engine::Thought;
use serde::Serialize;
use serde_json::json;

use super::args::{OfUser, OneCalendar};
use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::leaving::args::DisableArgs;
use super::rules::preview;
use super::{leaving, lookup};
use crate::service::Service;

/// A calendar as it is shown: without the provider's cursor, which means nothing to anybody.
#[derive(Serialize)]
struct Row {
    id: String,
    user: String,
    name: String,
    provider: String,
    remote_id: String,
    time_zone: String,
    access: Access,
    sync_enabled: bool,
    leaving: Option<Leaving>,
    webhook_enabled: bool,
    missing: bool,
    webhook_failure_streak: u32,
    last_synced_at: Option<Ts>,
    due_at: Option<Ts>,
    watched: bool,
}

/// Lists them.
pub async fn list(of: &OfUser, context: &Context) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, of.user.as_deref()).await?;
    let rows = states.iter().flat_map(|state| {
        let names = state.names();
        state.calendars.iter().map(move |c| row(state, c, names.get(c.id)))
    });
    let rows: Vec<Row> = rows.collect();
    let text = |row: &Row| {
        let enabled = match row.leaving {
            _ if row.sync_enabled => "on",
            Some(Leaving::Stopped) => "stopped",
            Some(Leaving::Disabled) => "going off",
            Some(Leaving::Reset) => "being reset",
            None => "off",
        };
        let state = if row.missing { "gone at the provider" } else { enabled };
        let synced = row.last_synced_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let access = access_name(row.access).to_owned();
        vec![
            row.id.clone(),
            row.user.clone(),
            row.provider.clone(),
            row.name.clone(),
            access,
            state.to_owned(),
            synced,
        ]
    };
    let header = ["ID", "USER", "PROVIDER", "NAME", "ACCESS", "SYNC", "LAST SYNCED"];
    context.out.rows(&header, &rows, text, "no calendars yet");
    Ok(Exit::Ok)
}

fn row(state: &UserState, calendar: &Calendar, name: &str) -> Row {
    Row {
        id: calendar.id.to_string(),
        user: state.user.email.clone(),
        name: name.to_owned(),
        provider: calendar.remote.provider.clone(),
        remote_id: calendar.remote.calendar.clone(),
        time_zone: calendar.time_zone.clone(),
        access: calendar.access,
        sync_enabled: calendar.sync_enabled,
        leaving: calendar.leaving,
        webhook_enabled: calendar.webhook_enabled,
        missing: calendar.missing,
        webhook_failure_streak: calendar.webhook_failure_streak,
        last_synced_at: calendar.last_synced_at,
        due_at: calendar.due_at,
        watched: state.subscriptions.iter().any(|s| s.calendar == calendar.id),
    }
}

const fn access_name(access: Access) -> &'static str {
    match access {
        Access::FreeBusy => "free/busy",
        Access::Read => "read",
        Access::Write => "write",
        Access::Owner => "owner",
    }
}

/// Lets one take part.
pub async fn enable(which: &OneCalendar, context: &Context) -> Result<Exit, Failure> {
    let calendar = lookup::calendar(&*context.store, &which.calendar, which.user.as_deref()).await?;
    let name = &calendar.name;
    let done = context.engine().enable_calendar((calendar.user, calendar.id), WHO).await?;
    if done.already {
        context.out.result(
            &format!("{name} is enabled already"),
            &json!({"id": calendar.id, "sync_enabled": true, "changed": false}),
        );
        return Ok(Exit::Ok);
    }
    let then = if done.calendar.is_stopped() {
        "it is read anew, and blocks that stand as they should are kept"
    } else if done.in_force == 0 {
        "no rule links it with another calendar yet"
    } else {
        "its events block the others from the next sync on"
    };
    context.out.result(
        &format!("{name} is enabled: {then}"),
        &json!({"id": calendar.id, "sync_enabled": true, "changed": true, "rules": done.in_force}),
    );
    if done.calendar.missing {
        context
            .out
            .note("warning: the provider no longer lists this calendar; nothing happens until it does");
    }
    if !done.calendar.access.may_write() {
        context.out.note("note: this account may only read the calendar, so no blocks are written into it");
    }
    Ok(Exit::Ok)
}

/// Shows what letting one take part would do.
pub async fn would_enable(
    which: &OneCalendar,
    context: &Context,
    service: &Service,
) -> Result<Exit, Failure> {
    let calendar = lookup::calendar(&*context.store, &which.calendar, which.user.as_deref()).await?;
    let thought = Thought { enable: vec![calendar.id], ..Thought::default() };
    preview::show(calendar.user, &thought, context, service).await
}

/// Takes one out.
pub async fn disable(args: &DisableArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let which = &args.which;
    let calendar = lookup::calendar(&*context.store, &which.calendar, which.user.as_deref()).await?;
    // One that is on its way out is not there yet: the work goes on.
    if !calendar.sync_enabled && calendar.leaving.is_none() {
        context.out.result(
            &format!("{} is disabled already", calendar.name),
            &json!({"done": "disabled", "calendars": [calendar.id], "blocks": 0, "removed": 0, "left": 0,
                    "left_in": []}),
        );
        return Ok(Exit::Ok);
    }
    let party = leaving::party(context, calendar).await?;
    leaving::run(args.how, Leaving::Disabled, vec![party], context, service).await
}
