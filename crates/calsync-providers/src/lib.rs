//! Calendar providers behind `calsync-core`'s ports: one folder per provider with the same file names in each, and
//! beside them what all of them share (budget, statistics, sign-in, tokens, the way of one call).
//!
//! It never stores anything, never decides what should stand in a calendar, and no provider's module uses another's.

mod address;
pub mod budget;
pub mod credentials;
pub mod google;
mod items;
pub mod microsoft;
pub mod oauth;
mod patience;
mod provider;
pub mod retry;
pub mod stats;
mod tokens;
mod transport;
pub mod windows_zone;
mod wire;

pub use provider::Provider;
