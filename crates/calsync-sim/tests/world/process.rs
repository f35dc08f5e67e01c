//! One process of calendar-sync: the engine on a store, a skin, a clock and ids that all follow from the seed, and that can
//! die.

use std::sync::{Arc, Mutex};

use calsync_core::block::Identity;
use calsync_core::ports::{Clock, ErrorClass, IdGen, ProviderError, Store};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_engine::{Engine, EngineConfig};
use calsync_sim::clock::SimClock;
use calsync_sim::direct::Direct;
use calsync_sim::rng::Rng;
use uuid::Uuid;

use super::mortal::{MortalStore, Mortality};

pub(crate) struct SimTime(pub(crate) SimClock);

impl Clock for SimTime {
    fn now(&self) -> Ts {
        self.0.now()
    }
}

pub(crate) struct SimIds(pub(crate) Mutex<Rng>);

impl IdGen for SimIds {
    fn uuid(&self, now: Ts) -> Uuid {
        let mut rng = self.0.lock().unwrap();
        let mut bytes = [0u8; 10];
        bytes[..8].copy_from_slice(&rng.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&rng.next_u64().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.millis()).unwrap(), &bytes).into_uuid()
    }

    fn token(&self) -> Secret {
        Secret::new(self.0.lock().unwrap().letters(43))
    }

    fn below(&self, bound: u64) -> u64 {
        self.0.lock().unwrap().below(bound)
    }
}

pub(crate) fn engine(
    store: &Arc<dyn Store>,
    direct: &Direct,
    clock: &SimClock,
    ids: &Arc<SimIds>,
    mortality: &Arc<Mortality>,
    incarnation: u32,
) -> Engine {
    let life = mortality.clone();
    let hook = Arc::new(move || {
        let died = || ProviderError::new(ErrorClass::Transient, "the process died");
        if life.survive() { Ok(()) } else { Err(died()) }
    });
    let store = Arc::new(MortalStore { inner: store.clone(), life: mortality.clone() });
    let config = config(incarnation);
    let providers = Arc::new(direct.with_hook(hook));
    let time = Arc::new(SimTime(clock.clone()));
    Engine::new(store, providers, time, ids.clone(), Identity::new([42; 32]), config)
}

pub(crate) fn config(incarnation: u32) -> EngineConfig {
    EngineConfig {
        owner: format!("process-{incarnation}"),
        public_url: Some("https://sync.example.com".to_owned()),
        ..EngineConfig::default()
    }
}
