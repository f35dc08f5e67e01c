//! The way of a request through the outer layers, without a socket.

use axum::body::Body;
use axum::extract::Extension;
use axum::routing::post;
use tower::ServiceExt;

use super::*;
use crate::http::ClientAddr;

fn settings(env: &[(&str, &str)]) -> ServerSettings {
    crate::config::tests_settings(env).server
}

fn routes() -> Router {
    Router::new()
        .route(HEALTH_PATH, get(|| async { "well" }))
        .route("/webhooks/google/{calendar}", post(|| async { "taken" }))
        .route("/who", get(|Extension(client): Extension<ClientAddr>| async move { client.0.to_string() }))
        .route("/panic", get(panics))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(5)).await }))
}

async fn panics() -> &'static str {
    panic!("the token is hunter2")
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert!(json["error"]["message"].is_string(), "{}", self.body);
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn ask(env: &[(&str, &str)], method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4711))));
    let response = app(Edge::new(&settings(env)), routes()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

const PROXY: (&str, &str) = ("CALENDAR_SYNC__SERVER__TRUSTED_PROXIES", "10.0.0.0/8");

#[tokio::test]
async fn a_trailing_slash_is_optional() {
    for (method, uri) in [
        ("GET", "/webhooks/health"),
        ("GET", "/webhooks/health/"),
        ("GET", "/webhooks/health/?a=b"),
        ("POST", "/webhooks/google/x"),
        ("POST", "/webhooks/google/x/"),
        ("GET", "/robots.txt"),
    ] {
        assert_eq!(ask(&[], method, uri, &[]).await.status, 200, "{uri}");
    }
    for uri in ["/", "//", "/webhooks/health//", "/webhooks"] {
        assert_eq!(ask(&[], "GET", uri, &[]).await.status, 404, "{uri}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_is_json() {
    let lost = ask(&[], "GET", "/nowhere", &[]).await;
    assert_eq!((lost.status, lost.code().as_str()), (404, "not_found"));
    let wrong = ask(&[], "GET", "/webhooks/google/x/", &[]).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(wrong.headers[header::ALLOW], "POST");
    let broken = ask(&[], "GET", "/panic", &[]).await;
    assert_eq!((broken.status, broken.code().as_str()), (500, "internal"));
    assert!(!broken.body.contains("hunter2"));
    assert_eq!(broken.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(broken.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_slow_handler_is_cut_off() {
    let slow = ask(&[("CALENDAR_SYNC__SERVER__REQUEST_TIMEOUT_SECONDS", "1")], "GET", "/slow", &[]).await;
    assert_eq!((slow.status, slow.code().as_str()), (503, "unavailable"));
    assert_eq!(slow.headers[header::RETRY_AFTER], "5");
}

#[tokio::test]
async fn the_client_is_known_to_handlers() {
    let forged = [("x-forwarded-for", "198.51.100.7")];
    assert_eq!(ask(&[], "GET", "/who", &forged).await.body, "10.0.0.1");
    assert_eq!(ask(&[PROXY], "GET", "/who", &forged).await.body, "198.51.100.7");
}

#[tokio::test]
async fn plain_http_is_refused_or_redirected() {
    let refuse = [PROXY, ("CALENDAR_SYNC__SERVER__REQUIRE_HTTPS", "refuse")];
    let answer = ask(&refuse, "GET", "/who", &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "https_required"));
    assert_eq!(ask(&refuse, "GET", "/who", &[("x-forwarded-proto", "http")]).await.status, 403);
    assert_eq!(ask(&refuse, "GET", "/who", &[("x-forwarded-proto", "https")]).await.status, 200);
    assert_eq!(ask(&refuse, "GET", "/webhooks/health/", &[]).await.status, 200, "probes speak no https");

    let redirect = [
        PROXY,
        ("CALENDAR_SYNC__SERVER__REQUIRE_HTTPS", "redirect"),
        ("WEBHOOK_BASE_URL", "https://sync.example.com/base"),
    ];
    let answer = ask(&redirect, "POST", "/webhooks/google/x?a=b", &[("host", "evil.example.org")]).await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.headers[header::LOCATION], "https://sync.example.com/webhooks/google/x?a=b");
}

#[tokio::test]
async fn robots_lets_the_provider_in_and_everybody_else_out() {
    let robots = ask(&[], "GET", "/robots.txt", &[]).await;
    assert!(robots.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"));
    let groups: Vec<&str> = robots.body.split("User-agent: ").skip(1).collect();
    assert!(groups[0].starts_with("APIs-Google\nAllow: /webhooks/\nDisallow: /"), "{}", robots.body);
    assert!(groups[1].starts_with("*\nDisallow: /"), "{}", robots.body);
}
