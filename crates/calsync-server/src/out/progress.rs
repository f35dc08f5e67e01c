//! How far long work is, for a person who watches: a bar on stderr, and only where stderr is a terminal and results are
//! not JSON. Anywhere else it is silent, and never a byte of it mixes with a result. Goes away by itself when dropped.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Format, Out, printable};

/// Without colours, like everything that this program prints.
const BAR: &str = "{msg:38} [{bar:30}] {human_pos}/{human_len}, {eta} left";
/// Drawn again so often even if nothing moves: the time that is left goes on.
const TICK: Duration = Duration::from_millis(500);

/// How far a piece of work is.
#[derive(Debug)]
#[must_use = "it is shown until it is dropped"]
pub struct Progress {
    /// None: nobody watches.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Work of `total` steps begins.
    pub fn start(out: Out, what: &str, total: u64) -> Progress {
        if !out.is_watched() {
            return Progress { bar: None };
        }
        let progress = Progress::on(ProgressDrawTarget::stderr(), what, total);
        if let Some(bar) = &progress.bar {
            bar.enable_steady_tick(TICK);
        }
        progress
    }

    fn on(target: ProgressDrawTarget, what: &str, total: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // The default looks well enough, should the template ever be wrong.
        bar.set_style(ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let progress = Progress { bar: Some(bar) };
        progress.tell(what);
        progress
    }

    /// So many more steps are done. Work that turns out longer than was thought makes the whole longer, never the part
    /// more than the whole.
    pub fn step(&self, steps: u64) {
        self.reach(self.done().saturating_add(steps));
    }

    /// So many steps are done, of all.
    pub fn reach(&self, done: u64) {
        let Some(bar) = &self.bar else { return };
        if bar.length().is_some_and(|total| total < done) {
            bar.set_length(done);
        }
        bar.set_position(done);
    }

    /// What is worked on from now on.
    pub fn tell(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(what));
        }
    }

    /// There is more, or less, to do than was thought.
    pub fn expect(&self, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(bar.position()));
        }
    }

    fn done(&self) -> u64 {
        self.bar.as_ref().map_or(0, ProgressBar::position)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Out {
    /// Whether a person sees what is written to stderr, and wants words.
    pub fn is_watched(self) -> bool {
        self.format == Format::Text && std::io::stderr().is_terminal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_is_never_more_than_the_whole() {
        let progress = Progress::on(ProgressDrawTarget::hidden(), "Counting", 3);
        let bar = progress.bar.clone().unwrap();
        let stands = || (bar.position(), bar.length().unwrap());
        progress.step(2);
        assert_eq!(stands(), (2, 3));
        progress.step(2);
        assert_eq!(stands(), (4, 4));
        progress.expect(2);
        assert_eq!(stands(), (4, 4));
        progress.expect(9);
        progress.reach(7);
        assert_eq!(stands(), (7, 9));
        progress.tell("a\u{1b}[31mb");
        assert_eq!(bar.message(), "a\u{fffd}[31mb", "a calendar's name cannot steer the terminal");
        drop(progress);
        assert!(bar.is_finished());
    }

    #[test]
    fn where_nobody_watches_nothing_is_drawn() {
        let progress = Progress::start(Out::new(Format::Json), "Counting", 3);
        assert!(progress.bar.is_none());
        progress.step(5);
        progress.tell("still");
    }
}
