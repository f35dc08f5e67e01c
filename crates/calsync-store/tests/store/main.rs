//! The contract on both stores, and what only SQLite can show.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod copy;
mod crash;
mod files;
mod lite;
mod memory;
mod moved;
mod pg;
mod seeds;
mod throughput;
