//! The week of whoever is signed in.

use std::sync::Arc;

use axum::extract::State;
use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::run::Run;
use calsync_core::week::Days;
use calsync_engine::Viewer;
use calsync_pages::Place;
use calsync_pages::week::{self, Shown, Week};
use calsync_pages::words::Times;
use jiff::civil::Date;
use serde::Deserialize;

use super::answer::{self, Answer};
use super::home;
use super::session::Signed;
use super::times;
use crate::http::{ApiError, Params, date};
use crate::service::Service;

/// Days of a week.
const DAYS: u8 = 7;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "date")]
    from: Option<Date>,
    /// What is to be explained.
    pick: Option<String>,
}

/// `GET /week`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let state = home::state(&service, &signed).await?;
    let zone = home::zone(state.calendars.iter());
    let name = times::name(&zone).to_owned();
    let now = service.clock.now();
    let today = now.to_jiff().to_zoned(zone.clone()).date();
    let first = wanted.from.unwrap_or_else(|| monday(today));
    let days = Days::new(first, DAYS, &name).map_err(|problem| ApiError::bad_request(problem.to_string()))?;
    let told = service.engine.week(signed.user.id, &days, Viewer::Owner).await.map_err(answer::engine)?;
    let times = Times::new(now, zone);
    let run = match wanted.pick.as_deref().and_then(|pick| week::chosen_block(&told, pick)) {
        Some(block) => last_run(&service, block).await?,
        None => None,
    };
    let names = state.names();
    let shown = Shown {
        told: &told,
        days: &days,
        names: &names,
        chosen: wanted.pick.as_deref(),
        today,
        times: &times,
        run: run.as_ref(),
        kept: service.engine.window(),
    };
    answer::page(&Week::of(signed.frame(Place::Week), &shown))
}

/// The run that wrote a block last. What was written long ago is forgotten with its journal.
async fn last_run(
    service: &Service,
    (target, correlation): (CalendarId, CorrelationId),
) -> Result<Option<Run>, ApiError> {
    let Some(row) = service.store.last_write(target, correlation).await.map_err(answer::store)? else {
        return Ok(None);
    };
    service.store.run(row.run).await.map_err(answer::store)
}

fn monday(day: Date) -> Date {
    let since = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(jiff::Span::new().days(since)).unwrap_or(day)
}
