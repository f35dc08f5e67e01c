//! The result of `bench receipt`: medians over the rounds, and ratios that were taken within each round.

use serde::Serialize;

use super::super::figures::{median, number, per_mille, ratio, rounded};
use super::pgbench::{Race, Raced};
use super::verdicts::{self, Server, Verdict};
use super::{Costed, ReceiptArgs, Round, Served};

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) provider: &'static str,
    pub(super) database: &'static str,
    pub(super) seconds: f64,
    pub(super) rounds: u32,
    pub(super) single_row_commits_per_s: f64,
    pub(super) batch_100_rows_per_s: f64,
    pub(super) batch_1000_rows_per_s: f64,
    pub(super) syncs_per_s: Option<f64>,
    /// The best of all numbers of connections.
    pub(super) pgbench_best_per_s: Option<f64>,
    pub(super) receipt: Vec<Line>,
    pub(super) verdicts: Vec<Verdict>,
    /// Why figures are missing.
    pub(super) remarks: Vec<String>,
}

/// With one number of connections.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) connections: u16,
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) acknowledged: u64,
    pub(super) stored: u64,
    pub(super) errors: u64,
    pub(super) ceiling_per_s: f64,
    pub(super) pgbench_per_s: Option<f64>,
    pub(super) pgbench_lean_per_s: Option<f64>,
    pub(super) to_single_row_commits: f64,
    pub(super) to_batch_100: f64,
    pub(super) to_batch_1000: f64,
    pub(super) to_ceiling: f64,
    /// To the service that counts nothing for `/metrics`, measured just before.
    pub(super) to_uncounted: f64,
    pub(super) to_pgbench: Option<f64>,
    /// To pgbench with whichever number of connections was its best.
    pub(super) to_pgbench_best: Option<f64>,
    pub(super) to_pgbench_lean: Option<f64>,
    /// Everything together: service, load, and the server where there is one and it is known.
    pub(super) cpu_us: Option<f64>,
    pub(super) cpu_us_without_load: Option<f64>,
    pub(super) load_cpu_us: Option<f64>,
    pub(super) server_cpu_us: Option<f64>,
    pub(super) pgbench_server_cpu_us: Option<f64>,
    pub(super) pgbench_lean_server_cpu_us: Option<f64>,
    pub(super) ceiling_cpu_us: Option<f64>,
    pub(super) stored_bytes: f64,
    pub(super) written_bytes: Option<f64>,
    pub(super) syncs_each: Option<f64>,
}

impl Report {
    /// Whether nothing was lost and nothing failed.
    pub(super) fn is_sound(&self) -> bool {
        self.receipt
            .iter()
            .all(|line| line.errors == 0 && line.acknowledged == line.stored && line.stored > 0)
    }
}

/// Of these rounds.
pub(super) fn of(args: &ReceiptArgs, database: &'static str, server: Server, rounds: &[Round]) -> Report {
    let over = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure)));
    let receipt: Vec<Line> = (0..args.connections.len()).map(|at| line(rounds, at)).collect();
    Report {
        provider: args.provider.name(),
        database,
        seconds: args.seconds,
        rounds: args.rounds,
        single_row_commits_per_s: over(|r| r.single),
        batch_100_rows_per_s: over(|r| r.batch_100),
        batch_1000_rows_per_s: over(|r| r.batch_1000),
        syncs_per_s: all(rounds.iter().map(|r| r.syncs)),
        pgbench_best_per_s: all(rounds.iter().map(best)),
        verdicts: verdicts::of(&receipt, server),
        receipt,
        remarks: if server == Server::Yes { remarks(rounds) } else { Vec::new() },
    }
}

/// The best that pgbench reached in a round, into the same table.
fn best(round: &Round) -> Option<f64> {
    round.served.iter().filter_map(|served| Some(served.pgbench.as_ref().ok()?.rate)).reduce(f64::max)
}

/// The median, if every round has the figure.
fn all(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    figures.collect::<Option<Vec<f64>>>().map(|figures| rounded(median(figures)))
}

fn remarks(rounds: &[Round]) -> Vec<String> {
    let races = rounds.iter().flat_map(|r| &r.served).flat_map(|s| [(s, &s.pgbench), (s, &s.lean)]);
    let mut remarks: Vec<String> = races
        .filter_map(|(s, race)| Some(format!("{} connections: {}", s.connections, race.as_ref().err()?)))
        .collect();
    remarks.sort_unstable();
    remarks.dedup();
    remarks
}

fn line(rounds: &[Round], at: usize) -> Line {
    let pairs = || rounds.iter().filter_map(move |round| Some((round, round.served.get(at)?)));
    let over = |figure: fn(&Round, &Served) -> f64| rounded(median(pairs().map(|(r, s)| figure(r, s))));
    let known = |figure: fn(&Round, &Served) -> Option<f64>| all(pairs().map(|(r, s)| figure(r, s)));
    let sum = |figure: fn(&Served) -> u64| pairs().map(|(_, s)| figure(s)).sum();
    Line {
        connections: pairs().next().map_or(0, |(_, s)| s.connections),
        per_s: over(|_, s| s.receipt.rate()),
        p50_ms: over(|_, s| s.receipt.milliseconds(500)),
        p99_ms: over(|_, s| s.receipt.milliseconds(990)),
        p999_ms: over(|_, s| s.receipt.milliseconds(999)),
        acknowledged: sum(|s| s.receipt.loaded.acknowledged),
        stored: sum(|s| s.stored),
        errors: sum(|s| s.receipt.loaded.errors + s.ceiling.loaded.errors),
        ceiling_per_s: over(|_, s| s.ceiling.rate()),
        pgbench_per_s: known(|_, s| Some(raced(&s.pgbench)?.rate)),
        pgbench_lean_per_s: known(|_, s| Some(raced(&s.lean)?.rate)),
        to_single_row_commits: over(|r, s| ratio(s.receipt.rate(), r.single)),
        to_batch_100: over(|r, s| ratio(s.receipt.rate(), r.batch_100)),
        to_batch_1000: over(|r, s| ratio(s.receipt.rate(), r.batch_1000)),
        to_ceiling: over(|_, s| ratio(s.receipt.rate(), s.ceiling.rate())),
        to_uncounted: over(|_, s| ratio(s.receipt.rate(), s.uncounted.rate())),
        to_pgbench: known(|_, s| Some(ratio(s.receipt.rate(), raced(&s.pgbench)?.rate))),
        to_pgbench_best: known(|r, s| Some(ratio(s.receipt.rate(), best(r)?))),
        to_pgbench_lean: known(|_, s| Some(ratio(s.receipt.rate(), raced(&s.lean)?.rate))),
        cpu_us: known(|_, s| Some(s.receipt.cpu_each()? + s.server_cpu_each().unwrap_or(0.0))),
        cpu_us_without_load: known(|_, s| s.receipt.cpu_each_without_load()),
        load_cpu_us: known(|_, s| s.receipt.load_cpu_each()),
        server_cpu_us: known(|_, s| s.server_cpu_each()),
        pgbench_server_cpu_us: known(|_, s| raced(&s.pgbench)?.server_us),
        pgbench_lean_server_cpu_us: known(|_, s| raced(&s.lean)?.server_us),
        ceiling_cpu_us: known(|_, s| s.ceiling.cpu_each()),
        stored_bytes: over(|_, s| ratio(number(s.used.size), number(s.stored))),
        written_bytes: known(|_, s| Some(ratio(number(s.used.written?), number(s.stored)))),
        syncs_each: known(|_, s| Some(ratio(number(s.used.synced?), number(s.stored)))),
    }
}

fn raced(race: &Race) -> Option<Raced> {
    race.as_ref().ok().copied()
}

impl Served {
    fn server_cpu_each(&self) -> Option<f64> {
        Some(ratio(self.used.server_cpu?.as_secs_f64() * 1e6, number(self.stored)))
    }
}

impl Costed {
    fn rate(&self) -> f64 {
        ratio(number(self.loaded.acknowledged), self.loaded.took.as_secs_f64())
    }

    fn milliseconds(&self, share: usize) -> f64 {
        f64::from(per_mille(&self.loaded.latencies, share)) / 1000.0
    }

    fn cpu_each(&self) -> Option<f64> {
        Some(ratio(self.cpu?.as_secs_f64() * 1e6, number(self.loaded.acknowledged)))
    }

    fn load_cpu_each(&self) -> Option<f64> {
        Some(ratio(self.loaded.cpu?.as_secs_f64() * 1e6, number(self.loaded.acknowledged)))
    }

    fn cpu_each_without_load(&self) -> Option<f64> {
        Some(self.cpu_each()? - self.load_cpu_each()?)
    }
}
