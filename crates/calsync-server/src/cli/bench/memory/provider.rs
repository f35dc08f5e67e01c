//! A stand-in for the provider: hands out access tokens, and tells in every listing that one event changed, which is shown
//! as free and so makes no block. It keeps nothing.

use std::net::SocketAddr;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use calsync_core::ports::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::failed;
use crate::cli::exit::Failure;
use crate::system::SystemClock;

/// It runs as long as this lives.
pub(super) struct Provider {
    pub(super) address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts it.
pub(super) async fn start() -> Result<Provider, Failure> {
    let app = Router::new()
        .route("/token", post(token))
        .route("/calendar/v3/calendars/{calendar}/events", get(events))
        .route("/calendar/v3/users/me/calendarList", get(calendars));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Provider { address, server })
}

async fn token() -> Json<Value> {
    Json(json!({"access_token": "a".repeat(200), "expires_in": 3599, "token_type": "Bearer"}))
}

async fn events(Path(_): Path<String>) -> Json<Value> {
    let now = SystemClock.now();
    let day = now.floor_day().plus(jiff::SignedDuration::from_hours(36));
    Json(json!({
        "kind": "calendar#events",
        "accessRole": "owner",
        "timeZone": "Europe/Vienna",
        "nextSyncToken": format!("token-{}", now.micros()),
        "items": [{
            "kind": "calendar#event",
            "id": "changes-all-the-time",
            "etag": format!("\"{}\"", now.micros()),
            "status": "confirmed",
            "updated": now.to_string(),
            "transparency": "transparent",
            "iCalUID": "changes-all-the-time@example.com",
            "start": {"dateTime": day.to_string()},
            "end": {"dateTime": day.plus(jiff::SignedDuration::from_hours(1)).to_string()},
        }],
    }))
}

async fn calendars() -> Json<Value> {
    Json(json!({"kind": "calendar#calendarList", "items": [], "nextSyncToken": "t"}))
}
