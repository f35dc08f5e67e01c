//! The result of `bench receipt` for people.

use std::fmt::Write as _;

use super::super::figures::{grouped, number};
use super::report::{Line, Report};
use super::verdicts::Verdict;

impl Report {
    /// In words.
    pub(super) fn tell(&self) -> String {
        let rate = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), grouped);
        let mut text = format!(
            "Receipt of what {} sends, {}, {} rounds, {} s each, 1,000 subscriptions; medians.\n\n\
             This machine at most:\n  \
             inserts, one row a commit    {:>8} rows/s\n  \
             inserts, 100 rows a commit   {:>8} rows/s\n  \
             inserts, 1000 rows a commit  {:>8} rows/s\n",
            self.provider,
            self.database,
            self.rounds,
            self.seconds,
            grouped(self.single_row_commits_per_s),
            grouped(self.batch_100_rows_per_s),
            grouped(self.batch_1000_rows_per_s),
        );
        // Writing to a String cannot fail.
        let _ = match self.syncs_per_s {
            Some(syncs) => writeln!(text, "  disk syncs of 8 KiB          {:>8} /s", grouped(syncs)),
            None => {
                writeln!(text, "  best of pgbench              {:>8} rows/s", rate(self.pgbench_best_per_s))
            }
        };
        for line in &self.receipt {
            line.tell(&mut text);
        }
        for remark in &self.remarks {
            let _ = write!(text, "\nNo figure: {remark}");
        }
        if !self.verdicts.is_empty() {
            text.push_str("\nTargets:\n");
            self.verdicts.iter().for_each(|verdict| verdict.tell(&mut text));
        }
        text.push_str(if self.is_sound() {
            "\nEvery notification that was acknowledged is stored."
        } else {
            "\nFAILED: acknowledged and stored differ, or requests failed."
        });
        text
    }
}

impl Verdict {
    fn tell(&self, text: &mut String) {
        let Verdict { target, connections, seen, reached } = self;
        let word = if *reached { "reached" } else { "NOT reached" };
        let _ = writeln!(text, "  {word:<12} {target}, {connections} connections: {seen:.2}");
    }
}

fn us(value: Option<f64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.0} µs"))
}

impl Line {
    fn tell(&self, text: &mut String) {
        let _ = write!(
            text,
            "\n{} connections:\n  \
             notifications acknowledged   {:>8} /s     p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms\n  \
             bare web server              {:>8} /s\n  \
             ratio to one row a commit    {:>8.2}\n  \
             ratio to 100 rows a commit   {:>8.2}\n  \
             ratio to 1000 rows a commit  {:>8.2}\n  \
             ratio to the web server      {:>8.2}\n  \
             ratio to it without metrics  {:>8.2}\n",
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
            self.to_uncounted,
        );
        self.tell_races(text);
        let _ = write!(
            text,
            "  processor time each          {:>8}    service {}, load {}{}; bare web server with its load {}\n  \
             bytes each                   {:>8}    kept in the database; written {}{}\n  \
             acknowledged / stored        {} / {}, errors {}\n",
            us(self.cpu_us),
            us(self.cpu_us_without_load),
            us(self.load_cpu_us),
            self.server_cpu_us.map(|v| format!(", database server {v:.0} µs")).unwrap_or_default(),
            us(self.ceiling_cpu_us),
            grouped(self.stored_bytes),
            self.written_bytes.map_or_else(|| "unknown".to_owned(), grouped),
            self.syncs_each.map(|v| format!("; syncs {v:.3}")).unwrap_or_default(),
            grouped(number(self.acknowledged)),
            grouped(number(self.stored)),
            self.errors,
        );
    }

    fn tell_races(&self, text: &mut String) {
        let races = [
            ("pgbench, same table", self.pgbench_per_s, self.to_pgbench, self.pgbench_server_cpu_us),
            (
                "pgbench, two indexes",
                self.pgbench_lean_per_s,
                self.to_pgbench_lean,
                self.pgbench_lean_server_cpu_us,
            ),
        ];
        for (name, rate, to, cpu) in races {
            let Some((rate, to)) = rate.zip(to) else { continue };
            let rate = grouped(rate);
            let _ = writeln!(
                text,
                "  {name:<28} {rate:>8} /s     ratio {to:.2}; database server {} each",
                us(cpu)
            );
        }
    }
}
