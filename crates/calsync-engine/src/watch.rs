//! The system watches itself: figures become a report (`figures`), what is wrong becomes alerts (`heed`, `found`), a level that lasts is in force (`level`) and has
//! consequences (`respond`), and people are told (`tell`). Decisions are `core::health`'s and `core::alert`'s.

mod figures;
mod found;
mod heed;
mod level;
mod respond;
mod tell;

pub use found::Found;
pub use level::WatchState;
pub use respond::{BY_ITSELF, Responses};
pub use tell::{Reached, Way};
