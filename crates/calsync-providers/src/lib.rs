//! Calendar providers behind `calsync-core`'s ports: one folder per provider with the same file names in each, and
//! beside them what all of them share (budget, statistics, tokens, one HTTP exchange).
//!
//! It never stores anything, never decides what should stand in a calendar, and no provider's module uses another's.

pub mod budget;
pub mod credentials;
pub mod google;
pub mod retry;
pub mod stats;
mod tokens;
mod wire;
