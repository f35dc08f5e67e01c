//! `/monitoring/subscriptions`: push channels page by page, and what a person does with one. The filters are what indexes serve.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use calsync_core::calendar::ProviderKind;
use calsync_core::delivery::Delivery;
use calsync_core::ids::CalendarId;
use calsync_core::ports::{Page, SubscriptionQuery, SubscriptionRow, SubscriptionsOf};
use calsync_core::subscription::{
    FAILING_FROM, NEGLECTED_AFTER, RENEWAL_BUFFER, Subscription, SubscriptionStatus,
};
use calsync_core::time::Ts;
use calsync_engine::Act;
use calsync_pages::monitoring::{Choice, SubscriptionLine, Subscriptions};
use calsync_pages::words::{Times, thousands};
use calsync_pages::{Notice, Place};
use serde::Deserialize;

use super::super::answer::{self, Answer};
use super::super::session::Staff;
use super::super::times;
use super::{address, words};
use crate::http::{ApiError, Params};
use crate::service::Service;

/// Rows of a page.
const ROWS: u32 = 50;
const PATH: &str = "/monitoring/subscriptions";
/// What can be shown: as an address names it, and as people do.
const SHOWS: [(&str, &str); 8] = [
    ("", "All, the newest first"),
    ("active", "In use"),
    ("failing", "Failing"),
    ("ending", "Ending within 24 hours"),
    ("silent", "Silent for too long"),
    ("suspended", "Suspended"),
    ("failed", "Refused by the provider"),
    ("expired", "Ended or replaced"),
];

#[derive(Deserialize)]
pub(super) struct Wanted {
    show: Option<String>,
    provider: Option<String>,
    person: Option<String>,
    after: Option<String>,
}

/// What an address asks for. What it misspells is not asked for.
fn shown(show: &str, now: Ts) -> (SubscriptionsOf, &str) {
    match show {
        "failing" => (SubscriptionsOf::Failing, show),
        "ending" => (SubscriptionsOf::EndingBy(now.plus(RENEWAL_BUFFER)), show),
        "silent" => (SubscriptionsOf::SilentSince(now.minus(NEGLECTED_AFTER)), show),
        _ => SubscriptionStatus::parse(show)
            .map_or((SubscriptionsOf::Everything, ""), |status| (SubscriptionsOf::Status(status), show)),
    }
}

/// `GET /monitoring/subscriptions`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let now = service.clock.now();
    let (of, show) = shown(wanted.show.as_deref().unwrap_or_default(), now);
    let provider = wanted.provider.as_deref().and_then(ProviderKind::parse);
    let person = wanted.person.unwrap_or_default().trim().to_lowercase();
    let known = match person.as_str() {
        "" => None,
        email => service.store.password(email).await.map_err(answer::store)?.map(|(user, _)| user.id),
    };
    let nobody =
        (!person.is_empty() && known.is_none()).then(|| format!("Nobody has the address {person} here."));
    let after = address::bookmark(wanted.after.as_deref());
    let query = SubscriptionQuery { of, provider, person: known, after, limit: ROWS };
    let page = match nobody {
        Some(_) => Page { rows: Vec::new(), next: None },
        None => service.store.subscription_page(&query).await.map_err(answer::store)?,
    };
    let provider = provider.map_or("", ProviderKind::as_str);
    let filters = [("show", show), ("provider", provider), ("person", person.as_str())];
    let times = times::of(&service, &signed).await;
    answer::page(&Subscriptions {
        frame: signed.frame(Place::Monitoring),
        shows: Choice::among(&SHOWS, show),
        providers: words::providers(provider),
        pager: address::pager(PATH, &filters, after, &page),
        rows: page.rows.into_iter().map(|row| line(row, &times)).collect(),
        person,
        nobody,
    })
}

fn line(row: SubscriptionRow, times: &Times) -> SubscriptionLine {
    let SubscriptionRow { subscription: of, calendar, user } = row;
    let now = times.now;
    let is_active = of.status == SubscriptionStatus::Active;
    SubscriptionLine {
        id: of.id.to_string(),
        calendar_id: of.calendar.to_string(),
        calendar,
        user,
        provider: of.provider.name(),
        pill: words::standing(&of, now),
        trouble: if is_active { trouble(&of, now) } else { String::new() },
        delivered: delivered(of.delivery),
        failures: thousands(u64::from(of.failure_count)),
        last: times.when_or(of.last_notification_at, "never"),
        ends: times.when(of.expires_at),
        is_active,
        can_revive: matches!(of.status, SubscriptionStatus::Suspended | SubscriptionStatus::Failed),
    }
}

/// What is wrong with one that is in use.
fn trouble(of: &Subscription, now: Ts) -> String {
    if of.is_expired(now) {
        "it has ended: the next round replaces it".to_owned()
    } else if of.failure_count >= FAILING_FROM {
        "it fails again and again: its calendar is polled".to_owned()
    } else if !of.is_healthy(now, NEGLECTED_AFTER) {
        "silent for too long, and nobody has looked since".to_owned()
    } else if of.is_late(now) {
        "its renewal does not succeed".to_owned()
    } else {
        String::new()
    }
}

/// Of the changes lately, in per cent, rounded down.
fn delivered(of: Delivery) -> String {
    let (heard, all) = (u64::from(of.heard), u64::from(of.heard) + u64::from(of.missed));
    words::percent(heard, all).map_or_else(|| "–".to_owned(), |share| format!("{share} %"))
}

#[derive(Deserialize)]
pub(super) struct Back {
    back: Option<String>,
}

/// `POST /monitoring/subscriptions/{calendar}/{act}`.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Path((calendar, act)): Path<(String, String)>,
    Form(form): Form<Back>,
) -> Answer {
    let act = match act.as_str() {
        "renew" => Act::Renew,
        "suspend" => Act::Suspend,
        "revive" => Act::Revive,
        _ => return Err(ApiError::not_found()),
    };
    let calendar: CalendarId = calendar.parse().map_err(|_| ApiError::not_found())?;
    let back = address::back(form.back.as_deref(), PATH);
    if act != Act::Suspend && !service.engine.is_public() {
        let words = "Providers can not reach this service: set server.public_url first. Nothing was changed.";
        return Ok(answer::on_to_saying(&back, &Notice::bad(words)));
    }
    let came =
        service.engine.see_to_channel(calendar, act, &signed.user.email).await.map_err(answer::engine)?;
    // What was suspended is to be closed, and whoever lost their channel is polled.
    service.tend();
    service.wake();
    let words = format!("{}.", words::name(&came.words()));
    let notice = if came.is_done() { Notice::good(words) } else { Notice::bad(words) };
    Ok(answer::on_to_saying(&back, &notice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_misspells_is_not_asked_for() {
        let now = Ts::from_secs(0);
        for (name, _) in SHOWS {
            assert_eq!(shown(name, now).1, name);
        }
        assert_eq!(shown("nonsense", now), (SubscriptionsOf::Everything, ""));
    }

    #[test]
    fn nearly_all_is_not_all() {
        let of = |heard, missed| delivered(Delivery { heard, missed, ..Delivery::default() });
        assert_eq!([of(0, 0), of(199, 1), of(5, 0), of(0, 3)], ["–", "99 %", "100 %", "0 %"]);
    }
}
