//! A wire between two programs, on which the test listens: each exchange is passed on as it came and remembered, and
//! answers can be held back, or replaced.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use tokio::sync::watch;

use crate::place::{free_listener, until};
use crate::web::client;

/// Nobody's body is longer.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) asked: String,
    pub(crate) status: u16,
    pub(crate) answered: String,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// It runs until it is dropped with the runtime.
#[derive(Clone)]
pub(crate) struct Wire {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    to: Mutex<String>,
    client: reqwest::Client,
    exchanges: Mutex<Vec<Exchange>>,
    /// Answers to paths that end so wait.
    held: watch::Sender<Option<&'static str>>,
    /// Answers that are given instead of asking at the other end, the next one last.
    instead: Mutex<Vec<(u16, String)>>,
}

impl Wire {
    /// One that leads to this URL, which has no path.
    pub(crate) fn to(url: String) -> Wire {
        let listener = free_listener();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let held = watch::Sender::new(None);
        let inner = {
            let (to, exchanges, instead) = (Mutex::new(url), Mutex::default(), Mutex::default());
            Arc::new(Inner { to, client: client(), exchanges, held, instead })
        };
        let router = Router::new().fallback(pass).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Wire { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it leads there.
    pub(crate) fn lead_to(&self, url: String) {
        *self.inner.to.lock().unwrap_or_else(PoisonError::into_inner) = url;
    }

    /// The exchanges of this method whose path holds this, in the order in which they ended; `""` is any.
    pub(crate) fn seen(&self, method: &str, path: &str) -> Vec<Exchange> {
        let fits = |e: &&Exchange| (method.is_empty() || e.method == method) && e.path.contains(path);
        self.inner.exchanges().iter().filter(fits).cloned().collect()
    }

    /// How many of them there are.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.seen(method, path).len()
    }

    /// From now on answers to paths that end so are given at the other end, and wait here.
    pub(crate) fn hold(&self, path: &'static str) {
        self.inner.held.send_replace(Some(path));
    }

    /// The next requests are answered so, one after the other, and do not reach the other end.
    pub(crate) fn answer_instead(&self, answers: impl IntoIterator<Item = (u16, String)>) {
        let mut instead: Vec<_> = answers.into_iter().collect();
        instead.reverse();
        *self.inner.instead.lock().unwrap_or_else(PoisonError::into_inner) = instead;
    }

    /// How many of these are not given yet.
    pub(crate) fn answers_left(&self) -> usize {
        self.inner.instead.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What was held back goes on.
    pub(crate) fn let_go(&self) {
        self.inner.held.send_replace(None);
    }

    /// Waits until the exchanges of this method and path are more than `before`.
    pub(crate) async fn more_than(&self, before: usize, method: &str, path: &str, most: Duration) {
        let what = format!("more than {before} times {method} {path}");
        until(&what, most, async || (self.count(method, path) > before).then_some(())).await;
    }
}

impl Inner {
    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(State(wire): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let asked = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let to = wire.to.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let instead = wire.instead.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if let Some((status, body)) = instead {
        let json = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
        return json.body(Body::from(body)).unwrap();
    }
    let mut onward = wire.client.request(parts.method.clone(), format!("{to}{path}"));
    for (name, value) in &parts.headers {
        if name != header::CONNECTION && name != header::TRANSFER_ENCODING {
            onward = onward.header(name, value);
        }
    }
    if !asked.is_empty() {
        onward = onward.body(asked.clone());
    }
    let Ok(answer) = onward.send().await else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let answered = answer.bytes().await.unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exchange = Exchange {
        method: parts.method.to_string(),
        asked: text(&asked),
        status: status.as_u16(),
        answered: text(&answered),
        began,
        ended: Instant::now(),
        path,
    };
    let ends_so = |held: &Option<&str>| held.is_some_and(|held| parts.uri.path().ends_with(held));
    wire.exchanges().push(exchange);
    let _ = wire.held.subscribe().wait_for(|held| !ends_so(held)).await;
    let mut response = Response::builder().status(status);
    for (name, value) in &headers {
        if name != header::CONNECTION && name != header::TRANSFER_ENCODING {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answered)).unwrap()
}
