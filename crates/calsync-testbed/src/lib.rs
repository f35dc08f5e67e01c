//! Real servers for tests, each a process of its own on loopback with its data in a directory that goes with it. For
//! tests only: nothing that ships may use it.

#![allow(clippy::unwrap_used, reason = "it is made of test fixtures: what can't be started fails the test")]

pub mod postgres;
pub mod redis;
