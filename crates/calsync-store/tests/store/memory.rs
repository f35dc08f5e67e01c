//! The contract on the reference store.

use std::sync::Arc;

use calsync_store::MemoryStore;
use calsync_store::contract::Fresh;

async fn fresh() -> Fresh {
    Fresh { store: Arc::new(MemoryStore::new()), keep: Box::new(()) }
}

calsync_store::store_contract!(super::fresh);
