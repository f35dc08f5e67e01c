//! Undoing runs in whole worlds: the targets stand as they stood before, whoever dies on the way, and the planner keeps away from
//! them until a person lets it go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::ids::RunId;
use calsync_core::journal::{Filter, Idle};
use calsync_core::undo::WhyNot;
use calsync_engine::{EngineError, Partly, UndoReport, Undoable};
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::journal::Op;
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::direct::CLIENT;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::cast::GOOGLE;
use super::scenarios::settled;
use super::world::{Recipe, World};
use super::{HOMES, block_on, homes_recipe};

const WHO: &str = "ada@example.com";

/// What calendar-sync made and still stands ahead, by calendar: everything but its ids and versions.
fn blocks(world: &World) -> BTreeMap<String, Vec<String>> {
    let now = world.clock.now();
    world.cloud.with(|cloud| {
        let mut made: BTreeMap<&RemoteId, BTreeSet<&EventId>> = BTreeMap::new();
        for entry in cloud.journal().entries().filter(|e| e.client.as_str() == CLIENT && e.op == Op::Insert) {
            made.entry(&entry.calendar).or_default().insert(&entry.event);
        }
        let of = |calendar: &RemoteId, ids: &BTreeSet<&EventId>| {
            let live = cloud.calendar(calendar).unwrap().live().filter(|e| ids.contains(&e.id));
            let ahead = live.filter_map(|e| Some((e.content.span()?, e)));
            let ahead = ahead.filter(|(span, _)| span.instants(&jiff::tz::TimeZone::UTC).1 > now);
            let mut all: Vec<String> = ahead
                .map(|(span, e)| {
                    let c = &e.content;
                    format!("{span} {:?} {:?} {:?} {:?}", c.summary, c.status, c.transparency, c.visibility)
                })
                .collect();
            all.sort();
            all
        };
        // An undo is one person's.
        let theirs = &world.life.people[0].calendars;
        made.iter()
            .filter(|(calendar, _)| theirs.contains(calendar))
            .map(|(calendar, ids)| (calendar.to_string(), of(calendar, ids)))
            .collect()
    })
}

/// Runs of the first person that wrote something, the newest first.
async fn runs(world: &World) -> Vec<RunId> {
    let filter = Filter { user: world.users[0], calendar: None, since: None, idle: Idle::Hidden };
    let page = world.engine().activity(&filter, None, 200).await.unwrap();
    let wrote = page.runs.iter().filter(|a| !a.wrote.is_empty());
    wrote.map(|activity| activity.run.id).collect()
}

async fn since(world: &World, before: &[RunId]) -> Vec<RunId> {
    runs(world).await.into_iter().filter(|run| !before.contains(run)).collect()
}

async fn undo(world: &World, run: RunId, partly: Partly) -> UndoReport {
    world.engine().undo(world.users[0], run, partly, WHO).await.unwrap()
}

/// Time for a retry, a lease and what is told late.
async fn pass(world: &mut World) {
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_mins(3));
        world.deliver_and_work().await;
    }
}

async fn approve(world: &World) -> usize {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    for hold in &state.holds {
        // A life may pull the brake as well.
        assert!(hold.undone.is_none() || hold.reason.contains("was undone by"), "{hold:?}");
        assert!(world.store.approve_hold(hold.target, world.clock.now()).await.unwrap());
    }
    state.holds.len()
}

/// An hour that somebody enters in their second calendar.
fn make(world: &World, hours: i64) -> EventId {
    let remote = world.life.people[0].calendars[1].clone();
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    let end = start.plus(SignedDuration::from_hours(1));
    let content = Content::new("one hour", When::at(start, "UTC"), When::at(end, "UTC"));
    world.cloud.with(|c| c.create_event(&remote, content, world.clock.now()).unwrap().id.clone())
}

/// Random lives, undone run by run; and then put as the rules want it.
#[test]
fn what_was_undone_stands_as_it_stood() {
    let (mut undone, mut worlds) = (0, 0);
    for (homes, seed) in HOMES.into_iter().flat_map(|homes| (0..6).map(move |n| (homes, 400 + n))) {
        block_on(async {
            let mut world = settled(homes, seed).await;
            let known = runs(&world).await;
            // What the acts of life do to what is over can not be undone, and is left out on both sides.
            let before = blocks(&world);
            for _ in 0..3 {
                let now = world.clock.now();
                for _ in 0..4 {
                    world.cloud.with(|c| world.life.act(c, now));
                }
                world.deliver_and_work().await;
            }
            let all = since(&world, &known).await;
            let mut refused = Vec::new();
            for run in &all {
                let preview = world.engine().preview_undo(world.users[0], *run).await.unwrap();
                let report = undo(&world, *run, Partly::Allow).await;
                assert_eq!((&report.blocks, &report.not), (&preview.blocks, &preview.not));
                refused.extend(report.not.iter().map(|(_, not)| not.why));
                undone += report.blocks.len();
                world.deliver_and_work().await;
                let again = undo(&world, *run, Partly::Allow).await;
                assert!(again.blocks.is_empty(), "{homes:?} {seed}: {again:?}");
            }
            assert!(refused.iter().all(|why| *why == WhyNot::Past), "{homes:?} {seed}: {refused:?}");
            assert_eq!(blocks(&world), before, "{homes:?} {seed}");
            // Nothing is written there, however often somebody looks.
            pass(&mut world).await;
            assert_eq!(blocks(&world).len(), before.len());
            // Where the rules would remove much, the brake asks once more.
            for _ in 0..2 {
                approve(&world).await;
                pass(&mut world).await;
            }
            let judgement = world.judge();
            assert!(judgement.is_good(), "{homes:?} {seed}: {judgement:?}");
            worlds += 1;
        });
    }
    assert!(undone > 20, "{undone} blocks in {worlds} worlds");
}

/// Cut off at every point of an undo and of what follows, and asked for again.
#[test]
fn dying_at_every_point_of_an_undo_loses_nothing() {
    for homes in HOMES {
        let recipe = Recipe { people: 1, calendars: 2, rounds: 0, ..homes_recipe(homes, 12) };
        let life = |death: Option<i64>| async move {
            let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
            world.faults.switch_off();
            world.deliver_and_work().await;
            let first = make(&world, 30);
            world.deliver_and_work().await;
            let known = runs(&world).await;
            let before = blocks(&world);
            // One moves, and one comes.
            let remote = world.life.people[0].calendars[1].clone();
            let now = world.clock.now();
            world.cloud.with(|c| c.cancel_event(&remote, &first, now).unwrap());
            make(&world, 40);
            world.deliver_and_work().await;
            let run = since(&world, &known).await;
            assert_eq!(run.len(), 1, "one run read both");
            let points = world.points();
            if let Some(point) = death {
                world.die_after(point);
            }
            let done = world.engine().undo(world.users[0], run[0], Partly::Refuse, WHO).await;
            assert!(done.is_ok() || world.is_dead(), "{done:?}");
            world.revive();
            world.deliver_and_work().await;
            let points = world.points() - points;
            (world, run[0], before, points)
        };
        let points = block_on(async { life(None).await.3 });
        assert!(points > 30, "{points} points");
        for point in 1..=points {
            block_on(async {
                let (mut world, run, before, _) = life(Some(point)).await;
                pass(&mut world).await;
                // Whoever does not know whether it worked asks again: nothing is refused, and nothing is done twice.
                let again = undo(&world, run, Partly::Refuse).await;
                assert!(again.not.is_empty(), "{homes:?} {point}: {again:?}");
                pass(&mut world).await;
                assert_eq!(blocks(&world), before, "{homes:?}: dies at {point} of {points}");
                assert!(approve(&world).await > 0);
                pass(&mut world).await;
                let judgement = world.judge();
                assert!(judgement.is_good(), "{homes:?}: dies at {point} of {points}: {judgement:?}");
            });
        }
    }
}

/// One waits for the other, and finds nothing to do; and what was undone can be undone.
#[test]
fn two_at_once_and_an_undo_of_an_undo() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 77).await;
            let known = runs(&world).await;
            let before = blocks(&world);
            make(&world, 30);
            world.deliver_and_work().await;
            let made = blocks(&world);
            assert_ne!(made, before);
            let run = since(&world, &known).await[0];
            let lease = world
                .store
                .claim_user(
                    world.users[0],
                    "somebody",
                    world.clock.now(),
                    world.clock.now().plus(SignedDuration::from_mins(1)),
                )
                .await
                .unwrap()
                .unwrap();
            let busy = world.engine().undo(world.users[0], run, Partly::Refuse, WHO).await;
            assert_eq!(busy, Err(EngineError::Busy));
            world.store.release(&lease.lease, &[]).await.unwrap();
            let first = undo(&world, run, Partly::Refuse).await;
            assert!(first.by.is_some() && first.not.is_empty());
            let second = undo(&world, run, Partly::Allow).await;
            assert_eq!((second.by, second.blocks.len()), (None, 0), "{homes:?}: {second:?}");
            let under_way = |why: &WhyNot| *why == WhyNot::BeingUndone;
            assert!(second.not.iter().all(|(_, not)| under_way(&not.why)), "{homes:?}: {second:?}");
            world.deliver_and_work().await;
            assert_eq!(blocks(&world), before);
            let third = undo(&world, run, Partly::Refuse).await;
            assert_eq!((third.by, third.already), (None, first.blocks.len()));
            let back = undo(&world, first.by.unwrap(), Partly::Refuse).await;
            assert_eq!(back.blocks.len(), first.blocks.len(), "{homes:?}: {back:?}");
            world.deliver_and_work().await;
            assert_eq!(blocks(&world), made);
            let detail = world.engine().run(world.users[0], back.by.unwrap()).await.unwrap();
            assert_eq!(detail.undoable, first.blocks.len(), "it is a run like any other");
            approve(&world).await;
            pass(&mut world).await;
            assert!(world.judge().is_good());
            // Nobody sees, or undoes, what is another's.
            let stranger = world.engine().undo(world.users[1], run, Partly::Refuse, WHO).await;
            assert!(matches!(stranger, Err(EngineError::NotFound(_))));
            assert!(world.engine().run(world.users[1], run).await.is_err());
        });
    }
}

/// A block that a person moves meanwhile stays as it is. While a target is held nothing else is written there; elsewhere it is.
#[test]
fn what_a_person_touches_stays_and_other_targets_go_on() {
    block_on(async {
        let mut world = settled(GOOGLE, 78).await;
        let known = runs(&world).await;
        make(&world, 30);
        world.deliver_and_work().await;
        let run = since(&world, &known).await[0];
        let detail = world.engine().run(world.users[0], run).await.unwrap();
        assert!(detail.rows.len() >= 2 && detail.rows.iter().all(|row| row.undo == Undoable::Possible));
        let row = detail.rows[0].row.clone();
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        let name = state.calendars.iter().find(|c| c.id == row.target).unwrap().remote.calendar.clone();
        let people = &world.life.people[0].calendars;
        let remote = people.iter().find(|c| c.as_str() == name).unwrap().clone();
        let (now, hour) = (world.clock.now(), SignedDuration::from_hours(1));
        let start = now.plus(hour * 50);
        let to = (When::at(start, "UTC"), When::at(start.plus(hour), "UTC"));
        let block = world.cloud.with(|c| {
            let live = c.calendar(&remote).unwrap().live();
            let id = live.map(|e| e.id.clone()).find(|id| id.as_str() == row.block.as_str()).unwrap();
            c.reschedule(&remote, &id, to, now).unwrap();
            id
        });
        let report = undo(&world, run, Partly::Refuse).await;
        assert_eq!(report.blocks.len(), detail.rows.len(), "nobody has heard of it yet");
        pass(&mut world).await;
        let stands =
            |world: &World| world.cloud.with(|c| c.calendar(&remote).unwrap().live().any(|e| e.id == block));
        assert!(stands(&world), "what is not as we wrote it is not removed");
        let undone = world.engine().run(world.users[0], report.by.unwrap()).await.unwrap();
        assert_eq!(undone.rows.len(), detail.rows.len() - 1, "and not told to be");
        // The second calendar is the source, and not held: it takes what comes elsewhere; the held ones take nothing.
        let held = blocks(&world);
        let other = world.life.people[0].calendars[0].clone();
        let start = world.clock.now().plus(hour * 70);
        let content = Content::new("one more", When::at(start, "UTC"), When::at(start.plus(hour), "UTC"));
        world.cloud.with(|c| c.create_event(&other, content, world.clock.now()).unwrap().id.clone());
        pass(&mut world).await;
        let now_there = blocks(&world);
        let grown: Vec<&String> = now_there
            .iter()
            .filter(|(calendar, all)| held.get(*calendar) != Some(all))
            .map(|(c, _)| c)
            .collect();
        assert_eq!(grown, [&world.life.people[0].calendars[1].to_string()]);
        assert!(approve(&world).await > 0);
        pass(&mut world).await;
        assert!(world.judge().is_good());
    });
}

/// Whoever forgets what they undid would be booked twice in the end: they are reminded, until they let the rules go on.
#[test]
fn an_undo_that_is_forgotten_is_told_of() {
    block_on(async {
        let mut world = settled(HOMES[0], 431).await;
        let known = runs(&world).await;
        make(&world, 300);
        world.deliver_and_work().await;
        for run in since(&world, &known).await {
            undo(&world, run, Partly::Allow).await;
        }
        pass(&mut world).await;
        let held = async |world: &World| {
            let open = world.store.open_alerts().await.unwrap();
            open.iter().filter(|alert| alert.kind == "deletions_held").count()
        };
        assert_eq!(held(&world).await, 0, "they know");
        for _ in 0..50 {
            world.clock.advance(SignedDuration::from_hours(1));
            world.deliver_and_work().await;
        }
        assert!(held(&world).await > 0);
        approve(&world).await;
        pass(&mut world).await;
        assert_eq!(held(&world).await, 0, "it is over");
        assert!(world.judge().is_good(), "{:?}", world.judge());
    });
}
