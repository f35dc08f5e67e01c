//! `GET /google….html`: Google's verification file, if one is stored. Public and cheap: a name that is none costs nothing,
//! and the database is asked at most once per `VERIFICATION_LIFE`, however often somebody asks here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use calsync_core::ports::Store;

use super::error::ApiError;
use crate::cache::Fresh;
use crate::service::Service;
use crate::verification::{self, File};

/// How long an instance goes by what it saw in the database last.
pub const VERIFICATION_LIFE: Duration = Duration::from_secs(3);
/// A database that does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Seconds after which one may ask again when it did not.
const RETRY_AFTER: u64 = 5;

/// What was in the database last.
#[derive(Clone, Debug)]
enum Seen {
    Silent,
    Nothing,
    File(File),
}

/// What was seen last.
#[derive(Debug)]
pub struct Shelf(Fresh<Seen>);

impl Shelf {
    /// Nothing was seen yet.
    pub fn new() -> Shelf {
        Shelf(Fresh::new(VERIFICATION_LIFE))
    }
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf::new()
    }
}

/// Answers whatever stands at the top and has no route of its own: with the file, or with nothing, whatever the method.
pub(super) async fn file(
    State(service): State<Arc<Service>>,
    method: Method,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    if !verification::is_name(&name) || !matches!(method, Method::GET | Method::HEAD) {
        return Err(ApiError::not_found());
    }
    match service.shelf.0.get(look(service.store.clone())).await.unwrap_or(Seen::Silent) {
        Seen::File(file) if file.name() == name => {
            Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], file.content().to_owned())
                .into_response())
        }
        Seen::File(_) | Seen::Nothing => Err(ApiError::not_found()),
        Seen::Silent => Err(ApiError::unavailable("this cannot be looked up just now", RETRY_AFTER)),
    }
}

async fn look(store: Arc<dyn Store>) -> Seen {
    match tokio::time::timeout(PATIENCE, verification::stored(store.as_ref())).await {
        Ok(Ok(Some(file))) => Seen::File(file),
        Ok(Ok(None)) => Seen::Nothing,
        Ok(Err(_)) | Err(_) => Seen::Silent,
    }
}
