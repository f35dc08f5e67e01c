//! Receipt over HTTP: cap the body, let the provider's parser read the claim, hand it to the engine, and answer only
//! when it is on disk. The order of checks and the status codes are those of spec §3.

mod google;
mod microsoft;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::ports::StoreError;
use calsync_engine::{Accepted, Refusal};
use tokio::time::{Instant, timeout_at};

use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::metrics::{self, GOOGLE, METRICS_PATH, MICROSOFT};
use super::{Verdict, health, monitoring, verification};
use crate::api;
use crate::metrics::Outcome;
use crate::service::Service;
use crate::telemetry::{Few, NAMED};
use crate::web;

/// Seconds after which a provider may try again when its delivery could not be stored here.
const RETRY_AFTER_STORE: u64 = 5;

/// A provider has its answer within this time: Microsoft counts whatever takes longer than three seconds as lost. While the database
/// hangs or is locked, that is a 503. What waits in its queue by then may still be stored, and then its next delivery is a duplicate.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_500);

/// The routes that need the service.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route(GOOGLE, post(google::take))
        .route(MICROSOFT, post(microsoft::take).get(microsoft::shake_hands))
        .route("/{file}", any(verification::file))
        .merge(watched(&service))
        .merge(api::routes())
        .merge(web::pages(&service))
        .with_state(service)
}

/// The routes of an instance that takes no notifications. One that strays here is to be sent again, not given up: the
/// next try may find another instance.
pub fn probes(service: Arc<Service>) -> Router {
    Router::new()
        .route(GOOGLE, post(elsewhere))
        .route(MICROSOFT, post(elsewhere))
        .merge(watched(&service))
        .with_state(service)
}

/// How well it is: asked of every instance, whatever its roles.
fn watched(service: &Arc<Service>) -> Router<Arc<Service>> {
    let for_staff = Router::new()
        .route("/webhooks/monitoring/health", get(monitoring::health))
        .route("/webhooks/monitoring/dashboard", get(monitoring::dashboard))
        .route_layer(from_fn_with_state(service.clone(), monitoring::guard_for_staff));
    let for_programs = Router::new()
        .route(METRICS_PATH, get(metrics::page))
        .route_layer(from_fn_with_state(service.clone(), monitoring::guard));
    Router::new()
        .route("/webhooks/health", get(health::health))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route(api::DOCUMENT_PATH, get(api::document))
        .merge(for_staff)
        .merge(for_programs)
}

async fn elsewhere() -> ApiError {
    ApiError::unavailable("this instance takes no notifications", RETRY_AFTER_STORE)
}

/// A path that is no text comes to the checks like any other: it names nothing, and is told so in its turn.
fn named(calendar: &Result<Path<String>, PathRejection>) -> &str {
    calendar.as_ref().map_or("", |path| path.as_str())
}

/// Until when a delivery that has arrived is answered. A body that came slowly is not held against it.
fn answered_by() -> Instant {
    Instant::now() + ANSWERED_WITHIN
}

/// What the store says of a delivery, if it says it while the provider waits.
async fn in_time<T>(until: Instant, judged: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let late = |_| Refusal::Store(StoreError::Unavailable("it took too long to store it".to_owned()));
    timeout_at(until, judged).await.map_err(late)?
}

fn not_stored(error: &StoreError) -> ApiError {
    tracing::error!(%error, "a notification could not be stored; its provider is asked to try again");
    ApiError::unavailable("the notification could not be stored", RETRY_AFTER_STORE)
}

/// What one request brought, for its line in the log.
struct Receipt {
    began: Instant,
    /// The names of the first, under which what becomes of them is logged.
    named: Vec<NotificationId>,
    stored: usize,
    duplicates: usize,
}

impl Receipt {
    fn begins() -> Receipt {
        Receipt { began: Instant::now(), named: Vec::new(), stored: 0, duplicates: 0 }
    }

    fn take(&mut self, accepted: Accepted) {
        match accepted {
            Accepted::Duplicate => self.duplicates += 1,
            Accepted::Stored(id) => {
                self.stored += 1;
                // One more than are named shows that there are more.
                if self.named.len() <= NAMED {
                    self.named.push(id);
                }
            }
        }
    }

    /// What it came to, for whoever counts.
    fn outcome(&self) -> Outcome {
        if self.stored == 0 && self.duplicates > 0 { Outcome::Duplicate } else { Outcome::Accepted }
    }

    /// One line a request, whatever it holds. What only comes again is a detail.
    fn tell(&self, provider: ProviderKind, calendar: CalendarId) {
        let (provider, notifications) = (provider.as_str(), Few(&self.named));
        let (stored, duplicates) = (self.stored, self.duplicates);
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if stored > 0 {
            tracing::info!(provider, %calendar, %notifications, stored, duplicates, ms, "received");
        } else if duplicates > 0 {
            tracing::debug!(provider, %calendar, duplicates, ms, "received again");
        }
    }
}

/// A request that is refused: the answer, which tells a stranger nothing, and the reason, which is for the log.
struct Refused {
    error: ApiError,
    why: Option<String>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused { error, why: None }
    }
}

/// Only who fails authentication is counted: providers send from few addresses (spec §3). Whoever goes on beyond the limit
/// fills no log either.
async fn refuse(service: &Service, client: ClientAddr, calendar: &str, refused: Refused) -> ApiError {
    let Refused { error, why } = refused;
    let (status, client_address) = (error.status(), client.0);
    // What is no id of ours may be any text.
    let calendar = calendar.parse::<CalendarId>().ok().map(tracing::field::display);
    let counted = matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
    let verdict =
        if counted { service.limiter.failed(client, service.clock.now()).await } else { Verdict::Pass };
    let status = status.as_u16();
    match (verdict, why) {
        // What could not be done here has been told where it failed.
        (Verdict::Pass, None) if error.status().is_server_error() => error,
        (Verdict::Pass, Some(why)) => {
            tracing::warn!(calendar, client = %client_address, status, why, "a notification was refused");
            error
        }
        (Verdict::Pass, None) => {
            tracing::debug!(calendar, client = %client_address, status, "a request was refused");
            error
        }
        (Verdict::Refuse { retry_after }, why) => {
            tracing::debug!(calendar, client = %client_address, status, why, "one of too many requests was refused");
            ApiError::rate_limited(retry_after)
        }
    }
}
