//! Push channels: opened where there is none, prolonged or replaced before they end, mended when they miss changes, closed
//! when nobody needs them. What is to be done when stands in the database; a round does what is due.

mod close;
mod maintain;
mod open;

pub use maintain::Maintenance;
