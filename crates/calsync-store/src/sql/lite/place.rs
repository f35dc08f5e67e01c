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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests {
    use super::super::{Lite, Missing};
    use super::*;

    #[test]
    fn a_log_that_was_replaced_while_a_commit_went_on_is_told_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, log) = (dir.path().join("data.db"), dir.path().join("data.db-wal"));
        std::fs::write(&file, b"").unwrap();
        let place = Place::of(&file).unwrap();
        assert!(place.check_written().is_err(), "there is none");
        std::fs::write(&log, b"").unwrap();
        assert_eq!((place.check_written(), place.check_log()), (Ok(()), Ok(())));
        std::fs::rename(&log, dir.path().join("away")).unwrap();
        std::fs::write(&log, b"").unwrap();
        assert!(place.check_written().is_err());
        place.forget_log();
        assert_eq!(place.check_written(), Ok(()));
    }

    #[tokio::test]
    async fn a_writer_that_is_opened_anew_has_a_log_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("data.db").display());
        let lite = Lite::open(&url, Missing::Create).await.unwrap();
        lite.exec("CREATE TABLE a (b INTEGER)", vec![]).await.unwrap();
        // The last connection takes the log with it, as after a full disk.
        lite.writer.acquire().await.unwrap().close().await.unwrap();
        assert!(!dir.path().join("data.db-wal").exists());
        let tx = lite.begin().await.unwrap();
        tx.commit().await.unwrap();
        lite.exec("INSERT INTO a VALUES (1)", vec![]).await.unwrap();
    }
}
