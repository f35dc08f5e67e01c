//! What the program tells about itself while it runs.

mod few;
mod files;
mod format;
mod layer;
pub mod logging;
mod otlp;
mod place;
mod rotation;
mod spans;
mod traces;

pub use few::{Few, NAMED};
