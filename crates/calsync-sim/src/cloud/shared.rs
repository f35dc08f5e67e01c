//! The cloud as several hands may hold it: the skins, the demo, a test that acts as the person. It adds a lock and a bell
//! for each provider, and no behaviour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::watch::Provider;
use super::{Cloud, Limits};

/// One cloud; clones are the same cloud.
#[derive(Debug, Clone)]
pub struct SharedCloud {
    cloud: Arc<Mutex<Cloud>>,
    bells: Arc<BTreeMap<Provider, Notify>>,
}

impl SharedCloud {
    /// An empty cloud of this seed.
    pub fn new(seed: u64, limits: Limits) -> SharedCloud {
        SharedCloud::from(Cloud::new(seed, limits))
    }

    /// Does something with the cloud, and rings the bell if there are notices to deliver afterwards.
    ///
    /// Everything is blocked meanwhile: `act` must not wait for anything.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cloud) -> T) -> T {
        // A panic of somebody else's test leaves the state as it was between two writes: go on with it.
        let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut cloud);
        for (provider, bell) in self.bells.iter() {
            if cloud.watch().waiting_for(*provider) > 0 {
                bell.notify_one();
            }
        }
        result
    }

    /// Waits until there may be notices of this provider.
    pub async fn rung(&self, provider: Provider) {
        match self.bells.get(&provider) {
            Some(bell) => bell.notified().await,
            // Every provider has a bell: see below.
            None => std::future::pending().await,
        }
    }
}

impl From<Cloud> for SharedCloud {
    fn from(cloud: Cloud) -> SharedCloud {
        let bells = Provider::ALL.map(|provider| (provider, Notify::new()));
        SharedCloud { cloud: Arc::new(Mutex::new(cloud)), bells: Arc::new(bells.into()) }
    }
}
