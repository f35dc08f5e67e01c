//! The contract on PostgreSQL.

use std::sync::Arc;

use calsync_store::contract::Fresh;
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;

async fn fresh() -> Fresh {
    let database = Database::shared();
    let store = SqlStore::open(&database.url(), Migrate::Run).await.unwrap();
    Fresh { store: Arc::new(store), keep: Box::new(database) }
}

calsync_store::store_contract!(super::fresh);
