//! The first page, and what can be done there: with calendars and accounts of whoever is signed in, and nobody else's.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use calsync_core::calendar::{Calendar, Leaving, User};
use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::leaving::Share;
use calsync_core::ports::{UserState, Wish};
use calsync_engine::{AccountRemoved, Blocks};
use calsync_pages::home::{AccountCard, Ask, Home, summary};
use calsync_pages::words::{Times, count};
use calsync_pages::{Notice, Place, Tone};
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::session::Signed;
use crate::http::ApiError;
use crate::service::Service;

/// `GET /`.
pub(super) async fn show(State(service): State<Arc<Service>>, signed: Signed) -> Answer {
    let overview = service.engine.overview(signed.user.id).await.map_err(answer::engine)?;
    let zone = zone(overview.iter().flat_map(|one| &one.calendars).map(|one| &one.calendar));
    let times = Times::new(service.clock.now(), zone);
    let mut accounts = Vec::new();
    for one in &overview {
        let ends = service.directory.grant_ends(one.account.id).await;
        accounts.push(AccountCard::of(one, ends, &times));
    }
    answer::page(&Home {
        frame: signed.frame(Place::Home),
        accounts,
        providers: providers(&service),
        summary: summary(&overview),
    })
}

/// Providers that an account can be connected at.
pub(super) fn providers(service: &Service) -> Vec<(&'static str, &'static str)> {
    service.directory.kinds().into_iter().map(|kind| (kind.as_str(), kind.name())).collect()
}

/// The zone that a person's times are shown in: that of their first calendar that takes part, or of any.
pub(super) fn zone<'a>(calendars: impl Iterator<Item = &'a Calendar> + Clone) -> TimeZone {
    let first = calendars.clone().find(|calendar| calendar.sync_enabled);
    first.or_else(|| calendars.into_iter().next()).map_or(TimeZone::UTC, Calendar::zone)
}

/// Somebody's things, with one of their calendars.
async fn theirs(service: &Service, signed: &Signed, id: Uuid) -> Result<(UserState, Calendar), ApiError> {
    let state = state(service, signed).await?;
    let calendar = state.calendars.iter().find(|calendar| calendar.id == CalendarId(id)).cloned();
    Ok((state, calendar.ok_or_else(ApiError::not_found)?))
}

/// Somebody's things.
pub(super) async fn state(service: &Service, signed: &Signed) -> Result<UserState, ApiError> {
    service.store.user_state(signed.user.id).await.map_err(answer::store)?.ok_or_else(ApiError::not_found)
}

fn home(text: impl Into<String>) -> Answer {
    Ok(answer::on_to_saying("/", &Notice::good(text)))
}

/// `POST /sync`: all of them.
pub(super) async fn sync_all(State(service): State<Arc<Service>>, signed: Signed) -> Answer {
    look_now(&service, &signed, None).await?;
    home("All calendars that take part are looked at now.")
}

/// `POST /calendars/{id}/sync`.
pub(super) async fn sync(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let (state, calendar) = theirs(&service, &signed, id).await?;
    if !look_now(&service, &signed, Some(calendar.id)).await? {
        let message = "this calendar takes no part: enable it first";
        return Err(ApiError::new(StatusCode::CONFLICT, "disabled", message));
    }
    home(format!("{} is looked at now.", state.names().get(calendar.id)))
}

/// Whether there was anything to look at.
async fn look_now(service: &Service, signed: &Signed, which: Option<CalendarId>) -> Result<bool, ApiError> {
    let only = which.map(|id| BTreeSet::from([id]));
    let wish = (only.as_ref(), Wish::Changes);
    let asked = service.engine.look_now(signed.user.id, wish, &signed.user.email).await;
    service.wake();
    Ok(!asked.map_err(answer::engine)?.is_empty())
}

/// `POST /calendars/{id}/enable`.
pub(super) async fn enable(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let (state, calendar) = theirs(&service, &signed, id).await?;
    switch_on(&service, &signed.user, &[calendar.id]).await?;
    home(format!("{} takes part from now on.", state.names().get(calendar.id)))
}

/// Lets calendars take part.
pub(crate) async fn switch_on(
    service: &Service,
    user: &User,
    calendars: &[CalendarId],
) -> Result<(), ApiError> {
    let enabled = service.engine.enable_calendars(user.id, calendars, &user.email).await;
    enabled.map_err(answer::engine)?;
    service.wake();
    service.tend();
    Ok(())
}

/// `GET /calendars/{id}/disable`: what would go.
pub(super) async fn ask_disable(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let (state, calendar) = theirs(&service, &signed, id).await?;
    let goes = service.engine.preview_leaving(signed.user.id, calendar.id).await.map_err(answer::engine)?;
    let blocks: u64 = goes.iter().map(|share| share.blocks as u64).sum();
    let text = if blocks == 0 {
        "No block stands in it or because of it. It takes no part any more from then on.".to_owned()
    } else {
        let blocks = count(blocks, "block");
        format!("{blocks} of calendar-sync would be removed. Your own events stay untouched.")
    };
    answer::page(&Ask {
        frame: signed.frame(Place::Home),
        title: format!("Disable {}?", state.names().get(calendar.id)),
        text: vec![text],
        goes: rows(&state, &goes),
        action: (format!("/calendars/{}/disable", calendar.id), "Disable it".to_owned()),
        tone: Tone::Bad,
    })
}

/// `POST /calendars/{id}/disable`.
pub(super) async fn disable(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let (state, calendar) = theirs(&service, &signed, id).await?;
    let ends = (signed.user.id, calendar.id);
    let left = service.engine.leave_calendar(ends, Leaving::Disabled, &signed.user.email).await;
    left.map_err(answer::engine)?;
    service.wake();
    home(format!("{} is disabled; its blocks are being removed.", state.names().get(calendar.id)))
}

/// `POST /calendars/{id}/approve`.
pub(super) async fn approve(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let (state, calendar) = theirs(&service, &signed, id).await?;
    let ends = (signed.user.id, calendar.id);
    if !service.engine.approve_hold(ends, &signed.user.email).await.map_err(answer::engine)? {
        return home(format!("Nothing is held in {} any more.", state.names().get(calendar.id)));
    }
    service.wake();
    home(format!("Approved: what was held in {} is written now.", state.names().get(calendar.id)))
}

/// `GET /accounts/{id}/remove`: what would go.
pub(super) async fn ask_remove(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let state = state(&service, &signed).await?;
    let removal =
        service.engine.preview_account(signed.user.id, AccountId(id)).await.map_err(answer::engine)?;
    let blocks: u64 = removal.shares.iter().map(|share| share.blocks as u64).sum();
    let email = &removal.account.email;
    let (text, action) = if blocks == 0 {
        let text = format!(
            "No block stands because of {email}. Its calendars, and what is known of them here, go with it."
        );
        (text, "Remove the account")
    } else {
        let blocks = count(blocks, "block");
        let text = format!(
            "First its calendars are disabled, and {blocks} removed, which takes a moment. Then remove the account itself, here \
             once more. Events stay untouched."
        );
        (text, "Disable its calendars")
    };
    answer::page(&Ask {
        frame: signed.frame(Place::Home),
        title: format!("Remove {email}?"),
        text: vec![text],
        goes: rows(&state, &removal.shares),
        action: (format!("/accounts/{}/remove", removal.account.id), action.to_owned()),
        tone: Tone::Bad,
    })
}

/// `POST /accounts/{id}/remove`: in two goes where blocks stand, so that none is left that nobody knows.
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Path(id): Path<Uuid>,
) -> Answer {
    let ends = (signed.user.id, AccountId(id));
    let removed = service.engine.remove_account(ends, Blocks::RemoveFirst, &signed.user.email).await;
    service.wake();
    match removed.map_err(answer::engine)? {
        AccountRemoved::Gone => home("The account is removed."),
        AccountRemoved::OnItsWay(blocks) => home(format!(
            "Its calendars are disabled. Remove the account once more when {} are gone.",
            count(blocks as u64, "block")
        )),
    }
}

/// Whose blocks would go from where, and how many.
fn rows(state: &UserState, shares: &[Share]) -> Vec<(String, String, String)> {
    let names = state.names();
    let name = |id: CalendarId| names.get(id).to_owned();
    shares.iter().map(|share| (name(share.source), name(share.target), share.blocks.to_string())).collect()
}
