//! One instance of the service in a demo: its own address, its own connections, the same database as the others. It knows
//! neither cloud nor people.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::stage::Fallible;
use crate::config::Settings;
use crate::secrets::{Keyring, identity};
use crate::service::{Observer, Service};
use crate::storage;
use crate::system::SystemRandom;

/// A port for an instance, before anything runs on it: its settings name it.
pub(super) async fn port() -> Fallible<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// An instance that runs.
pub(super) struct Instance {
    pub(super) service: Arc<Service>,
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Instance {
    /// Opens the database and runs on this port.
    pub(super) async fn start(
        (listener, address): (TcpListener, SocketAddr),
        settings: Settings,
        ring: &Keyring,
        observer: Observer,
    ) -> Fallible<Instance> {
        let store = storage::open(&settings.database, storage::Migrate::Run).await?;
        let identity = identity::load(store.as_ref(), ring, &SystemRandom).await?;
        let service = Service::new(settings, store, identity, ring.clone(), observer)?;
        let stop = CancellationToken::new();
        let (running, until) = (service.clone(), stop.clone());
        let server = tokio::spawn(async move { running.run(listener, until.cancelled_owned()).await });
        Ok(Instance { service, address, stop, server })
    }

    /// Stops it in order.
    pub(super) async fn end(self) {
        self.stop.cancel();
        let _ = self.server.await;
    }
}
