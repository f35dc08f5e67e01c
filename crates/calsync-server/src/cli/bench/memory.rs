//! `bench memory`: the memory of a real `serve`, as a process of its own: idle on an empty database, and with many
//! calendars after it has served notifications. Its provider is a stand-in on loopback that tells of one change in every
//! listing.

mod child;
mod fill;
mod provider;

use std::time::Duration;

use calsync_core::ports::Store;
use calsync_store::{Migrate, SqlStore};
use clap::Args;
use serde::Serialize;

use super::figures::{grouped, number};
use super::ground::{self, Ground};
use super::process::Memory;
use super::{failed, process};
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use crate::secrets::SealingKey;
use crate::system::SystemRandom;
use child::Child;

/// Spec §10, in KiB.
const IDLE_TARGET: u64 = 40 * 1024;
const FULL_TARGET: u64 = 150 * 1024;
/// So long an idle service is left alone: its first jobs are done by then.
const SETTLING: Duration = Duration::from_secs(4);

/// Memory of the running service, idle and with many calendars
///
/// Starts this program's own `serve` twice: on an empty database, and on one with so many calendars, four to a user, each
/// with events and a push channel. The second one is sent notifications and reads the calendars that they name from a
/// stand-in for the provider on loopback. Filling the database is most of the work: a minute or two for 10,000 calendars.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  calendar-sync bench memory --calendars 100000\n  \
                  calendar-sync bench memory --database postgres://user:password@localhost/postgres")]
pub struct MemoryArgs {
    /// Server to measure with, or a file beside which to measure; a database of its own is made there and removed
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Calendars in the second database
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(4..=200_000))]
    pub calendars: u32,
    /// Events in each of them
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub events: u32,
    /// Notifications that are served
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub notifications: u32,
    /// Longest wait for the notifications to be served
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub patience: u64,
}

/// The result; memory in KiB.
#[derive(Serialize)]
struct Report {
    database: &'static str,
    idle: Figures,
    calendars: u32,
    events: u64,
    notifications: u32,
    /// How many of them were finished when the memory was taken.
    served: u64,
    full: Figures,
    idle_target: u64,
    full_target_100000: u64,
}

#[derive(Serialize)]
struct Figures {
    resident: u64,
    peak: u64,
    proportional: Option<u64>,
}

impl From<Memory> for Figures {
    fn from(memory: Memory) -> Figures {
        Figures { resident: memory.resident, peak: memory.peak, proportional: memory.proportional }
    }
}

/// Measures and tells.
pub(super) async fn run(args: &MemoryArgs, out: Out) -> Result<Exit, Failure> {
    let report =
        ground::on_own(args.database.as_deref(), None, async |ground| measure(args, ground).await).await?;
    out.result(&report.tell(), &report);
    Ok(if report.served == u64::from(report.notifications) { Exit::Ok } else { Exit::Failed })
}

async fn measure(args: &MemoryArgs, ground: &Ground) -> Result<Report, Failure> {
    let home = tempfile::tempdir().map_err(failed)?;
    let provider = provider::start().await?;
    // A server has one database for both, which is sealed when it is first used.
    let key = SealingKey::generate(&SystemRandom).expose();
    let idle = {
        let settings = child::settings(&ground.url("idle.db"), provider.address, &key);
        let child = Child::start(home.path(), settings).await?;
        tokio::time::sleep(SETTLING).await;
        child.memory()?
    };
    let database = ground.url("full.db");
    let settings = child::settings(&database, provider.address, &key);
    let senders = fill::fill(&settings, args).await?;
    let child = Child::start(home.path(), settings).await?;
    let sent = child.deliver(senders, args.notifications).await?;
    let served = wait(&database, sent, Duration::from_secs(args.patience)).await?;
    let full = child.memory()?;
    drop(child);
    Ok(Report {
        database: ground.kind(),
        idle: idle.into(),
        calendars: args.calendars,
        events: u64::from(args.calendars) * u64::from(args.events),
        notifications: args.notifications,
        served,
        full: full.into(),
        idle_target: IDLE_TARGET,
        full_target_100000: FULL_TARGET,
    })
}

/// Waits until so many notifications are finished; how many are.
async fn wait(database: &str, sent: u64, patience: Duration) -> Result<u64, Failure> {
    const STEP: Duration = Duration::from_millis(500);
    let store = SqlStore::open(database, Migrate::Check).await?;
    let began = std::time::Instant::now();
    let served = loop {
        let metrics = store.notification_metrics(calsync_core::time::Ts::MIN).await?;
        if metrics.completed >= sent || began.elapsed() >= patience {
            break metrics.completed;
        }
        tokio::time::sleep(STEP).await;
    };
    store.close().await;
    Ok(served)
}

impl Report {
    fn tell(&self) -> String {
        format!(
            "Memory of `serve`, {}.\n\n\
             idle, empty database     {}\n                         \
             target: below {} MiB\n\
             {} calendars, {} events, {} of {} notifications served\n                         {}\n                         \
             target: below {} MiB with 100,000 calendars",
            self.database,
            self.idle.tell(),
            self.idle_target / 1024,
            grouped(f64::from(self.calendars)),
            grouped(number(self.events)),
            self.served,
            self.notifications,
            self.full.tell(),
            self.full_target_100000 / 1024,
        )
    }
}

impl Figures {
    fn tell(&self) -> String {
        let mib = |kib: u64| format!("{:.1} MiB", number(kib) / 1024.0);
        format!(
            "resident {}, at the peak {}, proportional {}",
            mib(self.resident),
            mib(self.peak),
            self.proportional.map_or_else(|| "unknown".to_owned(), mib)
        )
    }
}
