//! What the program says to the person or script that called it: results on stdout, errors and remarks on stderr.
//! The only place that prints. Never writes colour codes: a table must read the same in a pipe.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use serde::Serialize;

mod ask;
mod progress;

pub use ask::Answer;
pub use progress::Progress;

/// How results are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Sentences and tables, for people.
    #[default]
    Text,
    /// JSON, for programs.
    Json,
}

/// Why a result could not be written: standard output is one for the whole process, and so is this.
static LOST: OnceLock<String> = OnceLock::new();

/// Why a result did not arrive, if one did not. A command that worked has failed all the same for whoever reads its result.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Keeps in mind what a write of a result came to.
pub(crate) fn heed(written: io::Result<()>) {
    if let Some(why) = written.err().and_then(|error| why_lost(&error)) {
        let _ = LOST.set(why);
    }
}

/// A reader that went away (`| head`) has what it wanted: that is no failure.
fn why_lost(error: &io::Error) -> Option<String> {
    let gone = error.kind() == ErrorKind::BrokenPipe;
    (!gone).then(|| format!("the result could not be written to standard output: {error}"))
}

/// So many of something: "1 calendar", "2 calendars".
pub fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Where a command's results go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Out {
    /// How they are shown.
    pub format: Format,
}

impl Out {
    /// Shows results in this format.
    pub const fn new(format: Format) -> Out {
        Out { format }
    }

    /// One result: `text` for people, `value` for programs.
    pub fn result(self, text: &str, value: &impl Serialize) {
        match self.format {
            Format::Text => print_line(text.trim_end()),
            Format::Json => print_line(&json(value)),
        }
    }

    /// Rows of a kind: a table for people (or `empty`, when there are none), a JSON array for programs.
    pub fn rows<T: Serialize>(
        self,
        header: &[&str],
        rows: &[T],
        cells: impl Fn(&T) -> Vec<String>,
        empty: &str,
    ) {
        match self.format {
            Format::Json => print_line(&json(&rows)),
            Format::Text if rows.is_empty() => print_line(empty),
            Format::Text => {
                let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
                print_line(table(header, &cells).trim_end());
            }
        }
    }

    /// Text that is the result itself, in either format: a generated document, a completion script.
    pub fn raw(self, text: &str) {
        let mut stdout = io::stdout().lock();
        heed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
    }

    /// One line of a result that comes bit by bit.
    pub fn line(self, text: &str) {
        print_line(text);
    }

    /// A remark beside the result: on stderr, so that it never mixes with what a program reads.
    pub fn note(self, text: &str) {
        eprint_line(text);
    }

    /// What went wrong: on stderr, as JSON where the results would have been JSON.
    pub fn error(self, code: &str, message: &str) {
        match self.format {
            Format::Text => eprint_line(&format!("error: {message}")),
            Format::Json => {
                eprint_line(&json(&serde_json::json!({"error": {"code": code, "message": message}})))
            }
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("what commands show has text keys only")
}

fn print_line(text: &str) {
    let mut stdout = io::stdout().lock();
    heed(writeln!(stdout, "{}", printable(text)).and_then(|()| stdout.flush()));
}

fn eprint_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// A calendar's name comes from outside: it must not be able to steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Columns padded to their widest cell, two spaces apart.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let head = header.get(column).map_or(0, |h| h.chars().count());
        rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).fold(head, usize::max)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "längere".to_owned()], vec!["bcd".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["ID", "NAME"], &rows), "ID   NAME\na    längere\nbcd  x\n");
    }

    #[test]
    fn only_a_reader_that_went_away_has_what_it_wanted() {
        assert_eq!(why_lost(&ErrorKind::BrokenPipe.into()), None);
        for kind in [ErrorKind::StorageFull, ErrorKind::WriteZero, ErrorKind::Other] {
            assert!(why_lost(&kind.into()).unwrap().contains("standard output"), "{kind:?}");
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\tc\nd\r"), "a\u{fffd}[31mb\tc\nd\u{fffd}");
    }
}
