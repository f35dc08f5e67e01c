//! A scripted provider: answers in order, and remembers what it was asked. And Google with an account at it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{Clock, IdGen};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_providers::credentials::{CredentialKeeper, Credentials, Kept, NotKept};
use calsync_providers::google::{Google, GoogleAccount, GoogleConfig};
use calsync_providers::stats::CallRecorder;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every secret of these tests carries it, so that one search finds any leak.
pub(crate) const CANARY: &str = "canary7secret";
/// When all of it happens.
pub(crate) const NOW: Ts = Ts::from_secs(1_794_902_400);

/// One answer of the script.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    after: Duration,
    breaks: bool,
}

pub(crate) fn answer(status: u16, body: impl ToString) -> Answer {
    Answer { status, headers: vec![], body: body.to_string(), after: Duration::ZERO, breaks: false }
}

pub(crate) fn refusal(status: u16, reason: &str) -> Answer {
    answer(status, json!({"error": {"errors": [{"reason": reason, "message": CANARY}], "message": CANARY}}))
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Answer {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn after(mut self, millis: u64) -> Answer {
        self.after = Duration::from_millis(millis);
        self
    }

    /// The connection breaks in the middle of the answer.
    pub(crate) fn breaks(mut self) -> Answer {
        self.breaks = true;
        self
    }
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    }
}

#[derive(Default)]
pub(crate) struct Script {
    api: Mutex<VecDeque<Answer>>,
    token: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
    tokens_given: AtomicU64,
}

/// A scripted Google with an account at it.
pub(crate) struct Rig {
    pub(crate) script: Arc<Script>,
    pub(crate) google: Arc<Google>,
    pub(crate) account: Arc<GoogleAccount>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) clock: Arc<StoppedClock>,
    pub(crate) recorder: Arc<CallRecorder>,
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut GoogleConfig)) -> Rig {
        let (script, base) = stage().await;
        let mut config = GoogleConfig::new("client-1", Secret::new(format!("client-{CANARY}")));
        let url = |path: &str| format!("{base}{path}").parse().unwrap();
        config.auth_url = url("/auth");
        config.token_url = url("/token");
        config.revoke_url = url("/revoke");
        config.userinfo_url = url("/userinfo");
        config.api_base = url("/calendar/v3/");
        config.timeout = Duration::from_secs(5);
        change(&mut config);
        let clock = Arc::new(StoppedClock(AtomicI64::new(NOW.micros())));
        let recorder = Arc::new(CallRecorder::new());
        let google =
            Google::new(config, client(), clock.clone(), Arc::new(Counted::default()), recorder.clone());
        let google = Arc::new(google);
        let keeper = Arc::new(Keeper::default());
        let account = Arc::new(google.account(&person(), credentials(), keeper.clone()));
        Rig { script, google, account, keeper, clock, recorder }
    }
}

impl std::ops::Deref for Rig {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.script
    }
}

/// Serves a script; where it is reached.
pub(crate) async fn stage() -> (Arc<Script>, String) {
    let script = Arc::new(Script::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(serve).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (script, base)
}

impl Script {
    /// Adds answers of everything but the token endpoint.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.api.lock().unwrap().extend(answers);
    }

    /// Adds answers of the token endpoint; without any it gives a new token each time.
    pub(crate) fn tokens(&self, answers: impl IntoIterator<Item = Answer>) {
        self.token.lock().unwrap().extend(answers);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests other than for tokens.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| !s.path.ends_with("/token")).collect()
    }

    pub(crate) fn token_calls(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.path.ends_with("/token")).collect()
    }
}

async fn serve(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let query = uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes())
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = uri.path().to_owned();
    script.seen.lock().unwrap().push(Seen { method, path: path.clone(), query, headers, body });
    let next = if path.ends_with("/token") {
        script.token.lock().unwrap().pop_front().unwrap_or_else(|| {
            let n = script.tokens_given.fetch_add(1, Ordering::Relaxed) + 1;
            answer(200, json!({"access_token": format!("access-{n}-{CANARY}"), "expires_in": 3599, "token_type": "Bearer"}))
        })
    } else {
        script.api.lock().unwrap().pop_front().unwrap_or_else(|| answer(418, "the script is at its end"))
    };
    tokio::time::sleep(next.after).await;
    let mut response = Response::builder().status(next.status);
    for (name, value) in next.headers {
        response = response.header(name, value);
    }
    if next.breaks {
        let parts = [Ok(Bytes::from_static(b"{\"id\":")), Err(std::io::Error::other("broken"))];
        return response.body(Body::from_stream(futures_util::stream::iter(parts))).unwrap();
    }
    response.body(Body::from(next.body)).unwrap()
}

pub(crate) fn client() -> reqwest::Client {
    static RING: Once = Once::new();
    RING.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

pub(crate) fn person() -> Account {
    Account {
        id: AccountId(Uuid::from_u128(1)),
        user: UserId(Uuid::from_u128(2)),
        provider: ProviderKind::Google,
        remote_id: "1001".into(),
        email: "ann@example.com".into(),
        status: AccountStatus::Active,
        status_detail: None,
        created_at: NOW,
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        refresh_token: Secret::new(format!("refresh-0-{CANARY}")),
        scope: "openid".into(),
        obtained_at: NOW,
        expires_at: None,
    }
}

pub(crate) struct StoppedClock(pub(crate) AtomicI64);

impl StoppedClock {
    pub(crate) fn advance(&self, secs: i64) {
        self.0.fetch_add(secs * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Ts {
        Ts::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl IdGen for Counted {
    fn uuid(&self, _now: Ts) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn token(&self) -> Secret {
        Secret::new(format!("{:030}{CANARY}", self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn below(&self, _bound: u64) -> u64 {
        0
    }
}

/// Keeps credentials; fails as often as it is told to.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) kept: Mutex<Vec<Credentials>>,
    pub(crate) failures: AtomicU64,
}

#[async_trait]
impl CredentialKeeper for Keeper {
    async fn replace(
        &self,
        account: AccountId,
        _old: &Credentials,
        new: &Credentials,
    ) -> Result<Kept, NotKept> {
        assert_eq!(account, person().id);
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.fetch_sub(1, Ordering::Relaxed);
            return Err(NotKept("the database is away".into()));
        }
        self.kept.lock().unwrap().push(new.clone());
        Ok(Kept::Stored)
    }

    async fn stored(&self, _account: AccountId) -> Option<Credentials> {
        self.kept.lock().unwrap().last().cloned()
    }
}
