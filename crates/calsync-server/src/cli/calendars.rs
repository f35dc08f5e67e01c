//! `calendars list`, `calendars enable`, `calendars disable`.

use calsync_core::calendar::{Access, Calendar};
use calsync_core::ports::{CalendarChange, Switch, UserState};
use calsync_core::time::Ts;
use serde::Serialize;
use serde_json::json;

use super::args::{CalendarsCommand, OneCalendar};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;
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
    webhook_enabled: bool,
    missing: bool,
    webhook_failure_streak: u32,
    last_synced_at: Option<Ts>,
    due_at: Option<Ts>,
    watched: bool,
}

/// Runs one of them. Taking a calendar out needs the service, to close its push channels at the provider.
pub async fn run(
    command: &CalendarsCommand,
    context: &Context,
    service: Option<&Service>,
) -> Result<Exit, Failure> {
    match command {
        CalendarsCommand::List(of) => list(context, of.user.as_deref()).await,
        CalendarsCommand::Enable(which) => switch(context, which, Switch::On, None).await,
        CalendarsCommand::Disable(which) => switch(context, which, Switch::Off, service).await,
    }
}

async fn list(context: &Context, of: Option<&str>) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, of).await?;
    let rows: Vec<Row> =
        states.iter().flat_map(|state| state.calendars.iter().map(|c| row(state, c))).collect();
    let text = |row: &Row| {
        let enabled = if row.sync_enabled { "on" } else { "off" };
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

fn row(state: &UserState, calendar: &Calendar) -> Row {
    Row {
        id: calendar.id.to_string(),
        user: state.user.email.clone(),
        name: calendar.name.clone(),
        provider: calendar.remote.provider.clone(),
        remote_id: calendar.remote.calendar.clone(),
        time_zone: calendar.time_zone.clone(),
        access: calendar.access,
        sync_enabled: calendar.sync_enabled,
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

async fn switch(
    context: &Context,
    which: &OneCalendar,
    to: Switch,
    service: Option<&Service>,
) -> Result<Exit, Failure> {
    let calendar = lookup::calendar(&*context.store, &which.calendar, which.user.as_deref()).await?;
    let (name, now) = (&calendar.name, context.now());
    let word = if to.is_on() { "enabled" } else { "disabled" };
    if calendar.sync_enabled == to.is_on() {
        context.out.result(
            &format!("{name} is {word} already"),
            &json!({"id": calendar.id, "sync_enabled": to.is_on(), "changed": false}),
        );
        return Ok(Exit::Ok);
    }
    match service {
        Some(service) if !to.is_on() => service.engine.disable_calendar(&calendar).await?,
        _ => context.store.change_calendar(calendar.id, CalendarChange::SyncEnabled(to), now).await?,
    }
    context.store.audit("command line", &format!("{word} calendar {}", calendar.id), now).await?;
    let then = if to.is_on() {
        "its events block the others from the next sync on"
    } else {
        "the next sync removes its blocks from the others and theirs from it"
    };
    context.out.result(
        &format!("{name} is {word}: {then}"),
        &json!({"id": calendar.id, "sync_enabled": to.is_on(), "changed": true}),
    );
    if to.is_on() && calendar.missing {
        context
            .out
            .note("warning: the provider no longer lists this calendar; nothing happens until it does");
    }
    if to.is_on() && !calendar.access.may_write() {
        context.out.note("note: this account may only read the calendar, so no blocks are written into it");
    }
    Ok(Exit::Ok)
}
