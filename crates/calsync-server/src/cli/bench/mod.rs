//! `bench`: how fast and how frugal it is on this machine, measured so that anyone can repeat it. Rates are compared with
//! what the same machine can do in the same run, because a rate alone tells more about the machine. Traffic goes to
//! loopback only, everything stands in temporary directories, and every measurement is bounded in time and number.

mod calls;
mod days;
mod figures;
mod ground;
mod load;
mod memory;
mod notices;
mod people;
mod plan;
mod process;
mod processing;
mod prune;
mod receipt;
mod scale;
mod world;

use clap::Subcommand;

use super::exit::{Exit, Failure};
use crate::out::Out;

/// `bench …`
#[derive(Subcommand, Debug)]
pub enum BenchCommand {
    /// Notifications per second that are stored before they are answered, against what this machine can do at most
    Receipt(receipt::ReceiptArgs),
    /// What lookups and figures take as an installation grows, compared with counts of every row
    Scale(scale::ScaleArgs),
    /// How fast old notifications are deleted while new ones come in, and what receipt feels of it
    Prune(prune::PruneArgs),
    /// How long planning takes for a large calendar
    Plan(plan::PlanArgs),
    /// Blocks written per second after notifications, with one worker and with two
    Processing(processing::ProcessingArgs),
    /// Calls to the provider for a day of changes, against polling
    Calls(calls::CallsArgs),
    /// Weeks of people's lives in an hour's fraction: whether calendars are always watched, by push or by looks, at which cost
    Days(days::DaysArgs),
    /// Memory of the running service, idle and with many calendars
    Memory(memory::MemoryArgs),
}

/// Measures.
pub fn run(command: &BenchCommand, out: Out) -> Result<Exit, Failure> {
    match command {
        BenchCommand::Receipt(args) => threaded(receipt::run(args, out)),
        BenchCommand::Scale(args) => threaded(scale::run(args, out)),
        BenchCommand::Prune(args) => threaded(prune::run(args, out)),
        BenchCommand::Plan(args) => plan::run(args, out),
        BenchCommand::Processing(args) => threaded(processing::run(args, out)),
        BenchCommand::Calls(args) => calls::run(args, out),
        BenchCommand::Days(args) => days::run(args, out),
        BenchCommand::Memory(args) => threaded(memory::run(args, out)),
    }
}

/// On as many threads as the service itself would use.
fn threaded(measuring: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("the system gives no resources to run in: {e}")))?;
    runtime.block_on(measuring)
}

/// What could not be prepared.
fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the measurement could not be made: {error}"))
}
