//! What was done to the calendars of whoever is signed in, and undoing it.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use calsync_core::ids::{CalendarId, RunId};
use calsync_core::journal::{After, Filter, Idle};
use calsync_core::time::Ts;
use calsync_core::undo::{NotUndone, WhyNot};
use calsync_engine::{Partly, UndoReport, Undoing};
use calsync_pages::activity::{Activity, RunLine, RunPage};
use calsync_pages::words::Times;
use calsync_pages::{Notice, Place};
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::home;
use super::session::Signed;
use crate::http::Params;
use crate::service::Service;

/// Runs on a page.
const PAGE: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Wanted {
    calendar: Option<String>,
    all: Option<String>,
    /// Where the page begins: after the run of this id,
    after: Option<Uuid>,
    /// which began then.
    began: Option<i64>,
}

/// `GET /activity`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let state = home::state(&service, &signed).await?;
    let calendar = wanted.calendar.as_deref().and_then(|id| Uuid::try_parse(id).ok()).map(CalendarId);
    let idle = if wanted.all.is_some() { Idle::Shown } else { Idle::Hidden };
    let filter = Filter { user: signed.user.id, calendar, since: None, idle };
    let after = wanted.after.zip(wanted.began);
    let after = after.map(|(run, began)| After { started_at: Ts::from_micros(began), run: RunId(run) });
    let told = service.engine.activity(&filter, after, PAGE).await.map_err(answer::engine)?;
    let times = Times::new(service.clock.now(), home::zone(state.calendars.iter()));
    let chosen = calendar.map(|id| id.to_string()).unwrap_or_default();
    let address = |after: Option<After>| {
        let all = if wanted.all.is_some() { "&all=on" } else { "" };
        let after = after.map(|at| format!("&after={}&began={}", at.run, at.started_at.micros()));
        format!("/activity?calendar={chosen}{all}{}", after.unwrap_or_default())
    };
    let names = state.names();
    let calendars = state
        .calendars
        .iter()
        .map(|c| (c.id.to_string(), names.get(c.id).to_owned(), Some(c.id) == calendar));
    answer::page(&Activity {
        frame: signed.frame(Place::Activity),
        calendars: calendars.collect(),
        shows_idle: wanted.all.is_some(),
        runs: told.runs.iter().map(|run| RunLine::of(run, &names, &times)).collect(),
        here: address(after),
        next: told.next.map(|next| address(Some(next))),
    })
}

/// `GET /activity/{run}`.
pub(super) async fn run(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(run): Path<Uuid>,
) -> Answer {
    let state = home::state(&service, &signed).await?;
    let told = service.engine.run(signed.user.id, RunId(run)).await.map_err(answer::engine)?;
    let times = Times::new(service.clock.now(), home::zone(state.calendars.iter()));
    let frame = signed.frame(Place::Activity);
    answer::page(&RunPage::of(frame, &told, &state.names(), &times))
}

#[derive(Deserialize)]
pub(super) struct How {
    partly: Option<String>,
}

/// `POST /activity/{run}/undo`.
pub(super) async fn undo(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(run): Path<Uuid>,
    Form(how): Form<How>,
) -> Answer {
    let partly = if how.partly.is_some() { Partly::Allow } else { Partly::Refuse };
    let undone = service.engine.undo(signed.user.id, RunId(run), partly, &signed.user.email).await;
    let undone = undone.map_err(answer::engine)?;
    service.wake();
    Ok(answer::on_to_saying(&format!("/activity/{run}"), &notice(&undone)))
}

/// What came of it.
fn notice(undone: &UndoReport) -> Notice {
    let is_under_way = |(_, not): &(CalendarId, NotUndone)| not.why == WhyNot::BeingUndone;
    match undone.by {
        Some(_) => Notice::good(format!(
            "It is being undone: {}. Approve under Home when the rules may have their way again.",
            Undoing::in_words(&undone.blocks)
        )),
        None if undone.not.is_empty() => Notice::info("All of it stands as before already."),
        None if undone.not.iter().all(is_under_way) => Notice::info("It is being undone already."),
        None => Notice::bad(
            "Not all of it can be undone any more, so nothing was: see below what can not, and why.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::CorrelationId;

    use super::*;

    #[test]
    fn what_came_of_an_undo_is_told() {
        let not = |why| {
            (CalendarId(Uuid::nil()), NotUndone { correlation: CorrelationId(Uuid::nil()), span: None, why })
        };
        let told = |not: &[WhyNot], by: Option<RunId>, of: &dyn Fn(WhyNot) -> (CalendarId, NotUndone)| {
            let not = not.iter().map(|why| of(*why)).collect();
            notice(&UndoReport { run: RunId(Uuid::nil()), by, blocks: Vec::new(), already: 0, not }).text
        };
        let of = |why: &[WhyNot], by| told(why, by, &not);
        assert!(of(&[], Some(RunId(Uuid::nil()))).starts_with("It is being undone: "));
        assert_eq!(of(&[], None), "All of it stands as before already.");
        assert_eq!(of(&[WhyNot::BeingUndone], None), "It is being undone already.");
        assert!(of(&[WhyNot::BeingUndone, WhyNot::Past], None).starts_with("Not all of it"));
    }
}
