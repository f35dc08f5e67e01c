//! The adapters against a scripted server: what goes over the wire, and what each answer leads to. Google's here,
//! Microsoft's below.

// A test may unwrap; the lint only knows functions marked as tests, not what they share.
#![allow(clippy::unwrap_used)]

mod accounts;
mod budget;
mod listing;
mod microsoft;
mod oauth;
mod rig;
mod secrets;
mod watching;
mod writing;
