//! Redis, where configured: one connection that several instances' limits and figures meet on, kept alive in the
//! background. Everything in it is small, expires by itself and can be lost. It never holds anything that decides about
//! a write, never makes a request wait longer than `CALL`, and never says what the password is.

mod address;
mod keeper;
mod link;
mod trouble;

pub use address::Address;
pub use keeper::keep;
pub use link::{CALL, Gone, Link};
pub use trouble::Trouble;

/// What every key of ours begins with.
pub const PREFIX: &str = "calendar_sync";
