//! Instances that share one store and one clock, and a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use calsync_store::MemoryStore;

use super::*;
use crate::system::SystemClock;

const JOB: Job = Job { name: "sweeping", every: SignedDuration::from_mins(30) };
const LEASE: SignedDuration = SignedDuration::from_secs(60);
static ABSENCE: Absence = Absence::none();

#[derive(Default)]
struct Hands(AtomicI64);

impl Hands {
    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Ts {
        Ts::from_secs(1_800_000_000 + self.0.load(Ordering::SeqCst))
    }
}

fn fleet<'a>(store: &'a MemoryStore, clock: &'a Hands, owner: &'a str) -> Fleet<'a> {
    Fleet { store, clock, owner, lease: LEASE, absence: &ABSENCE }
}

async fn ok(ran: &AtomicU32) -> Result<(), EngineError> {
    ran.fetch_add(1, Ordering::SeqCst);
    tokio::task::yield_now().await;
    Ok(())
}

async fn broken() -> Result<(), EngineError> {
    Err(StoreError::Unavailable("this is a test".to_owned()).into())
}

#[test]
fn when_it_may_run_next() {
    let at = Ts::from_secs;
    let book = |ran_at, failed_at| Book { ran_at, failed_at, ..Book::default() };
    for (ran, failed, scheduled, asked) in [
        (None, None, Ts::MIN, Ts::MIN),
        (Some(1000), None, at(2800), at(1010)),
        (None, Some(1000), at(1060), at(1060)),
        (Some(1000), Some(3000), at(3060), at(3060)),
        (Some(1000), Some(900), at(2800), at(1010)),
    ] {
        let book = book(ran.map(at), failed.map(at));
        assert_eq!(book.due(Why::Scheduled, &JOB), scheduled, "{book:?}");
        assert_eq!(book.due(Why::Asked, &JOB), asked, "{book:?}");
        assert_eq!(book.due(Why::ByHand, &JOB), Ts::MIN, "{book:?}");
    }
}

/// A machine that woke a month ahead, and was set right: nobody waits for that month to pass.
#[tokio::test]
async fn a_clock_that_was_ahead_is_forgotten() {
    const MONTH: i64 = 30 * 86_400;
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let fleet = fleet(&store, &clock, "the only one");
    clock.forward(MONTH);
    assert_eq!(fleet.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Done);
    assert_eq!(fleet.once(&JOB, Why::Asked, broken()).await, Outcome::NotBefore(clock.now().plus(SPACING)));
    clock.forward(-MONTH);
    assert_eq!(fleet.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Done);
    assert!(matches!(fleet.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::NotBefore(_)), "once");
    // Clocks differ a little, and that is no reason to do it again.
    clock.forward(-60);
    assert!(matches!(fleet.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::NotBefore(_)));
}

/// One that never succeeds is late as well.
#[tokio::test]
async fn it_waits_since_it_was_done_or_first_failed() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let fleet = fleet(&store, &clock, "the only one");
    assert_eq!(fleet.waits_since(&JOB).await.unwrap(), None);
    let first = clock.now();
    for _ in 0..3 {
        assert_eq!(fleet.once(&JOB, Why::Scheduled, broken()).await, Outcome::Failed);
        assert_eq!(fleet.waits_since(&JOB).await.unwrap(), Some(first));
        clock.forward(61);
    }
    let done = clock.now();
    fleet.once(&JOB, Why::Scheduled, ok(&ran)).await;
    clock.forward(3_600);
    fleet.once(&JOB, Why::Scheduled, broken()).await;
    assert_eq!(fleet.waits_since(&JOB).await.unwrap(), Some(done));
}

#[tokio::test]
async fn of_many_instances_one_does_it_once_per_interval() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let owners: Vec<String> = (0..5).map(|n| format!("instance {n}")).collect();
    for interval in 1..=3 {
        // All at once, and again and again.
        for _ in 0..3 {
            let all = owners.iter().map(|owner| async {
                fleet(&store, &clock, owner).once(&JOB, Why::Scheduled, ok(&ran)).await
            });
            let outcomes = futures_util::future::join_all(all).await;
            assert!(!outcomes.contains(&Outcome::Failed), "{outcomes:?}");
            clock.forward(1);
        }
        assert_eq!(ran.load(Ordering::SeqCst), interval);
        clock.forward(30 * 60);
    }
}

#[tokio::test]
async fn asked_for_it_runs_before_its_time_but_not_all_the_time() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let (one, two) = (fleet(&store, &clock, "one"), fleet(&store, &clock, "two"));
    assert_eq!(one.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Done);
    let soon = clock.now().plus(SPACING);
    assert_eq!(two.once(&JOB, Why::Asked, ok(&ran)).await, Outcome::NotBefore(soon));
    clock.forward(10);
    assert_eq!(two.once(&JOB, Why::Asked, ok(&ran)).await, Outcome::Done);
    let later = clock.now().plus(JOB.every);
    assert_eq!(one.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::NotBefore(later));
    assert_eq!(ran.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failure_gives_the_lease_back_and_is_tried_again_by_anybody() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let (one, two) = (fleet(&store, &clock, "one"), fleet(&store, &clock, "two"));
    assert_eq!(one.once(&JOB, Why::Scheduled, broken()).await, Outcome::Failed);
    let again = clock.now().plus(AGAIN);
    assert_eq!(two.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::NotBefore(again));
    clock.forward(60);
    assert_eq!(two.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Done);
}

#[tokio::test]
async fn whoever_died_over_it_is_followed_when_the_lease_is_over() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let until = clock.now().plus(LEASE);
    store.claim_lease("job:sweeping", "dead", clock.now(), until).await.unwrap().unwrap();
    let one = fleet(&store, &clock, "one");
    assert_eq!(one.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Taken);
    clock.forward(61);
    assert_eq!(one.once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Done);
}

#[tokio::test]
async fn whoever_was_stopped_for_long_and_replaced_keeps_no_book() {
    let (store, clock, ran) = (Arc::new(MemoryStore::new()), Hands::default(), AtomicU32::new(0));
    let (slow, quick) = (fleet(&store, &clock, "slow"), fleet(&store, &clock, "quick"));
    let work = async {
        clock.forward(100);
        quick.once(&JOB, Why::Scheduled, ok(&ran)).await;
        let by_quick = store.setting("job:sweeping").await.unwrap();
        assert_eq!(by_quick.unwrap()["by"], "quick");
        Ok(())
    };
    assert_eq!(slow.once(&JOB, Why::Scheduled, work).await, Outcome::Failed);
    assert_eq!(store.setting("job:sweeping").await.unwrap().unwrap()["by"], "quick");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_long_round_keeps_its_lease() {
    let (store, clock, ran) = (MemoryStore::new(), SystemClock, AtomicU32::new(0));
    // Longer than a machine that is busy stands still; the round takes longer than the lease.
    let lease = SignedDuration::from_millis(1_500);
    let fleet = |owner| Fleet { store: &store, clock: &clock, owner, lease, absence: &ABSENCE };
    let work = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(fleet("two").once(&JOB, Why::Scheduled, ok(&ran)).await, Outcome::Taken);
        }
        Ok(())
    };
    assert_eq!(fleet("one").once(&JOB, Why::Scheduled, work).await, Outcome::Done);
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn by_hand_it_runs_at_once_but_never_beside_another() {
    let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
    let (one, two) = (fleet(&store, &clock, "one"), fleet(&store, &clock, "two"));
    let work = async {
        assert_eq!(two.once(&JOB, Why::ByHand, ok(&ran)).await, Outcome::Taken);
        Ok(())
    };
    assert_eq!(one.once(&JOB, Why::Scheduled, work).await, Outcome::Done);
    assert_eq!(two.once(&JOB, Why::ByHand, ok(&ran)).await, Outcome::Done);
    assert_eq!(one.once(&JOB, Why::ByHand, broken()).await, Outcome::Failed);
    assert_eq!(two.once(&JOB, Why::ByHand, ok(&ran)).await, Outcome::Done, "no failure holds a person up");
    assert_eq!(ran.load(Ordering::SeqCst), 2);
}

/// Every job that there is, by a clock that is looked at every five minutes by three instances: once per interval, and
/// after a pause of ten intervals once, not ten times.
#[tokio::test]
async fn each_job_keeps_its_interval_and_catches_up_once() {
    const LOOK: i64 = 5 * 60;
    let (hour, day) = (3_600, 24 * 3_600);
    for (job, every) in [
        (&super::super::MAINTENANCE, hour / 2),
        (&super::super::DISCOVERY, hour / 6),
        (&super::super::CLEANUP, 7 * day),
    ] {
        let (store, clock, ran) = (MemoryStore::new(), Hands::default(), AtomicU32::new(0));
        let owners = ["one", "two", "three"];
        let look = async || {
            for owner in owners {
                fleet(&store, &clock, owner).once(job, Why::Scheduled, ok(&ran)).await;
            }
            clock.forward(LOOK);
        };
        let live = async |seconds: i64| {
            for _ in 0..seconds / LOOK {
                look().await;
            }
            ran.swap(0, Ordering::SeqCst)
        };
        assert_eq!(live(4 * every).await, 4, "{}", job.name);
        clock.forward(10 * every);
        assert_eq!(live(every).await, 1, "{} after a pause", job.name);
        assert_eq!(live(2 * every).await, 2, "{} and then as ever", job.name);
    }
}
