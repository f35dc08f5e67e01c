//! Both providers with an account at each, as the adapters know them, and a server on this machine's loopback that answers
//! whatever it is told to. So the adapters are judged through their ports, with nothing of them made public. Never answers
//! with a status that an adapter waits after, and never reaches another machine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{Clock, IdGen, ProviderAccount};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_providers::budget::Limits;
use calsync_providers::credentials::{CredentialKeeper, Credentials, Kept, NotKept};
use calsync_providers::google::{Google, GoogleAccount, GoogleConfig};
use calsync_providers::microsoft::{Microsoft, MicrosoftAccount, MicrosoftConfig};
use calsync_providers::stats::CallRecorder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{CANARY, NOW};

/// Longest request that the server takes.
const REQUEST_MAX: usize = 256 * 1024;
/// What the answers of one input are divided by.
const DIVIDER: &[u8] = b"\n%%\n";
/// Most answers of one input.
const ANSWERS_MAX: usize = 12;
/// In a body, it stands for the address of the server.
const HERE: &str = "{here}";

/// The server's part that both sides see.
#[derive(Default)]
struct Script {
    answers: VecDeque<Vec<u8>>,
    asked: Vec<String>,
}

/// The stage: one for each thread, since nothing in it is worth building twice.
pub(crate) struct Stage {
    runtime: Runtime,
    script: Arc<Mutex<Script>>,
    /// Where the server is reached.
    pub(crate) base: String,
    /// Google.
    pub(crate) google: Arc<Google>,
    /// An account there.
    pub(crate) at_google: GoogleAccount,
    /// Microsoft.
    pub(crate) microsoft: Arc<Microsoft>,
    /// An account there.
    pub(crate) at_microsoft: MicrosoftAccount,
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

/// Does something on this thread's stage.
pub(crate) fn on_stage<T>(play: impl FnOnce(&Stage) -> T) -> T {
    STAGE.with(play)
}

/// The answers of an input.
pub(crate) fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut rest = data;
    let mut parts = Vec::new();
    while parts.len() + 1 < ANSWERS_MAX {
        let Some(at) = rest.windows(DIVIDER.len()).position(|w| w == DIVIDER) else { break };
        parts.push(&rest[..at]);
        rest = &rest[at + DIVIDER.len()..];
    }
    parts.push(rest);
    parts
}

impl Stage {
    fn new() -> Stage {
        static RING: Once = Once::new();
        // Whoever else on this thread's process installed one, installed the same.
        RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs nothing that a test machine lacks");
        let script = Arc::new(Mutex::new(Script::default()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("the loopback has a free port");
        let address = listener.local_addr().expect("what is bound has an address");
        runtime.spawn(serve(listener, script.clone()));
        let base = format!("http://{address}");
        let google = Arc::new(google(&base));
        let microsoft = Arc::new(microsoft(&base));
        let at_google = google.account(&account(ProviderKind::Google), credentials(), Arc::new(Forgetful));
        let at_microsoft =
            microsoft.account(&account(ProviderKind::Microsoft), credentials(), Arc::new(Forgetful));
        let stage = Stage { runtime, script, base, google, at_google, microsoft, at_microsoft };
        // Each account buys its access token with its first call, and has it from then on: time stands still here.
        for account in [&stage.at_google as &dyn ProviderAccount, &stage.at_microsoft] {
            drop(stage.play([], account.list_calendars()));
        }
        stage
    }

    /// Lets something happen while the server gives these answers, in their order, and then 404; with what it was asked.
    pub(crate) fn play<T>(
        &self,
        answers: impl IntoIterator<Item = Vec<u8>>,
        what: impl Future<Output = T>,
    ) -> (T, Vec<String>) {
        {
            let mut script = lock(&self.script);
            script.answers = answers.into_iter().collect();
            script.asked.clear();
        }
        let done = self.runtime.block_on(what);
        (done, std::mem::take(&mut lock(&self.script).asked))
    }

    /// A body with the address of this server in its place.
    pub(crate) fn here(&self, body: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(body).replace(HERE, &self.base).into_bytes()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, script.clone()));
    }
}

/// Answers one connection until it ends.
async fn converse(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let _ = stream.set_nodelay(true);
    while let Some(target) = request(&mut stream).await {
        let (status, body) = answer(&script, target);
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        let whole = [head.as_bytes(), &body].concat();
        if stream.write_all(&whole).await.is_err() {
            return;
        }
    }
}

fn answer(script: &Mutex<Script>, target: String) -> (&'static str, Vec<u8>) {
    let mut script = lock(script);
    let buys_a_token = target.ends_with("/token") || target.contains("/oauth2/");
    script.asked.push(target);
    match script.answers.pop_front() {
        Some(body) => ("200 OK", body),
        None if buys_a_token => ("200 OK", br#"{"access_token":"t","expires_in":3599}"#.to_vec()),
        None => ("404 Not Found", b"{}".to_vec()),
    }
}

/// Reads a request; what it asks for.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let mut left = length.unwrap_or(0).saturating_sub(read.len() - end - 4);
            while left > 0 {
                let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
                left = left.saturating_sub(n);
            }
            return head.split(' ').nth(1).map(str::to_owned);
        }
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        read.extend_from_slice(&chunk[..n]);
        if read.len() > REQUEST_MAX {
            return None;
        }
    }
}

fn google(base: &str) -> Google {
    let mut config = GoogleConfig::new("client-1", Secret::new(CANARY));
    let url = |path: &str| format!("{base}{path}").parse().expect("an address of this file");
    config.token_url = url("/token");
    config.userinfo_url = url("/userinfo");
    config.api_base = url("/calendar/v3/");
    config.limits = limits();
    Google::new(config, client(), Arc::new(Stopped), Arc::new(Plain), Arc::new(CallRecorder::new()))
}

fn microsoft(base: &str) -> Microsoft {
    let mut config = MicrosoftConfig::new("client-1", Secret::new(CANARY));
    config.authority = base.parse().expect("an address of this file");
    config.graph_base = format!("{base}/v1.0/").parse().expect("an address of this file");
    config.limits = limits();
    Microsoft::new(config, client(), Arc::new(Stopped), Arc::new(Plain), Arc::new(CallRecorder::new()))
}

/// None that anything here comes near.
fn limits() -> Limits {
    Limits {
        per_user: u32::MAX,
        per_project: u32::MAX,
        per_calendar_writes: u32::MAX,
        concurrent: 4,
        max_wait: Duration::from_secs(4),
    }
}

fn client() -> reqwest::Client {
    let built = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    built.expect("a client without settings of its own")
}

fn account(provider: ProviderKind) -> Account {
    Account {
        id: AccountId(Uuid::from_u128(1)),
        user: UserId(Uuid::from_u128(2)),
        provider,
        remote_id: "1001".to_owned(),
        email: "ann@example.com".to_owned(),
        status: AccountStatus::Active,
        status_detail: None,
        created_at: NOW,
    }
}

fn credentials() -> Credentials {
    Credentials {
        refresh_token: Secret::new(CANARY),
        scope: "openid".to_owned(),
        obtained_at: NOW,
        expires_at: None,
    }
}

/// It is always now.
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Ts {
        NOW
    }
}

/// Ids and secrets that are the same each time.
pub(crate) struct Plain;

impl IdGen for Plain {
    fn uuid(&self, _now: Ts) -> Uuid {
        Uuid::from_u128(7)
    }

    fn token(&self) -> Secret {
        Secret::new(format!("{CANARY}-{:030}", 0))
    }

    fn below(&self, _bound: u64) -> u64 {
        0
    }
}

/// Keeps nothing.
struct Forgetful;

#[async_trait]
impl CredentialKeeper for Forgetful {
    async fn replace(&self, _: AccountId, _: &Credentials, _: &Credentials) -> Result<Kept, NotKept> {
        Ok(Kept::Stored)
    }

    async fn stored(&self, _: AccountId) -> Option<Credentials> {
        None
    }
}
