//! What comes and goes every minute for a day: people hear of it seldom, the level changes seldom, and nobody is polled on and
//! off.

use calsync_core::alert::Occasion;
use calsync_core::health::{Answer, Disk};
use jiff::SignedDuration;

use super::super::block_on;
use super::super::cast::GOOGLE;
use super::super::scenarios::settled;
use super::Watch;

/// Told of one kind in a day of swings, at most: each opening, its end, and reminders.
const MESSAGES_MAX: usize = 24;
/// Changes of level in such a day, at most.
const CHANGES_MAX: usize = 40;

/// A day in which it is so for `bad` looks, and not so for as many.
async fn day(bad: usize, turn: impl Fn(&mut Watch, bool)) -> (Watch, usize) {
    let mut world = settled(GOOGLE, 78).await;
    let mut watch = Watch::over(&mut world);
    let end = world.clock.now().plus(SignedDuration::from_hours(24));
    let (mut look, mut toggled, mut doubted) = (0_usize, 0, false);
    while world.clock.now() < end {
        turn(&mut watch, (look / bad).is_multiple_of(2));
        look += 1;
        watch.tick(&mut world).await;
        let now = world.engine().push_doubted().await.unwrap();
        toggled += usize::from(now != doubted);
        doubted = now;
    }
    (watch, toggled)
}

#[test]
fn what_swings_for_a_day_is_told_a_few_times_and_nobody_is_polled_on_and_off() {
    for (minutes, looks) in [(1, 6), (4, 24)] {
        block_on(swing(minutes, looks));
    }
}

async fn swing(minutes: u32, looks: usize) {
    let away = || Some(Answer::Silent { why: "it is gone".to_owned() });
    let there = || Some(Answer::Answers { ms: 1 });
    let (cache, never) = day(looks, |watch, bad| watch.host.cache = if bad { away() } else { there() }).await;
    assert_eq!(never, 0, "a cache is no reason to poll anybody");
    let (disk, polled) = day(looks, |watch, bad| {
        let free = if bad { 1 << 20 } else { 10 << 30 };
        watch.host.disk = watch.host.disk.map(|disk| Disk { free, ..disk });
    })
    .await;
    for (level, kind, watch, switched) in
        [("degraded", "cache_down", &cache, never), ("critical", "disk_low", &disk, polled)]
    {
        let of = |kind: &str| watch.told.iter().filter(|m| m.kind == kind).count();
        let opened = watch.heard(kind, Occasion::Opened).len();
        let (own, levels, changes) = (of(kind), of("status_changed"), watch.changes.len());
        println!(
            "{level} for {minutes} min, well for {minutes} min, a day long: {own} messages of {kind} ({opened} openings), {levels} of \
             the level, {changes} changes of level, polling for everybody switched {switched} times"
        );
        assert!(opened >= 1 && own <= MESSAGES_MAX && levels <= MESSAGES_MAX, "{own} {levels}");
        assert!((1..=CHANGES_MAX).contains(&changes), "{:?}", watch.changes);
        assert!(switched <= CHANGES_MAX / 2, "polling was switched {switched} times");
    }
}
