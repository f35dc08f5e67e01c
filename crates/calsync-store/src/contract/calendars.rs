//! Calendars: the provider's list, the switches, and what makes them due.

use std::sync::Arc;

use calsync_core::calendar::{Access, Cursor, ListedCalendar};
use calsync_core::ids::CalendarId;
use calsync_core::ports::{CalendarChange, FullListing, PullApply, Store, StoreError, Switch, Wish};
use calsync_core::time::{Ts, Window};

use super::world::*;

/// A calendar that is no longer listed is only marked, and comes back as it was.
pub async fn a_calendar_list_never_deletes(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.b).await;
    w.store.update_calendar_list(w.account, &[(w.a, listed("a"))]).await.unwrap();
    let b = w.get(w.b).await;
    assert!(b.missing && b.sync_enabled);
    assert_eq!(w.subscription(&s).await, s);
    w.store.update_calendar_list(w.account, &[]).await.unwrap();
    assert!(w.get(w.a).await.missing, "an empty list deletes nothing either");
    // Its id of old is kept, whatever id the caller drew for it now.
    w.store.update_calendar_list(w.account, &[(CalendarId(id(77)), listed("b"))]).await.unwrap();
    assert!(!w.get(w.b).await.missing);
    assert_eq!(w.store.calendar(CalendarId(id(77))).await.unwrap(), None);
    let nobody = w.store.update_calendar_list(calsync_core::ids::AccountId(id(78)), &[]).await;
    assert!(matches!(nobody, Err(StoreError::Conflict(_))));
}

/// What changed while it was away was not told: it is read in full, at once. Nobody else is.
pub async fn a_calendar_that_comes_back_is_read_in_full(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.update_calendar_list(w.account, &[(w.a, listed("a"))]).await.unwrap();
    assert_eq!(w.store.next_due().await.unwrap(), None, "to be away is no reason to read");
    let (a, b, c) = (w.get(w.a).await, w.get(w.b).await, w.get(w.c).await);
    let list = [(w.a, listed("a")), (w.b, listed("b"))];
    w.store.update_calendar_list(w.account, &list).await.unwrap();
    assert_eq!((w.get(w.a).await, w.get(w.c).await), (a, c));
    let back = w.get(w.b).await;
    assert_eq!((back.missing, back.full_due, back.due_at), (false, true, Some(Ts::from_secs(0))));
    assert_eq!(back.dirty_generation, b.dirty_generation + 1, "a run under way must not answer for it");
    w.store.update_calendar_list(w.account, &list).await.unwrap();
    assert_eq!(w.get(w.b).await, back, "once");
}

/// Copied titles do not stay; the blocks do, for ours must be found to be removed. Enabling starts anew, and nobody may go by
/// what they read before.
pub async fn a_calendar_switched_off_is_forgotten(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let listing = |calendar, blocks: &[&str]| PullApply {
        events: vec![event("e1", 1)],
        blocks: blocks.iter().map(|id| block(id, 1)).collect(),
        cursor: Some(Cursor { token: "one".to_owned(), params: "p".to_owned(), covers: Window::ALL }),
        full: Some(FullListing { began_at: t(30) }),
        ..pull(calendar, 31)
    };
    for calendar in [w.a, w.b] {
        w.store.apply_pull(&lease, &listing(calendar, &["b1"])).await.unwrap();
    }
    let kept = w.store.mirror(w.b).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(70)).await.unwrap();
    let mirror = w.store.mirror(w.a).await.unwrap();
    assert!(mirror.events.is_empty());
    assert_eq!(mirror.blocks, kept.blocks);
    let a = w.get(w.a).await;
    assert_eq!((a.cursor, a.last_full_sync, a.full_due), (None, None, true));
    assert_eq!(w.store.mirror(w.b).await.unwrap(), kept);
    assert_eq!(w.get(w.b).await.last_full_sync, Some(t(30)));

    // A listing that was under way meanwhile tells only what differs from what is forgotten.
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::On), t(71)).await.unwrap();
    let late = w.store.apply_pull(&lease, &listing(w.a, &["b1", "b2"])).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    let a = w.get(w.a).await;
    assert_eq!((a.cursor, a.last_full_sync, a.full_due), (None, None, true));
    let again = w.lease(72).await;
    assert!(again.token > lease.token);
    w.store.apply_pull(&again, &listing(w.a, &["b1"])).await.unwrap();
}

/// The provider's words are taken over, our switches are not touched.
pub async fn a_listed_calendar_keeps_what_is_ours(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let before = w.get(w.a).await;
    assert_eq!((before.remote.provider.as_str(), before.remote.account.as_str()), ("google", "remote-2"));
    assert_eq!(before.remote.calendar, "a");
    let renamed = ListedCalendar {
        name: "Work".to_owned(),
        time_zone: "Asia/Tokyo".to_owned(),
        colour: None,
        access: Access::FreeBusy,
        push_unsupported: true,
        ..listed("a")
    };
    w.store.update_calendar_list(w.account, &[(w.a, renamed)]).await.unwrap();
    let after = w.get(w.a).await;
    let expected = calsync_core::calendar::Calendar {
        name: "Work".to_owned(),
        time_zone: "Asia/Tokyo".to_owned(),
        colour: None,
        access: Access::FreeBusy,
        push_unsupported: true,
        ..before
    };
    assert_eq!(after, expected);
    // Once known, it is not asked again.
    w.store.update_calendar_list(w.account, &[(w.a, listed("a"))]).await.unwrap();
    assert!(w.get(w.a).await.push_unsupported);
    // A new one is off, and may use push.
    let d = CalendarId(id(0xd));
    w.store.update_calendar_list(w.account, &[(d, listed("d"))]).await.unwrap();
    let d = w.get(d).await;
    assert!(!d.sync_enabled && d.webhook_enabled && d.fallback_polling_enabled && !d.missing);
    assert_eq!((d.due_at, d.dirty_generation, d.cursor), (None, 0, None));
}

/// Each reason counts; the earliest time wins; a wish for everything stays.
pub async fn raising_counts_and_brings_forward(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let before = w.get(w.a).await.dirty_generation;
    w.store.raise(&[w.a, w.a, CalendarId(id(77))], Wish::Full, t(50)).await.unwrap();
    w.store.raise(&[w.a], Wish::Changes, t(60)).await.unwrap();
    let a = w.get(w.a).await;
    assert_eq!((a.dirty_generation, a.due_at, a.full_due), (before + 2, Some(t(50)), true));
    w.store.raise(&[w.a], Wish::Changes, t(40)).await.unwrap();
    assert_eq!(w.get(w.a).await.due_at, Some(t(40)));
    assert_eq!(w.get(w.b).await.due_at, None);
    assert_eq!(w.store.next_due().await.unwrap(), Some(t(40)));
    w.store.raise(&[], Wish::Changes, t(1)).await.unwrap();
    assert_eq!(w.store.next_due().await.unwrap(), Some(t(40)));
}

/// Who takes part concerns every calendar of the user, and the one that no longer does.
pub async fn switching_sync_replans_everybody(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(70)).await.unwrap();
    for calendar in [w.a, w.b, w.c] {
        let calendar = w.get(calendar).await;
        assert!(calendar.plan_due, "{}", calendar.name);
        assert_eq!(calendar.due_at, Some(t(70)));
        assert!(calendar.is_dirty(), "a run under way must not answer for it");
    }
    assert!(!w.get(w.a).await.sync_enabled);
    w.rest().await;
    w.store.change_calendar(w.b, CalendarChange::SyncEnabled(Switch::On), t(80)).await.unwrap();
    assert!(!w.get(w.a).await.plan_due, "it takes no part");
    assert!(w.get(w.b).await.plan_due && w.get(w.c).await.plan_due);
    let nobody = w.store.change_calendar(CalendarId(id(77)), CalendarChange::PushUnsupported, t(1)).await;
    assert!(matches!(nobody, Err(StoreError::Conflict(_))));
}

/// How it learns of changes is decided anew at once.
pub async fn push_switches_make_the_calendar_due(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let generation = w.get(w.a).await.dirty_generation;
    w.store.change_calendar(w.a, CalendarChange::WebhookEnabled(Switch::Off), t(70)).await.unwrap();
    let a = w.get(w.a).await;
    assert!(!a.webhook_enabled && !a.plan_due);
    assert_eq!((a.due_at, a.dirty_generation), (Some(t(70)), generation + 1));
    w.store.change_calendar(w.b, CalendarChange::PushUnsupported, t(71)).await.unwrap();
    let b = w.get(w.b).await;
    assert!(b.push_unsupported);
    assert_eq!(b.due_at, Some(t(71)));
    assert_eq!(w.get(w.c).await.due_at, None);
}
