//! The system watches itself: figures become a report (`figures`), what is wrong becomes alerts (`heed`), a level that lasts has
//! consequences (`level`), and people are told (`tell`). Decisions are `core::health`'s and `core::alert`'s.

mod figures;
mod heed;
mod level;
mod tell;

pub use level::{Responses, WatchState};
pub use tell::{Reached, Way};
