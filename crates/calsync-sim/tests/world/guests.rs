//! A person invites somebody to a block. From then on it is that person's meeting: every write to it would be mailed to the
//! guests by the one provider and would throw them out at the other, so that nothing is written to it, whatever becomes of the
//! event that it was made for.

use std::sync::Arc;

use calsync_core::calendar::{Calendar, Leaving};
use calsync_core::ports::Wish;
use calsync_core::time::Ts;
use calsync_sim::cloud::Cloud;
use calsync_sim::cloud::content::{Attendee, Content, When};
use calsync_sim::cloud::event::Event;
use calsync_sim::cloud::journal::{Entry, Op};
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::direct::CLIENT;
use calsync_sim::life::Homes;
use jiff::SignedDuration;

use super::cast::{GOOGLE, MICROSOFT};
use super::scenarios::{read_everything, settled, standing};
use super::world::World;
use super::{HOMES, block_on};

/// Points at which a process may die on the way from an event to its block, and some more.
const POINTS: i64 = 40;

/// An event of the first person's calendar 1, and its block in calendar 2.
struct Stage {
    world: World,
    source: RemoteId,
    event: EventId,
    target: RemoteId,
    block: EventId,
}

fn hour(world: &World, hours: i64) -> (When, When) {
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    (When::at(start, "UTC"), When::at(start.plus(SignedDuration::from_hours(1)), "UTC"))
}

/// Blocks of calendar-sync that were made in a calendar, whether they stand or not.
fn made(cloud: &Cloud, calendar: &RemoteId) -> Vec<EventId> {
    let ours = |e: &&Entry| e.client.as_str() == CLIENT && e.op == Op::Insert && e.calendar == *calendar;
    cloud.journal().entries().filter(ours).map(|e| e.event.clone()).collect()
}

fn invite(cloud: &mut Cloud, calendar: &RemoteId, block: &EventId, now: Ts) {
    let guest = Attendee { email: "colleague@example.org".to_owned(), ..Attendee::default() };
    cloud.edit_event(calendar, block, now, |content| content.attendees.push(guest)).unwrap();
}

/// This service's row of a calendar of the first person.
async fn row(world: &World, remote: &RemoteId) -> Calendar {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    state.calendars.into_iter().find(|c| c.remote.calendar == remote.as_str()).unwrap()
}

/// Reads this calendar and writes what follows from it, though no other calendar is looked at; if asked for, the process dies
/// over it.
async fn read_alone(world: &mut World, remote: &RemoteId, dies_at: Option<i64>) {
    let calendar = row(world, remote).await.id;
    world.engine().sync_now(&[calendar], Wish::Changes).await.unwrap();
    dies_at.into_iter().for_each(|nth| world.die_after(nth));
    world.work().await;
}

impl Stage {
    async fn set(homes: Homes, seed: u64) -> Stage {
        Stage::begin(homes, seed, None).await.expect("one block")
    }

    /// The process dies at the `nth` point on the way to the block. `None` if there is none yet.
    async fn begin(homes: Homes, seed: u64, nth: Option<i64>) -> Option<Stage> {
        let mut world = settled(homes, seed).await;
        let [_, source, target, ..] = world.life.people[0].calendars.as_slice() else { panic!("three") };
        let (source, target) = (source.clone(), target.clone());
        let before = world.cloud.with(|c| made(c, &target));
        let (start, end) = hour(&world, 30);
        let content = Content::new("one hour", start, end);
        let now = world.clock.now();
        let event = world.cloud.with(|c| c.create_event(&source, content, now).unwrap().id.clone());
        match nth {
            None => world.deliver_and_work().await,
            nth => read_alone(&mut world, &source, nth).await,
        }
        let all = world.cloud.with(|c| made(c, &target));
        let [block] = &all[before.len()..] else { return None };
        let block = block.clone();
        Some(Stage { world, source, event, target, block })
    }

    /// Whether it stands. It may have been removed before anybody was invited.
    fn stands(&self) -> bool {
        self.world.cloud.with(|c| c.event(&self.target, &self.block)).is_some_and(|e| !e.cancelled)
    }

    fn writes(&self) -> Vec<Op> {
        let on_it =
            |e: &&Entry| e.event == self.block && e.calendar == self.target && e.client.as_str() == CLIENT;
        self.world.cloud.with(|c| c.journal().entries().filter(on_it).map(|e| e.op).collect())
    }

    fn invite(&self) {
        let now = self.world.clock.now();
        self.world.cloud.with(|c| invite(c, &self.target, &self.block, now));
    }

    fn block(&self) -> Arc<Event> {
        self.world.cloud.with(|c| c.event(&self.target, &self.block).expect("it stands"))
    }

    fn reschedule(&self) {
        let (to, now) = (hour(&self.world, 40), self.world.clock.now());
        self.world.cloud.with(|c| c.reschedule(&self.source, &self.event, to, now).unwrap());
    }

    fn cancel(&self) {
        let now = self.world.clock.now();
        self.world.cloud.with(|c| c.cancel_event(&self.source, &self.event, now).unwrap());
    }

    /// It was written once, when it was made; and nobody was ever mailed.
    fn assert_left(&self, block: &Event, what: &str) {
        assert_eq!(self.writes(), [Op::Insert], "{what}");
        assert!(!self.world.cloud.with(|c| c.journal().entries().any(|e| e.could_have_mailed())), "{what}");
        let stands = self.block();
        assert!(!stands.cancelled && stands.content == block.content, "{what}");
    }
}

#[test]
fn a_block_to_which_somebody_is_invited_is_written_no_more() {
    for homes in HOMES {
        block_on(async {
            let mut stage = Stage::set(homes, 1).await;
            stage.invite();
            let block = stage.block();
            stage.world.deliver_and_work().await;
            stage.assert_left(&block, "seen");
            let before = standing(&stage.world, &stage.target);
            stage.reschedule();
            stage.world.deliver_and_work().await;
            stage.assert_left(&block, "its event moved");
            assert_eq!(standing(&stage.world, &stage.target), before + 1, "another holds the new time");
            stage.cancel();
            stage.world.deliver_and_work().await;
            stage.assert_left(&block, "its event is gone");
            assert_eq!(standing(&stage.world, &stage.target), before, "and goes with the event");
            // Nor does it beget blocks: for the others it is no event.
            let before = stage.world.writes();
            read_everything(&mut stage.world).await;
            assert_eq!(stage.world.writes(), before, "{homes:?}");
            stage.assert_left(&block, "everything is read again");
        });
    }
}

/// The guard of the write stops it; the look after that shows why, and the plan after the look leaves it.
#[test]
fn whoever_is_invited_while_a_write_is_on_its_way_is_not_told() {
    for homes in HOMES {
        for deed in [Stage::reschedule, Stage::cancel] {
            block_on(async {
                let mut stage = Stage::set(homes, 2).await;
                deed(&stage);
                let (cloud, now) = (stage.world.cloud.clone(), stage.world.clock.now());
                let (target, block) = (stage.target.clone(), stage.block.clone());
                // The first call reads the event's own calendar: the target is not looked at before it is written.
                stage.world.during_next_call(move || cloud.with(|c| invite(c, &target, &block, now)));
                let before = stage.block();
                stage.world.deliver_and_work().await;
                let block = stage.block();
                assert!(!block.content.attendees.is_empty() && before.content.attendees.is_empty());
                stage.assert_left(&block, "invited on the way");
            });
        }
    }
}

/// Where the calendar takes no part any more, the other blocks go and this one stays; and the calendar is let go.
#[test]
fn a_calendar_that_leaves_keeps_it() {
    for homes in HOMES {
        block_on(async {
            let mut stage = Stage::set(homes, 3).await;
            stage.invite();
            let block = stage.block();
            let calendar = row(&stage.world, &stage.target).await;
            stage.world.engine().take_out(&calendar, Leaving::Disabled).await.unwrap();
            stage.world.deliver_and_work().await;
            stage.assert_left(&block, "its calendar left");
            assert_eq!(standing(&stage.world, &stage.target), 1, "the others are gone");
            assert_eq!(row(&stage.world, &stage.target).await.leaving, None, "it is over");
        });
    }
}

/// A process that dies may leave a block of which nobody knows that it stands. Its removal has nothing to be guarded by: it is
/// looked at first.
#[test]
fn what_nobody_saw_is_looked_at_before_it_is_removed() {
    for homes in [GOOGLE, MICROSOFT] {
        let mut met = 0;
        for nth in 1..=POINTS {
            block_on(async {
                let Some(mut stage) = Stage::begin(homes, 4, Some(nth)).await else { return };
                stage.invite();
                let block = stage.block();
                stage.cancel();
                stage.world.clock.advance(SignedDuration::from_mins(3));
                let source = stage.source.clone();
                read_alone(&mut stage.world, &source, None).await;
                stage.assert_left(&block, "its event is gone");
                stage.world.deliver_and_work().await;
                stage.assert_left(&block, "its calendar was read");
                met += u32::from(stage.world.crashes > 0);
            });
        }
        assert!(met > 1, "{homes:?}: {met} deaths left a block behind");
    }
}

/// A write that waits is given up, and not taken for carried out.
#[test]
fn a_write_that_waited_is_given_up() {
    for homes in [GOOGLE, MICROSOFT] {
        for deed in [Stage::reschedule, Stage::cancel] {
            for nth in 1..=POINTS {
                block_on(async {
                    let mut stage = Stage::set(homes, 5).await;
                    deed(&stage);
                    let source = stage.source.clone();
                    read_alone(&mut stage.world, &source, Some(nth)).await;
                    if !stage.stands() {
                        return;
                    }
                    stage.invite();
                    let (block, before) = (stage.block(), stage.writes());
                    stage.world.clock.advance(SignedDuration::from_mins(3));
                    stage.world.deliver_and_work().await;
                    assert_eq!((stage.writes(), stage.block().version), (before, block.version), "{nth}");
                    let target = row(&stage.world, &stage.target).await.id;
                    let mirror = stage.world.store.mirror(target).await.unwrap();
                    let known = mirror.blocks.get(&stage.block.as_str().into());
                    assert!(known.is_some_and(|block| block.has_guests), "{homes:?} {nth}: it stands");
                });
            }
        }
    }
}
