//! The servers on loopback that are delivered to: the service itself, and one that stores nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use calsync_core::block::Identity;
use calsync_core::ports::Store;
use calsync_store::SqlStore;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::failed;
use crate::cli::exit::Failure;
use crate::config::{self, Sources};
use crate::http::{self, Edge};
use crate::secrets::{Keyring, SealingKey};
use crate::service::Service;
use crate::system::SystemRandom;

/// A server that runs.
pub(in crate::cli::bench) struct Running {
    /// Where.
    pub(in crate::cli::bench) address: SocketAddr,
    store: Option<Arc<SqlStore>>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

/// Whether requests are counted for `/metrics`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::bench) enum Metrics {
    /// As `serve` does it.
    Counted,
    /// Only to see what counting costs.
    Uncounted,
}

/// The service on this database; its workers rest.
pub(in crate::cli::bench) async fn service(store: SqlStore, metrics: Metrics) -> Result<Running, Failure> {
    let store = Arc::new(store);
    let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
    let settings = config::load(&Sources::new(None, []))?.settings;
    let edge = Edge::new(&settings.server);
    let grace = settings.server.shutdown;
    let identity = Identity::new([1; 32]);
    let service = Service::new(settings, store.clone(), identity, ring, Arc::new(|_| ()))?;
    let edge = match metrics {
        Metrics::Counted => edge.counted_by(service.metrics.clone()),
        Metrics::Uncounted => edge,
    };
    let app = http::app(edge, http::routes(service));
    let (listener, address) = listen().await?;
    let stop = CancellationToken::new();
    let until = stop.clone().cancelled_owned();
    let server = tokio::spawn(http::serve(listener, app, until, grace));
    Ok(Running { address, store: Some(store), stop, server })
}

/// A web server of the same make that stores nothing: what HTTP alone costs.
pub(in crate::cli::bench) async fn ceiling() -> Result<Running, Failure> {
    let app = Router::new()
        .route("/webhooks/google/{calendar}/", post(|| async { StatusCode::OK }))
        .route("/webhooks/microsoft/{calendar}/", post(|| async { StatusCode::ACCEPTED }));
    let (listener, address) = listen().await?;
    let stop = CancellationToken::new();
    let until = stop.clone().cancelled_owned();
    let server = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(until).await });
    Ok(Running { address, store: None, stop, server })
}

impl Running {
    /// Rows of notifications in its database, counted one by one.
    pub(in crate::cli::bench) async fn stored(&self) -> Result<u64, Failure> {
        match &self.store {
            Some(store) => Ok(store.count_notifications().await?),
            None => Ok(0),
        }
    }

    /// Stops it and closes its database.
    pub(in crate::cli::bench) async fn stop(self) {
        self.stop.cancel();
        let _ = self.server.await;
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
