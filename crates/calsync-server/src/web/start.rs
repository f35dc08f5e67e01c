//! The way from nothing to the first block: accounts, a choice of calendars, what would be written, and the word to begin.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Form, State};
use calsync_core::calendar::{Calendar, Leaving};
use calsync_core::ids::CalendarId;
use calsync_core::ports::UserState;
use calsync_core::rule::RuleChanges;
use calsync_engine::{RulesError, Thought};
use calsync_pages::Notice;
use calsync_pages::start::{self, Preview, Start};

use super::answer::{self, Answer};
use super::session::Signed;
use super::{home, preview};
use crate::service::Service;

/// The choice of calendars, as a form sends it: one field for each.
pub(super) type Fields = Vec<(String, String)>;

/// `GET /start`.
pub(super) async fn show(State(service): State<Arc<Service>>, signed: Signed) -> Answer {
    let state = home::state(&service, &signed).await?;
    let suggested = suggestion(&state);
    page(&service, &signed, &state, &suggested, None, None)
}

/// What is likely to be wanted: each account's main calendar, or the only one that can be written to.
fn suggestion(state: &UserState) -> BTreeSet<CalendarId> {
    let may = |c: &&Calendar| c.access.may_write() && !c.missing && c.leaving.is_none();
    let of = |account| {
        let mut theirs = state.calendars.iter().filter(move |c| c.account == account).filter(may);
        let email =
            state.accounts.iter().find(|a| a.id == account).map(|a| a.email.as_str()).unwrap_or_default();
        let main =
            theirs.clone().find(|c| c.remote.calendar == email || c.name == email || c.name == "Calendar");
        main.or_else(|| theirs.next())
    };
    let on = state.calendars.iter().filter(|c| c.sync_enabled).map(|c| c.id);
    state.accounts.iter().filter_map(|account| of(account.id)).map(|c| c.id).chain(on).collect()
}

/// Those of the person's calendars that the form names.
fn chosen(state: &UserState, fields: &Fields) -> BTreeSet<CalendarId> {
    let named: BTreeSet<&str> =
        fields.iter().filter(|(name, _)| name == "calendar").map(|(_, value)| value.as_str()).collect();
    state
        .calendars
        .iter()
        .filter(|c| c.sync_enabled || named.contains(c.id.to_string().as_str()))
        .map(|c| c.id)
        .collect()
}

/// `POST /start/preview`: what would be written, were these to take part.
pub(super) async fn look(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Form(fields): Form<Fields>,
) -> Answer {
    let state = home::state(&service, &signed).await?;
    let chosen = chosen(&state, &fields);
    if chosen.len() < 2 {
        return page(&service, &signed, &state, &chosen, Some(too_few()), None);
    }
    let thought = Thought { changes: RuleChanges::default(), enable: chosen.iter().copied().collect() };
    match service.engine.preview_rules(signed.user.id, &thought).await {
        Ok(would) => {
            let would = preview::of(&would, &state.calendars, &state.names());
            page(&service, &signed, &state, &chosen, None, Some(would))
        }
        Err(RulesError::Engine(error)) => Err(answer::engine(error)),
        Err(error) => page(&service, &signed, &state, &chosen, Some(Notice::bad(error.to_string())), None),
    }
}

fn too_few() -> Notice {
    Notice::bad("Choose two calendars at least: one alone has nothing to keep in step with.")
}

/// `POST /start/begin`.
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    signed: Signed,
    Form(fields): Form<Fields>,
) -> Answer {
    let state = home::state(&service, &signed).await?;
    let chosen = chosen(&state, &fields);
    if chosen.len() < 2 {
        let notice =
            Notice::bad("Choose two calendars at least: one alone has nothing to keep in step with.");
        return Ok(answer::on_to_saying("/start", &notice));
    }
    let chosen: Vec<CalendarId> = chosen.into_iter().collect();
    home::switch_on(&service, &signed.user, &chosen).await?;
    Ok(answer::on_to_saying(
        "/",
        &Notice::good("It begins: the calendars are read, and the nearest days are blocked first."),
    ))
}

/// The page, with this choice.
fn page(
    service: &Service,
    signed: &Signed,
    state: &UserState,
    chosen: &BTreeSet<CalendarId>,
    notice: Option<Notice>,
    preview: Option<Preview>,
) -> Answer {
    let calendar = |c: &Calendar| start::Calendar {
        id: c.id.to_string(),
        name: c.name.clone(),
        is_chosen: chosen.contains(&c.id),
        is_on: c.sync_enabled,
        remark: remark(c),
    };
    let accounts = state.accounts.iter().map(|account| start::Account {
        email: account.email.clone(),
        provider: account.provider.name(),
        calendars: state.calendars.iter().filter(|c| c.account == account.id).map(calendar).collect(),
    });
    answer::page(&Start {
        frame: signed.frame_aside().saying(notice),
        providers: home::providers(service),
        is_staff: signed.user.is_staff,
        accounts: accounts.collect(),
        preview,
    })
}

fn remark(calendar: &Calendar) -> Option<&'static str> {
    match calendar.leaving {
        Some(Leaving::Disabled | Leaving::Reset) => return Some("its blocks are still being removed"),
        Some(Leaving::Stopped) => return Some("stopped: enabling it goes on where it was"),
        None => {}
    }
    if calendar.missing {
        Some("its provider no longer lists it")
    } else if !calendar.access.may_write() {
        Some("read-only: its events block the others, no blocks are written into it")
    } else {
        None
    }
}
