//! The store: where everything that must survive a crash stands. Two implementations of one port: [`MemoryStore`], the
//! reference that the simulator runs on, and the SQL store. Both pass the same contract suite. Never decides
//! anything: what a method does is said by `calsync_core::ports::Store`.

mod memory;
mod rows;

pub use memory::MemoryStore;
