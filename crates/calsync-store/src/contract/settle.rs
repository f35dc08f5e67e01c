//! What became of writes: ledger, mirror and outbox change together.

use std::sync::Arc;

use calsync_core::block::Fingerprint;
use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::ledger::{LedgerRow, LedgerState, Outcome, Settlement, Write};
use calsync_core::ports::{Lease, Store, StoreError};

use super::world::*;

fn settled(n: u64, target: CalendarId, outcome: Outcome) -> Settlement {
    Settlement { target, correlation: CorrelationId(id(n)), outcome, entry: None }
}

fn stored(name: &str, at: i64) -> Outcome {
    Outcome::Stored {
        block: block(name, at),
        wrote: Fingerprint(at.unsigned_abs()),
        span: hour(at),
        repairs: 2,
        at: t(at),
    }
}

/// Three blocks on their way into `b`: x1, x2 and one whose id the provider chooses.
async fn on_their_way(w: &World) -> Lease {
    let lease = w.lease(20).await;
    let rows = vec![ledger_row(1, w.b, Some("x1")), ledger_row(2, w.b, Some("x2")), ledger_row(3, w.b, None)];
    let writes = vec![create(1, w.b, Some("x1")), create(2, w.b, Some("x2")), create(3, w.b, None)];
    w.store.enqueue(&lease, &plan(w.b, rows, writes)).await.unwrap();
    lease
}

async fn row(w: &World, n: u64) -> LedgerRow {
    let rows = w.store.ledger(w.b).await.unwrap();
    rows.iter().find(|r| r.correlation == CorrelationId(id(n))).cloned().unwrap()
}

async fn blocks(w: &World) -> Vec<String> {
    w.store.mirror(w.b).await.unwrap().blocks.keys().map(|id| id.0.clone()).collect()
}

/// The row says what stands, and where.
pub async fn a_stored_block_is_live(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    w.store.settle(&lease, &[settled(3, w.b, stored("chosen", 40))]).await.unwrap();
    let expected = LedgerRow {
        block: Some("chosen".into()),
        state: LedgerState::Live,
        echo: Some(block("chosen", 40).fingerprint),
        wrote: Fingerprint(40),
        span: hour(40),
        repairs: 2,
        written_at: Some(t(40)),
        ..ledger_row(3, w.b, None)
    };
    assert_eq!(row(&w, 3).await, expected);
    let mirror = w.store.mirror(w.b).await.unwrap();
    assert_eq!(mirror.blocks.values().cloned().collect::<Vec<_>>(), [block("chosen", 40)]);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 2);
    assert_eq!(row(&w, 1).await, ledger_row(1, w.b, Some("x1")));
}

/// A second block of a correlation may go while the row's own one stands.
pub async fn a_removed_block_is_gone_only_where_it_is_named(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    w.store
        .settle(&lease, &[settled(1, w.b, stored("x1", 40)), settled(2, w.b, stored("x2", 41))])
        .await
        .unwrap();
    let again = vec![delete(1, w.b, "orphan"), delete(2, w.b, "x2")];
    w.store.enqueue(&lease, &plan(w.b, Vec::new(), again)).await.unwrap();
    let removed = |n, name: &str| settled(n, w.b, Outcome::Removed { id: name.into() });
    w.store.settle(&lease, &[removed(1, "orphan"), removed(2, "x2")]).await.unwrap();
    assert_eq!(row(&w, 1).await.state, LedgerState::Live);
    assert_eq!(row(&w, 2).await.state, LedgerState::Gone);
    assert_eq!(blocks(&w).await, ["x1"]);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 0);
}

/// It waits, and knows why.
pub async fn a_postponed_write_stays(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    let outcome = Outcome::Postponed { attempts: 1, not_before: t(90), error: "rate limited".to_owned() };
    w.store.settle(&lease, &[settled(1, w.b, outcome)]).await.unwrap();
    assert_eq!(w.store.due_writes(w.b, t(89), 9).await.unwrap().len(), 2);
    let kept = Write {
        attempts: 1,
        not_before: Some(t(90)),
        error: Some("rate limited".to_owned()),
        ..create(1, w.b, Some("x1"))
    };
    assert_eq!(w.store.due_writes(w.b, t(90), 9).await.unwrap()[0], kept);
    assert_eq!(row(&w, 1).await.state, LedgerState::Creating);
}

/// What stands there is not what the plan took it for.
pub async fn a_surprise_is_planned_again(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    w.store.settle(&lease, &[settled(2, w.b, stored("x2", 40))]).await.unwrap();
    w.store
        .enqueue(&lease, &plan(w.b, Vec::new(), vec![create(1, w.b, Some("x1")), delete(2, w.b, "x2")]))
        .await
        .unwrap();
    assert!(!w.get(w.b).await.plan_due);
    let taken = Outcome::Replan { observed: Some(block("x1", 50)), generation: Some(4) };
    let gone = Outcome::Replan { observed: None, generation: None };
    w.store.settle(&lease, &[settled(1, w.b, taken), settled(2, w.b, gone)]).await.unwrap();
    assert_eq!(blocks(&w).await, ["x1"]);
    assert_eq!((row(&w, 1).await.generation, row(&w, 1).await.state), (4, LedgerState::Creating));
    assert_eq!((row(&w, 2).await.generation, row(&w, 2).await.state), (0, LedgerState::Live));
    let b = w.get(w.b).await;
    assert!(b.plan_due);
    assert!(b.due_at.is_some_and(|at| at <= t(20)), "at once: not later than the claim");
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 0);
}

/// Hundreds at once, of all kinds.
pub async fn a_long_slice_is_one_fact(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let name = |n: u64| format!("x{n}");
    let rows = (0..300).map(|n| ledger_row(n, w.b, Some(&name(n)))).collect();
    let writes = (0..300).map(|n| create(n, w.b, Some(&name(n)))).collect();
    w.store.enqueue(&lease, &plan(w.b, rows, writes)).await.unwrap();
    let outcome = |n: u64| match n % 50 {
        7 => Outcome::Postponed { attempts: 1, not_before: t(90), error: "later".to_owned() },
        8 => Outcome::Replan { observed: None, generation: Some(1) },
        9 => Outcome::Removed { id: name(n).as_str().into() },
        _ => stored(&name(n), i64::try_from(n).unwrap()),
    };
    let slice: Vec<Settlement> = (0..300).map(|n| settled(n, w.b, outcome(n))).collect();
    w.store.settle(&lease, &slice).await.unwrap();
    let rows = w.store.ledger(w.b).await.unwrap();
    let count = |state| rows.iter().filter(|r| r.state == state).count();
    assert_eq!(
        (count(LedgerState::Live), count(LedgerState::Gone), count(LedgerState::Creating)),
        (282, 6, 12)
    );
    assert_eq!(blocks(&w).await.len(), 282);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 6);
}

/// The last word on a block is what stays.
pub async fn the_order_of_settlements_counts(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    let removed = || Outcome::Removed { id: "x1".into() };
    let there_and_gone = [settled(1, w.b, stored("x1", 40)), settled(1, w.b, removed())];
    w.store.settle(&lease, &there_and_gone).await.unwrap();
    assert_eq!((row(&w, 1).await.state, blocks(&w).await), (LedgerState::Gone, vec![]));
    let gone_and_back = [settled(1, w.b, removed()), settled(1, w.b, stored("x1", 41))];
    w.store.settle(&lease, &gone_and_back).await.unwrap();
    assert_eq!((row(&w, 1).await.state, blocks(&w).await), (LedgerState::Live, vec!["x1".to_owned()]));
    let twice = [settled(1, w.b, stored("x1", 42)), settled(1, w.b, stored("x1", 43))];
    w.store.settle(&lease, &twice).await.unwrap();
    assert_eq!(row(&w, 1).await.written_at, Some(t(43)));
}

/// A slice with one impossible settlement is refused as a whole.
pub async fn settling_a_strangers_calendar_changes_nothing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = on_their_way(&w).await;
    let slice = [settled(1, w.b, stored("x1", 40)), settled(1, CalendarId(id(77)), stored("x", 40))];
    assert!(matches!(w.store.settle(&lease, &slice).await, Err(StoreError::Conflict(_))));
    assert_eq!(row(&w, 1).await.state, LedgerState::Creating);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 3);
}
