//! A calendar cloud to test against: one deterministic state machine, and look-alikes of the providers' interfaces
//! over it, with faults. It never reads the wall clock or the host's entropy, and never sends anything beyond this
//! machine's own loopback addresses.

mod account_page;
pub mod clock;
pub mod cloud;
pub mod delivery;
pub mod direct;
pub mod faults;
pub mod google;
mod http;
mod kept;
pub mod life;
mod loopback_http;
pub mod microsoft;
pub mod oracle;
mod pages;
mod pkce;
mod quota;
pub mod rng;
mod sealed;
mod simulator;
mod windows_zones;
mod wire;

pub use simulator::{Push, RunningSimulator, SimConfig, Simulator, StartError};
