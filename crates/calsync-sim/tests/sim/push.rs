//! google.md §8: watch, stop, and notifications that really arrive at a webhook on this machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use calsync_sim::faults::Fault;
use calsync_sim::google::push::PushTimes;
use calsync_sim::google::{ApiRequest, Reply};
use calsync_sim::{Push, RunningSimulator, SimConfig, Simulator};
use serde_json::{Value, json};

use crate::stage::{Google, HOLIDAYS, TOKEN, content, fields, now, reason, stage};

const WATCH: &str = "calendars/primary/events/watch";

fn wish(id: &str, address: &str) -> Value {
    json!({"id": id, "type": "web_hook", "address": address, "token": "k=3&s=Zm9v"})
}

const HERE: &str = "http://127.0.0.1:9/hook";

#[test]
fn row_watch_answers_with_id_resource_and_expiry_as_text() {
    let google = Google::new();
    let (status, channel) = google.write("POST", WATCH, &wish("one", HERE));
    assert_eq!(status, 200, "{channel}");
    let keys = fields(&channel);
    assert_eq!(
        keys,
        ["expiration", "id", "kind", "resourceId", "resourceUri", "token"],
        "type, address not echoed"
    );
    let week = now().millis() + 604_800_000;
    assert_eq!(channel["expiration"], week.to_string(), "ttl defaults to a week");
    let (_, other) = google.write("POST", WATCH, &wish("two", HERE));
    assert_eq!(other["resourceId"], channel["resourceId"], "the same for every channel on one resource");
    for (more, millis) in [
        (json!({"params": {"ttl": "60"}}), now().millis() + 60_000),
        (json!({"expiration": (now().millis() + 5_000).to_string()}), now().millis() + 5_000),
        (json!({"expiration": now().millis() + 5_000, "params": {"ttl": "3"}}), now().millis() + 3_000),
        (json!({"params": {"ttl": "99999999"}}), week),
    ] {
        let mut body = wish(&format!("x{millis}{}", more.to_string().len()), HERE);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(google.write("POST", WATCH, &body).1["expiration"], millis.to_string(), "{more}");
    }
}

#[test]
fn row_watch_errors() {
    let google = Google::new();
    let refused = |target: &str, body: &Value| {
        let (status, body) = google.write("POST", target, body);
        (status, reason(&body).to_owned())
    };
    google.write("POST", WATCH, &wish("one", HERE));
    assert_eq!(refused(WATCH, &wish("one", HERE)), (400, "channelIdNotUnique".into()));
    assert_eq!(refused(WATCH, &wish("not ok", HERE)).1, "push.channelIdInvalid");
    assert_eq!(refused(WATCH, &wish(&"x".repeat(65), HERE)).1, "push.channelIdInvalid");
    assert_eq!(refused(WATCH, &wish("a", "http://example.com/")), (400, "push.webhookUrlNotHttps".into()));
    for away in [
        "https://example.com/hook",
        "https://192.0.2.7/",
        "ftp://127.0.0.1/",
        "nonsense",
        "https://127.0.0.1/",
    ] {
        assert_eq!(refused(WATCH, &wish("a", away)), (401, "push.webhookUrlUnauthorized".into()), "{away}");
    }
    let holidays = format!("calendars/{}/events/watch", HOLIDAYS.replace('#', "%23"));
    assert_eq!(refused(&holidays, &wish("h", HERE)), (400, "pushNotSupportedForRequestedResource".into()));
    assert_eq!(refused("calendars/zoe@example.org/events/watch", &wish("z", HERE)).0, 404);
    let mut past = wish("p", HERE);
    past["expiration"] = json!("1000");
    assert_eq!(refused(WATCH, &past), (400, "invalid".into()));
    let mut long = wish("l", HERE);
    long["token"] = json!("t".repeat(257));
    assert_eq!(refused(WATCH, &long).0, 400);
}

#[test]
fn row_stop_needs_the_same_user_and_client_and_is_404_when_gone() {
    let google = Google::new();
    let (_, channel) = google.write("POST", WATCH, &wish("one", HERE));
    let body = json!({"id": "one", "resourceId": channel["resourceId"]});
    let scope = "https://www.googleapis.com/auth/calendar.events";
    let other = google.face.mint_token(&"ann@example.com".into(), "app", scope).unwrap();
    let stop = ApiRequest::new("POST", "/calendar/v3/channels/stop").json(&body);
    assert_eq!(google.ask(&stop.clone().bearer(&other)).status, 404, "another client");
    let wrong = json!({"id": "one", "resourceId": "other"});
    assert_eq!(google.write("POST", "channels/stop", &wrong).0, 404);
    assert_eq!(google.ask(&stop.bearer(TOKEN)).status, 204);
    let (status, gone) = google.write("POST", "channels/stop", &body);
    assert_eq!(status, 404);
    assert_eq!(gone["error"]["message"], "Channel 'one' not found for project 'seeded'");
    let again = google.write("POST", WATCH, &wish("one", HERE));
    assert_eq!(reason(&again.1), "channelIdNotUnique", "even after stop");
}

/// A webhook that answers with the given codes in turn, then 200, and remembers what came.
#[derive(Clone, Default)]
struct Hook {
    seen: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    robots: Arc<Mutex<String>>,
}

async fn receive(State(hook): State<Hook>, request: Request) -> (StatusCode, String) {
    if request.method() == "GET" {
        let text = hook.robots.lock().unwrap().clone();
        return if text.is_empty() { (StatusCode::NOT_FOUND, text) } else { (StatusCode::OK, text) };
    }
    let headers = request.headers().iter();
    let mut headers: BTreeMap<_, _> =
        headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
    headers.insert("target".into(), format!("{} {}", request.method(), request.uri()));
    hook.seen.lock().unwrap().push(headers);
    let code = hook.answers.lock().unwrap().pop().unwrap_or(200);
    (StatusCode::from_u16(code).unwrap(), String::new())
}

impl Hook {
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hooks/google?x=1", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn states(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|m| m["x-goog-resource-state"].clone()).collect()
    }

    async fn wait_for(&self, count: usize) {
        for _ in 0..500 {
            if self.seen.lock().unwrap().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {:?} came", self.states());
    }
}

async fn running() -> RunningSimulator {
    let mut config = SimConfig::starting_at(now());
    let short = Duration::from_millis(20);
    config.push = Push::On(PushTimes { tries: 4, first_wait: short, late: short, reordered: short });
    let running = Simulator::start(config).await.unwrap();
    assert_eq!(running.seed_person("ann@example.com", TOKEN).unwrap().len(), 1);
    running.cloud().with(stage);
    running
}

fn watch(running: &RunningSimulator, id: &str, address: &str) {
    let request =
        ApiRequest::new("POST", &format!("/calendar/v3/{WATCH}")).bearer(TOKEN).json(&wish(id, address));
    let Reply::Answer(answer) = running.google().reply(&request) else { panic!("dropped") };
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn change(running: &RunningSimulator) {
    let now = running.clock().now();
    running.cloud().with(|c| c.create_event(&"ann@example.com".into(), content("x", 3), now)).unwrap();
}

#[tokio::test]
async fn row_delivery_headers_and_an_empty_body() {
    let (hook, running) = (Hook::default(), running().await);
    watch(&running, "one", &hook.open().await);
    hook.wait_for(1).await;
    change(&running);
    hook.wait_for(2).await;
    let seen = hook.seen.lock().unwrap().clone();
    let first = &seen[0];
    for (name, value) in [
        ("target", "POST /hooks/google?x=1"),
        ("content-length", "0"),
        ("content-type", "application/json; utf-8"),
        ("x-goog-channel-id", "one"),
        ("x-goog-channel-token", "k=3&s=Zm9v"),
        ("x-goog-message-number", "1"),
        ("x-goog-resource-state", "sync"),
        ("x-goog-channel-expiration", "Sun, 08 Nov 2026 08:00:00 GMT"),
        (
            "x-goog-resource-uri",
            "https://www.googleapis.com/calendar/v3/calendars/ann%40example.com/events?alt=json",
        ),
    ] {
        if name != "x-goog-channel-expiration" {
            assert_eq!(first[name], value, "{name}");
        } else {
            assert!(first[name].starts_with("Sun, 08 Nov 2026 08:00:"), "{}", first[name]);
        }
    }
    assert!(first["user-agent"].starts_with("APIs-Google; (+https://"));
    assert_eq!(
        (seen[1]["x-goog-resource-state"].as_str(), seen[1]["x-goog-resource-id"].as_str()),
        ("exists", first["x-goog-resource-id"].as_str())
    );
    assert!(seen[1]["x-goog-message-number"].parse::<u64>().unwrap() > 1);
    running.shutdown().await;
}

#[tokio::test]
async fn row_only_5xx_is_tried_again() {
    let (hook, running) = (Hook::default(), running().await);
    hook.answers.lock().unwrap().extend([503, 500]);
    watch(&running, "one", &hook.open().await);
    hook.wait_for(3).await;
    assert_eq!(hook.states(), ["sync"; 3]);
    hook.answers.lock().unwrap().push(404);
    change(&running);
    hook.wait_for(4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(hook.states().len(), 4, "any other code fails the message");
    let counts = running.push_counts();
    assert_eq!((counts.delivered(), counts.failed(), counts.retried()), (1, 1, 2));
    running.shutdown().await;
}

#[tokio::test]
async fn row_the_sender_obeys_robots_txt() {
    let (hook, running) = (Hook::default(), running().await);
    *hook.robots.lock().unwrap() = "User-agent: *\nDisallow: /hooks".into();
    watch(&running, "one", &hook.open().await);
    for _ in 0..200 {
        if running.push_counts().forbidden() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((running.push_counts().forbidden(), hook.states().len()), (1, 0));
    running.shutdown().await;
}

#[tokio::test]
async fn fault_notices_are_lost_and_doubled() {
    let (hook, running) = (Hook::default(), running().await);
    running.faults().force(Fault::NoticeLost, 1);
    running.faults().force(Fault::NoticeDoubled, 1);
    watch(&running, "one", &hook.open().await);
    change(&running);
    hook.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(hook.states(), ["exists", "exists"]);
    running.shutdown().await;
}

#[tokio::test]
async fn the_http_server_serves_and_breaks_connections() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let running = running().await;
    let address = running.google_base_url().trim_start_matches("http://").to_owned();
    let ask = || async {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "GET /calendar/v3/colors HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let answer = ask().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("application/json; charset=UTF-8"));
    running.faults().force(Fault::DropBefore, 1);
    assert_eq!(ask().await, "", "not one byte");
    assert!(ask().await.starts_with("HTTP/1.1 200"));
    running.shutdown().await;
}
