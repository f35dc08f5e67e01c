//! `GET /webhooks/health/`: public and cheap. It names nobody and counts nothing that tells an outsider about users. The
//! database is asked at most once per `LIFE`, however often somebody asks here.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use calsync_core::ports::Store;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::Serialize;

use crate::cache::{Fresh, share_figure, shared_figure};
use crate::redis::Link;
use crate::service::Service;

/// A database that does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How old an answer may be, in this process and again between instances.
const LIFE: Duration = Duration::from_secs(1);
/// Notifications older than this should have been served (spec §8).
const BACKLOG_AGE: SignedDuration = SignedDuration::from_mins(5);
/// So many of them are degraded, more are critical (spec §8).
const BACKLOG_DEGRADED: u64 = 5;
const BACKLOG_CRITICAL: u64 = 20;
/// The backlog's name between instances.
const BACKLOG: &str = "backlog";

/// What the database says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Database {
    Silent,
    /// It answers, and so many notifications are waiting for too long.
    Answers {
        backlog: u64,
    },
}

/// What an outsider may know.
#[derive(PartialEq, Eq, Debug, Serialize)]
struct Public {
    status: &'static str,
    checks: Checks,
}

#[derive(PartialEq, Eq, Debug, Serialize)]
struct Checks {
    database: &'static str,
    processing: &'static str,
    /// Only where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
}

/// What was seen last.
#[derive(Debug)]
pub struct Vitals(Fresh<Database>);

impl Vitals {
    /// Nothing was seen yet.
    pub fn new() -> Vitals {
        Vitals(Fresh::new(LIFE))
    }
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals::new()
    }
}

/// Answers.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    let before = service.clock.now().minus(BACKLOG_AGE);
    let looking = look(service.store.clone(), service.redis.clone(), before);
    let database = service.vitals.0.get(looking).await.unwrap_or(Database::Silent);
    let public = judge(database, service.redis.as_ref().map(|redis| redis.is_up()));
    let critical = public.status == "critical";
    let code = if critical { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(public)).into_response()
}

/// Whether the database answers is each instance's own to find out; the backlog is the same for all of them.
async fn look(store: Arc<dyn Store>, redis: Option<Arc<Link>>, before: Ts) -> Database {
    let asked = async {
        let Some(redis) = redis else { return store.backlog(before).await };
        store.ping().await?;
        if let Some(backlog) = shared_figure(&redis, BACKLOG).await {
            return Ok(backlog);
        }
        let backlog = store.backlog(before).await?;
        share_figure(&redis, BACKLOG, backlog, LIFE).await;
        Ok(backlog)
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(backlog)) => Database::Answers { backlog },
        Ok(Err(_)) | Err(_) => Database::Silent,
    }
}

/// The table of spec §8, as far as it is public. `cache`: whether Redis answers, where one is configured.
fn judge(database: Database, cache: Option<bool>) -> Public {
    let (database, processing) = match database {
        Database::Silent => ("critical", "unknown"),
        Database::Answers { backlog } if backlog > BACKLOG_CRITICAL => ("healthy", "critical"),
        Database::Answers { backlog } if backlog > BACKLOG_DEGRADED => ("healthy", "degraded"),
        Database::Answers { .. } => ("healthy", "healthy"),
    };
    let cache = cache.map(|answers| if answers { "healthy" } else { "degraded" });
    let all = [Some(database), Some(processing), cache];
    let has = |level| all.contains(&Some(level));
    let status = ["critical", "degraded"].into_iter().find(|level| has(level)).unwrap_or("healthy");
    Public { status, checks: Checks { database, processing, cache } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_is_the_status() {
        let waiting = |backlog| Database::Answers { backlog };
        for (database, cache, status, checks) in [
            (waiting(0), None, "healthy", ("healthy", "healthy", None)),
            (waiting(5), Some(true), "healthy", ("healthy", "healthy", Some("healthy"))),
            (waiting(0), Some(false), "degraded", ("healthy", "healthy", Some("degraded"))),
            (waiting(6), Some(true), "degraded", ("healthy", "degraded", Some("healthy"))),
            (waiting(20), None, "degraded", ("healthy", "degraded", None)),
            (waiting(21), Some(false), "critical", ("healthy", "critical", Some("degraded"))),
            (Database::Silent, Some(true), "critical", ("critical", "unknown", Some("healthy"))),
            (Database::Silent, None, "critical", ("critical", "unknown", None)),
        ] {
            let (d, processing, c) = checks;
            let expected = Public { status, checks: Checks { database: d, processing, cache: c } };
            assert_eq!(judge(database, cache), expected, "{database:?} {cache:?}");
        }
    }
}
