//! One call of the Calendar API: budget, token, exchange, classification, and the few repetitions that cannot hurt.
//!
//! Repeated here: reads that failed for a moment; an insert under an id of ours, which the id makes harmless; an
//! unexplained 412 without any `If-Match` once (google.md §5); any call once with a new token after a 401, which means
//! that nothing was done. Everything else is the engine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::secret::Secret;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use tokio::time::Instant;
use url::Url;

use super::Google;
use super::error::{Operation, classify};
use crate::budget::{AccountBudget, Ask, Throttled};
use crate::retry;
use crate::tokens::Tokens;
use crate::wire::Reply;

/// Calls in a row whose fresh token is refused, from which the connection counts as dead.
const REFUSED_FRESH_MAX: u32 = 4;
/// The pause after a refusal that names none.
const PAUSE: Duration = Duration::from_secs(2);

/// The longest pause of reading that a used-up quota leads to.
const READ_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The way of one account's calls to Google.
pub(super) struct Transport {
    pub(super) google: Arc<Google>,
    pub(super) budget: AccountBudget,
    pub(super) tokens: Tokens,
    refused_fresh: AtomicU32,
}

/// A call to be made.
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) if_match: Option<&'a str>,
    /// The calendar it writes to.
    pub(super) writes_to: Option<&'a str>,
}

impl Call<'_> {
    fn ask(&self) -> Ask<'_> {
        Ask { units: self.operation.units(), writes_to: self.writes_to }
    }
}

/// A call that failed; the status if Google answered at all.
struct Failed {
    status: Option<u16>,
    error: ProviderError,
}

impl From<ProviderError> for Failed {
    fn from(error: ProviderError) -> Failed {
        Failed { status: None, error }
    }
}

impl Transport {
    pub(super) fn new(google: Arc<Google>, budget: AccountBudget, tokens: Tokens) -> Transport {
        Transport { google, budget, tokens, refused_fresh: AtomicU32::new(0) }
    }

    /// Makes the call, within its bounds.
    pub(super) async fn run(&self, call: &Call<'_>) -> Result<Reply, ProviderError> {
        let mut tries = Tries::default();
        let mut token = self.tokens.get(self.google.as_ref(), None).await?;
        loop {
            let failed = match self.once(call, &token).await {
                Ok(reply) => {
                    self.refused_fresh.store(0, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            match tries.next(call.operation, call.if_match.is_some(), &failed) {
                Next::GiveUp if tries.new_token && failed.status == Some(401) => {
                    return Err(self.refused_twice(failed.error));
                }
                Next::GiveUp => return Err(failed.error),
                Next::NewToken => token = self.tokens.get(self.google.as_ref(), Some(&token)).await?,
                Next::Again => {
                    let asked = failed.error.retry_after.and_then(|wait| Duration::try_from(wait).ok());
                    let jitter = self.google.ids.below(retry::JITTER_MS);
                    tokio::time::sleep(retry::backoff(tries.made + 1, jitter).max(asked.unwrap_or_default()))
                        .await;
                    token = self.tokens.get(self.google.as_ref(), None).await?;
                }
            }
        }
    }

    /// A token bought a moment ago was refused as well. A grant that is dead says so when a token is bought, so this is
    /// more likely Google's passing trouble: only when it happens call after call must the person come back.
    fn refused_twice(&self, error: ProviderError) -> ProviderError {
        if self.refused_fresh.fetch_add(1, Ordering::Relaxed) + 1 >= REFUSED_FRESH_MAX {
            return error;
        }
        ProviderError { class: ErrorClass::Transient, ..error }
    }

    async fn once(&self, call: &Call<'_>, token: &Secret) -> Result<Reply, Failed> {
        let _under_way = self.budget.enter(call.ask()).await?;
        let google = &self.google;
        let mut request =
            google.http.request(call.method.clone(), call.url.clone()).bearer_auth(token.expose());
        if let Some(version) = call.if_match {
            request = request.header(IF_MATCH, version);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let started = Instant::now();
        let sent = google.send(call.operation.as_str(), request, call.operation.effect()).await;
        let result = match sent {
            Ok(reply) if reply.is_success() || call.operation.is_answered_by(reply.status) => Ok(reply),
            Ok(reply) => Err(self.refused(call, &reply)),
            Err(error) => Err(Failed::from(error)),
        };
        google.record(
            started,
            call.operation.units(),
            result.as_ref().err().map(|failed| failed.error.class),
        );
        result
    }

    fn refused(&self, call: &Call<'_>, reply: &Reply) -> Failed {
        let header = reply.header("retry-after");
        let refused = classify(call.operation, reply.status, &reply.body, header, self.google.clock.now());
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
    fn next(&mut self, operation: Operation, guarded: bool, failed: &Failed) -> Next {
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
        let harmless = match operation {
            Operation::ListCalendars | Operation::ListEvents | Operation::GetEvent | Operation::UserInfo => {
                class == ErrorClass::Transient
            }
            // Never without an id of ours: see `write`.
            Operation::InsertEvent => matches!(class, ErrorClass::Transient | ErrorClass::Ambiguous),
            Operation::UpdateEvent | Operation::DeleteEvent | Operation::Watch | Operation::Stop => false,
        };
        if harmless { Next::Again } else { Next::GiveUp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    /// How one try failed: the status, if there was an answer, and the class.
    type Failure = (Option<u16>, ErrorClass);

    fn decide(operation: Operation, guarded: bool, failures: &[Failure]) -> Vec<Next> {
        let mut tries = Tries::default();
        let failed = |&(status, class)| Failed { status, error: ProviderError::new(class, "") };
        failures.iter().map(|f| tries.next(operation, guarded, &failed(f))).collect()
    }

    #[test]
    fn only_what_cannot_hurt_is_repeated() {
        use ErrorClass as C;
        use Next::{Again, GiveUp, NewToken};
        use Operation as O;
        let lost = (None, C::Ambiguous);
        let down = (Some(503), C::Transient);
        let old = (Some(401), C::Unauthorized);
        let table: [(O, bool, &[Failure], &[Next]); 13] = [
            (O::ListEvents, false, &[down, down, down], &[Again, Again, GiveUp]),
            (O::GetEvent, false, &[(None, C::Transient)], &[Again]),
            (O::InsertEvent, false, &[lost, lost, lost], &[Again, Again, GiveUp]),
            (O::InsertEvent, false, &[lost, (Some(409), C::Exists)], &[Again, GiveUp]),
            (O::UpdateEvent, true, &[(Some(500), C::Ambiguous)], &[GiveUp]),
            (O::DeleteEvent, true, &[lost], &[GiveUp]),
            (O::Watch, false, &[lost], &[GiveUp]),
            (O::ListEvents, false, &[old, old], &[NewToken, GiveUp]),
            (O::ListEvents, false, &[old, down, down, down], &[NewToken, Again, Again, GiveUp]),
            (O::ListEvents, false, &[(Some(403), C::Unauthorized)], &[GiveUp]),
            (O::InsertEvent, false, &[(Some(412), C::Conflict), (Some(412), C::Conflict)], &[Again, GiveUp]),
            (O::UpdateEvent, true, &[(Some(412), C::Conflict)], &[GiveUp]),
            (O::ListEvents, false, &[(Some(429), C::RateLimited)], &[GiveUp]),
        ];
        for (operation, guarded, failures, expected) in table {
            assert_eq!(decide(operation, guarded, failures), expected, "{operation:?} {failures:?}");
        }
        let error = ProviderError {
            retry_after: Some(SignedDuration::from_secs(60)),
            ..ProviderError::new(C::Transient, "")
        };
        let long = Failed { status: Some(503), error };
        assert_eq!(Tries::default().next(O::ListEvents, false, &long), GiveUp, "a long wait is the engine's");
    }
}
