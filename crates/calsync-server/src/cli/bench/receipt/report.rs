//! The result of `bench receipt`: medians over the rounds, and ratios that were taken within each round.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::figures::{grouped, median, number, per_mille, ratio, rounded};
use super::{Costed, ReceiptArgs, Round, Served};

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    seconds: f64,
    rounds: u32,
    single_row_commits_per_s: f64,
    batch_100_rows_per_s: f64,
    batch_1000_rows_per_s: f64,
    syncs_per_s: f64,
    receipt: Vec<Line>,
}

/// With one number of connections.
#[derive(Serialize)]
struct Line {
    connections: u16,
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    acknowledged: u64,
    stored: u64,
    errors: u64,
    ceiling_per_s: f64,
    to_single_row_commits: f64,
    to_batch_100: f64,
    to_batch_1000: f64,
    to_ceiling: f64,
    cpu_us: Option<f64>,
    cpu_us_without_load: Option<f64>,
    ceiling_cpu_us: Option<f64>,
    stored_bytes: f64,
    written_bytes: Option<f64>,
}

impl Report {
    /// Whether nothing was lost and nothing failed.
    pub(super) fn is_sound(&self) -> bool {
        self.receipt
            .iter()
            .all(|line| line.errors == 0 && line.acknowledged == line.stored && line.stored > 0)
    }

    /// In words.
    pub(super) fn tell(&self) -> String {
        let mut text = format!(
            "Receipt, {} rounds, {} s each, 1,000 subscriptions; medians.\n\n\
             This machine at most:\n  \
             inserts, one row a commit    {:>8} rows/s\n  \
             inserts, 100 rows a commit   {:>8} rows/s\n  \
             inserts, 1000 rows a commit  {:>8} rows/s\n  \
             disk syncs of 8 KiB          {:>8} /s\n",
            self.rounds,
            self.seconds,
            grouped(self.single_row_commits_per_s),
            grouped(self.batch_100_rows_per_s),
            grouped(self.batch_1000_rows_per_s),
            grouped(self.syncs_per_s),
        );
        for line in &self.receipt {
            line.tell(&mut text);
        }
        let verdict = if self.is_sound() {
            "\nEvery notification that was acknowledged is stored."
        } else {
            "\nFAILED: acknowledged and stored differ, or requests failed."
        };
        text.push_str(verdict);
        text
    }
}

impl Line {
    fn tell(&self, text: &mut String) {
        let us = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.0} µs"));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} connections:\n  \
             notifications acknowledged   {:>8} /s     p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms\n  \
             bare web server              {:>8} /s\n  \
             ratio to one row a commit    {:>8.2}\n  \
             ratio to 100 rows a commit   {:>8.2}\n  \
             ratio to 1000 rows a commit  {:>8.2}\n  \
             ratio to the web server      {:>8.2}\n  \
             processor time each          {:>8}    without the load's own {}; bare web server {}\n  \
             bytes each                   {:>8}    kept in the database; written to disk {}\n  \
             acknowledged / stored        {} / {}, errors {}\n",
            self.connections,
            grouped(self.per_s),
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            grouped(self.ceiling_per_s),
            self.to_single_row_commits,
            self.to_batch_100,
            self.to_batch_1000,
            self.to_ceiling,
            us(self.cpu_us),
            us(self.cpu_us_without_load),
            us(self.ceiling_cpu_us),
            grouped(self.stored_bytes),
            self.written_bytes.map_or_else(|| "unknown".to_owned(), grouped),
            grouped(number(self.acknowledged)),
            grouped(number(self.stored)),
            self.errors,
        );
    }
}

/// Of these rounds.
pub(super) fn of(args: &ReceiptArgs, rounds: &[Round]) -> Report {
    let over = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure)));
    Report {
        seconds: args.seconds,
        rounds: args.rounds,
        single_row_commits_per_s: over(|r| r.single),
        batch_100_rows_per_s: over(|r| r.batch_100),
        batch_1000_rows_per_s: over(|r| r.batch_1000),
        syncs_per_s: over(|r| r.syncs),
        receipt: (0..args.connections.len()).map(|at| line(rounds, at)).collect(),
    }
}

fn line(rounds: &[Round], at: usize) -> Line {
    let pairs = || rounds.iter().filter_map(move |round| Some((round, round.served.get(at)?)));
    let over = |figure: fn(&Round, &Served) -> f64| rounded(median(pairs().map(|(r, s)| figure(r, s))));
    let known = |figure: fn(&Served) -> Option<f64>| {
        let values: Option<Vec<f64>> = pairs().map(|(_, s)| figure(s)).collect();
        values.map(|values| rounded(median(values)))
    };
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
        to_single_row_commits: over(|r, s| ratio(s.receipt.rate(), r.single)),
        to_batch_100: over(|r, s| ratio(s.receipt.rate(), r.batch_100)),
        to_batch_1000: over(|r, s| ratio(s.receipt.rate(), r.batch_1000)),
        to_ceiling: over(|_, s| ratio(s.receipt.rate(), s.ceiling.rate())),
        cpu_us: known(|s| s.receipt.cpu_each()),
        cpu_us_without_load: known(|s| s.receipt.cpu_each_without_load()),
        ceiling_cpu_us: known(|s| s.ceiling.cpu_each()),
        stored_bytes: over(|_, s| ratio(number(s.grown), number(s.stored))),
        written_bytes: known(|s| Some(ratio(number(s.written?), number(s.stored)))),
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

    fn cpu_each_without_load(&self) -> Option<f64> {
        let cpu = self.cpu?.saturating_sub(self.loaded.cpu?);
        Some(ratio(cpu.as_secs_f64() * 1e6, number(self.loaded.acknowledged)))
    }
}
