//! What the providers post to our webhooks: Google's headers, Microsoft's bodies and handshake.

use calsync_core::echo::Told;
use calsync_core::notification::{Claim, NOTIFICATION_ID_MAX};
use calsync_providers::{google, microsoft};
use serde_json::Value;
use url::form_urlencoded;

use crate::material::{cuts, has_canary, is_object, keeps_the_secret, pairs};
use crate::{CANARY, NOW};

/// The headers of a delivery of Google's, one a line.
pub fn google_notification(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let headers = pairs(text, ':');
    let read = google::notification::parse(headers.iter().copied(), 0);
    let shouted: Vec<(String, &str)> = headers.iter().map(|(n, v)| (n.to_ascii_uppercase(), *v)).collect();
    let again = google::notification::parse(shouted.iter().map(|(n, v)| (n.as_str(), *v)), 0);
    assert_eq!(read, again, "the case of a name means nothing");
    assert!(
        google::notification::parse(headers.iter().copied(), google::notification::BODY_MAX + 1).is_err()
    );
    let Ok(claim) = read.inspect_err(|refusal| assert!(matches!(refusal.status(), 400 | 413))) else {
        return;
    };
    is_bounded(&claim);
    if !has_canary(data) {
        let token = std::iter::once(("x-goog-channel-token", CANARY));
        let secret = google::notification::parse(token.chain(headers.iter().copied()), 0);
        let secret = secret.expect("a token makes no difference to the rest");
        assert_eq!(secret.token.as_ref().map(|t| t.expose()), Some(CANARY), "the first counts");
        hides(&secret);
        assert_eq!(Claim { token: claim.token.clone(), ..secret }, claim);
    }
}

/// The body of a delivery of Microsoft's.
pub fn microsoft_notification(data: &[u8]) {
    let Ok(read) = microsoft::notification::parse(data, NOW) else { return };
    is_object(data);
    assert!(read.items.len() + read.unreadable <= microsoft::notification::ITEMS_MAX);
    for delivery in &read.items {
        is_bounded(&delivery.claim);
        survives_the_store(&delivery.claim);
    }
    for cut in cuts(data) {
        assert!(microsoft::notification::parse(cut, NOW).is_err(), "half a body passes for a whole one");
    }
    if has_canary(data) {
        return;
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(data) else { return };
    let items = value["value"].as_array_mut().expect("what is read is a collection");
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.insert("clientState".to_owned(), Value::from(CANARY));
    }
    let planted = microsoft::notification::parse(value.to_string().as_bytes(), NOW);
    let planted = planted.expect("another secret makes no difference to the rest");
    // A name that comes twice makes an item unreadable, and is once only by now: more may be read, and never less.
    assert!(planted.items.len() >= read.items.len());
    for delivery in &planted.items {
        hides(&delivery.claim);
    }
}

/// The query of Microsoft's handshake.
pub fn microsoft_handshake(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let Some(Ok(token)) = microsoft::notification::validation_token(query) else { return };
    assert!(!token.is_empty() && token.len() <= microsoft::notification::VALIDATION_TOKEN_MAX);
    assert!(
        !token.contains(|c: char| c.is_control() || matches!(c, '<' | '>')),
        "markup is answered: {token:?}"
    );
    let mut written = form_urlencoded::Serializer::new(String::new());
    let written = written.append_pair("validationToken", &token).finish();
    let again = microsoft::notification::validation_token(&written);
    assert_eq!(again, Some(Ok(token)), "what is answered is what was sent");
}

fn is_bounded(claim: &Claim) {
    for id in [&claim.channel, &claim.resource, &claim.notification_id] {
        assert!(!id.is_empty() && id.len() <= NOTIFICATION_ID_MAX, "{id:?}");
        assert!(id.bytes().all(|b| b.is_ascii_graphic()), "{id:?}");
    }
}

fn hides(claim: &Claim) {
    keeps_the_secret(&format!("{claim:?}"));
    keeps_the_secret(&claim.headers.to_string());
    keeps_the_secret(&claim.payload.to_string());
}

/// What is kept of a delivery reads the same when it comes back from the database, and tells the same.
fn survives_the_store(claim: &Claim) {
    let stored: Value = serde_json::from_str(&claim.payload.to_string()).expect("what we write is JSON");
    assert_eq!(stored, claim.payload);
    if let Some(told) = Told::read(&stored) {
        let mut kept = serde_json::Map::new();
        told.keep(&mut kept);
        assert_eq!(Told::read(&Value::Object(kept)), Some(told));
    }
}
