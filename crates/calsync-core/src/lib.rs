//! The pure middle of calendar-sync: nouns, recurrence, mirror, planner, state machines and the ports to the outside.
//!
//! It never does I/O, never asks for the time, never draws a random number and never depends on the order of a hash
//! map. The same input gives the same bytes.

pub mod alert;
pub mod block;
pub mod calendar;
pub mod cursor_loss;
pub mod delivery;
pub mod echo;
pub mod event;
pub mod freshness;
pub mod health;
pub mod hold;
pub mod ids;
pub mod journal;
pub mod leaving;
pub mod ledger;
pub mod mirror;
pub mod names;
pub mod notification;
pub mod overview;
pub mod plan;
pub mod ports;
pub mod preview;
pub mod recurrence;
pub mod retention;
pub mod rollout;
pub mod rule;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod sign_in;
pub mod subscription;
pub mod time;
pub mod title;
pub mod undo;
pub mod week;
pub mod zone;
