//! The adapters against a scripted server: what goes over the wire, and what each answer leads to. Google's here,
//! Microsoft's below.

#![allow(clippy::unwrap_used, reason = "a test may; the lint does not know what tests share")]

mod accounts;
mod budget;
mod listing;
mod microsoft;
mod oauth;
mod rig;
mod secrets;
mod titles;
mod watching;
mod writing;
