//! The store that the settings ask for. The only place of this crate that knows which stores there are.

use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use calsync_core::ports::{Store, StoreError};
pub use calsync_store::Migrate;
use calsync_store::SqlStore;

use crate::config::DatabaseSettings;
use crate::secrets::first_run::KEY_FILE;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum NoStore {
    /// Nothing there yet.
    #[error("there is no database at {0}: run `calendar-sync migrate` to make it, or set database.url")]
    Missing(String),
    /// Nothing there any more, by what stands beside its place.
    #[error(
        "there is no database at {0}, and the sealing key of one is there: if it was moved or lost, bring it back or restore a \
        backup (docs/runbook.md, database_down); only if there never was one, `calendar-sync migrate` makes it"
    )]
    Gone(String),
    /// The directory has to be there first.
    #[error("the directory {0} does not exist: make it, or set database.url to another place")]
    NoDirectory(String),
    /// It can't be made there.
    #[error("{0}")]
    NotMade(String),
    /// The database itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store. `Migrate::Run` makes or updates the database; `Migrate::Check` refuses one that is not up to date.
pub async fn open(settings: &DatabaseSettings, migrate: Migrate) -> Result<Arc<dyn Store>, NoStore> {
    if migrate == Migrate::Check {
        present(settings)?;
    } else if let Some(file) = settings.file() {
        has_directory(&file)?;
        make_private(&file).map_err(NoStore::NotMade)?;
    }
    let store = SqlStore::open_with(settings.url.expose(), migrate, settings.max_connections).await?;
    Ok(Arc::new(store))
}

/// Whether there is anything to open, as far as its file tells.
pub(crate) fn present(settings: &DatabaseSettings) -> Result<(), NoStore> {
    let Some(file) = settings.file() else { return Ok(()) };
    has_directory(&file)?;
    if file.exists() {
        return Ok(());
    }
    let place = file.display().to_string();
    let had_one = file.with_file_name(KEY_FILE).exists();
    Err(if had_one { NoStore::Gone(place) } else { NoStore::Missing(place) })
}

fn has_directory(file: &Path) -> Result<(), NoStore> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(NoStore::NoDirectory(folder.display().to_string())),
        None => Ok(()),
    }
}

/// What people do all day is nobody else's business: a new database is for its owner alone (SQLite gives its journals
/// the same permissions). A file that is there keeps what it has.
///
/// # Errors
/// It can't be made: in words that say what to do.
pub(crate) fn make_private(file: &Path) -> Result<(), String> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => hand_over(file),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            let todo = "let the user who runs this write there, or name another place";
            return Err(format!("{} can't be made ({error}): {todo}", file.display()));
        }
    }
    Ok(())
}

/// What root makes in somebody's directory is theirs: a service that cannot read what was restored for it does not start. Anybody
/// else may not give files away, and has made it for themselves.
pub(crate) fn hand_over(file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(made), Ok(folder)) = (file.metadata(), folder.metadata()) else { return };
    if made.uid() != folder.uid() {
        let _ = std::os::unix::fs::chown(file, Some(folder.uid()), Some(folder.gid()));
    }
}
