//! Microsoft's adapter against a scripted Graph.

mod accounts;
mod bridge;
mod listing;
mod rig;
mod traps;
mod watching;
mod writing;
