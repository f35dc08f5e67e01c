//! Push channels.

use calsync_core::ports::{
    ErrorClass, ProviderAccount, ProviderError, Push, Renewal, Tells, WatchRequest, Watching,
};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::rig::{CANARY, NOW, Rig, answer, refusal};

fn request() -> WatchRequest {
    WatchRequest {
        calendar: "ann@example.com".into(),
        channel: "8f0c2f3e-9b4d-4d7e-8a51-0c9d2b6f7e10".into(),
        url: "https://cal.example.org/webhooks/google/1/".into(),
        token: Secret::new(CANARY),
        life: SignedDuration::from_hours(24 * 30),
        now: NOW,
    }
}

async fn watch(rig: &Rig) -> Result<Watching, ProviderError> {
    rig.account.watch(&request()).await
}

#[tokio::test]
async fn a_channel_is_opened_and_ends_when_google_says() {
    let rig = Rig::new().await;
    let life = SignedDuration::from_hours(24 * 7);
    assert_eq!(
        rig.account.capabilities().push,
        Some(Push { life, renewal: Renewal::Replace, outruns_listing: None, tells: Tells::Something })
    );
    let ends = NOW.plus(SignedDuration::from_hours(1));
    let table: [(Value, Ts); 3] = [
        (json!(ends.millis().to_string()), ends),
        (json!(ends.millis()), ends),
        (Value::Null, NOW.plus(life)),
    ];
    for (expiration, expected) in table {
        rig.answers([answer(
            200,
            json!({"kind": "api#channel", "id": request().channel, "resourceId": "res0k", "expiration": expiration}),
        )]);
        let open = watch(&rig).await.unwrap();
        assert_eq!(
            (open.channel, open.resource.as_str(), open.expires_at),
            (request().channel, "res0k", expected)
        );
    }
    let sent = &rig.calls()[0];
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str()),
        ("POST", "/calendar/v3/calendars/ann%40example.com/events/watch")
    );
    let expected = json!({
        "id": request().channel, "type": "web_hook", "address": request().url, "token": CANARY,
        "params": {"ttl": "604800"},
    });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let table = [
        (refusal(400, "pushNotSupportedForRequestedResource"), ErrorClass::Unsupported),
        (refusal(400, "push.webhookUrlNotHttps"), ErrorClass::Misconfigured),
        (refusal(401, "push.webhookUrlUnauthorized"), ErrorClass::Misconfigured),
        (refusal(400, "channelIdNotUnique"), ErrorClass::Exists),
        (refusal(404, "notFound"), ErrorClass::Gone),
        (refusal(500, "backendError"), ErrorClass::Ambiguous),
        (answer(200, "{}"), ErrorClass::Ambiguous),
    ];
    for (given, class) in table {
        let rig = Rig::new().await;
        rig.answers([given]);
        let error = watch(&rig).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert_eq!((rig.calls().len(), rig.token_calls().len()), (1, 1), "asked once, with one token");
    }
}

#[tokio::test]
async fn what_google_would_not_take_is_not_sent() {
    let rig = Rig::new().await;
    let bad = [
        WatchRequest { channel: "x".repeat(65), ..request() },
        WatchRequest { channel: String::new(), ..request() },
        WatchRequest { channel: "a b".into(), ..request() },
        WatchRequest { token: Secret::new("x".repeat(257)), ..request() },
        WatchRequest { token: Secret::new(""), ..request() },
    ];
    for request in bad {
        assert_eq!(rig.account.watch(&request).await.unwrap_err().class, ErrorClass::Invalid);
    }
    assert!(rig.seen().is_empty());
}

#[tokio::test]
async fn closing_what_is_closed_is_done() {
    let rig = Rig::new().await;
    rig.answers([answer(204, ""), refusal(404, "notFound"), refusal(403, "forbidden")]);
    assert_eq!(rig.account.stop("c1", "res0k").await, Ok(()));
    assert_eq!(rig.account.stop("c1", "res0k").await, Ok(()));
    assert_eq!(rig.account.stop("c1", "res0k").await.unwrap_err().class, ErrorClass::Permanent);
    let sent = &rig.calls()[0];
    assert_eq!(
        (sent.path.as_str(), sent.json()),
        ("/calendar/v3/channels/stop", json!({"id": "c1", "resourceId": "res0k"}))
    );
}
