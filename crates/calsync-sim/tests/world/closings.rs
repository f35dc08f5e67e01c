//! Push channels that are of no more use: each is closed in the end, also where that failed first, or where nobody knew of it.

use std::sync::atomic::Ordering;

use calsync_core::ports::{CalendarChange, Switch};
use calsync_core::subscription::PROVISIONAL_LIFE;
use calsync_sim::cloud::content::Content;
use calsync_sim::direct::CLIENT;
use calsync_sim::faults::Fault;
use jiff::SignedDuration;

use super::block_on;
use super::cast::{GOOGLE, MICROSOFT};
use super::lifecycle::{calendar, channel, one_channel_each, open_at_provider, pass_unheard, tend};
use super::scenarios::settled;

/// A calendar is switched off while its provider is down: the channel is closed later, and refused until then.
#[test]
fn a_channel_that_could_not_be_closed_is_closed_later() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 31).await;
            let calls = world.watch_calls();
            calls.down.store(true, Ordering::Relaxed);
            let off = calendar(&world).await;
            world.engine().disable_calendar(&off).await.unwrap();
            assert_eq!(open_at_provider(&world, &off.remote.calendar).len(), 1, "it stands");
            assert!(channel(&world).await.is_none(), "and is out of use");
            pass_unheard(&mut world, SignedDuration::from_hours(1)).await;
            assert_eq!(open_at_provider(&world, &off.remote.calendar).len(), 1);
            calls.down.store(false, Ordering::Relaxed);
            pass_unheard(&mut world, SignedDuration::from_mins(20)).await;
            assert_eq!(open_at_provider(&world, &off.remote.calendar), [] as [&str; 0], "{homes:?}: closed");
            let to_close = world.store.subscriptions_to_close(calsync_core::time::Ts::MAX, 10).await.unwrap();
            assert_eq!(to_close, []);
        });
    }
}

/// The provider opened a channel and its answer was lost: when it calls it is refused, recognised and closed.
#[test]
fn a_channel_whose_answer_was_lost_is_closed_when_it_calls() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 32).await;
            let before = channel(&world).await.unwrap();
            let remote = calendar(&world).await.remote.calendar;
            if homes == MICROSOFT {
                // There it is prolonged, not replaced, unless it is gone.
                world.cloud.with(|c| c.stop_channel(CLIENT, &before.remote_id));
            }
            world.clock.advance(SignedDuration::from_mins(11));
            world.faults.force(Fault::ErrorAfterWrite, 1);
            assert!(!world.engine().renew_channel(before.calendar).await.unwrap());
            let open = open_at_provider(&world, &remote);
            assert_eq!(open.len(), if homes == MICROSOFT { 1 } else { 2 }, "one of them is an orphan");
            world.deliver_and_work().await;
            let start = world.clock.now().plus(SignedDuration::from_hours(30));
            let (now, at) = (world.clock.now(), world.life.people[0].calendars[1].clone());
            world.cloud.with(|c| {
                let end = start.plus(SignedDuration::from_hours(1));
                c.create_event(&at, Content::timed("something", start, end, "UTC"), now).unwrap();
            });
            world.deliver_and_work().await;
            tend(&world).await;
            world.clock.advance(SignedDuration::from_mins(6));
            tend(&world).await;
            world.deliver_and_work().await;
            one_channel_each(&world, "the orphan is gone").await;
        });
    }
}

/// A calendar leaves while its provider is being asked for a channel: none stands in the end, here or there, and nobody is told
/// of failures any more.
#[test]
fn a_calendar_that_leaves_while_its_channel_is_renewed_keeps_none() {
    for (homes, after) in [(GOOGLE, false), (GOOGLE, true), (MICROSOFT, false), (MICROSOFT, true)] {
        block_on(async {
            let mut world = settled(homes, 34).await;
            world.clock.advance(SignedDuration::from_mins(11));
            let off = calendar(&world).await;
            let store = world.store.clone();
            let (id, now) = (off.id, world.clock.now());
            let leave = move || {
                let leaving = store.change_calendar(id, CalendarChange::SyncEnabled(Switch::Off), now);
                futures_util::FutureExt::now_or_never(leaving).unwrap().unwrap();
            };
            if after {
                world.after_next_call(leave)
            } else {
                world.during_next_call(leave)
            }
            assert!(!world.engine().renew_channel(off.id).await.unwrap(), "{homes:?}");
            assert!(channel(&world).await.is_none(), "{homes:?}: out of use");
            for _ in 0..3 {
                world.clock.advance(PROVISIONAL_LIFE + SignedDuration::from_secs(1));
                world.engine().maintain_subscriptions().await.unwrap();
                world.deliver_and_work().await;
            }
            assert_eq!(
                open_at_provider(&world, &off.remote.calendar),
                [] as [&str; 0],
                "{homes:?} {after}: closed"
            );
            assert!(channel(&world).await.is_none());
        });
    }
}
