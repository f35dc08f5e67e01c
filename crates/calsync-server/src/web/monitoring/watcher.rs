//! Who may look at how the system is: the staff. While the database is away nobody can be looked up there; then whoever it
//! confirmed a moment ago in this process may go on looking, and look only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use calsync_core::sign_in::TokenHash;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use tokio::time::timeout;

use super::super::origin::Origin;
use super::super::session::{Signed, key, not_signed_in, not_staff};
use crate::http::ApiError;
use crate::service::Service;

/// For so long the last confirmation is taken for an answer.
const TRUSTED: SignedDuration = SignedDuration::from_mins(15);
/// Browsers that are remembered.
const WATCHERS_MAX: usize = 100;
/// A database that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who of the staff looked lately, and when the database said so.
#[derive(Debug, Default)]
pub struct Watchers(Mutex<BTreeMap<TokenHash, (Ts, Signed)>>);

impl Watchers {
    fn note(&self, key: TokenHash, found: Option<&Signed>, now: Ts) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| is_recent(*at, now));
        known.remove(&key);
        if let Some(signed) = found.filter(|signed| signed.user.is_staff)
            && known.len() < WATCHERS_MAX
        {
            // What was to be said was said then.
            known.insert(key, (now, Signed { notice: None, ..signed.clone() }));
        }
    }

    /// Its session is over.
    pub(in crate::web) fn forget(&self, key: &TokenHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn known(&self, key: &TokenHash, now: Ts) -> Option<Signed> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(at, _)| is_recent(*at, now)).map(|(_, signed)| signed.clone())
    }
}

fn is_recent(at: Ts, now: Ts) -> bool {
    (SignedDuration::ZERO..TRUSTED).contains(&now.since(at))
}

/// Somebody of the staff who looks, and changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Watcher(pub(crate) Signed);

impl Watcher {
    /// Who is signed in, of the staff or not; nobody, where no session of ours can be shown at all.
    pub(crate) async fn asked(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Option<Watcher>, ApiError> {
        let Ok(origin) = Origin::from_request_parts(parts, service).await else { return Ok(None) };
        Ok(Watcher::of(parts, &origin, service).await?.map(Watcher))
    }

    async fn of(parts: &Parts, origin: &Origin, service: &Service) -> Result<Option<Signed>, ApiError> {
        let Some(key) = key(&parts.headers, origin) else { return Ok(None) };
        let away = match timeout(PATIENCE, Signed::of(&parts.headers, origin, service)).await {
            Ok(Ok(found)) => {
                service.watchers.note(key, found.as_ref(), service.clock.now());
                return Ok(found);
            }
            Ok(Err(error)) if error.status() != StatusCode::SERVICE_UNAVAILABLE => return Err(error),
            Ok(Err(error)) => error,
            Err(_) => ApiError::unavailable("the database does not answer just now", 5),
        };
        service.watchers.known(&key, service.clock.now()).map(Some).ok_or(away)
    }
}

impl FromRequestParts<Arc<Service>> for Watcher {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Watcher, Response> {
        let origin = Origin::from_request_parts(parts, service).await.map_err(IntoResponse::into_response)?;
        let found = Watcher::of(parts, &origin, service).await.map_err(IntoResponse::into_response)?;
        match found {
            None => Err(not_signed_in(parts)),
            Some(signed) if signed.user.is_staff => Ok(Watcher(signed)),
            Some(_) => Err(not_staff().into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use calsync_core::calendar::User;
    use calsync_core::ids::UserId;
    use calsync_core::secret::Secret;
    use calsync_core::sign_in::Session;

    use super::*;

    fn signed(n: u32, is_staff: bool) -> (TokenHash, Signed) {
        let (key, at) = (TokenHash::of(&Secret::new(n.to_string())), Ts::from_secs(0));
        let user = User {
            id: UserId(uuid::Uuid::nil()),
            email: "ada@example.com".to_owned(),
            is_staff,
            created_at: at,
        };
        let session = Session { key, user: user.id, device: String::new(), created_at: at, seen_at: at };
        (key, Signed { user, session, notice: None })
    }

    #[test]
    fn only_staff_that_was_confirmed_a_moment_ago_is_known() {
        let watchers = Watchers::default();
        let at = |minutes: i64| Ts::from_secs(1_000_000 + 60 * minutes);
        let ((ada, staff), (grace, person)) = (signed(1, true), signed(2, false));
        watchers.note(ada, Some(&staff), at(0));
        watchers.note(grace, Some(&person), at(0));
        assert!(watchers.known(&ada, at(14)).is_some() && watchers.known(&grace, at(0)).is_none());
        assert!(watchers.known(&ada, at(15)).is_none(), "it was long ago");
        assert!(watchers.known(&ada, at(-1)).is_none(), "a clock was wrong");
        watchers.note(ada, None, at(1));
        assert!(watchers.known(&ada, at(1)).is_none(), "the session is over");
    }

    #[test]
    fn few_are_remembered() {
        let watchers = Watchers::default();
        for n in 0..200 {
            let (key, staff) = signed(n, true);
            watchers.note(key, Some(&staff), Ts::from_secs(0));
        }
        assert_eq!(watchers.0.lock().unwrap().len(), WATCHERS_MAX);
    }
}
