//! One log file that makes room for itself: full, it becomes `.1`, what was `.1` becomes `.2`, and the oldest goes. A line is
//! written whole or not at all, and is never lost to a rename: whatever breaks off between two renames leaves a gap in the
//! numbers, which the next round fills. Decides nothing about what is logged, and says nothing itself.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file that cannot be moved out of the way grows on, so that no line is lost, up to so many times its size.
const OVERFULL: u64 = 2;
/// Who runs the service reads it, and their group: that is how log collectors are let in.
const MODE: u32 = 0o640;
/// Older files that are removed in one round when fewer are to be kept than were.
const SURPLUS_MAX: usize = 1_000;

/// A log file and those before it.
pub(super) struct RotatingFile {
    path: PathBuf,
    /// Bytes from which it is full.
    limit: u64,
    /// Full ones that are kept beside it.
    keep: usize,
    open: Option<Open>,
}

struct Open {
    file: File,
    length: u64,
}

impl RotatingFile {
    /// Opens it, or makes it.
    pub(super) fn open(path: PathBuf, limit: u64, keep: usize) -> io::Result<RotatingFile> {
        let mut file = RotatingFile { path, limit, keep, open: None };
        file.opened()?;
        Ok(file)
    }

    /// Appends a line, which ends with a newline. An error means that nothing of it stands there.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let grown = self.opened()?.length.saturating_add(line.len() as u64);
        if grown > self.limit && grown > line.len() as u64 {
            match self.rotate() {
                Ok(()) => {}
                Err(_) if grown <= self.limit.saturating_mul(OVERFULL) => {}
                Err(error) => return Err(error),
            }
        }
        let open = self.opened()?;
        let before = open.length;
        if let Err(error) = open.file.write_all(line) {
            // Half a line is no line. If not even that works, the next opening ends it.
            let _ = open.file.set_len(before);
            self.open = None;
            return Err(error);
        }
        open.length += line.len() as u64;
        Ok(())
    }

    /// The file that stands under the name now: somebody may have removed, moved or emptied it.
    fn opened(&mut self) -> io::Result<&mut Open> {
        let standing = fs::metadata(&self.path).ok();
        let same = |open: &Open, there: &Metadata| {
            open.file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        };
        let kept = self.open.take().zip(standing).filter(|(open, there)| same(open, there));
        let open = match kept {
            Some((open, there)) => Open { length: there.len(), ..open },
            None => fresh(&self.path)?,
        };
        Ok(self.open.insert(open))
    }

    fn rotate(&mut self) -> io::Result<()> {
        let free = (1..=self.keep).find(|number| !self.numbered(*number).exists()).unwrap_or(self.keep);
        for number in (1..free).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))?;
        for number in (self.keep + 1..).take(SURPLUS_MAX) {
            if fs::remove_file(self.numbered(number)).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

/// Opens it to append. What a crash left of a line is ended, so that the next begins a new one.
fn fresh(path: &Path) -> io::Result<Open> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let mut length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
        length += 1;
    }
    Ok(Open { file, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100;

    fn at(dir: &Path) -> RotatingFile {
        RotatingFile::open(dir.join("a.log"), LIMIT, 3).unwrap()
    }

    fn write(file: &mut RotatingFile, numbers: std::ops::Range<u32>) {
        for number in numbers {
            file.write_line(format!("line {number:04}\n").as_bytes()).unwrap();
        }
    }

    fn read(dir: &Path, name: &str) -> String {
        fs::read_to_string(dir.join(name)).unwrap_or_default()
    }

    /// All that stands there, oldest first.
    fn all(dir: &Path) -> String {
        ["a.log.3", "a.log.2", "a.log.1", "a.log"].map(|name| read(dir, name)).concat()
    }

    fn lines(numbers: std::ops::Range<u32>) -> String {
        numbers.map(|number| format!("line {number:04}\n")).collect()
    }

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = at(dir.path());
        write(&mut file, 0..10);
        assert!(!dir.path().join("a.log.1").exists(), "exactly full is not too full");
        write(&mut file, 10..40);
        assert_eq!(all(dir.path()), lines(0..40), "three full ones and the one in use");
        write(&mut file, 40..41);
        assert_eq!(all(dir.path()), lines(10..41), "the oldest went, and nothing else");
        // After a restart it goes on where it was.
        let mut file = at(dir.path());
        write(&mut file, 41..45);
        assert_eq!(all(dir.path()), lines(10..45));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        // Fewer are to be kept than were.
        let mut file = RotatingFile::open(dir.path().join("a.log"), LIMIT, 1).unwrap();
        write(&mut file, 45..55);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_line_longer_than_a_file_is_written_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = at(dir.path());
        let long = format!("{}\n", "x".repeat(300));
        file.write_line(long.as_bytes()).unwrap();
        write(&mut file, 0..1);
        assert_eq!((read(dir.path(), "a.log.1"), read(dir.path(), "a.log")), (long, lines(0..1)));
    }

    #[test]
    fn renames_that_were_broken_off_cost_no_line() {
        let dir = tempfile::tempdir().unwrap();
        write(&mut at(dir.path()), 0..30);
        // It died after `.2` and `.1` had moved on, and before the one in use did.
        fs::rename(dir.path().join("a.log.2"), dir.path().join("a.log.3")).unwrap();
        fs::rename(dir.path().join("a.log.1"), dir.path().join("a.log.2")).unwrap();
        write(&mut at(dir.path()), 30..31);
        assert_eq!(all(dir.path()), lines(0..31));
    }

    #[test]
    fn what_happens_to_the_file_from_outside_costs_only_what_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = at(dir.path());
        write(&mut file, 0..2);
        fs::remove_file(dir.path().join("a.log")).unwrap();
        write(&mut file, 2..4);
        assert_eq!(read(dir.path(), "a.log"), lines(2..4), "removed");
        fs::rename(dir.path().join("a.log"), dir.path().join("b.log")).unwrap();
        write(&mut file, 4..6);
        assert_eq!(
            (read(dir.path(), "b.log"), read(dir.path(), "a.log")),
            (lines(2..4), lines(4..6)),
            "moved"
        );
        fs::rename(dir.path().join("a.log"), dir.path().join("b.log")).unwrap();
        fs::write(dir.path().join("a.log"), lines(0..1)).unwrap();
        write(&mut file, 6..7);
        assert_eq!(read(dir.path(), "a.log"), lines(0..1) + &lines(6..7), "another stands there");
        fs::write(dir.path().join("a.log"), "").unwrap();
        write(&mut file, 7..8);
        assert_eq!(read(dir.path(), "a.log"), lines(7..8), "emptied");
        // A crash in the middle of a line.
        fs::write(dir.path().join("a.log"), "line 00").unwrap();
        write(&mut at(dir.path()), 8..9);
        assert_eq!(read(dir.path(), "a.log"), format!("line 00\n{}", lines(8..9)));
        // The directory goes, and comes back.
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(file.write_line(b"lost\n").is_err());
        fs::create_dir(dir.path()).unwrap();
        write(&mut file, 9..10);
        assert_eq!(read(dir.path(), "a.log"), lines(9..10));
    }

    #[test]
    fn a_file_that_cannot_be_moved_grows_on_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = at(dir.path());
        // What cannot be renamed onto: a directory that is not empty.
        fs::create_dir_all(dir.path().join("a.log.1/x")).unwrap();
        fs::create_dir_all(dir.path().join("a.log.2/x")).unwrap();
        fs::create_dir_all(dir.path().join("a.log.3/x")).unwrap();
        write(&mut file, 0..20);
        assert_eq!(read(dir.path(), "a.log"), lines(0..20));
        assert!(file.write_line(b"one more\n").is_err());
        assert_eq!(read(dir.path(), "a.log"), lines(0..20), "nothing of it stands there");
        fs::remove_dir_all(dir.path().join("a.log.1")).unwrap();
        write(&mut file, 20..21);
        assert_eq!((read(dir.path(), "a.log.1"), read(dir.path(), "a.log")), (lines(0..20), lines(20..21)));
    }
}
