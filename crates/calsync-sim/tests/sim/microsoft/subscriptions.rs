//! microsoft.md §8 and §8.1: subscriptions, and the handshake that comes before each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use calsync_sim::microsoft::{ApiRequest, MicrosoftConfig, Reply};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::{BOB_TOKEN, Microsoft, code, id};
use crate::stage::{TOKEN, ts};

/// How a webhook answers the handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Right,
    Accepted,
    Json,
    Quoted,
    Encoded,
    Silent,
}

/// A webhook that answers handshakes in its manner, and remembers what came.
#[derive(Clone)]
pub(super) struct Hook {
    pub(super) manner: Arc<Mutex<Manner>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

#[derive(serde::Deserialize)]
struct Validation {
    #[serde(rename = "validationToken")]
    token: Option<String>,
}

async fn receive(State(hook): State<Hook>, Query(query): Query<Validation>) -> Response {
    let Some(token) = query.token else { return StatusCode::ACCEPTED.into_response() };
    hook.asked.lock().unwrap().push(token.clone());
    let manner = *hook.manner.lock().unwrap();
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    match manner {
        Manner::Right => (plain, token).into_response(),
        Manner::Accepted => (StatusCode::ACCEPTED, plain, token).into_response(),
        Manner::Json => ([(header::CONTENT_TYPE, "application/json")], token).into_response(),
        Manner::Quoted => (plain, format!("\"{token}\"")).into_response(),
        Manner::Encoded => (plain, token.replace(' ', "+")).into_response(),
        Manner::Silent => {
            tokio::time::sleep(Duration::from_secs(5)).await;
            StatusCode::OK.into_response()
        }
    }
}

impl Hook {
    pub(super) async fn open() -> (Hook, String) {
        let hook = Hook { manner: Arc::new(Mutex::new(Manner::Right)), asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hooks/microsoft?x=1", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (hook, address)
    }

    fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

fn wish(address: &str) -> Value {
    json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": address,
        "resource": "me/events",
        "expirationDateTime": "2026-11-05T00:00:00Z",
        "clientState": "a-secret-of-ours",
    })
}

async fn send(ms: &Microsoft, token: &str, request: ApiRequest) -> (u16, Value) {
    let Reply::Answer(answer) = ms.face.reply(&request.bearer(token)).await else { panic!("dropped") };
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

async fn subscribe(ms: &Microsoft, body: &Value) -> (u16, Value) {
    send(ms, TOKEN, ApiRequest::new("POST", "/v1.0/subscriptions").json(body)).await
}

fn with(body: &Value, more: &Value) -> Value {
    super::stage::with(body.clone(), more)
}

fn impatient() -> Microsoft {
    Microsoft::with(MicrosoftConfig { handshake: Duration::from_millis(200), ..MicrosoftConfig::default() })
}

#[tokio::test]
async fn row_the_handshake_comes_before_201_on_both_addresses() {
    let (ms, (hook, address)) = (Microsoft::new(), Hook::open().await);
    let lifecycle = format!("{address}&life=1");
    let (status, made) =
        subscribe(&ms, &with(&wish(&address), &json!({"lifecycleNotificationUrl": lifecycle}))).await;
    assert_eq!(status, 201, "{made}");
    let asked = hook.asked.lock().unwrap().clone();
    assert!(asked.len() == 2 && asked[0] != asked[1], "both are asked");
    assert!(asked[0].contains(' ') && asked[0].contains(':'), "a token reads like a sentence: {}", asked[0]);
    assert_eq!(made["clientState"], "a-secret-of-ours");
    assert_eq!(
        (&made["lifecycleNotificationUrl"], &made["includeResourceData"]),
        (&json!(lifecycle), &Value::Null)
    );
    let (_, read) = ms.get(&format!("subscriptions/{}", id(&made)));
    assert_eq!((&read["id"], &read["clientState"]), (&made["id"], &Value::Null));
}

#[tokio::test]
async fn row_a_failed_handshake_is_400_and_makes_nothing() {
    let (ms, (hook, address)) = (impatient(), Hook::open().await);
    for manner in [Manner::Accepted, Manner::Json, Manner::Quoted, Manner::Encoded] {
        hook.behave(manner);
        let (status, body) = subscribe(&ms, &wish(&address)).await;
        assert_eq!((status, code(&body)), (400, "ValidationError"));
        assert!(body["error"]["message"].as_str().unwrap().contains("must respond with 200 OK"));
    }
    hook.behave(Manner::Silent);
    let (status, body) = subscribe(&ms, &wish(&address)).await;
    assert_eq!((status, code(&body)), (400, "InvalidRequest"));
    assert_eq!(body["error"]["message"], "Subscription validation request timed out.");
    for away in ["https://example.com/hook", "http://example.com/hook", "http://127.0.0.1:9/hook", "junk"] {
        assert_eq!(subscribe(&ms, &wish(away)).await.0, 400, "{away}");
    }
    assert_eq!(ms.good("subscriptions")["value"], json!([]));
}

#[tokio::test]
async fn row_409_on_a_duplicate_and_what_is_none() {
    let (ms, (_hook, address)) = (Microsoft::new(), Hook::open().await);
    assert_eq!(subscribe(&ms, &wish(&address)).await.0, 201);
    for same in [
        json!({}),
        json!({"changeType": "deleted,created,updated"}),
        json!({"resource": "/me/calendar/events"}),
    ] {
        let (status, body) = subscribe(&ms, &with(&wish(&address), &same)).await;
        assert_eq!(
            (status, body["error"]["message"].as_str()),
            (409, Some("Subscription Id <> already exists for the requested combination"))
        );
    }
    let team = format!("me/calendars/{}/events", ms.calendar("Team"));
    for other in [json!({"changeType": "created"}), json!({"resource": team})] {
        assert_eq!(subscribe(&ms, &with(&wish(&address), &other)).await.0, 201, "{other}");
    }
    assert_eq!(
        send(&ms, BOB_TOKEN, ApiRequest::new("POST", "/v1.0/subscriptions").json(&wish(&address))).await.0,
        201
    );
    assert_eq!(
        ms.good("subscriptions")["value"].as_array().unwrap().len(),
        3,
        "this program's and person's only"
    );
    ms.clock.advance(SignedDuration::from_hours(24 * 5));
    assert_eq!(ms.good("subscriptions")["value"], json!([]), "expired");
    let later = json!({"expirationDateTime": "2026-11-10T00:00:00Z"});
    assert_eq!(subscribe(&ms, &with(&wish(&address), &later)).await.0, 201);
}

#[tokio::test]
async fn row_expiry_has_a_cap_and_a_floor() {
    let (ms, (_hook, address)) = (Microsoft::new(), Hook::open().await);
    let ask = |minutes: i64| {
        let at = ms.clock.now().plus(SignedDuration::from_mins(minutes)).to_jiff().to_string();
        with(&wish(&address), &json!({"expirationDateTime": at}))
    };
    let (status, body) = subscribe(&ms, &ask(10_071)).await;
    assert_eq!((status, code(&body)), (400, "ExtensionError"));
    assert_eq!(body["error"]["message"], "Subscription expiration can only be 10070 minutes in the future.");
    assert_eq!(subscribe(&ms, &ask(-1)).await.0, 400);
    let (status, made) = subscribe(&ms, &ask(3)).await;
    let expires = |made: &Value| ts(made["expirationDateTime"].as_str().unwrap());
    assert_eq!(
        (status, expires(&made)),
        (201, ms.clock.now().plus(SignedDuration::from_mins(45))),
        "raised to 45"
    );
    let target = format!("subscriptions/{}", id(&made));
    let (status, renewed) =
        ms.write("PATCH", &target, &json!({"expirationDateTime": ask(10_070)["expirationDateTime"]}));
    assert_eq!((status, expires(&renewed)), (200, ms.clock.now().plus(SignedDuration::from_mins(10_070))));
    assert_eq!(
        ms.write("PATCH", &target, &json!({"expirationDateTime": ask(10_071)["expirationDateTime"]})).0,
        400
    );
}

#[tokio::test]
async fn row_patch_reauthorize_and_delete() {
    let (ms, (hook, address)) = (Microsoft::new(), Hook::open().await);
    let (_, made) = subscribe(&ms, &wish(&address)).await;
    let target = format!("/v1.0/subscriptions/{}", id(&made));
    let bare = ApiRequest::new("POST", &format!("{target}/reauthorize"));
    assert_eq!(ms.send(bare.clone()).0, 411, "a POST without a body must say so");
    assert_eq!(ms.send(bare.header("content-length", "0")).0, 204);
    let read = ms.good(&target[6..]);
    assert_eq!(read["expirationDateTime"], made["expirationDateTime"], "it does not extend");
    let (status, body) = ms.write("PATCH", &target[6..], &json!({"lifecycleNotificationUrl": address}));
    assert_eq!((status, code(&body)), (400, "InvalidRequest"), "cannot be added");
    let elsewhere = format!("{address}&y=2");
    let patch = ApiRequest::new("PATCH", &target).json(&json!({"notificationUrl": elsewhere}));
    let (status, led) = send(&ms, TOKEN, patch).await;
    assert_eq!(
        (status, &led["notificationUrl"], hook.asked.lock().unwrap().len()),
        (200, &json!(elsewhere), 2),
        "asked again"
    );
    let other = ms.face.mint_token(&ms.ann, "app", "Calendars.Read").unwrap();
    assert_eq!(send(&ms, &other, ApiRequest::new("DELETE", &target)).await.0, 404, "another program's");
    let delete = || ms.send(ApiRequest::new("DELETE", &target)).0;
    assert_eq!([delete(), delete()], [204, 404]);
    assert_eq!(
        ms.write("PATCH", &target[6..], &json!({"expirationDateTime": "2026-11-06T00:00:00Z"})).0,
        404
    );
}

#[tokio::test]
async fn row_what_cannot_be_watched() {
    let (ms, (_hook, address)) = (Microsoft::new(), Hook::open().await);
    let holidays = format!("me/calendars/{}/events", ms.calendar("Holidays"));
    let (status, body) = subscribe(&ms, &with(&wish(&address), &json!({"resource": holidays}))).await;
    assert_eq!((status, code(&body)), (403, "ExtensionError"), "shared-in calendars");
    assert!(body["error"]["message"].as_str().unwrap().contains("[Status Code: Forbidden"));
    for resource in ["me/calendars", "me/events/AAMk", "me/messages", "users/bob@example.org/events"] {
        let (status, _) = subscribe(&ms, &with(&wish(&address), &json!({"resource": resource}))).await;
        assert!(matches!(status, 400 | 403), "{resource}: {status}");
    }
    for bad in [
        json!({"changeType": "changed"}),
        json!({"clientState": "x".repeat(129)}),
        json!({"expirationDateTime": "soon"}),
        json!({"notificationUrl": null}),
    ] {
        assert_eq!(subscribe(&ms, &with(&wish(&address), &bad)).await.0, 400, "{bad}");
    }
    ms.face.set_mailbox(&ms.ann, false);
    let (_, body) = subscribe(&ms, &wish(&address)).await;
    assert!(
        body["error"]["message"].as_str().unwrap().contains("REST API is not yet supported for this mailbox")
    );
}

#[tokio::test]
async fn row_subscriptions_per_mailbox() {
    let config = MicrosoftConfig { subscriptions_per_mailbox: 1, ..MicrosoftConfig::default() };
    let (ms, (_hook, address)) = (Microsoft::with(config), Hook::open().await);
    assert_eq!(subscribe(&ms, &wish(&address)).await.0, 201);
    assert_eq!(subscribe(&ms, &with(&wish(&address), &json!({"changeType": "created"}))).await.0, 403);
}
