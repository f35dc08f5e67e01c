//! A load of receipts and runs that goes on while its server is treated badly. A sender who is told to come back does so,
//! as providers do; a worker who is cut off begins again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use calsync_core::ports::{Store, StoreError};
use tokio::task::JoinSet;

use super::fleet::{Fleet, Told};

/// Rest of a sender who was refused.
const BACK: Duration = Duration::from_millis(20);

/// A load.
pub(crate) struct Load {
    senders: JoinSet<Told>,
    workers: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    next: AtomicU64,
    /// Grows, so that leases of workers who were cut off run out.
    clock: AtomicI64,
    answered: AtomicU64,
}

impl Load {
    /// Begins it.
    pub(crate) fn begin(store: &Arc<dyn Store>, fleet: &Fleet, senders: u64, workers: u64) -> Load {
        let shared = Arc::new(Shared::default());
        let mut load = Load { senders: JoinSet::new(), workers: JoinSet::new(), shared };
        for _ in 0..senders {
            load.senders.spawn(send(store.clone(), fleet.clone(), load.shared.clone()));
        }
        for worker in 0..workers {
            load.workers.spawn(work(store.clone(), fleet.clone(), load.shared.clone(), worker));
        }
        load
    }

    /// Waits for so many receipts from now on; how long that took.
    pub(crate) async fn answers(&self, more: u64) -> Duration {
        let (began, enough) = (Instant::now(), self.shared.answered.load(Ordering::Relaxed) + more);
        while self.shared.answered.load(Ordering::Relaxed) < enough {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody is answered any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Ends it, once every sender has an answer; what they were told.
    pub(crate) async fn end(self) -> Told {
        self.shared.over.store(true, Ordering::Relaxed);
        let mut told = Told::default();
        for one in self.senders.join_all().await {
            told.add(one);
        }
        self.workers.join_all().await;
        told
    }
}

async fn send(store: Arc<dyn Store>, fleet: Fleet, shared: Arc<Shared>) -> Told {
    let mut told = Told::default();
    while !shared.over.load(Ordering::Relaxed) {
        let n = shared.next.fetch_add(1, Ordering::Relaxed);
        while !told.deliver(store.as_ref(), &fleet, n).await {
            tokio::time::sleep(BACK).await;
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    told
}

async fn work(store: Arc<dyn Store>, fleet: Fleet, shared: Arc<Shared>, worker: u64) {
    while !shared.over.load(Ordering::Relaxed) {
        let now = 2_000 + 100 * shared.clock.fetch_add(1, Ordering::Relaxed);
        match fleet.work(store.as_ref(), worker, now).await {
            Ok(_) => {}
            // Whose lease ran out meanwhile was replaced.
            Err(StoreError::Unavailable(_) | StoreError::LeaseLost(_)) => {}
            Err(other) => panic!("worker {worker}: {other}"),
        }
        tokio::time::sleep(BACK).await;
    }
}
