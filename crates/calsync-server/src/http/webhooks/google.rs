//! `POST /webhooks/google/{calendar}/`: Google Calendar push. One notification a request, all in its headers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_engine::{Accepted, Refusal};
use calsync_providers::google::notification;

use super::{Receipt, Refused, answered_by, in_time, named, not_stored, refuse};
use crate::http::{ApiError, ClientAddr, capped};
use crate::metrics::Outcome;
use crate::service::Service;

/// Answers it.
pub(super) async fn take(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<ClientAddr>,
    calendar: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let calendar = named(&calendar);
    match receive(&service, calendar, &headers, body).await {
        Ok(outcome) => (Extension(outcome), StatusCode::OK).into_response(),
        Err(refused) => refuse(&service, client, calendar, refused).await.into_response(),
    }
}

async fn receive(
    service: &Service,
    calendar: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Outcome, Refused> {
    let mut receipt = Receipt::begins();
    let body = capped(headers, body, service.settings.webhooks.max_body_bytes).await?;
    let named = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let claim = notification::parse(named, body.len()).map_err(|refusal| {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        ApiError::new(status, refusal.code(), refusal.to_string())
    })?;
    // Something that is no id of ours names nothing that exists.
    let calendar: CalendarId = calendar.parse().map_err(|_| ApiError::not_found())?;
    let judged = service.engine.accept_notification(ProviderKind::Google, calendar, claim);
    match in_time(answered_by(), judged).await {
        Ok(accepted) => {
            if accepted != Accepted::Duplicate {
                service.wake();
            }
            receipt.take(accepted);
            receipt.tell(ProviderKind::Google, calendar);
            Ok(receipt.outcome())
        }
        Err(Refusal::Unknown) => Err(ApiError::not_found().into()),
        Err(Refusal::Distrusted(why)) => {
            Err(Refused { error: ApiError::forbidden(), why: Some(why.to_string()) })
        }
        Err(Refusal::Store(error)) => Err(not_stored(&error).into()),
    }
}
