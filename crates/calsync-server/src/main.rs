//! The `calendar-sync` binary.
fn main() {}
