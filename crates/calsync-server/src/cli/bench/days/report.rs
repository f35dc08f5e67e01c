//! What is told of the lives: a table for each seed, one column for each share of lost notices.

use serde::Serialize;

use super::super::calls::POLLS_PER_DAY;
use super::super::figures::{grouped, number, ratio, rounded};
use super::DaysArgs;
use super::tally::{Runs, Staleness, Tally};

/// Width of the words before the figures, and of a figure.
const WORDS: usize = 42;
const FIGURE: usize = 12;

/// One column: a seed, and a share of lost notices.
#[derive(Serialize)]
pub(super) struct Column {
    dropped_percent: u8,
    seed: u64,
    #[serde(flatten)]
    tally: Tally,
    shares: Shares,
    per_calendar_and_day: Frugality,
    staleness: Staleness,
}

/// Webhook-driven runs, as a share.
#[derive(Serialize)]
struct Shares {
    of_all_runs: f64,
    /// Without the daily full listing.
    without_full: f64,
    /// Without it and the looks at silent channels, both of which spec §6 asks for.
    without_nets: f64,
}

/// Calls, for each calendar and day, against polling every 15 minutes.
#[derive(Serialize)]
struct Frugality {
    calls: f64,
    reads: f64,
    writes: f64,
    polls: f64,
    fewer_with_writes: f64,
    fewer_reads: f64,
}

/// The result.
#[derive(Serialize)]
pub(super) struct Report {
    days: u32,
    calendars: u32,
    changes: u32,
    columns: Vec<Column>,
}

impl Shares {
    fn of(runs: Runs) -> Shares {
        let share = |of: u64| rounded(ratio(number(runs.webhook), number(of)));
        Shares {
            of_all_runs: share(runs.all()),
            without_full: share(runs.all() - runs.full),
            without_nets: share(runs.without_nets()),
        }
    }
}

impl Column {
    pub(super) fn new(dropped_percent: u8, seed: u64, tally: Tally) -> Column {
        let each = |count: u64| rounded(ratio(number(count), number(tally.calendar_days)));
        let (all, writes) = (tally.calls.total(), tally.calls.writes);
        let (reads, polls) = (all - writes, tally.calendar_days * POLLS_PER_DAY);
        let fewer = |calls, of| rounded(1.0 - ratio(number(calls), number(of)));
        Column {
            dropped_percent,
            seed,
            shares: Shares::of(tally.runs),
            per_calendar_and_day: Frugality {
                calls: each(all),
                reads: each(reads),
                writes: each(writes),
                polls: number(POLLS_PER_DAY),
                fewer_with_writes: fewer(all, polls + writes),
                fewer_reads: fewer(reads, polls),
            },
            staleness: tally.staleness(),
            tally,
        }
    }

    /// Whether nothing was found that must never be.
    pub(super) fn is_good(&self) -> bool {
        let misjudged = self.tally.notices.lost == 0 && self.tally.channels.misses > 0;
        let Tally { guard, unread, failed, judged, .. } = &self.tally;
        guard.uncovered == 0 && *unread + *failed == 0 && judged.is_good() && !misjudged
    }

    /// Every line of the table, with a heading before each group.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Tally { guard, runs, channels, calls, judged, .. } = &self.tally;
        let count = |n: u64| grouped(number(n));
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let daily = |n: u64| format!("{:.3}", ratio(number(n), number(self.tally.calendar_days)));
        let each = &self.per_calendar_and_day;
        vec![
            ("moments checked, for each calendar", count(guard.moments)),
            ("  uncovered: no live channel, no poll due", count(guard.uncovered)),
            ("changes that people made", count(self.tally.changes)),
            ("notices delivered", count(self.tally.notices.told)),
            ("notices lost", count(self.tally.notices.lost)),
            ("runs asked for by webhooks", count(runs.webhook)),
            ("  by a renewal, or once more", count(runs.own)),
            ("  probes of silent channels", count(runs.probes)),
            ("  second looks after a find", count(runs.second_looks)),
            ("  polls", count(runs.polls)),
            ("  full listings", count(runs.full)),
            ("runs that failed", count(self.tally.failed)),
            ("webhook-driven, of all runs", percent(self.shares.of_all_runs)),
            ("  full listings aside", percent(self.shares.without_full)),
            ("  full listings and probes aside", percent(self.shares.without_nets)),
            ("channels opened where there was none", count(channels.opened)),
            ("  renewed", count(channels.renewed)),
            ("  repaired", count(channels.repaired)),
            ("  closed", count(calls.closed)),
            ("  suspended", count(channels.suspended)),
            ("misses judged", count(channels.misses)),
            ("calls a calendar and day: listings", daily(calls.listings)),
            ("  blocks written", daily(calls.writes)),
            ("  blocks looked at", daily(calls.looks)),
            ("  about channels", daily(calls.channels())),
            ("  lists of calendars", daily(calls.calendar_lists)),
            ("  all", format!("{:.2}", each.calls)),
            ("fewer than polling, writes on both sides", percent(each.fewer_with_writes)),
            ("fewer than polling, reads only", percent(each.fewer_reads)),
            ("change to blocks, p50", time(self.staleness.p50_ms)),
            ("  p95", time(self.staleness.p95_ms)),
            ("  longest", time(self.staleness.max_ms)),
            ("changes that the brake held, aside", count(self.tally.held)),
            ("oracle: judgements", count(judged.times)),
            ("  mismatches", count(judged.mismatches)),
            ("  duplicates", count(judged.duplicates)),
            ("  foreign events touched", count(judged.foreign_events_touched)),
        ]
    }
}

impl Report {
    pub(super) fn new(args: &DaysArgs, columns: Vec<Column>) -> Report {
        Report { days: args.days, calendars: args.calendars, changes: args.changes, columns }
    }

    pub(super) fn tell(&self) -> String {
        let mut text = format!(
            "{} days of {} calendars, {} changes a person and weekday.\n",
            self.days, self.calendars, self.changes
        );
        for columns in self.columns.chunk_by(|a, b| a.seed == b.seed) {
            text.push_str(&format!("\n{:<WORDS$}", format!("seed {}: notices lost", columns[0].seed)));
            columns
                .iter()
                .for_each(|c| text.push_str(&format!("{:>FIGURE$}", format!("{} %", c.dropped_percent))));
            let lines: Vec<_> = columns.iter().map(Column::lines).collect();
            for (at, (words, _)) in lines[0].iter().enumerate() {
                text.push_str(&format!("\n{words:<WORDS$}"));
                lines.iter().for_each(|l| text.push_str(&format!("{:>FIGURE$}", l[at].1)));
            }
            text.push('\n');
            for words in columns.iter().flat_map(|c| &c.tally.judged.words) {
                text.push_str(&format!("  wrong: {words}\n"));
            }
        }
        text
    }
}

/// Milliseconds as people say it.
fn time(millis: u32) -> String {
    match f64::from(millis) / 1_000.0 {
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds if seconds < 3_600.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}
