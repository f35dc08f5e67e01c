//! `bench processing`: from a notification to the blocks that it leads to, with the real engine and the real store and a
//! simulated provider within the process, which answers at once: what is measured is our own part. One worker and two take
//! turns within each round.

mod world;

use std::time::{Duration, Instant};

use calsync_store::{Migrate, SqlStore};
use clap::Args;
use serde::Serialize;

use super::calls::counted::Calls;
use super::figures::{grouped, median, number, ratio, rounded};
use super::ground::{self, Ground};
use super::process;
use crate::cli::args::Providers;
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use world::World;

/// Numbers of workers that are compared.
const WORKERS: [usize; 2] = [1, 2];

/// Blocks written per second after notifications, with one worker and with two
///
/// Everybody moves an event, the provider tells of each, and workers serve what was told until nothing is left: listing,
/// planning, writing the blocks into the other calendars, and reading the notifications that these cause. The provider is
/// simulated within the process, and its processor time counts as ours.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example:\n  calendar-sync bench processing --people 200 --database postgres://user:password@localhost/postgres"
)]
pub struct ProcessingArgs {
    /// Server to measure on, or a file beside which to measure; a database of its own is made there and removed
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The server's first process on this machine, to read its processor time; found by itself on loopback
    #[arg(long, value_name = "PID")]
    pub postgres_pid: Option<u32>,
    /// Where everybody has their calendars
    #[arg(long, value_name = "WHERE", default_value = "google")]
    pub provider: Providers,
    /// People, each of whom moves an event in each measurement
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub people: u32,
    /// Calendars of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=8))]
    pub calendars: u8,
    /// Events in the first calendar of each
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub events: u32,
    /// How often everything is measured
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: u32,
}

/// Changes that were served.
struct Served {
    took: Duration,
    cpu: Option<Duration>,
    server_cpu: Option<Duration>,
    calls: Calls,
    changes: u64,
}

/// The result.
#[derive(Serialize)]
struct Report {
    database: &'static str,
    people: u32,
    calendars: u8,
    events: u32,
    rounds: u32,
    workers: Vec<Line>,
    /// Blocks per second with two workers, to those with one.
    two_to_one: f64,
    calls_per_change: f64,
    least_calls_per_change: f64,
    blocks: u64,
    expected_blocks: u64,
}

/// With so many workers.
#[derive(Serialize)]
struct Line {
    workers: usize,
    changes_per_s: f64,
    blocks_per_s: f64,
    /// For each second of processor time, the server's included where it is known.
    blocks_per_core_s: Option<f64>,
    cpu_ms_per_change: Option<f64>,
    server_cpu_ms_per_change: Option<f64>,
}

/// Measures and tells.
pub(super) async fn run(args: &ProcessingArgs, out: Out) -> Result<Exit, Failure> {
    let (kind, rounds) = ground::on_own(args.database.as_deref(), args.postgres_pid, async |ground| {
        Ok((ground.kind(), measure(args, ground).await?))
    })
    .await?;
    let report = report(args, kind, &rounds);
    out.result(&report.tell(), &report);
    Ok(if report.blocks == report.expected_blocks { Exit::Ok } else { Exit::Failed })
}

async fn measure(args: &ProcessingArgs, ground: &Ground) -> Result<Vec<Vec<Served>>, Failure> {
    let store = SqlStore::open(&ground.url("processing.db"), Migrate::Run).await?;
    let mut world = World::begin(store, args).await?;
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let mut round = Vec::new();
        for workers in WORKERS {
            world.everybody_moves_an_event().await?;
            let before = (process::cpu_time(), ground.server_cpu());
            let began = Instant::now();
            let calls = world.serve(workers).await?;
            let took = began.elapsed();
            let since =
                |now: Option<Duration>, then| now.zip(then).map(|(now, then)| now.saturating_sub(then));
            round.push(Served {
                took,
                cpu: since(process::cpu_time(), before.0),
                server_cpu: since(ground.server_cpu(), before.1),
                calls,
                changes: u64::from(args.people),
            });
        }
        rounds.push(round);
    }
    world.end().await;
    Ok(rounds)
}

impl Served {
    fn blocks_per_s(&self) -> f64 {
        ratio(number(self.calls.writes), self.took.as_secs_f64())
    }

    fn all_cpu(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() + self.server_cpu.unwrap_or_default().as_secs_f64())
    }
}

fn report(args: &ProcessingArgs, database: &'static str, rounds: &[Vec<Served>]) -> Report {
    let all = || rounds.iter().flatten();
    let per_change = |calls: u64| rounded(ratio(number(calls), number(all().map(|s| s.changes).sum())));
    let others = u64::from(args.calendars) - 1;
    let in_round =
        |round: &Vec<Served>| Some(ratio(round.get(1)?.blocks_per_s(), round.first()?.blocks_per_s()));
    Report {
        database,
        people: args.people,
        calendars: args.calendars,
        events: args.events,
        rounds: args.rounds,
        workers: WORKERS.iter().enumerate().map(|(at, workers)| line(*workers, rounds, at)).collect(),
        two_to_one: rounded(median(rounds.iter().filter_map(in_round))),
        calls_per_change: per_change(all().map(|s| s.calls.total()).sum()),
        least_calls_per_change: rounded(number(1 + others)),
        blocks: all().map(|s| s.calls.writes).sum(),
        expected_blocks: all().map(|s| s.changes * others).sum(),
    }
}

fn line(workers: usize, rounds: &[Vec<Served>], at: usize) -> Line {
    let over = |figure: fn(&Served) -> Option<f64>| {
        let figures: Option<Vec<f64>> = rounds.iter().map(|round| figure(round.get(at)?)).collect();
        figures.map(|figures| rounded(median(figures)))
    };
    Line {
        workers,
        changes_per_s: over(|s| Some(ratio(number(s.changes), s.took.as_secs_f64()))).unwrap_or(0.0),
        blocks_per_s: over(|s| Some(s.blocks_per_s())).unwrap_or(0.0),
        blocks_per_core_s: over(|s| Some(ratio(number(s.calls.writes), s.all_cpu()?))),
        cpu_ms_per_change: over(|s| Some(ratio(s.cpu?.as_secs_f64() * 1e3, number(s.changes)))),
        server_cpu_ms_per_change: over(|s| Some(ratio(s.server_cpu?.as_secs_f64() * 1e3, number(s.changes)))),
    }
}

impl Report {
    fn tell(&self) -> String {
        let known = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.2}"));
        let mut text = format!(
            "From notification to blocks, {}: {} people with {} calendars, {} rounds; medians.\n\n",
            self.database, self.people, self.calendars, self.rounds
        );
        for line in &self.workers {
            text.push_str(&format!(
                "{} worker{}   {:>8} changes/s   {:>8} blocks/s   {:>8} blocks for a second of processor time; \
                 processor time of a change {} ms{}\n",
                line.workers,
                if line.workers == 1 { " " } else { "s" },
                grouped(line.changes_per_s),
                grouped(line.blocks_per_s),
                line.blocks_per_core_s.map_or_else(|| "unknown".to_owned(), grouped),
                known(line.cpu_ms_per_change),
                line.server_cpu_ms_per_change.map(|v| format!(", of the server {v:.2} ms")).unwrap_or_default(),
            ));
        }
        text.push_str(&format!(
            "\ntwo workers to one           {:>6.2}\n\
             provider calls for a change  {:>6.2}   at least {:.2}: one listing, and each block that changes\n\
             blocks written               {} of {}",
            self.two_to_one,
            self.calls_per_change,
            self.least_calls_per_change,
            grouped(number(self.blocks)),
            grouped(number(self.expected_blocks)),
        ));
        text
    }
}
