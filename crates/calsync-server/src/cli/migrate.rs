//! `migrate`: makes the database, or brings it up to date.

use std::path::Path;

use serde_json::json;

use super::context;
use super::exit::{Exit, Failure};
use crate::out::Out;
use crate::storage::{self, Migrate};

/// Runs it.
pub fn run(file: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let loaded = context::load(file, out)?;
    super::block_on(async {
        let store = storage::open(&loaded.settings.database, Migrate::Run).await?;
        store.ping().await?;
        store.close().await;
        let database = &loaded.settings.database;
        let place = database.file().map_or_else(|| database.url.to_string(), |f| f.display().to_string());
        out.result(
            &format!("the database in {place} is up to date"),
            &json!({"ok": true, "database": place}),
        );
        Ok(Exit::Ok)
    })?
}
