//! The servers themselves: that they start, die, come back and leave nothing behind. Never what is built on them.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod bouncer;
mod cluster;
mod database;
mod mail;
mod redis;
mod standby;
mod tls;
