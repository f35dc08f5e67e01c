//! A fleet: real processes on one PostgreSQL and one Redis, behind a forwarder, while people live, the provider has bad
//! days, and instances, database and Redis are killed, stopped and brought back. Left alone in the end, everything must
//! be right: no acknowledged notification lost or doubled, nothing foreign touched, nothing left open.
//!
//! `CALSYNC_FLEET_ROUNDS=20 CALSYNC_FLEET_SEED=7 cargo nextest run -p calsync-server fleet` goes on for longer.

#![allow(clippy::print_stdout, reason = "a test that passes tells its figures")]

mod bed;
mod forwarder;
mod instance;
mod outage;
mod parts;
mod trouble;
mod upgrade;
mod verdict;

use bed::Bed;
pub(crate) use instance::Instance;

/// Everything in each of three processes.
const WHOLE: &[&str] = &["", "", ""];
/// The third of them in parts.
const SPLIT: &[&str] = &["", "", "web", "worker", "scheduler"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_killed_stopped_and_cut_off_have_everything_right_in_the_end() {
    trouble::live_through(Bed::make(WHOLE, 41).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_with_an_instance_in_parts_has_everything_right_in_the_end() {
    trouble::live_through(Bed::make(SPLIT, 42).await).await;
}
