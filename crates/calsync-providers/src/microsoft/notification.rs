//! What Graph posts to our webhook address (microsoft.md §8.1 to §8.3), read. Pure; believes nothing, and never keeps a
//! `clientState` among what is stored.
//!
//! One body holds many items, of several subscriptions perhaps: each is a claim of its own, and one that can't be read costs
//! only itself.

use calsync_core::echo::Told;
use calsync_core::ids::EventId;
use calsync_core::notification::{ChannelNews, Claim, Delivery, Wants};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::items::{loose, object};

/// The largest body taken, in bytes (spec §3). An item takes some 800.
pub const BODY_MAX: usize = 1024 * 1024;
/// Most items of one body.
pub const ITEMS_MAX: usize = 4_096;
/// Longest validation token answered, in bytes, decoded. Real ones are a short sentence.
pub const VALIDATION_TOKEN_MAX: usize = 4 * 1024;
/// Longest query looked at: a token with every byte encoded, and something beside it.
const QUERY_MAX: usize = 4 * VALIDATION_TOKEN_MAX;
/// Longest id taken.
const ID_MAX: usize = 255;
/// Longest `clientState` taken (§8).
const STATE_MAX: usize = 255;
/// Longest other text kept.
const KEPT_MAX: usize = 512;
/// How long one key lasts for an item that carries nothing to tell it from the next.
const KEY_MINUTES: i64 = 1;

/// Why a delivery is not read at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is larger than we take.
    #[error("the body is too large")]
    BodyTooLarge,
    /// It is not JSON of the form that Graph sends.
    #[error("the body is not a collection of notifications")]
    NotNotifications,
    /// More items than a body of this size can hold.
    #[error("the body holds too many items")]
    TooManyItems,
    /// The validation token is empty, too long, or not plain text.
    #[error("the validation token is not one that can be answered")]
    BadValidationToken,
}

impl Refusal {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::NotNotifications => "malformed_body",
            Refusal::TooManyItems => "too_many_items",
            Refusal::BadValidationToken => "bad_validation_token",
        }
    }

    /// The HTTP status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::BodyTooLarge | Refusal::TooManyItems => 413,
            Refusal::NotNotifications | Refusal::BadValidationToken => 400,
        }
    }
}

/// The handshake (§8.1): the token of this query, decoded once, to be answered with status 200 as `text/plain` and
/// `X-Content-Type-Options: nosniff`, unchanged. `None`: this is no handshake.
///
/// What a browser could take for markup and what no header or log should see is refused, never altered.
pub fn validation_token(query: &str) -> Option<Result<String, Refusal>> {
    if query.len() > QUERY_MAX {
        // Whatever it is: it is not looked through.
        return query.contains("validationToken=").then_some(Err(Refusal::BadValidationToken));
    }
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "validationToken")?;
    let plain = |c: char| !c.is_control() && !matches!(c, '<' | '>' | '\u{fffd}');
    let fine = !token.is_empty() && token.len() <= VALIDATION_TOKEN_MAX && token.chars().all(plain);
    Some(if fine { Ok(token.into_owned()) } else { Err(Refusal::BadValidationToken) })
}

/// What a body holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Deliveries {
    /// The items that name a subscription, in their order. Unknown and forged ones are among them.
    pub items: Vec<Delivery>,
    /// Items that name none: to be counted, and answered like the rest.
    pub unreadable: usize,
}

/// Reads a body that was received at `now`. Answer 202 whatever its items are worth: a refusal would make Graph send the good
/// ones again, for hours (§8.2). Only if the store fails: 5xx.
pub fn parse(body: &[u8], now: Ts) -> Result<Deliveries, Refusal> {
    if body.len() > BODY_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    let collection: Collection<'_> = object(body).ok_or(Refusal::NotNotifications)?;
    if collection.value.len() > ITEMS_MAX {
        return Err(Refusal::TooManyItems);
    }
    let mut read = Deliveries::default();
    for raw in collection.value {
        match object::<Item>(raw.get().as_bytes()).and_then(|item| delivery(item, now)) {
            Some(item) => read.items.push(item),
            None => read.unreadable += 1,
        }
    }
    Ok(read)
}

/// Items are kept as text, so that a bad one costs only itself.
#[derive(Deserialize)]
struct Collection<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

/// An item of either sort: of a lifecycle one most of it is absent (§8.3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    subscription_id: String,
    #[serde(default, deserialize_with = "loose")]
    client_state: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    change_type: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    lifecycle_event: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    subscription_expiration_date_time: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    resource_data: Option<ResourceData>,
}

#[derive(Deserialize)]
struct ResourceData {
    #[serde(default, deserialize_with = "loose")]
    id: Option<String>,
    #[serde(default, deserialize_with = "loose", rename = "@odata.etag")]
    etag: Option<String>,
}

fn delivery(item: Item, now: Ts) -> Option<Delivery> {
    let channel = item.subscription_id.trim();
    if channel.is_empty() || channel.len() > ID_MAX || !channel.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let news = match item.lifecycle_event.as_deref() {
        None => ChannelNews::Nothing,
        Some("reauthorizationRequired") => ChannelNews::RenewNow,
        Some("subscriptionRemoved") => ChannelNews::Ended,
        // `missed`, and whatever comes after it: a whole reading is right in any case.
        Some(_) => ChannelNews::Missed,
    };
    let claim = Claim {
        channel: channel.to_owned(),
        // Too long to be ours: whatever it is, it is compared with nothing.
        token: item.client_state.as_deref().filter(|s| s.len() <= STATE_MAX).map(Secret::new),
        // Graph spells what is watched in many ways; the subscription stands for it (see `watch`).
        resource: channel.to_owned(),
        notification_id: key(&item, now),
        wants: Wants::Sync,
        headers: Value::Object(Map::new()),
        payload: payload(&item),
    };
    Some(Delivery { claim, news })
}

/// What tells one delivery from another. The same item, delivered again, has the same key; another change has another, for
/// the event's etag moves with each. Ids of items are optional, and stand beside the rest where there is one (§8.2).
///
/// An item with neither id nor etag (every lifecycle one) can't be told from the next of its sort. There the minute of its
/// receipt is part of the key: looking twice costs a call, and swallowing a second `missed` would cost changes.
fn key(item: &Item, now: Ts) -> String {
    let data = item.resource_data.as_ref();
    let etag = data.and_then(|d| d.etag.as_deref());
    let minute = now.micros().div_euclid(KEY_MINUTES * 60_000_000).to_string();
    // Ids are never used again, so that an event is deleted once.
    let deleted = item.change_type.as_deref() == Some("deleted") && data.is_some_and(|d| d.id.is_some());
    let told_apart = item.id.is_some() || etag.is_some() || deleted;
    let mut hash = Sha256::new();
    for part in [
        Some(item.subscription_id.as_str()),
        item.id.as_deref(),
        item.change_type.as_deref(),
        item.lifecycle_event.as_deref(),
        item.subscription_expiration_date_time.as_deref().filter(|_| !told_apart),
        data.and_then(|d| d.id.as_deref()),
        etag,
        Some(minute.as_str()).filter(|_| !told_apart),
    ] {
        // Length first, and absence apart from emptiness, so that no two items run together.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    format!("m1-{}", BASE64URL_NOPAD.encode(&hash.finalize()))
}

/// What is worth keeping: never the secret, nor anything of a person.
fn payload(item: &Item) -> Value {
    let mut kept = Map::new();
    let mut keep = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|v| v.len() <= KEPT_MAX) {
            kept.insert(name.to_owned(), Value::from(value));
        }
    };
    let data = item.resource_data.as_ref();
    keep("id", item.id.as_deref());
    keep("changeType", item.change_type.as_deref());
    keep("lifecycleEvent", item.lifecycle_event.as_deref());
    keep("subscriptionExpirationDateTime", item.subscription_expiration_date_time.as_deref());
    keep("event", data.and_then(|d| d.id.as_deref()));
    if let Some(told) = told(item) {
        told.keep(&mut kept);
    }
    Value::Object(kept)
}

/// What it tells of its event. The etag moves with every change (§4.2), ids are never used again: the same etag is the same
/// event. An etag of another form than a listing's (as stubs have) only ever makes the two differ.
fn told(item: &Item) -> Option<Told> {
    let short = |text: &&str| text.len() <= KEPT_MAX;
    let data = item.resource_data.as_ref().filter(|_| item.lifecycle_event.is_none())?;
    let event = EventId(data.id.as_deref().filter(short)?.to_owned());
    match item.change_type.as_deref()? {
        "created" | "updated" => {
            Some(Told::Stands { event, version: data.etag.as_deref().filter(short)?.to_owned() })
        }
        "deleted" => Some(Told::Gone { event }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
