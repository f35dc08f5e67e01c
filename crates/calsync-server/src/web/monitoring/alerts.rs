//! `/monitoring/alerts`: what is open, what was, what was sent, and silences.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use calsync_core::alert::{Alert, AlertKind, Delivery, DeliveryState, Occasion};
use calsync_pages::monitoring::{AlertLine, Alerts, Choice, DeliveryLine, OpenAlert, Pill, SilenceLine};
use calsync_pages::words::{Times, thousands};
use calsync_pages::{Notice, Place, Tone};
use jiff::SignedDuration;
use serde::Deserialize;
use uuid::Uuid;

use super::super::answer::{self, Answer};
use super::super::session::Staff;
use super::super::times;
use super::words;
use crate::http::ApiError;
use crate::service::Service;

/// Alerts that are shown.
const HISTORY: u32 = 100;
/// Messages that are shown.
const MESSAGES: u32 = 50;
/// Longest reason, in characters.
const WHY_MAX: usize = 200;
const PATH: &str = "/monitoring/alerts";
/// For how long nobody need be told: hours, as an address names them, and words.
const LENGTHS: [(&str, &str); 5] =
    [("1", "1 hour"), ("4", "4 hours"), ("24", "a day"), ("168", "a week"), ("720", "30 days")];

/// `GET /monitoring/alerts`.
pub(super) async fn show(State(service): State<Arc<Service>>, Staff(signed): Staff) -> Answer {
    let (groups, history, deliveries, silences) = tokio::try_join!(
        service.store.alert_groups(),
        service.store.alerts(HISTORY),
        service.store.deliveries(MESSAGES),
        service.engine.silences()
    )
    .map_err(answer::store)?;
    let times = times::of(&service, &signed).await;
    let open = groups.into_iter().map(|group| OpenAlert {
        kind: group.kind,
        pill: words::loudness(group.level),
        count: if group.count > 1 { thousands(group.count) } else { String::new() },
        since: times.when(group.first_seen),
        message: group.message,
        action: group.action,
    });
    let silences = silences.into_iter().map(|silence| SilenceLine {
        id: silence.id.to_string(),
        kind: silence.kind.unwrap_or_else(|| "all kinds".to_owned()),
        until: times.when(silence.until),
        who: silence.who,
        why: silence.why,
    });
    let named = AlertKind::ALL.iter().map(|kind| (kind.as_str(), kind.as_str()));
    let kinds: Vec<_> = std::iter::once(("", "all kinds")).chain(named).collect();
    answer::page(&Alerts {
        frame: signed.frame(Place::Monitoring),
        open: open.collect(),
        silences: silences.collect(),
        kinds: Choice::among(&kinds, ""),
        lengths: Choice::among(&LENGTHS, "4"),
        deliveries: deliveries.into_iter().map(|delivery| message(delivery, &times)).collect(),
        history: history.into_iter().map(|alert| line(alert, &times)).collect(),
        at_most: HISTORY as usize,
    })
}

fn line(alert: Alert, times: &Times) -> AlertLine {
    AlertLine {
        kind: alert.kind,
        pill: words::loudness(alert.level),
        subject: alert.subject,
        message: alert.message,
        action: alert.action,
        since: times.when(alert.first_seen),
        until: times.when_or(alert.resolved_at, "still open"),
    }
}

fn message(delivery: Delivery, times: &Times) -> DeliveryLine {
    let error = delivery.error.unwrap_or_default();
    let (pill, detail) = match delivery.state {
        DeliveryState::Delivered => (Pill::new(Tone::Good, "Delivered"), String::new()),
        DeliveryState::Failed => (Pill::new(Tone::Bad, "Given up"), error),
        DeliveryState::Pending => {
            let next = delivery.next_try_at.map(|at| format!("next try {}. ", times.when(at).short));
            (Pill::new(Tone::Info, "On its way"), next.unwrap_or_default() + &error)
        }
    };
    DeliveryLine {
        at: times.when(delivery.message.at),
        channel: delivery.channel,
        kind: delivery.message.kind,
        occasion: match delivery.message.occasion {
            Occasion::Opened => "opened",
            Occasion::Reminded => "is still so",
            Occasion::Resolved => "is over",
            Occasion::Test => "was tried out",
        },
        pill,
        attempts: thousands(u64::from(delivery.attempts)),
        detail,
    }
}

#[derive(Deserialize)]
pub(super) struct Silencing {
    kind: String,
    lasts: String,
    why: String,
}

/// `POST /monitoring/alerts/silences`.
pub(super) async fn silence(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Form(asked): Form<Silencing>,
) -> Answer {
    let kind = match asked.kind.as_str() {
        "" => None,
        name => Some(
            AlertKind::parse(name).ok_or_else(|| ApiError::bad_request("there is no such kind of alert"))?,
        ),
    };
    let known =
        LENGTHS.iter().find(|(hours, _)| *hours == asked.lasts).and_then(|(hours, _)| hours.parse().ok());
    let hours: i64 = known.ok_or_else(|| ApiError::bad_request("nobody can be silent for that long"))?;
    let why: String = asked.why.trim().chars().filter(|c| !c.is_control()).take(WHY_MAX).collect();
    if why.is_empty() {
        return Ok(answer::on_to_saying(
            PATH,
            &Notice::bad("Say why, for whoever wonders later. Nothing was changed."),
        ));
    }
    let (kind, lasts) = (kind.map(AlertKind::as_str), SignedDuration::from_hours(hours));
    let silence =
        service.engine.silence(kind, lasts, &signed.user.email, &why).await.map_err(answer::engine)?;
    let until = times::of(&service, &signed).await.when(silence.until).full;
    let of = kind.unwrap_or("any kind");
    Ok(answer::on_to_saying(PATH, &Notice::good(format!("Nobody hears of {of} until {until}."))))
}

/// `POST /monitoring/alerts/silences/{id}/end`.
pub(super) async fn end_silence(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Path(id): Path<String>,
) -> Answer {
    let id = Uuid::try_parse(&id).map_err(|_| ApiError::not_found())?;
    let ended = service.engine.end_silence(id, &signed.user.email).await.map_err(answer::engine)?;
    let notice =
        if ended { Notice::good("The silence is over.") } else { Notice::bad("It was over already.") };
    Ok(answer::on_to_saying(PATH, &notice))
}
