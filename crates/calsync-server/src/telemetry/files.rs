//! Log files beside the console: one for every line, one for errors apart. A thread writes them, so that nobody who logs
//! ever waits for a disk. What cannot be written is counted, and said once, as soon as it can be said; the service and
//! the console go on.
//!
//! The second file takes `ERROR` alone: that is what this installation could not do. What providers and strangers do to it
//! is a warning, and however much of it there is, it pushes no error out of its file.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::place::Taken;
use super::rotation::RotatingFile;
use crate::config::LogSettings;

/// Lines that wait for the disk at most; some 300 bytes each. Further ones are counted instead.
const QUEUE: usize = 8_192;
/// How long files must have taken every line before they count as well again: on a disk that is almost full, short lines
/// find room between long ones that do not.
const WELL_AGAIN: Duration = Duration::from_secs(3);
/// How long the end waits for lines that are not yet written.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A line, or the end.
enum Order {
    Line { errors_too: bool, text: Box<[u8]> },
    End(SyncSender<()>),
}

/// Where lines for the files are handed in. Never waits.
#[derive(Clone)]
pub(super) struct LogFiles {
    queue: SyncSender<Order>,
    /// Lines that found the queue full.
    overrun: Arc<AtomicU64>,
}

impl LogFiles {
    /// Opens the files of `settings` in this directory, and starts the thread that writes them.
    pub(super) fn start(directory: &Path, settings: &LogSettings) -> io::Result<LogFiles> {
        let taken = Taken::in_directory(directory)?;
        let main = RotatingFile::open(taken.main(), settings.max_bytes, settings.max_files)?;
        let errors = RotatingFile::open(taken.errors(), settings.max_bytes, settings.max_error_files)?;
        let (queue, orders) = sync_channel(QUEUE);
        let overrun = Arc::new(AtomicU64::new(0));
        let writer = Writer { main, errors, loss: Loss::default(), overrun: overrun.clone(), _taken: taken };
        std::thread::Builder::new().name("log files".to_owned()).spawn(move || writer.serve(&orders))?;
        Ok(LogFiles { queue, overrun })
    }

    /// Writes what waits, within a bound of time. What is logged afterwards reaches the console alone.
    pub(super) fn end(&self) {
        let (told, done) = sync_channel(1);
        let until = Instant::now() + END_PATIENCE;
        let mut order = Order::End(told);
        while let Err(full) = self.queue.try_send(order) {
            let std::sync::mpsc::TrySendError::Full(again) = full else { return };
            if Instant::now() >= until {
                return;
            }
            order = again;
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = done.recv_timeout(END_PATIENCE);
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { files: self, errors_too: false }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        Line { files: self, errors_too: *of.level() == Level::ERROR }
    }
}

/// Takes one line.
pub(super) struct Line<'a> {
    files: &'a LogFiles,
    errors_too: bool,
}

impl io::Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let order = Order::Line { errors_too: self.errors_too, text: text.into() };
        if self.files.queue.try_send(order).is_err() {
            self.files.overrun.fetch_add(1, Ordering::Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread's.
struct Writer {
    main: RotatingFile,
    errors: RotatingFile,
    loss: Loss,
    overrun: Arc<AtomicU64>,
    _taken: Taken,
}

impl Writer {
    fn serve(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(WELL_AGAIN) {
                Ok(Order::Line { errors_too, text }) => {
                    let written = self.main.write_line(&text);
                    let apart = if errors_too { self.errors.write_line(&text) } else { Ok(()) };
                    say(self.loss.after(written.and(apart), Instant::now()));
                }
                Ok(Order::End(told)) => {
                    say(self.loss.at_the_end());
                    let _ = told.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    say(self.loss.in_silence(Instant::now()));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let overrun = self.overrun.swap(0, Ordering::Relaxed);
            if overrun > 0 {
                tracing::warn!(
                    lines = overrun,
                    "lines of the log came faster than the files take them: these stand on the console alone"
                );
            }
        }
    }
}

/// Comes back to the files by the way of every line; what does not fit there is on the console.
fn say(news: Option<News>) {
    match news {
        None => {}
        Some(News::Broken(why)) => tracing::error!(
            error = why,
            "the log files cannot be written: lines go to the console alone, and are counted"
        ),
        Some(News::Lost(lines)) => {
            tracing::warn!(lines, "lines of the log are missing from the files: they could not be written");
        }
    }
}

/// Something to say about the files.
#[derive(PartialEq, Eq, Debug)]
enum News {
    /// They take no lines any more.
    Broken(String),
    /// They take them again, but for so many.
    Lost(u64),
}

/// What was lost, and whether it was said. Pure but for the time, which is passed in.
#[derive(Default)]
struct Loss {
    lines: u64,
    failed_at: Option<Instant>,
    /// A line was written since.
    taken_since: bool,
}

impl Loss {
    fn after(&mut self, written: io::Result<()>, now: Instant) -> Option<News> {
        let Err(error) = written else {
            self.taken_since = true;
            return self.in_silence(now);
        };
        self.lines += 1;
        self.taken_since = false;
        let first = self.failed_at.replace(now).is_none();
        first.then(|| News::Broken(crate::secrets::keyfile::reason(&error)))
    }

    fn in_silence(&mut self, now: Instant) -> Option<News> {
        let failed_at = self.failed_at?;
        if self.taken_since && now.duration_since(failed_at) >= WELL_AGAIN {
            return self.at_the_end();
        }
        None
    }

    fn at_the_end(&mut self) -> Option<News> {
        self.failed_at.take()?;
        Some(News::Lost(std::mem::take(&mut self.lines)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_said_once_when_it_begins_and_once_when_it_is_over() {
        let (mut loss, begin) = (Loss::default(), Instant::now());
        let full = || Err(io::Error::other("full"));
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(loss.after(Ok(()), at(0)), None);
        assert_eq!(loss.after(full(), at(1)), Some(News::Broken("full".to_owned())));
        assert_eq!(loss.after(full(), at(2)), None);
        assert_eq!(loss.after(Ok(()), at(3)), None, "a short line found room");
        assert_eq!(loss.after(full(), at(5)), None);
        assert_eq!(loss.in_silence(at(60)), None, "nothing says that it is over");
        assert_eq!(loss.after(Ok(()), at(61)), Some(News::Lost(3)));
        assert_eq!((loss.after(Ok(()), at(62)), loss.in_silence(at(90))), (None, None));
        assert!(loss.after(full(), at(100)).is_some(), "the next time it is said again");
        assert_eq!(loss.at_the_end(), Some(News::Lost(1)));
    }
}
