//! The walk of a sync: pulls, plans, the outbox and holds.

use std::sync::Arc;

use calsync_core::calendar::Cursor;
use calsync_core::hold::Hold;
use calsync_core::ids::CalendarId;
use calsync_core::ledger::{LedgerRow, LedgerState, Outcome, Settlement, Write};
use calsync_core::ports::{CalendarChange, Enqueue, FullListing, PullApply, Store, StoreError, Switch, Wish};
use calsync_core::time::Window;

use super::world::*;

fn cursor(token: &str) -> Cursor {
    Cursor { token: token.to_owned(), params: "p1".to_owned(), covers: Window::ALL }
}

/// Events, blocks, cursor and zone, in one fact; tombstones before what is present.
pub async fn a_pull_is_taken_over_whole(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let mut first = PullApply {
        events: vec![event("e1", 1), event("e2", 2)],
        blocks: vec![block("b1", 1)],
        cursor: Some(cursor("one")),
        time_zone: Some("Asia/Tokyo".to_owned()),
        ..pull(w.a, 30)
    };
    w.store.apply_pull(&lease, &first).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.cursor, a.time_zone.as_str()), (Some(cursor("one")), "Asia/Tokyo"));
    let mirror = w.store.mirror(w.a).await.unwrap();
    assert_eq!(mirror.events.values().cloned().collect::<Vec<_>>(), first.events);
    assert_eq!(mirror.blocks.values().cloned().collect::<Vec<_>>(), first.blocks);
    first.events = vec![event("e2", 9), event("e3", 3)];
    first.events_gone = vec!["e1".into(), "e3".into(), "never".into()];
    first.blocks = vec![block("b2", 2)];
    first.blocks_gone = vec!["b1".into()];
    first.cursor = None;
    first.time_zone = None;
    w.store.apply_pull(&lease, &first).await.unwrap();
    let mirror = w.store.mirror(w.a).await.unwrap();
    assert_eq!(mirror.events.values().cloned().collect::<Vec<_>>(), [event("e2", 9), event("e3", 3)]);
    assert_eq!(mirror.blocks.values().cloned().collect::<Vec<_>>(), [block("b2", 2)]);
    let a = w.get(w.a).await;
    assert_eq!((a.cursor, a.time_zone.as_str()), (None, "Asia/Tokyo"));
    assert_eq!(w.store.mirror(w.b).await.unwrap(), Default::default());
    let stray = w.store.apply_pull(&lease, &pull(CalendarId(id(77)), 30)).await;
    assert!(matches!(stray, Err(StoreError::Conflict(_))));
}

/// Dated from its beginning: what changed while it ran is not covered by it.
pub async fn a_full_listing_clears_its_wish(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Full, t(10)).await.unwrap();
    let lease = w.lease(20).await;
    w.store.apply_pull(&lease, &pull(w.a, 30)).await.unwrap();
    assert!(w.get(w.a).await.full_due, "an incremental one does not");
    let full = PullApply { full: Some(FullListing { began_at: t(31) }), ..pull(w.a, 40) };
    w.store.apply_pull(&lease, &full).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.full_due, a.last_full_sync), (false, Some(t(31))));
    w.store.apply_pull(&lease, &pull(w.a, 50)).await.unwrap();
    assert_eq!(w.get(w.a).await.last_full_sync, Some(t(31)));
}

/// They are planned again, at once or when they were due before that.
pub async fn targets_become_due(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.c], Wish::Changes, t(10)).await.unwrap();
    let lease = w.lease(20).await;
    let generation = w.get(w.b).await.dirty_generation;
    let pulled = PullApply { targets: vec![w.b, w.c, CalendarId(id(77))], ..pull(w.a, 30) };
    w.store.apply_pull(&lease, &pulled).await.unwrap();
    let (b, c) = (w.get(w.b).await, w.get(w.c).await);
    assert_eq!((b.plan_due, b.due_at), (true, Some(t(30))));
    assert_eq!((c.plan_due, c.due_at), (true, Some(t(10))));
    assert_eq!(b.dirty_generation, generation, "there is nothing to read in it");
    assert!(!w.get(w.a).await.plan_due);
}

/// Writes in the same form keep their tries, others go; the ledger is upserted.
pub async fn a_plan_replaces_the_outbox_and_keeps_tries(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    w.store.apply_pull(&lease, &PullApply { targets: vec![w.b], ..pull(w.a, 30) }).await.unwrap();
    let (w1, w2, w3) = (create(1, w.b, Some("x1")), create(2, w.b, Some("x2")), create(3, w.b, None));
    let row = |n, state| LedgerRow { state, ..ledger_row(n, w.b, Some("x")) };
    let rows = vec![row(1, LedgerState::Creating), row(2, LedgerState::Yielded)];
    let first = plan(w.b, rows.clone(), vec![w1.clone(), w2.clone(), w3]);
    let first = Enqueue { seen_generation: w.get(w.b).await.dirty_generation, ..first };
    w.store.enqueue(&lease, &first).await.unwrap();
    assert!(!w.get(w.b).await.plan_due);
    assert_eq!(*w.store.ledger(w.b).await.unwrap(), rows);
    let tried = Outcome::Postponed { attempts: 3, not_before: t(99), error: "slow down".to_owned() };
    let postpone = |w: &Write| Settlement {
        target: w.target,
        correlation: w.correlation,
        outcome: tried.clone(),
        entry: None,
    };
    w.store.settle(&lease, &[postpone(&w1), postpone(&w2)]).await.unwrap();
    let changed = delete(2, w.b, "x2");
    let now = vec![create(4, w.b, None), changed.clone(), w1.clone()];
    w.store.enqueue(&lease, &plan(w.b, vec![row(1, LedgerState::Live)], now)).await.unwrap();
    let kept = Write { attempts: 3, not_before: Some(t(99)), error: Some("slow down".to_owned()), ..w1 };
    let waiting = w.store.due_writes(w.b, t(1_000), 10).await.unwrap();
    assert_eq!(waiting, [create(4, w.b, None), changed, kept.clone()]);
    assert_eq!(
        *w.store.ledger(w.b).await.unwrap(),
        [row(1, LedgerState::Live), row(2, LedgerState::Yielded)]
    );
    w.store.enqueue(&lease, &plan(w.b, Vec::new(), Vec::new())).await.unwrap();
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 0);
    let stray = w.store.enqueue(&lease, &plan(CalendarId(id(77)), Vec::new(), Vec::new())).await;
    assert!(matches!(stray, Err(StoreError::Conflict(_))));
}

/// Whatever a waiting write becomes: its delay is counted from the first change that it answers.
pub async fn a_write_answers_the_first_change(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let changed = |write: Write, at: Option<i64>| Write { changed_at: at.map(t), ..write };
    let after = async |writes: Vec<Write>| {
        w.store.enqueue(&lease, &plan(w.b, Vec::new(), writes)).await.unwrap();
        let waiting = w.store.due_writes(w.b, t(1_000), 10).await.unwrap();
        waiting.into_iter().map(|w| w.changed_at).collect::<Vec<_>>()
    };
    let (same, other) = (create(1, w.b, Some("x")), delete(2, w.b, "y"));
    assert_eq!(
        after(vec![changed(same.clone(), None), changed(other.clone(), Some(9))]).await,
        [None, Some(t(9))]
    );
    // A first filling stays one; another form of the write does not forget what it was for.
    let next = vec![changed(same.clone(), Some(12)), changed(create(2, w.b, Some("z")), Some(15))];
    assert_eq!(after(next).await, [None, Some(t(9))]);
    let next = vec![changed(delete(1, w.b, "x"), Some(20)), changed(other, None)];
    assert_eq!(after(next).await, [Some(t(20)), Some(t(9))]);
}

/// The hold is what the last plan says.
pub async fn a_plan_sets_and_clears_the_hold(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let held = |hold| Enqueue { hold, ..plan(w.b, Vec::new(), Vec::new()) };
    let holds = async || w.store.user_state(w.user).await.unwrap().unwrap().holds;
    w.store.enqueue(&lease, &held(Some(hold(w.b)))).await.unwrap();
    assert_eq!(holds().await, [hold(w.b)]);
    let agreed = Hold { agreed: 2, ..hold(w.b) };
    w.store.enqueue(&lease, &held(Some(agreed.clone()))).await.unwrap();
    assert_eq!(holds().await, [agreed]);
    w.store.enqueue(&lease, &held(None)).await.unwrap();
    assert_eq!(holds().await, []);
}

/// As the plan ordered them, and never before their time.
pub async fn writes_wait_in_order_until_their_time(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let later = |n, at| Write { not_before: Some(t(at)), ..create(n, w.b, None) };
    let writes = vec![create(9, w.b, None), later(1, 50), create(5, w.b, None), later(2, 40)];
    w.store.enqueue(&lease, &plan(w.b, Vec::new(), writes.clone())).await.unwrap();
    let due = async |now, limit| w.store.due_writes(w.b, t(now), limit).await.unwrap();
    assert_eq!(due(50, 10).await, writes);
    assert_eq!(due(49, 10).await, [writes[0].clone(), writes[2].clone(), writes[3].clone()]);
    assert_eq!(due(49, 1).await, writes[..1]);
    assert_eq!(due(49, 0).await, []);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 4);
    assert_eq!(w.store.due_writes(w.a, t(50), 10).await.unwrap(), []);
}

/// At once if any may go at once, else at the earliest time.
pub async fn waiting_writes_tell_when(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let later = |n, target, at| Write { not_before: Some(t(at)), ..create(n, target, None) };
    let b = vec![later(1, w.b, 50), later(2, w.b, 40)];
    let c = vec![later(3, w.c, 50), create(4, w.c, None)];
    w.store.enqueue(&lease, &plan(w.b, Vec::new(), b)).await.unwrap();
    w.store.enqueue(&lease, &plan(w.c, Vec::new(), c)).await.unwrap();
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.waiting_writes, [(w.b, Some(t(40))), (w.c, None)]);
}

/// A person said yes: the plan is made anew, now.
pub async fn an_approved_hold_is_planned_again(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    assert!(!w.store.approve_hold(w.b, t(60)).await.unwrap());
    let lease = w.lease(20).await;
    let held = Enqueue { hold: Some(hold(w.b)), ..plan(w.b, Vec::new(), Vec::new()) };
    w.store.enqueue(&lease, &held).await.unwrap();
    let generation = w.get(w.b).await.dirty_generation;
    assert!(w.store.approve_hold(w.b, t(60)).await.unwrap());
    let b = w.get(w.b).await;
    assert_eq!((b.plan_due, b.due_at, b.dirty_generation), (true, Some(t(60)), generation + 1));
    assert!(w.store.user_state(w.user).await.unwrap().unwrap().holds[0].approved);
}

/// What a person asked for while a plan was being made is not in that plan.
pub async fn a_stale_plan_swallows_no_command(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let made = async |hold| {
        let seen_generation = w.get(w.b).await.dirty_generation;
        Enqueue { seen_generation, hold, ..plan(w.b, Vec::new(), Vec::new()) }
    };
    let holds = async || w.store.user_state(w.user).await.unwrap().unwrap().holds;
    // A rule set.
    let stale = made(Some(hold(w.b))).await;
    w.put_rule(&rule(40, w.user, w.a, w.b), t(29)).await;
    w.store.enqueue(&lease, &stale).await.unwrap();
    assert!(w.get(w.b).await.plan_due, "the rule is not in the plan");
    // Switched off.
    let stale = made(None).await;
    w.store.change_calendar(w.b, CalendarChange::SyncEnabled(Switch::Off), t(30)).await.unwrap();
    let refused = w.store.enqueue(&lease, &stale).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(_))), "{refused:?}");
    assert!(w.get(w.b).await.plan_due, "its blocks are still to go");
    let lease = w.lease(30).await;
    w.store.enqueue(&lease, &made(None).await).await.unwrap();
    assert!(!w.get(w.b).await.plan_due);
    // Approved: the yes stands, and is acted on.
    let stale = made(Some(hold(w.b))).await;
    w.store.enqueue(&lease, &stale).await.unwrap();
    assert!(w.store.approve_hold(w.b, t(32)).await.unwrap());
    let agreed = Hold { agreed: 2, ..hold(w.b) };
    w.store.enqueue(&lease, &Enqueue { hold: Some(agreed.clone()), ..stale.clone() }).await.unwrap();
    assert!(w.get(w.b).await.plan_due);
    assert_eq!(holds().await, [Hold { approved: true, ..agreed }]);
    // It was a yes to those blocks and no others.
    let other = Hold { digest: 7, ..hold(w.b) };
    w.store.enqueue(&lease, &Enqueue { hold: Some(other.clone()), ..stale }).await.unwrap();
    assert_eq!(holds().await, [other]);
}

/// A block has one write at a time; the plan that says otherwise changes nothing.
pub async fn two_writes_of_one_block_are_refused(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    w.store.enqueue(&lease, &plan(w.b, Vec::new(), vec![create(1, w.b, None)])).await.unwrap();
    let twice = vec![create(2, w.b, None), delete(2, w.b, "x")];
    let refused = w.store.enqueue(&lease, &plan(w.b, vec![ledger_row(2, w.b, None)], twice)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(w.store.due_writes(w.b, t(99), 9).await.unwrap(), [create(1, w.b, None)]);
    assert_eq!(*w.store.ledger(w.b).await.unwrap(), []);
}
