//! The test bed: a directory with a database of a thousand subscriptions, copied for each measurement, and servers on
//! loopback in front of it. Everything is removed at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use calsync_core::block::Identity;
use calsync_core::ports::{Clock, Store};
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;
use calsync_store::{Migrate, SqlStore};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::failed;
use super::super::load::Sender;
use super::super::people;
use crate::cli::exit::Failure;
use crate::config::{self, Sources};
use crate::http::{self, Edge};
use crate::secrets::{Keyring, SealingKey};
use crate::service::Service;
use crate::system::{SystemClock, SystemRandom};

/// Subscriptions that deliver.
const SUBSCRIPTIONS: u32 = 1_000;

/// The test bed.
pub(super) struct Bed {
    /// Who delivers.
    pub(super) senders: Arc<Vec<Sender>>,
    /// Rows that a notification belongs to, in the order of the senders.
    pub(super) subscriptions: Vec<Subscription>,
    directory: tempfile::TempDir,
}

/// A server that runs.
pub(super) struct Running {
    /// Where.
    pub(super) address: SocketAddr,
    /// Its database.
    pub(super) file: PathBuf,
    store: Option<Arc<dyn Store>>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Bed {
    /// Makes the database that all measurements begin with.
    pub(super) async fn make() -> Result<Bed, Failure> {
        let directory = tempfile::tempdir().map_err(failed)?;
        let store = open(&directory.path().join("first.db")).await?;
        let now = SystemClock.now();
        let calendars = people::one_with(SUBSCRIPTIONS, &store, now).await?;
        let (mut senders, mut subscriptions) = (Vec::new(), Vec::new());
        for calendar in calendars {
            let (subscription, sender) = people::channel(calendar, now);
            store.begin_subscription(&subscription, None).await?;
            senders.push(sender);
            subscriptions.push(subscription);
        }
        store.close().await;
        Ok(Bed { senders: Arc::new(senders), subscriptions, directory })
    }

    /// A file in the bed's directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A copy of the first database, opened as the service opens its own.
    pub(super) async fn database(&self) -> Result<(PathBuf, SqlStore), Failure> {
        let file = self.path("measured.db");
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.path(&format!("measured.db{ending}")));
        }
        std::fs::copy(self.path("first.db"), &file).map_err(failed)?;
        let store = open(&file).await?;
        Ok((file, store))
    }

    /// The service, on a database of its own; its workers rest.
    pub(super) async fn service(&self) -> Result<Running, Failure> {
        let (file, store) = self.database().await?;
        let store: Arc<dyn Store> = Arc::new(store);
        let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
        let settings = config::load(&Sources::new(None, []))?.settings;
        let edge = Edge::new(&settings.server);
        let grace = settings.server.shutdown;
        let identity = Identity::new([1; 32]);
        let service = Service::new(settings, store.clone(), identity, ring, Arc::new(|_| ()))?;
        let app = http::app(edge, http::routes(service));
        let (listener, address) = listen().await?;
        let stop = CancellationToken::new();
        let until = stop.clone().cancelled_owned();
        let server = tokio::spawn(http::serve(listener, app, until, grace));
        Ok(Running { address, file, store: Some(store), stop, server })
    }

    /// A web server of the same make that stores nothing: what HTTP alone costs.
    pub(super) async fn ceiling(&self) -> Result<Running, Failure> {
        let app = Router::new().route("/webhooks/google/{calendar}/", post(|| async { StatusCode::OK }));
        let (listener, address) = listen().await?;
        let stop = CancellationToken::new();
        let until = stop.clone().cancelled_owned();
        let server =
            tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(until).await });
        Ok(Running { address, file: PathBuf::new(), store: None, stop, server })
    }
}

impl Running {
    /// Rows of notifications in its database.
    pub(super) async fn stored(&self) -> Result<u64, Failure> {
        match &self.store {
            Some(store) => Ok(store.notification_metrics(Ts::MIN).await?.total),
            None => Ok(0),
        }
    }

    /// Length of its database.
    pub(super) fn file_len(&self) -> u64 {
        len(&self.file)
    }

    /// Stops it and closes its database.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.server.await;
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Length of a file; 0 of none.
pub(super) fn len(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |m| m.len())
}

async fn open(file: &Path) -> Result<SqlStore, Failure> {
    Ok(SqlStore::open(&format!("sqlite://{}", file.display()), Migrate::Run).await?)
}

async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
