//! Leases: exclusive while they live, taken over when they ran out, and never confused with an earlier one.

use std::sync::Arc;

use calsync_core::calendar::Leaving;
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::ports::{CalendarChange, NextDue, Store, Wish};
use calsync_core::time::Ts;

use super::world::*;

/// A second user (5) with one calendar (0xe).
async fn neighbour(w: &World) -> CalendarId {
    w.store.add_user(&user(5)).await.unwrap();
    w.store.connect_account(&account(6, 5), t(1)).await.unwrap();
    let e = CalendarId(id(0xe));
    w.store.update_calendar_list(AccountId(id(6)), &[(e, listed("e"))]).await.unwrap();
    e
}

/// By the calendar that waits longest; nothing before its time.
pub async fn the_longest_due_goes_first(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let e = neighbour(&w).await;
    assert_eq!(w.store.claim_due_user("w", t(500), t(560)).await.unwrap(), None, "nothing is due");
    w.store.raise(&[w.a], Wish::Changes, t(20)).await.unwrap();
    w.store.raise(&[w.b], Wish::Changes, t(40)).await.unwrap();
    w.store.raise(&[e], Wish::Changes, t(30)).await.unwrap();
    assert_eq!(w.store.claim_due_user("w", t(19), t(80)).await.unwrap(), None, "not yet");
    let first = w.store.claim_due_user("w", t(30), t(90)).await.unwrap().unwrap();
    assert_eq!(first.user, w.user);
    assert_eq!((first.lease.owner.as_str(), first.lease.expires_at), ("w", t(90)));
    // The user's other calendar waits with them.
    assert_eq!(w.store.claim_due_user("w", t(50), t(90)).await.unwrap().unwrap().user, UserId(id(5)));
    assert_eq!(w.store.claim_due_user("w", t(50), t(90)).await.unwrap(), None);
}

/// Nobody gets it while it lives, not even another task of the same worker.
pub async fn a_live_lease_is_exclusive(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Changes, t(20)).await.unwrap();
    let claimed = w.store.claim_due_user("one", t(20), t(80)).await.unwrap().unwrap();
    for owner in ["one", "two"] {
        assert_eq!(w.store.claim_due_user(owner, t(79), t(140)).await.unwrap(), None);
        assert_eq!(w.store.claim_user(w.user, owner, t(79), t(140)).await.unwrap(), None);
        assert_eq!(w.store.claim_lease(&claimed.lease.resource, owner, t(79), t(140)).await.unwrap(), None);
    }
    let renewed = w.store.renew_lease(&claimed.lease, t(100)).await.unwrap();
    assert_eq!((renewed.token, renewed.expires_at), (claimed.lease.token, t(100)));
    assert_eq!(w.store.claim_due_user("two", t(99), t(140)).await.unwrap(), None, "renewed");
}

/// A machine whose clock was a month ahead died: nobody waits for that month to pass.
pub async fn a_lease_from_the_future_is_taken_over(store: Arc<dyn Store>) {
    const MONTH: i64 = 30 * 86_400;
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Changes, t(20)).await.unwrap();
    w.store.claim_due_user("dead", t(MONTH), t(MONTH + 60)).await.unwrap().unwrap();
    let job = w.store.claim_lease("job:watch", "dead", t(MONTH), t(MONTH + 60)).await.unwrap().unwrap();
    // Clocks differ a little.
    assert_eq!(w.store.claim_due_user("heir", t(MONTH - 60), t(MONTH)).await.unwrap(), None);
    assert_eq!(w.store.claim_lease("job:watch", "heir", t(MONTH - 60), t(MONTH)).await.unwrap(), None);
    assert!(w.store.claim_due_user("heir", t(30), t(90)).await.unwrap().is_some());
    assert!(w.store.claim_lease("job:watch", "heir", t(30), t(90)).await.unwrap().is_some());
    assert!(w.store.renew_lease(&job, t(MONTH + 90)).await.is_err());
}

/// From the instant at which it ends.
pub async fn an_expired_lease_is_taken_over(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Changes, t(20)).await.unwrap();
    let dead = w.store.claim_due_user("dead", t(20), t(80)).await.unwrap().unwrap();
    let heir = w.store.claim_due_user("heir", t(80), t(140)).await.unwrap().unwrap();
    assert_eq!(heir.user, dead.user);
    assert!(heir.lease.token > dead.lease.token);
    assert!(w.store.renew_lease(&dead.lease, t(200)).await.is_err());
    assert!(w.store.renew_lease(&heir.lease, t(200)).await.is_ok());
}

/// A token is never given out twice, though the lease was given back in between.
pub async fn tokens_grow_across_releases(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let mut last = 0;
    for _ in 0..5 {
        let lease = w.lease(20).await;
        assert!(lease.token > last);
        last = lease.token;
        w.store.release(&lease, &[]).await.unwrap();
    }
    assert!(w.lease(20).await.token > last);
}

/// Time alone takes nothing away: a slow worker whom nobody has replaced may finish.
pub async fn an_expired_lease_nobody_took_is_still_good(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    // A minute of lease; the store is never told that an hour has passed.
    w.store.apply_pull(&lease, &pull(w.a, 3_600)).await.unwrap();
    let lease = w.store.renew_lease(&lease, t(3_700)).await.unwrap();
    w.store.release(&lease, &[]).await.unwrap();
}

/// What became dirty after the decision keeps its own time.
pub async fn release_respects_what_was_raised_meanwhile(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a, w.b], Wish::Changes, t(20)).await.unwrap();
    let lease = w.store.claim_due_user("w", t(20), t(80)).await.unwrap().unwrap().lease;
    let (a, b) = (w.get(w.a).await.dirty_generation, w.get(w.b).await.dirty_generation);
    w.store.raise(&[w.b], Wish::Changes, t(30)).await.unwrap();
    let next = |calendar, seen_generation, due| NextDue { calendar, seen_generation, due_at: due };
    let next = [
        next(w.a, a, Some(t(900))),
        next(w.b, b, Some(t(900))),
        next(w.c, w.get(w.c).await.dirty_generation, None),
        next(CalendarId(id(77)), 0, Some(t(1))),
    ];
    w.store.release(&lease, &next).await.unwrap();
    assert_eq!(w.get(w.a).await.due_at, Some(t(900)));
    assert_eq!(w.get(w.b).await.due_at, Some(t(20)), "it stays due");
    assert_eq!(w.get(w.c).await.due_at, None);
    assert_eq!(w.store.claim_due_user("w", t(30), t(90)).await.unwrap().unwrap().user, w.user, "and is free");
}

/// With whoever holds its user, while they live.
pub async fn what_nobody_takes_up_is_overdue(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.raise(&[w.a], Wish::Changes, t(10)).await.unwrap();
    let overdue = async |before, now| w.store.overdue(t(before), t(now), 9).await.unwrap();
    let of_a = async |before, now| overdue(before, now).await.into_iter().find(|o| o.calendar == w.a);
    assert_eq!(of_a(10, 20).await, None);
    let nobody = of_a(11, 20).await.unwrap();
    assert_eq!((nobody.due_at, nobody.held_by), (t(10), None));
    let lease = w.lease(20).await;
    assert_eq!(of_a(11, 20).await.unwrap().held_by, Some(lease.owner.clone()));
    let later = Ts::from_micros(lease.expires_at.micros() + 1);
    let stale = w.store.overdue(t(11), later, 9).await.unwrap();
    assert!(stale.iter().all(|o| o.held_by.is_none()), "whoever held it is gone: {stale:?}");
}

/// Sooner, never later; and only those that take part.
pub async fn a_due_time_is_brought_forward(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let a = async || w.store.calendar(w.a).await.unwrap().unwrap();
    let generation = a().await.dirty_generation;
    let next = |calendar, at: i64| NextDue { calendar, seen_generation: generation, due_at: Some(t(at)) };
    w.store.release(&lease, &[next(w.a, 500)]).await.unwrap();
    let due = async || a().await.due_at;
    w.store.bring_forward(&[(w.a, t(600))]).await.unwrap();
    assert_eq!(due().await, Some(t(500)));
    w.store.bring_forward(&[(w.a, t(400)), (w.b, t(400))]).await.unwrap();
    assert_eq!((due().await, a().await.dirty_generation), (Some(t(400)), generation));
    w.store.change_calendar(w.a, CalendarChange::Leave(Leaving::Stopped), t(30)).await.unwrap();
    let left = a().await.due_at;
    w.store.bring_forward(&[(w.a, t(1))]).await.unwrap();
    assert_eq!(due().await, left, "it takes no part");
}

/// Jobs, by name.
pub async fn any_other_thing_can_be_leased(store: Arc<dyn Store>) {
    let first = store.claim_lease("job:sweep", "one", t(0), t(60)).await.unwrap().unwrap();
    assert_eq!((first.resource.as_str(), first.token), ("job:sweep", 1));
    assert_eq!(store.claim_lease("job:sweep", "two", t(59), t(120)).await.unwrap(), None);
    assert!(store.claim_lease("job:other", "two", t(0), t(60)).await.unwrap().is_some());
    store.release(&first, &[]).await.unwrap();
    let second = store.claim_lease("job:sweep", "two", t(1), t(60)).await.unwrap().unwrap();
    assert_eq!(second.token, 2);
    let third = store.claim_lease("job:sweep", "one", t(60), t(120)).await.unwrap().unwrap();
    assert_eq!(third.token, 3);
}

/// There is no lease on somebody who is not there.
pub async fn nobody_claims_a_stranger(store: Arc<dyn Store>) {
    assert_eq!(store.claim_user(UserId(id(77)), "w", t(0), t(60)).await.unwrap(), None);
    assert_eq!(store.next_due().await.unwrap(), None);
}
