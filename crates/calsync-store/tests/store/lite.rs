//! The contract on SQLite.

use std::sync::Arc;

use calsync_store::contract::Fresh;
use calsync_store::{Migrate, SqlStore};
use tempfile::TempDir;

/// The URL of a database in a directory.
pub(crate) fn url(dir: &TempDir) -> String {
    format!("sqlite:{}", dir.path().join("data.db").display())
}

async fn fresh() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&dir), Migrate::Run).await.unwrap();
    Fresh { store: Arc::new(store), keep: Box::new(dir) }
}

calsync_store::store_contract!(super::fresh);
