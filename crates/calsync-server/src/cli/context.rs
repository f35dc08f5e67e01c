//! What a command works with: settings, store, clock and randomness, all passed in, so that tests bring their own.

use std::path::Path;
use std::sync::Arc;

use calsync_core::ports::{Clock, IdGen, Store};
use calsync_core::time::Ts;

use super::exit::Failure;
use crate::config::{self, Loaded, Settings, Sources};
use crate::out::Out;
use crate::system::{SystemClock, SystemRandom};

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

    /// Now.
    pub fn now(&self) -> Ts {
        self.clock.now()
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
