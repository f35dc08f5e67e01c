//! What our own writes cause: where a delivery names what changed (microsoft.md §8.2), the echo of a write asks for no reading,
//! and whatever a person does at the same time is read all the same.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use calsync_core::ids::CalendarId;
use calsync_core::run::RunKind;
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::cloud::watch::{Notice, Provider};
use calsync_sim::rng::Rng;
use jiff::SignedDuration;

use super::cast::{GOOGLE, MICROSOFT};
use super::scenarios::settled;
use super::world::World;
use super::{block_on, env};

/// Rounds of what a person and calendar-sync do to the same calendars, for each seed.
const ROUNDS: u32 = 25;

fn one_hour(world: &World, hours: i64) -> (When, When) {
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    (When::at(start, "UTC"), When::at(start.plus(SignedDuration::from_hours(1)), "UTC"))
}

fn make(world: &World, calendar: &RemoteId, hours: i64) -> EventId {
    let (start, end) = one_hour(world, hours);
    let content = Content::new("one hour", start, end);
    world.cloud.with(|c| c.create_event(calendar, content, world.clock.now()).unwrap().id.clone())
}

fn on_their_way(world: &World) -> Vec<Notice> {
    world.cloud.with(|c| Provider::ALL.into_iter().flat_map(|p| c.take_notices(p, 10_000)).collect())
}

async fn ours(world: &World, remote: &RemoteId) -> CalendarId {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    state.calendars.iter().find(|c| c.remote.calendar == remote.as_str()).unwrap().id
}

/// Blocks of ours that stand in a calendar.
fn blocks(world: &World, remote: &RemoteId) -> Vec<EventId> {
    world.cloud.with(|c| {
        let ours = |e: &EventId| c.journal().entries().any(|j| j.event == *e);
        c.live_events(remote).iter().map(|e| e.id.clone()).filter(ours).collect()
    })
}

/// One of so many; the first, where there is none.
fn below(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).unwrap()
}

/// Everything that the echo of a write leads to: one call at a provider that only tells that something changed, none at one
/// that tells what.
#[test]
fn the_echo_of_a_write_is_not_read_where_it_names_what_changed() {
    for (homes, calls_each) in [(GOOGLE, 1), (MICROSOFT, 0)] {
        block_on(async {
            let mut world = settled(homes, 71).await;
            let calls = world.watch_calls();
            let from = world.life.people[0].calendars[1].clone();
            let event = make(&world, &from, 30);
            let remove = |world: &World| {
                world.cloud.with(|c| c.cancel_event(&from, &event, world.clock.now()).unwrap());
            };
            for deed in [None, Some(remove)] {
                if let Some(deed) = deed {
                    deed(&world);
                }
                for notice in on_their_way(&world) {
                    world.receive(&notice).await;
                }
                world.work().await;
                let (echoes, before) = (on_their_way(&world), calls.made.load(Ordering::Relaxed));
                assert_eq!(echoes.len(), 2, "{homes:?}: a block in each of the two others");
                for notice in &echoes {
                    world.receive(notice).await;
                }
                world.work().await;
                // Each call has two points.
                let made = (calls.made.load(Ordering::Relaxed) - before) / 2;
                assert_eq!(made, 2 * calls_each, "{homes:?}");
                for notice in &echoes {
                    let id = ours(&world, &world.life.people[0].calendars[2]).await;
                    let channel = world.store.subscriptions(id).await.unwrap().remove(0);
                    assert_eq!(
                        channel.last_notification_at,
                        Some(world.clock.now()),
                        "a sign of life: {notice:?}"
                    );
                    assert_eq!((channel.delivery.missed, channel.failure_count), (0, 0));
                }
                assert_eq!(
                    world.store.backlog(world.clock.now().plus(SignedDuration::from_secs(1))).await.unwrap(),
                    0
                );
                assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
                world.clock.advance(SignedDuration::from_mins(1));
            }
        });
    }
}

/// A channel that only ever tells of our own writes may have lost a person's: six hours after the last reading somebody looks,
/// however many echoes came in between, and what that look finds was missed.
#[test]
fn echoes_do_not_put_off_the_next_look() {
    block_on(async {
        let mut world = settled(MICROSOFT, 72).await;
        let (from, into) =
            (world.life.people[0].calendars[1].clone(), world.life.people[0].calendars[2].clone());
        let id = ours(&world, &into).await;
        make(&world, &into, 60);
        drop(on_their_way(&world));
        let began = world.clock.now();
        let read =
            async |world: &World| world.store.calendar(id).await.unwrap().unwrap().last_synced_at.unwrap();
        assert!(read(&world).await <= began);
        while read(&world).await <= began {
            assert!(world.clock.now().since(began) <= SignedDuration::from_mins(6 * 60 + 10), "nobody looks");
            make(&world, &from, 70);
            world.deliver_and_work().await;
            world.clock.advance(SignedDuration::from_mins(10));
            world.work().await;
        }
        let runs = world.store.runs(Some(id), 1).await.unwrap();
        assert_ne!(runs[0].kind, RunKind::Webhook, "by the clock");
        assert!(world.judge().is_good(), "{:?}", world.judge());
        world.clock.advance(SignedDuration::from_mins(5));
        world.work().await;
        let channel = world.store.subscriptions(id).await.unwrap().remove(0);
        assert_eq!(channel.delivery.missed, 1, "what nobody told is missed: {:?}", channel.delivery);
    });
}

/// A person changes calendars while calendar-sync writes into them, blocks of ours among what they change, and the notices of
/// both arrive in any order, at any time, some of them twice. Each notice that tells of a person's change is enough by itself:
/// nothing is left to a probe or a daily reading.
#[test]
fn a_change_that_coincides_with_a_write_is_never_skipped() {
    for seed in 1..=env("CALSYNC_WORLD_ECHO_SEEDS", 6) {
        block_on(async {
            let mut world = settled(MICROSOFT, 80 + seed).await;
            let mut rng = Rng::new(seed);
            let calendars = world.life.people[0].calendars.clone();
            let mut waiting: Vec<Notice> = Vec::new();
            let mut made: Vec<(RemoteId, EventId)> = Vec::new();
            let mut meddled: BTreeSet<EventId> = BTreeSet::new();
            for round in 0..ROUNDS {
                let at = calendars[below(&mut rng, 3)].clone();
                let now = world.clock.now();
                let hours = 20 + i64::try_from(rng.below(500)).unwrap();
                match rng.below(5) {
                    0 | 1 => made.push((at.clone(), make(&world, &at, hours))),
                    2 if !made.is_empty() => {
                        let (of, event) = made.swap_remove(below(&mut rng, made.len()));
                        world.cloud.with(|c| c.cancel_event(&of, &event, now).unwrap());
                    }
                    3 if !made.is_empty() => {
                        let (of, event) = &made[below(&mut rng, made.len())];
                        let (start, end) = one_hour(&world, hours);
                        world.cloud.with(|c| {
                            c.edit_event(of, event, now, |e| (e.start, e.end) = (start.clone(), end.clone()))
                                .unwrap();
                        });
                    }
                    _ => {
                        // Each once: whoever insists is left alone in the end.
                        let mut blocks = blocks(&world, &at);
                        blocks.retain(|block| !meddled.contains(block));
                        if let Some(block) = blocks.get(below(&mut rng, blocks.len())) {
                            meddled.insert(block.clone());
                            let to = one_hour(&world, hours);
                            world.cloud.with(|c| match rng.below(2) {
                                0 => drop(c.cancel_event(&at, block, now)),
                                _ => drop(c.reschedule(&at, block, to, now)),
                            });
                        }
                    }
                }
                waiting.extend(on_their_way(&world));
                for _ in 0..rng.below(5) {
                    if waiting.is_empty() {
                        break;
                    }
                    let one = waiting.swap_remove(below(&mut rng, waiting.len()));
                    world.receive(&one).await;
                    if rng.below(4) == 0 {
                        waiting.push(one);
                    }
                    if rng.below(2) == 0 {
                        world.work().await;
                        waiting.extend(on_their_way(&world));
                    }
                }
                let seconds = i64::try_from(rng.below(40)).unwrap();
                // Never so long that somebody looks by the clock.
                world.clock.advance(SignedDuration::from_secs(if round % 2 == 0 { seconds } else { 0 }));
            }
            for _ in 0..20 {
                waiting.extend(on_their_way(&world));
                for notice in std::mem::take(&mut waiting) {
                    world.receive(&notice).await;
                }
                world.work().await;
                // A second look after a push that its listing did not know of yet.
                world.clock.advance(SignedDuration::from_secs(11));
                world.work().await;
            }
            assert!(world.judge().is_good(), "seed {seed}: {:?}", world.judge());
        });
    }
}
