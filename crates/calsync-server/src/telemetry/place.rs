//! Which files an instance writes: the first name that no other instance on this machine has taken. A lock that the system
//! gives back whatever becomes of the process says which are taken, so that names are used again after a restart, and
//! there are never more files than instances ran at once.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// First part of every name.
const STEM: &str = "calendar-sync";
/// Instances that may share a directory.
const INSTANCES_MAX: usize = 64;

/// A name that is ours for as long as this lives.
pub(super) struct Taken {
    directory: PathBuf,
    stem: String,
    _lock: File,
}

impl Taken {
    /// Takes the first name that is free. Makes the directory.
    pub(super) fn in_directory(directory: &Path) -> io::Result<Taken> {
        fs::create_dir_all(directory)?;
        for number in 1..=INSTANCES_MAX {
            let stem = if number == 1 { STEM.to_owned() } else { format!("{STEM}-{number}") };
            // Not the log itself: the lock must not go away with a file that is renamed.
            let lock = File::create(directory.join(format!("{stem}.lock")))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Taken { directory: directory.to_owned(), stem, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{INSTANCES_MAX} instances write there already")))
    }

    /// The file for every line.
    pub(super) fn main(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.stem))
    }

    /// The file for errors alone.
    pub(super) fn errors(&self) -> PathBuf {
        self.directory.join(format!("{}-errors.log", self.stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_files_of_its_own_and_names_are_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let take = || Taken::in_directory(dir.path()).unwrap();
        let name = |taken: &Taken| taken.main().file_name().unwrap().to_str().unwrap().to_owned();
        let (first, second, third) = (take(), take(), take());
        assert_eq!(
            [&first, &second, &third].map(name),
            ["calendar-sync.log", "calendar-sync-2.log", "calendar-sync-3.log"]
        );
        assert!(second.errors().ends_with("calendar-sync-2-errors.log"));
        drop(second);
        assert_eq!(name(&take()), "calendar-sync-2.log", "the one that ended left its name");
    }
}
