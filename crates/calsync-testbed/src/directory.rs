//! Where servers have their data: a directory each, which goes with its value. Those of test processes that were killed
//! go when the next one begins. It never removes one that somebody holds.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use tempfile::TempDir;

use crate::account;

const PREFIX: &str = "calsync-testbed.";
/// How old one must be before it can be a leftover: none is made and held in one step.
const SETTLED: Duration = Duration::from_secs(60);

/// A directory of the servers' own, held by a lock that the kernel lets go with the process.
#[derive(Debug)]
pub(crate) struct Directory {
    directory: TempDir,
    _lock: File,
}

impl Directory {
    /// Makes one.
    pub(crate) fn new() -> Self {
        static FIRST: Once = Once::new();
        FIRST.call_once(|| sweep(&std::env::temp_dir(), SETTLED));
        Self::within(&std::env::temp_dir())
    }

    fn within(place: &Path) -> Self {
        // Not for other users: through the socket in it the superuser comes in without a password.
        let only_ours = fs::Permissions::from_mode(0o700);
        let directory =
            tempfile::Builder::new().prefix(PREFIX).permissions(only_ours).tempdir_in(place).unwrap();
        let lock = File::open(directory.path()).unwrap();
        lock.lock().unwrap();
        account::give(directory.path());
        Self { directory, _lock: lock }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories that nobody holds.
fn sweep(place: &Path, settled: Duration) {
    for entry in fs::read_dir(place).unwrap().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Not through a link: everybody may put one there.
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Another process may be at it too, or another user may have made it: then it is theirs to remove.
            let _ = remove_if_left(&entry.path(), settled);
        }
    }
}

fn remove_if_left(path: &Path, settled: Duration) -> std::io::Result<()> {
    let held = File::open(path)?;
    let age = held.metadata()?.modified()?.elapsed().unwrap_or_default();
    if age >= settled && held.try_lock().is_ok() {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// The directory that all test processes of this user share. In it stands what is made once, and what is reserved.
pub(crate) fn shared() -> PathBuf {
    let path = std::env::temp_dir().join(format!("calsync-testbed-{}", account::own_uid()));
    // Whether it was there before does not matter, only that it is ours: everybody may write to the place it is in.
    let _ = fs::DirBuilder::new().mode(0o700).create(&path);
    let found = fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_ours = found.is_dir() && found.uid() == account::own_uid();
    assert!(is_ours, "{} belongs to somebody else: remove it", path.display());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_removed_once_it_has_settled() {
        let place = tempfile::tempdir().unwrap();
        let held = Directory::within(place.path());
        let left = place.path().join(format!("{PREFIX}left"));
        let foreign = place.path().join("foreign");
        fs::create_dir_all(left.join("data")).unwrap();
        fs::create_dir(&foreign).unwrap();
        sweep(place.path(), SETTLED);
        assert!(left.exists(), "it may be held in a moment");
        sweep(place.path(), Duration::ZERO);
        assert!(!left.exists() && foreign.exists() && held.path().exists());
    }
}
