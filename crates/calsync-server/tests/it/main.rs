//! The real service: the compiled program over real HTTP, with a database file and the simulated calendar cloud, and
//! nothing that leaves this machine.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod alerting;
mod api;
mod backup;
mod browser;
mod busy_only;
mod by_hand;
mod channels;
mod copy;
mod doctor;
mod durable;
mod edge;
mod fleet;
mod full_disk;
mod graph;
mod graph_account;
mod graph_handshake;
mod graph_lifecycle;
mod graph_path;
mod graph_receipt;
mod graph_secret;
mod graph_tokens;
mod handed;
mod inside;
mod kills;
mod leaving;
mod log_files;
mod log_lines;
mod metrics;
mod mistakes;
mod mixed;
mod monitoring;
mod nginx;
mod oidc;
mod openapi;
mod pages;
mod path;
mod place;
mod receipt;
mod redis;
mod redis_troubles;
mod removal;
mod rolling;
mod rollout;
mod secret;
mod small_disk;
mod traces;
mod upkeep;
mod verification;
mod watch;
mod web;
mod week;
mod wire;
mod world;
