//! What a command works with: settings, store, clock and randomness, all passed in, so that tests bring their own.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use calsync_core::block::Identity;
use calsync_core::calendar::Account;
use calsync_core::ports::{
    Clock, ErrorClass, IdGen, ProviderAccount, ProviderDirectory, ProviderError, Store,
};
use calsync_core::time::Ts;
use calsync_engine::{Engine, EngineConfig};

use super::exit::Failure;
use crate::config::{self, Loaded, Settings, Sources};
use crate::out::Out;
use crate::system::{SystemClock, SystemRandom};

/// Who changes something from here, in the audit log.
pub const WHO: &str = "command line";

/// What a command works with.
pub struct Context {
    /// Where its result goes.
    pub out: Out,
    /// The settings.
    pub settings: Settings,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGen>,
}

impl Context {
    /// With the real clock and randomness.
    pub fn new(out: Out, loaded: Loaded, store: Arc<dyn Store>) -> Context {
        Context {
            out,
            settings: loaded.settings,
            store,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemRandom),
        }
    }

    /// An engine for what is only looked up or written down here. It reaches no provider and needs no key, so it must not be
    /// asked to plan or to write anything anywhere else: that is the service's engine.
    pub fn engine(&self) -> Engine {
        let (store, clock, ids) = (self.store.clone(), self.clock.clone(), self.ids.clone());
        Engine::new(store, Arc::new(Nobody), clock, ids, Identity::new([0; 32]), EngineConfig::default())
    }

    /// Now.
    pub fn now(&self) -> Ts {
        self.clock.now()
    }
}

/// No provider.
struct Nobody;

#[async_trait]
impl ProviderDirectory for Nobody {
    async fn open(&self, _: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        Err(ProviderError::new(ErrorClass::Misconfigured, "this command reaches no provider"))
    }
}

/// Reads and checks the configuration; its warnings go to the operator at once.
pub fn load(file: Option<&Path>, out: Out) -> Result<Loaded, Failure> {
    let loaded = config::load(&Sources::from_system(file)?)?;
    for warning in &loaded.warnings {
        out.note(&format!("warning: {warning}"));
    }
    Ok(loaded)
}
