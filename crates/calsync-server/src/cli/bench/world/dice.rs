//! The world's clock and dice, as the engine asks for them.

use std::sync::{Mutex, PoisonError};

use calsync_core::ports::{Clock, IdGen};
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_sim::clock::SimClock;
use calsync_sim::rng::Rng;
use uuid::Uuid;

/// The engine's clock, which is also the cloud's.
pub(super) struct Now(pub(super) SimClock);

impl Clock for Now {
    fn now(&self) -> Ts {
        self.0.now()
    }
}

/// Ids and dice that follow from a seed.
pub(super) struct Dice(Mutex<Rng>);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Mutex::new(Rng::new(seed)))
    }

    fn roll<T>(&self, roll: impl FnOnce(&mut Rng) -> T) -> T {
        roll(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IdGen for Dice {
    fn uuid(&self, now: Ts) -> Uuid {
        let mut random = [0u8; 10];
        self.roll(|rng| {
            for part in random.chunks_mut(5) {
                part.copy_from_slice(&rng.next_u64().to_be_bytes()[..5]);
            }
        });
        uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.millis()).unwrap_or(0), &random)
            .into_uuid()
    }

    fn token(&self) -> Secret {
        Secret::new(self.roll(|rng| rng.letters(43)))
    }

    fn below(&self, bound: u64) -> u64 {
        self.roll(|rng| rng.below(bound))
    }
}
