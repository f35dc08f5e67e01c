//! What the program tells about itself while it runs.

mod files;
mod format;
pub mod logging;
mod place;
mod rotation;
