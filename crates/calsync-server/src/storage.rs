//! The store that the settings ask for. The only place of this crate that knows which stores there are.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use calsync_core::ports::{Store, StoreError};
pub use calsync_store::Migrate;
use calsync_store::SqlStore;

use crate::config::DatabaseSettings;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum NoStore {
    /// Nothing there yet.
    #[error("there is no database at {0}: run `calendar-sync migrate` to make it, or set database.url")]
    Missing(String),
    /// The directory has to be there first.
    #[error("the directory {0} does not exist: make it, or set database.url to another place")]
    NoDirectory(String),
    /// The database itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store. `Migrate::Run` makes or updates the database; `Migrate::Check` refuses one that is not up to date.
pub async fn open(settings: &DatabaseSettings, migrate: Migrate) -> Result<Arc<dyn Store>, NoStore> {
    if let Some(file) = settings.file() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(NoStore::NoDirectory(folder.display().to_string()));
        }
        if migrate == Migrate::Check && !file.exists() {
            return Err(NoStore::Missing(file.display().to_string()));
        }
        if migrate == Migrate::Run {
            make_private(&file);
        }
    }
    let store = SqlStore::open_with(settings.url.expose(), migrate, settings.max_connections).await?;
    Ok(Arc::new(store))
}

/// What people do all day is nobody else's business: a new database is for its owner alone (SQLite gives its journals
/// the same permissions). A file that is there keeps what it has, and one that can't be made is the store's to report.
pub(crate) fn make_private(file: &Path) {
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
}
