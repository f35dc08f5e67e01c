//! `bench receipt`: notifications through real HTTP into the real router, engine and store, against four limits of the
//! same machine, measured in turn within each round. It fails if one notification that was acknowledged is not stored.

mod bed;
mod limits;
mod report;

use std::time::Duration;

use clap::Args;

use super::load::{Load, Loaded, Until};
use super::{failed, process};
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use bed::Bed;

/// Notifications per second that are stored before they are answered, against what this machine can do at most
///
/// Each round measures in turn: rows inserted by single commits and by batches of 100 and 1,000, disk syncs of 8 KiB, a
/// web server that stores nothing, and the service itself. Every measurement begins with a new database of 1,000
/// subscriptions. The ratios are medians of the ratios within one round: rates of different minutes do not compare.
/// The service's own workers rest meanwhile: it is receipt that is measured.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example:\n  calendar-sync bench receipt --seconds 5 --connections 64 --rounds 3")]
pub struct ReceiptArgs {
    /// Length of each single measurement
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub seconds: f64,
    /// Numbers of connections to measure with
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "16,64,256",
          value_parser = clap::value_parser!(u16).range(1..=1024), num_args = 1..=8)]
    pub connections: Vec<u16>,
    /// How often everything is measured
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: u32,
}

/// A tenth of a second to a minute.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=60.0).contains(s));
    seconds.ok_or_else(|| "write a number of seconds from 0.1 to 60".to_owned())
}

/// One round.
struct Round {
    /// Rows per second, one row a commit.
    single: f64,
    /// Rows per second, a hundred and a thousand rows a commit.
    batch_100: f64,
    batch_1000: f64,
    /// Syncs of 8 KiB per second.
    syncs: f64,
    /// One for each number of connections.
    served: Vec<Served>,
}

/// With one number of connections.
struct Served {
    connections: u16,
    ceiling: Costed,
    receipt: Costed,
    /// Rows in the database afterwards.
    stored: u64,
    /// Bytes that the database file grew by, and bytes written to the disk.
    grown: u64,
    written: Option<u64>,
}

/// A load with the processor time that it took.
struct Costed {
    loaded: Loaded,
    /// Of the whole process.
    cpu: Option<Duration>,
}

/// Measures and tells.
pub(super) async fn run(args: &ReceiptArgs, out: Out) -> Result<Exit, Failure> {
    let length = Duration::from_secs_f64(args.seconds);
    let bed = Bed::make().await?;
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let mut round = Round {
            single: limits::inserts(&bed, 1, length).await?,
            batch_100: limits::inserts(&bed, 100, length).await?,
            batch_1000: limits::inserts(&bed, 1_000, length).await?,
            syncs: limits::syncs(&bed, length / 2).await?,
            served: Vec::new(),
        };
        for connections in &args.connections {
            round.served.push(serve(&bed, *connections, length).await?);
        }
        rounds.push(round);
    }
    let report = report::of(args, &rounds);
    let exit = if report.is_sound() { Exit::Ok } else { Exit::Failed };
    out.result(&report.tell(), &report);
    Ok(exit)
}

async fn serve(bed: &Bed, connections: u16, length: Duration) -> Result<Served, Failure> {
    let ceiling = bed.ceiling().await?;
    let until = Until { time: length, count: u64::MAX };
    let load = Load { to: ceiling.address, connections, until, senders: bed.senders.clone() };
    let at_most = costed(load.clone()).await?;
    ceiling.stop().await;

    let service = bed.service().await?;
    let (before, written_before) = (service.file_len(), process::bytes_written());
    let receipt = costed(Load { to: service.address, ..load }).await?;
    let stored = service.stored().await?;
    let file = service.file.clone();
    service.stop().await;
    let written = process::bytes_written().zip(written_before).map(|(now, then)| now.saturating_sub(then));
    let grown = bed::len(&file).saturating_sub(before);
    Ok(Served { connections, ceiling: at_most, receipt, stored, grown, written })
}

async fn costed(load: Load) -> Result<Costed, Failure> {
    let before = process::cpu_time();
    let loaded = load.run().await.map_err(failed)?;
    let cpu = process::cpu_time().zip(before).map(|(now, then)| now.saturating_sub(then));
    Ok(Costed { loaded, cpu })
}
