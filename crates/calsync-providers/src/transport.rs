//! One call of a provider's API: budget, token, exchange, classification, and the few repetitions that cannot hurt.
//! Provider-neutral: each provider says what its operations are and what its refusals mean.
//!
//! Repeated here: what an operation itself calls harmless; an unexplained 412 without any `If-Match` once (google.md §5);
//! any call once with a new token after a 401, which means that nothing was done. Everything else is the engine's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Clock, ErrorClass, IdGen, ProviderError};
use calsync_core::secret::Secret;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use reqwest::{Method, RequestBuilder};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use url::Url;

use crate::budget::{AccountBudget, Ask, Throttled};
use crate::retry;
use crate::stats::{CallOutcome, CallRecorder, HeldBack};
use crate::tokens::{TokenShop, Tokens};
use crate::wire::{self, Effect, Reply};

/// Fresh tokens in a row that are refused, from which the connection counts as dead.
const REFUSED_FRESH_MAX: usize = 4;
/// The pause after a refusal that names none.
const PAUSE: Duration = Duration::from_secs(2);
/// A shorter wait for leave to call is none.
const WAIT_COUNTED: Duration = Duration::from_millis(1);
/// The longest pause of reading that a used-up quota leads to.
const READ_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What can be asked of a provider.
pub(crate) trait Operate: Copy + Send + Sync {
    /// Its name in logs and errors.
    fn name(self) -> &'static str;
    /// Quota units it costs.
    fn units(self) -> u32;
    /// Whether it can have changed something.
    fn effect(self) -> Effect;
    /// Whether this is an answer to it rather than a refusal.
    fn is_answered_by(self, status: u16, body: &[u8]) -> bool;
    /// Whether it may be asked again after a failure of this class.
    fn may_repeat(self, class: ErrorClass) -> bool;
}

/// A refusal, read once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// What to tell the engine.
    pub error: ProviderError,
    /// Whose limit it was about, if any.
    pub throttled: Option<Throttled>,
}

/// What one process needs to reach a provider: the same for all its accounts.
pub(crate) struct Edge {
    pub(crate) provider: ProviderKind,
    /// It must follow no redirects: a token must not be carried elsewhere.
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGen>,
    pub(crate) recorder: Arc<CallRecorder>,
    /// The longest time one HTTP exchange may take.
    pub(crate) timeout: Duration,
    /// The largest answer taken, in bytes.
    pub(crate) body_limit: usize,
}

impl Edge {
    /// One exchange in its own span, without a word of what it carries.
    pub(crate) async fn send(
        &self,
        name: &'static str,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<Reply, ProviderError> {
        use tracing::Instrument;
        let span = tracing::debug_span!(
            "provider_call",
            provider = self.provider.as_str(),
            call = name,
            status = tracing::field::Empty,
            request_id = tracing::field::Empty
        );
        let reply = wire::exchange(request, self.timeout, self.body_limit).instrument(span.clone()).await;
        if let Ok(reply) = &reply {
            span.record("status", reply.status);
            // What a provider's support asks for first.
            if let Some(id) = reply.header("request-id") {
                span.record("request_id", id);
            }
        }
        reply.map_err(|broken| broken.to_error(effect, name))
    }

    /// Counts a call.
    pub(crate) fn record(
        &self,
        operation: &'static str,
        started: Instant,
        units: u32,
        error: Option<ErrorClass>,
    ) {
        let outcome =
            CallOutcome { operation, at: self.clock.now(), latency: started.elapsed(), error, units };
        self.recorder.record(self.provider, outcome);
    }
}

/// A call between its beginning and its end. It is counted once, also where whoever asked goes away in the middle of it: the
/// provider counts it, too.
struct UnderWay<'a> {
    edge: &'a Edge,
    name: &'static str,
    units: u32,
    started: Instant,
    error: Option<ErrorClass>,
}

impl<'a> UnderWay<'a> {
    fn begin(edge: &'a Edge, operation: impl Operate) -> UnderWay<'a> {
        let error = Some(operation.effect().unknown_outcome());
        UnderWay { edge, name: operation.name(), units: operation.units(), started: Instant::now(), error }
    }

    fn ended(mut self, error: Option<ErrorClass>) {
        self.error = error;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.edge.record(self.name, self.started, self.units, self.error);
    }
}

/// A provider, as the way of its calls needs to know it.
pub(crate) trait Remote: TokenShop + Send + Sync {
    /// What can be asked of it.
    type Operation: Operate;
    /// How it is reached.
    fn edge(&self) -> &Edge;
    /// The headers that each of its calls carries.
    fn dress(&self, request: RequestBuilder) -> RequestBuilder {
        request
    }
    /// What its refusal means.
    fn read_refusal(&self, operation: Self::Operation, reply: &Reply) -> Refused;
}

/// The way of one account's calls.
pub(crate) struct Transport<R> {
    pub(crate) remote: Arc<R>,
    budget: AccountBudget,
    tokens: Tokens,
    refused: Mutex<RefusedTokens>,
}

/// Fresh tokens that were refused, with no call in between that went well. Each counts once, however many calls were under
/// way with it.
#[derive(Default)]
struct RefusedTokens(Vec<Secret>);

/// A call to be made.
pub(crate) struct Call<'a, O> {
    pub(crate) operation: O,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) if_match: Option<&'a str>,
    /// The calendar it writes to.
    pub(crate) writes_to: Option<&'a str>,
}

impl<O: Operate> Call<'_, O> {
    /// One that only asks.
    pub(crate) fn get(operation: O, url: Url) -> Self {
        Call { operation, method: Method::GET, url, body: None, if_match: None, writes_to: None }
    }

    fn ask(&self) -> Ask<'_> {
        Ask { units: self.operation.units(), writes_to: self.writes_to }
    }
}

/// A call that failed; the status if the provider answered at all.
struct Failed {
    status: Option<u16>,
    error: ProviderError,
}

impl From<ProviderError> for Failed {
    fn from(error: ProviderError) -> Failed {
        Failed { status: None, error }
    }
}

impl<R: Remote> Transport<R> {
    pub(crate) fn new(remote: Arc<R>, budget: AccountBudget, tokens: Tokens) -> Transport<R> {
        Transport { remote, budget, tokens, refused: Mutex::default() }
    }

    /// Makes the call, within its bounds.
    pub(crate) async fn run(&self, call: &Call<'_, R::Operation>) -> Result<Reply, ProviderError> {
        let mut tries = Tries::default();
        let mut token = self.tokens.get(self.remote.as_ref(), None).await?;
        loop {
            let failed = match self.once(call, &token).await {
                Ok(reply) => {
                    *self.refused_tokens() = RefusedTokens::default();
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            match tries.next(call.operation, call.if_match.is_some(), &failed) {
                Next::GiveUp if tries.new_token && failed.status == Some(401) => {
                    return Err(self.refused_twice(&token, failed.error));
                }
                Next::GiveUp => return Err(failed.error),
                Next::NewToken => token = self.tokens.get(self.remote.as_ref(), Some(&token)).await?,
                Next::Again => {
                    let asked = failed.error.retry_after.and_then(|wait| Duration::try_from(wait).ok());
                    let jitter = self.remote.edge().ids.below(retry::JITTER_MS);
                    tokio::time::sleep(retry::backoff(tries.made + 1, jitter).max(asked.unwrap_or_default()))
                        .await;
                    token = self.tokens.get(self.remote.as_ref(), None).await?;
                }
            }
        }
    }

    /// A token bought a moment ago was refused as well. A grant that is dead says so when a token is bought, so this is
    /// more likely the provider's passing trouble: only when it happens to token after token must the person come back.
    fn refused_twice(&self, token: &Secret, error: ProviderError) -> ProviderError {
        let mut refused = self.refused_tokens();
        if refused.0.len() < REFUSED_FRESH_MAX && !refused.0.contains(token) {
            refused.0.push(token.clone());
        }
        if refused.0.len() >= REFUSED_FRESH_MAX || error.class != ErrorClass::Unauthorized {
            return error;
        }
        ProviderError { class: ErrorClass::Transient, ..error }
    }

    fn refused_tokens(&self) -> MutexGuard<'_, RefusedTokens> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn once(&self, call: &Call<'_, R::Operation>, token: &Secret) -> Result<Reply, Failed> {
        let edge = self.remote.edge();
        let _under_way = self.enter(call).await?;
        let request = edge.http.request(call.method.clone(), call.url.clone()).bearer_auth(token.expose());
        let mut request = self.remote.dress(request);
        if let Some(version) = call.if_match {
            request = request.header(IF_MATCH, version);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let under_way = UnderWay::begin(edge, call.operation);
        let sent = edge.send(call.operation.name(), request, call.operation.effect()).await;
        let result = match sent {
            Ok(reply) if reply.is_success() || call.operation.is_answered_by(reply.status, &reply.body) => {
                Ok(reply)
            }
            Ok(reply) => Err(self.refused(call, &reply)),
            Err(error) => Err(Failed::from(error)),
        };
        under_way.ended(result.as_ref().err().map(|failed| failed.error.class));
        result
    }

    /// Waits for leave to call.
    async fn enter(&self, call: &Call<'_, R::Operation>) -> Result<SemaphorePermit<'_>, ProviderError> {
        let edge = self.remote.edge();
        let asked = Instant::now();
        let entered = self.budget.enter(call.ask()).await;
        let waited = asked.elapsed();
        match &entered {
            Ok(_) if waited < WAIT_COUNTED => {}
            Ok(_) => edge.recorder.held_back(edge.provider, waited, HeldBack::Waited),
            Err(_) => edge.recorder.held_back(edge.provider, waited, HeldBack::SentBack),
        }
        entered
    }

    fn refused(&self, call: &Call<'_, R::Operation>, reply: &Reply) -> Failed {
        let refused = self.remote.read_refusal(call.operation, reply);
        if let Some(throttled) = refused.throttled {
            let asked = refused.error.retry_after.and_then(|wait| Duration::try_from(wait).ok());
            let pause = asked.unwrap_or(PAUSE);
            // Only a write shows that writing is paused. What is not one is held up for a moment: an hour without a
            // reading, because one channel too many was asked for, would hurt more than it spares.
            let (throttled, pause) = match throttled {
                Throttled::Writes if call.writes_to.is_none() => (Throttled::User, pause.min(READ_PAUSE_MAX)),
                other => (other, pause),
            };
            self.budget.refused(throttled, call.ask(), pause);
        }
        Failed { status: Some(refused.status), error: refused.error }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Tell the engine.
    GiveUp,
    /// Once more with a new token, at once.
    NewToken,
    /// Once more after a wait.
    Again,
}

/// What was tried so far.
#[derive(Default)]
struct Tries {
    made: u32,
    new_token: bool,
    unexplained: bool,
}

impl Tries {
    fn next(&mut self, operation: impl Operate, guarded: bool, failed: &Failed) -> Next {
        let class = failed.error.class;
        if failed.status == Some(401) && class == ErrorClass::Unauthorized && !self.new_token {
            self.new_token = true;
            return Next::NewToken;
        }
        self.made += 1;
        if failed.status == Some(412) && !guarded && !self.unexplained {
            self.unexplained = true;
            return Next::Again;
        }
        let too_long = failed.error.retry_after.is_some_and(|wait| !retry::is_short(wait));
        if self.made >= retry::TRIES || too_long {
            return Next::GiveUp;
        }
        if operation.may_repeat(class) { Next::Again } else { Next::GiveUp }
    }
}

#[cfg(test)]
mod tests;
