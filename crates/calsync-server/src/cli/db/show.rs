//! How a copy looks to whoever runs it: a bar when a person watches, lines when a file does, and in the end both sides
//! beside each other. Decides nothing.

use std::time::{Duration, Instant};

use calsync_store::copy::{Compared, Phase, Progress};
use serde_json::{Value, json};

use super::{DatabaseUrl, Format, Out, Prospect, Report, Standing, key_path};
use crate::out;

/// Where nobody watches, so much time lies between two lines about one table.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Tells how far it is.
pub(in crate::cli) struct Watcher {
    out: Out,
    bar: Option<out::Progress>,
    lines: bool,
    last: Option<(Phase, &'static str, Instant)>,
}

impl Watcher {
    /// Lines where nobody watches: for what takes hours, and whose log somebody reads.
    pub(in crate::cli) fn new(out: Out) -> Watcher {
        Watcher { lines: out.format == Format::Text, ..Watcher::of_people(out) }
    }

    /// For people alone: what a timer runs every night says nothing but what came of it.
    pub(in crate::cli) fn of_people(out: Out) -> Watcher {
        let bar = out.is_watched().then(|| out::Progress::start(out, "", 0));
        Watcher { out, bar, lines: false, last: None }
    }

    /// Whether anything has been copied or compared.
    pub(in crate::cli) const fn has_seen(&self) -> bool {
        self.last.is_some()
    }

    pub(in crate::cli) fn show(&mut self, progress: Progress) {
        let Progress { phase, table, done, of } = progress;
        let words = match phase {
            Phase::Copying => format!("copying {table}"),
            Phase::Comparing => format!("comparing {table}"),
        };
        // A source that grows meanwhile must not make it more than all.
        let of = of.max(done);
        let is_due = match self.last {
            Some((last_phase, last_table, at)) => {
                (last_phase, last_table) != (phase, table) || at.elapsed() >= LINE_EVERY
            }
            None => true,
        };
        if is_due {
            self.last = Some((phase, table, Instant::now()));
        }
        match &self.bar {
            Some(bar) => {
                bar.reach(done);
                bar.expect(of);
                bar.tell(&words);
            }
            None if is_due && self.lines => {
                self.out.note(&format!("{words}: {done} of {of} rows"));
            }
            None => {}
        }
    }

    pub(in crate::cli) fn finish(&mut self) {
        self.bar = None;
    }
}

/// What would be copied.
pub(super) fn prospect(prospect: &Prospect, from: &DatabaseUrl, to: &DatabaseUrl, out: Out) {
    let rows: u64 = prospect.tables.iter().map(|(_, rows)| rows).sum();
    let (target, words) = match prospect.target {
        Standing::New => ("empty", format!("{rows} rows would be copied from {from} to {to}")),
        Standing::Unfinished { rows: there } => (
            "unfinished",
            format!(
                "{there} of {rows} rows are in {to} already: the copy from {from} would go on from there"
            ),
        ),
        Standing::Finished { at } => {
            ("finished", format!("{to} holds a finished copy of {from} since {at}: nothing would be done"))
        }
    };
    if out.format == Format::Text {
        let cells = |(name, rows): &(&'static str, u64)| vec![(*name).to_owned(), rows.to_string()];
        out.rows(&["TABLE", "ROWS"], &prospect.tables, cells, "");
    }
    let tables: Vec<Value> =
        prospect.tables.iter().map(|(table, rows)| json!({"table": table, "rows": rows})).collect();
    let value = json!({
        "outcome": "would_copy", "target": target, "rows": rows, "tables": tables,
        "from": from.to_string(), "to": to.to_string(),
    });
    out.result(&words, &value);
}

/// Both sides beside each other, and what comes next.
pub(super) fn report(report: &Report, from: &DatabaseUrl, to: &DatabaseUrl, out: Out) {
    if out.format == Format::Text {
        let header = ["TABLE", "ROWS THERE", "ROWS HERE", "CONTENT"];
        let cells = |table: &Row| {
            let Compared { table: name, source, target } = table.0;
            let content = if table.0.agrees() { "the same" } else { "DIFFERS" };
            vec![name.to_owned(), source.rows.to_string(), target.rows.to_string(), content.to_owned()]
        };
        let tables: Vec<Row> = report.tables.iter().copied().map(Row).collect();
        out.rows(&header, &tables, cells, "");
    }
    let tables: Vec<Row> = report.tables.iter().copied().map(Row).collect();
    let value = json!({
        "outcome": if report.agrees() { "copied" } else { "differs" },
        "agrees": report.agrees(), "rows_copied": report.copied, "rows_before": report.before,
        "zeros_replaced": report.zeros, "tables": tables, "from": from.to_string(), "to": to.to_string(),
    });
    out.result(&words(report, from, to), &value);
}

fn words(report: &Report, from: &DatabaseUrl, to: &DatabaseUrl) -> String {
    if !report.agrees() {
        return format!(
            "{to} does NOT hold what {from} holds: the source was changed while it was copied. Stop every \
             `calendar-sync serve`, throw this target away, and copy into an empty database"
        );
    }
    let mut text = format!("{} rows were copied", report.copied);
    if report.before > 0 {
        text.push_str(&format!(", {} had been before", report.before));
    }
    text.push_str(&format!("; {to} holds what {from} holds\n"));
    if report.zeros > 0 {
        text.push_str(&format!(
            "{} texts hold a character zero, which PostgreSQL cannot store: U+FFFD stands there instead\n",
            report.zeros
        ));
    }
    text.push_str("next: set database.url to the new place and start `calendar-sync serve`, with the same sealing key as before");
    if let Some(key) = from.file().map(|file| key_path(&file)).filter(|key| key.exists()) {
        text.push_str(&format!(" (set secrets.key_file to {}, or take it along)", key.display()));
    }
    text.push_str("; never start it on the old database again: both would write to the same calendars");
    text
}

/// A table of the report, as programs see it.
struct Row(Compared);

impl serde::Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Compared { table, source, target } = self.0;
        let side = |content: calsync_store::copy::Content| json!({"rows": content.rows, "digest": content.digest.to_string()});
        json!({"table": table, "source": side(source), "target": side(target), "agrees": self.0.agrees()})
            .serialize(serializer)
    }
}
