//! Requests as they arrive: who sends them, by the headers of proxies, and what the whole application answers to anything.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use calsync_server::config::{Sources, load};
use calsync_server::http::cidr::Cidr;
use calsync_server::http::{self, Edge, Scheme, client_address, scheme};
use calsync_server::secrets::{Keyring, SealingKey, identity};
use calsync_server::service::Service;
use calsync_store::MemoryStore;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::CANARY;
use crate::material::{first_line, has_canary};
use crate::seals::KEY;

/// Longest answer that is looked through.
const ANSWER_MAX: usize = 4 * 1024 * 1024;
/// The proxy that is trusted, with its neighbours.
const TRUSTED: &str = "10.0.0.0/8";
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Whatever a request says of itself, its answer is labelled with these.
const LABELS: [&str; 2] = ["x-content-type-options", "referrer-policy"];

/// The lines of `X-Forwarded-For`; they are taken for `X-Forwarded-Proto` as well.
pub fn forwarded(data: &[u8]) {
    let trusted: [Cidr; 1] = [TRUSTED.parse().expect("a network of this file")];
    let lines: Vec<HeaderValue> =
        data.split(|b| *b == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let mut headers = HeaderMap::new();
    for line in &lines {
        headers.append("x-forwarded-for", line.clone());
        headers.append("x-forwarded-proto", line.clone());
    }
    assert_eq!(client_address(STRANGER, &headers, &trusted).0, STRANGER, "a stranger is believed");
    assert_eq!(scheme(STRANGER, &headers, &trusted), Scheme::Http, "a stranger is believed");
    assert_eq!(client_address(PROXY, &headers, &[]).0, PROXY, "nobody is trusted");
    let found = client_address(PROXY, &headers, &trusted).0;
    let text = lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>().join(&b'\n');
    let text = String::from_utf8_lossy(&text);
    let written = |address: IpAddr| {
        let parts = text
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | '"'))
            .map(|part| part.trim_matches(['[', ']']));
        let mut parts =
            parts.map(|part| part.rsplit_once(':').map_or((part, part), |(host, _)| (part, host)));
        parts.any(|(whole, host)| {
            [whole, host.trim_matches(['[', ']'])]
                .iter()
                .any(|text| text.parse::<IpAddr>().is_ok_and(|one| one.to_canonical() == address))
        })
    };
    assert!(found == PROXY || written(found), "{found} stands nowhere");
    // One more proxy of ours in between changes nothing.
    headers.append("x-forwarded-for", HeaderValue::from_static("10.9.9.9"));
    let behind = client_address(PROXY, &headers, &trusted).0;
    assert!(behind == found || found == PROXY || trusted[0].contains(found), "{behind} is not {found}");
    if scheme(PROXY, &headers, &trusted) == Scheme::Https {
        let said = text.split(['\n', ',']).map(str::trim);
        assert!(said.into_iter().all(|word| word.eq_ignore_ascii_case("https")), "{text:?} is not https");
    }
}

/// A whole request: method and target in the first line, headers, an empty line, and the body.
pub fn requests(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let secret = !has_canary(data);
    let (status, headers, body) = APP.with(|app| {
        app.runtime.block_on(async {
            let answer: Response<Body> =
                app.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            let (head, body) = answer.into_parts();
            // A page that stays open (events) has no end to wait for.
            let open = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
            let body = if open { None } else { to_bytes(body, ANSWER_MAX).await.ok() };
            (head.status, head.headers, body.unwrap_or_default())
        })
    });
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{}", String::from_utf8_lossy(&body));
    for label in LABELS {
        assert!(headers.contains_key(label), "an answer without {label}: {status} {headers:?}");
    }
    assert!(!secret || !has_canary(&body), "what a browser keeps is repeated");
}

/// Reads the request, with the canary in every cookie and token.
fn request(data: &[u8]) -> Option<Request<Body>> {
    let (line, mut rest) = first_line(data);
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    loop {
        let (line, after) = first_line(rest);
        rest = after;
        let Some(at) = line.iter().position(|b| *b == b':') else { break };
        let name = HeaderName::from_bytes(line[..at].trim_ascii()).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        let text = String::from_utf8_lossy(value.as_bytes()).replace("{secret}", CANARY);
        request = request.header(name, HeaderValue::from_bytes(text.as_bytes()).ok()?);
    }
    request.body(Body::from(rest.to_vec())).ok()
}

/// The application over an empty store in memory. One for each thread: putting it together takes long.
struct App {
    runtime: Runtime,
    router: Router,
}

thread_local! {
    static APP: App = App::new();
}

impl App {
    fn new() -> App {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs nothing that a test machine lacks");
        drop(rustls::crypto::ring::default_provider().install_default());
        let settings = load(&Sources::new(None, [])).expect("no setting is obligatory").settings;
        let ring = Keyring::new(SealingKey::parse(KEY).expect("a key of this crate"), vec![]);
        let edge = Edge::new(&settings.server);
        let store = Arc::new(MemoryStore::new());
        let identity = identity::derive(&ring);
        let router = runtime.block_on(async {
            let service = Service::new(settings, store, identity, ring, Arc::new(|_| ()));
            let service = service.expect("nothing is configured that could be missing");
            http::app(edge, http::routes(service))
        });
        App { runtime, router }
    }
}
