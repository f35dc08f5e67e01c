//! What a level asks for, apart from the look that found it: a look does nothing itself, and a death at any point of either leaves
//! all of it to the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use calsync_core::alert::AlertKind;
use calsync_core::health::{Disk, LateJob, Level, Report, assess, assess_settling};
use calsync_core::schedule::Intervals;
use jiff::SignedDuration;

use super::super::block_on;
use super::super::cast::GOOGLE;
use super::super::mortal::Mortality;
use super::super::process;
use super::super::scenarios::{all_calendars, settled};
use super::super::world::World;
use super::{ALL, Watch};

/// A level lasts for so long before it is in force.
const LASTS: SignedDuration = SignedDuration::from_secs(20);

/// A process over the world's store that dies at the `nth` point from now.
fn mortal(world: &World, nth: i64) -> (Arc<Mortality>, calsync_engine::Engine) {
    let life = Arc::new(Mortality::default());
    life.arm(nth);
    let engine = process::engine(&world.store, &world.direct, &world.clock, &world.ids, &life, 99);
    (life, engine)
}

/// A disk that is as good as full: critical.
async fn full(world: &World, watch: &Watch) -> Report {
    let stored = world.engine().health_figures(|_| None, vec![]).await.unwrap();
    let disk = Some(Disk { free: 1 << 20, total: 20 << 30 });
    assess(&calsync_core::health::Figures { disk, stored: Some(stored), ..watch.host.clone() })
}

/// How many calendars are due within the interval of failing channels.
async fn soon(world: &World) -> usize {
    let now = world.clock.now();
    let by = now.plus(Intervals::default().fallback_poll).plus(SignedDuration::from_secs(1));
    world.store.overdue(by, now, 1_000).await.unwrap().len()
}

#[test]
fn a_death_at_any_point_leaves_all_of_it_to_the_next() {
    block_on(async {
        for point in 1.. {
            let mut world = settled(GOOGLE, 91).await;
            let watch = Watch::over(&mut world);
            let everybody = all_calendars(&world).await.len();
            assert!(soon(&world).await < everybody);
            let report = full(&world, &watch).await;
            world.engine().note_level(&report).await.unwrap();
            world.clock.advance(LASTS);
            let (life, dying) = mortal(&world, point);
            let calls = watch.calls.made.load(Ordering::Relaxed);
            let changed = dying.note_level(&report).await;
            assert_eq!(calls, watch.calls.made.load(Ordering::Relaxed), "a look asks no provider");
            let responded = dying.respond(ALL).await;
            let died = life.is_dead();
            assert!(died || changed.is_ok() && responded.is_ok());

            // Whoever comes next looks, and takes up what is left.
            world.engine().note_level(&report).await.unwrap();
            world.engine().respond(ALL).await.unwrap();
            assert_eq!(soon(&world).await, everybody, "dies at point {point}: somebody is left behind");
            assert!(
                world.engine().push_doubted().await.unwrap() && !world.engine().is_owing().await.unwrap()
            );
            assert_eq!(world.engine().watch_state().await.unwrap().level.level, Level::Critical);
            let open = world.store.open_alerts().await.unwrap();
            let told = open.iter().filter(|alert| alert.kind == AlertKind::StatusChanged.as_str()).count();
            let lines = world.store.audited("level: ", 100).await.unwrap();
            let noted = lines.iter().filter(|line| line.what.contains("healthy → critical")).count();
            assert!(told == 1 && (1..=2).contains(&noted), "dies at point {point}: {told} {lines:?}");
            if !died {
                assert!(point > 20, "only {point} points");
                assert_eq!(lines.len(), 2, "each is said once: {lines:?}");
                return;
            }
        }
    });
}

#[test]
fn what_can_not_be_judged_stays_open_and_the_level_gets_no_better() {
    block_on(async {
        let mut world = settled(GOOGLE, 92).await;
        let watch = Watch::over(&mut world);
        let engine = world.engine();
        let late = || vec![LateJob { name: "discovery".to_owned(), late_seconds: 7_200 }];
        let seen = |late| async {
            let stored = engine.health_figures(|_| None, late).await.unwrap();
            calsync_core::health::Figures { stored: Some(stored), ..watch.host.clone() }
        };
        let open = || async { world.store.open_alerts().await.unwrap().len() };
        engine.heed(&assess(&seen(late()).await)).await.unwrap();
        assert_eq!(open().await, 1);
        // After a restart nothing is late for a while, and nothing is known when the figures are not to be had.
        engine.heed(&assess_settling(&seen(vec![]).await)).await.unwrap();
        let nothing = calsync_core::health::Figures { stored: None, ..watch.host.clone() };
        engine.heed(&assess(&nothing)).await.unwrap();
        assert_eq!(open().await, 1, "it is not over because nobody looked");
        engine.heed(&assess(&seen(vec![]).await)).await.unwrap();
        assert_eq!(open().await, 0);

        let report = full(&world, &watch).await;
        engine.note_level(&report).await.unwrap();
        world.clock.advance(LASTS);
        engine.note_level(&report).await.unwrap();
        for _ in 0..100 {
            world.clock.advance(LASTS);
            engine.note_level(&assess(&nothing)).await.unwrap();
        }
        assert_eq!(engine.watch_state().await.unwrap().level.level, Level::Critical);
    });
}
