//! The service within the test's own process, for what can't be done to a program from outside: its database is taken
//! away under it.

use std::sync::Arc;

use calsync_core::ports::Store;
use calsync_server::config::{self, Sources};
use calsync_server::secrets::{Keyring, SealingKey, identity};
use calsync_server::service::Service;
use calsync_server::system::SystemRandom;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::place::Place;
use crate::web::client;

/// A service that serves.
pub(crate) struct Inside {
    service: Arc<Service>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Inside {
    /// Serves at the place's address from its database.
    pub(crate) async fn serve(place: &Place) -> Inside {
        let values = [("DATABASE_URL".to_owned(), format!("sqlite://{}", place.database().display()))];
        let settings = config::load(&Sources::new(None, values)).unwrap().settings;
        let store: Arc<dyn Store> = Arc::new(place.store().await);
        let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
        let identity = identity::load(store.as_ref(), &ring, &SystemRandom).await.unwrap();
        // It sets up TLS for this process.
        let _ = client();
        let service = Service::new(settings, store, identity, ring, Arc::new(|_| ())).unwrap();
        let listener = tokio::net::TcpListener::bind(place.address).await.unwrap();
        let stop = CancellationToken::new();
        let (running, until) = (service.clone(), stop.clone().cancelled_owned());
        let server = tokio::spawn(async move { running.run(listener, until).await.unwrap() });
        Inside { service, stop, server }
    }

    /// From here on no question to the database is answered.
    pub(crate) async fn lose_the_store(&self) {
        self.service.store.close().await;
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.server.await.unwrap();
    }
}
