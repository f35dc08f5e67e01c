//! The program `calendar-sync`: settings, secrets, logs, commands and the web server around the engine.
//!
//! It wires and renders. It never decides what becomes of a calendar, and never speaks SQL.

pub mod alerting;
mod api;
pub mod cache;
pub mod checks;
pub mod cli;
pub mod config;
pub mod doctor;
mod email;
pub mod http;
pub mod metrics;
mod monitoring;
pub mod oidc;
pub mod out;
pub mod reach;
pub mod redis;
pub mod secrets;
pub mod service;
pub mod storage;
pub mod system;
pub mod systemd;
pub mod telemetry;
pub mod verification;
pub mod web;
