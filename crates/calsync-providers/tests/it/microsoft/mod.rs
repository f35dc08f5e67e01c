//! Microsoft's adapter against a scripted Graph.

mod accounts;
mod bridge;
mod listing;
mod rig;
mod titles;
mod traps;
mod watching;
mod writing;
