//! Asking the person at the terminal whether they mean it. Where nobody sits there, nobody is asked: a script must say so
//! beforehand.

#![allow(clippy::print_stderr, reason = "a question is no result")]

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::{Out, printable};

/// What a question came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// They mean it.
    Yes,
    /// They do not.
    No,
    /// Nobody is there to be asked.
    Nobody,
}

impl Out {
    /// Asks, and waits for a line. Anything but a plain yes is a no.
    pub fn ask(self, question: &str) -> Answer {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Answer::Nobody;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{} [y/N] ", printable(question)).and_then(|()| stderr.flush());
        let mut line = String::new();
        match stdin.lock().read_line(&mut line) {
            Ok(_) if means_yes(&line) => Answer::Yes,
            _ => Answer::No,
        }
    }
}

fn means_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        for yes in ["y\n", "Y", " yes \r\n", "YES"] {
            assert!(means_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yess", "y y", "ja", "1", "true"] {
            assert!(!means_yes(no), "{no:?}");
        }
    }
}
