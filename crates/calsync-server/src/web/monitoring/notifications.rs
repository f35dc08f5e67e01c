//! `/monitoring/notifications`: what providers delivered, page by page, and one of them with a second try.

use std::sync::Arc;

use axum::extract::{Path, State};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::NotificationId;
use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::{NotificationQuery, NotificationSeen, Page, Recent};
use calsync_pages::monitoring::{Choice, NotificationLine, NotificationPage, Notifications};
use calsync_pages::words::{Times, milliseconds, thousands};
use calsync_pages::{Frame, Notice, Place};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::answer::{self, Answer};
use super::super::session::Staff;
use super::super::times;
use super::{address, hidden, words};
use crate::http::{ApiError, Params};
use crate::service::Service;

/// Rows of a page.
const ROWS: u32 = 50;
const PATH: &str = "/monitoring/notifications";
/// States that can be chosen.
const STATES: [(&str, &str); 6] = [
    ("", "All"),
    ("pending", "Pending"),
    ("processing", "Being processed"),
    ("retrying", "Waiting for another try"),
    ("completed", "Completed"),
    ("failed", "Given up"),
];

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    status: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    calendar: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    after: Option<String>,
}

fn query(wanted: &Wanted, zone: &TimeZone) -> Result<NotificationQuery, String> {
    let calendar = match wanted.calendar.trim() {
        "" => None,
        id => Some(id.parse().map_err(|_| "This is no id of a calendar.".to_owned())?),
    };
    Ok(NotificationQuery {
        status: ProcessingStatus::parse(&wanted.status),
        provider: ProviderKind::parse(&wanted.provider),
        calendar,
        from: address::time(&wanted.from, zone)?,
        to: address::time(&wanted.to, zone)?,
        after: address::bookmark(wanted.after.as_deref()),
        limit: ROWS,
    })
}

/// `GET /monitoring/notifications`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let times = times::of(&service, &signed).await;
    let (page, after, problem) = match query(&wanted, &times.zone) {
        Ok(query) => {
            (service.store.notification_page(&query).await.map_err(answer::store)?, query.after, None)
        }
        Err(problem) => (Page { rows: Vec::new(), next: None }, None, Some(problem)),
    };
    let status = ProcessingStatus::parse(&wanted.status).map_or("", ProcessingStatus::as_str);
    let provider = ProviderKind::parse(&wanted.provider).map_or("", ProviderKind::as_str);
    let calendar = wanted.calendar.trim();
    let filters = [
        ("status", status),
        ("provider", provider),
        ("calendar", calendar),
        ("from", &wanted.from),
        ("to", &wanted.to),
    ];
    answer::page(&Notifications {
        frame: signed.frame(Place::Monitoring),
        states: Choice::among(&STATES, status),
        providers: words::providers(provider),
        pager: address::pager(PATH, &filters, after, &page),
        calendar: calendar.to_owned(),
        rows: page.rows.into_iter().map(|row| line(row, &times)).collect(),
        problem,
        zone: times::name(&times.zone).to_owned(),
        from: wanted.from,
        to: wanted.to,
    })
}

fn line(row: Recent, times: &Times) -> NotificationLine {
    NotificationLine {
        id: row.id.to_string(),
        received: times.when(row.received_at),
        provider: row.provider.name(),
        calendar: row.calendar.to_string(),
        pill: words::processing(row.status),
        took: took(row.took_ms),
        error: row.error.unwrap_or_default(),
    }
}

fn took(ms: Option<i64>) -> String {
    ms.and_then(|ms| u64::try_from(ms).ok()).map_or_else(|| "–".to_owned(), milliseconds)
}

fn named(id: &str) -> Result<NotificationId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found())
}

/// `GET /monitoring/notifications/{id}`.
pub(super) async fn look_inside(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Path(id): Path<String>,
) -> Answer {
    let seen = service.store.notification(named(&id)?).await.map_err(answer::store)?;
    let seen = seen.ok_or_else(ApiError::not_found)?;
    let times = times::of(&service, &signed).await;
    answer::page(&inside(seen, signed.frame(Place::Monitoring), &times))
}

fn inside(seen: NotificationSeen, frame: Frame, times: &Times) -> NotificationPage {
    let NotificationSeen { notification: n, calendar, name, user, provider } = seen;
    let happened = [
        ("Received", Some(n.received_at)),
        ("Work began", n.processing_started_at),
        ("Finished", n.processing_completed_at),
        ("Next try", n.next_retry_at),
    ];
    let history = happened.into_iter().filter_map(|(what, at)| Some((what, times.when(at?))));
    let figure = |n: u32| thousands(u64::from(n));
    let counts = [
        ("Calendars read", figure(n.served.calendars_synced)),
        ("Events seen", figure(n.served.events_processed)),
        ("Blocks written", figure(n.served.busy_blocks_updated)),
    ];
    NotificationPage {
        frame,
        id: n.id.to_string(),
        notification_id: n.notification_id,
        provider: provider.name(),
        calendar_id: calendar.to_string(),
        calendar: name,
        user,
        subscription: n.subscription.to_string(),
        pill: words::processing(n.status),
        history: history.collect(),
        took: took(n.processing_time_ms),
        failures: thousands(u64::from(n.retry_count)),
        counts: counts.to_vec(),
        run: n.run.map_or_else(|| "none".to_owned(), |run| run.to_string()),
        error: n.error_message,
        headers: hidden::shown(n.headers),
        payload: hidden::shown(n.payload),
        can_replay: !matches!(n.status, ProcessingStatus::Pending | ProcessingStatus::Processing),
    }
}

/// `POST /monitoring/notifications/{id}/replay`.
pub(super) async fn replay(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Path(id): Path<String>,
) -> Answer {
    let id = named(&id)?;
    let replayed = service.engine.replay(id, &signed.user.email).await.map_err(answer::engine)?;
    let notice = match replayed {
        Some(_) => {
            service.wake();
            Notice::good("It is pending again: its calendar is being read.")
        }
        None => {
            Notice::bad("Nothing was changed: it waits already, somebody is at work on it, or it is gone.")
        }
    };
    Ok(answer::on_to_saying(&format!("{PATH}/{id}"), &notice))
}
