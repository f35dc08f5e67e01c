//! Real servers for tests, each a process of its own on loopback with its data in a directory that goes with it. For
//! tests only: nothing that ships may use it, and it never touches a server that it did not start.

#![allow(clippy::unwrap_used, reason = "it is made of test fixtures: what can't be started fails the test")]

mod account;
pub mod browser;
mod certificates;
mod directory;
pub mod mail;
pub mod nginx;
pub mod openid;
pub mod port;
pub mod postgres;
mod process;
pub mod prometheus;
pub mod redis;
