//! One delivery of a Google channel, read into a claim (google.md §8, spec §3). Pure; believes nothing and never keeps the
//! channel's token among the headers.

use calsync_core::notification::{Claim, NOTIFICATION_ID_MAX, Wants};
use calsync_core::secret::Secret;
use serde_json::{Map, Value};

/// The largest body taken: Google's are empty.
pub const BODY_MAX: usize = 10 * 1024;
/// Longest channel or resource id taken (spec §2).
const ID_MAX: usize = 255;
/// Longest other header kept.
const KEPT_MAX: usize = 255;

/// Why a delivery is not read at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is larger than Google's ever are.
    #[error("the body is too large")]
    BodyTooLarge,
    /// No id of the delivery.
    #[error("X-Goog-Message-Number is missing")]
    NoNotificationId,
    /// No id of the channel.
    #[error("X-Goog-Channel-ID is missing")]
    NoChannel,
    /// No id of what is watched.
    #[error("X-Goog-Resource-ID is missing")]
    NoResource,
    /// An id is longer than any real one, or not printable.
    #[error("an id is too long or not printable")]
    BadId,
}

impl Refusal {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::NoNotificationId => "missing_notification_id",
            Refusal::NoChannel => "missing_channel_id",
            Refusal::NoResource => "missing_resource_id",
            Refusal::BadId => "malformed_id",
        }
    }

    /// The HTTP status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::BodyTooLarge => 413,
            _ => 400,
        }
    }
}

/// Reads a delivery. Header names may come in any case; of a header that comes twice the first counts.
pub fn parse<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body_len: usize,
) -> Result<Claim, Refusal> {
    if body_len > BODY_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    let found = Found::among(headers);
    let notification_id = id(found.number, Refusal::NoNotificationId, NOTIFICATION_ID_MAX)?;
    let channel = id(found.channel, Refusal::NoChannel, ID_MAX)?;
    let resource = id(found.resource, Refusal::NoResource, ID_MAX)?;
    let wants = match found.state {
        Some(state) if state.eq_ignore_ascii_case("sync") => Wants::Confirmation,
        // `exists`, `not_exists`, and whatever comes after them: looking once too often hurts nobody.
        Some(_) => Wants::Sync,
        None if notification_id == "1" => Wants::Confirmation,
        None => Wants::Sync,
    };
    // Channel, resource, end and number stand in the rows already, for whoever is believed says what they say: of a busy
    // channel they would be most of what is stored. Never the token, nor the resource's URI: it holds the calendar's address.
    let mut kept = Map::new();
    if let Some(state) = found.state.filter(|state| state.len() <= KEPT_MAX) {
        kept.insert("x-goog-resource-state".to_owned(), Value::from(state));
    }
    let token = found.token.map(Secret::new);
    Ok(Claim {
        channel,
        token,
        resource,
        notification_id,
        wants,
        headers: Value::Object(kept),
        payload: Value::Null,
    })
}

#[derive(Default)]
struct Found<'a> {
    number: Option<&'a str>,
    channel: Option<&'a str>,
    resource: Option<&'a str>,
    state: Option<&'a str>,
    token: Option<&'a str>,
}

impl<'a> Found<'a> {
    fn among(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Found<'a> {
        let mut found = Found::default();
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let place = if is("x-goog-message-number") {
                &mut found.number
            } else if is("x-goog-channel-id") {
                &mut found.channel
            } else if is("x-goog-resource-id") {
                &mut found.resource
            } else if is("x-goog-resource-state") {
                &mut found.state
            } else if is("x-goog-channel-token") {
                &mut found.token
            } else {
                continue;
            };
            place.get_or_insert(value);
        }
        found
    }
}

fn id(value: Option<&str>, missing: Refusal, max: usize) -> Result<String, Refusal> {
    let value = value.map(str::trim).filter(|v| !v.is_empty()).ok_or(missing)?;
    if value.len() > max || !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refusal::BadId);
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 7] = [
        ("X-Goog-Channel-ID", "8f0c2f3e-9b4d-4d7e-8a51-0c9d2b6f7e10"),
        ("X-Goog-Message-Number", "42"),
        ("X-Goog-Resource-ID", "q7Vx2exampleResourceId0k"),
        ("X-Goog-Resource-State", "exists"),
        (
            "X-Goog-Resource-URI",
            "https://www.googleapis.com/calendar/v3/calendars/ann%40example.com/events?alt=json",
        ),
        ("X-Goog-Channel-Expiration", "Tue, 17 Nov 2026 08:00:00 GMT"),
        ("X-Goog-Channel-Token", "hunter2"),
    ];

    fn with<'a>(name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let rest = GOOD.into_iter().filter(|(n, _)| *n != name);
        let name = GOOD.iter().map(|(n, _)| *n).find(|n| *n == name).unwrap();
        rest.chain(value.map(|v| (name, v))).collect()
    }

    #[test]
    fn a_delivery_is_read() {
        let claim = parse(GOOD, 0).unwrap();
        assert_eq!(claim.channel, "8f0c2f3e-9b4d-4d7e-8a51-0c9d2b6f7e10");
        assert_eq!(claim.resource, "q7Vx2exampleResourceId0k");
        assert_eq!((claim.notification_id.as_str(), claim.wants), ("42", Wants::Sync));
        assert_eq!(claim.token, Some(Secret::new("hunter2")));
        let kept = claim.headers.to_string();
        assert!(!kept.contains("hunter2") && !kept.contains("example.com"), "{kept}");
        assert!(!format!("{claim:?}").contains("hunter2"));
        // The guide itself writes `Channel-Id` and `Channel-ID`.
        let shouted: Vec<_> = GOOD.iter().map(|(n, v)| (n.to_uppercase(), *v)).collect();
        assert_eq!(parse(shouted.iter().map(|(n, v)| (n.as_str(), *v)), 0).unwrap(), claim);
        assert_eq!(parse(GOOD.into_iter().chain([("x-goog-channel-id", "other")]), 0).unwrap(), claim);
    }

    #[test]
    fn what_it_wants() {
        let table = [
            (Some("sync"), "1", Wants::Confirmation),
            (Some("SYNC"), "7", Wants::Confirmation),
            (None, "1", Wants::Confirmation),
            (None, "2", Wants::Sync),
            (Some("exists"), "1", Wants::Sync),
            (Some("not_exists"), "9", Wants::Sync),
            (Some("something new"), "9", Wants::Sync),
        ];
        for (state, number, wants) in table {
            let headers = with("X-Goog-Resource-State", state);
            let headers =
                headers.into_iter().map(|(n, v)| (n, if n == "X-Goog-Message-Number" { number } else { v }));
            assert_eq!(parse(headers, 0).unwrap().wants, wants, "{state:?} {number}");
        }
    }

    #[test]
    fn refusals_have_codes() {
        let long = "a".repeat(256);
        let table = [
            ("X-Goog-Message-Number", None, Refusal::NoNotificationId),
            ("X-Goog-Message-Number", Some(" "), Refusal::NoNotificationId),
            ("X-Goog-Channel-ID", None, Refusal::NoChannel),
            ("X-Goog-Resource-ID", None, Refusal::NoResource),
            ("X-Goog-Message-Number", Some(long.as_str()), Refusal::BadId),
            ("X-Goog-Channel-ID", Some(long.as_str()), Refusal::BadId),
            ("X-Goog-Resource-ID", Some("a b"), Refusal::BadId),
        ];
        for (name, value, refusal) in table {
            assert_eq!(parse(with(name, value), 0), Err(refusal), "{name} {value:?}");
            assert_eq!(refusal.status(), 400);
        }
        assert_eq!(parse(GOOD, BODY_MAX + 1), Err(Refusal::BodyTooLarge));
        assert_eq!(Refusal::BodyTooLarge.status(), 413);
        let no_token = parse(with("X-Goog-Channel-Token", None), 0).unwrap();
        assert_eq!(no_token.token, None, "whether it needs one is not ours to say");
    }
}
