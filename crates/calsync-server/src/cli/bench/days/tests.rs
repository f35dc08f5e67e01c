//! A few days of few calendars: nothing uncovered, no false miss, and polling takes over where nothing is delivered.

use calsync_sim::cloud::watch::Provider;
use calsync_sim::direct::CLIENT;
use calsync_sim::life::Homes;
use jiff::SignedDuration;

use super::super::world::shapes::Crowd;
use super::super::world::{Post, Shape};
use super::life::{Living, live};
use super::tally::Tally;

const CHANGES: u32 = 6;

fn shape(dropped: u8, seed: u64) -> Shape {
    let crowd = Crowd { people: 2, calendars: 3 };
    Shape { crowd, seed, homes: Homes::Both, post: Post::AsInLife, dropped }
}

fn lived(dropped: u8, seed: u64) -> Tally {
    let lived = crate::cli::block_on(live(shape(dropped, seed), 4, CHANGES)).unwrap().unwrap();
    assert!(lived.guard.moments > 1_000 && lived.guard.uncovered == 0, "{dropped} %: {:?}", lived.guard);
    assert!(lived.judged.is_good() && lived.judged.blocks > 50, "{dropped} %: {:?}", lived.judged);
    assert_eq!((lived.unread, lived.calendar_days), (0, 24), "{dropped} %");
    assert_eq!(lived.notices.lost == 0, dropped == 0);
    lived
}

#[test]
fn what_is_told_is_never_taken_for_missed() {
    for seed in [1, 2] {
        let lived = lived(0, seed);
        assert_eq!(
            (lived.channels.misses, lived.channels.repaired, lived.runs.polls),
            (0, 0, 0),
            "{lived:?}"
        );
        assert!(lived.channels.renewed > 0 && lived.runs.webhook > lived.runs.probes, "{lived:?}");
        // As long as Microsoft takes, or until a brake.
        assert!(lived.staleness().max_ms <= 180_000, "{:?}", lived.staleness());
    }
}

#[test]
fn half_of_the_notices_lost_cost_time_and_no_more() {
    for seed in [1, 2] {
        let lived = lived(50, seed);
        assert!(lived.channels.misses > 0, "{:?}", lived.channels);
        assert!(lived.staleness().max_ms <= hours(6), "{:?}", lived.staleness());
    }
}

#[test]
fn polling_takes_over_by_itself_where_nothing_is_delivered() {
    for seed in [1, 2] {
        let lived = lived(100, seed);
        assert_eq!((lived.notices.told, lived.runs.webhook), (0, 0));
        assert!(lived.channels.misses > 0 && lived.runs.polls > lived.runs.probes, "{lived:?}");
        let stale = lived.staleness();
        // Until the first miss a silent channel is probed after six hours; soon after it is polled.
        assert!(stale.max_ms <= hours(6) && stale.p50_ms <= hours(1), "{stale:?}");
    }
}

/// A full listing forgets what is over. Nobody changed it, so nobody can have missed to tell.
#[test]
fn what_is_merely_over_is_no_change_that_was_missed() {
    for provider in Provider::ALL {
        // Nothing is lost: the echo of a first block that does not come is a miss by itself.
        let quiet = Shape { homes: Homes::One(provider), ..shape(0, 1) };
        let lived = crate::cli::block_on(live(quiet, 6, 0)).unwrap().unwrap();
        assert_eq!((lived.changes, lived.channels.misses, lived.runs.polls), (0, 0, 0), "{lived:?}");
        assert!(lived.runs.full > 0 && lived.runs.probes > 0, "{lived:?}");
    }
}

/// The guard itself: a channel that ends at the provider without a word leaves its calendar uncovered until the next look.
#[test]
fn the_guard_sees_a_channel_that_is_gone() {
    let uncovered = crate::cli::block_on(async {
        let google = Homes::One(Provider::Google);
        let mut living = Living::begin(Shape { homes: google, ..shape(0, 1) }).await.unwrap();
        let channels: Vec<_> =
            living.world.cloud.with(|c| c.watch().channels().map(|c| c.id.clone()).collect());
        assert_eq!(channels.len(), 6);
        living.world.cloud.with(|cloud| cloud.stop_channel(CLIENT, &channels[0]));
        living.live(SignedDuration::from_hours(5), CHANGES).await.unwrap();
        living.end().await.unwrap().guard.uncovered
    });
    assert!(uncovered.unwrap() > 0);
}

const fn hours(hours: u32) -> u32 {
    hours * 3_600_000
}
