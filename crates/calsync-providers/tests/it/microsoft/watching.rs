//! Subscriptions.

use calsync_core::ports::{
    ErrorClass, ProviderAccount, ProviderError, Push, RenewRequest, Renewal, Tells, WatchRequest, Watching,
};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::rig::{CALENDAR, Rig, refusal};
use crate::rig::{Answer, CANARY, NOW, answer};

const URL: &str = "https://cal.example.org/webhooks/microsoft/01930f6e-0000-7000-8000-000000000001/";

pub(crate) fn request() -> WatchRequest {
    WatchRequest {
        calendar: CALENDAR.into(),
        channel: "ours-until-graph-answers".into(),
        url: URL.into(),
        token: Secret::new(CANARY),
        life: SignedDuration::from_hours(24 * 30),
        now: NOW,
    }
}

pub(crate) fn renewal() -> RenewRequest {
    RenewRequest {
        channel: "s1".into(),
        resource: "s1".into(),
        life: SignedDuration::from_hours(48),
        now: NOW,
    }
}

fn subscription(id: &str, ends: Value) -> Value {
    json!({
        "id": id, "resource": format!("me/calendars/{CALENDAR}/events"), "changeType": "deleted,created,updated",
        "clientState": CANARY, "notificationUrl": URL, "lifecycleNotificationUrl": URL, "expirationDateTime": ends,
        "creatorId": "x", "includeResourceData": null,
    })
}

async fn watch(rig: &Rig) -> Result<Watching, ProviderError> {
    rig.account.watch(&request()).await
}

fn in_minutes(minutes: i64) -> Ts {
    NOW.plus(SignedDuration::from_mins(minutes))
}

#[tokio::test]
async fn trap_7_one_subscription_per_calendar_that_ends_when_graph_says() {
    let rig = Rig::new().await;
    let push = Push {
        life: SignedDuration::from_hours(48),
        renewal: Renewal::Extend,
        outruns_listing: Some(SignedDuration::from_secs(10)),
        tells: Tells::WhatChanged,
    };
    assert_eq!(rig.account.capabilities().push, Some(push));
    let table = [
        (json!(in_minutes(60).to_string()), in_minutes(60)),
        (json!("2026-11-20T10:00:00.1234567+02:00"), "2026-11-20T08:00:00.123456Z".parse().unwrap()),
        (Value::Null, in_minutes(10_000)),
        (json!("soon"), in_minutes(10_000)),
    ];
    for (told, expected) in table {
        rig.answers([answer(201, subscription("s1", told))]);
        let open = watch(&rig).await.unwrap();
        assert_eq!((open.channel.as_str(), open.resource.as_str(), open.expires_at), ("s1", "s1", expected));
    }
    let sent = &rig.calls()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1.0/subscriptions"));
    let expected = json!({
        "changeType": "created,updated,deleted", "notificationUrl": URL, "lifecycleNotificationUrl": URL,
        "resource": format!("me/calendars/{CALENDAR}/events"), "clientState": CANARY,
        "expirationDateTime": in_minutes(10_000).to_string(),
    });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn trap_16_a_subscription_whose_secret_is_lost_makes_room() {
    let rig = Rig::new().await;
    let mut moved = subscription("old-host", Value::Null);
    moved["notificationUrl"] = json!(URL.replace("cal.example.org", "old.example.org"));
    moved["resource"] = json!(format!("Users('u1')/Calendars('{CALENDAR}')/Events"));
    let mut other_calendar = subscription("another-calendar", Value::Null);
    other_calendar["resource"] = json!("me/calendars/B/events");
    let mut other_place = subscription("another-installation", Value::Null);
    other_place["notificationUrl"] = json!("https://staging.example.org/webhooks/microsoft/other/");
    rig.answers([
        refusal(409, "Conflict"),
        answer(200, json!({"value": [other_calendar, subscription("lost", Value::Null), other_place, moved, {"odd": 1}]})),
        answer(204, ""),
        refusal(404, "ResourceNotFound"),
        answer(201, subscription("s2", Value::Null)),
    ]);
    assert_eq!(watch(&rig).await.unwrap().channel, "s2");
    let steps: Vec<_> = rig.calls().iter().map(|c| format!("{} {}", c.method, c.path)).collect();
    assert_eq!(
        steps,
        [
            "POST /v1.0/subscriptions",
            "GET /v1.0/subscriptions",
            "DELETE /v1.0/subscriptions/lost",
            "DELETE /v1.0/subscriptions/old-host",
            "POST /v1.0/subscriptions",
        ]
    );
}

#[tokio::test]
async fn another_installations_subscription_is_left_alone() {
    let rig = Rig::new().await;
    let mut theirs = subscription("theirs", Value::Null);
    theirs["notificationUrl"] = json!("https://staging.example.org/webhooks/microsoft/other/");
    rig.answers([refusal(409, "Conflict"), answer(200, json!({"value": [theirs]}))]);
    let error = watch(&rig).await.unwrap_err();
    assert_eq!((error.class, rig.calls().len()), (ErrorClass::Exists, 2));
    assert!(error.detail.contains("another installation"), "{error}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let table = [
        (refusal(400, "ValidationError"), ErrorClass::Misconfigured),
        (refusal(403, "ErrorAccessDenied"), ErrorClass::Unsupported),
        (refusal(404, "ErrorItemNotFound"), ErrorClass::Gone),
        (refusal(400, "ExtensionError"), ErrorClass::Unsupported),
        (refusal(500, "x"), ErrorClass::Ambiguous),
        (answer(201, "{}"), ErrorClass::Ambiguous),
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
async fn a_subscription_is_prolonged_in_place() {
    let rig = Rig::new().await;
    rig.answers([
        answer(200, subscription("s1", json!(in_minutes(90).to_string()))),
        answer(200, "{}"),
        refusal(404, "ResourceNotFound"),
        refusal(403, "ErrorAccessDenied"),
    ]);
    let renewed = rig.account.renew(&renewal()).await.unwrap();
    assert_eq!((renewed.channel.as_str(), renewed.expires_at), ("s1", in_minutes(90)));
    let told_nothing = rig.account.renew(&renewal()).await.unwrap();
    assert_eq!(told_nothing.expires_at, in_minutes(48 * 60));
    assert_eq!(rig.account.renew(&renewal()).await.unwrap_err().class, ErrorClass::Gone, "open a new one");
    assert_eq!(rig.account.renew(&renewal()).await.unwrap_err().class, ErrorClass::Permanent);
    let sent = &rig.calls()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("PATCH", "/v1.0/subscriptions/s1"));
    assert_eq!(sent.json(), json!({"expirationDateTime": in_minutes(48 * 60).to_string()}));
}

#[tokio::test]
async fn what_graph_would_not_take_is_not_sent() {
    let rig = Rig::new().await;
    for token in ["", &"x".repeat(129)] {
        let request = WatchRequest { token: Secret::new(token), ..request() };
        assert_eq!(rig.account.watch(&request).await.unwrap_err().class, ErrorClass::Invalid);
    }
    assert!(rig.seen().is_empty());
}

#[tokio::test]
async fn closing_what_is_closed_is_done() {
    let rig = Rig::new().await;
    let answers: [Answer; 3] = [answer(204, ""), refusal(404, "ResourceNotFound"), refusal(403, "x")];
    rig.answers(answers);
    assert_eq!(rig.account.stop("s1", "s1").await, Ok(()));
    assert_eq!(rig.account.stop("s1", "s1").await, Ok(()));
    assert_eq!(rig.account.stop("s1", "s1").await.unwrap_err().class, ErrorClass::Permanent);
    assert_eq!(rig.calls()[0].path, "/v1.0/subscriptions/s1");
}
