//! Many seeds of the model test on SQLite, and proof that they ask about everything.

use std::sync::Arc;

use calsync_store::contract::model::{Tally, run};
use calsync_store::{Migrate, SqlStore};

use crate::lite::url;

/// Seeds and steps of every test run. More: `CALSYNC_MODEL_SEED=… CALSYNC_MODEL_STEPS=…` on the contract's own test.
const SEEDS: u64 = 15;
const STEPS: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_seeds_agree_and_ask_about_everything() {
    let mut tally = Tally::new();
    for seed in 100..100 + SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::open(&url(&dir), Migrate::Run).await.unwrap());
        for (name, (worked, refused)) in run(store, seed, STEPS).await {
            let sum = tally.entry(name).or_default();
            *sum = (sum.0 + worked, sum.1 + refused);
        }
    }
    println!("{tally:#?}");
    let seldom: Vec<_> = tally.iter().filter(|(_, (worked, _))| *worked < 3).collect();
    assert!(seldom.is_empty(), "these hardly ever worked: {seldom:?}");
    let fenced = ["renew_lease", "release", "begin_run", "apply_pull", "enqueue", "settle", "end_run"];
    let never: Vec<_> =
        fenced.iter().filter(|name| tally.get(*name).is_none_or(|(_, refused)| *refused < 3)).collect();
    assert!(never.is_empty(), "these were hardly ever refused: {never:?}");
}
