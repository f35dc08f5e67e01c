//! The contract on PostgreSQL.

use std::sync::Arc;

use calsync_store::contract::Fresh;
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::Database;

mod bell;
mod disk;
mod failover;
mod fleet;
mod forwarder;
mod instances;
mod load;
mod migrating;
mod opening;
mod pooler;
mod restart;
mod silence;
mod tls;

async fn fresh() -> Fresh {
    let database = Database::shared();
    let store = SqlStore::open(database.url(), Migrate::Run).await.unwrap();
    Fresh { store: Arc::new(store), keep: Box::new(database) }
}

calsync_store::store_contract!(super::fresh);
