//! The ports: what the engine asks of the outside. Traits and plain data, nothing else.

mod change;
mod error;
mod figures;
mod listings;
mod provider;
mod store;
mod titles;
mod work;

pub use change::*;
pub use error::*;
pub use figures::*;
pub use listings::*;
pub use provider::*;
pub use store::*;
pub use titles::*;
pub use work::*;

use uuid::Uuid;

use crate::secret::Secret;
use crate::time::Ts;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Ts;
}

/// Makes ids and secrets.
pub trait IdGen: Send + Sync {
    /// A UUIDv7 for this time.
    fn uuid(&self, now: Ts) -> Uuid;

    /// 256 random bits as text of `[A-Za-z0-9_-]`.
    fn token(&self) -> Secret;

    /// A number in `0..bound` for jitter.
    fn below(&self, bound: u64) -> u64;
}
