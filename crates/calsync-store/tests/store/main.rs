//! The contract on both stores, and what only SQLite can show.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod lite;
mod memory;
mod plans;
