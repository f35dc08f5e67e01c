//! The store: where everything that must survive a crash stands. Two implementations of one port: [`MemoryStore`], the
//! reference that simulated worlds run on, and [`SqlStore`]. Both pass the same contract suite. Never decides anything:
//! what a method does is said by `calsync_core::ports::Store`.

#[cfg(feature = "contract")]
#[allow(clippy::unwrap_used, reason = "it is a test suite, made of functions so that every store can run it")]
pub mod contract;
mod memory;
mod rows;
mod sql;
mod tally;

pub use memory::MemoryStore;
pub use sql::{DEFAULT_CONNECTIONS, Migrate, SqlStore, copy, limits, scale};
