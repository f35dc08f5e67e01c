//! Fences: whoever lost a lease changes nothing any more, by any method.

use std::sync::Arc;

use calsync_core::calendar::Leaving;
use calsync_core::ledger::{Outcome, Settlement};
use calsync_core::notification::Served;
use calsync_core::ports::{Lease, NextDue, NotificationsEnd, PullApply, StepEnd, Store, StoreError};
use calsync_core::run::{RunKind, RunStatus};

use super::world::*;

/// Tries every fenced method, each with something that would leave a trace.
async fn tries(w: &World, lease: &Lease) -> Vec<(&'static str, Result<(), StoreError>)> {
    let s = &w.store;
    let run = run(50, w.a, RunKind::Webhook, 30);
    let completed = NotificationsEnd::Completed(Served::default());
    let end = end(&run, 40, RunStatus::Succeeded, completed);
    let pulled = PullApply { events: vec![event("e", 5)], targets: vec![w.b], ..pull(w.a, 30) };
    let enqueued = plan(w.b, vec![ledger_row(1, w.b, Some("x"))], vec![create(1, w.b, Some("x"))]);
    let outcome = Outcome::Removed { id: "x".into() };
    let settled =
        [Settlement { target: w.b, correlation: create(1, w.b, None).correlation, outcome, entry: None }];
    let next =
        [NextDue { calendar: w.a, seen_generation: w.get(w.a).await.dirty_generation, due_at: Some(t(9)) }];
    vec![
        ("renew_lease", s.renew_lease(lease, t(9_999)).await.map(drop)),
        ("begin_run", s.begin_run(lease, &run).await.map(drop)),
        ("apply_pull", s.apply_pull(lease, &pulled).await),
        ("enqueue", s.enqueue(lease, &enqueued).await),
        ("settle", s.settle(lease, &settled).await),
        ("settle nothing", s.settle(lease, &[]).await),
        ("finish_leaving", s.finish_leaving(lease, w.a, Leaving::Disabled).await),
        ("end_run", s.end_run(lease, &end).await),
        ("release", s.release(lease, &next).await),
    ]
}

/// The other method that gives the lease back.
async fn end_step(w: &World, lease: &Lease) -> Vec<(&'static str, Result<(), StoreError>)> {
    let ended = StepEnd {
        rules: vec![super::freshness::fresh(60, w.a, w.b, Some(1))],
        delays: vec![super::freshness::delay(60, 0, 1, 1)],
        ..StepEnd::default()
    };
    vec![("end_step", w.store.end_step(lease, &ended).await)]
}

fn all_lost(tries: Vec<(&'static str, Result<(), StoreError>)>, resource: &str) {
    for (method, result) in tries {
        assert_eq!(result, Err(StoreError::LeaseLost(resource.to_owned())), "{method}");
    }
}

/// Somebody else has it now.
pub async fn a_stale_worker_is_refused_everywhere(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let stale = w.lease(20).await;
    let heir = w.lease(80).await;
    all_lost(tries(&w, &stale).await, &stale.resource);
    all_lost(end_step(&w, &stale).await, &stale.resource);
    for (method, result) in tries(&w, &heir).await {
        assert_eq!(result, Ok(()), "{method}");
    }
    assert_eq!(end_step(&w, &w.lease(200).await).await, [("end_step", Ok(()))]);
}

/// It was given back, and nobody has it.
pub async fn a_released_lease_is_refused_everywhere(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    w.store.release(&lease, &[]).await.unwrap();
    all_lost(tries(&w, &lease).await, &lease.resource);
    all_lost(end_step(&w, &lease).await, &lease.resource);
    let forged = Lease { owner: "somebody".to_owned(), ..w.lease(20).await };
    all_lost(tries(&w, &forged).await, &forged.resource);
}

/// Not a byte of what it tried is there.
pub async fn a_refused_worker_changes_nothing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    let stale = w.lease(20).await;
    let _heir = w.lease(80).await;
    let before = super::sequence::observe(&w.store).await;
    all_lost(tries(&w, &stale).await, &stale.resource);
    all_lost(end_step(&w, &stale).await, &stale.resource);
    assert_eq!(super::sequence::observe(&w.store).await, before);
}
