//! A target that cannot be written does not have its sources read again and again.

use std::sync::atomic::Ordering;

use calsync_core::ports::Wish;
use calsync_core::run::RunStatus;
use calsync_core::schedule::Intervals;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::watch::Provider;
use jiff::SignedDuration;

use super::block_on;
use super::cast::{GOOGLE, MICROSOFT};
use super::lifecycle::calendar;
use super::scenarios::settled;

/// Somebody asks for a look without a notification. What it finds cannot be written: the source is looked at again after the
/// polling interval, and not whenever the target is tried.
#[test]
fn a_sign_whose_target_is_stuck_is_tried_again_after_the_polling_interval() {
    block_on(async {
        let mut world = settled(GOOGLE, 91).await;
        let source = calendar(&world).await.id;
        let remote = world.life.people[0].calendars[1].clone();
        world.clock.advance(SignedDuration::from_mins(1));
        let asked = world.clock.now();
        let start = asked.plus(SignedDuration::from_hours(30));
        world.cloud.with(|c| {
            let end = start.plus(SignedDuration::from_hours(1));
            c.create_event(&remote, Content::timed("asked for", start, end, "UTC"), asked).unwrap();
            c.take_notices(Provider::Google, 100);
        });
        let before = world.store.runs(Some(source), 100).await.unwrap().len();
        let calls = world.watch_calls();
        // The listing comes through, and nothing after it.
        calls.goes_down_after.store(3, Ordering::Relaxed);
        world.engine().sync_now(&[source], Wish::Changes).await.unwrap();
        world.work().await;
        let runs = world.store.runs(Some(source), 100).await.unwrap();
        assert_eq!(runs.len(), before + 1);
        assert!(
            matches!(runs[0].status, RunStatus::Failed { .. }) && runs[0].counts.events_seen > 0,
            "{runs:?}"
        );
        let again = asked.plus(Intervals::default().poll);
        assert_eq!(calendar(&world).await.due_at, Some(again));
        while world.clock.now().plus(SignedDuration::from_secs(10)) < again {
            world.clock.advance(SignedDuration::from_secs(10));
            world.work().await;
            let count = world.store.runs(Some(source), 100).await.unwrap().len();
            assert_eq!(count, before + 1, "read again after {}", world.clock.now().since(asked));
        }
        calls.goes_down_after.store(0, Ordering::Relaxed);
        calls.down.store(false, Ordering::Relaxed);
        // Writes wait for up to a quarter of an hour by now.
        world.clock.advance(SignedDuration::from_mins(16));
        world.deliver_and_work().await;
        let known = calendar(&world).await;
        assert!(!known.is_dirty() && known.last_synced_at >= Some(again), "{known:?}");
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}

/// Two calendars of one person wait for another look each, because what was pushed showed nothing and a listing may lag behind
/// (microsoft.md §10 row 15): looking at the one is no reason to look at the other at once, and so on for ever.
#[test]
fn second_looks_of_two_calendars_do_not_chase_each_other() {
    block_on(async {
        let mut world = settled(MICROSOFT, 92).await;
        let now = world.clock.now();
        let start = now.plus(SignedDuration::from_hours(30));
        let two = world.life.people[0].calendars[..2].to_vec();
        for calendar in &two {
            let end = start.plus(SignedDuration::from_hours(1));
            let content = Content::timed("told of", start, end, "UTC");
            world.cloud.with(|c| c.create_event(calendar, content, now)).unwrap();
        }
        world.deliver_and_work().await;
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        let ours = |remote: &str| state.calendars.iter().find(|c| c.remote.calendar == remote).unwrap().id;
        for calendar in &two {
            // Nothing is there any more, and the push is a moment old.
            world.engine().sync_now(&[ours(calendar.as_str())], Wish::Changes).await.unwrap();
            // It panics where this does not end.
            world.work().await;
        }
        world.clock.advance(SignedDuration::from_secs(11));
        world.work().await;
        for calendar in &two {
            assert!(!world.store.calendar(ours(calendar.as_str())).await.unwrap().unwrap().is_dirty());
        }
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}
