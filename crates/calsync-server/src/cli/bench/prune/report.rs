//! The result of `bench prune`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::super::figures::{grouped, number, per_mille, ratio, rounded};
use super::super::load::Loaded;
use super::PruneArgs;

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    database: &'static str,
    rows: u64,
    batch: u32,
    rest_ms: u64,
    connections: u16,
    deleted: Deleted,
    before: Phase,
    meanwhile: Phase,
    afterwards: Phase,
    meanwhile_to_before: f64,
    bytes: Sizes,
    /// The size when filled again, to that before.
    filled_again_to_full: f64,
    expected_rows: u64,
    counted_rows: u64,
}

/// Receipts for a while.
#[derive(Serialize)]
pub(super) struct Phase {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    acknowledged: u64,
    errors: u64,
}

/// What was deleted.
#[derive(Serialize)]
pub(super) struct Deleted {
    pub(super) rows: u64,
    per_s: f64,
    batches: u64,
    batch_p50_ms: f64,
    batch_p99_ms: f64,
    longest_batch_ms: f64,
}

/// A table with its indexes, or a file.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Bytes {
    pub(super) table: u64,
    pub(super) indexes: Option<u64>,
}

/// Before, after deleting, after cleaning up, and with as many rows as before.
#[derive(Serialize)]
pub(super) struct Sizes {
    pub(super) full: Bytes,
    pub(super) emptied: Bytes,
    pub(super) cleaned: Option<Bytes>,
    pub(super) filled_again: Bytes,
}

fn ms(micros: u32) -> f64 {
    rounded(f64::from(micros) / 1000.0)
}

impl Phase {
    pub(super) fn of(loaded: &Loaded) -> Phase {
        Phase {
            per_s: rounded(ratio(number(loaded.acknowledged), loaded.took.as_secs_f64())),
            p50_ms: ms(per_mille(&loaded.latencies, 500)),
            p99_ms: ms(per_mille(&loaded.latencies, 990)),
            max_ms: ms(per_mille(&loaded.latencies, 1000)),
            acknowledged: loaded.acknowledged,
            errors: loaded.errors,
        }
    }

    fn tell(&self, when: &str, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {when:<12} {:>8} /s     p50 {:.2} ms, p99 {:.2} ms, longest {:.1} ms, errors {}",
            grouped(self.per_s),
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.errors
        );
    }
}

impl Deleted {
    pub(super) fn of(rows: u64, took: Duration, mut batches: Vec<u32>, longest: Duration) -> Deleted {
        batches.sort_unstable();
        Deleted {
            rows,
            per_s: rounded(ratio(number(rows), took.as_secs_f64())),
            batches: batches.len() as u64,
            batch_p50_ms: ms(per_mille(&batches, 500)),
            batch_p99_ms: ms(per_mille(&batches, 990)),
            longest_batch_ms: rounded(longest.as_secs_f64() * 1000.0),
        }
    }
}

impl Bytes {
    fn total(self) -> u64 {
        self.table + self.indexes.unwrap_or(0)
    }

    fn tell(self) -> String {
        let mib = |bytes: u64| format!("{:.1} MiB", number(bytes) / 1_048_576.0);
        match self.indexes {
            Some(indexes) => format!("{} and {} of indexes", mib(self.table), mib(indexes)),
            None => mib(self.table),
        }
    }
}

impl Report {
    pub(super) fn of(
        database: &'static str,
        args: &PruneArgs,
        [before, meanwhile, afterwards]: [Phase; 3],
        deleted: Deleted,
        bytes: Sizes,
        (expected_rows, counted_rows): (u64, u64),
    ) -> Report {
        Report {
            database,
            rows: args.rows,
            batch: args.batch,
            rest_ms: args.rest,
            connections: args.connections,
            meanwhile_to_before: rounded(ratio(meanwhile.per_s, before.per_s)),
            filled_again_to_full: rounded(ratio(
                number(bytes.filled_again.total()),
                number(bytes.full.total()),
            )),
            deleted,
            before,
            meanwhile,
            afterwards,
            bytes,
            expected_rows,
            counted_rows,
        }
    }

    /// Whether nothing else went, and nothing failed.
    pub(super) fn is_sound(&self) -> bool {
        let phases = [&self.before, &self.meanwhile, &self.afterwards];
        self.expected_rows == self.counted_rows
            && self.deleted.rows > 0
            && phases.iter().all(|p| p.errors == 0)
    }

    /// In words.
    pub(super) fn tell(&self) -> String {
        let Deleted { rows, per_s, batches, batch_p50_ms, batch_p99_ms, longest_batch_ms } = &self.deleted;
        let mut text = format!(
            "Deleting old notifications, {}: {} of {}, {} a batch, {} ms of rest, while {} connections deliver.\n\n\
             deleted {} /s in {} batches of {batch_p50_ms:.1} ms (99 % below {batch_p99_ms:.1} ms, longest {longest_batch_ms:.1} ms)\n\n\
             receipts:\n",
            self.database,
            grouped(number(*rows)),
            grouped(number(self.rows)),
            grouped(f64::from(self.batch)),
            self.rest_ms,
            self.connections,
            grouped(*per_s),
            grouped(number(*batches)),
        );
        self.before.tell("before", &mut text);
        self.meanwhile.tell("meanwhile", &mut text);
        self.afterwards.tell("afterwards", &mut text);
        let cleaned =
            self.bytes.cleaned.map(|bytes| format!("  cleaned up   {}\n", bytes.tell())).unwrap_or_default();
        let _ = write!(
            text,
            "  meanwhile to before: {:.2}\n\nspace:\n  before       {}\n  emptied      {}\n{cleaned}  filled again {}, {:.2} of what it was\n\n{}",
            self.meanwhile_to_before,
            self.bytes.full.tell(),
            self.bytes.emptied.tell(),
            self.bytes.filled_again.tell(),
            self.filled_again_to_full,
            if self.is_sound() {
                "Nothing is missing that was to stay."
            } else {
                "FAILED: rows are missing, or requests failed."
            },
        );
        text
    }
}
