//! `POST /webhooks/microsoft/{calendar}/`: Microsoft Graph change and lifecycle notifications, many to a body, and the
//! handshake that comes before the first (microsoft.md §8.1 to §8.3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_core::notification::{Delivery, Distrust, token_hash};
use calsync_core::ports::StoreError;
use calsync_engine::{Accepted, Followup, Refusal};
use calsync_providers::microsoft::notification;
use futures_util::{StreamExt, stream};

use super::{Receipt, Refused, answered_by, in_time, named, not_stored, refuse};
use crate::http::{ApiError, ClientAddr, capped};
use crate::metrics::Outcome;
use crate::service::Service;

/// Subscriptions that the items of one body may name, each with the secret they give for it: the calendar's own, and some
/// that were replaced.
const CHANNELS_MAX: usize = 16;
/// Items stored at the same time: they share their commits, and a body of a thousand is answered in time.
const AT_ONCE: usize = 256;

/// What an item says of who sent it: the subscription it names, and the hash of the secret it gives. One that gives another
/// secret for the same subscription is judged for itself.
type Sender = (String, Vec<u8>);
/// An item, and who sent it.
type Sent = (Sender, Delivery);

/// Why the items of a sender are not believed. It is true of all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stranger {
    /// Nobody knows the subscription.
    Unknown,
    /// It is known, and this is not it, or it is to deliver no more.
    Distrusted(Distrust),
}

/// What the items of one body came to.
struct Tally {
    receipt: Receipt,
    believed: bool,
    renew: bool,
    open: bool,
    unknown: usize,
    distrusted: BTreeMap<String, usize>,
    failed: Option<StoreError>,
    /// Items that name no subscription at all.
    unreadable: usize,
}

impl Tally {
    fn begins() -> Tally {
        Tally {
            receipt: Receipt::begins(),
            believed: false,
            renew: false,
            open: false,
            unknown: 0,
            distrusted: BTreeMap::new(),
            failed: None,
            unreadable: 0,
        }
    }

    fn refuse(&mut self, stranger: Stranger) {
        match stranger {
            Stranger::Unknown => self.unknown += 1,
            Stranger::Distrusted(why) => *self.distrusted.entry(why.to_string()).or_default() += 1,
        }
    }

    /// Why nothing of it is believed, for a sender who is refused.
    fn why(&self) -> Option<String> {
        let words: Vec<&str> = self.distrusted.keys().map(String::as_str).collect();
        Some(words.join("; ")).filter(|words| !words.is_empty())
    }

    /// Once a body, whatever it holds: whoever sends thousands of forged items fills no log. A body of which nothing is
    /// believed is refused as a whole, and told of there.
    fn say(&self, calendar: CalendarId) {
        if !self.believed {
            return;
        }
        if self.unreadable > 0 {
            tracing::warn!(%calendar, items = self.unreadable, "notifications that name no subscription were passed over");
        }
        if self.unknown > 0 {
            tracing::debug!(%calendar, items = self.unknown, "notifications of an unknown subscription");
        }
        for (why, items) in &self.distrusted {
            tracing::warn!(%calendar, items, %why, "notifications were refused");
        }
    }
}

/// `GET`: only ever a handshake.
pub(super) async fn shake_hands(query: RawQuery) -> Response {
    handshake(&query).unwrap_or_else(|| {
        let missing = "this address takes notifications by POST, and answers a validationToken";
        ApiError::new(StatusCode::BAD_REQUEST, "missing_validation_token", missing).into_response()
    })
}

/// `POST`: a handshake or notifications.
pub(super) async fn take(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    calendar: Result<Path<String>, PathRejection>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Some(answer) = handshake(&query) {
        return answer;
    }
    let calendar = named(&calendar);
    match receive(&service, calendar, &headers, body).await {
        Ok(outcome) => (Extension(outcome), StatusCode::ACCEPTED).into_response(),
        // A stranger is told nothing, and one who goes on is sent away like at every other address.
        Err(refused) => match refuse(&service, client, calendar, refused).await {
            error if error.status() == StatusCode::FORBIDDEN => {
                (Extension(Outcome::Refused), StatusCode::ACCEPTED).into_response()
            }
            error => error.into_response(),
        },
    }
}

/// Comes while our own request for the subscription is still open, so it asks neither the store nor whose calendar it is.
fn handshake(RawQuery(query): &RawQuery) -> Option<Response> {
    let token = notification::validation_token(query.as_deref()?)?;
    let plain = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Some(match token {
        Ok(token) => (Extension(Outcome::Handshake), plain, token).into_response(),
        Err(refusal) => unreadable(refusal).into_response(),
    })
}

/// `Err` with 403 if nothing in it could be believed.
async fn receive(
    service: &Arc<Service>,
    calendar: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Outcome, Refused> {
    let mut tally = Tally::begins();
    let body = capped(headers, body, service.settings.webhooks.max_batch_bytes).await?;
    let read = notification::parse(&body, service.clock.now()).map_err(unreadable)?;
    let empty = read.items.is_empty() && read.unreadable == 0;
    // Something that is no id of ours names nothing that exists.
    let Ok(calendar) = calendar.parse::<CalendarId>() else { return Err(ApiError::forbidden().into()) };
    let until = answered_by();
    let judge =
        |item| in_time(until, service.engine.accept_delivery(ProviderKind::Microsoft, calendar, item));
    accept(read.items, judge, &mut tally).await;
    tally.unreadable = read.unreadable;
    tally.say(calendar);
    tally.receipt.tell(ProviderKind::Microsoft, calendar);
    if tally.receipt.stored > 0 {
        service.wake();
    }
    if tally.open {
        service.tend();
    }
    if tally.renew {
        renew(service, calendar);
    }
    match tally.failed {
        Some(error) => Err(not_stored(&error).into()),
        None if tally.believed || empty => Ok(tally.receipt.outcome()),
        None => Err(Refused { error: ApiError::forbidden(), why: tally.why() }),
    }
}

/// Each item stands for itself: a forged one costs no other its place.
async fn accept<F>(items: Vec<Delivery>, judge: impl Fn(Delivery) -> F, tally: &mut Tally)
where
    F: Future<Output = Result<(Accepted, Followup), Refusal>>,
{
    let (first, rest) = by_sender(items, tally);
    let strangers = take_all(first, &judge, tally).await;
    let mut open = Vec::new();
    for (sender, item) in rest {
        match strangers.get(&sender) {
            Some(stranger) => tally.refuse(*stranger),
            None => open.push((sender, item)),
        }
    }
    take_all(open, &judge, tally).await;
}

fn sender(item: &Delivery) -> Sender {
    (item.claim.channel.clone(), item.claim.token.as_ref().map(token_hash).unwrap_or_default())
}

/// The first item of each sender, and the rest: of one that is not believed, no more than one is looked up. Graph posts to one
/// address what few subscriptions have to tell; what more than that name is nobody's.
fn by_sender(items: Vec<Delivery>, tally: &mut Tally) -> (Vec<Sent>, Vec<Sent>) {
    let mut senders = BTreeSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for item in items {
        let sender = sender(&item);
        if senders.contains(&sender) {
            rest.push((sender, item));
        } else if senders.len() < CHANNELS_MAX {
            senders.insert(sender.clone());
            first.push((sender, item));
        } else {
            tally.refuse(Stranger::Unknown);
        }
    }
    (first, rest)
}

/// Which senders need not be asked about again.
async fn take_all<F>(
    items: Vec<Sent>,
    judge: &impl Fn(Delivery) -> F,
    tally: &mut Tally,
) -> BTreeMap<Sender, Stranger>
where
    F: Future<Output = Result<(Accepted, Followup), Refusal>>,
{
    let accepting = items.into_iter().map(|(sender, item)| {
        let judged = judge(item);
        async move { (sender, judged.await) }
    });
    let mut accepted = stream::iter(accepting).buffered(AT_ONCE);
    let mut strangers = BTreeMap::new();
    while let Some((sender, item)) = accepted.next().await {
        let stranger = match item {
            Ok((accepted, followup)) => {
                tally.believed = true;
                tally.receipt.take(accepted);
                tally.renew |= followup == Followup::Renew;
                tally.open |= followup == Followup::Open;
                continue;
            }
            Err(Refusal::Store(error)) => {
                tally.failed = Some(error);
                continue;
            }
            Err(Refusal::Unknown) => Stranger::Unknown,
            Err(Refusal::Distrusted(why)) => Stranger::Distrusted(why),
        };
        tally.refuse(stranger);
        strangers.insert(sender, stranger);
    }
    strangers
}

/// After the answer: a renewal calls Graph, which waits for us. When too many ask at once, the rest are left to ask again, as
/// they do, or to maintenance.
fn renew(service: &Arc<Service>, calendar: CalendarId) {
    let Ok(turn) = service.renewals.clone().try_acquire_owned() else { return };
    let service = service.clone();
    tokio::spawn(async move {
        let _turn = turn;
        if let Err(error) = service.engine.renew_channel(calendar).await {
            tracing::warn!(%calendar, %error, "a push channel that asked for it could not be renewed");
        }
    });
}

fn unreadable(refusal: notification::Refusal) -> ApiError {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    ApiError::new(status, refusal.code(), refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliveries(items: impl Iterator<Item = (String, String)>) -> Vec<Delivery> {
        let item = |(channel, token)| serde_json::json!({"subscriptionId": channel, "clientState": token});
        let body = serde_json::json!({ "value": items.map(item).collect::<Vec<_>>() }).to_string();
        notification::parse(body.as_bytes(), calsync_core::time::Ts::from_secs(0)).unwrap().items
    }

    fn read(channels: impl Iterator<Item = String>) -> (usize, usize, usize) {
        let mut tally = Tally::begins();
        let items = deliveries(channels.map(|channel| (channel, "secret".to_owned())));
        let (first, rest) = by_sender(items, &mut tally);
        (first.len(), rest.len(), tally.unknown)
    }

    #[test]
    fn a_body_costs_few_lookups_whatever_it_names() {
        assert_eq!(read((0..4_000).map(|n| format!("channel-{n}"))), (CHANNELS_MAX, 0, 4_000 - CHANNELS_MAX));
        assert_eq!(read((0..4_000).map(|_| "one".to_owned())), (1, 3_999, 0));
        // Of those that count, no item is lost.
        assert_eq!(read((0..100).map(|n| format!("channel-{}", n % 2))), (2, 98, 0));
    }

    /// How often the engine was asked, and what the body came to; who gives the secret "right" is believed.
    async fn asked(items: impl Iterator<Item = (&str, String)>, refusal: Refusal) -> (usize, Tally) {
        let count = std::cell::Cell::new(0);
        let judge = |item: Delivery| {
            count.set(count.get() + 1);
            let right = item.claim.token.is_some_and(|token| token.expose() == "right");
            let answer =
                if right { Ok((Accepted::Duplicate, Followup::Nothing)) } else { Err(refusal.clone()) };
            std::future::ready(answer)
        };
        let mut tally = Tally::begins();
        let items = deliveries(items.map(|(channel, token)| (channel.to_owned(), token)));
        accept(items, judge, &mut tally).await;
        (count.get(), tally)
    }

    #[tokio::test]
    async fn whoever_is_not_believed_is_asked_about_once_a_body() {
        for refusal in [
            Refusal::Unknown,
            Refusal::Distrusted(Distrust::Channel),
            Refusal::Distrusted(Distrust::Token),
            Refusal::Distrusted(Distrust::Suspended),
        ] {
            let refused = |tally: &Tally| tally.unknown + tally.distrusted.values().sum::<usize>();
            let same = (0..4_000).map(|_| ("one", "wrong".to_owned()));
            let (count, tally) = asked(same, refusal.clone()).await;
            assert_eq!((count, refused(&tally), tally.believed), (1, 4_000, false), "{refusal:?}");
            let guesses = (0..4_000).map(|n| ("one", format!("guess-{n}")));
            let (count, tally) = asked(guesses, refusal.clone()).await;
            assert_eq!((count, refused(&tally)), (CHANNELS_MAX, 4_000), "{refusal:?}");
            // A forged item costs no other its place, not even one of the same subscription that comes after it.
            let mixed = (0..100).map(|n| ("one", if n % 2 == 0 { "wrong" } else { "right" }.to_owned()));
            let (count, tally) = asked(mixed, refusal.clone()).await;
            assert_eq!((count, refused(&tally), tally.believed), (51, 50, true), "{refusal:?}");
        }
    }
}
