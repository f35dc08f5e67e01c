//! Calendars that leave and come back: what is kept until their blocks are gone, and what is forgotten then.

use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, Cursor, Leaving};
use calsync_core::ids::CalendarId;
use calsync_core::ledger::{LedgerRow, LedgerState};
use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::{CalendarChange, Enqueue, FullListing, PullApply, Store, StoreError, Switch};
use calsync_core::run::RunKind;
use calsync_core::time::Window;

use super::world::*;

/// A listing that ends, with an event and a block.
fn listing(calendar: CalendarId) -> PullApply {
    PullApply {
        events: vec![event("e1", 1)],
        blocks: vec![block("b1", 1)],
        cursor: Some(Cursor { token: "one".to_owned(), params: "p".to_owned(), covers: Window::ALL }),
        full: Some(FullListing { began_at: t(30) }),
        ..pull(calendar, 31)
    }
}

/// Each reason is kept until it is over, and enabling ends it.
pub async fn leaving_has_a_reason_until_it_is_over(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for (n, why) in [Leaving::Disabled, Leaving::Reset, Leaving::Stopped].into_iter().enumerate() {
        let at = t(70 + i64::try_from(n).unwrap());
        w.store.change_calendar(w.a, CalendarChange::Leave(why), at).await.unwrap();
        let a = w.get(w.a).await;
        assert_eq!((a.sync_enabled, a.leaving, a.plan_due), (false, Some(why), true));
        assert_eq!((a.is_dirty(), a.cursor, a.last_full_sync), (true, None, None));
        assert!(w.get(w.b).await.plan_due, "the others are planned again");
    }
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(75)).await.unwrap();
    assert_eq!(w.get(w.a).await.leaving, Some(Leaving::Disabled), "which is what switching off means");
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::On), t(76)).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.sync_enabled, a.leaving), (true, None));
}

/// It starts from what its provider shows then: what a last look found is none of it, and whoever took that look is told.
pub async fn coming_back_starts_anew(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.change_calendar(w.a, CalendarChange::Leave(Leaving::Disabled), t(15)).await.unwrap();
    let lease = w.lease(20).await;
    w.store.apply_pull(&lease, &listing(w.a)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::On), t(40)).await.unwrap();
    let (a, mirror) = (w.get(w.a).await, w.store.mirror(w.a).await.unwrap());
    assert_eq!((a.cursor, a.last_full_sync, mirror.events.len()), (None, None, 0));
    assert_eq!(mirror.blocks.len(), 1, "blocks that stand are taken over, not made again");
    let late = w.store.apply_pull(&lease, &listing(w.a)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    // Switched on though it is on, it goes on where it was.
    let lease = w.lease(41).await;
    w.store.apply_pull(&lease, &listing(w.a)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::On), t(42)).await.unwrap();
    let (a, mirror) = (w.get(w.a).await, w.store.mirror(w.a).await.unwrap());
    assert!(a.cursor.is_some() && a.last_full_sync.is_some() && mirror.events.len() == 1);
}

/// Rows of `target` in these states, the first for a block of `source`.
fn rows(target: CalendarId, source: CalendarId, states: &[LedgerState]) -> Vec<LedgerRow> {
    let row = |(n, state): (usize, &LedgerState)| {
        let row = ledger_row(1 + n as u64, target, Some(&format!("block{n}")));
        LedgerRow { source, state: *state, written_at: Some(t(5)), ..row }
    };
    states.iter().enumerate().map(row).collect()
}

/// Everything that a calendar can have, here and at others.
async fn furnished(w: &World, why: Leaving) -> calsync_core::ports::Lease {
    use LedgerState::{Creating, Gone, Live, Yielded};
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::Leave(why), t(22)).await.unwrap();
    let lease = w.lease(25).await;
    for calendar in [w.a, w.b] {
        w.store
            .begin_run(&lease, &run(if calendar == w.a { 50 } else { 51 }, calendar, RunKind::Full, 26))
            .await
            .unwrap();
        w.store.apply_pull(&lease, &listing(calendar)).await.unwrap();
    }
    let in_a = Enqueue {
        hold: Some(hold(w.a)),
        ..plan(w.a, rows(w.a, w.b, &[Gone, Live, Creating, Yielded]), vec![delete(2, w.a, "block1")])
    };
    w.store.enqueue(&lease, &in_a).await.unwrap();
    w.store.enqueue(&lease, &plan(w.b, rows(w.b, w.a, &[Gone, Live]), Vec::new())).await.unwrap();
    w.store.enqueue(&lease, &plan(w.c, rows(w.c, w.b, &[Gone, Live]), Vec::new())).await.unwrap();
    lease
}

/// A calendar that was disabled keeps all but what its last look showed of its events.
pub async fn a_disabling_ends_without_a_trace_of_events(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = furnished(&w, Leaving::Disabled).await;
    let (ledger, runs) = (w.store.ledger(w.a).await.unwrap(), w.store.runs(Some(w.a), 9).await.unwrap());
    w.store.finish_leaving(&lease, w.a, Leaving::Disabled).await.unwrap();
    let (a, mirror) = (w.get(w.a).await, w.store.mirror(w.a).await.unwrap());
    assert_eq!((a.leaving, a.plan_due, a.cursor, a.last_full_sync), (None, false, None, None));
    assert_eq!((mirror.events.len(), mirror.blocks.len()), (0, 1));
    assert_eq!(w.store.ledger(w.a).await.unwrap(), ledger);
    assert_eq!(w.store.runs(Some(w.a), 9).await.unwrap(), runs);
    assert_eq!(w.store.mirror(w.b).await.unwrap().events.len(), 1, "nobody else's");
}

/// After a reset nothing is known of it, but of a block that stands the row stays: nobody could find it otherwise.
pub async fn a_reset_forgets_all_but_what_stands(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = furnished(&w, Leaving::Reset).await;
    let channels = w.store.subscriptions(w.a).await.unwrap();
    let (c, runs_of_b) = (w.store.ledger(w.c).await.unwrap(), w.store.runs(Some(w.b), 9).await.unwrap());
    w.store.finish_leaving(&lease, w.a, Leaving::Reset).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.leaving, a.last_synced_at, a.webhook_failure_streak), (None, None, 0));
    assert_eq!(*w.store.mirror(w.a).await.unwrap(), calsync_core::mirror::Mirror::default());
    assert_eq!(w.store.waiting_writes(w.a).await.unwrap(), 0);
    assert_eq!(w.store.runs(Some(w.a), 9).await.unwrap(), []);
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.holds, []);
    let states = |rows: Arc<Vec<LedgerRow>>| rows.iter().map(|r| r.state).collect::<Vec<_>>();
    let (in_a, in_b) = (w.store.ledger(w.a).await.unwrap(), w.store.ledger(w.b).await.unwrap());
    use LedgerState::{Creating, Live, Yielded};
    assert_eq!(states(in_a), [Live, Creating, Yielded], "what stands, or may");
    assert_eq!(states(in_b), [Live]);
    assert_eq!(w.store.ledger(w.c).await.unwrap(), c, "it has no part in these");
    assert_eq!(w.store.runs(Some(w.b), 9).await.unwrap(), runs_of_b);
    assert_eq!(w.store.mirror(w.b).await.unwrap().events.len(), 1);
    assert_eq!(w.store.subscriptions(w.a).await.unwrap(), channels, "they are closed by their own ways");
    use calsync_core::notification::ProcessingStatus::{Pending, Processing};
    for status in [Pending, Processing] {
        assert_eq!(w.store.notifications(status, 9).await.unwrap(), []);
    }
    // The same delivery would be news again.
    w.store.record_notification(delivery(31, &channels[0], 40)).await.unwrap();
    assert_eq!(w.store.notifications(Pending, 9).await.unwrap().len(), 1);
}

/// A person changed their mind meanwhile: theirs is the last word.
pub async fn an_end_that_nobody_waits_for_changes_nothing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = furnished(&w, Leaving::Reset).await;
    for why in [Leaving::Disabled, Leaving::Stopped] {
        let before = (w.get(w.a).await, w.store.mirror(w.a).await.unwrap());
        w.store.finish_leaving(&lease, w.a, why).await.unwrap();
        assert_eq!((w.get(w.a).await, w.store.mirror(w.a).await.unwrap()), before);
    }
    let before = (w.get(w.b).await, w.store.mirror(w.b).await.unwrap());
    w.store.finish_leaving(&lease, w.b, Leaving::Reset).await.unwrap();
    assert_eq!((w.get(w.b).await, w.store.mirror(w.b).await.unwrap()), before, "it is in use");
    let nobody = w.store.finish_leaving(&lease, CalendarId(id(77)), Leaving::Reset).await;
    assert!(matches!(nobody, Err(StoreError::Conflict(_))));
}

/// Nobody will read it: what was delivered for a calendar that has left does not wait for ever.
pub async fn what_came_for_a_calendar_that_left_is_finished(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let channels = [w.watch(20, w.a).await, w.watch(21, w.b).await, w.watch(22, w.c).await];
    for (n, channel) in [30, 31, 32].into_iter().zip(&channels) {
        w.store.record_notification(delivery(n, channel, 40)).await.unwrap();
    }
    w.store.record_notification(delivery(33, &channels[0], 90)).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::Leave(Leaving::Stopped), t(50)).await.unwrap();
    w.store.change_calendar(w.b, CalendarChange::Leave(Leaving::Disabled), t(50)).await.unwrap();
    let pending = async || {
        let open = w.store.notifications(ProcessingStatus::Pending, 10).await.unwrap();
        open.into_iter().map(|n| n.id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(w.store.complete_unwanted(t(80), t(100)).await.unwrap(), 1);
    assert_eq!(pending().await, [31, 32, 33], "one is read once more, one takes part, one came just now");
    assert_eq!(w.store.complete_unwanted(t(80), t(100)).await.unwrap(), 0);
    let done = w.store.notifications(ProcessingStatus::Completed, 10).await.unwrap();
    assert_eq!((done[0].processing_completed_at, done[0].processing_time_ms), (Some(t(100)), Some(60_000)));

    // Nor is anything read with an account that must be connected again; that reads everything once it is.
    w.store.set_account_status(w.account, AccountStatus::NeedsReconnect, Some("revoked")).await.unwrap();
    assert_eq!(w.store.complete_unwanted(t(80), t(100)).await.unwrap(), 2);
    assert_eq!(pending().await, [33], "it came just now");
}
