//! microsoft.md §8.2 and §8.3: notices that really arrive at a webhook on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use calsync_sim::cloud::event::Slot;
use calsync_sim::cloud::names::CalendarId;
use calsync_sim::cloud::watch::Lifecycle;
use calsync_sim::faults::Fault;
use calsync_sim::google::push::PushTimes;
use calsync_sim::microsoft::push::{DeliveryRules, EndpointRules};
use calsync_sim::microsoft::{ApiRequest, Reply};
use calsync_sim::{Push, RunningSimulator, SimConfig, Simulator};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::BOB_TOKEN;
use crate::stage::{TEAM, TOKEN, content, fields, now, stage, ts};

/// A webhook that answers handshakes, and notices with the given codes in turn, then 202.
#[derive(Clone, Default)]
struct Hook {
    bodies: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    slow: Arc<Mutex<Duration>>,
}

async fn receive(
    State(hook): State<Hook>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    if let Some((_, token)) = pairs.find(|(k, _)| k == "validationToken") {
        return (StatusCode::OK, token.into_owned());
    }
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/json"));
    hook.bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let slow = *hook.slow.lock().unwrap();
    tokio::time::sleep(slow).await;
    let code = hook.answers.lock().unwrap().pop().unwrap_or(202);
    (StatusCode::from_u16(code).unwrap(), String::new())
}

impl Hook {
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hooks/microsoft?x=1", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn items(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().flat_map(|b| b["value"].as_array().unwrap().clone()).collect()
    }

    async fn wait_for(&self, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..500 {
            let items = self.items();
            if fits(&items) {
                return items;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {:?} came", self.items());
    }
}

const SHORT: Duration = Duration::from_millis(20);

async fn running() -> RunningSimulator {
    let mut config = SimConfig::starting_at(now());
    config.push = Push::On(PushTimes { tries: 4, first_wait: SHORT, late: SHORT, reordered: SHORT * 10 });
    config.microsoft.delivery = DeliveryRules {
        first_patience: Duration::from_millis(300),
        retry_patience: Duration::from_millis(1_000),
        first_wait: SHORT,
        give_up: Duration::from_secs(4),
        endpoint: EndpointRules {
            window: Duration::from_millis(1_500),
            slow: Duration::from_millis(300),
            lost: Duration::from_millis(300),
            least: 2,
        },
    };
    let running = Simulator::start(config).await.unwrap();
    running.seed_person("ann@example.com", TOKEN).unwrap();
    running.seed_person("bob@example.org", BOB_TOKEN).unwrap();
    running.microsoft().make_personal(&"bob@example.org".into());
    running.cloud().with(stage);
    running
}

async fn subscribe(running: &RunningSimulator, token: &str, address: &str, more: &Value) -> String {
    let mut body = json!({
        "changeType": "created,updated,deleted", "notificationUrl": address, "resource": "me/events",
        "lifecycleNotificationUrl": address, "expirationDateTime": "2026-11-05T00:00:00Z", "clientState": format!("state of {token}"),
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = ApiRequest::new("POST", "/v1.0/subscriptions").json(&body).bearer(token);
    let Reply::Answer(answer) = running.microsoft().reply(&request).await else { panic!("dropped") };
    assert_eq!(answer.status, 201, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["id"].as_str().unwrap().to_owned()
}

fn make(running: &RunningSimulator, calendar: &str) {
    let now = running.clock().now();
    running.cloud().with(|c| c.create_event(&CalendarId::from(calendar), content("x", 3), now)).unwrap();
}

fn of<'a>(items: &'a [Value], subscription: &str) -> Vec<&'a Value> {
    items.iter().filter(|i| i["subscriptionId"] == subscription).collect()
}

#[tokio::test]
async fn row_items_have_no_id_and_creation_comes_with_noise() {
    let (hook, running) = (Hook::default(), running().await);
    let id = subscribe(&running, TOKEN, &hook.open().await, &json!({})).await;
    make(&running, "ann@example.com");
    let items = hook.wait_for(|items| items.len() >= 2).await;
    let types: Vec<_> = items.iter().map(|i| i["changeType"].as_str().unwrap()).collect();
    assert_eq!(types, ["created", "updated"], "two for one create");
    let item = &items[0];
    assert!(item["id"].is_null(), "optional, and left out");
    assert_eq!(
        (&item["subscriptionId"], &item["clientState"]),
        (&json!(id), &json!(format!("state of {TOKEN}")))
    );
    assert_eq!(item["subscriptionExpirationDateTime"], "2026-11-05T00:00:00+00:00");
    assert_eq!(item["resourceData"]["@odata.type"], "#Microsoft.Graph.Event");
    let event = item["resourceData"]["id"].as_str().unwrap();
    assert!(item["resource"].as_str().unwrap().ends_with(&format!("/Events/{event}")));
    let get = ApiRequest::new("GET", &format!("/v1.0/me/events/{event}")).bearer(TOKEN);
    let Reply::Answer(answer) = running.microsoft().reply(&get).await else { panic!("dropped") };
    assert_eq!(answer.status, 200);
    running.shutdown().await;
}

#[tokio::test]
async fn row_one_body_for_many_subscriptions_and_forged_items_among_them() {
    let (hook, running) = (Hook::default(), running().await);
    let address = hook.open().await;
    let (ann, bob) = (
        subscribe(&running, TOKEN, &address, &json!({})).await,
        subscribe(&running, BOB_TOKEN, &address, &json!({})).await,
    );
    let forged = json!({"subscriptionId": ann, "clientState": "wrong", "changeType": "updated"});
    let unknown = json!({"subscriptionId": "00000000-0000-4000-8000-000000000000", "clientState": "x", "changeType": "updated"});
    running.microsoft().slip_in(&address, forged.clone());
    running.microsoft().slip_in(&address, unknown.clone());
    let now = running.clock().now();
    running.cloud().with(|c| {
        c.create_event(&"ann@example.com".into(), content("x", 3), now).unwrap();
        c.create_event(&"bob@example.org".into(), content("x", 3), now).unwrap();
    });
    hook.wait_for(|items| items.len() >= 6).await;
    let bodies = hook.bodies.lock().unwrap().clone();
    let items = bodies[0]["value"].as_array().unwrap();
    assert!(!of(items, &ann).is_empty() && !of(items, &bob).is_empty(), "{items:?}");
    assert!(items.contains(&forged) && items.contains(&unknown));
    let tenants: std::collections::BTreeSet<_> =
        items.iter().filter_map(|i| i["tenantId"].as_str()).collect();
    assert_eq!(tenants.len(), 2, "and of two tenants");
    running.shutdown().await;
}

#[tokio::test]
async fn row_me_events_is_silent_about_other_calendars() {
    let (hook, running) = (Hook::default(), running().await);
    let address = hook.open().await;
    subscribe(&running, TOKEN, &address, &json!({})).await;
    let team = running.microsoft().calendar_id_for(&"ann@example.com".into(), &TEAM.into());
    let of_team =
        subscribe(&running, TOKEN, &address, &json!({"resource": format!("me/calendars('{team}')/events")}))
            .await;
    make(&running, TEAM);
    let items = hook.wait_for(|items| items.len() >= 2).await;
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(of(&items, &of_team).len(), hook.items().len());
    running.shutdown().await;
}

#[tokio::test]
async fn row_change_types_filter_and_an_occurrence_is_its_series_updated() {
    let (hook, running) = (Hook::default(), running().await);
    let address = hook.open().await;
    let all = subscribe(&running, TOKEN, &address, &json!({})).await;
    let gone = subscribe(&running, TOKEN, &address, &json!({"changeType": "deleted"})).await;
    let (ann, at) = (CalendarId::from("ann@example.com"), running.clock().now());
    let series = running.cloud().with(|c| {
        let series = c.create_event(&ann, content("s", 2).repeating("RRULE:FREQ=DAILY;COUNT=3"), at).unwrap();
        c.cancel_occurrence(&ann, &series.id, Slot::At(ts("2026-11-03T09:00:00Z")), at).unwrap();
        series.id.clone()
    });
    let items = hook.wait_for(|items| items.len() >= 3).await;
    let master = running.microsoft().event_id_for(&"ann@example.com".into(), &ann, &series);
    assert!(of(&items, &all).iter().all(|i| i["resourceData"]["id"] == master.as_str()));
    let types: Vec<_> = of(&items, &all).iter().map(|i| i["changeType"].as_str().unwrap()).collect();
    assert_eq!(types, ["created", "updated", "updated"], "also a cancelled occurrence");
    running.cloud().with(|c| c.cancel_event(&ann, &series, at)).unwrap();
    let items = hook.wait_for(|items| items.len() >= 5).await;
    assert_eq!(of(&items, &gone).iter().map(|i| &i["changeType"]).collect::<Vec<_>>(), ["deleted"]);
    running.shutdown().await;
}

#[tokio::test]
async fn row_immutable_ids_are_chosen_when_a_subscription_is_made() {
    let (hook, running) = (Hook::default(), running().await);
    let address = hook.open().await;
    let body = json!({"changeType": "created", "notificationUrl": address, "resource": "me/events", "expirationDateTime": "2026-11-05T00:00:00Z"});
    let request = ApiRequest::new("POST", "/v1.0/subscriptions")
        .json(&body)
        .bearer(TOKEN)
        .header("prefer", "IdType=\"ImmutableId\"");
    running.microsoft().reply(&request).await;
    subscribe(&running, TOKEN, &address, &json!({})).await;
    make(&running, "ann@example.com");
    let items = hook.wait_for(|items| items.len() >= 3).await;
    let ids: std::collections::BTreeSet<_> =
        items.iter().map(|i| i["resourceData"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 2, "one event by two names");
    running.shutdown().await;
}

#[tokio::test]
async fn row_lifecycle_items_have_no_resource_and_personal_accounts_get_none() {
    let (hook, running) = (Hook::default(), running().await);
    let address = hook.open().await;
    let (ann, bob) = (
        subscribe(&running, TOKEN, &address, &json!({})).await,
        subscribe(&running, BOB_TOKEN, &address, &json!({})).await,
    );
    assert!(!running.microsoft().tell_lifecycle(&bob, Lifecycle::Missed), "not told at home");
    for what in [Lifecycle::Missed, Lifecycle::ReauthorizationRequired] {
        assert!(running.microsoft().tell_lifecycle(&ann, what));
    }
    running.microsoft().revoke_sessions(&"ann@example.com".into());
    let items = hook.wait_for(|items| items.len() >= 3).await;
    let mut events: Vec<_> = items.iter().map(|i| i["lifecycleEvent"].as_str().unwrap()).collect();
    events.sort_unstable();
    assert_eq!(events, ["missed", "reauthorizationRequired", "subscriptionRemoved"]);
    for item in &items {
        let keys = fields(item);
        assert_eq!(
            keys,
            ["clientState", "lifecycleEvent", "subscriptionExpirationDateTime", "subscriptionId", "tenantId"]
        );
    }
    assert!(running.cloud().with(|c| c.watch().channels().all(|c| c.id != ann)), "it is gone");
    running.shutdown().await;
}

#[tokio::test]
async fn row_a_subscription_that_ends_soon_asks_to_be_renewed() {
    let (hook, running) = (Hook::default(), running().await);
    let soon = json!({"expirationDateTime": "2026-11-01T09:00:00Z"});
    let id = subscribe(&running, TOKEN, &hook.open().await, &soon).await;
    running.microsoft().tend();
    running.clock().advance(SignedDuration::from_mins(46));
    running.microsoft().tend();
    running.microsoft().tend();
    running.clock().advance(SignedDuration::from_mins(6));
    running.microsoft().tend();
    let items = hook.wait_for(|items| items.len() >= 2).await;
    assert!(
        items
            .iter()
            .all(|i| i["lifecycleEvent"] == "reauthorizationRequired" && i["subscriptionId"] == id.as_str())
    );
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(hook.items().len(), 2, "it repeats after a few minutes, not at once");
    running.shutdown().await;
}

#[tokio::test]
async fn row_late_and_wrong_answers_are_tried_again() {
    let (hook, running) = (Hook::default(), running().await);
    hook.answers.lock().unwrap().extend([503, 404, 302]);
    subscribe(&running, TOKEN, &hook.open().await, &json!({"changeType": "created"})).await;
    make(&running, "ann@example.com");
    hook.wait_for(|items| items.len() >= 4).await;
    tokio::time::sleep(SHORT * 3).await;
    let counts = running.microsoft_push_counts();
    assert_eq!((counts.delivered(), counts.retried(), counts.failed()), (1, 3, 0), "anything but 2xx");
    *hook.slow.lock().unwrap() = Duration::from_millis(500);
    make(&running, "ann@example.com");
    hook.wait_for(|items| items.len() >= 6).await;
    assert!(running.microsoft_push_counts().retried() >= 4, "too late is as good as never, the first time");
    running.shutdown().await;
}

#[tokio::test]
async fn row_a_host_that_is_too_slow_is_dropped_and_owns_up_later() {
    let (hook, running) = (Hook::default(), running().await);
    *hook.slow.lock().unwrap() = Duration::from_millis(400);
    subscribe(&running, TOKEN, &hook.open().await, &json!({"changeType": "created"})).await;
    make(&running, "ann@example.com");
    // Two late answers judge the host.
    hook.wait_for(|items| items.len() >= 2).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    *hook.slow.lock().unwrap() = Duration::ZERO;
    let before = hook.items().len();
    make(&running, "ann@example.com");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((hook.items().len(), running.microsoft_push_counts().failed()), (before, 1), "thrown away");
    hook.wait_for(|items| items.iter().any(|i| i["lifecycleEvent"] == "missed")).await;
    running.shutdown().await;
}

#[tokio::test]
async fn fault_notices_are_lost_doubled_and_out_of_order() {
    let (hook, running) = (Hook::default(), running().await);
    subscribe(&running, TOKEN, &hook.open().await, &json!({"changeType": "created"})).await;
    running.faults().force(Fault::NoticeLost, 1);
    make(&running, "ann@example.com");
    tokio::time::sleep(SHORT * 3).await;
    assert!(hook.items().is_empty(), "lost");
    running.faults().force(Fault::NoticeDoubled, 1);
    make(&running, "ann@example.com");
    let twice = hook.wait_for(|items| items.len() >= 2).await;
    assert_eq!(twice[0], twice[1], "doubled");
    running.faults().force(Fault::NoticeReordered, 1);
    make(&running, "ann@example.com");
    tokio::time::sleep(SHORT * 2).await;
    make(&running, "ann@example.com");
    let items = hook.wait_for(|items| items.len() >= 4).await;
    let etag = |n: usize| items[n]["resourceData"]["@odata.etag"].as_str().unwrap().to_owned();
    assert!(etag(2) > etag(3), "the later one first");
    running.shutdown().await;
}

#[tokio::test]
async fn row_deliveries_go_over_http_to_the_look_alike_and_back() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let running = running().await;
    let address = running.microsoft_base_url().trim_start_matches("http://").to_owned();
    let ask = |target: &'static str| {
        let address = address.clone();
        async move {
            let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
            let text = format!(
                "{target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        }
    };
    let answer = ask("GET /v1.0/me/calendars?$top=1").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n")
            && answer.contains(&format!("\"@odata.nextLink\":\"http://{address}/v1.0/me/calendars?")),
        "{answer}"
    );
    assert!(ask("POST /v1.0/subscriptions/x/reauthorize").await.starts_with("HTTP/1.1 411"));
    running.faults().force(Fault::DropBefore, 1);
    assert_eq!(ask("GET /v1.0/me").await, "", "not one byte");
    running.shutdown().await;
}
