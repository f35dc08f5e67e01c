//! Where the database's files are: whether what is open still stands there. An open file goes on working after it was renamed or
//! removed: what is written then is lost to whoever opens the database next, and must be acknowledged to nobody. Only looks;
//! never moves or makes a file.

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use calsync_core::ports::StoreError;

/// Which file it is, whatever its name: device and inode. While it is open nobody else gets its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Which(u64, u64);

impl Which {
    fn stands_at(path: &Path) -> Option<Which> {
        let of = |found: Metadata| Which(found.dev(), found.ino());
        std::fs::metadata(path).ok().map(of)
    }
}

/// The files that are open, and where they were found.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    log: PathBuf,
    opened: Which,
    /// The write-ahead log of the writer that is open now, once it was seen.
    logged: Mutex<Option<Which>>,
}

impl Place {
    /// Of the file at this path, which was just opened.
    pub(super) fn of(file: &Path) -> Result<Place, StoreError> {
        let opened = Which::stands_at(file).ok_or_else(moved)?;
        // Behind a symbolic link SQLite keeps the log beside the file itself.
        let mut log = OsString::from(std::fs::canonicalize(file).map_err(|_| moved())?);
        log.push("-wal");
        Ok(Place { file: file.to_owned(), log: log.into(), opened, logged: Mutex::new(None) })
    }

    /// Whether the file that is open is still the one that stands there. Asked before anything is read or written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match Which::stands_at(&self.file) {
            Some(found) if found == self.opened => Ok(()),
            Some(_) => Err(replaced()),
            None => Err(moved()),
        }
    }

    /// The same of the log, by whoever has the writer: without one there is none.
    pub(super) fn check_log(&self) -> Result<(), StoreError> {
        let logged = *self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a writer that was opened a moment ago nothing is known yet.
        if logged.is_some() && Which::stands_at(&self.log) != logged { Err(log_gone()) } else { Ok(()) }
    }

    /// Both after a commit, which is in the log by then: only what the next to open it finds is durable.
    pub(super) fn check_written(&self) -> Result<(), StoreError> {
        let found = Which::stands_at(&self.log).ok_or_else(log_gone)?;
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let as_before = *logged.get_or_insert(found) == found;
        drop(logged);
        if as_before { self.check() } else { Err(log_gone()) }
    }

    /// Another writer is opened: its log may be another one.
    pub(super) fn forget_log(&self) {
        *self.logged.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn moved() -> StoreError {
    words("its file was moved or removed while it was in use: put it back, with the files beside it")
}

fn replaced() -> StoreError {
    words(
        "another file was put in the place of the one that is in use: restart calendar-sync to go on with it, or put the first one back",
    )
}

fn log_gone() -> StoreError {
    words(
        "the write-ahead log (-wal) beside its file was moved or removed while it was in use: put it back, or stop calendar-sync, \
         which then saves what is in it, and start it again",
    )
}

fn words(words: &str) -> StoreError {
    StoreError::Unavailable(words.to_owned())
}
