//! What was done to which calendar when: runs, each write of one with its receipt, and undoing it.

use askama::Template;
use calsync_core::journal::{Activity as Told, JournalRow};
use calsync_core::names::Names;
use calsync_core::run::{Run, RunKind, RunStatus};
use calsync_core::undo::WhyNot;
use calsync_engine::{RunDetail, RunRow, Undoable, Undoing};

use crate::words::{Times, When, milliseconds};
use crate::{Frame, Tone};

/// Runs.
#[derive(Template, Debug)]
#[template(path = "activity.html")]
pub struct Activity {
    /// What stands around it.
    pub frame: Frame,
    /// Calendars that can be asked for: id, name, whether it is the chosen one.
    pub calendars: Vec<(String, String, bool)>,
    /// Runs that wrote nothing are shown, too.
    pub shows_idle: bool,
    /// The address of this page.
    pub here: String,
    /// The newest first.
    pub runs: Vec<RunLine>,
    /// Where the next page is.
    pub next: Option<String>,
}

/// A run.
#[derive(Debug)]
pub struct RunLine {
    /// Its id.
    pub id: String,
    /// When it began.
    pub began: When,
    /// The calendar that it looked at.
    pub calendar: String,
    /// What asked for it.
    pub because: String,
    /// What it did, by target.
    pub did: Vec<String>,
    /// How it ended.
    pub ended: (Tone, &'static str),
    /// What went wrong.
    pub error: Option<String>,
}

/// One run.
#[derive(Template, Debug)]
#[template(path = "run.html")]
pub struct RunPage {
    /// What stands around it.
    pub frame: Frame,
    /// The run.
    pub line: RunLine,
    /// Its writes.
    pub rows: Vec<Write>,
    /// What undoing it does: so many blocks go, come back, change back. `None`: nothing.
    pub undo: Option<String>,
    /// How many can not.
    pub not: usize,
}

/// One write.
#[derive(Debug)]
pub struct Write {
    /// What was done.
    pub deed: &'static str,
    /// Where.
    pub target: String,
    /// For whose time, and when that is.
    pub block: String,
    /// Why.
    pub reason: String,
    /// Seen, fetched, written, verified.
    pub receipt: [(&'static str, String); 4],
    /// Whether it can be undone.
    pub undo: String,
}

impl RunLine {
    /// Of a run.
    pub fn of(told: &Told, names: &Names, times: &Times) -> RunLine {
        let run = &told.run;
        let did = told.wrote.iter().map(|one| {
            let parts = [(one.created, "new"), (one.changed, "changed"), (one.removed, "removed")];
            let parts: Vec<String> =
                parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
            format!("{} in {}", parts.join(", "), names.get(one.target))
        });
        let (ended, error) = match &run.status {
            RunStatus::Running => ((Tone::Info, "going on"), None),
            RunStatus::Succeeded => ((Tone::Good, "done"), None),
            RunStatus::Failed { error } => ((Tone::Bad, "failed"), Some(error.clone())),
        };
        RunLine {
            id: run.id.to_string(),
            began: times.when(run.started_at),
            calendar: names.get(run.calendar).to_owned(),
            because: because(run),
            did: did.collect(),
            ended,
            error,
        }
    }
}

impl RunPage {
    /// Of a run with its writes.
    pub fn of(frame: Frame, told: &RunDetail, names: &Names, times: &Times) -> RunPage {
        let line = RunLine::of(&Told { run: told.run.clone(), wrote: Vec::new() }, names, times);
        let is_not = |row: &&RunRow| matches!(row.undo, Undoable::No(why) if why != WhyNot::BeingUndone);
        let not = told.rows.iter().filter(is_not).count();
        let undo = (!told.undoing.is_empty()).then(|| Undoing::in_words(&told.undoing));
        let does = |row: &RunRow| {
            let one = told.undoing.iter().find(|one| one.correlation == row.row.correlation);
            one.map_or("", |one| one.what)
        };
        let rows = told.rows.iter().map(|row| Write::of(row, does(row), names, times)).collect();
        RunPage { frame, line, rows, undo, not }
    }
}

impl Write {
    fn of(told: &RunRow, does: &str, names: &Names, times: &Times) -> Write {
        let row = &told.row;
        let undo = undone(told.undo, does);
        Write {
            deed: row.deed.as_str(),
            target: names.get(row.target).to_owned(),
            block: block(row, names, times),
            reason: row.reason.to_string(),
            receipt: receipt(row, times),
            undo,
        }
    }
}

/// Whether a write can be undone, and what that does to its block.
fn undone(undo: Undoable, does: &str) -> String {
    match undo {
        Undoable::Possible => format!("yes: it {does}"),
        Undoable::Already => "stands as before already".to_owned(),
        Undoable::No(WhyNot::BeingUndone) => "it is being undone just now".to_owned(),
        Undoable::No(why) => format!("no: {why}"),
    }
}

fn block(row: &JournalRow, names: &Names, times: &Times) -> String {
    let when = row.after.as_ref().or(row.before.as_ref()).map(|content| {
        let (start, _) = content.span.instants(&times.zone);
        let start = start.to_jiff().to_zoned(times.zone.clone());
        if content.span.is_all_day() {
            start.strftime("%a %-d %b, all day").to_string()
        } else {
            start.strftime("%a %-d %b, %H:%M").to_string()
        }
    });
    format!("{}, for {}", when.unwrap_or_else(|| "time not known".to_owned()), names.get(row.source))
}

/// The times of a write: when it was seen, and how long each step took from there.
fn receipt(row: &JournalRow, times: &Times) -> [(&'static str, String); 4] {
    let receipt = row.receipt;
    let began = receipt.seen_at.or(receipt.fetched_at);
    let after = |at: Option<calsync_core::time::Ts>| match (at, began) {
        (None, _) => "–".to_owned(),
        (Some(at), Some(began)) if at >= began => {
            format!("+{}", milliseconds(u64::try_from(at.since(began).as_millis()).unwrap_or_default()))
        }
        (Some(at), _) => times.when(at).short,
    };
    [
        ("seen", receipt.seen_at.map_or_else(|| "–".to_owned(), |at| times.when(at).full)),
        ("fetched", after(receipt.fetched_at)),
        ("written", after(Some(receipt.written_at))),
        ("verified", receipt.verified_at.map_or_else(|| "not yet".to_owned(), |at| after(Some(at)))),
    ]
}

/// Why a run was made, in words.
pub(crate) fn because(run: &Run) -> String {
    let kind = match run.kind {
        RunKind::Webhook => "push",
        RunKind::Polling => "poll",
        RunKind::Full => "full reading",
        RunKind::Write => "write",
    };
    if run.trigger.starts_with(kind) { run.trigger.clone() } else { format!("{kind}: {}", run.trigger) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_says_what_it_does() {
        let table = [
            (Undoable::Possible, "yes: it goes"),
            (Undoable::Already, "stands as before already"),
            (Undoable::No(WhyNot::Past), "no: its time is over"),
            (Undoable::No(WhyNot::BeingUndone), "it is being undone just now"),
        ];
        for (undo, words) in table {
            assert_eq!(undone(undo, "goes"), words);
        }
    }
}
