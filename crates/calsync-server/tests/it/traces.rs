//! Traces, as a collector gets them from the running program: it takes OTLP over HTTP and reads it by the real definitions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::place::{PATIENCE, free_address, free_listener, until};
use crate::world::{SOON, World, hour};

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    bytes: Vec<u8>,
    /// The process that each span came from.
    instances: Vec<String>,
}

impl Collector {
    /// Listens, and tells where.
    fn start() -> (Collector, String) {
        let (collector, listener) = (Collector::default(), free_listener());
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let routes = axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (collector, url)
    }

    /// The spans of a trace that holds all of these names, and the process that each came from.
    fn find(&self, names: &[&str]) -> Option<Vec<(Span, String)>> {
        let taken = self.0.lock().unwrap();
        let of = |trace: &[u8]| {
            let all = taken.spans.iter().zip(&taken.instances);
            all.filter(|(s, _)| s.trace_id == trace).map(|(s, i)| (s.clone(), i.clone())).collect::<Vec<_>>()
        };
        let mut traces = taken.spans.iter().map(|span| of(&span.trace_id));
        traces.find(|trace| names.iter().all(|name| trace.iter().any(|(span, _)| span.name == *name)))
    }

    /// Waits for one.
    async fn trace_with(&self, names: &[&str]) -> Vec<(Span, String)> {
        until(&format!("a trace with {names:?}"), PATIENCE, async || self.find(names)).await
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-token"], "hunter2");
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("it is OTLP");
    let mut taken = collector.0.lock().unwrap();
    taken.bytes.extend(body);
    for ours in request.resource_spans {
        let resource = ours.resource.unwrap();
        let instance = resource.attributes.iter().find(|a| a.key == "service.instance.id").unwrap();
        for span in ours.scope_spans.into_iter().flat_map(|scoped| scoped.spans) {
            taken.spans.push(span);
            taken.instances.push(format!("{:?}", instance.value));
        }
    }
    StatusCode::OK
}

fn traced(world: &mut World, url: &str) {
    world.place.make_public();
    world.place.set("TRACES__OTLP_ENDPOINT", url);
    world.place.set("TRACES__HEADERS", "x-token=hunter2");
}

const CANARY: &str = "Kanari7vogel";
/// Longer than between two tries at a collector that is away.
const LATE: Duration = Duration::from_secs(45);
const WALK: [&str; 12] = [
    "receive",
    "commit",
    "step",
    "claim",
    "run",
    "pull",
    "provider_call",
    "fold",
    "plan",
    "enqueue",
    "write",
    "settle",
];

/// The span with this name, and the one above it.
fn above<'a>(trace: &'a [(Span, String)], name: &str) -> (&'a Span, &'a str) {
    let span = trace.iter().find(|(span, _)| span.name == name).map(|(span, _)| span).unwrap();
    let parent = trace.iter().find(|(other, _)| other.span_id == span.parent_span_id);
    (span, parent.map_or("", |(parent, _)| parent.name.as_str()))
}

fn is_one_walk(trace: &[(Span, String)]) {
    for (name, parent) in [
        ("receive", ""),
        ("commit", "receive"),
        ("step", "receive"),
        ("claim", "step"),
        ("run", "step"),
        ("pull", "run"),
        ("fold", "pull"),
        ("plan", "step"),
        ("enqueue", "step"),
        ("write", "step"),
        ("settle", "step"),
    ] {
        assert_eq!(above(trace, name).1, parent, "{name}: {trace:#?}");
    }
    let (receive, _) = above(trace, "receive");
    let (write, _) = above(trace, "write");
    assert!(write.start_time_unix_nano >= receive.start_time_unix_nano);
    let calls = trace.iter().filter(|(span, _)| span.name == "provider_call");
    let parents: Vec<_> = calls
        .map(|(call, _)| {
            trace.iter().find(|(s, _)| s.span_id == call.parent_span_id).unwrap().0.name.as_str()
        })
        .collect();
    assert!(parents.contains(&"pull") && parents.contains(&"write"), "{parents:?}");
    let told = |key: &str| receive.attributes.iter().find(|a| a.key == key).unwrap().value.clone();
    let id = uuid::Uuid::from_slice(&receive.trace_id).unwrap();
    assert!(format!("{:?}", told("notification")).contains(&id.to_string()), "the trace is the notification");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_receipt_to_the_block() {
    let (collector, url) = Collector::start();
    let (mut world, main, work) = World::with_ada(45).await;
    traced(&mut world, &url);
    let mut serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    // A look by the clock may come before the notification of a change: then the next one will do.
    let mut made = 0;
    let trace = until("a trace of the whole walk", PATIENCE * 2, async || {
        made += 1;
        world.make(&main, hour(CANARY, 24 + 2 * made));
        world.wait_for_blocks(&work, usize::try_from(made).unwrap(), PATIENCE).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        collector.find(&WALK)
    })
    .await;
    is_one_walk(&trace);
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    // Nothing of an event, nobody's address, no secret.
    let bytes = collector.0.lock().unwrap().bytes.clone();
    for secret in [CANARY, "ada@", "example.com", "ya29.", "hunter2", "http://"] {
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret}");
    }
    assert!(!serving.log().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipt_and_work_in_two_processes_are_one_trace() {
    let (collector, url) = Collector::start();
    let (mut world, main, work) = World::with_ada(46).await;
    traced(&mut world, &url);
    let mut both = world.place.serve().await;
    world.wait_for_channels(2).await;
    both.ask_to_stop();
    both.ended(PATIENCE).await;
    // One takes the notification in, and another, which was not there yet, finds it.
    let mut web = world.place.start(world.place.command(&["serve", "--role", "web"]));
    web.answers(&world.place).await;
    world.make(&main, hour(CANARY, 24));
    until("it was received", PATIENCE, async || web.log().contains("received").then_some(())).await;
    world.place.set("SERVER__BIND", free_address());
    let worker = world.place.start(world.place.command(&["serve", "--role", "worker"]));
    world.wait_for_blocks(&work, 1, PATIENCE).await;
    let trace = collector.trace_with(&WALK).await;
    is_one_walk(&trace);
    let of = |name: &str| &trace.iter().find(|(span, _)| span.name == name).unwrap().1;
    assert_eq!((of("receive"), of("step")), (of("commit"), of("write")));
    assert_ne!(of("receive"), of("write"), "two processes");
    assert!(worker.log().contains("instance="), "whoever is not alone says who it is: {}", worker.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_holds_nobody_up_and_is_told_once() {
    let (mut world, main, work) = World::with_ada(47).await;
    let away = free_address();
    traced(&mut world, &format!("http://{away}"));
    let mut serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    world.make(&main, hour(CANARY, 24));
    world.wait_for_blocks(&work, 1, SOON).await;
    // The first may have been found by the first reading; this one is told by a notification.
    world.make(&main, hour(CANARY, 48));
    world.wait_for_blocks(&work, 2, SOON).await;
    let told = async || serving.log().contains("the collector takes no traces").then_some(());
    until("it is told", PATIENCE, told).await;
    let listener = tokio::net::TcpListener::bind(away).await.unwrap();
    let collector = Collector::default();
    let routes = axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    // What was kept comes late, and whole.
    let whole = until("what was kept arrives", LATE, async || collector.find(&WALK)).await;
    is_one_walk(&whole);
    let told = async || serving.log().contains("the collector takes traces again").then_some(());
    until("it is told", PATIENCE, told).await;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    assert_eq!(serving.log().matches("the collector takes no traces").count(), 1, "{}", serving.log());
}
