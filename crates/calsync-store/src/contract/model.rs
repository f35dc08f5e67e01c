//! The model test: the same random operations on the store and on the reference, and the same picture after each.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::ports::Store;

use super::sequence::{Sequence, observe};
use crate::MemoryStore;

/// Sequences, each from its own seed. `CALSYNC_MODEL_SEED` runs one alone; `CALSYNC_MODEL_STEPS` makes it longer.
const STEPS: u64 = 250;

/// One sequence on the store given; a seed that fails is printed.
pub async fn agrees_with_the_reference(store: Arc<dyn Store>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("CALSYNC_MODEL_SEED").unwrap_or(1);
    run(store, seed, number("CALSYNC_MODEL_STEPS").unwrap_or(STEPS)).await;
}

/// The picture of a whole store, by nothing but its port: two that show the same one hold the same.
pub async fn picture(store: &Arc<dyn Store>) -> Vec<String> {
    observe(store).await
}

/// How often each operation worked, and how often it was refused.
pub type Tally = BTreeMap<&'static str, (u32, u32)>;

/// One sequence of so many operations. Sums of tallies show whether a set of seeds asks enough.
pub async fn run(store: Arc<dyn Store>, seed: u64, steps: u64) -> Tally {
    let reference: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut sequence = Sequence::new(seed);
    sequence.settle_in(&reference, &store).await;
    for step in 0..steps {
        let name = sequence.step(&reference, &store).await;
        let (expected, found) = (observe(&reference).await, observe(&store).await);
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(
                found, expected,
                "after step {step} ({name}) of seed {seed} (CALSYNC_MODEL_SEED={seed})"
            );
        }
        assert_eq!(found.len(), expected.len(), "after step {step} ({name}) of seed {seed}");
    }
    sequence.tally
}
