//! How fresh rules are: every change is counted with the time it took, what is not known to be right in time is told of, and
//! nobody is told of anything else.

use std::sync::atomic::Ordering;

use calsync_core::alert::AlertKind;
use calsync_core::health::{Answer, Figures, assess};
use calsync_core::subscription::Subscription;
use calsync_engine::RuleFreshness;
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::cloud::watch::{Notice, Provider};
use calsync_sim::direct::CLIENT;
use jiff::SignedDuration;

use super::lifecycle::{alerts, calendar, channel, tend};
use super::scenarios::settled;
use super::world::World;
use super::{HOMES, block_on};

fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

fn remote(world: &World, nth: usize) -> RemoteId {
    world.life.people[0].calendars[nth].clone()
}

/// An hour that somebody enters now.
fn make(world: &World, calendar: &RemoteId, hours: i64) -> EventId {
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    let (start, end) = (When::at(start, "UTC"), When::at(start.plus(minutes(60)), "UTC"));
    let content = Content::new("one hour", start, end);
    world.cloud.with(|c| c.create_event(calendar, content, world.clock.now()).unwrap().id.clone())
}

fn on_their_way(world: &World) -> Vec<Notice> {
    world.cloud.with(|c| Provider::ALL.into_iter().flat_map(|p| c.take_notices(p, 10_000)).collect())
}

/// The system as it is judged now; its alerts follow.
async fn look(world: &World) -> Vec<String> {
    let stored = world.engine().health_figures(|_| None, vec![]).await.unwrap();
    let (database, stored) = (Answer::Answers { ms: 1 }, Some(stored));
    let report =
        assess(&Figures { database, cache: None, disk: None, memory: None, clock_jumped: None, stored });
    world.engine().heed(&report).await.unwrap();
    let behind = report.conditions.into_iter().filter(|c| c.kind == AlertKind::RuleBehind);
    behind.map(|c| c.message).collect()
}

/// So much time passes, and whatever is told arrives after so many minutes.
async fn pass(world: &mut World, time: i64, late: i64) {
    let mut waiting: Vec<(i64, Notice)> = Vec::new();
    for minute in 0..time {
        world.clock.advance(minutes(1));
        waiting.extend(on_their_way(world).into_iter().map(|notice| (minute + late, notice)));
        let (ripe, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(at, _)| *at <= minute);
        for (_, notice) in &ripe {
            world.receive(notice).await;
        }
        waiting = rest;
        world.work().await;
        tend(world).await;
    }
}

async fn rules(world: &World) -> Vec<RuleFreshness> {
    world.engine().rule_freshness(world.users[0]).await.unwrap()
}

/// Those whose time the first person's second calendar takes.
async fn from_second(world: &World) -> Vec<RuleFreshness> {
    let source = calendar(world).await.id;
    rules(world).await.into_iter().filter(|r| r.freshness.source == source).collect()
}

/// goals.md R6: a day on which nothing happens, with silent channels probed after six hours and a listing in full; and before
/// it a first filling.
#[test]
fn nobody_is_told_of_a_quiet_day() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 91).await;
            assert_eq!(
                world.engine().rule_freshness(world.users[1]).await.unwrap().len(),
                rules(&world).await.len()
            );
            for rule in rules(&world).await {
                assert_eq!(rule.freshness.standing.as_str(), "right", "{homes:?}: {rule:?}");
                assert_eq!(rule.delays.changes, 0, "{homes:?}: a first filling is no change");
            }
            for _ in 0..26 * 6 {
                pass(&mut world, 10, 0).await;
                assert_eq!(look(&world).await, Vec::<String>::new(), "{homes:?}");
            }
            let day = world.clock.now().minus(SignedDuration::from_hours(8));
            for rule in rules(&world).await {
                assert!(rule.freshness.right_at > Some(day), "{homes:?}: {rule:?}");
                assert_eq!(rule.delays.changes, 0, "{homes:?}: what the window slid to is no change");
            }
        });
    }
}

/// Of new events, changed ones and removed ones, the exact time as the clock of the world tells it.
#[test]
fn every_change_is_counted_with_its_time() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 92).await;
            pass(&mut world, 30, 0).await;
            let event = make(&world, &remote(&world, 1), 30);
            pass(&mut world, 4, 2).await;
            let told = from_second(&world).await;
            assert!(!told.is_empty());
            for rule in &told {
                let delays = rule.delays;
                assert_eq!(delays.changes, 1, "{homes:?}: {rule:?}");
                let p99 = delays.p99_ms.unwrap();
                assert!((180_000..=225_000).contains(&p99), "{homes:?}: three minutes, not {p99} ms");
            }
            let others = rules(&world).await.into_iter().filter(|r| !told.contains(r));
            assert_eq!(others.map(|r| r.delays.changes).sum::<u64>(), 0, "{homes:?}: echoes are no changes");
            world.cloud.with(|c| c.cancel_event(&remote(&world, 1), &event, world.clock.now()).unwrap());
            pass(&mut world, 4, 0).await;
            for rule in from_second(&world).await {
                assert_eq!(rule.delays.changes, 2, "{homes:?}: its removal, too: {rule:?}");
            }
            pass(&mut world, 25 * 60, 0).await;
            for rule in rules(&world).await {
                assert_eq!(rule.delays.changes, 0, "{homes:?}: that was yesterday");
            }
        });
    }
}

/// Five minutes are forgiven; of an hour people are told, by rule, until it is over. The slow ones are counted.
#[test]
fn an_outage_is_told_of_when_it_outlasts_the_promise() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 93).await;
            pass(&mut world, 30, 0).await;
            let calls = world.watch_calls();
            for (outage, told) in [(5, false), (60, true)] {
                let before = from_second(&world).await;
                make(&world, &remote(&world, 1), 20 + outage);
                calls.down.store(true, Ordering::Relaxed);
                let mut behind_at = None;
                for minute in 1..=outage {
                    pass(&mut world, 1, 0).await;
                    let behind = look(&world).await;
                    if !behind.is_empty() && behind_at.is_none() {
                        behind_at = Some(minute);
                        assert!(behind[0].contains(&calendar(&world).await.id.to_string()), "{behind:?}");
                    }
                }
                calls.down.store(false, Ordering::Relaxed);
                assert_eq!(behind_at.is_some(), told, "{homes:?}: {outage} minutes, {behind_at:?}");
                assert!(behind_at.is_none_or(|at| (10..14).contains(&at)), "{homes:?}: {behind_at:?}");
                pass(&mut world, 30, 0).await;
                assert_eq!(look(&world).await, Vec::<String>::new(), "{homes:?}: it is over");
                assert_eq!(alerts(&world, "rule_behind").await, [], "{homes:?}");
                for (before, after) in before.iter().zip(from_second(&world).await) {
                    assert_eq!(after.delays.changes, before.delays.changes + 1, "{homes:?}: {after:?}");
                    assert!(
                        after.delays.p99_ms.unwrap() >= 60_000 * outage.unsigned_abs(),
                        "{homes:?}: {after:?}"
                    );
                }
            }
        });
    }
}

/// Its channel, as it stands for good: nothing that was just opened or mended.
async fn well_used(world: &mut World) -> Subscription {
    pass(world, 90, 0).await;
    channel(world).await.unwrap()
}

/// goals.md R6: found within ten minutes of the first block that is written into its calendar, and replaced.
#[test]
fn a_channel_that_does_not_echo_what_we_write_is_replaced() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 94).await;
            let dead = well_used(&mut world).await;
            world.cloud.with(|c| c.stop_channel(CLIENT, &dead.remote_id));
            make(&world, &remote(&world, 0), 30);
            pass(&mut world, 10, 0).await;
            let now = channel(&world).await.unwrap();
            assert_ne!((now.id, &now.remote_id), (dead.id, &dead.remote_id), "{homes:?}");
            assert_eq!(now.delivery.missed, 1, "{homes:?}: {:?}", now.delivery);
            assert_eq!(
                alerts(&world, "subscription_failing").await,
                [],
                "{homes:?}: mended before anybody is told"
            );
            // The new one hears.
            make(&world, &remote(&world, 1), 40);
            pass(&mut world, 1, 0).await;
            assert!(world.judge().is_good(), "{homes:?}");
        });
    }
}

/// Microsoft gives itself up to three minutes (microsoft.md §8.6): one that is late is not dead.
#[test]
fn a_late_echo_is_an_echo() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 95).await;
            let before = well_used(&mut world).await;
            for round in 0..20 {
                make(&world, &remote(&world, usize::from(round % 2 == 1) * 2), 30 + round);
                pass(&mut world, 12, 3).await;
            }
            let after = channel(&world).await.unwrap();
            assert_eq!((after.id, after.delivery.missed), (before.id, 0), "{homes:?}: {:?}", after.delivery);
            assert!(after.delivery.heard >= 20, "{homes:?}: {:?}", after.delivery);
        });
    }
}
