//! Push channels: opened where there is none, prolonged or replaced before they end, mended when they miss changes, closed
//! when nobody needs them. What is to be done when stands in the database; a round does what is due.

mod by_hand;
mod close;
mod due;
mod health;
mod maintain;
mod obstacle;
mod open;
mod trial;

pub use by_hand::{Act, Asked, ByHand, Cleaned, Deed};
pub use due::MaintenanceDue;
pub use health::{ChannelHealth, Verdict};
pub use maintain::Maintenance;
pub use obstacle::Obstacle;
pub use trial::Trial;
