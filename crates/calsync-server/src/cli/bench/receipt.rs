//! `bench receipt`: notifications through real HTTP into the real router, engine and store, against limits of the same
//! machine, measured in turn within each round. It fails if one notification that was acknowledged is not stored.

mod bed;
mod limits;
mod pgbench;
mod report;
pub(super) mod servers;
mod verdicts;
mod words;

use std::time::Duration;

use calsync_store::limits::pgbench::Into;
use clap::Args;

use super::ground::{self, Ground};
use super::load::{Load, Loaded, Until};
use super::{failed, process};
use crate::cli::accounts::args::OauthProvider;
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use bed::{Bed, Used};
use pgbench::Race;
use servers::Metrics;
use verdicts::Server;

/// Notifications per second that are stored before they are answered, against what this machine can do at most
///
/// Each round measures in turn: rows inserted by single commits and by batches of 100 and 1,000, disk syncs of 8 KiB, a
/// web server that stores nothing, and the service itself; with PostgreSQL, also its own pgbench doing the same insert
/// over as many connections, into the same table and into one with two indexes. Every measurement begins with a database
/// of 1,000 subscriptions and no notification. The ratios are medians of the ratios within one round: rates of different
/// minutes do not compare. The service's own workers rest meanwhile: it is receipt that is measured.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  calendar-sync bench receipt --seconds 5 --connections 64 --rounds 3\n  \
                  calendar-sync bench receipt --database postgres://user:password@localhost/postgres --rounds 5"
)]
pub struct ReceiptArgs {
    /// Server to measure on, or a file beside which to measure; a database of its own is made there and removed
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Whose notifications are delivered
    #[arg(long, value_name = "PROVIDER", default_value = "google")]
    pub provider: OauthProvider,
    /// The server's first process on this machine, to read its processor time; found by itself on loopback
    #[arg(long, value_name = "PID")]
    pub postgres_pid: Option<u32>,
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
pub(super) fn seconds(text: &str) -> Result<f64, String> {
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
    syncs: Option<f64>,
    /// One for each number of connections.
    served: Vec<Served>,
}

/// With one number of connections.
struct Served {
    connections: u16,
    /// pgbench into the same table, and into a lean one.
    pgbench: Race,
    lean: Race,
    ceiling: Costed,
    /// The service without metrics, and as it is.
    uncounted: Costed,
    receipt: Costed,
    /// Rows in the database afterwards.
    stored: u64,
    used: Used,
}

/// A load with the processor time that it took.
struct Costed {
    loaded: Loaded,
    /// Of the whole process.
    cpu: Option<Duration>,
}

/// Measures and tells.
pub(super) async fn run(args: &ReceiptArgs, out: Out) -> Result<Exit, Failure> {
    let database = args.database.as_deref();
    let report = ground::on_own(database, args.postgres_pid, async |ground| {
        let kind = ground.kind();
        let server = if ground.as_server().is_some() { Server::Yes } else { Server::No };
        Ok(report::of(args, kind, server, &rounds(args, ground).await?))
    });
    let report = report.await?;
    out.result(&report.tell(), &report);
    Ok(if report.is_sound() { Exit::Ok } else { Exit::Failed })
}

async fn rounds(args: &ReceiptArgs, ground: &mut Ground) -> Result<Vec<Round>, Failure> {
    let length = Duration::from_secs_f64(args.seconds);
    let mut bed = Bed::make(ground, args.provider.into()).await?;
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let mut round = Round {
            single: limits::inserts(&mut bed, 1, length).await?,
            batch_100: limits::inserts(&mut bed, 100, length).await?,
            batch_1000: limits::inserts(&mut bed, 1_000, length).await?,
            syncs: limits::syncs(&bed, length / 2).await?,
            served: Vec::new(),
        };
        for connections in &args.connections {
            round.served.push(serve(&mut bed, *connections, length).await?);
        }
        rounds.push(round);
    }
    Ok(rounds)
}

async fn serve(bed: &mut Bed<'_>, connections: u16, length: Duration) -> Result<Served, Failure> {
    let pgbench = pgbench::race(bed, Into::TheTable, connections, length).await?;
    let lean = pgbench::race(bed, Into::ALeanTable, connections, length).await?;

    let ceiling = servers::ceiling().await?;
    let until = Until { time: length, count: u64::MAX };
    let load = Load { to: ceiling.address, connections, until, senders: bed.senders.clone(), used: 0 };
    let at_most = costed(load.clone()).await?;
    ceiling.stop().await;

    let service = servers::service(bed.database().await?, Metrics::Uncounted).await?;
    let uncounted = costed(Load { to: service.address, ..load.clone() }).await?;
    service.stop().await;

    let service = servers::service(bed.database().await?, Metrics::Counted).await?;
    let before = bed.meter().await?;
    let receipt = costed(Load { to: service.address, ..load }).await?;
    // Before anybody counts, which costs a server time. A file is complete only once it is closed.
    let mut used = bed.since(&before).await?;
    let stored = service.stored().await?;
    service.stop().await;
    if bed.as_server().is_none() {
        used = bed.since(&before).await?;
    }
    Ok(Served { connections, pgbench, lean, ceiling: at_most, uncounted, receipt, stored, used })
}

async fn costed(load: Load) -> Result<Costed, Failure> {
    let before = process::cpu_time();
    let loaded = load.run().await.map_err(failed)?;
    let cpu = process::cpu_time().zip(before).map(|(now, then)| now.saturating_sub(then));
    Ok(Costed { loaded, cpu })
}
